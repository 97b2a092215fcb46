"""What live traffic is held to: checks that need no gold answer, each a value 0..1 of one exchange, 1 if all is well.

The same checks are put to the evaluated arm's kept answers, and limits ("no longer than 95 % of the evaluated answers")
are taken from them, so that like is compared with like. Checks of behaviour look at the replies, checks of the input at
the prompts: where the input has moved, a change of behaviour may come from it.
"""

from __future__ import annotations

import math
import re
import signal
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness import scorers, words
from harness.data import LiveSpec, Run, Sample, Score, Scorer, Suite
from harness.errors import HarnessError, RunError, SuiteError, did_you_mean
from harness.progress import say
from harness.scorers.style import english
from harness.scorers.text import words as words_of
from harness.traffic import Exchange

Group = Literal["behaviour", "input"]
OUTER = 0.05
"""The share of evaluated values beyond a limit."""
FEWEST = 20
"""Evaluated answers with fewer of which nothing is held to them."""
SECONDS = 2.0
"""Computing time of this process, however busy the machine is.

For a scorer that reads the schema of a request: one client's pattern may take hours on a short reply."""
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|afraid),? (?:but )?(?:i|that|this)|i must decline|i (?:have to|must) refuse|as an ai\b|"
    r"as a (?:large )?language model|i(?:'m| am) (?:not able|unable) to|i(?:'m| am) not (?:allowed|permitted)|"
    r"i (?:can't|cannot|can not|won't|will not) (?:help|assist|answer|do|provide|share|give|discuss|comply|fulfil+|"
    r"continue|create|write|generate|support|engage))\b"
)
_WORD = re.compile(r"[^\W\d_]+")
_LISTED = re.compile(r"(?m)^[^\S\n]*(?:[-*•][^\S\n]*)?\d+[.)]\s")


@dataclass(frozen=True)
class Check:
    """A check of one exchange. of: its value 0..1, None where it has nothing to say about it. says: what 1 means."""

    name: str
    group: Group
    says: str
    of: Callable[[Exchange], float | None]


def evaluated(run: Run, suite: str, arm: str) -> tuple[list[Exchange], list[str]]:
    """An arm's kept answers as exchanges, and the source of each. Raises RunError where there are none, or too few."""
    rows = [row for row in run.rows if (row.suite, row.arm) == (suite, arm)]
    if not rows:
        arms = sorted({row.arm for row in run.rows if row.suite == suite})
        if not arms:
            raise RunError(f"{run.path}: did not run suite '{suite}'.{did_you_mean(suite, run.manifest['suites'])}")
        raise RunError(f"{run.path}: no arm '{arm}' on suite '{suite}'.{did_you_mean(arm, arms)}")
    if len(rows) < FEWEST:
        raise RunError(
            f"{run.path}: {arm} has {len(rows)} answers on suite '{suite}', and live traffic needs {FEWEST} to be held "
            f"to. Run more samples."
        )
    key = run.manifest["suites"].get(suite, {}).get("cluster")
    sources = [f"{row.metadata[key]}" if key and row.metadata.get(key) is not None else row.sample for row in rows]
    return [Exchange(0, row.messages, row.completion, metadata=row.metadata) for row in rows], sources


def checks(suite: Suite, base: Sequence[Exchange]) -> list[Check]:
    """Everything that live traffic of a suite is held to: its own scorers for that, and the checks of every suite."""
    own = [_scored(suite, one) for one in live_specs(suite)]
    if not own:
        say(
            f"{suite.path}/suite.yaml: none of its scorers can do without gold answers, so only the checks of every "
            f"suite are watched. To add one, mark its factory with @gold_free, or name it under `monitor:` "
            f"(docs/monitoring.md)."
        )
    return [*own, *_replies(base), *_prompts(base)]


def live_specs(suite: Suite) -> list[LiveSpec]:
    """A suite's scorers for live traffic: those it names under `monitor`, and its own that are marked gold-free."""
    named = {one.spec.name for one in suite.monitor}
    needs = {spec.name: scorers.needs_of(spec, suite.path) for spec in suite.scorers if spec.name not in named}
    marked = [LiveSpec(spec, needs[spec.name] or ()) for spec in suite.scorers if needs.get(spec.name) is not None]
    named_too = [
        LiveSpec(one.spec, (*one.needs, *(scorers.needs_of(one.spec, suite.path) or ())), one.where)
        for one in suite.monitor
    ]
    return [*marked, *named_too]


def asked(exchange: Exchange) -> str:
    """The last turn of the user."""
    return next((turn["content"] for turn in reversed(exchange.messages) if turn["role"] == "user"), "")


def _scored(suite: Suite, live: LiveSpec) -> Check:
    score: Scorer = scorers.load(live.spec, suite.path)
    limit = SECONDS if "schema" in live.needs else 0.0

    def value(exchange: Exchange) -> float | None:
        known = exchange.metadata
        if exchange.completion.finish_reason == "error" or any(key not in known for key in live.needs):
            return None
        if any(known.get(key) != wanted for key, wanted in live.where.items()):
            return None
        sample = Sample("live", asked(exchange), "", metadata={key: known[key] for key in (*live.needs, *live.where)})
        try:
            scored = _within(limit, score, sample, exchange.completion)
        except (HarnessError, MemoryError):
            raise
        except Exception as error:
            raise RuntimeError(f"scorer '{live.spec.name}' of suite '{suite.name}' crashed on a reply") from error
        if scored is None:
            return None
        found = scored.value
        if not (isinstance(found, int | float) and 0 <= found <= 1):
            raise SuiteError(f"suite {suite.name}: scorer '{live.spec.name}' gave {found!r}, a score lies in 0..1.")
        return float(found)

    return Check(live.spec.name, "behaviour", f"the suite's score '{live.spec.name}'", value)


class _Late(BaseException):
    """The time is over. No Exception, lest a scorer takes it for one of its own."""


def _within(seconds: float, score: Scorer, *given: Any) -> Score | None:
    """What a scorer gives, None where it computes for longer; 0: it may take any time.

    What is not covered: waiting, which is no computing; other threads than the main one, where nothing can be
    interrupted and any time is taken.
    """
    if not seconds or threading.current_thread() is not threading.main_thread():
        return score(*given)

    def late(*_: object) -> None:
        raise _Late

    before = signal.signal(signal.SIGVTALRM, late)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)  # again, should a destructor have swallowed the first
        try:
            return score(*given)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except _Late:
        return None
    finally:
        signal.signal(signal.SIGVTALRM, before or signal.SIG_DFL)


# --- checks of every suite -------------------------------------------------------------------------------------------


def _replies(base: Sequence[Exchange]) -> list[Check]:
    lengths = [len(one.completion.text) for one in base if one.completion.finish_reason != "error"] or [0]
    low, high = _limits(lengths)

    def complete(exchange: Exchange) -> float:
        said = exchange.completion
        return float(bool(said.text.strip()) and said.finish_reason in ("stop", "choice"))

    def if_any(value: Callable[[Exchange], bool]) -> Callable[[Exchange], float | None]:
        return lambda exchange: float(value(exchange)) if exchange.completion.text.strip() else None

    return [
        Check("complete", "behaviour", "a reply that is neither empty nor cut off nor an error", complete),
        Check("answers", "behaviour", "no refusal", if_any(lambda one: not refuses(one.completion.text))),
        Check("numbers", "behaviour", "every number of the reply stands in the conversation", if_any(_numbers_known)),
        Check(
            "not_longer", "behaviour", f"at most {high:,.0f} characters, as 95 % of the evaluated replies",
            if_any(lambda one: len(one.completion.text) <= high),
        ),
        Check(
            "not_shorter", "behaviour", f"at least {low:,.0f} characters, as 95 % of the evaluated replies",
            if_any(lambda one: len(one.completion.text) >= low),
        ),
    ]  # fmt: skip


def refuses(text: str) -> bool:
    """Whether a reply begins with a refusal.

    >>> refuses("I'm sorry, but I can't help with that."), refuses("The sorry state of Denmark.")
    (True, False)
    """
    return bool(_REFUSAL.search(text[:300].casefold().replace("’", "'")))


def _numbers_known(exchange: Exchange) -> bool:
    """Single digits and what numbers a list do not count; "twenty-five" is 25."""
    text = _LISTED.sub(" ", exchange.completion.text[:20_000])
    said = {word for word in words_of(text) if word[0].isdigit() and len(word) > 1}
    known = {word for turn in exchange.messages for word in words_of(turn["content"][:200_000]) if word[0].isdigit()}
    return said <= known


def _prompts(base: Sequence[Exchange]) -> list[Check]:
    lengths = [_length(one) for one in base]
    low, high = _limits(lengths)
    systems = frozenset(_system(one) for one in base)
    language = Counter(_language(asked(one)) for one in base).most_common(1)[0][0]
    per_prompt = [frozenset(_vocabulary(asked(one))) for one in base]
    spread = Counter(word for found in per_prompt for word in found)
    # as new to the others as a live prompt is to all of them
    unseen = [_share(found, lambda word: spread[word] == 1) for found in per_prompt]
    newest = _limits(unseen)[1]

    def known(exchange: Exchange) -> bool:
        return _share(_vocabulary(asked(exchange)), lambda word: word not in spread) <= newest

    return [
        Check(
            "system_prompt", "input", "a system prompt that was evaluated",
            lambda one: float(_system(one) in systems),
        ),
        Check("prompt_not_longer", "input", f"at most {high:,.0f} characters", lambda one: float(_length(one) <= high)),
        Check("prompt_not_shorter", "input", f"at least {low:,.0f} characters", lambda one: float(_length(one) >= low)),
        Check(
            "known_words", "input", f"at most {words.percent(newest, 0)} of the words stand in no evaluated prompt",
            lambda one: float(known(one)),
        ),
        Check(
            "language", "input", f"{language}, like most evaluated prompts",
            lambda one: float(_language(asked(one)) == language),
        ),
    ]  # fmt: skip


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """The values that 95 % of these reach, and do not exceed."""
    ordered = sorted(values)
    return ordered[math.floor(OUTER * len(ordered))], ordered[math.ceil((1 - OUTER) * len(ordered)) - 1]


def _system(exchange: Exchange) -> str:
    return "\n".join(turn["content"].strip() for turn in exchange.messages if turn["role"] == "system")


def _length(exchange: Exchange) -> int:
    return sum(len(turn["content"]) for turn in exchange.messages if turn["role"] != "system")


def _vocabulary(text: str) -> list[str]:
    return [word for word in _WORD.findall(text[:200_000].casefold()) if len(word) > 1]


def _share(found: Sequence[str] | frozenset[str], new: Callable[[str], bool]) -> float:
    distinct = frozenset(found)
    return sum(map(new, distinct)) / len(distinct) if distinct else 0.0


def _language(text: str) -> str:
    """ "English", else the script of most letters ("Latin", "Cyrillic", ...), "no letters" without any.

    >>> [_language(text) for text in ("What is the time now, please?", "Quelle heure est-il dans ce pays", "Что", "42")]
    ['English', 'Latin', 'Cyrillic', 'no letters']
    """
    if english(text):
        return "English"
    letters = [character for character in text[:2_000] if character.isalpha()]
    scripts = Counter(unicodedata.name(letter, "?").split()[0].capitalize() for letter in letters)
    return scripts.most_common(1)[0][0] if scripts else "no letters"
