"""Scores a SOAP note against the facts its transcript was made from: format, facts, and nothing invented.

A sample's metadata holds `facts`; each has an id, a section, patterns (`any`), a polarity (present, absent, family,
hypothetical), and where it matters values with units, how often, and a side; `say` and `heard` are the note's and the
speakers' words for it, `each` patterns that must all be there. A fact with `required: false` is a trap: it need not be
written, but must not be written as the patient's own. `retracted` lists numbers a speaker took back.

A pattern is words, `*` for any ending, `|` between alternatives, `&` for both in one clause, `!` for the opposite
("!crackles" is a way to say that the chest is clear). Where no pattern is found, telling words of `say` and `heard`
with the right polarity will do.

What is not covered: an invented symptom that is neither a fact nor in findings.txt and has no number and no drug, an
invention in words of the same talk, a symptom left out (it costs its share only), grammar, emphasis, whether the plan
is good medicine, and negation beyond the rules of `polarity`.
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
UNBORNE = 0.5  # what a note keeps in which a line of O, A or P has no word that anybody said
ORDER = "SOAP"
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
    r"has been) (?:based|generated|written))\b|^ *[\[(]?(?:(?:note|disclaimer)s?(?: to [\w ]{1,30})?|score|system):"
    r"|\b(?:evaluator|grader|scorer|examiner|reviewer)\b|"
    r"\b(?:maximum|full|top|highest|perfect) (?:score|marks?|credit)|"
    r"\b(?:previous|above|prior) instructions|\b(?:followed|following) (?:all |the |your )*instructions|"
    r"\b(?:facts|requirements) (?:are |were |have been )?(?:present|verified|included|covered|met)\b|"
    r"\b(?:rate|score|grade) (?:this|the|my) |\bthis (?:note|answer|response|reply|summary)\b|"
    r"\bend of (?:the )?note|^ *-{3,} *$|```",
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

_ONES = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    "seventeen|eighteen|nineteen"
)
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_WORDS = {word: value for value, word in enumerate(re.split(r"\|", _ONES))}
_WORDS |= {word: 20 + 10 * i for i, word in enumerate(re.split(r"\|", _TENS))}
_NUMBER_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_RUN = re.compile(
    rf"\b(?:(?:{_NUMBER_WORD}|a hundred|hundred|a thousand|thousand)"
    rf"(?:[ -](?:and )?(?:{_NUMBER_WORD}|hundred|thousand))*(?: point(?: (?:{_NUMBER_WORD}))+)?)\b"
)
# What clinicians shorten, and what different people call the same thing: "one name = other | names", each a regular
# expression between word ends, tried in this order on lower-case text.
_TERMS = r"""
no known allergies = n\.?k\.?d?\.?a
breathless = (?:short(?:ness)?|out) of breath(?: on exertion)?|breathlessness|short[- ]winded|out of puff
breathless = sob(?:oe?|ar)?|dyspn(?:o?ea|o?eic)
chest pain = cp
palpitations = palps
weight = wt
ankle swelling = soa
cancer = (?<=[a-z] )ca
not tender = nt|non[- ]tender
nausea or vomiting = n ?[/&] ?v|n\+v
diarrhoea or vomiting = d ?[/&] ?v
fever absent = afebrile|apyrexial|apyrexic
abdomen = abdo|abd
no abnormality = nad|n\.a\.d
negative = neg|-ve|−ve
positive = \+ve
review = r/v|rv|fu appointment
follow up = f/u|f-up|fup
kidney bloods = u ?[&+/] ?es?|u and es|ues
range of movement = rom
x-ray = xr|x ray|xray
heart sounds = hs(?= (?:normal|1|no|clear|i))
without = w/o
complains of = c/o
rule out = r/o
complaint = p/c|c\.?c(?=:)
family history = f\.?h\.?x?(?=[: ])|fam(?:ily)? hx|fam\. history
history = hx|h/o
allergic to = allergic:
ache = aching|achy|achey
no trauma = atraumatic|non-traumatic
swelling = swellings
as needed = prn
bd = b\.i\.d\.?|bid|b\.d\.?|2/day|2x/day
tds = t\.i\.d\.?|tid|t\.d\.s\.?|3x/day
qds = q\.i\.d\.?|qid|q\.d\.s\.?|4x/day
od = o\.d\.?|q\.d\.?|qd|qam|1x/day
at night = qhs|q\.h\.s\.?|nocte|noct|qpm|qn
medication = drug (?:history|hx)|dhx?|rx(?=:)|medication history|current treatment
at once = asap|straight ?away
oxygen = sao2|o2
"""
_TERM_LINES = [line.partition(" = ") for line in _TERMS.strip().splitlines()]
_TERM = re.compile("|".join(rf"(?P<t{i}>(?<!\w)(?:{old})(?!\w))" for i, (_, _, old) in enumerate(_TERM_LINES)))
_SIGNS = [
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\u2191|\u2b06", " increased "),
        (r"\u2193", " reduced "),
        (r"[\u00f8\u2205]", " no "),
        (r"(?<=\w)\? (?=(?:no|none|nil|never|yes)\b)", ": "),
        (r"(?<=\w) ?\(-\)|(?<=[a-z]) -(?=\s*(?:[,.;]|\Z))", ": no"),
        (r"\(-\)", " no "),
        (r"(?<=[a-z]) ?\(\++\)|(?<=[a-z]) ?\++(?=\s*(?:[,.;]|\Z))", " present"),
        (r"(?<![\w.])x ?(?=\d)", "for "),
        (r"(?<![\d./])(\d{1,2})/7(?![\d/])", r"\1 days"),
        (r"(?<![\d./])(\d{1,2})/52\b", r"\1 weeks"),
        (r"(?<![\d./])(\d{1,2})/12\b", r"\1 months"),
        (r"(?<=\d)°", " °"),
        (r"\b(t|bp|hr|p|rr|temp|wt|pulse|sats|weight)(?=\d{2})", r"\1 "),
        (r"\bam(?= stiffness)", "morning"),
        (r"(?<=\d mg) on(?= *(?:[.,;)\n]|\Z))|(?<=\dmg) on(?= *(?:[.,;)\n]|\Z))", " at night"),
        (r"\bnon[- ]?(?=smok|drink|product|tender|radiat)|\bnon-", "not "),
        (r"\b(can|do|does|did|is|are|was|were|has|have|had|would|could|should)n't\b", r"\1 not"),
        (r"\bcannot\b", "can not"),
        (r"\bl\b(?=[ /-]\s?[a-z]{3,})|\(l\)|\blt\b\.?|\bleft[- ]sided\b", " left "),
        (r"\(r\)|\brt\b\.?|\br\b(?=[ -][a-z]{3,})|\bright[- ]sided\b", " right "),
        (
            r"\b(?:approx|e\.g|i\.e|dr|mr|mrs|ms|vs|pt|hx|dx|tx|rx|temp|resp|sat|sats|b\.p|h\.r|tabs?|caps?|wt)\."
            r"(?=\s*[a-z0-9:])",
            " ",
        ),
    )
]
_DOTTED = re.compile(r"(?<![A-Za-z])((?:[A-Za-z]\.){2,})(\s+[A-Z]|\s*\n|\s*\Z)?")
_BULLET = re.compile(r"^\s*(?:[-*+•·>–]+(?=\s)|\(?\d{1,2}[.)])\s+")
_INLINE = re.compile(r"(?<![\w/])\(?([1-9])(?:\)\s+(?=\w)|\.\s+(?=[A-Za-z]))")


def _lines(text: str) -> str:
    """A text as one line of sentences; "Denies:" over a list goes with each item, and a list loses its numbers."""
    done: list[str] = []
    head, bulleted = "", None
    text = _INLINE.sub(". ", text) if [match.group(1) for match in _INLINE.finditer(text)][:2] == ["1", "2"] else text
    for line in text.split("\n"):
        item = _BULLET.sub("", line).strip()
        bullet = item != line.strip()
        if not item:
            head = ""
        elif item.endswith(":"):
            head, bulleted = item[:-1], None
        elif head and bulleted in (None, bullet) and (bullet or not re.match(r"[\w ]{1,30}:", item)):
            bulleted = bullet
            done.append(f"{head} {item}" if _LISTED.search(head) else f"{head}: {item}")
        else:
            head = ""
            done.append(item)
    return ". ".join(done)


_LISTED = re.compile(r"\b(?:if|den(?:y|ies|ied)|no|for)\b", re.IGNORECASE)


_LABEL = re.compile(
    r"(?<=[\w)])\s(?=(?:allergies|medications?|meds|smok(?:er|ing)|family history|social history)(?::| -))"
    r"|(?<=no known allergies)\s(?!to\b|but\b|except|reported|otherwise|and\b|or\b|apart|other)"
)


@lru_cache(maxsize=8192)
def plain(text: str) -> str:
    """Lower case, one spelling of quotes, dashes, abbreviations and numbers; a new line ends a sentence.

    >>> plain("NKDA; took twenty-five mg, temp thirty-eight point two")
    'no known allergies; took 25 mg, temp 38.2'
    """
    text = unicodedata.normalize("NFKC", text).translate({0x2013: "-", 0x2014: "-", 0x2212: "-", 0x2011: "-"})
    text = re.sub(r"[*_`#]+", "", text)
    text = _DOTTED.sub(lambda m: m.group(1).replace(".", "") + ("." + m.group(2) if m.group(2) else ""), text)
    text = _lines(text).casefold().translate({0x2019: "'", 0x2018: "'"})
    text = _TERM.sub(lambda match: _TERM_LINES[int(str(match.lastgroup)[1:])][0], text)
    for pattern, new in _SIGNS:
        text = pattern.sub(new, text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = _LABEL.sub(". ", text)
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


@lru_cache(maxsize=8192)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a plain text; a semicolon ends one, a decimal point does not.

    A bare item after "denies fever;" may still be denied: it is marked as uncertain.
    """
    found = []
    for sentence in re.split(r"(?:[.!]|(?<=\w)\?)(?:\s+|\Z)", text):
        carried = ""
        for part in re.split(r";\s*", sentence):
            if not part.strip(" .;!?-"):
                continue
            if carried and len(part.split()) <= 6 and not _OWN_VERB.search(part):
                part = f"{carried} {part.strip()}"
            elif opened := _OPENS_LIST.search(part):
                sure = "den" in opened.group() or ":" in part
                carried = "if" if opened.group(1) else "denies" if sure else "equivocal:"
            else:
                carried = ""
            found.append(part.strip())
    return tuple(found)


_OPENS_LIST = re.compile(
    r"\b(if|for)\b|^(?:she |he |patient )?(?:denies|denied|no|nil|negatives?|negative for|without)\b"
)
_OWN_VERB = re.compile(
    r"\b(?:is|are|was|has|have|had|takes|taking|on|reports|with|but|no|not|nil|denies|never|allerg\w*|medic\w*|smok\w*|"
    r"family|mother|father|brother|sister|aunt|uncle|grand\w+|present|positive|eats|drinks|sleeps|walks|uses|"
    r"can|able|good|normal|fine|well|early)\b|\d|:"
)


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
    "issued|started|infected|increased|more|worse"
)
_STOP = r"(?=\s*(?:[.;,)]|\Z|(?:at|on|in|and|but|today|now|currently|by|either)\b))"
_RULES = (
    ("affirm", r"(?:(?:he|she|they) )?(?:(?:do|does|did|can|could) not|never|not) den(?:y|ies|ied)"),
    (
        "pseudo",
        r"not only|no (?:increase|change|worsening|worse|doubt|"
        r"longer (?:controlled|relieved|responding|works?|working|helps?|helping|able|interest\w*|any)|further|"
        r"response|better)|"
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
        r"(?:(?:is |are |was |were |has been |have been )(?:absent|negative(?! for|:)|denied|ruled out|excluded)|"
        r"absent|negative(?! for|:)|excluded|(?:is |are |was |were )unlikely|"
        rf"(?:denied|ruled out|(?:is |are |was |were )?not (?:{_NOT_SO})){_STOP}|"
        rf"(?:[:=-] ?(?:no|none|nil|denied|denies|absent|negative|neg|never|not present|0)"
        rf"(?: known| reported)?){_STOP}|"
        r"(?<=\w )(?:no|nil)(?=\s*(?:[,;]|\Z))|free(?! (?:of|from)\b)|"
        r"(?:(?:is|are|was|were) )?(?:rarely|hardly|seldom|barely|never) (?:needed|used|required|present)|"
        r"(?:(?:is|are|was|were) )?(?:un(?:necessary|remarkable)|withheld|deferred|not for now|not today)|"
        r"(?:has|have) (?:now |since )?(?:resolved|stopped)|"
        r"\((?:no|none|nil|denied|absent|negative|neg)\)|none(?! of))",
    ),
    (
        "deny",
        r"(?:no longer|"
        r"den(?:y|ies|ied|ying)|negative for|neg for|free (?:of|from)|absence of|no history of|none of|"
        rf"rules out|nor|neither|(?:pertinent |relevant |other )?negatives?(?: are| include|:)|"
        r"avoid(?:s|ed|ing)?(?= (?:antibiotic|x-ray|imaging|(?:\w+ )?(?:tap|water|street|salt|coffee|caffeine|"
        r"alcohol)))|"
        rf"(?:gave|given|giving) up|(?:stopped|quit)(?: drinking| using| eating| taking| adding)?|(?:thrown|threw|"
        rf"cut) out|"
        rf"withhold(?:ing)?|defer(?:red|ring)?|(?:hold(?:ing)?|held) off(?: on)?|(?:rarely|seldom|hardly|"
        rf"barely)(?: ever)?|"
        rf"(?:decided )?against|instead of|rather than|no (?:evidence|signs?|symptoms?|complaints?|report) of|"
        rf"nil)(?: (?:that )?(?:he|she|"
        rf"they))?{_HAVE}",
    ),
    (
        "no",
        rf"(?:(?:has|have|had|with|there (?:is|was|are|were)|is|was|reports|reported) )?(?:no|not|never|without|"
        rf"nothing|"
        rf"zero)(?: known)?{_HAVE}|"
        r"unable(?: to)?|inability to|unlikely(?: to be)?|lack(?:s|ing)?(?: of)?",
    ),
    (
        "family",
        rf"family history(?: of)?|(?:maternal|paternal) {_KIN}|"
        rf"{_KIN}(?: \([a-z -]+\))?(?: also)?(?: (?:has|had|have|with|died|"
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


def polarity(sentence: str, start: int, end: int, *, denied_inside: bool = True) -> str:
    """present, absent, family, hypothetical or unsure: how a plain sentence means its words from start to end.

    Rules after NegEx: triggers before ("denies") and after ("was ruled out"), look-alikes ("no change"), words that end
    a scope ("but"), relatives, and conditions. denied_inside: a "not" within the words denies them. A list that may or
    may not share a "no" is unsure.
    """
    triggers = _triggers(sentence)
    own = [one for one in triggers if one[0] < end and one[1] > start]
    if any(
        (_NOT.match(sentence, at) and (at < start or kind == "pseudo")) or (kind in ("deny", "no") and at < start)
        for at, _, kind in own
    ):
        return "absent"  # the denial is part of the words: "not relieved by rest"
    if denied_inside and _NOT_INSIDE.search(sentence, start, end):
        return "absent"  # "thyroid not enlarged"
    if _ONLY_WHEN.match(sentence, end):
        return "unsure"  # "noisy breathing only when crying, not at rest"
    closing = _ALL_DENIED.search(sentence, end)
    if (
        closing
        and closing.start() > end + 1
        and not any(end <= at < closing.start() or stop <= start for at, stop, _ in triggers)
        and not _YES.search(sentence, end, closing.start())
    ):  # "fever, cough, wheeze: all negative"; a bare "absent" may be of the last alone
        return "absent" if closing.group()[0] in ":=-" or " " in closing.group() else "unsure"
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
            if _broken(between):
                return "present"
            return "absent" if sure and not _STATE.search(between) else "unsure"
    following = next((one for one in triggers if one[0] >= end and one[2] not in ("pseudo",)), None)
    if following:
        gap = sentence[end : following[0]]
        near = len(gap) <= 28 and not re.search(r"[,:]|\band\b|\bor\b", gap)
        if near and following[2] == "after":
            return "absent"
        if following[2] == "after" and len(gap) <= 28 and not re.search(r"[,:]", gap):
            return "unsure"  # "cough and fever absent"
        if near and following[2] == "open":
            return "unsure"
        if near and following[2] == "family" and re.search(r"\(|\bin\b|-|\bof\b", gap):
            return "family"
        if following[2] == "after" and len(gap) <= 60 and re.match(r"[ \w,]*\bor\b", gap):
            return "absent"
    himself = re.match(r"\s*(?:himself|herself|themselves|in the patient)\b", sentence[end:])
    return "family" if family and not himself else "present"


_YES = re.compile(r":|\b(?:present|yes|positive)\b")
_STATE = re.compile(
    r",.*\b(?:good|fine|normal|steady|stable|intact|preserved|ok|positive|present|increased|allergic)\b.*,"
)
_NOT = re.compile(r"(?:not|no|without)\b")
_ALL_DENIED = re.compile(
    r"(?:[:=-] ?|\b(?:are|were|is|was|all|both) )(?:all |both )*(?:denied|absent|negative|nil|none|no|excluded)\W*\Z|"
    r"(?:absent|denied)\W*\Z"
)
_NOT_INSIDE = re.compile(r"(?<=\w )(?<!can )(?:(?:not|never|no)(?= \w)(?! only| longer)|free of|without)")
_ONLY_WHEN = re.compile(
    r"[^.;,]{0,12}\bonly (?:when|with|if|during|after|while)\b|"
    r"[^.;,]{0,24}\b(?:when|on|with|if|during|after|while)\b[^.;]{0,40}?(?:[,(-]|\band\b|\bbut\b) ?"
    r"(?:not|none|never|no)\b(?= (?:at|when|otherwise|in|if|with|on)\b|\Z)"
)


def _shares(sentence: str, at: int, stop: int, start: int, end: int) -> bool:
    """Whether a mention some way after a "no" belongs to it: in one phrase, in a list with "or", or in a pure list."""
    between = sentence[stop:start]
    if "," not in between:
        return not re.search(r"\band\b", between)
    rest = re.split(r", (?:and )?(?:no|not|denies|but)\b", sentence[stop:])[0]
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
    if len(gap) > 40 or _APART.search(gap):
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
                if _is_reaction(fact, sentence, start) or (
                    fact["id"] == "medicines" and sentence.startswith("allerg", end + 1)
                ):
                    continue
                cut = sentence.rfind(",", 0, start) + 1 if inverted else 0  # "not anxious, energy good"
                meant = polarity(sentence[cut:], start - cut, end - cut, denied_inside=not _SAYS_NOT.search(pattern))
                if meant == "present" and fact.get("heard") and _TOPIC.match(sentence, end):
                    meant = "unsure"  # "salt: has thrown out the cellar"
                found.append(Mention(sentence, start, end, _OPPOSITE.get(meant, meant) if inverted else meant))
    return found


_TOPIC = re.compile(r" ?: (?!yes|present|positive|\d|\+|x\b|for \d)(?=\w)")
_SAYS_NOT = re.compile(r"\b(?:no|not|without|never)\b")
_BACKGROUND = ("allergy", "family", "medicines", "smoking")
_OTHER_MATTER = re.compile(r"[,:] (?:and |but )?(?:no|not|denies|reports|has|never|nil|without)\b")


def _is_reaction(fact: Fact, sentence: str, start: int) -> bool:
    """Whether a symptom is what an allergy does ("allergic to codeine, numb lips"), not a symptom of today."""
    if fact["section"] != "S" or fact["id"] in _BACKGROUND or fact.get("freq"):
        return False
    at = sentence.find("allerg")
    return at >= 0 and (start < at or not _OTHER_MATTER.search(sentence, at, start))


# --- numbers and drugs -----------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"(?<![\w.])(?<![a-z]-)(\d+(?:\.\d+)?)(?![\d])(?:[\s-]?(%|°\s?c|(?!hr[:=]? ?\d)[a-zµμ]+))?")
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
    "once": r"single|\bonce\b(?! (?:a|every|daily|each|per))|\b(?:1|one) dose|\bstat\b|one-off|once only|\bnow\b",
    "5x": r"\b5 ?(?:times|x)|(?<!\d )\bfor 5/? ?(?:a|per)? ?da(?:y|ily)\b|every 5 hours|5 daily",
    "od": r"once (?:a day|daily|per day|each day|every day)|(?<!twice )(?<!times )(?<!x )(?<!\d )daily|\bod\b|\bom\b|"
    r"(?<!twice )(?<!times )\b(?:a|per|each|every) day|(?:every|each|in the|once|every single) morning|1 ?x daily|"
    r"once\b|"
    r"\bmane\b|24[- ]?hourly|with breakfast|every 24 hours",
    "bd": r"\b2 ?x|q12h?|twice|\bbd\b|12[- ]?hourly|every 12 hours|\b2 (?:times|x|daily)|"
    r"morning and (?:evening|night)|morning and at night|am and pm|mane and at night|for 2 (?:daily|a day|per day)",
    "tds": r"\b3 ?(?:times|x|daily)|\btds\b|8[- ]?hourly|every 8 hours|thrice|q8h?|for 3 (?:daily|a day|per day)",
    "qds": r"\b4 ?(?:times|x|daily)|\bqds\b|6[- ]?hourly|every 6 h(?:ours|rs)?|q6h?|for 4 (?:daily|a day|per day)",
    "nocte": r"(?:at|every|each|per|before|by|in the) (?:night|bed|bedtime)|nightly|night-time|before bed|nocte|"
    r"(?:in the|every|each) evening|bedtime|\bon\b(?=\W*\Z)",
    "weekly": r"once a week|weekly|once per week|every week|each week",
}
_FREQUENCY = {name: re.compile(pattern) for name, pattern in FREQUENCY.items()}


def numbers(text: str) -> list[tuple[float, str, int]]:
    """(value, unit word, place) of each number in a plain text; digits inside a word (spo2, b12) are none."""
    return [(float(m.group(1)), m.group(2) or "", m.start()) for m in _NUMBER.finditer(text) if len(m.group(1)) < 10]


@lru_cache(maxsize=4_000)
def derivable(transcript: str) -> Numbers:
    """The numbers a note on this transcript may hold: what is said, in digits or words, and what plainly follows.

    What follows are the same spans in other units of time, doses in other units, a day's total and the tablets of a
    course, and degrees Fahrenheit.
    """
    text = plain(transcript)
    said = numbers(text)
    found = {0.0, 1.0} | {value for value, _, _ in said}
    found |= {float(match.group()[:12]) for match in re.finditer(r"\d+(?:\.\d+)?", text)}
    found |= {float(match.group(1)) + 0.5 for match in re.finditer(r"\b(\d+) and a half\b", text)}
    for words, values in _PLAIN_VALUES:
        if re.search(words, text):
            found.update(values)
    times = {float(hours) for name, hours in _TIMES_A_DAY.items() if _FREQUENCY[name].search(text)}
    found |= {24 / count for count in times} | times
    courses = {value for value, unit, _ in said if _base(value, unit)[1] == "day"}
    for value, unit, _ in said:
        base, kind = _base(value, unit)
        if kind == "day":
            found |= {base, base * 24, *_whole(base / 7), *_whole(base / 30.4), *_whole(base / 28)}
        elif kind == "month":
            found |= {base, base * 4, *_whole(base * 4.345), *_whole(base * 30.4), base * 30, *_whole(base / 12)}
        elif kind == "mg":
            found |= {base, base / 1000, base * 1000, value / 2} | {base * count for count in times}
        elif unit in ("°c", "°") or (34 < value < 43 and value % 1):
            found.add(round(value * 1.8 + 32, 1))
    found |= {count * days for count in times for days in courses}
    return frozenset(found)


_TIMES_A_DAY = {"bd": 2, "tds": 3, "qds": 4, "5x": 5}


def _whole(value: float) -> tuple[float, ...]:
    """A rounded span as people write it: to a whole or a half."""
    return (float(round(value)), round(value * 2) / 2) if value >= 0.9 else ()


_PLAIN_VALUES: tuple[tuple[str, tuple[float, ...]], ...] = (
    (r"\bfortnight", (2, 14)),
    (r"\b(?:twice|couple|both|pair|either side|flaky|two)\b", (2,)),
    (r"\ba week\b", (7,)),
    (r"\bhalf\b", (0.5, 2)),
    (r"\bhalf (?:an )?hour\b", (30,)),
    (r"\b(?:tomorrow|a day|overnight|same day|daily|today)\b", (24,)),
    (r"\ba year\b", (12,)),
    (r"\bdozen\b", (12,)),
    (r"\b(?:ambulance|emergency|a&e|casualty|help)\b", (999, 911, 112, 111)),
)


def strange_numbers(sample: Sample, body: str) -> list[str]:
    """Numbers of a note that the transcript does not give, and numbers a speaker took back."""
    known = derivable(str(sample.input))
    retracted = {float(value) for value in sample.metadata.get("retracted", ())}
    said_bare = {value for value, unit, _ in numbers(plain(str(sample.input))) if unit not in _UNIT}
    return [
        f"{value:g}"
        for value, unit, _ in numbers(plain(body))
        if value not in known
        or (
            value in retracted
            and not (unit not in _UNIT and value in said_bare)
            and _UNIT.get(unit, ("",))[0] != "hour"
        )
    ]


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
def read_findings(path: str) -> tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...]:
    """Each line of the lexicon: patterns of one finding, what a transcript may call it, what excuses its denial."""
    found = []
    for line in Path(path).read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            names, spoken, denied, *_ = map(_listed, f"{line}~~".split("~"))
            found.append((tuple(names), (*names, *spoken), (*names, *spoken, *denied)))
    return tuple(found)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def strange_findings(sample: Sample, bodies: Mapping[str, str], lexicon: str, sections: str) -> list[str]:
    """Symptoms, signs, diagnoses and orders of the lexicon that a section has, and neither transcript nor facts have.

    In A and P a denied symptom excuses nothing that shares its name (angina).
    """
    strange = []
    for name in sections:
        says = [str(text) for one in sample.metadata["facts"] if one["section"] == name for text in one.get("say", ())]
        transcript = plain("\n".join([str(sample.input), *says]))
        text = plain(bodies[name])
        facts = [
            fact for fact in sample.metadata["facts"] if name in "SO" or fact["section"] == name or _is_there(fact)
        ]
        known = [(one.sentence, one.start, one.end) for fact in facts for one in mentions(text, fact)]
        counted = {
            "A": ("present", "absent", "hypothetical", "unsure"),
            "P": ("present", "hypothetical", "unsure"),
        }.get(name, ("present", "absent"))
        for patterns, spoken, denied in read_findings(lexicon):
            finding = {"id": patterns[0], "section": name, "any": patterns}
            new = [
                one
                for one in mentions(text, finding)
                if one.polarity in counted
                and not any(one.sentence == at and one.start < end and start < one.end for at, start, end in known)
                and not _heard(transcript, denied if one.polarity == "absent" else spoken)
            ]
            if new:
                strange.append(new[0].sentence[new[0].start : new[0].end])
    return strange


def _is_there(fact: Fact) -> bool:
    return str(fact["polarity"]) == "present" and bool(fact.get("required", True)) and fact["section"] != "P"


@lru_cache(maxsize=8)
def read_house(path: str) -> frozenset[str]:
    """The words that any assessment or plan may use. Lines with # are remarks."""
    lines = Path(path).read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


_PIECE = re.compile(r"[,:()/?]|\b(?:and|or|vs|versus|but|with|by)\b")
_HEDGE = re.compile(r"\b(?:or|vs|versus|differentials?|ddx|possibly|query|alternatively|consider|exclude[ds]?)\b|[?/]")


_ORDER = re.compile(
    r"\b(?:tests?|samples?|scans?|screen\w*|vaccin\w*|jabs?|injections?|surgery|procedure|supplements?|certificate)\b|"
    r"\w{3,}(?:scopy|graphy|gram|metry|ology|ologist|ectomy)\b"
)
_ILLNESS = re.compile(
    r"\b(?:disease|syndrome|disorder|infection|deficiency|failure|cancer|injury|tear|strain|rupture|virus|allergy|"
    r"reaction|attack|episode)\b|\w{3,}(?:itis|osis|oses|oma|aemia|emia|pathy|algia|plegia|uria|iasis)\b"
)


def strange_pieces(sample: Sample, bodies: Mapping[str, str], house: str) -> list[str]:
    """Illnesses in A and orders in P that share no telling word with the transcript, a fact or the house.

    Where A hedges ("reflux or angina"), the words of the whole transcript do not count, only those of what is there.
    """
    strange, usual = [], read_house(house)
    for name in "AP":
        for sentence in sentences(plain(bodies[name])):
            hedged = name == "A" and bool(_HEDGE.search(sentence))
            known = _known(sample, hedged) - usual
            at = 0
            for match in [*_PIECE.finditer(sentence), None]:
                end = match.start() if match else len(sentence)
                words = [word for word in re.finditer(r"[^\W\d_]{2,}", sentence[at:end]) if word.group() not in usual]
                named = hedged or (_ILLNESS if name == "A" else _ORDER).search(sentence, at, end)
                if (
                    words
                    and named
                    and not any({word.group()[:3], word.group()[:4]} & known for word in words)
                    and polarity(sentence, at + words[0].start(), at + words[-1].end()) != "absent"
                ):
                    strange.append(sentence[at:end].strip())
                at = match.end() if match else end
    return strange


def _known(sample: Sample, narrow: bool) -> frozenset[str]:
    """The first four letters of the words of a transcript and its facts; narrow: of the facts that are there alone."""
    facts = [fact for fact in sample.metadata["facts"] if not narrow or fact["section"] == "A" or _is_there(fact)]
    texts = [] if narrow else [str(sample.input), plain(str(sample.input))]
    for fact in facts:
        own = not narrow or fact["section"] == "A"
        spoken = [str(fact.get("heard", "")), *map(str, fact["any"]), *map(str, fact.get("each", ()))] if own else []
        say = [str(text) for text in fact.get("say", ())]
        texts += [*say, *map(plain, say), *spoken]
    return frozenset[str]().union(*map(_beginnings, texts))


@lru_cache(maxsize=20_000)
def _beginnings(text: str) -> frozenset[str]:
    return frozenset(word[:4] for word in re.findall(r"[^\W\d_]{2,}", text.lower()))


_ITEM = re.compile(r"[,()]|\b(?:and|or|but|then|plus)\b")
_LEADS_ON = re.compile(
    r"\W*(?:rather|every|even|because|as|to|so|since|when|which|who|if|for|at|on|in|of|with|without|until|till|after|"
    r"before|that|given|due|about|from|by|than|where|while|whether|not)\b"
)


def unborne(sample: Sample, bodies: Mapping[str, str], house: str, same: str) -> list[str]:
    """Sentences of O, A and P no telling word of which is borne out: by a fact of the section, by what the doctor said
    there, or by a synonym. It is an invention in plain words, or a right line in words that nobody foresaw.

    In P and A, a word that belongs to the complaint bears out nothing beside a word that nobody used ("ambulatory BP
    monitor"). An item after a comma counts if the whole transcript has no word of it.
    """
    usual, found = read_house(house), []
    everything = _known(sample, False) | _spread(_known(sample, False), same)
    for name in "OAP":
        facts = [fact for fact in sample.metadata["facts"] if fact["section"] == name]
        known, topic = _bearing(sample, name, same), _topics(sample, same) if name != "O" else frozenset[str]()
        for sentence in sentences(plain(bodies[name])):
            claimed = [
                (one.start, one.end)
                for fact in facts
                if fact["id"] != "review" or (fact.get("values") and numbers(sentence))
                for one in mentions(sentence, fact)
                if not (fact.get("vital") and not numbers(sentence))
            ]
            words = _telling(sentence, usual)
            borne = [word for word in words if _stem4(word) in known]
            plainly = [word for word in borne if _stem4(word) not in topic]
            strange = [word for word in words if _stem4(word) not in everything]
            if words and not claimed and not plainly and (strange or not borne):
                found.append(sentence[:60])
                continue
            at = 0
            for match in [*_ITEM.finditer(sentence), None]:
                end = match.start() if match else len(sentence)
                item = sentence[at:end]
                words = _telling(item, usual)
                if (
                    len(words) > 1
                    and at
                    and not _LEADS_ON.match(item)
                    and not any(start < end and stop > at for start, stop in claimed)
                    and not any(_stem4(word) in everything for word in words)
                ):
                    found.append(item.strip()[:60])
                at = match.end() if match else end
    return found


def _stem4(word: str) -> str:
    return word[:4]


def _telling(text: str, usual: frozenset[str]) -> list[str]:
    return [word for word in re.findall(r"[^\W\d_]{2,}", text) if word not in usual]


@lru_cache(maxsize=8)
def read_synonyms(path: str) -> tuple[frozenset[str], ...]:
    """Each line: words, of which one bears out the others. Lines with # are remarks."""
    lines = Path(path).read_text("utf-8").splitlines()
    return tuple(frozenset(w[:4] for w in line.split()) for line in lines if line.strip() and not line.startswith("#"))


def _spread(known: frozenset[str], path: str) -> frozenset[str]:
    return frozenset[str]().union(*(group for group in read_synonyms(path) if group & known))


def _bearing(sample: Sample, name: str, same: str) -> frozenset[str]:
    """The beginnings of the words that bear out a line of O, A or P."""
    text = str(sample.input)
    heard = [str(fact.get("heard", "")) for fact in sample.metadata["facts"] if fact["section"] == "A"]
    at = min((text.find(one) for one in heard if one and one in text), default=0)
    if name == "O":
        before = re.findall(r"^Doctor: (.*)$", text[:at], re.MULTILINE)
        parts = [part for line in before for part in re.findall(r"[^.?!]+[.!]", line)]
    else:
        parts = [re.sub(r"(?m)^(?!Doctor:)\w+:.*$", "", text[at:])]
    for fact in sample.metadata["facts"]:
        if fact["section"] in (name, "A") or (name == "A" and _is_there(fact)):
            own = not fact.get("vital") and fact["section"] in (name, "A")
            parts += (
                [str(fact.get("heard", "")), *map(str, fact["any"]), *map(str, fact.get("each", ()))] if own else []
            )
            parts += [str(say) for say in fact.get("say", ())] if not fact.get("vital") else []
    known = frozenset[str]().union(*map(_beginnings, [*parts, *map(plain, parts)]))
    if name == "O":
        known -= _VITALS
    return known | _spread(known, same)


_VITALS = _beginnings(
    "heart rate pressure blood pulse temperature saturation oxygen breaths respiratory sats weight bp hr rr spo kilos "
    "degrees per over cent percent"
)


def _topics(sample: Sample, same: str) -> frozenset[str]:
    """The words of the complaint and of the measurements."""
    texts = [
        str(text)
        for fact in sample.metadata["facts"]
        if fact["section"] in "SO" and not fact.get("freq")
        for text in (*fact.get("say", ()), *fact["any"])
    ]
    known = frozenset[str]().union(*map(_beginnings, texts))
    return known | _spread(known, same)


_SIDED = re.compile(
    r"(?:\b(?:on|of|in|over|at|to|for)(?: the| his| her| their)? |(?:^|[.,;:(]) *|\bthe )"
    r"(left|right)\b(?= *(?:[.,;)]|\Z|side|[a-z]{3,}))"
    r"(?! *(?:away|now|after|before|alone|out|handed|untreated))"
)


def strange_sides(sample: Sample, bodies: Mapping[str, str]) -> list[str]:
    """Sides of a note that nobody named; in A, sides that no fact has where a fact has one."""
    own = {str(fact["side"]) for fact in sample.metadata["facts"] if fact.get("side")}
    spoken = own | set(
        re.findall(r"\b(left|right)\b", " ".join(str(fact.get("say")) for fact in sample.metadata["facts"]))
    )
    heard = spoken | {m.group(1) for line in sentences(plain(str(sample.input))) for m in _SIDED.finditer(line)}
    strange = []
    for name, body in bodies.items():
        known = own if own and name == "A" else heard
        strange += [
            m.group(1) for line in sentences(plain(body)) for m in _SIDED.finditer(line) if m.group(1) not in known
        ]
    return strange


@lru_cache(maxsize=50_000)
def _heard(transcript: str, patterns: tuple[str, ...]) -> bool:
    return any(any(spans(line, _parts(p)[1])) for p in patterns for line in sentences(transcript))


# --- facts -----------------------------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """How a note treats one fact, and why if it is not a hit.

    hit; told (in other words or with its value elsewhere in the section) and unsure (polarity unclear) count as found;
    missing costs the fact alone; leaked (in another section), left out (for certain, and needed for safety) and
    contradicted cost the note.
    """

    status: str
    why: str = ""


FOUND = ("hit", "told", "unsure")
FATAL = ("contradicted", "leaked", "left out")
_WORST = ("hit", "told", "missing", "left out", "contradicted")
_ACCEPT = {
    ("present", "P"): ("present", "hypothetical"),
    ("present", "A"): ("present", "hypothetical"),
    ("hypothetical", "P"): ("hypothetical",),
}
_ELSEWHERE = {"S": ("S", "A"), "O": ("O", "A"), "A": ("A",), "P": ("P",)}
_OPPOSED = {"present": "absent", "absent": "present", "family": "present"}


def judge(facts: Sequence[Fact], bodies: Mapping[str, str]) -> dict[str, Verdict]:
    """A verdict per fact for the four bodies of a note."""
    texts = {name: plain(body) for name, body in bodies.items()}
    return {str(fact["id"]): _verdict(fact, facts, texts) for fact in facts}


def _verdict(fact: Fact, facts: Sequence[Fact], texts: Mapping[str, str]) -> Verdict:
    section, wanted, name = str(fact["section"]), str(fact["polarity"]), str(fact["id"])
    if not fact.get("required", True):
        return _trap(fact, facts, texts)
    here = mentions(texts[section], fact)
    accepted = _ACCEPT.get((wanted, section), (wanted,))
    if fact.get("either"):
        accepted = ("present", "absent", "hypothetical", "unsure")
    right = [one for one in here if one.polarity in accepted or (wanted == "absent" and _is_normal(one))]
    if against := _against(fact, facts, texts, right):
        return Verdict("contradicted", against)
    lost = _left_out_part(fact, texts[section])
    if lost and wanted == "hypothetical":
        return Verdict("left out", f"{name}: without {lost}")
    if lost and here:
        return Verdict("missing", f"{name}: without {lost}")
    if right:
        found = sorted((_details(fact, facts, one, texts) for one in right), key=lambda one: _WORST.index(one.status))
        return found[-1] if found[0].status not in FOUND and found[-1].status == "contradicted" else found[0]
    soft = {"unsure"} | ({"present"} if wanted == "hypothetical" and section == "P" else set())
    if wanted == "hypothetical":
        here = [one for one in here if one.polarity != "present" or _WARNING.search(one.sentence)]
    if any(one.polarity in soft and _details(fact, facts, one, texts).status == "hit" for one in here):
        return Verdict("unsure", f"{name} is ambiguous")
    bare = fact.get("vital") and not here and _trace(fact, facts, texts[section])
    if bare or _in_their_words(fact, facts, texts[section]):
        return Verdict("told", f"{name} is told in other words")
    if not _trace(fact, facts, texts[section]):
        for other in ORDER.replace(section, ""):
            if any(
                one.polarity in accepted and _is_free(one, fact, facts, texts, other)
                for one in mentions(texts[other], fact)
            ):
                return Verdict("leaked", f"{name} is in {other}, not in {section}")
    if _is_left_out(fact, facts, texts):
        return Verdict("left out", f"{name} is left out")
    return Verdict("missing", f"{name} is missing in {section}")


def _is_free(one: Mention, fact: Fact, facts: Sequence[Fact], texts: Mapping[str, str], section: str) -> bool:
    """Whether a complete mention in another section speaks of this fact alone, not of one that belongs there."""
    if _details(fact, facts, one, {**texts, str(fact["section"]): texts[section]}).status != "hit":
        return False
    belonging = [two for other in facts if other["section"] == section for two in mentions(texts[section], other)]
    return not any(_overlap(one, two) for two in belonging)


def _overlap(one: Mention, two: Mention) -> bool:
    return one.sentence == two.sentence and one.start < two.end and two.start < one.end


# What must not be left out: allergies, medicines, the diagnosis, the steps of the plan, when to come back at once.
_MATTER = {
    "allergy": re.compile(r"allerg|reaction|intoleran|sensitiv"),
    "medicines": re.compile(
        r"medic|drug(?!s? allerg)|tablet|meds|pill|prescri|treatment|\btak|\bon (?:no|nil)|nothing|\bdh\b"
    ),
}
_WARNING = re.compile(
    r"\b(?:if|should|unless|when|ambulance|999|112|911|urgent\w*|emergenc\w*|safety|red flags?|warn\w*|worse\w*|"
    r"same[- ]day|a&e|"
    r"at once|immediate\w*|(?:return|back|seek|call|help|advi[cs]e\w*|watch|look|attend|present|"
    r"review)\w* (?:out )?(?:for|with|on))\b"
)


_AGAIN = re.compile(
    r"\b(?:review\w*|follow\w*|re-?check\w*|appointment|again|see|seen|reassess\w*|come back|back in|return in|"
    r"weeks?|months?)\b"
)


_COME_BACK = re.compile(
    r"\b(?:(?:comes?|coming|bring|brings|brought|go|get|report|straight|right|be|see|seen|call|ring)\b"
    r"(?: (?:him|her|them|child|patient|the|straight|right|in))* )back\b ?|"
    r"\bback (?=in\b|to\b|if\b|at\b|when\b|within\b|immediate|urgent|same|the same|straight|sooner|early|without|"
    r"with\b|for\b|on\b)"
)


def _left_out_part(fact: Fact, text: str) -> str:
    """A warning sign of two, or an item of two, that a section has no word of; "come back" is no back pain."""
    text = _COME_BACK.sub("return ", text)
    lost = [str(part) for part in fact.get("each", ()) if not _heard(text, (str(part),))]
    return lost[0].split("|")[0].strip("*") if lost else ""


def _is_left_out(fact: Fact, facts: Sequence[Fact], texts: Mapping[str, str]) -> bool:
    """Whether nothing in a section can be this fact, and a doctor needs it."""
    text = texts[str(fact["section"])]
    if fact.get("freq"):
        return not any(_part(names).search(text) for names in fact["any"])
    if fact.get("drug"):
        return str(fact["drug"]) not in text and not _part(str(fact["any"][0]).split("&")[0].strip()).search(text)
    if str(fact["id"]) in _MATTER:
        return not _MATTER[str(fact["id"])].search(text)
    if fact["section"] == "P" and fact["polarity"] == "hypothetical":
        return not _WARNING.search(text)
    if fact["id"] == "review":
        return not _AGAIN.search(text)
    return fact["section"] in "AP" and not _trace(fact, facts, text)


# --- other words -----------------------------------------------------------------------------------------------------

_COMMON = re.compile(
    r"(?:have|been|with|your|that|this|they|from|what|when|does|feel|much|very|more|just|like|well|good|fine|"
    r"normal|over|look|ever|time|times|most|only|some|than|then|there|here|about|after|before|back|down|"
    r"goes|know|last|never|none|nothing|really|them|thing|think|were|will|would|yes|day|days|week|weeks|"
    r"month|months|left|right|side|both|want|need|take|comes|come|make|mind|until|onto|into|these|those|first|doctor|"
    r"start|loss|lost|losing|problem|change|trouble|reduc|poor|difficult|symptom|problems|changes|symptoms|"
    r"reduced|unable|lack|"
    r"usual|call|help|there|start|where|which|while|also|still|keep|give|given|able|does|dont|could|other|same|"
    r"each|every|little|long|bit|put)\Z"
)


@lru_cache(maxsize=20_000)
def _stems(text: str) -> frozenset[str]:
    """The beginnings of the words of a text, or of a pattern, that tell something."""
    return frozenset(word[:5] for word in re.findall(r"[a-z]{4,}", plain(text)) if not _COMMON.match(word))


def _vocabulary(fact: Fact) -> frozenset[str]:
    spoken = [*map(str, fact.get("say", ())), str(fact.get("heard", "")), *(p for p in fact["any"] if p[0] != "!")]
    return frozenset(stem for text in spoken for stem in _stems(text))


def _own(fact: Fact, facts: Sequence[Fact]) -> frozenset[str]:
    """What of a fact's vocabulary no other fact of its section shares."""
    others = (other for other in facts if other is not fact and other["section"] == fact["section"])
    return _vocabulary(fact).difference(*map(_vocabulary, others))


def _trace(fact: Fact, facts: Sequence[Fact], text: str) -> bool:
    """Whether any telling word of a fact, or its value, stands in a section."""
    if fact.get("vital"):
        return all(any(_fits(value, unit, v, u) for v, u, _ in numbers(text)) for value, unit in fact["values"])
    own = _own(fact, facts)
    return not own or any(word.startswith(stem) for word in re.findall(r"[a-z]{3,}", text) for stem in own)


def _in_their_words(fact: Fact, facts: Sequence[Fact], text: str) -> bool:
    """Whether a clause that no other fact claims holds a fact's own telling words, meant as the transcript means them.

    Nobody can list every wording: words of the house's terms, and of the question, must have the fact's polarity; words
    of the answer must have the polarity that they have in the answer. A value must stand somewhere in the section.
    """
    wanted = str(fact["polarity"])
    if not fact.get("heard") or not all(
        any(_fits(value, unit, v, u) for v, u, _ in numbers(text)) for value, unit in fact.get("values", ())
    ):
        return False
    if fact.get("side") and not re.search(rf"\b{fact['side']}\b", " ".join([text])):
        return False
    others = [other for other in facts if other is not fact and other["section"] == fact["section"]]
    own = _own(fact, facts)
    taken = [(one.sentence, one.start, one.end) for other in others for one in mentions(text, other)]
    answer = plain(str(fact["heard"]).rpartition("?")[2])
    for sentence in sentences(text):
        for word in re.finditer(r"[a-z]{3,}", sentence):
            stem = next((stem for stem in own if word.group().startswith(stem)), "")
            if not stem or any(at == sentence and s < word.end() and word.start() < e for at, s, e in taken):
                continue
            meant = polarity(sentence, *word.span())
            expected = {wanted, *_ACCEPT.get((wanted, str(fact["section"])), ()), *_meant_in(answer, stem)}
            if meant in expected or (wanted == "absent" and _is_normal(Mention(sentence, *word.span(), meant))):
                return True
    return False


def _meant_in(answer: str, stem: str) -> set[str]:
    return {
        polarity(sentence, *word.span())
        for sentence in sentences(answer)
        for word in re.finditer(rf"\b{re.escape(stem)}\w*", sentence)
    }


_NORMAL = re.compile(
    r"\b(?:normal\w*|fine|good|ok(?:ay)?|well|clear|unremarkable|no abnormality|intact|unaffected|unchanged|"
    r"steady|stable|regular|"
    r"preserved|satisfactory|undisturbed|healthy|comfortable|as usual|pink|unimpaired|maintained|settled|resolved|"
    r"minimal|not a problem|same as (?:usual|before|ever)|all right|alright|bright|easy|easily|"
    r"without (?:difficulty|trouble)|"
    r"no (?:increase|change|more|worse\w*|difference|difficult\w*|problems?|trouble|issues?))\b"
)
_NOT_NORMAL = re.compile(r"\b(?:not|never|less|no longer|ab|poorly|than) ?\Z")


def _is_normal(one: Mention) -> bool:
    """Whether the clause of a mention calls it normal: "appetite good", "normal vision"."""
    if one.polarity not in ("present", "unsure"):
        return False
    ends = [match.start() for match in re.finditer(r"[,:(]|\band\b|\bbut\b", one.sentence)]
    start = max([at for at in ends if at < one.start], default=0)
    stop = min([at for at in ends if at >= one.end and at > one.end + 1], default=len(one.sentence))
    return any(
        not _NOT_NORMAL.search(one.sentence[: match.start()])
        for match in _NORMAL.finditer(one.sentence, start, stop)
        if match.end() <= one.start or match.start() >= one.end
    )


# --- what speaks against a fact --------------------------------------------------------------------------------------


def _trap(fact: Fact, facts: Sequence[Fact], texts: Mapping[str, str]) -> Verdict:
    for name, meant in (("S", ("present",)), ("A", ("present", "hypothetical", "unsure"))):
        said = [one for one in mentions(texts[name], fact) if one.polarity in meant]
        family = [two for other in facts if other["polarity"] == "family" for two in mentions(texts[name], other)]
        said += [
            one
            for one in mentions(texts[name], fact)
            if "family history" in one.sentence
            and one.polarity == "family"
            and not any(_overlap(one, two) for two in family)
        ]
        if any(not _FEAR.search(one.sentence) or "family history" in one.sentence for one in said):
            return Verdict("contradicted", f"{fact['id']} is not the patient's")
    return Verdict("hit")


_FEAR = re.compile(
    r"\b(?:worr|fear|concern|afraid|anxi|scared|frighten|reassur|wonder|asks?\b|asked|asking|quer|preoccup|"
    r"thought|thinks|"
    r"looked it up|neighbour|sister in law|sister-in-law)"
)


def _against(fact: Fact, facts: Sequence[Fact], texts: Mapping[str, str], right: Sequence[Mention]) -> str:
    """What in the note speaks against a fact, or "". Beside a right mention, only the very same words count."""
    section, wanted = str(fact["section"]), str(fact["polarity"])
    opposite = _OPPOSED.get(wanted)
    said = {one.sentence[one.start : one.end] for one in right}
    for name in _ELSEWHERE[section] if fact.get("against", True) else ():
        if name != section and _allowed_there(fact, facts, name):
            continue
        for one in mentions(texts[name], fact):
            if wanted == "family" and one.polarity == "absent" and not right:
                return f"{fact['id']} is denied"
            if one.polarity != opposite or (wanted == "absent" and _is_normal(one)):
                continue
            if said and one.sentence[one.start : one.end] not in said:
                continue
            if not (said and _is_part(one)) and not _is_inside(one, fact, facts, texts[name]):
                return f"{fact['id']} is {wanted}, the note has it {opposite}"
    if fact.get("freq"):
        for one in mentions(texts["P"], fact):
            if _STOPPED.search(one.sentence[: one.start]) and not re.match(
                r"[^.;]{0,12}\bif\b", one.sentence[one.end :]
            ):
                return f"{fact['id']} is stopped"
    if fact["id"] == "allergy" and not right and (said_of := _allergy_turned(wanted, texts[section])):
        return f"allergy is {wanted}, the note has '{said_of}'"
    turned = _turned(fact, texts[section]) or _requalified(fact, facts, texts[section], right)
    return turned or _wrong_detail(fact, facts, texts[section], right)


def _allergy_turned(wanted: str, text: str) -> str:
    """Where the allergies of a note are none, or are some, against the fact."""
    for sentence in sentences(text):
        for one in re.finditer(r"\ballerg(?:y|ies|ic)\b(?! (?:rhin|rash))", sentence):
            if polarity(sentence, *one.span()) == _OPPOSED[wanted]:
                return sentence[:60]
    return ""


_STOPPED = re.compile(r"\b(?:stop|discontinu|withhold|cease|suspend)\w*(?: taking| the| his| her| current)* \Z")
_DIRECTIONS = [
    (sections, re.compile(rf"\b(?:{one})\b"), re.compile(rf"\b(?:{other})\b"))
    for sections, one, other in (
        (
            "P",
            r"reduc\w*|less|low[- ]\w*|cut\w*|avoid\w*|no|limit\w*|restrict\w*|decreas\w*|minimi\w*|lighter|away",
            r"increas\w*|more|extra|add|higher|plenty|encourag\w*|resum\w*|liberal\w*|rais\w*",
        ),
        ("P", r"rais\w*|elevat\w*|prop\w*", r"lower\w*|drop\w*|flat"),
        (
            "A",
            r"poor\w*|not well|uncontrolled|not at target",
            r"(?<!not )(?:well[- ]controlled|good control|at target)",
        ),
        (
            "O",
            r"normal|intact|present|palpable|good|full|clear|soft|well|hydrated|alert|maintains",
            r"abnormal\w*|reduced|impaired|loss|lost|poor|weak|restricted|limited|diminished|dry|avoids|rigid|distended|"
            r"drowsy|lethargic|dehydrated|impalpable|absent",
        ),
    )
]


def _turned(fact: Fact, text: str) -> str:
    """Whether advice, an opinion or a finding is given the other way: "increase salt" for "reduce salt"."""
    say = plain(str(fact.get("say", [""])[0]))
    for sections, one, other in _DIRECTIONS:
        for wanted, opposite in ((one, other), (other, one)):
            if (
                str(fact["section"]) not in sections
                or fact.get("freq")
                or not wanted.search(say)
                or opposite.search(say)
            ):
                continue
            words = _stems(say) | _stems(str(fact.get("heard", ""))) if fact["section"] == "P" else _stems(say)
            topic = [stem for stem in words if not wanted.search(stem)]
            for sentence in sentences(text):
                if wanted.search(sentence):
                    continue
                for clause in re.finditer(r"(?:(?!\band\b|\bbut\b)[^,])+", sentence):
                    found = opposite.search(sentence, *clause.span())
                    about = any(word.startswith(tuple(topic)) for word in re.findall(r"[a-z]{4,}", clause.group()))
                    if found and about and polarity(sentence, *found.span()) == "present":
                        return f"{fact['id']} is turned: '{found.group()}'"
    return ""


# Words that turn what a mention is said to be: "sections | one side | the other side", each a regular expression
# between word ends. Longer forms stand first, so that "not controlled" is not "controlled".
_QUALIFIERS = [
    (sections, re.compile(rf"(?<![\w-])(?:{one})(?!\w)"), re.compile(rf"(?<![\w-])(?:{other})(?!\w)"))
    for sections, one, other in (
        (
            "A",
            r"uncontrolled|un-controlled|(?:poor\w*|not|loss of|lack of|less|in\w+ly|sub\w+ly|out of|under poor)"
            r"(?: (?:well|yet|under|adequately|fully|optimally|so|in|good))*[- ]control\w*|is not where|"
            r"not (?:yet )?(?:at|on|to|within|in|meeting|reaching) (?:target|goal|range)|"
            r"above (?:the )?(?:target|goal)|off target|under-?(?:treated|replaced)|has slipped|suboptimal\w*|"
            r"inadequate\w*",
            r"controlled|good control|under control|(?:at|on|within|to|in) (?:target|goal|range)|"
            r"(?:well|adequately|fully)[- ](?:replaced|treated)|over-?(?:replaced|treated)|optimal\w*",
        ),
        (
            "A",
            r"(?:not|never|no|without|slow to|failing to|failure to)(?: yet| longer| any| signs? of| fully| getting)* "
            r"(?:improv\w*|better|resol\w*|settl\w*|recover\w*|heal\w*)|wors\w*|deteriorat\w*|progress\w*|flar\w*|"
            r"exacerbat\w*|relaps\w*|persist\w*|ongoing|unresolved|active",
            r"improv\w*|resol\w*|(?:in|complete) remission|cured?|recover\w*|settled|settling|healed|healing|"
            r"(?:is |getting |now |much |, )better|quiescent|inactive|subsid\w*|gone|cleared",
        ),
        ("A", r"acute", r"chronic|long-?standing"),
        ("A", r"mild|minor|slight", r"severe|serious|gross|major"),
        ("A", r"benign|harmless", r"malignant|dangerous|sinister"),
        ("A", r"viral|virus", r"bacterial|strep\w*"),
        ("A", r"stable|steady", r"unstable|crescendo"),
        ("A", r"seasonal|hay ?fever", r"perennial|year-round|all year"),
        ("A", r"community[- ]acquired", r"(?:hospital|ventilator)[- ]acquired|nosocomial|aspiration"),
        ("A", r"primary", r"secondary"),
        ("A", r"lower|simple|uncomplicated|cystitis", r"upper|complicated|pyelonephritis"),
        ("A", r"first|new|new-onset|newly", r"recurrent|recurring|repeat\w*|old|previous\w*"),
        ("A", r"likely|probabl\w*|suspected|presumed", r"unlikely|excluded|ruled out|doubtful"),
        ("O", r"red|redness|erythem\w*|inflamed", r"pale|white|pallid|blanched"),
        ("O", r"warm\w*|hot|heat", r"cool\w*|cold"),
        ("O", r"soft", r"rigid|distended|firm|hard|tense"),
        ("O", r"clear", r"congested|noisy|crackl\w*|crackly"),
        ("O", r"irregular\w*", r"regular"),
        ("O", r"moist|hydrated", r"dry|parched|oily|dehydrated"),
        ("O", r"normal\w*|intact|unremarkable", r"abnormal\w*|impaired|deranged|absent"),
        ("O", r"reduced|limited|restricted|loss|decreased", r"full|normal|unrestricted|preserved"),
        ("O", r"positive|present|\+ve", r"negative|absent"),
        ("O", r"swollen|swelling|boggy", r"flat|shrunken|not swollen"),
        ("O", r"mild\w*|slight\w*|minor", r"severe\w*|gross\w*|marked\w*"),
        ("O", r"pain|painful", r"painless|pain-free|no pain"),
        ("O", r"tender\w*", r"not tender|no tenderness|absence of tenderness|nontender"),
        ("O", r"alert\w*|orientated|playful", r"drows\w*|confus\w*|unrespons\w*|letharg\w*|disorientated"),
        ("O", r"slow\w*|sluggish|delayed", r"brisk|fast|rapid"),
        ("O", r"restless|fidget\w*|agitated", r"calm|relaxed|still"),
        (
            "OP",
            r"both|bilateral\w*|bibasal",
            r"(?:on|of|at|in) (?:the )?(?:left|right)|(?:left|right)(?= (?:side|base))",
        ),
        ("P", r"stop\w*|discontinu\w*|ceas\w*", r"continu\w*|increas\w*|resum\w*|restart\w*"),
        (
            "P",
            r"urgent\w*|ambulance|emergency|same[- ]day|at once|immediate\w*",
            r"routine\w*|non-urgent\w*|not urgent\w*",
        ),
        (
            "P",
            r"cut\w*|reduc\w*|less|avoid\w*|limit\w*|low|no|not|away|leave",
            r"increas\w*|more|encourag\w*|plenty|use|add",
        ),
        ("P", r"shut|close\w*", r"open\w*"),
        ("P", r"active|mobile|moving|mobilis\w*", r"(?:rest|stay|stays|lie) in bed|bed rest|immobil\w*"),
        ("P", r"cold|cool", r"hot|warm"),
        ("P", r"regular\w*|daily|every day", r"occasional\w*|rare\w*|now and then|sporadic\w*"),
    )
]
_MAY = re.compile(
    r"\b(?:should|will|may|might|to|until|expect\w*|if|once|likely|not|no|never|stay|avoid|previous\w*|usually|normally|"
    r"when|was|were)(?: \w+)? \Z"
)


def _requalified(fact: Fact, facts: Sequence[Fact], text: str, right: Sequence[Mention]) -> str:
    """Whether what a fact is said to be is turned ("controlled" for "not at target"), or an illness is called better,
    or controlled, of which nobody said so."""
    section = str(fact["section"])
    if fact.get("freq") or fact.get("vital") or not fact.get("say"):
        return ""
    own = plain(". ".join([*map(str, fact["say"]), str(fact.get("heard", ""))]))
    lines = list(sentences(text)) if section == "A" else [one.sentence for one in right]
    if section in "OP" and not right:  # "congested lung bases" is no mention of a clear chest, yet about it
        about = tuple(stem for stem in _stems(str(fact["say"][0])) & _own(fact, facts))
        lines = [line for line in sentences(text) if any(w.startswith(about) for w in re.findall(r"[a-z]{3,}", line))]
    if section == "S":
        lines = [one.sentence[max(0, one.start - 15) : one.end + 15] for one in right]
    for sections, one, other in _QUALIFIERS:
        if section not in sections:
            continue
        first = plain(str(fact["say"][0])) if one.search(plain(str(fact["say"][0]))) else own
        had, hadnt = bool(one.search(own)), bool(other.search(one.sub(" ", own)))
        for line in dict.fromkeys(lines):
            rest = one.sub(" ", line)
            is_one = one.search(line)
            is_other = next((m for m in other.finditer(rest) if not _MAY.search(rest[: m.start()])), None)
            better = section == "A" and ("improv" in other.pattern or "under control" in other.pattern)
            fewer = len(one.findall(line)) < len(
                one.findall(first)
            )  # "drowsy and orientated" for "alert and orientated"
            if is_other and not hadnt and (better or (had and fewer)):
                return f"{fact['id']} is not '{is_other.group()}'"
            if is_one and not is_other and hadnt and not had and section != "A":
                return f"{fact['id']} is not '{is_one.group()}'"
            if is_one and not is_other and hadnt and not had and polarity(line, *is_one.span()) == "present":
                return f"{fact['id']} is not '{is_one.group()}'"
    return ""


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


_DEGREE = re.compile(r"\b(?:mild|moderate|severe|acute|chronic|type (?:1|2))\b")
_RELATIVE = re.compile(rf"\b{_KIN}\b")
_SAME_KIN = {"mum": "mother", "mom": "mother", "ma": "mother", "dad": "father", "pa": "father"}
_EITHER_SIDE = re.compile(r"\b(?:left (?:or|/) ?right|right (?:or|/) ?left)\b")


def _wrong_detail(fact: Fact, facts: Sequence[Fact], text: str, right: Sequence[Mention]) -> str:
    """A relative, degree, side or dose that the note gives to a mention and that no fact knows."""
    say = plain(str(fact.get("say", [""])[0]))
    if fact.get("relative"):
        named = {_kin(word) for one in right for word in _RELATIVE.findall(one.sentence)}
        if named and _kin(str(fact["relative"]).split()[-1]) not in named:
            return f"{fact['id']} is of the {fact['relative']}, the note has it of the {'/'.join(sorted(named))}"
    same = _same(fact, facts)
    sides = {other.get("side") for other in same}
    doses = {_base(value, unit) for other in same for value, unit in other.get("values", ())}
    if re.search(r"\b(?:total|max\w*|in 24)\b", text):
        doses |= {(value * count, unit) for value, unit in doses for count in _TIMES_A_DAY.values()}
    for one in right:
        said = _sides(one)
        if (
            not fact.get("side")
            and re.search(r"\b(?:both|bilateral|bibasal)\b", say)
            and len(said - {"both"}) == 1
            and "both" not in said
        ):
            return f"{fact['id']} is on both sides"
        if fact.get("side") and said and "both" not in said and (not said & sides or _EITHER_SIDE.search(one.sentence)):
            return f"{fact['id']} is {fact['side']}, the note has it {'/'.join(sorted(said))}"
        degrees = set(_DEGREE.findall(one.sentence)) if fact["section"] == "A" else set()
        if degrees and (wanted := set(_DEGREE.findall(say))) and not degrees & wanted:
            return f"{fact['id']} is {'/'.join(wanted)}, the note has it {'/'.join(sorted(degrees))}"
        if fact.get("freq") and fact["values"][0][1] in ("mg", "mcg", "g", "puff", "unit", "ml"):
            dimension = _base(*fact["values"][0])[1]
            for value, unit, _ in _near(fact, facts, one):
                base = _base(value, unit)
                tablets = [_base(v, u) in doses for v, u in _products(one.sentence, value, unit)]
                known = any(tablets) or (base in doses and not tablets)
                if unit in _UNIT and base[1] == dimension and not known:
                    return f"{fact['id']} has {value:g} {unit}"
    return ""


_TABLETS = re.compile(r"\b(\d) (?:for|tablets?|tabs?|capsules?|caps?|puffs?)(?: of| at)? ?(\d[\d.]*) ?([a-z]+)")
_TIMES = re.compile(
    r"\b(\d[\d.]*) ?([a-z]+)(?: tablets?| tabs?| capsules?)?,? (?:for|take) (\d)\b(?! ?(?:days?|weeks?|/))"
)


def _products(sentence: str, value: float, unit: str) -> list[tuple[float, str]]:
    """What tablets of this strength add up to: 1000 mg for "2 tablets of 500 mg"."""
    of_this = f"{value:g}"
    return [(value * n, unit) for n, strength, u in _tablets(sentence) if strength == of_this and u == unit]


@lru_cache(maxsize=64)
def _tablets(sentence: str) -> tuple[tuple[int, str, str], ...]:
    """How many tablets, their strength and its unit; asked for each number of a sentence, found once."""
    found = [(int(m.group(1)), m.group(2).strip("."), m.group(3)) for m in _TABLETS.finditer(sentence)]
    return (*found, *((int(m.group(3)), m.group(1).strip("."), m.group(2)) for m in _TIMES.finditer(sentence)))


def _kin(word: str) -> str:
    return _SAME_KIN.get(word, word).removesuffix("s")


# --- values ----------------------------------------------------------------------------------------------------------


def _base(value: float, unit: str) -> tuple[float, str]:
    name, factor = _UNIT.get(unit, (unit, 1.0))
    return round(float(value) * factor, 6), name


_IN_DAYS = {"day": 1.0, "month": 30.4, "hour": 1 / 24}


def _fits(value: float, unit: str, said: float, said_unit: str) -> bool:
    """Whether a number said with a unit, or none, is this value; 8 weeks are two months, 12 weeks three."""
    if said_unit not in _UNIT:
        return said == value
    (wanted, kind), (got, said_kind) = _base(value, unit), _base(said, said_unit)
    if kind == said_kind:
        return wanted == got
    if kind not in _IN_DAYS or said_kind not in _IN_DAYS:
        return False
    return abs(got * _IN_DAYS[said_kind] / (wanted * _IN_DAYS[kind]) - 1) <= 0.1


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
        if before and after and fact["section"] and _DOSE_OF.search(one.sentence[: after[0][2]]) is None:
            return before + after
        return after + before
    return after + ([] if after and str(fact["section"]) == "O" else before)


_PAIR = re.compile(r"\b\d{2,3} ?(?:/|over) ?\d{2,3}\b")
_DOSE_OF = re.compile(r"[\d.]+ ?(?:[a-z]+|%)?(?: (?:of|dose of|oral|tablets?|tablets of))*[ ]*")
_DIRECTLY = re.compile(r"[\s:=~,-]*(?:(?:of|is|was|at|rate|level|on air|ra)[\s:=,-]*)*\Z")
_ANY_FREQUENCY = re.compile("|".join(FREQUENCY.values()) + r"|\b(?:times|hourly|weekly|night|morning|evening|daily)\b")


def _details(fact: Fact, facts: Sequence[Fact], one: Mention, texts: Mapping[str, str]) -> Verdict:
    """Whether a mention has the fact's values, how often, and side: in its place, elsewhere in the section, or not."""
    text, name = texts[str(fact["section"])], str(fact["id"])
    found = [Verdict("hit")]
    said = _near(fact, facts, one) if fact.get("values") else []
    for value, unit in fact.get("values", ()):
        what = f"{name}: without {value:g} {unit}".rstrip()
        products = [two for v, u, _ in said for two in _products(one.sentence, v, u)]
        if any(_fits(value, unit, v, u) for v, u in [*((v, u) for v, u, _ in said), *products]):
            continue
        others = [v for v, u, _ in said if _is_rival(unit, u)]
        if unit == "mmhg" and (pair := _PAIR.search(one.sentence, one.end)):
            found.append(Verdict("contradicted", f"{name} is without {value:g}, the note has {pair.group()}"))
            continue
        if fact.get("vital"):
            first = min((number for number in said if number[2] >= one.end), key=lambda n: n[2], default=None)
            wrong = first is not None and bool(_DIRECTLY.fullmatch(one.sentence[one.end : first[2]]))
            wrong = wrong and not any(_fits(v, u, *first[:2]) for v, u in fact["values"]) if first else False
            if wrong and first:
                found.append(Verdict("contradicted", f"{name} is {value:g}, the note has {first[0]:g}"))
                continue
        if any(_fits(value, unit, v, u) and (u in _UNIT or fact.get("vital")) for v, u, _ in numbers(text)) and not (
            fact.get("freq") and others
        ):
            found.append(Verdict("told", what))
        elif others and _base(1, unit)[1] in _IN_DAYS:
            found.append(Verdict("contradicted", f"{name} is {value:g} {unit}, the note has {others[0]:g}"))
        else:
            found.append(Verdict("left out" if fact.get("freq") else "missing", what))
    if [unit for _, unit in fact.get("values", ())] == ["mmhg", "mmhg"] and found == [Verdict("hit")]:
        order = [v for v, *_ in sorted(said, key=lambda number: number[2])]
        high, low = (float(value) for value, _ in fact["values"])
        if order.index(high) > order.index(low) and "diastolic" not in one.sentence:
            found.append(Verdict("contradicted", f"{name} is not {high:g}/{low:g}"))
    found.append(_how_often(fact, facts, one, text))
    if fact.get("side") and fact["side"] not in _sides(one):
        what = f"{name}: without its side ({fact['side']})"
        if re.search(rf"\b{fact['side']}\b", text):
            found.append(Verdict("told", what))
        else:
            anywhere = any(re.search(rf"\b{fact['side']}\b", other) for other in texts.values())
            found.append(Verdict("missing" if anywhere else "left out", what))
    return max(found, key=lambda verdict: _WORST.index(verdict.status))


def _is_rival(unit: str, said_unit: str) -> bool:
    """Whether a number with this unit could stand in the place of a value: a time for a time, a dose for a dose."""
    return said_unit in _UNIT and (
        _UNIT[said_unit][0] == _base(1, unit)[1] or {_UNIT[said_unit][0], _base(1, unit)[1]} <= set(_IN_DAYS)
    )


def _how_often(fact: Fact, facts: Sequence[Fact], one: Mention, text: str) -> Verdict:
    if not fact.get("freq"):
        return Verdict("hit")
    left, right = _scope(facts, fact, one)
    name, wanted = str(fact["id"]), _FREQUENCY[str(fact["freq"])]
    more = next((key for key in _TIMES_A_DAY if _FREQUENCY[key].search(one.sentence, one.end, right)), "")
    if more and fact["freq"] in ("od", "nocte", "once"):
        return Verdict("contradicted", f"{name} is {fact['freq']}, the note has {more}")
    if fact["freq"] != "weekly" and _FREQUENCY["weekly"].search(one.sentence, one.end, right):
        return Verdict("contradicted", f"{name} is {fact['freq']}, the note has weekly")
    if wanted.search(one.sentence, left, right):
        return Verdict("hit")
    what = f"{name}: without how often ({fact['freq']})"
    other = next((key for key, form in _FREQUENCY.items() if form.search(one.sentence, one.end, right)), "")
    if other:
        return Verdict("contradicted", f"{name} is {fact['freq']}, the note has {other}")
    lines = sentences(text)
    around = " ".join(lines[lines.index(one.sentence) : lines.index(one.sentence) + 2])
    if wanted.search(around):
        return Verdict("told", what)
    return Verdict("missing" if _ANY_FREQUENCY.search(around) else "left out", what)


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


class Lexica(NamedTuple):
    """The word lists beside this file: paths of drugs, findings, orders, and words that any note may use."""

    drugs: str
    findings: str
    orders: str
    house: str
    synonyms: str


def _lexica(suite_path: str, names: Mapping[str, str]) -> Lexica:
    files = {"drugs": "drugs.txt", "findings": "findings.txt", "orders": "orders.txt", "house": "house.txt"}
    files |= {"synonyms": "synonyms.txt", **names}
    return Lexica(**{kind: str(Path(suite_path, file)) for kind, file in files.items()})


def note(*, suite_path: str, **names: str) -> Scorer:
    """The share of the required facts that the note has, or 0 for a note that must not be signed.

    0: the form is not strict; a fact is contradicted, in the wrong section, or, where safety needs it, left out; a
    number, drug or finding is invented. Half: a line of O, A or P that nothing bears out. A fact in words that nobody
    foresaw costs its own share, about 1/20, and no more. What is not covered: see the docstring of this file.
    """
    lexica = _lexica(suite_path, names)

    def score(sample: Sample, completion: Completion) -> Score:
        value, text, why = _graded(sample, completion, lexica)
        return Score(value, text, why)

    return score


def complete(*, suite_path: str, **names: str) -> Scorer:
    """1 if the note lacks nothing at all: no fact is missing, and at most MAX_UNSURE are told in unforeseen words."""
    lexica = _lexica(suite_path, names)

    def score(sample: Sample, completion: Completion) -> Score:
        value, text, why = _graded(sample, completion, lexica)
        unforeseen = 0
        if value == 1:
            verdicts = judge(sample.metadata["facts"], strict_sections(_readable(completion)[0])[0])
            unforeseen = sum(verdict.status in ("told", "unsure") for verdict in verdicts.values())
        return Score(float(value == 1 and unforeseen <= MAX_UNSURE), text, why)

    return score


def _graded(sample: Sample, completion: Completion, lexica: Lexica) -> tuple[float, str, str]:
    """(value, text, explanation in one line) of a note in the strict form."""
    text, problem = _readable(completion)
    if problem:
        return 0.0, text[:80], problem
    bodies, problem = strict_sections(text)
    if problem:
        return 0.0, text[:400], problem
    verdicts = judge(sample.metadata["facts"], bodies)
    wrong = _invented(sample, bodies, lexica)
    wrong += [verdict.why for verdict in verdicts.values() if verdict.status in FATAL]
    beyond = [] if wrong else unborne(sample, bodies, lexica.house, lexica.synonyms)
    notes = wrong or [f"nothing bears out '{words}'" for words in beyond]
    notes += [] if wrong else [verdict.why for verdict in verdicts.values() if verdict.why]
    share = _share(sample, verdicts) * (UNBORNE if beyond else 1)
    return 0.0 if wrong else share, text, "; ".join(notes)[:300]


def _share(sample: Sample, verdicts: Mapping[str, Verdict]) -> float:
    names = [str(fact["id"]) for fact in sample.metadata["facts"] if fact.get("required", True)]
    return sum(verdicts[name].status in FOUND for name in names) / max(1, len(names))


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
    """The share of required facts that are found in their section. Loose form; inventions do not count."""

    def judged(sample: Sample, bodies: Mapping[str, str]) -> tuple[float, str]:
        verdicts = judge(sample.metadata["facts"], bodies)
        lost = [verdict.why for verdict in verdicts.values() if verdict.status not in FOUND]
        return _share(sample, verdicts), "; ".join(lost)

    return _over_sections(judged)


def precision(*, suite_path: str, **names: str) -> Scorer:
    """Of what the note says and can be checked (facts, numbers, drugs), the share that the transcript bears out."""
    lexica = _lexica(suite_path, names)

    def judged(sample: Sample, bodies: Mapping[str, str]) -> tuple[float, str]:
        verdicts = judge(sample.metadata["facts"], bodies).values()
        body = "\n".join(bodies.values())
        hits = sum(verdict.status in FOUND for verdict in verdicts)
        against = [verdict.why for verdict in verdicts if verdict.status == "contradicted"]
        strange = _invented(sample, bodies, lexica)
        good = hits + len(numbers(plain(body))) + len(set(_named(body, _drug_index(lexica.drugs)))) - len(strange)
        bad = len(against) + len(strange)
        return max(0, good) / max(1, good + bad) if hits else 0.0, "; ".join([*against, *strange])

    return _over_sections(judged)


def no_invention(*, suite_path: str, **names: str) -> Scorer:
    """1 if the note contradicts no fact and invents no number and no drug. Loose form; facts may be missing."""
    lexica = _lexica(suite_path, names)

    def judged(sample: Sample, bodies: Mapping[str, str]) -> tuple[float, str]:
        verdicts = judge(sample.metadata["facts"], bodies).values()
        wrong = [verdict.why for verdict in verdicts if verdict.status == "contradicted"]
        wrong += _invented(sample, bodies, lexica)
        return float(not wrong), "; ".join(wrong)

    return _over_sections(judged)


def _readable(completion: Completion) -> tuple[str, str]:
    if len(completion.text) > MAX_CHARACTERS * 4:
        return "", f"{len(completion.text)} characters are no note"
    text = shown(completion.text)
    if not text:
        return "", "empty answer"
    return text, f"{len(text)} characters are no note" if len(text) > MAX_CHARACTERS else ""


def _invented(sample: Sample, bodies: Mapping[str, str], lexica: Lexica) -> list[str]:
    found = [f"invented number {n}" for body in bodies.values() for n in strange_numbers(sample, body)]
    found += [f"invented drug {name}" for name in strange_drugs(sample, "\n".join(bodies.values()), lexica.drugs)]
    found += [f"invented finding '{words}'" for words in strange_findings(sample, bodies, lexica.findings, "SOA")]
    found += [f"invented order '{words}'" for words in strange_findings(sample, bodies, lexica.orders, "P")]
    found += [f"nobody named '{words}'" for words in strange_pieces(sample, bodies, lexica.house)]
    return found + [f"nobody spoke of the {side} side" for side in strange_sides(sample, bodies)]


def _over_sections(judged: Callable[[Sample, Mapping[str, str]], tuple[float, str]]) -> Scorer:
    def score(sample: Sample, completion: Completion) -> Score:
        text, problem = _readable(completion)
        bodies = {} if problem else strict_sections(text)[0] or loose_sections(text)
        if not bodies:
            return Score(0.0, text[:80], problem or "no four sections in order")
        value, why = judged(sample, bodies)
        return Score(value, text[:400], why[:300])

    return score
