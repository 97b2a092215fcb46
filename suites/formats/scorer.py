"""Does an answer validate, and does it hold the right values? JSON, XML and one shell command line, each read strictly.

Three columns: `strict` (the text as it stands validates and holds exactly the right values), `loose` (the same after
one code fence or the words around the answer are taken away) and `valid` (the text as it stands validates, whatever
its values). Nothing that a model wrote is executed, expanded or fetched.
"""

from __future__ import annotations

import json
import re
import shlex
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
from lxml import etree

from harness.data import Completion, Sample, Score, Scorer
from harness.scorers.markdown import fences

MAX_CHARACTERS = 8_000
SHOWN = 2_000
MAX_COMMAND, MAX_WORDS = 1_500, 200
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_PROLOG = re.compile(r"<\?xml\b([^?]*)\?>")
_ENCODING = re.compile(r"encoding\s*=\s*[\"']([^\"']*)[\"']")
_NUMBER_TYPES = {"decimal", "integer", "positiveInteger", "nonNegativeInteger", "int", "double", "float"}
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_XS = "{http://www.w3.org/2001/XMLSchema}"
_XML_LOCK = threading.Lock()

Tables = Mapping[str, Mapping[str, Any]]


class Unreadable(Exception):
    """An answer that cannot be read as what was asked for; the message says why."""


class Verdict(NamedTuple):
    """valid: it validates. right: and it holds the right values. why: what is wrong first, "" if nothing is."""

    valid: bool
    right: bool
    why: str


# --- the three columns -----------------------------------------------------------------------------------------------


def strict(*, suite_path: str, programs: str = "programs.json") -> Scorer:
    """1 if the text, as it stands, validates and holds exactly the right values; else 0.

    programs: a JSON file of the suite that says which options each shell program has.
    White space around the answer does not count, nor does thinking text before it. A code fence or a word beside the
    answer does. Free are: the order of JSON keys, of XML attributes and of shell options, spacing, escapes, quoting,
    number spellings (4.8, 4.80) and the order of JSON arrays that the schema calls `uniqueItems`.
    What is not covered: a shell command that does the same in a way nobody listed scores 0.
    """
    tables = _tables(suite_path, programs)
    return partial(_score, tables, _as_it_stands, lambda verdict: verdict.right)


def loose(*, suite_path: str, programs: str = "programs.json") -> Scorer:
    """As `strict`, with one code fence, or words before and after the answer, forgiven. Two answers are not."""
    tables = _tables(suite_path, programs)
    return partial(_score, tables, _taken_out, lambda verdict: verdict.right)


def valid(*, suite_path: str, programs: str = "programs.json") -> Scorer:
    """1 if the text, as it stands, validates: against the JSON Schema or XSD, or as a command the programs take.

    What is not covered: its values. Any document of the right shape scores 1.
    """
    tables = _tables(suite_path, programs)
    return partial(_score, tables, _as_it_stands, lambda verdict: verdict.valid)


def _tables(suite_path: str, programs: str) -> Tables:
    tables: Tables = json.loads(Path(suite_path, programs).read_text("utf-8"))
    return tables


def _score(
    tables: Tables,
    reading: Callable[[str, str], str],
    passed: Callable[[Verdict], bool],
    sample: Sample,
    completion: Completion,
) -> Score:
    text = without_thinking(completion.text)
    if not text:
        return Score(0.0, "", "empty answer")
    if len(text) > MAX_CHARACTERS:
        return Score(0.0, text[:80], f"{len(text)} characters are no answer to this")
    text = reading(str(sample.metadata.get("kind")), text)
    verdict = judge(sample, text, tables)
    return Score(float(passed(verdict)), text[:SHOWN], "" if passed(verdict) else " ".join(verdict.why.split())[:300])


def judge(sample: Sample, text: str, tables: Tables) -> Verdict:
    """What is to be said about the text of an answer, by metadata `kind`."""
    kind = str(sample.metadata.get("kind"))
    try:
        if kind == "json":
            return judge_json(str(sample.metadata["schema"]), sample.target, text)
        if kind == "xml":
            with _XML_LOCK:
                return judge_xml(str(sample.metadata["schema"]), sample.target, text)
        return judge_shell(sample.target, sample.metadata, text, tables)
    except Unreadable as problem:
        return Verdict(False, False, str(problem))


# --- what counts as the answer ---------------------------------------------------------------------------------------


def without_thinking(text: str) -> str:
    """The text after the reasoning that some models write first; "" if the reasoning never ends.

    >>> without_thinking("<think>hm</think> {}"), without_thinking("<think>hm")
    ('{}', '')
    """
    text = text.strip()
    for tag in ("think", "thinking", "reasoning"):
        if text.startswith(f"<{tag}>"):
            return text.partition(f"</{tag}>")[2].strip()
    return text


def _as_it_stands(kind: str, text: str) -> str:
    return text


def _taken_out(kind: str, text: str) -> str:
    """The answer without the fence or the words around it; the whole text where that is not plain."""
    fenced = [block.text.strip() for block in fences(text)[0]]
    if len(fenced) == 1:
        text = fenced[0]
    elif fenced:
        return text
    text = text.removeprefix("\ufeff").strip()
    if kind == "shell":
        spans = _SPAN.findall(text)
        if len(spans) == 1 and not fenced:
            text = spans[0].strip()
        return text.removeprefix("$ ")
    first, last = ("{", "}") if kind == "json" else ("<", ">")
    start, end = text.find(first), text.rfind(last)
    return text[start : end + 1] if 0 <= start < end else text


# --- JSON ------------------------------------------------------------------------------------------------------------


def judge_json(schema: str, target: str, text: str) -> Verdict:
    """One JSON object, no key twice, no NaN, valid against the schema, and equal to the target."""
    said = read_json(text)
    if not isinstance(said, dict):
        return Verdict(False, False, f"one JSON object is asked for, not {_kind_of(said)}")
    form, validator = _validator(schema)
    problem = next(validator.iter_errors(said), None)
    if problem is not None:
        return Verdict(False, False, f"{_pointer(problem.absolute_path)}: {ascii(problem.message)[1:201]}")
    why = difference(json.loads(target), said, form, "")
    return Verdict(True, not why, why)


def read_json(text: str) -> Any:
    """A JSON value, by the letter of RFC 8259 and with every key once. Raises Unreadable."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as problem:
        raise Unreadable(f"not JSON: {problem.msg} at character {problem.pos}") from None
    except RecursionError:
        raise Unreadable("not JSON that anybody reads: nested too deeply") from None
    except ValueError as problem:
        raise Unreadable(f"not JSON: {str(problem)[:80]}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(key for key, _ in pairs)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise Unreadable(f"the key {ascii(twice[0])[:80]} is there twice")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise Unreadable(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Unreadable(f"the number {text[:20]} is out of range")
    return value


@lru_cache(maxsize=1024)
def _validator(schema: str) -> tuple[dict[str, Any], Any]:
    form: dict[str, Any] = json.loads(schema)
    return form, jsonschema.Draft202012Validator(form, format_checker=_formats())


@lru_cache(maxsize=1)
def _formats() -> jsonschema.FormatChecker:
    """Dates as YYYY-MM-DD, times as HH:MM, mail addresses: what the schemas of this suite use, checked strictly."""
    checker = jsonschema.FormatChecker(formats=())
    checker.checks("date", raises=ValueError)(_is_date)
    checker.checks("email")(lambda value: not isinstance(value, str) or _matches(r"[^@\s]+@[^@\s]+\.[^@\s.]+", value))
    return checker


def _is_date(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return _matches(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) and date.fromisoformat(value) is not None


def _matches(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern, value) is not None


def difference(gold: Any, said: Any, form: Mapping[str, Any], where: str) -> str:
    """The first place where two valid JSON values differ, in words; "" if nowhere."""
    if isinstance(gold, bool) or isinstance(said, bool) or gold is None or said is None:
        return "" if gold is said else _other(where, gold, said)
    if isinstance(gold, dict) and isinstance(said, dict):
        if gold.keys() != said.keys():
            missing, extra = sorted(gold.keys() - said.keys()), sorted(said.keys() - gold.keys())
            return f"{where or '/'}: {'missing ' + missing[0] if missing else 'the text does not say ' + extra[0]}"
        parts = form.get("properties", {})
        return next(filter(None, (difference(gold[k], said[k], parts.get(k, {}), f"{where}/{k}") for k in gold)), "")
    if isinstance(gold, list) and isinstance(said, list):
        if len(gold) != len(said):
            return f"{where}: {len(said)} entries, not {len(gold)}"
        if form.get("uniqueItems"):
            gold, said = sorted(gold, key=_sorting), sorted(said, key=_sorting)
        items = form.get("items", {})
        pairs = enumerate(zip(gold, said, strict=True))
        return next(filter(None, (difference(a, b, items, f"{where}/{i}") for i, (a, b) in pairs)), "")
    if isinstance(gold, str) and isinstance(said, str):
        same = unicodedata.normalize("NFC", gold) == unicodedata.normalize("NFC", said)
        return "" if same else _other(where, gold, said)
    return "" if type(gold) is not str and type(said) is not str and gold == said else _other(where, gold, said)


def _sorting(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _other(where: str, gold: Any, said: Any) -> str:
    return f"{where or '/'}: {json.dumps(said)[:80]}, not {json.dumps(gold)[:80]}"


def _kind_of(value: Any) -> str:
    return {"list": "an array", "str": "a string", "NoneType": "null"}.get(type(value).__name__, "a bare value")


def _pointer(path: Sequence[Any]) -> str:
    return "/" + "/".join(ascii(part).strip("'")[:40] for part in path)


# --- XML -------------------------------------------------------------------------------------------------------------


def judge_xml(schema: str, target: str, text: str) -> Verdict:
    """One XML document without DOCTYPE and comments, valid against the XSD, and equal to the target."""
    said = read_xml(text)
    form, kinds = _xsd(schema)
    for node in said.iter():  # white space around a date means nothing to XSD, and something to libxml2
        if len(node) == 0 and node.text and kinds.get(etree.QName(node).localname) == "date":
            node.text = node.text.strip(" \t\r\n")
    if not form.validate(said):
        problem = form.error_log.last_error
        return Verdict(
            False, False, f"does not validate: {ascii(problem.message if problem is not None else '')[1:201]}"
        )
    why = tree_difference(read_xml(target), said, kinds, "")
    return Verdict(True, not why, why)


def read_xml(text: str) -> Any:
    """The root of a document, read without entities, DTD or network. Raises Unreadable."""
    prolog = _PROLOG.match(text)
    encoding = _ENCODING.search(prolog.group(1)) if prolog else None
    if encoding and encoding.group(1).lower() not in ("utf-8", "utf8"):
        raise Unreadable(f"says that it is {ascii(encoding.group(1))[:40]}, and it is UTF-8")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Unreadable("a DOCTYPE is not allowed")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except UnicodeEncodeError:
        raise Unreadable("not UTF-8") from None
    except etree.XMLSyntaxError as problem:
        raise Unreadable(f"not well-formed XML: {ascii(str(problem))[1:121]}") from None
    around = [root, *root.itersiblings(), *root.itersiblings(preceding=True)]
    if len(around) > 1 or any(not isinstance(node.tag, str) for node in root.iter()):
        raise Unreadable("comments and processing instructions are not allowed")
    return root


@lru_cache(maxsize=256)
def _xsd(schema: str) -> tuple[Any, dict[str, str]]:
    """The compiled XSD, and the built-in type of every element and attribute that has one, by name."""
    root: Any = etree.fromstring(schema.encode("utf-8"))
    kinds: dict[str, str] = {}
    for node in root.iter(f"{_XS}element", f"{_XS}attribute", f"{_XS}extension"):
        kind = node.get("type") or node.get("base")
        inner = node.find(f"{_XS}simpleType/{_XS}restriction")
        kind = inner.get("base") if inner is not None else kind
        holder = node
        while holder is not None and not holder.get("name"):
            holder = holder.getparent()
        if kind and holder is not None:
            kinds[holder.get("name")] = kind.rpartition(":")[2]
    return etree.XMLSchema(root), kinds


def tree_difference(gold: Any, said: Any, kinds: Mapping[str, str], where: str) -> str:
    """The first place where two valid documents differ; the order of unlike siblings is the XSD's business."""
    name = etree.QName(gold).localname
    where = f"{where}/{name}"
    if gold.tag != said.tag:
        return f"{where}: another element, {ascii(said.tag)[:60]}"
    wanted, given = _attributes(gold), _attributes(said)
    for key in sorted(wanted.keys() | given.keys()):
        if not _same(wanted.get(key), given.get(key), kinds.get(key, "")):
            return f"{where}/@{key}: {ascii(given.get(key))[:80]}, not {ascii(wanted.get(key))[:80]}"
    if Counter(child.tag for child in gold) != Counter(child.tag for child in said):
        return f"{where}: {len(said)} elements {sorted({etree.QName(child).localname for child in said})}"
    if len(gold) == 0 and not _same(gold.text or "", said.text or "", kinds.get(name, "")):
        return f"{where}: {ascii(said.text or '')[:80]}, not {ascii(gold.text or '')[:80]}"
    order = list(dict.fromkeys(child.tag for child in gold))
    pairs = [pair for tag in order for pair in zip(gold.findall(tag), said.findall(tag), strict=True)]
    return next(filter(None, (tree_difference(a, b, kinds, where) for a, b in pairs)), "")


def _attributes(node: Any) -> dict[str, str]:
    """Attributes by name, without those that only say where a schema lies."""
    return {str(k): str(v) for k, v in node.attrib.items() if not k.startswith(_XSI) or k == f"{_XSI}nil"}


def _same(gold: str | None, said: str | None, kind: str) -> bool:
    if gold is None or said is None:
        return gold is said
    gold, said = (" ".join(unicodedata.normalize("NFC", text).split()) for text in (gold, said))
    if kind == "boolean":
        return (gold in ("true", "1")) == (said in ("true", "1"))
    if kind in _NUMBER_TYPES:
        try:
            return Decimal(gold) == Decimal(said)
        except InvalidOperation:
            return gold == said
    return gold == said


# --- shell -----------------------------------------------------------------------------------------------------------

OPERATORS = "();<>|&"
ACTIVE = "*?[]{}~$`!"
_FREE = 0xF0000
_LITERAL = 0xF1000
_EMPTY = chr(0xF2000)
_REDIRECTIONS = ("<", ">", ">>", ">&", "&>", "&>>", "<&")


class Command(NamedTuple):
    """One program of a pipeline in one spelling: flags and options by their first spelling, arguments in order."""

    program: str
    flags: tuple[str, ...]
    options: tuple[tuple[str, tuple[str, ...]], ...]
    arguments: tuple[str, ...]
    redirections: tuple[tuple[str, str, str], ...]
    last: str = ""


def judge_shell(target: str, metadata: Mapping[str, Any], text: str, tables: Tables) -> Verdict:
    """One command line of the programs asked for, the same as the target or one of metadata `accept`.

    Metadata: `accept` are further right commands; `same` maps a word to an equal one ("src/" to "src"); `free` names,
    per program, the flags that may be there or not; `programs` are the programs that may be used.
    """
    allowed = {name: tables[name] for name in metadata["programs"]}
    said = read_shell(text, allowed)
    golds = [read_shell(one, allowed) for one in (target, *metadata.get("accept", ()))]
    free, same = metadata.get("free", {}), metadata.get("same", {})
    mine = _plain(said, free, same)
    if any(mine == _plain(gold, free, same) for gold in golds):
        return Verdict(True, True, "")
    return Verdict(True, False, _shell_difference(_plain(golds[0], free, same), mine))


def read_shell(text: str, tables: Tables) -> tuple[Command, ...]:
    """The commands of one pipeline. Raises Unreadable for whatever is more, or other, than one pipeline."""
    words = lex(text)
    if len(words) > MAX_WORDS:
        raise Unreadable(f"{len(words)} words are no command line")
    stages: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            stages.append([])
        else:
            stages[-1].append(word)
    if not all(stages):
        raise Unreadable("a pipe without a command beside it")
    return tuple(_command(stage, tables) for stage in stages)


def lex(text: str) -> list[str]:
    """Words and operators of one line; what the shell would expand is marked, what is quoted is not.

    >>> lex("grep -n 'a b' < in.txt") == ["grep", "-n", "a b", "<", "in.txt"]
    True
    >>> lex("ls *.log") == lex("ls '*.log'")
    False
    """
    if len(text) > MAX_COMMAND:
        raise Unreadable(f"{len(text)} characters are no command line")
    if any(ord(char) >= _FREE for char in text):
        raise Unreadable("characters that no command holds")
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise Unreadable("one line is asked for" if "\n" in text else "control characters in a command")
    lexer = shlex.shlex("".join(_resolve(text)), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.whitespace = " \t"
    lexer.quotes = lexer.escape = lexer.commenters = ""
    return [expanded for token in lexer for expanded in _braces(token)]


def _resolve(text: str) -> Iterator[str]:
    """The text without its quotes: quoted operators and blanks, and active expansion characters, get marks."""
    quote, start, i = "", True, 0
    fresh = ""
    while i < len(text):
        char = text[i]
        i += 1
        if not quote and char in "'\"":
            quote, fresh = char, _EMPTY
            yield fresh
            start = False
        elif quote and char == quote:
            quote = ""
        elif char == "\\" and quote != "'":
            if i == len(text):
                raise Unreadable("ends in a backslash")
            if quote and text[i] not in '$`"\\':
                yield char
                continue
            yield _literal(text[i])
            i += 1
            start = False
        elif quote == "'" or (quote and char not in "$`"):
            yield _literal(char)
        else:
            if char == "#" and start:
                raise Unreadable("a comment in the command line")
            if char == "`" or (char == "$" and text[i : i + 1] == "("):
                raise Unreadable("command substitution")
            number = re.match(r"\d+(?=[<>])", text[i - 1 :]) if start else None
            if number:
                yield " " + "".join(_active(digit) for digit in number.group())
                i += len(number.group()) - 1
                continue
            yield _active(char) if char in ACTIVE and _expands(char, text, i, start, quote) else char
            start = char in " \t" or char in OPERATORS
    if quote:
        raise Unreadable("a quote that is never closed")


def _expands(char: str, text: str, after: int, start: bool, quote: str) -> bool:
    """Whether bash would do something with a character here: ~ only first in a word, $ only before a name."""
    if char == "~":
        return start
    if char == "$":
        return bool(re.match(r"[\w{?!@*#$'\"-]", text[after : after + 1])) and not (
            quote and text[after : after + 1] == quote
        )
    return char != "!"


def _active(char: str) -> str:
    return chr(_FREE + ord(char))


def _literal(char: str) -> str:
    return chr(_LITERAL + ord(char)) if char in OPERATORS + " \t" else char


def _braces(token: str) -> list[str]:
    """A word with its {a,b} written out (one level, as often as it occurs), and its marks for quoting taken off."""
    found = re.match(
        f"(.*?){_active('{')}([^{_active('{')}{_active('}')}]*,[^{_active('{')}{_active('}')}]*){_active('}')}(.*)",
        token,
        re.DOTALL,
    )
    if found and len(token) < 200 and token.count(_active("{")) <= 2:
        before, inside, after = found.groups()
        return [word for part in inside.split(",") for word in _braces(before + part + after)]
    if all(char in OPERATORS for char in token):
        return [token]
    if token == _active("{") + _active("}"):
        return ["{}"]
    out = [chr(ord(char) - _LITERAL) if _LITERAL <= ord(char) < _LITERAL + 128 else char for char in token]
    word = "".join(out).replace(_EMPTY, "")
    return [word + _EMPTY] if word and all(char in OPERATORS for char in word) else [word]


def _shown(word: str) -> str:
    """A word as it was written, marks taken off."""
    return "".join(chr(ord(c) - _FREE) if _FREE <= ord(c) < _FREE + 128 else c for c in word)


def _command(words: list[str], tables: Tables) -> Command:
    plain, redirections = _redirections(words)
    if not plain:
        raise Unreadable("a redirection without a command")
    table = tables.get(plain[0])
    if table is None:
        raise Unreadable(f"{ascii(_shown(plain[0]))[:60]} is not one of the programs to use: {', '.join(tables)}")
    return _options(plain[0], plain[1:], table, redirections)


def _redirections(words: list[str]) -> tuple[list[str], tuple[tuple[str, str, str], ...]]:
    """(the other words, the redirections as (descriptor, operator, target))."""
    plain: list[str] = []
    found: list[tuple[str, str, str]] = []
    number = ""
    rest = iter(words)
    for word in rest:
        if word and all(_FREE + 48 <= ord(char) < _FREE + 58 for char in word):
            number = _shown(word)
            continue
        if not (word and all(char in OPERATORS for char in word)):
            plain.append(word.replace(_EMPTY, ""))
            continue
        if word not in _REDIRECTIONS:
            chained = word in (";", "&&", "||", "&")
            raise Unreadable("more than one command" if chained else f"'{word[:10]}' is not allowed here")
        goal = next(rest, "")
        if not goal or all(char in OPERATORS for char in goal):
            raise Unreadable(f"'{word}' without a file")
        if word.startswith("&>"):
            found += [("1", word[1:], goal.replace(_EMPTY, "")), ("2", ">&", "1")]
        else:
            found.append((number or ("0" if word[0] == "<" else "1"), word, goal.replace(_EMPTY, "")))
        number = ""
    if not any(operator == ">&" for _, operator, _ in found):
        found.sort()
    return plain, tuple(found)


def _options(
    program: str, words: list[str], table: Mapping[str, Any], redirections: tuple[tuple[str, str, str], ...]
) -> Command:
    """Reads options as the program would: `style` getopt (clusters, long options) or find (one dash, no clusters)."""
    flags = {spelling: group[0] for group in table.get("flags", ()) for spelling in group}
    valued = {spelling: group[0] for group in table.get("values", ()) for spelling in group}
    arguments: list[str] = []
    seen: list[str] = []
    options: dict[str, list[str]] = {}
    last = ""
    words = list(words)
    single = table.get("style") == "find"
    ends = 1 if table.get("first_argument_ends") else int(table.get("arguments_end", 0))
    if table.get("bare") and words and re.fullmatch(r"[A-Za-z]+", words[0]):
        words[0] = f"-{words[0]}"
    while words:
        word = words.pop(0)
        if word == "--" and not single:
            arguments += words
            break
        if not word.startswith("-") or word == "-" or 0 < ends <= len(arguments):
            arguments.append(word)
            continue
        name, equals, value = word.partition("=")
        if table.get("number") and re.fullmatch(r"-\d+", word):
            options.setdefault(table["number"], []).append(word[1:])
        elif word in flags and not equals:
            seen.append(flags[word])
            last = flags[word]
        elif equals and name in valued and name.startswith("--"):
            options.setdefault(valued[name], []).append(value)
            last = valued[name]
        elif word in valued:
            options.setdefault(valued[word], []).append(_value(program, word, words))
            last = valued[word]
        elif single or word.startswith("--"):
            raise Unreadable(f"{program} has no option {ascii(_shown(word))[:60]} here")
        else:
            last = _cluster(program, word[1:], words, flags, valued, seen, options)
    low, high = table.get("arguments", (0, 99))
    if not low <= len(arguments) <= high:
        raise Unreadable(f"{program} takes {low} to {high} arguments here, not {len(arguments)}")
    _one_spelling(table, seen, options)
    redirections = _read_as_argument(table, arguments, seen, redirections)
    for name in table.get("unordered", ()):
        options.get(name, []).sort()
    kept = tuple(sorted((name, tuple(values)) for name, values in options.items()))
    only_last = last if last in table.get("last", ()) else ""
    return Command(program, tuple(sorted(set(seen))), kept, tuple(arguments), redirections, only_last)


def _one_spelling(table: Mapping[str, Any], seen: list[str], options: dict[str, list[str]]) -> None:
    """Options that say the same, made one: `equal` ("-U 3" is "-u") and `midnight` ("2026-09-29 00:00" is its date)."""
    for spelling, flag in table.get("equal", {}).items():
        name, _, value = spelling.partition("=")
        if options.get(name) == [value]:
            del options[name]
            seen.append(flag)
    for name in table.get("midnight", ()):
        if name in options:
            options[name] = [re.sub(r"(?<=\d{4}-\d\d-\d\d)[ T]00:00(?::00)?\Z", "", value) for value in options[name]]


def _read_as_argument(
    table: Mapping[str, Any],
    arguments: list[str],
    seen: Sequence[str],
    redirections: tuple[tuple[str, str, str], ...],
) -> tuple[tuple[str, str, str], ...]:
    """For programs that read one file or standard input alike, "grep -c x < f" becomes "grep -c x f"."""
    inputs = [one for one in redirections if one[:2] == ("0", "<")]
    if (
        table.get("reads_after") != len(arguments)
        or len(inputs) != 1
        or {"-r", "-R"} & set(seen)
        or inputs[0][2].startswith("-")
    ):
        return redirections
    arguments.append(inputs[0][2])
    return tuple(one for one in redirections if one is not inputs[0])


def _value(program: str, name: str, words: list[str]) -> str:
    if name == "-exec":
        ends = [i for i, word in enumerate(words) if word in (";", "+")]
        if not ends:
            raise Unreadable("-exec without its end")
        taken = words[: ends[0] + 1]
        del words[: ends[0] + 1]
        return "\t".join(taken)
    if not words:
        raise Unreadable(f"{program} {name} without a value")
    return words.pop(0)


def _cluster(
    program: str,
    letters: str,
    words: list[str],
    flags: Mapping[str, str],
    valued: Mapping[str, str],
    seen: list[str],
    options: dict[str, list[str]],
) -> str:
    """Reads -xzf FILE: flags one after the other, until one takes the rest, or the next word, as its value."""
    last = ""
    for i, letter in enumerate(letters):
        option = f"-{letter}"
        if option in flags:
            last = flags[option]
            seen.append(last)
        elif option in valued:
            last = valued[option]
            rest = letters[i + 1 :]
            options.setdefault(last, []).append(rest or _value(program, option, words))
            break
        else:
            raise Unreadable(f"{program} has no option -{ascii(_shown(letter))[1:-1]} here")
    return last


def _plain(
    commands: Sequence[Command], free: Mapping[str, Sequence[str]], same: Mapping[str, str]
) -> tuple[Command, ...]:
    """Commands without the flags that do not matter and with equal words made one."""

    def word(text: str) -> str:
        if text.startswith("./") and not text.startswith("./-") and len(text) > 2:
            text = text[2:]
        return same.get(text, text)

    found = []
    for one in commands:
        flags = tuple(flag for flag in one.flags if flag not in free.get(one.program, ()))
        options = tuple((name, tuple(map(word, values))) for name, values in one.options)
        redirections = tuple((fd, operator, word(goal)) for fd, operator, goal in one.redirections)
        found.append(Command(one.program, flags, options, tuple(map(word, one.arguments)), redirections, one.last))
    return tuple(found)


def _shell_difference(gold: Sequence[Command], said: Sequence[Command]) -> str:
    """Where a command first differs from the target."""
    if len(gold) != len(said):
        return f"{len(said)} programs in the pipeline, not {len(gold)}"
    for one, other in zip(gold, said, strict=True):
        for part in ("program", "flags", "options", "arguments", "redirections", "last"):
            if getattr(one, part) != getattr(other, part):
                return f"{one.program}: {part} {ascii(getattr(other, part))[:90]}, not {ascii(getattr(one, part))[:90]}"
    return "another command"
