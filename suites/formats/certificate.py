"""What proves the scorer: right answers written in other ways, and wrong answers with one realistic defect each."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any, Protocol

MOST = 10
PROGRAMS: dict[str, Any] = json.loads((Path(__file__).parent / "programs.json").read_text("utf-8"))
OPERATORS = ("|", ">", ">>", "<", "2>")


class Asked(Protocol):
    """A sample, as far as it is needed here."""

    @property
    def id(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...


def answers(sample: Asked) -> Mapping[str, Sequence[str]]:
    """{"paraphrase": right answers in another form, "corrupted": wrong ones, each with exactly one defect}."""
    kind = str(sample.metadata["kind"])
    right, syntax, values = MAKERS[kind]
    paraphrase = _distinct(right(sample), sample.target)[:3]
    known = {" ".join(raw_words(one)) for one in sample.metadata.get("accept", ())}
    wrong = [one for one in _distinct(values(sample), sample.target) if one not in known][:6]
    broken = _distinct(syntax(sample), sample.target)
    start = sum(map(ord, sample.id)) % max(1, len(broken))
    wrong += (broken[start:] + broken[:start])[: MOST - len(wrong)]
    return {"paraphrase": paraphrase, "corrupted": wrong}


def _distinct(texts: Iterator[str], target: str) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text != target))


# --- what goes wrong around any answer ---


def _around(target: str, tag: str) -> Iterator[str]:
    yield f"```{tag}\n{target}\n```"
    yield f"Here is what you asked for:\n{target}"
    yield f"{target}\n\nLet me know if anything is missing."


# --- JSON ---


def json_right(sample: Asked) -> Iterator[str]:
    value, form = json.loads(sample.target), json.loads(sample.metadata["schema"])
    yield json.dumps(_turned(value, form), indent=2, ensure_ascii=True)
    yield json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"
    yield "\n" + _respelled(_turned(value, form))


def _turned(value: Any, form: Mapping[str, Any]) -> Any:
    """Keys the other way round, and sets too."""
    if isinstance(value, dict):
        parts = form.get("properties", {})
        return {key: _turned(value[key], parts.get(key, {})) for key in reversed(value)}
    if isinstance(value, list):
        turned = [_turned(one, form.get("items", {})) for one in value]
        return turned[::-1] if form.get("uniqueItems") else turned
    return value


def _respelled(value: Any) -> str:
    """JSON with every decimal number in two or more places (4.8 as 4.80)."""
    found: list[str] = []

    def mark(one: Any) -> Any:
        if isinstance(one, float):
            found.append(f"{one!r}0")
            return f"@{len(found) - 1}@"
        if isinstance(one, dict):
            return {key: mark(part) for key, part in one.items()}
        return [mark(part) for part in one] if isinstance(one, list) else one

    text = json.dumps(mark(value), ensure_ascii=False)
    return re.sub(r'"@(\d+)@"', lambda match: found[int(match.group(1))], text)


def json_syntax(sample: Asked) -> Iterator[str]:
    target = sample.target
    value = json.loads(target)
    key = next(iter(value))
    first = json.dumps(value[key], ensure_ascii=False)
    yield target[:-1] + f', "{key}": {first}}}'
    yield target[:-1] + ",}"
    yield target.replace('"', "'")
    yield target.replace("{", "{ /* from the text */ ", 1)
    yield target.replace("{", "{ // from the text\n", 1)
    yield f"{target}\n{target}"
    yield f"[{target}]"
    yield target[: -max(2, len(target) // 5)]
    yield re.sub(r'"(\w+)":', r"\1:", target, count=1)
    yield target.replace("true", "True").replace("false", "False").replace("null", "None")
    yield "\ufeff" + target
    yield json.dumps(target, ensure_ascii=False)
    yield target + ";"
    yield from _around(target, "json")


def json_values(sample: Asked) -> Iterator[str]:
    value = json.loads(sample.target)
    leaves = list(_leaves(value, ()))
    shift = sum(map(ord, sample.id))
    done: set[str] = set()
    for path, leaf in leaves[shift % len(leaves) :] + leaves[: shift % len(leaves)]:
        for name, wrong in _wrong_leaves(leaf):
            if name not in done:
                done.add(name)
                yield json.dumps(_with(value, path, wrong), ensure_ascii=False)
    yield json.dumps({**value, "comment": "none"}, ensure_ascii=False)
    last = list(value)[-1]
    yield json.dumps({key: part for key, part in value.items() if key != last}, ensure_ascii=False)
    for key, part in value.items():
        if isinstance(part, list) and part:
            yield json.dumps({**value, key: part[:-1]}, ensure_ascii=False)
            yield json.dumps({**value, key: [*part, part[0]]}, ensure_ascii=False)


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, (dict, list)):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(one, (*path, key))
    else:
        yield path, value


def _with(value: Any, path: tuple[Any, ...], leaf: Any) -> Any:
    if not path:
        return leaf
    if isinstance(value, dict):
        return {key: _with(one, path[1:], leaf) if key == path[0] else one for key, one in value.items()}
    return [_with(one, path[1:], leaf) if i == path[0] else one for i, one in enumerate(value)]


def _wrong_leaves(leaf: Any) -> Iterator[tuple[str, Any]]:
    """(name of the defect, wrong value) for one value of an answer."""
    if isinstance(leaf, bool):
        yield from (("flipped", not leaf), ("text for true", "yes" if leaf else "no"))
    elif leaf is None:
        yield from (("text for null", "null"), ("empty for null", ""))
    elif isinstance(leaf, (int, float)):
        yield from (("off by one", leaf + 1), ("text for number", str(leaf)), ("not a number", float("nan")))
    elif re.fullmatch(r"\d{4}-\d\d-\d\d", leaf):
        other = leaf[:-1] + str((int(leaf[-1]) + 1) % 10 if leaf[-2:] not in ("09", "29", "31") else 0)
        yield from (("another day", other), ("date in words", ".".join(reversed(leaf.split("-")))))
    else:
        yield from (("lower or upper case", leaf.swapcase()), ("cut short", leaf[:-1]), ("null for text", None))


# --- XML ---


def xml_right(sample: Asked) -> Iterator[str]:
    target = sample.target
    yield '<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(line.strip() for line in target.split("\n"))
    turned = re.sub(r"<([\w:]+)((?: [\w:]+=\"[^\"]*\")+)", _attributes_turned, target)
    yield re.sub(r"<([\w:]+)([^<>]*)/>", r"<\1\2></\1>", turned)
    marked = re.sub(r">([^<>]*&[^<>]*)<", lambda match: f"><![CDATA[{unescape(match.group(1))}]]><", target)
    if marked == target:
        marked = re.sub(r">([A-Za-z])", lambda match: f">&#{ord(match.group(1))};", target, count=1)
    yield marked.replace("\n", "\n\t")


def _attributes_turned(match: re.Match[str]) -> str:
    found = re.findall(r"([\w:]+)=\"([^\"]*)\"", match.group(2))
    return f"<{match.group(1)}" + "".join(
        f" {name}='{text.replace(chr(39), '&#39;')}'" for name, text in reversed(found)
    )


def xml_syntax(sample: Asked) -> Iterator[str]:
    target = sample.target
    root = re.match(r"<([\w:]+)", target)
    name = root.group(1) if root else "x"
    bomb = '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">'
    yield f"<!DOCTYPE {name} [{bomb}]>\n{target}"
    yield f'<!DOCTYPE {name} SYSTEM "http://dtd.example/{name}.dtd">\n{target}'
    yield f"{target}\n{target}"
    yield '<?xml version="1.0" encoding="UTF-16"?>\n' + target
    yield '<?xml version="1.0" encoding="ISO-8859-1"?>\n' + target
    yield target[: -len(name) - 3]
    yield target.replace(f"<{name}", f"<{name.capitalize()}", 1) if name != name.capitalize() else target + "x"
    yield re.sub(r">", "><!-- from the text -->", target, count=1)
    yield target.replace("&amp;", "&") if "&amp;" in target else target.replace("</", " & </", 1)
    yield re.sub(r"=\"([^\"<>]*)\"", r"=\1", target, count=1)
    yield "Document:\n" + target
    yield from _around(target, "xml")


def xml_values(sample: Asked) -> Iterator[str]:
    target = sample.target
    digits = list(re.finditer(r"(?<=[\">0-9])[0-9](?=[0-9.]*[\"<])", target))
    if digits:
        chosen = digits[sum(map(ord, sample.id)) % len(digits)]
        yield target[: chosen.start()] + str((int(chosen.group()) + 1) % 10) + target[chosen.end() :]
    for flag, other in (("true", "false"), ("false", "true")):
        yield re.sub(rf"([\">]){flag}([\"<])", rf"\g<1>{other}\2", target, count=1)
    yield re.sub(r"([\">])(?:true|false)([\"<])", r"\1yes\2", target, count=1)
    yield re.sub(r"(\d{4})-(\d\d)-(\d\d)", r"\3.\2.\1", target, count=1)
    lines = target.split("\n")
    leaf = [i for i, line in enumerate(lines) if re.fullmatch(r"\s+<(\w+)[^>]*>[^<]*</\1>", line)]
    if leaf:
        chosen_line = leaf[sum(map(ord, sample.id)) % len(leaf)]
        yield "\n".join(lines[:chosen_line] + lines[chosen_line + 1 :])
        yield "\n".join([*lines[: chosen_line + 1], "  <extra>1</extra>", *lines[chosen_line + 1 :]])
    text = re.search(r">([A-Za-z][^<>]{2,})<", target)
    if text:
        yield target.replace(text.group(1), text.group(1).swapcase(), 1)


# --- shell ---


def raw_words(command: str) -> list[str]:
    """The words of a command as they are written, quotes included."""
    return re.findall(r"(?:\"[^\"]*\"|'[^']*'|\\.|[^\s'\"\\])+", command)


def stages(command: str) -> list[list[str]]:
    """The words of a command, pipe by pipe."""
    found: list[list[str]] = [[]]
    for word in raw_words(command):
        if word == "|":
            found.append([])
        else:
            found[-1].append(word)
    return found


def shell_right(sample: Asked) -> Iterator[str]:
    target = sample.target
    doubled = [re.sub(r"^(-[\w-]+=)?'([^'\"$`\\!]*)'$", r'\1"\2"', word) for word in raw_words(target)]
    yield "  ".join(doubled) + " "
    yield " | ".join(" ".join(_other_spelling(stage)) for stage in stages(target))
    yield from list(sample.metadata.get("accept", ()))[:1]
    yield re.sub(r" (2?>>?|<) (?=\S+$)", r" \1", target)


def _other_spelling(words: list[str]) -> list[str]:
    """Options in their other spelling and, where order is free, the other way round."""
    table = PROGRAMS[words[0]]
    flags = {one: group for group in table.get("flags", ()) for one in group}
    valued = {one: group for group in table.get("values", ()) for one in group}
    if "--" in words or table.get("first_argument_ends"):
        return words
    find = table.get("style") == "find"
    groups: list[list[str]] = []
    rest: list[str] = []
    words = list(words)
    while len(words) > 1:
        word = words.pop(1)
        if word in flags and len(flags[word]) > 1:
            groups.append([flags[word][(flags[word].index(word) + 1) % len(flags[word])]])
        elif word in flags:
            groups.append([word])
        elif word in valued:
            other = valued[word][(valued[word].index(word) + 1) % len(valued[word])]
            value = words.pop(1)
            groups.append([f"{other}={value}"] if other.startswith("--") and other != word else [other, value])
        elif re.fullmatch(r"-[A-Za-z]{2,}", word) and all(f"-{letter}" in flags for letter in word[1:]):
            groups += [[f"-{letter}"] for letter in reversed(word[1:])]
        elif re.fullmatch(r"-[A-Za-z]{2,}", word) and f"-{word[-1]}" in valued:
            groups.append([word, words.pop(1)])
        elif word.startswith("-"):
            groups.append([word])
        else:
            rest.append(word)
    options = [word for group in (groups if find else reversed(groups)) for word in group]
    first = 1 if find else 0 if table.get("bare") else len(words[0]) % 2
    return [words[0], *_before_operator(rest, options, first)]


def _before_operator(rest: list[str], options: list[str], first: int) -> list[str]:
    """Options after the first arguments, as GNU programs allow."""
    plain = next((i for i, word in enumerate(rest) if word in OPERATORS), len(rest))
    cut = min(first, plain)
    return rest[:cut] + options + rest[cut:]


def shell_syntax(sample: Asked) -> Iterator[str]:
    target = sample.target
    yield f"{target}; echo done"
    yield f"{target} && echo done"
    yield f"{target} || true"
    yield f"{target} $(pwd)"
    yield f"{target} `date`"
    yield f"{target} &"
    yield f"sudo {target}"
    yield f"$ {target}"
    yield f"{target} # as asked"
    yield f"cd /tmp\n{target}"
    yield f"{target} '"
    yield f"bash -c {shlex.quote(target)}"
    yield f"({target})"
    yield f"`{target}`"
    yield from _around(target, "bash")


def shell_values(sample: Asked) -> Iterator[str]:
    target = sample.target
    words = raw_words(target)
    unquoted = [word for word in words if re.search(r"'.*[ $&;()<>|*\"].*'", word)]
    if unquoted:
        yield target.replace(unquoted[0], shlex.split(unquoted[0])[0], 1)
    free = {flag for flags in sample.metadata.get("free", {}).values() for flag in flags}
    options = [i for i, word in enumerate(words) if re.match(r"-\w|--\w", word) and word not in free and i]
    if options:
        chosen = options[sum(map(ord, sample.id)) % len(options)]
        yield " ".join(words[:chosen] + words[chosen + 1 :])
    if ">>" in words:
        yield target.replace(">>", ">", 1)
    elif ">" in words:
        yield target.replace(" > ", " >> ", 1)
    number = re.search(r"(?<=[ +,k=])[1-9]\d*(?= |$|[kMG] |$)", target)
    if number:
        yield target[: number.start()] + str(int(number.group()) + 1) + target[number.end() :]
    yield " ".join(words[:-1])
    yield f"{target} extra.txt"
    if "|" in words:
        yield " ".join(words[: words.index("|")])
    if len(words) > 2 and words[-1] != words[-2] and words[-2] not in OPERATORS and not words[-2].startswith("-"):
        yield " ".join([*words[:-2], words[-1], words[-2]])


Maker = Callable[[Asked], Iterator[str]]
MAKERS: dict[str, tuple[Maker, Maker, Maker]] = {
    "json": (json_right, json_syntax, json_values),
    "xml": (xml_right, xml_syntax, xml_values),
    "shell": (shell_right, shell_syntax, shell_values),
}
