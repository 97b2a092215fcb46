"""A check for live traffic, which has no gold answers: the instructions themselves say what can be seen in a reply.

When in doubt, no verdict: an instruction is read only where its words stand as somebody gives an order, about the whole
reply, and only a reply that breaks it in every reading counts as a failure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from harness.data import Completion, Sample, Score
from harness.scorers import from_file, gold_free

Check = dict[str, Any]

LONGEST = 300
"""Characters of a sentence; a longer one is no instruction, and costs no time."""
LONGEST_REPLY = 50_000
"""Characters of a reply; a longer one gets no verdict."""
MOST_CHECKS = 20
"""A request in which more orders are read is something else."""
_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen")
_ONES += ("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER = (
    rf"(?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,6}}|(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_ONES[:9])}))?|{'|'.join(_ONES)})"
)
_LEFT = r"(?<![\w,.-])(?<!\d )(?<!ty )(?<!hundred )(?<!thousand )(?<!hundred and )(?<!thousand and )"
_N = rf"{_LEFT}(?P<n>{_NUMBER})"
_ALONE = rf"(?<!to )(?<!or )(?<!and )(?<!least )(?<!most )(?<!than )(?<!about )(?<!around )(?<!up to ){_N}"
_LIMIT = r"(?:at most|no more than|not more than|up to|within|not go over|not exceed|a maximum of|max(?:imum)?)"
_BELOW = r"(?:under|fewer than|less than)"
_FREE = r"(?! *(?:or|to|max|at most|at least|tops|minimum|shorter|longer|more|less)\b)"
_ENDS = (
    r"(?= *(?:[.,:;!)]|\Z|or (?:fewer|less)\b|in (?:all|total)\b|altogether|exactly|long\b|"
    r"at (?:the (?:very )?)?most\b|max|please|is (?:the limit|fine)|only\b|no more\b|"
    r"and (?:no|use|do|don't|end|start|avoid|include|in)\b))"
)
_WORDS = rf" words?{_ENDS}"
_ALL = r"\b(?! (?:if|for|when|in|on|at)\b)"
_DONE = r"(?= *(?:[.,;!)]|\Z|please|throughout|names\b|only *(?:[.,;!)]|\Z|please)))"
_CHARACTERS = r" characters(?! (?:who|that|from|of|with)\b)"
_SENTENCES = r" (?:short |brief |simple |full |complete )?sentences?\b"
_REPLY = r"(?:(?:your|the) (?:whole |entire )?(?:answer|reply|response)|it|everything|it all)"
_THE_WORD = r"(?:the (?:exact )?(?:words?|phrase) )?"
_RUN = r'""(?:,? (?:and )?"")*(?!,? (?:and |or )?""| or\b| as\b| in the (?:past|present|future|plural)\b)'
_TAKES: tuple[tuple[str, str, str], ...] = (
    ("line_words", rf"\bno line may be longer than {_N} words\b", "most"),
    ("line_words", rf"{_LIMIT} {_N} words (?:per|a|on each|in each|on every) line\b", "most"),
    ("line_words", rf"\b(?:every|each) line to {_N} words or (?:fewer|less)\b", "most"),
    ("line_words", rf"\bline must not run to more than {_N} words\b", "most"),
    ("words_between", rf"{_LEFT}(?P<a>{_NUMBER}) (?:to|and|and no more than|-) {_N}{_WORDS}", "between"),
    ("words_exact", rf"\b(?:exactly|precisely|must count) {_N}{_WORDS}{_FREE}", "count"),
    ("words_exact", rf"{_ALONE} words (?:exactly|long, to the word)", "count"),
    ("words_most", rf"\b{_LIMIT} {_N}{_WORDS}", "most"),
    ("words_most", rf"\b{_BELOW} {_N}{_WORDS}", "below"),
    ("words_most", rf"{_N} words (?:or (?:fewer|less)|at (?:the (?:very )?)?most|max(?:imum)?\b|is the limit)", "most"),
    (
        "longest_word",
        rf"\bno words? (?:of more than|may have over|may have more than|longer than|over) {_N} letters",
        "most",
    ),
    ("longest_word", rf"\bwords: {_N} letters at most", "most"),
    ("longest_word", rf"\bwords longer than {_N} letters are (?:off limits|not allowed|forbidden)", "most"),
    ("sentences", rf"\b(?:exactly|in|with|consist of|make it) {_ALONE}{_SENTENCES}{_FREE}", "count"),
    ("sentences", rf"\bfill your answer to {_N}{_SENTENCES}{_FREE}", "count"),
    ("characters_most", rf"(?:\b{_LIMIT}|\bshows|\bfit into) {_N}{_CHARACTERS}", "most"),
    ("characters_most", rf"{_N} characters (?:at most|or fewer|or less|max(?:imum)?\b)", "most"),
    ("characters_most", rf"\b{_BELOW} {_N}{_CHARACTERS}", "below"),
    ("bullets", rf"\b(?:in|into|as|exactly|with|give(?: me)?|use|write) {_ALONE} bullet points?\b{_FREE}", "count"),
    ("bullets", rf"\b(?:in|into|as) {_ALONE} bullets\b{_FREE}", "count"),
    ("bullets", rf"\bbulleted list (?:of|with) (?:exactly )?{_N}\b{_FREE}", "count"),
    ("numbered", rf"\b(?:number (?:the|your|all) \w+|front of each,) (?:from )?1\.? to {_N}\b", "count"),
    ("numbered", rf"\bnumbered list (?:with|of)(?: exactly)? {_N}\b{_FREE}", "count"),
)
"""(kind, what asks for it, the argument that the number is)"""
_SAYS: tuple[tuple[str, str], ...] = (
    ("title", r"\b(?:begin|start) (?:every|each)(?: single)? word with a capital\b"),
    ("title", rf"\b(?:capitali[sz]e (?:each|every) word|every single word must start with a capital){_DONE}"),
    ("title", r"\bgive each word a capital first letter"),
    (
        "lower",
        rf"\b(?:write|answer|reply|put|keep)(?: {_REPLY})? in (?:all )?(?:lower case|lowercase|small letters){_DONE}",
    ),
    (
        "lower",
        rf"\ball lower ?case,? please|\buse (?:small letters|lower ?case) (?:only|throughout){_ALL}",
    ),
    ("lower", r"\b(?:no capital letters (?:anywhere|at all)|not a single capital letter)\b"),
    (
        "upper",
        rf"\b(?:write|answer|reply|put)(?: {_REPLY})? in (?:all )?(?:upper ?case|capital letters|capitals){_DONE}",
    ),
    ("upper", rf"\buse (?:upper ?case|capital letters) (?:only|throughout){_ALL}|\ball caps,? please"),
    ("upper", r"\bevery letter must be a capital\b|\bset the whole reply in upper case\b"),
    ("no_commas", r"\b(?:do not|don't|never) use (?:any )?commas?\b|\b(?:avoid|leave out|use no) (?:all )?commas?\b"),
    ("no_commas", r"\bwithout (?:any |using )*commas?\b|\bcommas are (?:forbidden|not allowed)|\bno commas?,? please"),
    ("no_commas", r"\bthere must be no commas?\b"),
    (
        "no_digits",
        r"\b(?:do not|don't|never) use (?:any )?digits\b|\buse no digits\b|\bdigits are (?:forbidden|not allowed)",
    ),
    ("no_digits", r"\bwithout (?:a single digit|(?:any |using )*digits)\b|\bnumber; no digits\b|\bno digits,? please"),
    ("question_end", rf"\b(?:end|finish|close)(?: {_REPLY})? (?:with|on) a (?:short )?question\b"),
    ("question_end", r"\blast character must be a question mark|\blet a question mark be the last\b"),
    ("no_final_stop", r"\b(?:leave off|put no) (?:the )?full stop (?:at the end|after the last word)"),
    ("no_final_stop", rf"\bnot (?:end|close)(?: {_REPLY})? with a (?:full stop|period)\b"),
    ("no_repeats", r"\b(?:use no word twice|no word may occur more than once|do not repeat any word\b(?=[.,!]|$))"),
    ("no_repeats", r"\bevery word may appear one single time\b"),
)
_NAMES: tuple[tuple[str, str, str], ...] = (
    ("sign_off", r'\b(?:last line (?:should|must) (?:read|be|say)|(?:add a )?final line:|last line with) ""', "text"),
    ("sign_off", r'\bline of its own that says ""', "text"),
    ("heading", r'\b(?:with|put|add|be) (?:the|a) (?:heading|title)(?: line that reads)? ""', "text"),
    ("heading", r'\bwith a title line that reads ""', "text"),
    (
        "no_letter",
        r'\b(?:not use|get by without|without using|avoid) the letter ""(?= *(?:[.,;!]|\Z|anywhere|at all))',
        "letter",
    ),
    ("no_letter", r'\bletter "" must not occur|\bmy "" key is broken', "letter"),
    ("once", rf'\buse {_THE_WORD}"" (?:exactly|only|just) once\b', "word"),
    (
        "once",
        r'"" (?:must occur one time only|come up once, not twice|should stand in your reply a single time)',
        "word",
    ),
    ("start", rf'\b(?:start|begin|open)(?: {_REPLY})? with {_THE_WORD}""(?! and\b)', "word"),
    ("start", r'\bfirst word must be ""|\blet "" be the very first word', "word"),
    ("end", rf'\b(?:end|finish|close)(?: {_REPLY})? (?:with|on) {_THE_WORD}""', "word"),
    ("end", r'\blast word must be ""|\bfinish on the word ""|\bmake "" the final word|\bclosing word ""', "word"),
    (
        "avoid",
        rf"\b(?:not|never|don't|without|avoid) (?:use|say|write|mention|using|saying) {_THE_WORD}{_RUN}",
        "words",
    ),
    (
        "avoid",
        rf"\b(?:avoid (?:both|the words?|the phrase)|leave out the words?|find a way around the word) {_RUN}",
        "words",
    ),
    ("avoid", rf'\bword "" is (?:not allowed|forbidden|taboo)|\bwords are taboo: {_RUN}', "words"),
    ("avoid", rf"\bneither of these words may appear: {_RUN}", "words"),
    (
        "include",
        rf"\b(?:use|include|work in|using|containing|with) (?:both )?the (?:exact )?(?:words?|phrase) {_RUN}",
        "words",
    ),
    ("include", rf"\b(?:include both|words must appear:|i want to see|in any order:) {_RUN}", "words"),
    ("include", r'\bword "" has to appear', "words"),
)
"""(kind, what asks for it where each quotation stands as "", the argument that the quotation is)"""
_ORDER = re.compile(
    r"(?:[a-z ]{1,30}: |(?:also|and|but|so|now),? )?(?:please,? )?"
    r"(?:(?:add|after the answer|aim|answer|avoid|begin|capitali[sz]e|close|compose|create|describe|discuss|do|"
    r"don't|draft|end|explain|find|finish|fit|get by|give|include|keep|leave|let|limit|list|make|name|never|number|"
    r"open|provide|put|reply|say|set|show|sign|sort|spell|stay|start|state|summari[sz]e|tell|translate|use|work|write|"
    r"i (?:need|want|would like)|i'd like|my display|no|not a single|all|exactly|precisely|at most|not more|under|"
    r"within|max|maximum|up to|in|anything from|somewhere in|every|each|neither|both words|commas|digits|words longer|"
    r"two words|a line|a number|one item|there must|nothing but|"
    r"the (?:whole thing|answer|reply|response|last|first|word|letter)|"
    rf"your|it (?:has to|must|should)|capital|{_NUMBER} (?:words|characters|sentences|bullets?))\b"
    r'|(?:my )?"")'
)
"""How a sentence begins that gives an order."""
_TALE = re.compile(
    r"\b(?:if|unless|whether|when|whenever|why|how (?:to|many|much|long)|who|whose|which|that|because|difference|"
    r"meaning|said|says|told|asked|was|were|had|wrote|allows?|allowed|called)\b"
)
"""Before an instruction: somebody else's, or what the question is about."""
_DENIED = re.compile(r"(?:\b(?:not|never|avoid|without|no(?! fewer| less)|neither|stop)\b|n't)(?: [\w']+){0,3} *\Z")
_OWNED = re.compile(
    r"\b(?:(?:my|our|his|her|their|he|she|they|this|these)(?: \w+)? (?:must|should|has|have|may|is|are|can|do|does)|"
    r"(?:it|the (?:password|title|text|form|site|limit)) (?:has (?!to)|is|must|should))\b"
)
"""A thing of somebody's, which is not the reply."""
_LOOSE = re.compile(
    r"\b(?:you (?:can|may)|need not|no need|(?:not|n't) (?:have|need) to|feel free|try|ideally|possible|preferably|"
    r"roughly|approximately|from now on|always|in future|next time|or so|start at|starting|instead of|"
    r"for example,|such as|unless|except|rather than)\b"
)
_PART = re.compile(
    r"\b(?:titles?|headings?|headlines?|subject|captions?|paragraphs?|sections?|bullets?|points?|items?|each|every|per|"
    r"apiece|first|second|third|lines?|stanzas?|verses?|names?|slogans?|abstract|introduction|conclusion|then|"
    r"afterwards|followed|finally|column|table|cell|(?:also|and) (?:add|give|write|summari[sz]e))\b"
)
"""What a length is about other than the whole reply."""
_SEVERAL = re.compile(
    r"\b(?:suggest|give|list|write|find|invent|create|make|draft|tell|name|need|want)(?: [\w'-]+){0,6} (?:names|titles|"
    r"slogans|taglines|headlines|options|ideas|suggestions|captions|tweets|variants|versions|examples|poems|"
    r"haikus|jokes|riddles|abstract)\b|"
    r"\b(?:then|and|also) (?:write|give|add|summari[sz]e|list|explain|tell|translate)\b"
)
"""Several things are asked for, of which a length may be that of each."""
_LISTED = re.compile(r"\b(?:list|name|find|pick|choose|teach|learn|remember|translate|suggest|show|give)(?: me)? *\Z")
_FOR_EACH = re.compile(
    r"\b(?:for|to|under|give|in) (?:each|every|both)\b|\bper (?!line)|\b(?:bullet|numbered list).*\b(?:bullet|numbered)"
)
_OTHER = re.compile(rf"\b(?:\d+|several|few|{'|'.join((*_ONES[1:], *_TENS))})\b")
_CODE = re.compile(
    r"```|\b(?:python|javascript|regex|regular expression|sql|html|css|json|yaml|crossword|acrostic|role-?play)\b|"
    r"\b(?:write|create|make|generate|suggest|give|invent)\b[^.?!\n]{0,30}\b(?:code|function|script|program|password|"
    r"username|formula|query|quiz)\b",
    re.IGNORECASE,
)
_CAST = re.compile(r"\b(?:story|stories|play|novel|plot|scene|drama|film|movie|game|sketch|comic)\b", re.IGNORECASE)
_MATERIAL = re.compile(
    r"\b(?:(?:translate|proofread|rewrite|rephrase|paraphrase|summari[sz]e|shorten|correct|fix|edit|improve|classify)"
    r"(?= (?:this|these|the|my|our|it|that|into|to|in|from|and)\b|:)|(?:reply|respond) to (?:this|the|my)\b|"
    r"here is\b|here's\b|the following\b)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\A(?:[-*•]|\d+[.)])\s+")
_SENTENCE = re.compile(r"(?<=[.!?])(?<! 1\.)\s+|\n+")
_QUOTED = re.compile(r'["“]([^"“”]{1,60})["”]')
_LENGTHS = ("words_exact", "words_most", "words_between", "sentences", "characters_most")
_LISTS = ("bullets", "numbered")
_MARKS = " .!?…,;:\"'“”‘’)]*_`"
_SHORT = re.compile(
    r"\b(?:[A-Za-z]\.){2,}|\b(?:etc|vs|inc|ltd|co|jr|sr|prof|rev|gen|capt|mt|fig)\.(?= )", re.IGNORECASE
)


@gold_free()
def obeyed(*, suite_path: str) -> Callable[[Sample, Completion], Score | None]:
    """1 if every instruction that is recognised in the request holds in the reply; None where none is.

    What is not covered: whether the answer is right, and instructions in words that stand in no pattern here.
    """
    where = f"{suite_path}/suite.yaml: monitor"
    strict: dict[str, Callable[[str, Check], str]] = from_file("scorer.py:KINDS", suite_path, where)
    spoken = from_file("scorer.py:spoken", suite_path, where)
    kinds = {**strict, **_HELD}

    def score(sample: Sample, completion: Completion) -> Score | None:
        checks = instructions(str(sample.input))
        if not checks or len(completion.text) > LONGEST_REPLY:
            return None
        text = spoken(completion.text)
        read = list(_readings(text))
        broken = [_broken(kinds[check["kind"]], read, check) for check in checks] if read else ["empty"]
        return Score(float(not any(broken)), text[:200], "; ".join(filter(None, broken)))

    return score


def _broken(fault: Callable[[str, Check], str], read: Sequence[str], check: Check) -> str:
    """What the last reading breaks, if all of them break it; else ""."""
    said = ""
    for text in read:
        said = fault(text, check)
        if not said:
            break
    return said


def _readings(text: str) -> Iterator[str]:
    """The text as it is and without a first line that leads to it, each also without marks, hyphens, abbreviations."""
    first, _, rest = text.replace("’", "'").partition("\n")
    for part in (f"{first}\n{rest}".strip(), rest.strip() if first.rstrip("*_ ").endswith(":") else ""):
        bare = re.sub(r"\*\*|__|`|(?m:^#+ )", "", part).strip('"“”*_ \n')
        for one in dict.fromkeys((part, bare, re.sub(r"(?<=\w)-(?=\w)", " ", bare), _SHORT.sub("abbr", bare))):
            if any(map(str.isalnum, one)):
                yield one


def instructions(asked: str) -> list[Check]:
    """The instructions of a request as the checks of scorer.py.

    >>> instructions('Who is it? Use at most six words. Do not use the word "old".')
    [{'kind': 'words_most', 'most': 6}, {'kind': 'avoid', 'words': ['old']}]
    >>> instructions("Which word has more than 9 letters?")
    []
    """
    asked = _own(asked[:20_000].replace("’", "'"))
    if _CODE.search(asked):
        return []
    found = []
    for sentence in _SENTENCE.split(asked):
        plain = _LABEL.sub("", _QUOTED.sub('""', sentence).casefold().strip())
        if len(sentence) > LONGEST or not _is_order(plain):
            continue
        check = _numbered(plain) or _said(plain, _QUOTED.findall(sentence))
        found += [check] if check and not _doubted(check, asked) else []
    if len(found) > MOST_CHECKS:
        return []
    families = [_family(check) for check in found]
    return [check for check, family in zip(found, families, strict=True) if families.count(family) == 1 or not family]


def _own(asked: str) -> str:
    """What the request itself says, without the text that it is about: its line alone, up to a colon."""
    about = _MATERIAL.search(asked)
    if not about:
        return asked
    start, end = asked.rfind("\n", 0, about.start()) + 1, asked.find("\n", about.end())
    line = asked[start : end if end >= 0 else len(asked)]
    head, colon, _ = line[about.end() - start :].partition(":")
    return line[: about.end() - start] + head + colon


def _is_order(plain: str) -> bool:
    """Whether a sentence tells somebody to do something: no question, no tale, no quotation that is torn apart."""
    torn = any(mark in plain.replace('""', "") for mark in '"“”„«»')
    question = plain.rstrip(")*_ ").endswith("?")
    return not (torn or question or _LOOSE.search(plain) or _OWNED.search(plain)) and bool(
        _ORDER.match(plain) or "please" in plain
    )


def _in_doubt(plain: str, match: re.Match[str]) -> bool:
    """Whether what stands before an instruction makes it the topic: "Explain why poets write at most 9 words"."""
    before, at_end = plain[: match.start()], not plain[match.end() :].strip(_MARKS)
    return bool(
        _TALE.search(before) or _DENIED.search(before) or (re.search(r"\b(?:what|how|where)\b", before) and not at_end)
    )


def _doubted(check: Check, asked: str) -> bool:
    """Whether the whole request makes a length doubtful: several things are asked for, or characters of a story."""
    if check["kind"] in _LENGTHS and _SEVERAL.search(asked.casefold()):
        return True
    return check["kind"] == "characters_most" and check["most"] < 30 and bool(_CAST.search(asked))


def _family(check: Check) -> str:
    """Checks of a family exclude each other: two lengths in words, two first words; "" for the others."""
    kind = str(check["kind"])
    kinds = (*_LENGTHS, *_LISTS, "line_words", "start", "end", "heading", "sign_off", "longest_word")
    return kind.partition("_")[0] if kind in kinds else ""


def _numbered(plain: str) -> Check | None:
    """An instruction with a number in it."""
    for kind, pattern, argument in _TAKES:
        match = re.search(pattern, plain)
        if match:
            n = _value(match["n"])
            before, after = plain[: match.start()], plain[match.end() :]
            doubt = n < 1 or _in_doubt(plain, match) or re.search(r"\b(?:not|never)\b|n't\b", before)
            if kind in _LENGTHS:
                rest = f"{before} | {after}"
                doubt = doubt or _PART.search(rest) or _OTHER.search(rest) or _LISTED.search(before)
                doubt = doubt or (kind.startswith("words") and "sentences" in rest)
            elif kind in _LISTS:
                doubt = doubt or _FOR_EACH.search(plain) or _OTHER.search(re.sub(r"\(.*\)", "", f"{before} | {after}"))
            if doubt:
                return None
            if argument == "between":
                return {"kind": kind, "least": _value(match["a"]), "most": n}
            return {"kind": kind, "most": n - 1} if argument == "below" else {"kind": kind, argument: n}
    return None


def _value(number: str) -> int:
    """The number that stands in digits or in words.

    >>> _value("1,500"), _value("twenty-five"), _value("seven")
    (1500, 25, 7)
    """
    if number[0].isdigit():
        return int(number.replace(",", ""))
    parts = number.replace("-", " ").split()
    return sum(_ONES.index(part) + 1 if part in _ONES else 10 * (_TENS.index(part) + 2) for part in parts)


def _said(plain: str, quoted: list[str]) -> Check | None:
    """An instruction without a number, or about words in quotation marks."""
    for kind, pattern, argument in _NAMES if quoted else ():
        match = re.search(pattern, plain)
        if match and not _in_doubt(plain, match):
            first = plain[: match.start()].count('""')
            named = [one.casefold() if argument != "text" else one for one in quoted[first:]][: match[0].count('""')]
            if argument == "letter" and (len(named[0]) != 1 or re.search(r"\b(?:word|name|country|city)\b", plain)):
                return None
            return {"kind": kind, argument: named if argument == "words" else named[0]}
    for kind, pattern in _SAYS:
        match = re.search(pattern, plain)
        if match and not _in_doubt(plain, match):
            return {"kind": kind}
    return None


# --- checks that let more pass than those of scorer.py ----------------------------------------------------------------


def _count(text: str, wanted: str) -> int:
    """How often the words stand in the text, in any case, not within longer words."""
    said = " ".join(text.casefold().split())
    return len(re.findall(rf"(?<![\w']){re.escape(_same(wanted))}(?![\w'])", said))


def _same(wanted: str) -> str:
    return " ".join(wanted.casefold().split()).strip(_MARKS)


def _rows(text: str) -> list[str]:
    """The lines that are not blank, in lower case and without marks around them; a line of marks alone stays out."""
    rows = [" ".join(line.casefold().split()).strip(_MARKS + "#>-•“‘(") for line in text.split("\n")]
    return [row for row in rows if row]


def _include(text: str, check: Check) -> str:
    said = " ".join(_spelt(text))
    return next((f"'{word}' is missing" for word in check["words"] if " ".join(_spelt(word)) not in said), "")


def _avoid(text: str, check: Check) -> str:
    return next((f"'{word}' was to be avoided" for word in check["words"] if _same(word) and _count(text, word)), "")


def _once(text: str, check: Check) -> str:
    count, there = _count(text, check["word"]), not _include(text, {"words": [check["word"]]})
    wrong = bool(_same(check["word"])) and (count > 1 or not there)
    return f"'{check['word']}' comes {count} times, not once" if wrong else ""


def _start(text: str, check: Check) -> str:
    word = _spelt(check["word"])
    begun = any(_spelt(row)[: len(word)] == word for row in _rows(text)[:3])
    return "" if begun else f"it does not start with '{check['word']}'"


def _end(text: str, check: Check) -> str:
    word, rows = _spelt(check["word"]), _rows(text)[-3:]
    ended = any(_spelt(row)[-len(word) :] == word for row in (*rows, " ".join(rows[-2:]))) if word else True
    return "" if ended else f"it does not end with '{check['word']}'"


def _spelt(text: str) -> list[str]:
    """The words, in any case and without marks."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", unicodedata.normalize("NFKC", text).casefold())


def _heading(text: str, check: Check) -> str:
    return (
        "" if any(_same(check["text"]) in row for row in _rows(text)[:3]) else f"the heading is not '{check['text']}'"
    )


def _sign_off(text: str, check: Check) -> str:
    return (
        ""
        if any(_same(check["text"]) in row for row in _rows(text)[-3:])
        else f"the last line is not '{check['text']}'"
    )


def _question_end(text: str, check: Check) -> str:
    return "" if any("?" in line for line in text.split("\n")[-3:]) else "no question mark at the end"


def _no_commas(text: str, check: Check) -> str:
    return "a comma" if re.search(r"(?<!\d),|,(?!\d)", text) else ""


def _no_digits(text: str, check: Check) -> str:
    return "a digit" if re.search(r"\d", re.sub(r"(?m)^[ *]*\d+[.)] ", "", text)) else ""


def _no_letter(text: str, check: Check) -> str:
    return f"the letter {check['letter']}" if check["letter"].casefold() in text.casefold() else ""


def _bullets(text: str, check: Check) -> str:
    lines = [line for line in text.split("\n") if line.strip()]
    starts = [len(line) - len(line.lstrip()) for line in lines if re.match(r"\s*(?:[-–*•·▪◦+]|\d+[.)])\s+\S", line)]
    outer = starts.count(min(starts)) if starts else min(len(lines), check["count"])
    return "" if outer == check["count"] else f"{outer} bullets, not {check['count']}"


def _list_numbers(text: str, check: Check) -> str:
    labels = [
        match[1] for line in text.split("\n") if (match := re.match(r"[*_| ]{0,4}(\d{1,4})(?:[.)][*_ ]| *\|)", line))
    ]
    wanted = [str(i) for i in range(1, min(check["count"], 1_000) + 1)]
    return "" if labels == wanted else f"the lines are not numbered 1 to {check['count']}"


_HELD: dict[str, Callable[[str, Check], str]] = {
    "include": _include,
    "avoid": _avoid,
    "once": _once,
    "start": _start,
    "end": _end,
    "heading": _heading,
    "sign_off": _sign_off,
    "question_end": _question_end,
    "no_commas": _no_commas,
    "no_digits": _no_digits,
    "no_letter": _no_letter,
    "bullets": _bullets,
    "numbered": _list_numbers,
}
