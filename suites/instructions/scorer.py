"""Chains of instructions: one small check per kind of instruction, and one for the answer itself.

A sample's metadata holds `checks`, a list of {"kind": ..., arguments}, and the answer: `facts` (each a list of
wordings, one of which must be there), `rivals` (wrong answers), `also` (further numbers that may be named) and
`negative` (the question itself denies, so a denial beside the fact is no fault).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise, permutations
from typing import Any

from harness.data import Completion, Sample, Score, Scorer
from harness.scorers.text import words

Check = Mapping[str, Any]

MAX_RAW = 200_000
MAX_CHARACTERS = 1_500
LENGTHS = {"words_exact", "words_most", "words_between", "sentences", "characters_most", "line_words"}
LENGTHS |= {"bullets", "numbered", "lines", "separated"}
_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BULLET = re.compile(r"[-*•]\s+\S")
_NUMBER_LABEL = re.compile(r"\A(\d+)[.)]\s+")
_LABEL = re.compile(r"\A(?:[-*•]|\d+[.)])\s+")
_WORD = re.compile(r"[^\s—]+")
_PLAIN = re.compile(r"[^\W_]+(?:['’.,:-][^\W_]+)*")
_ABBREVIATION = re.compile(r"(?:\A|[\s(])(?i:dr|mr|mrs|ms|st|approx|e\.g|i\.e)\.\Z|(?:\A|[^\d\s]\s)[A-Z]\.\Z")
_NUMERO = re.compile(r"(?i)\bno\.\Z")
_CLOCK = re.compile(r"\b[ap]\.m\.\Z", re.IGNORECASE)
_STOP = re.compile(r"[.!?…]+[\"'”’)\]*]*(?=\s|\Z)")
_NEGATION = re.compile(r"\A(?:not|never|nor|neither|cannot|\w+n't)\Z")
_BOUND = frozenset(["but", "later", "earlier", "before", "until", "after", "more", "less", "only", "just", "least"])
_HEDGE = re.compile(r"\b(?:or|maybe|perhaps|possibly|alternatively|unless)\b", re.IGNORECASE)
_DAYS = {day[:3]: day for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")}
_MONTHS = frozenset(("january", "february", "march", "april", "june", "july", "august", "september", "october"))
_MONTHS |= {"november", "december"}
_MONEY = frozenset(("cent", "euro", "dollar", "pound", "franc"))
_TIME = frozenset(("second", "minute", "hour", "day", "week", "month", "year"))
_LENGTH = frozenset(("km", "metre", "mile"))
_LINKS = frozenset(("and", "for", "with", "from", "not", "are", "was", "has", "have", "per", "until", "into", "before"))
_LINKS |= {
    "put",
    "take",
    "bring",
    "get",
    "keep",
    "leave",
    "use",
    "hang",
    "give",
    "make",
    "need",
    "want",
    "wash",
    "clean",
}
_LINKS |= {"must", "should", "can", "will"}
_TURNED = ("of", "for", "with", "in", "from", "made of", "full of", "without")
_TURNED += ("that is", "that are", "which is", "which are", "that is still", "that are still", "still")
_HOUR = r"(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|1[0-2]|[1-9])"
_TO_PAST = re.compile(
    rf"\b(five|ten|(?:a )?quarter|twenty(?:-five)?|half|5|10|20|25) (?:minutes )?(past|to|before|after) "
    rf"{_HOUR}\b(?![:.]\d)",
    re.IGNORECASE,
)
_DAYPART = re.compile(rf"\b{_HOUR}(?: o'clock)? (?:in the|at) (morning|afternoon|evening|night)\b", re.IGNORECASE)
_NOON = re.compile(r"\b(?:12 )?(noon|midday|midnight)\b", re.IGNORECASE)
_NOON_IS = dict.fromkeys(("noon", "midday"), r"\b(?:noon|midday|12:00|(?:until|to|at|by) 12)\b")
_NOON_IS["midnight"] = r"\b(?:midnight|0:00|24:00|24)\b"
_MINUTES = {"five": 5, "ten": 10, "quarter": 15, "a quarter": 15, "twenty": 20, "twenty-five": 25, "half": 30}
_OPPOSITES = (
    "inside outside",
    "indoors outdoors",
    "upstairs downstairs",
    "hot cold",
    "wet dry",
    "full empty",
    "north south",
)
_OPPOSITES += (
    "east west",
    "minimum maximum",
    "cheapest dearest",
    "oldest youngest",
    "forbidden allowed",
    "oldest newest",
)
_OPPOSITES += ("locked unlocked", "won lost", "buy sell", "arrive depart", "lent borrowed", "mandatory voluntary")
_MOST = r"(?:at most|up to|(?:no|not) (?:more|longer|later|over) than|maximum(?: of)?|(?:less|fewer) than|under|below)"
_LEAST = r"(?:at least|(?:no|not) (?:less|fewer|earlier) than|minimum(?: of)?|(?<!no )(?<!not )more than|over|above)"
_NUMERAL = r"(\d[\d:.]*)"
_RANGE = re.compile(rf"{_NUMERAL} (?:to |until |till )?{_NUMERAL}")
_BEGINS = r"(?:from|begin|start|open|starting|opening|beginning)"
_ENDS = r"(?:to|until|till|end|finish|close|stop|closing|ending)"
_STARTS = frozenset(("from", "since", "after", "starting", "beginning"))
_STOPS = frozenset(("until", "till", "to", "before", "by"))
_DOUBT = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|presumably|i (?:think|guess|believe)|might be|"
    r"not (?:quite |entirely )?(?:sure|certain)|unsure)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"(?:hi|hello|hey|dear (?!me\b)\w+|good (?:morning|afternoon|evening|day)|greetings|sure|certainly|absolutely|"
    r"(?:great|good) question|here (?:is|are|you)|here's|(?:the )?answer(?=:))\b"
    r"(?=\s*[,!:.\n]|\s+(?:the|your|my|go|there)\b)",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"\b(?:hope (?:this|that|it) helps|let me know|feel free|(?:any|further|more) questions|happy to help|"
    r"you're welcome|graders?|full marks|(?:\d+|exactly \w+) (?:words|characters|letters)|word count|"
    r"as (?:requested|instructed|required)|instructions?)\b",
    re.IGNORECASE,
)
_SPLITS_LINES = frozenset(
    ("bullets", "numbered", "lines", "heading", "sign_off", "separated", "line_words", "one_paragraph")
)
_QUOTES = '"“”„«»'


def all_obeyed(*, suite_path: str) -> Scorer:
    """1 if every instruction holds, to the letter, and the answer is right; else 0.

    Thinking text and white space around the answer do not count; everything else does: talk before the answer, bold
    type, a code fence. How words, lines and sentences are counted: see `word_list`, `line_list` and `sentence_list`.
    What is not covered: whether the wording is natural or grammatical, and a sentence that holds the right fact and
    says something wrong about it in words that no list of rivals foresees.
    """

    def score(sample: Sample, completion: Completion) -> Score:
        text = spoken(completion.text)
        broken = faults(sample, text)
        return Score(float(not broken), text[:MAX_CHARACTERS], "; ".join(broken))

    return score


def share_obeyed(*, suite_path: str) -> Scorer:
    """The share of the instructions that hold, the right answer counted as one more; 0 for an empty answer.

    What is not covered: instructions that any text obeys by accident ("no commas") count like the hard ones.
    """

    def score(sample: Sample, completion: Completion) -> Score:
        text = spoken(completion.text)
        parts = len(sample.metadata["checks"]) + 1
        broken = faults(sample, text)
        empty = len(text) > MAX_CHARACTERS or not word_list(text)
        value = 0.0 if empty else max(0.0, 1 - len(broken) / parts)
        return Score(value, text[:MAX_CHARACTERS], "; ".join(broken))

    return score


def loose(*, suite_path: str) -> Scorer:
    """1 if some reading of the text obeys everything: without a first line, a last line, markdown marks or a fence.

    One reading has to obey all instructions, where the loose score of IFEval lets each instruction choose its own.
    """

    def score(sample: Sample, completion: Completion) -> Score:
        text = spoken(completion.text)
        broken = faults(sample, text)
        if broken and text and len(text) <= MAX_CHARACTERS:
            hit = next((reading for reading in dict.fromkeys(readings(text)) if not faults(sample, reading)), None)
            if hit is not None:
                return Score(1.0, hit, "")
        return Score(float(not broken), text[:MAX_CHARACTERS], "; ".join(broken))

    return score


def brevity(*, suite_path: str) -> Scorer:
    """1 if the text keeps to the length that was asked for, in words, sentences, lines or characters, and is right."""

    def score(sample: Sample, completion: Completion) -> Score:
        text = spoken(completion.text)
        broken = faults(sample, text, only=LENGTHS)
        return Score(float(not broken), text[:MAX_CHARACTERS], "; ".join(broken))

    return score


def spoken(text: str) -> str:
    """The text as it counts: without thinking text, control codes and white space around it."""
    if len(text) > MAX_RAW:
        return text[: MAX_CHARACTERS + 1]
    return _CONTROL.sub("", _THINKING.sub("", text).replace("\r\n", "\n")).strip()


def faults(sample: Sample, text: str, only: Collection[str] | None = None) -> list[str]:
    """What is wrong with a text, a phrase for each instruction it breaks; [] if nothing is."""
    if not text:
        return ["empty answer"]
    if len(text) > MAX_CHARACTERS:
        return [f"over {MAX_CHARACTERS} characters"]
    checks = [check for check in sample.metadata["checks"] if only is None or check["kind"] in only]
    found = [KINDS[check["kind"]](text, check) for check in checks]
    if only is None:
        found.append(unrequested(sample, text))
    return [fault for fault in (*found, wrong_answer(sample, text)) if fault]


def unrequested(sample: Sample, text: str) -> str:
    """What nobody asked for and the system prompt forbids: a greeting, a comment, markdown, line breaks; or ""."""
    checks = sample.metadata["checks"]
    kinds = {check["kind"] for check in checks}
    asked = f"{sample.input} {sample.target}".casefold()
    if "\n" in text and not kinds & _SPLITS_LINES:
        return "a line break that nobody asked for"
    marks = re.search(r"```|`[^`\n]+`|\*\*|__|(?<![\w*])\*[^\s*][^*\n]*\*(?![\w*])|^#{1,6}\s", text, re.MULTILINE)
    if marks and not (kinds & {"bold", "heading"} and marks.group()[0] in "*#"):
        return "markdown that nobody asked for"
    for talk in (_OPENING.match(text), _CLOSING.search(text)):
        if talk and talk.group().casefold() not in asked:
            return f"talk around the answer: '{talk.group()}'"
    return ""


def readings(text: str) -> Iterator[str]:
    """The text without a first line, a last line, or both, each also without fences and markdown marks."""
    unfenced = "\n".join(line for line in text.split("\n") if not line.strip().startswith("```")).strip()
    for whole in dict.fromkeys((text, unfenced)):
        rows = whole.split("\n")
        for part in (rows, rows[1:], rows[:-1], rows[1:-1]):
            plain = "\n".join(part).strip()
            yield plain
            yield re.sub(r"\*\*|__|`", "", plain).strip()
            yield re.sub(r"[*_`#]+", "", plain).strip().strip(_QUOTES)


# --- the answer -------------------------------------------------------------------------------------------------------


def wrong_answer(sample: Sample, text: str) -> str:
    """Why the text does not give the answer, or "". Spelling of numbers, case, articles and plurals do not matter."""
    facts = [[tokens(wording) for wording in fact] for fact in sample.metadata["facts"]]
    text = _digital(sample, text)
    said = tuple(words(text))
    prompt = " ".join(tokens(_prompt(sample)))
    for fact, wordings in zip(sample.metadata["facts"], facts, strict=True):
        places = [place for wording in wordings for place in _places(wording, said)]
        if not places:
            return f"the answer lacks '{fact[0]}'"
        if not sample.metadata.get("negative") and any(_denies(said[max(0, at - 3) : at]) for at in places):
            return f"the answer denies '{fact[0]}'"
    foreign = set[str]() if sample.metadata["task"] == "sum" else _rival_marks(sample, facts)
    for piece in sentence_list(text):
        held = tuple(words(piece))
        if not sample.metadata.get("negative") and not piece.endswith("?"):
            denied = next((clause for clause in _clauses(piece) if _denied_after(clause, facts)), ())
            if denied:
                return f"the answer denies '{' '.join(denied)[:60]}'"
        borrowed = foreign & set(_dated(held)) if _holds_any(facts, held) else set()
        borrowed |= _borrowed_words(sample, piece)
        if borrowed:
            return f"'{min(borrowed)}' belongs to another answer"
        doubt = _DOUBT.search(piece)
        if doubt and doubt.group().casefold() not in f"{sample.input} {sample.target}".casefold():
            return f"the answer hedges: '{doubt.group()}'"
        if sample.metadata["task"] != "list" and _hedged(held, facts, prompt):
            return "the answer hedges: '... or ...'"
        risky = sample.metadata["task"] == "list" or _HEDGE.search(piece) or _holds_any(facts, held)
        for rival in sample.metadata["rivals"]:
            if risky and _places(tokens(rival), held):
                return f"the answer names '{rival}' too"
    turned = _other_bound(prompt, " ".join(said)) or _opposite(sample, prompt, said) or _other_end(sample, facts, text)
    return turned or _strange_number(sample, text, facts) or _strange_unit(sample, text)


def _prompt(sample: Sample) -> str:
    return sample.input if isinstance(sample.input, str) else str(sample.input[-1]["content"])


@lru_cache(4096)
def tokens(text: str) -> tuple[str, ...]:
    """Words and numbers in one spelling, of what comes again and again: facts, rivals, prompts."""
    return tuple(words(text))


def _digital(sample: Sample, text: str) -> str:
    """The text with "half past nine" and "nine in the evening" as the prompt or the facts write that time, if they do.

    >>> _digital(Sample("s", "The bus at 17:05.", "", metadata={"facts": []}), "At five past five, not half past six.")
    'At 17:05, not half past six.'
    """
    source = _prompt(sample)
    known = {
        word for said in (source, *(w for fact in sample.metadata["facts"] for w in fact)) for word in tokens(said)
    }

    def as_known(match: re.Match[str], hour: int, minute: int, halves: Sequence[int]) -> str:
        for half in halves:
            for form in (f"{hour % 12 + half}:{minute:02}", f"{hour % 12 + half}" if minute == 0 else ""):
                if form in known:
                    return form
        return match.group()

    def number(word: str) -> int:
        return int(words(word)[0])

    def to_past(match: re.Match[str]) -> str:
        minutes = _MINUTES.get(match.group(1).lower()) or number(match.group(1))
        late = match.group(2).lower() in ("past", "after")
        return as_known(match, number(match.group(3)) - (not late), minutes if late else 60 - minutes, (0, 12))

    def daypart(match: re.Match[str]) -> str:
        return as_known(match, number(match.group(1)), 0, (0,) if match.group(2).lower() == "morning" else (12, 0))

    return _DAYPART.sub(daypart, _TO_PAST.sub(to_past, text))


def _hedged(said: Sequence[str], facts: Sequence[Sequence[tuple[str, ...]]], prompt: str) -> bool:
    """Whether a fact stands beside an "or" that the prompt does not have there: "Gerald or Gerard"."""
    wordings, plain = [wording for fact in facts for wording in fact], _BOUND | {"so", "not"}
    for wording in wordings:
        for at in _places(wording, tuple(said)):
            before, after, name = tuple(said[:at]), tuple(said[at + len(wording) :]), " ".join(wording)
            other = after[:1] == ("or",) and after[1:2] and after[1] not in plain and f"{name} or" not in prompt
            if other and not any(after[1 : 1 + len(one)] == one for one in wordings):
                return True
            other = before[-1:] == ("or",) and before[:-1] and f"or {name}" not in prompt
            if other and not any(before[-1 - len(one) : -1] == one for one in wordings):
                return True
    return False


def _other_bound(prompt: str, said: str) -> str:
    """A limit or a range the other way round than in the prompt: "at least 40" for at most, "from 15 to 9"."""
    for theirs, mine in ((_MOST, _LEAST), (_LEAST, _MOST)):
        for number in set(
            re.findall(rf"\b{theirs} {_NUMERAL}", prompt) + re.findall(rf"{_NUMERAL} (?:\w+ )?{theirs}", prompt)
        ):
            one = re.escape(number)
            both = re.search(rf"\b{mine} {one}(?![\d:.])", prompt)
            if not both and re.search(rf"\b{mine} {one}(?![\d:.])|(?<![\d:.]){one} (?:\w+ )?{mine}(?! \d)", said):
                return f"the limit {number} is the other way round"
    ranges = _RANGE.findall(prompt)
    starts, stops = {one for one, _ in ranges}, {two for _, two in ranges}
    for one, two in ranges:
        reversed_ = re.search(rf"(?<![\d:.]){re.escape(two)} (?:to |until |till ){re.escape(one)}(?![\d:.])", said)
        begins = re.search(rf"\b{_BEGINS} (?:at )?{re.escape(two)}(?![\d:.])", said)
        ends = re.search(rf"\b{_ENDS} (?:at )?{re.escape(one)}(?![\d:.])", said)
        if ":" in one + two and (reversed_ or (begins and two not in starts) or (ends and one not in stops)):
            return f"the range {one} to {two} is the other way round"
    return ""


def _opposite(sample: Sample, prompt: str, said: Sequence[str]) -> str:
    """A word whose opposite stands in the prompt, while the word itself stands there nowhere: "outside" for inside."""
    known = {*prompt.split(), *(word for fact in sample.metadata["facts"] for one in fact for word in tokens(one))}
    for pair in _OPPOSITES:
        for word, other in permutations(map("".join, (words(one) for one in pair.split()))):
            if word in said and word not in known and other in known:
                return f"'{word}' is the opposite of what the text says"
    return ""


def _other_end(sample: Sample, facts: Sequence[Sequence[tuple[str, ...]]], text: str) -> str:
    """An end where the prompt has a beginning: "until 3 November" for "from 3 November", and the other way round."""
    for fact in facts:
        if not any(_is_time(word) for wording in fact for word in wording):
            continue  # "a talk by Ottilie Brand" may well come from her
        theirs, mine = _before(fact, _prompt(sample)), _before(fact, text)
        for ours, others in ((_STARTS, _STOPS), (_STOPS, _STARTS)):
            if theirs & ours and not theirs & others and mine & others and not mine & ours:
                return f"'{min(mine & others)} {' '.join(fact[0])}' is the other way round"
    return ""


def _is_time(word: str) -> bool:
    return word[0].isdigit() or word in _DAYS.values() or word in _MONTHS or word in ("noon", "midday", "midnight")


def _denies(before: Sequence[str]) -> bool:
    """Whether a fact is denied by the words before it: "not at 9:00", yet "not later than 9:00" is no denial."""
    at = next((i for i in range(len(before) - 1, -1, -1) if _NEGATION.match(before[i])), -1)
    return at >= 0 and not _BOUND & set(before[at:])


def _clauses(sentence: str) -> list[tuple[str, ...]]:
    """Words between the commas, semicolons, brackets, dashes and conjunctions of a sentence."""
    parts = re.split(
        r"[,;:()–—]\s|\s-\s|\b(?:and|but|so|which|who|where|because|since|while)\b", sentence, flags=re.IGNORECASE
    )
    return [tuple(words(part)) for part in parts]


def _denied_after(clause: tuple[str, ...], facts: Sequence[Sequence[tuple[str, ...]]]) -> bool:
    """Whether a clause says of a fact that it is not so: "Nell does not get it", "coins are no longer taken"."""
    ends = [at + len(wording) for fact in facts for wording in fact for at in _places(wording, clause)]
    after = clause[min(ends) :] if ends else ()
    at = next((i for i, word in enumerate(after) if _NEGATION.match(word) or after[i : i + 2] == ("no", "longer")), -1)
    return at >= 0 and after[at] not in ("nor", "neither") and not _BOUND & set(after[at:])


def _rival_marks(sample: Sample, facts: Sequence[Sequence[tuple[str, ...]]]) -> set[str]:
    """Numbers, weekdays and months that the prompt gives only where it names a wrong answer: "Fri 4: The Salt Road"."""
    theirs, others = set[str](), {word for fact in facts for wording in fact for word in _dated(wording)}
    prompt = _prompt(sample)
    for clause in re.split(r"[,;.!?](?=\s|\Z)|\n", prompt):
        said = tokens(clause)
        rival = any(_places(tokens(one), said) for one in sample.metadata["rivals"]) and not _holds_any(facts, said)
        (theirs if rival else others).update(_dated(said))
    others.update(word for other in sample.metadata.get("also", ()) for word in tokens(str(other)))
    return {word for word in theirs - others if word[0].isdigit() or word in _DAYS.values() or word in _MONTHS}


def _borrowed_words(sample: Sample, sentence: str) -> set[str]:
    """Words before a fact that the prompt has before another fact or a rival alone: "blue alpaca" for blue cotton."""
    prompt = _prompt(sample)
    facts = [[tokens(wording) for wording in fact] for fact in sample.metadata["facts"]]
    groups = [*facts, *([tokens(rival)] for rival in sample.metadata["rivals"])]
    theirs = [_before(group, prompt) for group in groups]
    found = set[str]()
    for i, fact in enumerate(facts):
        others = set[str]().union(*(words for j, words in enumerate(theirs) if j != i))
        if theirs[i] and not any(wording[0][0].isdigit() for wording in fact):
            found |= (_before(fact, sentence) & others) - theirs[i]
    return {word for word in found if len(word) > 2 and word not in _LINKS}


def _before(wordings: Sequence[tuple[str, ...]], text: str) -> set[str]:
    """The words that stand directly before one of the wordings, with no mark or "and" between."""
    parts = [tuple(words(part)) for part in re.split(r"[,;:()/|\n.!?]|\band\b", text, flags=re.IGNORECASE)]
    return {part[at - 1] for part in parts for wording in wordings for at in _places(wording, part) if at}


def _dated(said: Sequence[str]) -> list[str]:
    """Words with the short names of weekdays written out."""
    return [_DAYS.get(word, word) for word in said]


def _strange_unit(sample: Sample, text: str) -> str:
    """Another unit than the prompt has after the same number (minutes for seconds), or money other than euros."""
    prompt = tokens(_prompt(sample))
    for number, unit in pairwise(words(text)):
        kind = next((units for units in (_MONEY, _TIME, _LENGTH) if unit in units), frozenset[str]())
        theirs = {other for value, other in pairwise(prompt) if value == number and other in kind}
        foreign = unit in _MONEY - {"euro"} and unit not in prompt
        if number[0].isdigit() and (foreign or (theirs and unit not in theirs)):
            return f"the unit '{unit}' is not that of {number[:20]}"
    return ""


def _holds_any(facts: Sequence[Sequence[tuple[str, ...]]], said: tuple[str, ...]) -> bool:
    return any(_places(wording, said) for fact in facts for wording in fact)


def _strange_number(sample: Sample, text: str, facts: Sequence[Sequence[tuple[str, ...]]]) -> str:
    """A number that is neither asked for nor in the prompt; number words up to twenty are not counted."""
    text = "\n".join(_LABEL.sub("", line) for line in line_list(text))
    known = {word for fact in facts for wording in fact for word in wording}
    known |= {word for other in sample.metadata.get("also", ()) for word in tokens(str(other))}
    prompt = " ".join(tokens(_prompt(sample)))
    known |= set(prompt.split())
    digits = set(re.findall(r"\d+", text))
    dates = {word for word in _dated(words(text)) if word in _MONTHS or word in _DAYS.values()}
    for word in sorted(word for word in dates if word[:3] not in {other[:3] for other in known}):
        return f"'{word}' comes from nowhere"
    noon = _NOON.search(text)
    if noon and not re.search(_NOON_IS[noon.group(1).lower()], f"{prompt} {sorted(known)}"):
        return f"'{noon.group(1)}' comes from nowhere"
    for word in words(text):
        small = word.isdigit() and len(word) < 3 and int(word) <= 20 and word not in digits
        if word[0].isdigit() and word not in known and not small:
            return f"the number {word[:20]} comes from nowhere"
    return ""


def _places(part: tuple[str, ...], whole: tuple[str, ...]) -> list[int]:
    """Where a run of words begins in another. Two words also turned round a link: "pots of clay" for clay pots; and a
    number with its unit also with a word between them that leaves both: "30 more minutes".
    """
    found = [i for i in range(len(whole) - len(part) + 1) if whole[i : i + len(part)] == part]
    if len(part) == 2 and not any(word[0].isdigit() for word in part):
        turned = [(part[1], *link.split(), part[0]) for link in _TURNED]
        found += [i for i in range(len(whole)) for one in turned if whole[i : i + len(one)] == one]
    if len(part) == 2 and part[0].isdigit() and not part[1][0].isdigit():
        parted = [(part[0], between, part[1]) for between in ("more", "extra", "additional", "full")]
        found += [i for i in range(len(whole) - 2) if whole[i : i + 3] in parted]
    return found


# --- how things are counted -------------------------------------------------------------------------------------------


def line_list(text: str) -> list[str]:
    """The lines that are not blank."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def word_list(text: str) -> list[str]:
    """What stands between white space (or a long dash) and holds a letter or a digit. Bullets and "1." are no words.

    >>> word_list("1. Well-made tea, at 9:30 (or so) - yes")
    ['Well-made', 'tea,', 'at', '9:30', '(or', 'so)', 'yes']
    """
    pieces = [piece for line in line_list(text) for piece in _WORD.findall(_LABEL.sub("", line))]
    return [piece for piece in pieces if any(letter.isalnum() for letter in piece)]


def plain_words(text: str) -> list[str]:
    """Words in lower case, without the punctuation around them."""
    found = []
    for word in word_list(text):
        match = _PLAIN.search(word)
        found.append((match.group() if match else word).casefold().replace("’", "'"))
    return found


def sentence_list(text: str) -> list[str]:
    """Sentences: up to . ! ? before white space, or the end of a line. Dr., No., initials and a.m. do not end one.

    >>> sentence_list("Dr. Lind pays 4.50 at 9 a.m. sharp. Does she?")
    ['Dr. Lind pays 4.50 at 9 a.m. sharp.', 'Does she?']
    """
    found = []
    for line in line_list(text):
        line, start = _LABEL.sub("", line), 0
        for match in _STOP.finditer(line):
            before, after = line[start : match.end()], line[match.end() :].lstrip()
            clock = _CLOCK.search(before)
            short = not after[:1].isupper() if clock else _ABBREVIATION.search(before[-12:])
            if after and match.group() == "." and (short or (after[0].isdigit() and _NUMERO.search(before[-5:]))):
                continue
            found.append(before.strip())
            start = match.end()
        found.append(line[start:].strip())
    return [sentence for sentence in found if any(letter.isalnum() for letter in sentence)]


def item_list(text: str, check: Check) -> list[str]:
    """The items of a list: its lines, or what stands between the marks; a heading and a closing line are left out."""
    lines = line_list(text)
    lines = lines[int(check.get("above", 0)) : len(lines) - int(check.get("below", 0))]
    mark = check.get("mark")
    if not mark:
        return [_LABEL.sub("", line) for line in lines]
    return [piece.strip() for piece in " ".join(lines).split(mark)]


# --- one function per kind of instruction: why the text breaks it, or "" ----------------------------------------------


def _words_exact(text: str, check: Check) -> str:
    count = len(word_list(text))
    return "" if count == check["count"] else f"{count} words, not {check['count']}"


def _words_most(text: str, check: Check) -> str:
    count = len(word_list(text))
    return "" if count <= check["most"] else f"{count} words, more than {check['most']}"


def _words_between(text: str, check: Check) -> str:
    count = len(word_list(text))
    inside = check["least"] <= count <= check["most"]
    return "" if inside else f"{count} words, not {check['least']} to {check['most']}"


def _sentences(text: str, check: Check) -> str:
    count = len(sentence_list(text))
    return "" if count == check["count"] else f"{count} sentences, not {check['count']}"


def _characters_most(text: str, check: Check) -> str:
    return "" if len(text) <= check["most"] else f"{len(text)} characters, more than {check['most']}"


def _bullets(text: str, check: Check) -> str:
    lines = line_list(text)
    marked = [line for line in lines if _BULLET.match(line) and line.startswith(check.get("mark", ("-", "*", "•")))]
    if len(marked) != check["count"]:
        return f"{len(marked)} bullets, not {check['count']}"
    others = len(lines) - len(marked)
    return "" if others == check.get("others", 0) else f"{others} lines beside the bullets"


def _numbered(text: str, check: Check) -> str:
    lines = line_list(text)
    labels = [match.group(1) for line in lines if (match := _NUMBER_LABEL.match(line))]
    if labels != [str(i) for i in range(1, check["count"] + 1)]:
        return f"the lines are not numbered 1 to {check['count']}"
    others = len(lines) - len(labels)
    return "" if others == check.get("others", 0) else f"{others} lines beside the numbered ones"


def _lines(text: str, check: Check) -> str:
    count = len(line_list(text))
    return "" if count == check["count"] else f"{count} lines, not {check['count']}"


def _line_words(text: str, check: Check) -> str:
    longest = max(len(word_list(line)) for line in line_list(text))
    return "" if longest <= check["most"] else f"a line of {longest} words, more than {check['most']}"


def _separated(text: str, check: Check) -> str:
    parts = item_list(text, check)
    if len(parts) != check["count"] or not all(map(word_list, parts)):
        return f"not {check['count']} parts with '{check['mark']}' between them"
    return "" if len(line_list(text)) == 1 + check.get("above", 0) + check.get("below", 0) else "not on one line"


def _one_paragraph(text: str, check: Check) -> str:
    return "" if "\n" not in text else "more than one line"


def _alphabetical(text: str, check: Check) -> str:
    items = [" ".join(plain_words(item)) for item in item_list(text, check)]
    bare = [re.sub(r"\A(?:a|an|the) ", "", item) for item in items]
    in_order = items == sorted(items) or bare == sorted(bare)
    return "" if in_order and len(items) > 1 else "not in alphabetical order"


def _heading(text: str, check: Check) -> str:
    lines = line_list(text)
    first = re.sub(r"\A#{1,6}\s+", "", lines[0])
    first = first[2:-2] if re.fullmatch(r"\*\*[^*]+\*\*", first) else first
    same = first.removesuffix(":").casefold() == check["text"].casefold()
    return "" if same and len(lines) > 1 else f"the heading is not '{check['text']}'"


def _sign_off(text: str, check: Check) -> str:
    lines = line_list(text)
    same = lines[-1].rstrip(".").casefold() == check["text"].casefold()
    return "" if same and len(lines) > 1 else f"the last line is not '{check['text']}'"


def _lower(text: str, check: Check) -> str:
    return "" if text == text.lower() else "capital letters"


def _upper(text: str, check: Check) -> str:
    return "" if text == text.upper() else "small letters"


def _title(text: str, check: Check) -> str:
    small = next((word for word in plain_words_as_written(text) if word[0].islower()), "")
    return f"'{small[:30]}' has no capital" if small else ""


def plain_words_as_written(text: str) -> list[str]:
    """Words without the punctuation around them, in their own case."""
    return [match.group() for word in word_list(text) if (match := _PLAIN.search(word))]


def _no_commas(text: str, check: Check) -> str:
    return "a comma" if "," in text else ""


def _no_digits(text: str, check: Check) -> str:
    return "a digit" if any(letter.isdigit() for letter in text) else ""


def _no_letter(text: str, check: Check) -> str:
    return f"the letter {check['letter']}" if check["letter"] in text.casefold() else ""


def _no_repeats(text: str, check: Check) -> str:
    word, count = Counter(plain_words(text)).most_common(1)[0] if word_list(text) else ("", 1)
    return f"'{word[:30]}' comes {count} times" if count > 1 else ""


def _longest_word(text: str, check: Check) -> str:
    over = [word for word in plain_words(text) if sum(map(str.isalpha, word)) > check["most"]]
    return f"'{over[0][:30]}' has more than {check['most']} letters" if over else ""


def _start(text: str, check: Check) -> str:
    said = text.casefold()
    word = check["word"].casefold()
    whole = said.startswith(word) and not said[len(word) : len(word) + 1].isalnum()
    return "" if whole else f"it does not start with '{check['word']}'"


def _end(text: str, check: Check) -> str:
    said = text.casefold().rstrip(".!?")
    word = check["word"].casefold()
    whole = said.endswith(word) and not said[: len(said) - len(word)][-1:].isalnum()
    return "" if whole else f"it does not end with '{check['word']}'"


def _question_end(text: str, check: Check) -> str:
    return "" if text.endswith("?") else "no question mark at the end"


def _no_final_stop(text: str, check: Check) -> str:
    return "a full stop at the end" if text.endswith((".", "…")) else ""


def _include(text: str, check: Check) -> str:
    said = plain_words(text)
    missing = [word for word in check["words"] if word.casefold() not in said]
    return f"'{missing[0]}' is missing" if missing else ""


def _avoid(text: str, check: Check) -> str:
    said = plain_words(text)
    there = [word for word in check["words"] if word.casefold() in said]
    return f"'{there[0]}' was to be avoided" if there else ""


def _once(text: str, check: Check) -> str:
    count = plain_words(text).count(check["word"].casefold())
    return "" if count == 1 else f"'{check['word']}' comes {count} times, not once"


def _number_first(text: str, check: Check) -> str:
    wanted, said = list(tokens(check["number"])), words(text)
    begins = text[0].isdigit() or text[0] in "€$£" or said[:1] == wanted[:1]
    return "" if begins and said[: len(wanted)] == wanted else f"it does not begin with {check['number']}"


def _quoted(text: str, check: Check) -> str:
    name = re.escape(check["text"])
    everywhere = re.findall(rf"(?<!\w){name}(?!\w)", text, re.IGNORECASE)
    quoted = re.findall(rf"[{_QUOTES}]{name}[.,]?[{_QUOTES}]", text, re.IGNORECASE)
    return "" if quoted and len(quoted) == len(everywhere) else "the name is not in double quotation marks"


def _bold(text: str, check: Check) -> str:
    return "" if _marked(re.findall(r"\*\*([^*\n]+)\*\*", text), check) else "what was asked for is not in bold"


def _brackets(text: str, check: Check) -> str:
    return "" if _marked(re.findall(r"\(([^()\n]+)\)", text), check) else "what was asked for is not in brackets"


def _marked(spans: Sequence[str], check: Check) -> bool:
    """One marked span, which holds the fact and at most two words more."""
    if len(spans) != 1:
        return False
    held = tokens(spans[0])
    return any(_places(tokens(fact), held) and len(held) <= len(tokens(fact)) + 2 for fact in check["any"])


KINDS: dict[str, Callable[[str, Check], str]] = {
    "words_exact": _words_exact,
    "words_most": _words_most,
    "words_between": _words_between,
    "sentences": _sentences,
    "characters_most": _characters_most,
    "bullets": _bullets,
    "numbered": _numbered,
    "lines": _lines,
    "line_words": _line_words,
    "separated": _separated,
    "one_paragraph": _one_paragraph,
    "alphabetical": _alphabetical,
    "heading": _heading,
    "sign_off": _sign_off,
    "lower": _lower,
    "upper": _upper,
    "title": _title,
    "no_commas": _no_commas,
    "no_digits": _no_digits,
    "no_letter": _no_letter,
    "no_repeats": _no_repeats,
    "longest_word": _longest_word,
    "start": _start,
    "end": _end,
    "question_end": _question_end,
    "no_final_stop": _no_final_stop,
    "include": _include,
    "avoid": _avoid,
    "once": _once,
    "number_first": _number_first,
    "quoted": _quoted,
    "bold": _bold,
    "brackets": _brackets,
}
