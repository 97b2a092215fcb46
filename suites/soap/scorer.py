"""Scores a SOAP note against the facts its transcript was made from: format, facts, and nothing invented.

A sample's metadata holds `facts`; each has an id, a section, patterns (`any`), a polarity (present, absent, family,
hypothetical), and where it matters values with units, how often, and a side. A fact with `required: false` is a trap:
it need not be written, but must not be written as the patient's own. `retracted` lists numbers a speaker took back.

A pattern is words, `*` for any ending, `|` between alternatives, `&` for both in one clause, `!` for the opposite
("!crackles" is a way to say that the chest is clear).

What is not covered: an invented finding that is neither a fact nor in findings.txt and has no number and no drug,
grammar, emphasis, whether the plan is good medicine, and negation beyond the rules of `polarity`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from harness.data import Completion, Sample, Score, Scorer

MAX_CHARACTERS = 12_000
MAX_UNSURE = 1
ORDER = ("S", "O", "A", "P")
Fact = Mapping[str, Any]
Numbers = frozenset[float]

# --- format ----------------------------------------------------------------------------------------------------------

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HEADER = re.compile(r"^([SOAP]):", re.MULTILINE)
_LOOSE = re.compile(
    r"^[ \t>#*_\-\[(]*(?:(subjective|objective|assessment|plan)\b(?: *\([soap]\))?[ \t*_\])]*(?:[:.\-–—][*_ ]*|$)"
    r"|([soap])[ \t*_\])]*(?:[:.–—)][*_ ]*|- |\*\*[:]?|$))",
    re.MULTILINE | re.IGNORECASE,
)
_CHATTER = re.compile(
    r"\b(?:let me know|hope (?:this|that) helps|feel free|would you like|as an ai|i (?:have|'ve) (?:written|"
    r"summari[sz]ed|"
    r"included|created)|is there anything else|happy to help|here is (?:the|your)|this (?:note|summary) (?:is|was|"
    r"has been) (?:based|generated|written))\b|^ *(?:note|disclaimer)s?:|^ *-{3,} *$|```",
    re.IGNORECASE | re.MULTILINE,
)
_NOTHING = re.compile(
    r"(?:none|n/?a|nil|tbd|pending|not (?:stated|documented|given|applicable|discussed)|unknown)?\W*\Z"
)


def shown(text: str) -> str:
    """What a reader sees: no thinking text, no control codes."""
    return _CONTROL.sub("", _THINKING.sub("", text).replace("\r", "\n")).strip()


def strict_sections(text: str) -> tuple[dict[str, str], str]:
    """The four bodies of a note and "", or {} and what is wrong with its form."""
    heads = list(_HEADER.finditer(text))
    if not heads:
        return {}, "no headers S:, O:, A:, P:"
    found = "".join(head.group(1) for head in heads)
    if heads[0].start() > 0:
        return {}, "text before the first header"
    if found != "SOAP":
        return {}, f"headers are {found[:8]}, not SOAP"
    bodies = _bodies(text, heads)
    for name, body in bodies.items():
        if _NOTHING.match(body.lower()):
            return {}, f"section {name} is empty"
    if chatter := _CHATTER.search(text):
        return {}, f"more than a note: '{chatter.group().strip()[:30]}'"
    return bodies, ""


def loose_sections(text: str) -> dict[str, str]:
    """The bodies if all four headers are there in any common form, in order; a preamble and markdown may be."""
    heads: list[re.Match[str]] = []
    for match in _LOOSE.finditer(text.replace("```", "")):
        name = (match.group(1) or match.group(2))[0].upper()
        if len(heads) < 4 and name == ORDER[len(heads)]:
            heads.append(match)
        elif any(name == _name(head) for head in heads):
            return {}
    if len(heads) < 4:
        return {}
    bodies = _bodies(text.replace("```", ""), heads)
    return {} if any(_NOTHING.match(body.lower()) for body in bodies.values()) else bodies


def _name(head: re.Match[str]) -> str:
    return next(group for group in head.groups() if group)[0].upper()


def _bodies(text: str, heads: Sequence[re.Match[str]]) -> dict[str, str]:
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return {_name(head): text[head.end() : end].strip() for head, end in zip(heads, ends, strict=True)}


# --- plain text ------------------------------------------------------------------------------------------------------

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_WORDS = {word: value for value, word in enumerate(_UNITS)}
_TENS = {
    w: 20 + 10 * i for i, w in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
}
_WORDS |= _TENS
_NUMBER_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_RUN = re.compile(
    rf"\b(?:(?:{_NUMBER_WORD}|a hundred|hundred|a thousand|thousand)"
    rf"(?:[ -](?:and )?(?:{_NUMBER_WORD}|hundred|thousand))*(?: point(?: (?:{_NUMBER_WORD}))+)?)\b"
)
_ABBREVIATIONS = (
    (r"\bn\.?k\.?d?\.?a\b", "no known allergies"),
    (r"\b(?:afebrile|apyrexial)\b", "fever absent"),
    (r"(?<=\w)\? (?=(?:no|none|nil|never|yes)\b)", ": "),
    (r"(?<=\w) ?\([-−]\)", ": no"),
    (r"(?<![\w.])x ?(?=\d)", "for "),
    (r"(?<![\d./])(\d{1,2})/7(?![\d/])", r"\1 days"),
    (r"(?<![\d./])(\d{1,2})/52\b", r"\1 weeks"),
    (r"(?<![\d./])(\d{1,2})/12\b", r"\1 months"),
    (r"(?<=\d)°", " °"),
    (r"\br/v\b", "review"),
    (r"\bf/u\b", "follow up"),
    (r"\bu ?[&+/] ?es?\b|\bu and es\b", "kidney bloods"),
    (r"\bcp\b", "chest pain"),
    (r"\bpalps\b", "palpitations"),
    (r"\brom\b", "range of movement"),
    (r"\bhs\b(?= (?:normal|1))", "heart sounds"),
    (r"\bam(?= stiffness)", "morning"),
    (r"(?<=\d mg) on(?= *(?:[.,;\n]|\Z))|(?<=\dmg) on(?= *(?:[.,;\n]|\Z))", " at night"),
    (r"\bqhs\b", "at night"),
    (r"\bsobo?e?\b", "shortness of breath"),
    (r"\bnon[- ]?(?=smok|drink|product|tender|radiat)|\bnon-", "not "),
    (r"\bw/o\b", "without"),
    (r"\bc/o\b", "complains of"),
    (r"\br/o\b", "rule out"),
    (r"\b(?:f\.?h\.?x?|fam hx)\b(?=[: ])", "family history"),
    (r"\(-\)|\(−\)", " no "),
    (r"\b(can|do|does|did|is|are|was|were|has|have|had|would|could|should)n't\b", r"\1 not"),
    (r"\bcannot\b", "can not"),
    (r"\bb\.i\.d\.|\bbid\b", "bd"),
    (r"\bt\.i\.d\.|\btid\b|\bt\.d\.s\.", "tds"),
    (r"\bq\.i\.d\.|\bqid\b|\bq\.d\.s\.", "qds"),
    (r"\b(?:l)\b(?=[ /-]\s?[a-z]{3,})|\(l\)|\blt\b", " left "),
    (r"\(r\)|\brt\b|\br\b(?=[ -][a-z]{3,})", " right "),
    (r"\b(?:approx|e\.g|i\.e|dr|mr|mrs|ms|vs|pt|hx|dx|tx|rx|temp|resp|sat|sats|b\.p|h\.r)\.(?=\s*[a-z0-9:])", " "),
)
_SHORT = [(re.compile(pattern), new) for pattern, new in _ABBREVIATIONS]


@lru_cache(maxsize=256)
def plain(text: str) -> str:
    """Lower case, one spelling of quotes, dashes, abbreviations and numbers; a new line ends a sentence.

    >>> plain("NKDA; took twenty-five mg, temp thirty-eight point two")
    'no known allergies; took 25 mg, temp 38.2'
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    text = text.translate({0x2019: "'", 0x2018: "'", 0x2013: "-", 0x2014: "-", 0x2212: "-"})
    text = re.sub(r"(?m)^\s*(?:[-*+•·>]+|\d{1,2}[.)])\s+", "", text)
    text = re.sub(r"[*_`#]+", "", text)
    text = re.sub(r"\s*\n+\s*", ". ", text)
    for pattern, new in _SHORT:
        text = pattern.sub(new, text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    return re.sub(r"[ \t]+", " ", _RUN.sub(_as_digits, text)).strip()


def _as_digits(match: re.Match[str]) -> str:
    whole, _, decimals = match.group().partition(" point ")
    total = current = 0
    for word in re.split(r"[ -]", whole):
        if word in ("a", "and"):
            continue
        if word == "hundred":
            current = max(1, current) * 100
        elif word == "thousand":
            total, current = (total + max(1, current)) * 1000, 0
        else:
            value = _WORDS[word]
            tens = current % 100
            if 0 < tens < 10 and value >= 10 and current < 10:
                current = current * 100 + value  # "one twenty-eight" is 128
            elif (tens >= 20 and tens % 10 == 0 and value < 10) or not tens:
                current += value
            else:
                total, current = int(f"{total + current}"), value  # two numbers side by side: keep the last
    digits = "".join(str(_WORDS[word]) for word in decimals.split())
    return f"{total + current}.{digits}" if digits else str(total + current)


@lru_cache(maxsize=256)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a plain text; a semicolon ends one, a decimal point does not."""
    return tuple(part.strip() for part in re.split(r"(?:[.;!]|(?<=\w)\?)(?:\s+|\Z)", text) if part.strip(" .;!?-"))


# --- negation --------------------------------------------------------------------------------------------------------

_KIN = (
    r"(?:(?:grand|step)?(?:mother|father|parents?|ma|pa|dad|mum|mom)|brothers?|sisters?|siblings?|aunts?|uncles?|"
    r"cousins?|niece|nephew|daughters?|sons?|twin|grandparents?|in-laws?|wife|husband|partner|neighbour|neighbor|"
    r"colleague|flatmate|housemate|friends?|workmate|classmates?)"
)
_SAYS = (
    r"(?:report|say|said|state|note|notice|describe|confirm|deny|denie|feel|felt|think|thought|brought|give|gave|"
    r"mention|"
    r"observe|is (?:worried|concerned)|was (?:worried|concerned)|has (?:noticed|noted|given|tried|been giving)|"
    r"had (?:noticed|noted)|"
    r"worrie|concerned|present|history from|advised|educated|reassured|informed|to|happy|agree|understands|will)"
)
_HAVE = (
    r"(?: (?:have|has|had|having|any|report\w*|experienc\w*|notic\w*|feel\w*|describ\w*|show\w*|appear\w*|been|be))*"
)
_NOT_SO = (
    "present|seen|found|reported|noted|elicited|felt|heard|detected|involved|affected|enlarged|raised|needed|required|"
    "indicated|advised|given|prescribed|tender|visible|palpable|inflamed|noticed|mentioned|necessary|warranted|swollen|"
    "issued|started|infected"
)
_STOP = r"(?=\s*(?:[.;,)]|\Z|(?:at|on|in|and|but|today|now|currently|by|either)\b))"
_RULES = (
    ("affirm", r"(?:(?:he|she|they) )?(?:(?:do|does|did|can|could) not|never|not) den(?:y|ies|ied)"),
    (
        "pseudo",
        r"not only|no (?:increase|change|worsening|worse|doubt|"
        r"longer(?! (?:has|have|having|gets?|feels?))|further|response|better)|"
        r"without (?:difficulty|help|warning)|not (?:certain|sure|improv\w*|settl\w*|respond\w*|help\w*|better|"
        r"chang\w*|resolv\w*|worse\w*|relieved|responding|controlled|cause\w*)|gram[- ]negative|no (?:good|use)|"
        rf"(?:lives?|living|stay\w*|cares?|caring) (?:with|for) (?:his |her |their )?(?:elderly )?{_KIN}",
    ),
    (
        "open",
        r"(?:can ?not|not|never|can not be|could not be) (?:be )?(?:ruled out|excluded)|cannot exclude|"
        r"not been ruled out|(?:to be|needs to be) (?:ruled out|excluded)|"
        r"not yet (?:ruled out|excluded)|equivocal|uncertain|unclear (?:if|whether)|not (?:certain|sure) (?:if|"
        r"whether|about)|"
        r"questionable|worr(?:y|ied|ies) (?:about|that|of|it|over)|concern(?:ed|s)? (?:about|that|regarding|over|for)|"
        r"afraid (?:of|that)|fears?(?: of| that)?|wonder(?:s|ed|ing)? (?:if|whether|about)|asks? (?:if|whether|"
        r"about)|asked (?:if|whether|about)",
    ),
    (
        "informant",
        rf"(?:according to|as per|per|history (?:from|given by|taken from)|informant:?|accompanied by|"
        rf"brought (?:in )?by|with) "
        rf"(?:the |his |her |their )?{_KIN}|(?:the |his |her |their )?{_KIN}(?: also)? {_SAYS}\w*(?: that)?",
    ),
    (
        "hypothetical",
        r"if|in case(?: of)?|in the event of|should (?:he|she|they|it|there|the|any|symptoms?|this|these|new)|unless|"
        r"(?:return|come back|re-?attend|re-?present|call|phone|seek\w*(?: [a-z]+){0,3}|"
        r"attend)(?: [a-z&]+){0,3} (?:for|with)|"
        r"(?:watch|look\w*)(?: out)? for|(?:to |in order to )?(?:rule|ruling) out|to exclude|(?:screen|check|"
        r"monitor|test)\w* for|"
        r"risk of|(?:to )?prevent\w*|prophyla\w*|safety[- ]net\w*|red flags?|return precautions|warn\w*(?: (?:of|"
        r"about|that))?|"
        r"counsel\w* (?:on|about)|(?:advice|advised|instructions?) (?:about|on|of|regarding)|for any|whenever|"
        r"side effects?|as needed for",
    ),
    (
        "after",
        r"(?:(?:is |are |was |were |has been |have been )(?:absent|negative(?! for)|denied|ruled out|excluded)|"
        r"absent|negative(?! for)|excluded|(?:is |are |was |were )unlikely|"
        rf"(?:denied|ruled out|(?:is |are |was |were )?not (?:{_NOT_SO})){_STOP}|"
        rf"(?:[:=-] ?(?:no|none|nil|denied|denies|absent|negative|neg|never|not present|0)"
        rf"(?: known| reported)?){_STOP}|"
        r"(?<=\w )(?:no|nil)(?=\s*(?:[,;]|\Z))|free(?! (?:of|from)\b)|"
        r"(?:has|have) (?:now |since )?(?:resolved|stopped)|"
        r"\((?:no|none|nil|denied|absent|negative|neg)\)|none(?! of))",
    ),
    (
        "deny",
        r"(?:no longer (?:has|have|having|gets?|feels?)|"
        r"den(?:y|ies|ied|ying)|negative for|neg for|free (?:of|from)|absence of|no history of|none of|"
        rf"rules out|nor|neither|no (?:evidence|signs?|symptoms?|complaints?|report) of|nil)(?: (?:that )?(?:he|she|"
        rf"they))?{_HAVE}",
    ),
    (
        "no",
        rf"(?:(?:has|have|had|with|there (?:is|was|are|were)|is|was|reports|reported) )?(?:no|not|never|without|"
        rf"zero)(?: known)?{_HAVE}|"
        r"unable(?: to)?|inability to|unlikely(?: to be)?|lack(?:s|ing)?(?: of)?",
    ),
    (
        "family",
        rf"family history(?: of)?|(?:maternal|paternal) {_KIN}|{_KIN}(?: also)?(?: (?:has|had|have|with|died|"
        rf"suffer\w*|is|was))*|runs in the family|familial|household",
    ),
    (
        "end",
        r"but|however|although|though|except(?: for)?|apart from|aside from|other than|besides|yet|whereas|while|"
        r"(?:the )?patient|himself|herself|(?:he|she|they) (?:has|had|have|is|was|does|did)|has|had|have|reports?|"
        r"reported|complain\w*(?: of)?|"
        r"presents? with|positive for|endors\w*|admits?|describes?|notes?|noted|there (?:is|was|are|were)|takes|"
        r"due to|because(?: of)?|secondary to|attributed to|consistent with|(?<=, )with|so|still|now|instead|only|just",
    ),
)
_TRIGGER = re.compile("|".join(rf"(?P<{kind}>(?:(?<!\w)|(?=[:=(-]))(?:{pattern})(?!\w))" for kind, pattern in _RULES))
_QUALIFIED = re.compile(
    r"\s*(?:,? ?(?:at rest|at night|at present|overnight|today|now|currently|on exertion|during|this morning|yesterday|"
    r"when|while|whilst|in clinic|radiat|in between|between|since|or (?:loss|change)|in the (?:other|last)))"
)


@lru_cache(maxsize=1024)
def _triggers(sentence: str) -> tuple[tuple[int, int, str], ...]:
    return tuple((m.start(), m.end(), str(m.lastgroup)) for m in _TRIGGER.finditer(sentence))


_KIND = re.compile(
    r"\b(?:productive|dry|bloody|barking|night|nocturnal|severe|new|worsening|recent|previous|current|other|further|"
    r"associated|purulent|green|similar|resting|exertional)[ -]\Z"
)


def polarity(sentence: str, start: int, end: int) -> str:
    """present, absent, family, hypothetical or unsure: how a plain sentence means its words from start to end.

    Rules after NegEx: triggers before ("denies") and after ("was ruled out"), look-alikes ("no change"), words that end
    a scope ("but"), relatives, and conditions. A list that may or may not share a "no" is unsure.
    """
    triggers = _triggers(sentence)
    own = [one for one in triggers if one[0] < end and one[1] > start]
    if any(_NOT.match(sentence, at) and (at < start or kind == "pseudo") for at, _, kind in own):
        return "absent"  # the denial is part of the words: "not relieved by rest"
    if _NOT_INSIDE.search(sentence, start, end):
        return "absent"  # "thyroid not enlarged"
    if _ONLY_WHEN.match(sentence, end):
        return "unsure"  # "noisy breathing only when crying, not at rest"
    family = False
    for at, stop, kind in reversed([one for one in triggers if one[1] <= start]):
        between = sentence[stop:start]
        if kind == "hypothetical":
            return "hypothetical"
        if kind == "open":
            return "unsure"
        if kind in ("affirm", "end", "after", "informant"):
            break
        if kind == "family":
            family = True
        elif kind in ("deny", "no"):
            if any(other == "hypothetical" and stop <= at for _, stop, other in triggers):
                return "hypothetical"
            sure = kind == "deny" or _shares(sentence, at, stop, start, end)
            return ("absent" if sure else "unsure") if not _broken(between) else "present"
    following = next((one for one in triggers if one[0] >= end and one[2] not in ("pseudo",)), None)
    if following:
        gap = sentence[end : following[0]]
        near = len(gap) <= 28 and not re.search(r"[,:]|\band\b|\bor\b", gap)
        if near and following[2] == "after":
            return "absent"
        if near and following[2] == "open":
            return "unsure"
        if near and following[2] == "family" and re.search(r"\(|\bin\b|-|\bof\b", gap):
            return "family"
        if following[2] == "after" and len(gap) <= 60 and re.match(r"[ \w,]*\bor\b", gap):
            return "absent"
    himself = re.match(r"\s*(?:himself|herself|themselves|in the patient)\b", sentence[end:])
    return "family" if family and not himself else "present"


_NOT = re.compile(r"(?:not|no|without)\b")
_NOT_INSIDE = re.compile(r"(?<=\w )(?<!can )(?:(?:not|never)(?= \w)(?! only)|free of|without)")
_ONLY_WHEN = re.compile(
    r"[^.;,]{0,24}\b(?:when|on|with|if|during|after|while)\b[^.;]{0,40}?(?:[,(-]|\band\b|\bbut\b) ?"
    r"(?:not|none|never|no)\b(?= (?:at|when|otherwise|in|if|with|on)\b|\Z)"
)


def _shares(sentence: str, at: int, stop: int, start: int, end: int) -> bool:
    """Whether a mention some way after a "no" belongs to it: in one phrase, in a list with "or", or in a pure list."""
    between = sentence[stop:start]
    if "," not in between:
        return not re.search(r"\band\b", between)
    rest = sentence[stop:]
    final = re.search(r"\b(?:or|nor)\b", rest)
    if final:
        after = rest.find(",", final.end())
        return after < 0 or start - stop <= after
    return not re.search(r"\w.*,", sentence[:at]) and not re.search(r"\bwith\b", between)


def _broken(between: str) -> bool:
    """Whether a clause with a verb of its own stands between a "no" and the mention."""
    return bool(
        re.search(r", the \Z|, (?:and )?(?:he|she|they|it|is|are|was|takes|uses|smokes|drinks|lives)\b", between)
    )


# --- mentions --------------------------------------------------------------------------------------------------------


class Mention(NamedTuple):
    """One place where a note speaks of a fact; polarity as the note means it."""

    sentence: str
    start: int
    end: int
    polarity: str


@lru_cache(maxsize=20_000)
def _part(text: str) -> re.Pattern[str]:
    forms = []
    for form in text.split("|"):
        words = [re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in form.split()]
        forms.append(r"[\s-]+".join(words))
    return re.compile(rf"(?<![\w])(?:{'|'.join(forms)})(?![\w])")


@lru_cache(maxsize=20_000)
def _parts(pattern: str) -> tuple[bool, tuple[re.Pattern[str], ...]]:
    inverted = pattern.startswith("!")
    return inverted, tuple(_part(part.strip()) for part in pattern.lstrip("!").split("&"))


def spans(sentence: str, parts: Sequence[re.Pattern[str]]) -> Iterator[tuple[int, int]]:
    """Where all parts of a pattern stand together in a plain sentence."""
    for first in parts[0].finditer(sentence):
        start, end = first.span()
        for part in parts[1:]:
            near = [m.span() for m in part.finditer(sentence) if _close(sentence, start, end, *m.span())]
            if not near:
                break
            best = min(near, key=lambda span: max(start - span[1], span[0] - end))
            start, end = min(start, best[0]), max(end, best[1])
        else:
            yield start, end


def _close(sentence: str, start: int, end: int, other_start: int, other_end: int) -> bool:
    gap = sentence[end:other_start] if other_start >= end else sentence[other_end:start]
    if len(gap) > 32 or _APART.search(gap):
        return False
    return not (" and " in gap and _DENIED.search(sentence))  # "denies locking of the knee and night pain"


_APART = re.compile(r"[;.]|\bbut\b|\bn?or\b|,(?! \d)")
_DENIED = re.compile(r"\b(?:den(?:y|ies|ied)|no|not|without|negative)\b")


_OPPOSITE = {"present": "absent", "absent": "present"}


def mentions(text: str, fact: Fact) -> list[Mention]:
    """Every mention of a fact in a plain text. What an allergy did to the patient is no symptom of today."""
    found = []
    for pattern in fact["any"]:
        inverted, parts = _parts(pattern)
        if not all(part.search(text) for part in parts):
            continue
        for sentence in sentences(text):
            for start, end in spans(sentence, parts):
                if _is_reaction(fact, sentence, start):
                    continue
                meant = polarity(sentence, start, end)
                found.append(Mention(sentence, start, end, _OPPOSITE.get(meant, meant) if inverted else meant))
    return found


_BACKGROUND = ("allergy", "family", "medicines", "smoking")
_OTHER_MATTER = re.compile(r"[,:] (?:and |but )?(?:no|not|denies|reports|has|never|nil|without)\b")


def _is_reaction(fact: Fact, sentence: str, start: int) -> bool:
    """Whether a symptom is what an allergy does ("allergic to codeine, numb lips"), not a symptom of today."""
    if fact["section"] != "S" or fact["id"] in _BACKGROUND or fact.get("freq"):
        return False
    at = sentence.find("allerg")
    return at >= 0 and (start < at or not _OTHER_MATTER.search(sentence, at, start))


# --- numbers and drugs -----------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"(?<![\w.])(?<![a-z]-)(\d+(?:\.\d+)?)(?![\d])(?:\s?(%|°\s?c|(?!hr:? ?\d)[a-zµμ]+))?")
_UNIT = {
    **dict.fromkeys(("mg", "milligram", "milligrams", "mgs"), ("mg", 1.0)),
    **dict.fromkeys(("g", "gram", "grams"), ("mg", 1000.0)),
    **dict.fromkeys(("mcg", "microgram", "micrograms", "µg", "μg", "ug"), ("mg", 0.001)),
    **dict.fromkeys(("day", "days", "d"), ("day", 1.0)),
    **dict.fromkeys(("week", "weeks", "wk", "wks"), ("day", 7.0)),
    **dict.fromkeys(("month", "months", "mo", "mths"), ("month", 1.0)),
    **dict.fromkeys(("year", "years", "yr", "yrs"), ("month", 12.0)),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), ("hour", 1.0)),
    **dict.fromkeys(("ml", "millilitre", "millilitres", "milliliters"), ("ml", 1.0)),
    **dict.fromkeys(("puff", "puffs"), ("puff", 1.0)),
    **dict.fromkeys(("kg", "kilo", "kilos", "kilogram", "kilograms", "kgs"), ("kg", 1.0)),
    **dict.fromkeys(("unit", "units"), ("unit", 1.0)),
    **dict.fromkeys(("cigarette", "cigarettes", "cigs"), ("cigarette", 1.0)),
}
FREQUENCY = {
    "once": r"single dose|\bonce\b|\b(?:1|one) dose|\bstat\b|one-off",
    "5x": r"5 ?(?:times|x)",
    "od": r"once (?:a day|daily|per day|each day|every day)|(?<!twice )(?<!times )(?<!x )daily|\bod\b|\bqd\b|"
    r"(?<!twice )(?<!times )(?:a|per|each|every) day|(?:every|each|in the) morning|1 ?x daily|once\b|"
    r"\bmane\b|24[- ]?hourly",
    "bd": r"2 ?x|q12h|twice (?:a day|daily|per day|each day)|\bbd\b|12[- ]?hourly|every 12 hours|2 (?:times|x)|"
    r"morning and (?:evening|night)",
    "tds": r"3 ?(?:times|x)|\btds\b|8[- ]?hourly|every 8 hours|thrice|q8h",
    "qds": r"4 ?(?:times|x)|\bqds\b|6[- ]?hourly|every 6 hours|every 6 h|q6h",
    "nocte": r"(?:at|every|each) (?:night|bedtime)|nightly|before bed|nocte|in the evening|every evening|bedtime",
    "weekly": r"once a week|weekly|once per week|every week|each week",
}
_FREQUENCY = {name: re.compile(pattern) for name, pattern in FREQUENCY.items()}


def numbers(text: str) -> list[tuple[float, str, int]]:
    """(value, unit word, place) of each number in a plain text; digits inside a word (spo2, b12) are none."""
    return [(float(m.group(1)), m.group(2) or "", m.start()) for m in _NUMBER.finditer(text) if len(m.group(1)) < 10]


@lru_cache(maxsize=4_000)
def derivable(transcript: str) -> Numbers:
    """The numbers a note on this transcript may hold: what is said, in digits or words, and what plainly follows."""
    text = plain(transcript)
    found = {value for value, _, _ in numbers(text)} | {1.0}
    for match in re.finditer(r"\d+(?:\.\d+)?", text):
        found.add(float(match.group()[:12]))
    for value, unit, _ in numbers(text):
        if unit.startswith(("week", "wk")):
            found.add(7 * value)
        if unit in ("g", "gram", "grams"):
            found.add(1000 * value)
    for match in re.finditer(r"\b(\d+) and a half\b", text):
        found.add(float(match.group(1)) + 0.5)
    for words, values in _PLAIN_VALUES:
        if re.search(words, text):
            found.update(values)
    for match in re.finditer(r"\b(?:every (\d+) hours|(\d+) times (?:a|per) day)", text):
        found.add(24 / max(1.0, float(match.group(1) or match.group(2))))
    return frozenset(found)


_PLAIN_VALUES: tuple[tuple[str, tuple[float, ...]], ...] = (
    (r"\bfortnight", (2, 14)),
    (r"\b(?:twice|couple|both|pair)\b", (2,)),
    (r"\ba week\b", (7,)),
    (r"\bhalf\b", (0.5, 2)),
    (r"\bhalf (?:an )?hour\b", (30,)),
    (r"\b(?:tomorrow|a day|overnight)\b", (24,)),
    (r"\b(?:twice a day|morning and (?:evening|night))\b", (12,)),
    (r"\ba year\b", (12,)),
    (r"\bdozen\b", (12,)),
    (r"\b(?:ambulance|emergency|a&e|casualty)\b", (999, 911, 112, 111)),
)


def strange_numbers(sample: Sample, body: str) -> list[str]:
    """Numbers of a note that the transcript does not give, and numbers a speaker took back."""
    known = derivable(str(sample.input)) - {float(value) for value in sample.metadata.get("retracted", ())}
    return [f"{value:g}" for value, _, _ in numbers(plain(body)) if value not in known]


@lru_cache(maxsize=8)
def read_drugs(path: str) -> tuple[tuple[str, ...], ...]:
    """Each line of the lexicon: names of one drug. Lines with # are remarks."""
    lines = Path(path).read_text("utf-8").splitlines()
    return tuple(tuple(line.lower().split()) for line in lines if line.strip() and not line.startswith("#"))


@lru_cache(maxsize=8)
def _drug_index(path: str) -> Mapping[str, int]:
    return {name: index for index, names in enumerate(read_drugs(path)) for name in names}


def strange_drugs(sample: Sample, body: str, lexicon: str) -> list[str]:
    """Drugs of a note that the transcript names under no name."""
    index = _drug_index(lexicon)
    said = _said(str(sample.input), lexicon)
    return sorted({name for name, drug in _named(body, index) if drug not in said})


def _named(text: str, index: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    for word in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text.lower()):
        for form in (word, *word.split("-")):
            if form in index:
                yield form, index[form]


@lru_cache(maxsize=4_000)
def _said(text: str, lexicon: str) -> frozenset[int]:
    return frozenset(drug for _, drug in _named(text, _drug_index(lexicon)))


# --- findings --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def read_findings(path: str) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Each line of the lexicon: patterns of one finding, and of what a transcript may call it. # begins a remark."""
    found = []
    for line in Path(path).read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            names, _, spoken = ([part.strip() for part in side.split(";")] for side in line.partition("~"))
            found.append((tuple(names), tuple(filter(None, (*names, *spoken)))))
    return tuple(found)


def strange_findings(sample: Sample, bodies: Mapping[str, str], lexicon: str) -> list[str]:
    """Symptoms and signs of the lexicon that S, O or A has, found or denied, and neither transcript nor facts have."""
    transcript = plain(str(sample.input))
    facts = sample.metadata["facts"]
    strange = []
    for name in ("S", "O", "A"):
        text = plain(bodies[name])
        known = [(one.sentence, one.start, one.end) for fact in facts for one in mentions(text, fact)]
        for patterns, spoken in read_findings(lexicon):
            finding = {"id": patterns[0], "section": name, "any": patterns}
            new = [
                one
                for one in mentions(text, finding)
                if one.polarity in ("present", "absent")
                and not any(one.sentence == at and one.start < end and start < one.end for at, start, end in known)
            ]
            if new and not any(any(spans(line, _parts(p)[1])) for p in spoken for line in sentences(transcript)):
                strange.append(new[0].sentence[new[0].start : new[0].end])
    return strange


# --- facts -----------------------------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """How a note treats one fact: hit, unsure, missing, leaked or contradicted; why, if not hit."""

    status: str
    why: str = ""


_ACCEPT = {
    ("present", "P"): ("present", "hypothetical"),
    ("present", "A"): ("present", "hypothetical"),
    ("hypothetical", "P"): ("hypothetical",),
}
_ELSEWHERE = {"S": ("S", "A"), "O": ("O", "A"), "A": ("A",), "P": ("P",)}


def judge(facts: Sequence[Fact], bodies: Mapping[str, str]) -> dict[str, Verdict]:
    """A verdict per fact for the four bodies of a note."""
    texts = {name: plain(body) for name, body in bodies.items()}
    return {str(fact["id"]): _verdict(fact, facts, texts) for fact in facts}


def _verdict(fact: Fact, facts: Sequence[Fact], texts: Mapping[str, str]) -> Verdict:
    section, wanted = str(fact["section"]), str(fact["polarity"])
    if not fact.get("required", True):
        return _trap(fact, facts, texts)
    here = mentions(texts[section], fact)
    accepted = _ACCEPT.get((wanted, section), (wanted,))
    if fact.get("either"):
        accepted = ("present", "absent", "hypothetical", "unsure")
    right = [one for one in here if one.polarity in accepted]
    complete = [one for one in right if not _lacks(fact, facts, one, texts[section])]
    against = _against(fact, facts, texts, hit=bool(complete))
    if against:
        return Verdict("contradicted", against)
    if complete:
        return Verdict("hit")
    if right:
        return Verdict("missing", f"{fact['id']}: {_lacks(fact, facts, right[0], texts[section])}")
    soft = {"unsure"} | ({"present"} if wanted == "hypothetical" and section == "P" else set())
    unsure = [one for one in here if one.polarity in soft and not _lacks(fact, facts, one, texts[section])]
    if unsure:
        return Verdict("unsure", f"{fact['id']} is ambiguous")
    if not here and _in_their_words(fact, facts, texts[section]):
        return Verdict("unsure", f"{fact['id']} is told in the transcript's own words")
    for other in ORDER:
        if other != section and any(one.polarity in accepted for one in mentions(texts[other], fact)):
            return Verdict("leaked", f"{fact['id']} is in {other}, not in {section}")
    return Verdict("missing", f"{fact['id']} is missing in {section}")


_COMMON = re.compile(
    r"(?:have|been|with|your|that|this|they|from|what|when|does|feel|much|very|more|just|like|well|good|fine|"
    r"normal|over|look|ever|time|times|most|only|some|than|then|there|here|about|after|before|back|down|"
    r"goes|know|last|never|none|nothing|really|them|thing|think|were|will|would|yes|day|days|week|weeks|"
    r"month|months)\Z"
)


def _telling(text: str) -> set[str]:
    return {word[:5] for word in re.findall(r"[a-z]{4,}", plain(text)) if not _COMMON.match(word)}


def _in_their_words(fact: Fact, facts: Sequence[Fact], text: str) -> bool:
    """Whether a clause that no other fact claims holds telling words of a fact's own question and answer.

    Nobody can list every wording; one in the speakers' own words is not called missing. Which polarity it has is not
    read, so it is unsure, and at most MAX_UNSURE such facts are let pass.
    """
    if not fact.get("heard"):
        return False
    others = [other for other in facts if other is not fact]
    own = _telling(str(fact["heard"])) - {word for other in others for word in _telling(str(other.get("heard", "")))}
    taken = [(one.sentence, one.start, one.end) for other in others for one in mentions(text, other)]
    for sentence in sentences(text):
        for clause in re.finditer(r"(?:(?!\band\b|\bbut\b)[^,:])+", sentence):
            free = not any(at == sentence and s < clause.end() and clause.start() < e for at, s, e in taken)
            if free and own & _telling(clause.group()):
                return True
    return False


def _trap(fact: Fact, facts: Sequence[Fact], texts: Mapping[str, str]) -> Verdict:
    for name, meant in (("S", ("present",)), ("A", ("present", "hypothetical", "unsure"))):
        said = [one for one in mentions(texts[name], fact) if one.polarity in meant]
        if any(name == "S" or one.polarity == "present" or not _FEAR.search(one.sentence) for one in said):
            return Verdict("contradicted", f"{fact['id']} is not the patient's")
    return Verdict("hit")


_FEAR = re.compile(r"\b(?:worr|fear|concern|afraid|anxi|scared|reassur)")


def _against(fact: Fact, facts: Sequence[Fact], texts: Mapping[str, str], *, hit: bool) -> str:
    """What in the note speaks against a fact, or ""."""
    section, wanted = str(fact["section"]), str(fact["polarity"])
    opposite = {"present": "absent", "absent": "present", "family": "present"}.get(wanted)
    for name in _ELSEWHERE[section] if fact.get("against", True) else ():
        if name != section and _allowed_there(fact, facts, name):
            continue
        for one in mentions(texts[name], fact):
            if (
                one.polarity == opposite
                and not (hit and _is_part(one))
                and not _is_inside(one, fact, facts, texts[name])
            ):
                return f"{fact['id']} is {wanted}, the note has it {opposite}"
            if wanted == "family" and one.polarity == "absent" and not hit:
                return f"{fact['id']} is denied"
    if fact.get("freq"):
        for one in mentions(texts["P"], fact):
            if _STOPPED.search(one.sentence[: one.start]) and not re.match(
                r"[^.;]{0,12}\bif\b", one.sentence[one.end :]
            ):
                return f"{fact['id']} is stopped"
    return _wrong_detail(fact, facts, texts[section])


_STOPPED = re.compile(r"\b(?:stop|discontinu|withhold|cease|suspend)\w*(?: taking| the| his| her| current)* \Z")


def _is_inside(one: Mention, fact: Fact, facts: Sequence[Fact], text: str) -> bool:
    """Whether a mention is a piece of what names another fact: the cough of "no blood coughed up"."""
    others = (two for other in facts if other is not fact for two in mentions(text, other))
    return any(
        two.sentence == one.sentence
        and two.start <= one.start
        and one.end <= two.end
        and two.end - two.start > one.end - one.start
        for two in others
    )


def _is_part(one: Mention) -> bool:
    """Whether a mention is of one kind of the thing only ("no chest pain at rest"), so that it denies nothing more."""
    return bool(_QUALIFIED.match(one.sentence[one.end :]) or _KIND.search(one.sentence[: one.start]))


def _allowed_there(fact: Fact, facts: Sequence[Fact], section: str) -> bool:
    return any(other["section"] == section and set(other["any"]) & set(fact["any"]) for other in facts)


def _same(fact: Fact, facts: Sequence[Fact]) -> list[Fact]:
    return [other for other in facts if set(other["any"]) & set(fact["any"])]


def _wrong_detail(fact: Fact, facts: Sequence[Fact], text: str) -> str:
    """A dose, or a side, that the note gives to a mention and that no fact knows."""
    if fact.get("relative"):
        named = {_kin(word) for one in mentions(text, fact) for word in _RELATIVE.findall(one.sentence)}
        if named and _kin(str(fact["relative"]).split()[-1]) not in named:
            return f"{fact['id']} is of the {fact['relative']}, the note has it of the {'/'.join(sorted(named))}"
    if not fact.get("side") and re.search(r"\b(?:both|bilateral)\b", str(fact.get("say", [""])[0])):
        for one in mentions(text, fact):
            if len(_sides(one) - {"both"}) == 1 and "both" not in _sides(one):
                return f"{fact['id']} is on both sides"
    for one in mentions(text, fact) if fact["section"] == "A" else ():
        said = set(_DEGREE.findall(one.sentence))
        if said and (wanted := set(_DEGREE.findall(str(fact.get("say", [""])[0])))) and not said & wanted:
            return f"{fact['id']} is {'/'.join(wanted)}, the note has it {'/'.join(sorted(said))}"
    same = _same(fact, facts)
    sides = {other.get("side") for other in same}
    doses = {_base(value, unit) for other in same for value, unit in other.get("values", ())}
    for one in mentions(text, fact):
        if fact.get("side"):
            said = _sides(one)
            if said and not said & sides and "both" not in said:
                return f"{fact['id']} is {fact['side']}, the note has it {'/'.join(sorted(said))}"
        if fact.get("values") and fact["values"][0][1] in ("mg", "puff", "unit", "ml"):
            dimension = _base(*fact["values"][0])[1]
            for value, unit, _ in _near(fact, facts, one):
                base = _base(value, unit)
                if unit in _UNIT and base[1] == dimension and base not in doses:
                    return f"{fact['id']} has {value:g} {unit}"
    return ""


_DEGREE = re.compile(r"\b(?:mild|moderate|severe|acute|chronic)\b")
_RELATIVE = re.compile(rf"\b{_KIN}\b")
_SAME_KIN = {"mum": "mother", "mom": "mother", "ma": "mother", "dad": "father", "pa": "father"}


def _kin(word: str) -> str:
    return _SAME_KIN.get(word, word).removesuffix("s")


def _base(value: float, unit: str) -> tuple[float, str]:
    name, factor = _UNIT.get(unit, (unit, 1.0))
    return round(float(value) * factor, 6), name


def _scope(facts: Sequence[Fact], fact: Fact, one: Mention) -> tuple[int, int]:
    """The part of a sentence that speaks of one mention: up to the next mention of another fact with values."""
    left, right = 0, len(one.sentence)
    for other in facts:
        if (
            other is fact
            or not other.get("values")
            or other["section"] != fact["section"]
            or set(other["any"]) & set(fact["any"])
        ):
            continue
        for pattern in other["any"]:
            for start, end in spans(one.sentence, _parts(pattern)[1]):
                if start >= one.end:
                    right = min(right, start)
                elif end <= one.start:
                    left = max(left, end)
    return left, right


def _near(fact: Fact, facts: Sequence[Fact], one: Mention) -> list[tuple[float, str, int]]:
    left, right = _scope(facts, fact, one)
    said = numbers(one.sentence)
    after = [number for number in said if one.start <= number[2] < right]
    before = [number for number in said if left <= number[2] < one.start]
    if fact.get("freq"):  # "5 mg of ramipril", but not the dose of the medicine before
        before = [number for number in before if _DOSE_OF.fullmatch(one.sentence[number[2] : one.start])]
        return after + before
    return after + ([] if after and str(fact["section"]) == "O" else before)


_DOSE_OF = re.compile(r"[\d.]+ ?(?:[a-z]+|%)?(?: (?:of|dose of|oral|tablets?|tablets of))*[ ]*")


def _lacks(fact: Fact, facts: Sequence[Fact], one: Mention, text: str) -> str:
    """What a mention does not say: a value, how often, or the side; "" when it is complete."""
    said = _near(fact, facts, one) if fact.get("values") else []
    for value, unit in fact.get("values", ()):
        wanted = _base(value, unit)
        fits = any(_base(v, u) == wanted or (u not in _UNIT and v == value) for v, u, _ in said)
        if not fits and not (_is_span(fact) and _span_elsewhere(said, text, wanted)):
            return f"without {value:g} {unit}".rstrip()
    if [unit for _, unit in fact.get("values", ())] == ["mmhg", "mmhg"]:
        order = [v for v, *_ in sorted(said, key=lambda number: number[2])]
        high, low = (float(value) for value, _ in fact["values"])
        if order.index(high) > order.index(low) and "diastolic" not in one.sentence:
            return f"is not {high:g}/{low:g}"
    if fact.get("freq"):
        left, right = _scope(facts, fact, one)
        if not _FREQUENCY[str(fact["freq"])].search(one.sentence, left, right):
            return f"without how often ({fact['freq']})"
    if fact.get("side") and fact["side"] not in _sides(one):
        return f"without its side ({fact['side']})"
    return ""


def _is_span(fact: Fact) -> bool:
    """Whether the value of a fact is how long a complaint has lasted."""
    return fact["section"] == "S" and not fact.get("freq") and len(fact["values"]) == 1


def _span_elsewhere(said: Sequence[tuple[float, str, int]], text: str, wanted: tuple[float, str]) -> bool:
    """Whether another sentence says how long, and the complaint's own gives no other time."""
    times = ("day", "month", "hour")
    return not any(_base(v, u)[1] in times for v, u, _ in said) and any(
        _base(v, u) == wanted for v, u, _ in numbers(text)
    )


_SIDE = re.compile(r"\b(left|right|bilateral\w*|both)\b")
_CLAUSE = re.compile(r",|\band\b|\bbut\b|:")


def _sides(one: Mention) -> set[str]:
    """The sides named in the clause of a mention, or else in its sentence."""
    ends = [match.start() for match in _CLAUSE.finditer(one.sentence)]
    start = max([at for at in ends if at < one.start], default=0)
    stop = min([at for at in ends if at >= one.end], default=len(one.sentence))
    for part in (one.sentence[start:stop], one.sentence):
        found = {"both" if side.startswith(("bi", "both")) else side for side in _SIDE.findall(part)}
        if found:
            return found
    return set()


# --- scorers ---------------------------------------------------------------------------------------------------------


def note(*, suite_path: str, drugs: str = "drugs.txt", findings: str = "findings.txt") -> Scorer:
    """1 if the form is strict, each required fact is hit in its section, and nothing is contradicted or invented.

    One fact whose polarity cannot be told, or that is told in the transcript's own words, is let pass. What is not
    covered: see the docstring of this file.
    """
    lexicon, signs = str(Path(suite_path, drugs)), str(Path(suite_path, findings))

    def score(sample: Sample, completion: Completion) -> Score:
        text, problem = _readable(completion)
        if problem:
            return Score(0.0, text[:80], problem)
        bodies, problem = strict_sections(text)
        if problem:
            return Score(0.0, text[:400], problem)
        verdicts = judge(sample.metadata["facts"], bodies)
        wrong = [
            verdict.why for verdict in verdicts.values() if verdict.status in ("contradicted", "missing", "leaked")
        ]
        unsure = [verdict.why for verdict in verdicts.values() if verdict.status == "unsure"]
        wrong += unsure if len(unsure) > MAX_UNSURE else []
        wrong = [*_invented(sample, bodies, lexicon, signs), *wrong]
        return Score(float(not wrong), text, "; ".join(wrong or unsure)[:300])

    return score


def form(*, suite_path: str) -> Scorer:
    """1 if the note is S:, O:, A:, P: once each, in this order, none empty, and nothing before or after."""

    def score(sample: Sample, completion: Completion) -> Score:
        text, problem = _readable(completion)
        problem = problem or strict_sections(text)[1]
        return Score(float(not problem), text[:400], problem)

    return score


def form_loose(*, suite_path: str) -> Scorer:
    """1 if four sections in order can be read at all: markdown, full words, a fence and a preamble are passed over."""

    def score(sample: Sample, completion: Completion) -> Score:
        text, problem = _readable(completion)
        problem = problem or ("" if loose_sections(text) else "no four sections in order")
        return Score(float(not problem), text[:400], problem)

    return score


def recall(*, suite_path: str) -> Scorer:
    """The share of required facts that are hit in their section; one that cannot be told is left out. Loose form."""

    def judged(sample: Sample, bodies: Mapping[str, str]) -> tuple[float, str]:
        verdicts = judge(sample.metadata["facts"], bodies)
        names = [str(fact["id"]) for fact in sample.metadata["facts"] if fact.get("required", True)]
        counted = [verdicts[name] for name in names if verdicts[name].status != "unsure"]
        hits = sum(verdict.status == "hit" for verdict in counted)
        return hits / max(1, len(counted)), "; ".join(verdict.why for verdict in counted if verdict.why)

    return _over_sections(judged)


def precision(*, suite_path: str, drugs: str = "drugs.txt", findings: str = "findings.txt") -> Scorer:
    """Of what the note says and can be checked (facts, numbers, drugs), the share that the transcript bears out."""
    lexicon, signs = str(Path(suite_path, drugs)), str(Path(suite_path, findings))

    def judged(sample: Sample, bodies: Mapping[str, str]) -> tuple[float, str]:
        verdicts = judge(sample.metadata["facts"], bodies).values()
        body = "\n".join(bodies.values())
        hits = sum(verdict.status == "hit" for verdict in verdicts)
        against = [verdict.why for verdict in verdicts if verdict.status == "contradicted"]
        strange = _invented(sample, bodies, lexicon, signs)
        good = hits + len(numbers(plain(body))) + len(set(_named(body, _drug_index(lexicon)))) - len(strange)
        bad = len(against) + len(strange)
        return max(0, good) / max(1, good + bad) if hits else 0.0, "; ".join([*against, *strange])

    return _over_sections(judged)


def no_invention(*, suite_path: str, drugs: str = "drugs.txt", findings: str = "findings.txt") -> Scorer:
    """1 if the note contradicts no fact and invents no number and no drug. Loose form; facts may be missing."""
    lexicon, signs = str(Path(suite_path, drugs)), str(Path(suite_path, findings))

    def judged(sample: Sample, bodies: Mapping[str, str]) -> tuple[float, str]:
        verdicts = judge(sample.metadata["facts"], bodies).values()
        wrong = [verdict.why for verdict in verdicts if verdict.status == "contradicted"]
        wrong += _invented(sample, bodies, lexicon, signs)
        return float(not wrong), "; ".join(wrong)

    return _over_sections(judged)


def _readable(completion: Completion) -> tuple[str, str]:
    if len(completion.text) > MAX_CHARACTERS * 4:
        return "", f"{len(completion.text)} characters are no note"
    text = shown(completion.text)
    if not text:
        return "", "empty answer"
    return text, f"{len(text)} characters are no note" if len(text) > MAX_CHARACTERS else ""


def _invented(sample: Sample, bodies: Mapping[str, str], lexicon: str, signs: str) -> list[str]:
    found = [f"invented number {n}" for body in bodies.values() for n in strange_numbers(sample, body)]
    found += [f"invented drug {name}" for name in strange_drugs(sample, "\n".join(bodies.values()), lexicon)]
    return found + [f"invented finding '{words}'" for words in strange_findings(sample, bodies, signs)]


def _over_sections(judged: Callable[[Sample, Mapping[str, str]], tuple[float, str]]) -> Scorer:
    def score(sample: Sample, completion: Completion) -> Score:
        text, problem = _readable(completion)
        bodies = {} if problem else strict_sections(text)[0] or loose_sections(text)
        if not bodies:
            return Score(0.0, text[:80], problem or "no four sections in order")
        value, why = judged(sample, bodies)
        return Score(value, text[:400], why[:300])

    return score
