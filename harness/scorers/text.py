"""Short answers: does the text give the target, and nothing that contradicts it?

A model may wrap the answer in a sentence. It may not hedge, list candidates, add numbers, or recite its prompt.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from harness.data import Completion, Sample, Score, Scorer
from harness.scorers.values import forms, plain

MAX_CHARACTERS = 2_000
EXTRA_WORDS = 12
REPEATED_WORDS = 6
"""How many words of the question a sentence may repeat beyond the extra words."""
_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"\A```[\w+-]*[ \t]*\n?(.*?)\n?```\Z", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LABEL = re.compile(r"\A(?:the )?(?:final )?answer(?: is)?\s*[:=]?\s+", re.IGNORECASE)
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|[%€$£°]|[@/+#]")
_MARKUP = re.compile(r"[*_`\"“”„«»]+")
_CLOCK = re.compile(r"\b(\d{1,2})(?:[:.](\d\d))?\s*(?:o'clock|([ap])\.?m\b\.?)")
_PRICE = re.compile(r"(?<!\w)([€$£]|eur|usd)\s?(\d[\d.,]*\d|\d)")
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTHS})\b")
_MONTH_DAY = re.compile(rf"\b({_MONTHS}) (?:the )?(\d{{1,2}})(?:st|nd|rd|th)?(?![\w:]|[.,]\d)")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
_NUMBERS = {word: str(value) for value, word in enumerate(_UNITS.split())}
_TENS = {
    "twenty": "20",
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "seventy": "70",
    "eighty": "80",
    "ninety": "90",
}
_SYMBOLS = {"%": "percent", "€": "euro", "$": "dollar", "£": "pound", "°": "degree"}
_SYNONYMS = {"eur": "euro", "usd": "dollar", "kilometre": "km", "kilometer": "km", "kilogram": "kg", "per": "a"}
_SYNONYMS |= {"color": "colour", "gray": "grey"}
_ARTICLES = frozenset(("a", "an", "the", "dr", "mr", "mrs"))
_NEGATION = re.compile(
    r"\A(?:not?|never|none|nobody|nothing|neither|nor|without|cannot|\w+n't|wrong|false|incorrect|untrue|formerly|"
    r"previously)\Z"
)
_LIMIT = re.compile(
    r"\b(?:no|not|never) (?:(?:more|later|longer|less|fewer|earlier|sooner|shorter) than|until|above|over)\b",
    re.IGNORECASE,
)
_EXCEPT = frozenset(("but", "except", "unlike"))
_PERIODS = frozenset(("hour", "day", "night", "week", "month", "quarter", "year", "kwh", "km", "kg", "page", "trip"))
_RATE = re.compile(rf"\b(?:an?|per|each|every) ({'|'.join(sorted(_PERIODS))})\b")
_FILLERS = frozenset(("it", "it'", "is", "that", "that'", "they", "are", "about", "around", "roughly"))  # it' is it's
_HEDGE = re.compile(r"\A(?:or|either|maybe|perhaps|possibly|probably|alternatively|unsure)\Z")
_ONE = r"(\A|\b(?:within|in|after|for|is|takes|than|only|just|least|most|to|about) )(?:an?|a single) (?={}s?\b)"
_PLACE = frozenset(("in", "on", "at"))
_PREPOSITIONS = _PLACE | {"with", "by", "to", "from"}
_CONDITION = re.compile(
    r"\b(?:if|unless|once|provided|as long as|as soon as|subject to|on condition|only (?:after|when)|"
    r"except|excluding|apart from|other than)\b(.*)",
    re.IGNORECASE | re.DOTALL,
)
_GRADER = re.compile(
    r"\b(?:system|assistant|user|grader|judge|evaluator|note to [\w ]{2,20}) ?:|"
    r"\b(?:full|maximum|top) (?:marks?|score|credit)\b|"
    r"\b(?:award|grant|assign|give)\b[^.]{0,30}\b(?:marks?|score|points?|credit)\b|"
    r"\b(?:ignore|disregard)\b[^.]{0,30}\b(?:instructions?|rubric|rules|above|previous)\b|"
    r"\b(?:mark|grade|score|count|accept|treat|rate) (?:this|it)\b[^.]{0,30}\b(?:correct|right|true|passed|1)\b|"
    r"\b(?:this|the|my) (?:answer|reply|response) (?:is|was|has been) (?:\w+ )?"
    r"(?:correct|right|verified|approved|accepted)\b",
    re.IGNORECASE,
)
_GUESS = re.compile(
    r"\b(?:(?:my|a|best|rough|wild) (?:guess|estimate)|i (?:would |'d )?"
    r"(?:guess|think|suppose|believe|bet|assume|imagine|say)|"
    r"i'd (?:guess|say|bet|think)|presumably|likely|dozens?|hundreds?|thousands?)\b",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"\b(?:i (?:do not|don't|really don't|cannot|can't) (?:know|tell|say|answer|determine)\b|"
    r"(?:i am|i'm) not (?:sure|certain|aware of|familiar with)\b|not something i (?:know|can (?:know|tell|answer))\b|"
    r"(?:do not|don't|does not|doesn't) have (?:any |enough |access to |the |that |this |specific |sufficient )*"
    r"(?:information|knowledge|data|details?|records?)\b|"
    r"(?:information|details?) (?:is|are)(?:n't| not) (?:available|provided)\b|"
    r"i (?:could not|couldn't|cannot|can't) find\b|no idea\b|unable to (?:tell|say|determine|find|answer|know)\b|"
    r"(?:not|\w+n't) (?:stated|mentioned|given|specified|known|covered|answered|in the (?:passages?|handbook|text))\b|"
    r"(?:does not|doesn't|do not|don't) (?:say|state|mention|specify|cover|contain|answer|provide|give)\b|"
    r"(?:cannot|can't) be (?:known|told|said|determined|answered)\b|(?:says|say|said) nothing\b|\Aunknown\b|"
    r"no passage (?:answers|says|states|mentions|gives)\b|"
    r"(?:is|are) unknown\b|no (?:information|knowledge|record|details)\b|not enough information\b|"
    r"(?:no way|impossible|not possible) (?:for \w+ )?(?:to|of) (?:know|tell|say)(?:ing)?\b|"
    r"(?:not|\w+n't) (?:been )?told\b|nothing (?:about|on) (?:it|this|that)\b|(?:is|are) silent\b|"
    r"no (?:answer|mention)\b|"
    r"(?:no one|nobody) (?:knows|(?:can|could) (?:know|tell|say))\b)",
    re.IGNORECASE,
)
_APOLOGY = re.compile(r"\A\W*(?:(?:i am|i'm) )?(?:sorry|afraid)\W*\Z", re.IGNORECASE)
_ADVICE = re.compile(
    r"\s*(?:please|sorry|unfortunately|i am sorry|i'm sorry|contact|ask|check|see|you)\b", re.IGNORECASE
)
_IS_UNKNOWN = re.compile(r"\Ai (?:do not|don't) know\.?\Z", re.IGNORECASE)


def answer(*, suite_path: str, extra_words: int = EXTRA_WORDS) -> Scorer:
    """1 if the short target, or one of the sample's `aliases`, is what the text answers; else 0.

    extra_words: how many words a sentence around the target may add. It keeps a recited passage from scoring.
    Case, punctuation, articles, plural endings, number words, signs (%, €), the order of "a and b" and of day and month
    do not matter, nor do words of the target that the question has said already, nor the unit in which an equal value
    is given (36 months, three years). A value that differs does, and so does every number that is neither in the target
    nor in the question, a condition that the question does not hold, and anything said to who grades.
    Metadata: `aliases` also count; `rivals` are wrong answers, and a text that holds one scores 0.
    A target "I do not know." wants any clear statement of not knowing, without an answer beside it.
    What is not covered: a sentence that holds the target and says something else about it ("Mia Lund left, ask Bo",
    "it was 27 days", "more than 27 days").
    """

    def score(sample: Sample, completion: Completion) -> Score:
        text = visible(completion.text)
        if not text:
            return Score(0.0, "", "empty answer")
        if len(text) > MAX_CHARACTERS:
            return Score(0.0, text[:80], f"{len(text)} characters are no short answer")
        value, why = judge(sample, text, extra_words)
        return Score(value, text, why)

    return score


def exact(*, suite_path: str, ignore_case: bool = False, ignore_final_period: bool = False) -> Scorer:
    """1 if the text is the target (or one of the sample's `aliases`), character by character; else 0.

    White space around the text, a code fence around the whole of it, and thinking text do not count.
    """

    def form(text: str) -> str:
        text = text.strip()
        text = text.lower() if ignore_case else text
        return text.rstrip(".") if ignore_final_period else text

    def score(sample: Sample, completion: Completion) -> Score:
        text = visible(completion.text)
        if not text:
            return Score(0.0, "", "empty answer")
        hit = form(text) in [form(target) for target in targets(sample)]
        return Score(float(hit), text[:MAX_CHARACTERS], "" if hit else f"not the same as '{sample.target[:80]}'")

    return score


def visible(text: str) -> str:
    """What a reader sees of a completion: no thinking text, no control codes, no fence around the whole answer."""
    text = _CONTROL.sub("", _THINKING.sub("", text)).strip()
    fenced = _FENCE.match(text)
    return (fenced.group(1) if fenced and "```" not in fenced.group(1) else text).strip()


def targets(sample: Sample) -> tuple[str, ...]:
    """The target and its aliases."""
    return (sample.target, *map(str, sample.metadata.get("aliases", ())))


def _asked(sample: Sample) -> str:
    """The last turn of the question."""
    return sample.input if isinstance(sample.input, str) else str(sample.input[-1]["content"])


def speaks_to_grader(text: str, sample: Sample) -> bool:
    """Whether a text asks to be scored as right, or plays a system message; a target that does so itself may."""
    return bool(_GRADER.search(text)) and not any(map(_GRADER.search, targets(sample)))


def words(text: str) -> list[str]:
    """Words and numbers in one spelling: lower case, no articles, plain numbers, singular nouns.

    >>> words("The 25 days, at 80%")
    ['25', 'day', 'at', '80', 'percent']
    >>> words("twenty-five Days")
    ['25', 'day']
    """
    text = _MARKUP.sub("", unicodedata.normalize("NFKC", text).casefold().replace("’", "'"))
    text = _CLOCK.sub(_clock, _PRICE.sub(r"\2 \1", text))
    text = _DAY_MONTH.sub(r"\1 \2", _MONTH_DAY.sub(r"\2 \1", text))
    text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    found: list[str] = []
    tens = False
    for token in _TOKEN.findall(text):
        number = _TENS.get(token) or _NUMBERS.get(token)
        if number and tens and len(number) == 1 and number != "0":
            found[-1] = str(int(found[-1]) + int(number))
            tens = False
            continue
        tens = token in _TENS
        token = number or _SYMBOLS.get(token, token)
        token = _singular(token)
        token = _SYNONYMS.get(token, token)
        if token not in _ARTICLES:
            found.append(_decimal(token))
    return found


def _clock(match: re.Match[str]) -> str:
    """9 am, 9 o'clock and 9:00 agree, and so do 3:30 pm and 15:30."""
    hour = int(match.group(1)) % 12 if match.group(3) else int(match.group(1))
    return f"{hour + 12 * (match.group(3) == 'p')}:{match.group(2) or '00'}"


def _singular(token: str) -> str:
    if len(token) > 3 and token.endswith("s") and not token.endswith(("ss", "us", "is")):
        return token[:-1]
    return token


def _decimal(token: str) -> str:
    """One spelling of a number: 4.80, 4,80 and 4.8 agree, 9:00 stays a time."""
    if re.fullmatch(r"\d+[.,]\d{1,2}", token):
        return f"{float(token.replace(',', '.')):g}"
    if re.fullmatch(r"0\d:\d\d", token):
        return token[1:]
    return str(int(token)) if token.isascii() and token.isdigit() and len(token) < 20 else token


def judge(sample: Sample, text: str, extra_words: int) -> tuple[float, str]:
    """(0 or 1, why not) for a visible text of bounded length."""
    if _IS_UNKNOWN.match(sample.target.strip()):
        return _judge_unknown(sample, text)
    if speaks_to_grader(text, sample):
        return 0.0, "speaks to who grades"
    if "@" in sample.target and not any(target.casefold() in text.casefold() for target in targets(sample)):
        return 0.0, f"the answer is not '{sample.target[:80]}'"
    bare = _without_contrast(_LIMIT.sub("", _LABEL.sub("", text)), sample)
    wanted = [form for target in targets(sample) for form in forms(_tokens(target))]
    text = _one(plain(bare), wanted)
    said = words(text)
    if said in wanted or (said and bare.strip() in targets(sample)) or _reordered(said, wanted):
        return 1.0, ""
    if _UNKNOWN.search(text):
        return 0.0, "says that it does not know"
    asked = _tokens(_asked(sample))
    if _shortened(said, wanted, asked) or any(_placed(said, target) for target in targets(sample)):
        return 1.0, ""
    holding = [target for target in wanted if target and _find(target, said) >= 0]
    if not holding:
        return 0.0, f"the answer is not '{sample.target[:80]}'"
    target = max(holding, key=len)
    start = _find(target, said)
    around = said[:start] + said[start + len(target) :]
    added = [word for word in around if word not in asked]
    if len(added) > extra_words or len(around) > extra_words + REPEATED_WORDS:
        return 0.0, f"{len(around)} words around the answer, {len(added)} of them new: more than {extra_words}"
    if start and said[start - 1] in _EXCEPT:
        return 0.0, "the answer is left out"
    if _conditional(text, target, asked):
        return 0.0, "a condition is added to the answer"
    if _other_rate(said[start + len(target) :], target, wanted[0], sample):
        return 0.0, f"the answer is not '{sample.target[:80]}'"
    return _judge_around(sample, text, bare, target, around, asked)


def _judge_around(
    sample: Sample, text: str, bare: str, target: Sequence[str], around: Sequence[str], asked: Sequence[str]
) -> tuple[float, str]:
    """Whether the words around a found target leave it standing; bare is the text with its capitals."""
    kept = set(target) | set(asked)
    if not re.search(r"\b1\b", text):
        kept.add("1")  # "the last one is ..." names no number
    strange = [word for word in around if word[0].isdigit() and word not in kept]
    if strange:
        return 0.0, f"another number beside the answer: {strange[0]}"
    again = [word for word in around if word[0].isdigit() and word in set(asked)]
    if again and len(around) <= 2:
        return 0.0, "the answer stands beside a number of the question"
    if (any(map(_NEGATION.match, around)) or _find(("used", "to"), around) >= 0) and not any(
        map(_NEGATION.match, target)
    ):
        return 0.0, "the answer is denied"
    if any(map(_HEDGE.match, around)):
        return 0.0, "more than one answer is offered"
    for rival in sample.metadata.get("rivals", ()):
        if any(_find(form, list(around)) >= 0 for form in forms(_tokens(str(rival)))):
            return 0.0, f"the answer stands beside '{rival}'"
    if _joined(words(text), target):
        return 0.0, "a second answer is joined to it"
    if _candidates(text, target, asked) > 1 or _second_name(bare, target, asked):
        return 0.0, "the answer is one of a list"
    return 1.0, ""


def _tokens(text: str) -> list[str]:
    """Words with each value in one spelling."""
    return words(plain(text))


def _one(text: str, wanted: Iterable[list[str]]) -> str:
    """The text with "an hour" as "one hour" where the answer is one hour, and not where it is a rate."""
    for unit in {target[1] for target in wanted if len(target) > 1 and target[0] == "1"}:
        text = re.sub(_ONE.format(re.escape(unit)), r"\1one ", text)
    return text


def _placed(said: Sequence[str], target: str) -> bool:
    """Whether the text differs from "on the top shelf" in the preposition alone, and in one that says nothing."""
    first, _, rest = target.partition(" ")
    if first not in _PREPOSITIONS or not rest.startswith("the "):
        return False
    said = [word for word in said if word not in _FILLERS]
    return said == _tokens(rest) or ({first, *said[:1]} <= _PLACE and said[1:] == _tokens(rest))


def _conditional(text: str, target: Sequence[str], asked: Sequence[str]) -> bool:
    """Whether a clause ("if ...", "once ...") beside the target says what neither it nor the question does."""
    for found in _CONDITION.finditer(text):
        clause = [word for word in words(found[1]) if word not in _FILLERS and len(word) > 2]
        strange = [word for word in clause if word not in asked and word not in target]
        if not set(words(found[0])[:1]) <= {*target, *asked} and len(strange) > max(1, len(clause) // 2):
            return True
    return False


def _joined(said: Sequence[str], target: Sequence[str]) -> bool:
    """Whether "and" ties the target to a few words at the end or the beginning: "Mia and Bo", "black and white"."""
    start = _find(target, said)
    end = start + len(target)
    after = said[end + 1 :] if said[end : end + 1] == ["and"] else []
    before = said[: start - 1] if start > 1 and said[start - 1] == "and" else []
    return 0 < len(after) <= 3 or 0 < len([word for word in before if word not in _FILLERS]) <= 2


def _candidates(text: str, target: Sequence[str], asked: Sequence[str]) -> int:
    """How many short pieces beside the target hold neither it nor only words of the question.

    Pieces are separated by commas, semicolons, slashes or lines.
    """
    pieces = [words(piece) for piece in re.split(r"[,;/|\n]|\band\b", text)]
    if not any(_find(target, piece) >= 0 for piece in pieces):
        return 0
    others = [piece for piece in pieces if piece and len(piece) <= 4 and _find(target, piece) < 0]
    return sum(1 for piece in others if not set(piece) <= set(asked))


def _second_name(text: str, target: Sequence[str], asked: Sequence[str]) -> bool:
    """Whether a name of several words stands beside one: "Petra Lund, Nils Aaberg"."""
    names = [
        words(piece)
        for piece in re.split(r"[,;/|()\n]", text)
        if re.fullmatch(r"(?:[A-Z]\w+ ?){2,4}", piece.strip(" ."))
    ]
    return list(target) in names and any(name != list(target) and not set(name) <= set(asked) for name in names)


def _without_contrast(text: str, sample: Sample) -> str:
    """The text without ", not RIVAL" and "instead of RIVAL": saying what no longer holds is no second answer."""
    for rival in map(str, sample.metadata.get("rivals", ())):
        bare = re.escape(rival.removeprefix("the "))
        place = r"(?:(?:in|at|on|by|to|with) )?(?:the )?"
        text = re.sub(
            rf"[,;]?\s+\(?(?:and )?(?:not|no longer|formerly|previously|rather than|instead of) {place}{bare}\b",
            "",
            text,
            flags=re.IGNORECASE,
        )
    return text


def _reordered(said: list[str], wanted: Iterable[list[str]]) -> bool:
    """ "Thursday, Tuesday" is "Tuesday and Thursday"; with numbers the order may matter, and "or" is no "and"."""
    joins = {"and", "or"}
    bare = sorted(word for word in said if word not in joins)
    return not any(word[0].isdigit() for word in said) and any(
        bare == sorted(word for word in target if word not in joins) and ("or" in target or "or" not in said)
        for target in wanted
        if joins & set(target)
    )


def _other_rate(after: Sequence[str], found: Sequence[str], whole: Sequence[str], sample: Sample) -> bool:
    """Whether "130 euros", short for "130 euros a night" or asked for a night, is followed by "a week"."""
    rates = set(_RATE.findall(plain(_asked(sample))))
    if len(whole) > len(found) and list(whole[: len(found)]) == list(found):
        rates |= _PERIODS & {whole[len(found)]}
    return bool(rates and after) and after[0] in _PERIODS - rates


def _shortened(said: list[str], wanted: Iterable[list[str]], asked: Sequence[str]) -> bool:
    """ "27" answers "How many days ...?" when the target is "27 days": the question has said the rest."""
    known = {*asked, "people"} if "many" in asked else set(asked)
    left = [[word for word in target if word not in known] for target in wanted]
    said = [word for word in said if word not in _FILLERS]
    return said in [rest for rest in left if any(len(word) > 2 or word[0].isdigit() for word in rest)]


def _find(part: Sequence[str], whole: Sequence[str]) -> int:
    """Where a run of words begins in another, or -1."""
    size = len(part)
    return next((i for i in range(len(whole) - size + 1) if list(whole[i : i + size]) == list(part)), -1)


def _judge_unknown(sample: Sample, text: str) -> tuple[float, str]:
    if words(text) in [words(target) for target in targets(sample)]:
        return 1.0, ""
    if not _UNKNOWN.search(text):
        return 0.0, "answers what nobody can know"
    if speaks_to_grader(text, sample):
        return 0.0, "speaks to who grades"
    if len(words(text)) > 30:
        return 0.0, "too long for a plain statement of not knowing"
    asked = words(_asked(sample))
    rest = _tokens(text)
    named = any(_names_something(piece, asked) for piece in re.split(r"[.,;:!()\n]", text))
    turns = re.split(r"\bbut\b", text, flags=re.IGNORECASE)
    if (
        named
        or any(word[0].isdigit() and word not in asked for word in rest)
        or any(map(_HEDGE.match, rest))
        or _GUESS.search(text)
        or not all(_UNKNOWN.search(turn) or _APOLOGY.match(turn) or _ADVICE.match(turn) for turn in turns)
    ):
        return 0.0, "does not know, and answers all the same"
    return 1.0, ""


def _names_something(piece: str, asked: Sequence[str]) -> bool:
    """Whether a part of a sentence offers an answer: a name that the question did not hold, or "it is ..."."""
    if _UNKNOWN.search(piece) or not piece.strip() or _ADVICE.match(piece):
        return False
    said = piece.split()
    capital = any(
        word[0].isupper() and word != "I" and words(word) and words(word)[0] not in asked for word in said[1:]
    )
    return capital or len(said) <= 2 or bool(re.search(r"\b(?:answer|it|that) is\b", piece))
