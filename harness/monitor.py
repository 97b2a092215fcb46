"""`harness monitor`: live traffic held to the behaviour that was evaluated.

A log of requests and replies is read from where it was left, every reply is put to the checks of `live.py`, and each
check's test (`stats/drop.py`) goes on. What is kept between two calls is a small file of counts, without any text.

What a drift says: the share of replies that pass a check is lower than that of the evaluated answers, or than it was.
What it does not say: that the model changed. Live prompts are not the test samples, and other prompts alone may do it;
changes of the prompts are tested and named apart. What no drift does not say: that answers are right. No check here
knows the right answer, and a drop smaller than "would show by now" may be there.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from harness import live, words
from harness.compare import tabulate
from harness.data import Run, Suite
from harness.digests import text_digest
from harness.errors import EXIT_INCONCLUSIVE, EXIT_OK, EXIT_REGRESSION, HarnessError, RunError, SuiteError
from harness.live import Check
from harness.prices import model_of, priced_by_token
from harness.progress import say
from harness.remote import is_remote
from harness.stats import drop
from harness.stats.drop import ALPHA, EVERY, SMALL, Watch
from harness.store import write_json
from harness.traffic import (
    LATEST_TIME,
    LONGEST_LATENCY,
    Broken,
    Exchange,
    Place,
    is_address,
    name_of,
    read_log,
    was_read,
)

FORMAT = 2
PORTION = 500
"""Exchanges after which the state is written."""
LEAST_SHARE = 0.1
"""A check that fewer of the evaluated answers pass has nothing to lose, and is not watched."""
LATEST = 5
"""Lines of the log kept per check, as places to look at."""
MOST_SAID = 3
EVERY_SECONDS = 10.0
BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds."""
STEP = 1.05
"""Latencies are kept as counts of bins that grow by this factor: percentiles are right to 5 %."""


@dataclass(frozen=True)
class Tested:
    """One check: its share of evaluated and of live exchanges that pass, and what its test says.

    n: live exchanges it looked at; evaluated_n: what the evaluated answers are worth. drifted_at: how many exchanges it
    took to say drift, None: none found; since: after how many the drop seems to have begun, and `live_since` the share
    that passes since then. evidence: how much likelier
    the live values are if the share fell, at most. visible: the drop that would show by now, None: none. latest: lines
    of the log that failed. live: None without exchanges.

    What the evaluated answers allow: `detects`, the smallest drop that is found within the first 1,000 requests four
    times in five, None: none; `power`, how often a drop of 5 points is; `power_once`, how often at most any test finds
    it; `enough`, how many evaluated answers find it four times in five, None where these do, or 20,000 do not.
    """

    name: str
    group: str
    says: str
    evaluated: float
    evaluated_n: float
    live: float | None
    n: int
    drifted_at: int | None
    since: int | None
    live_since: float | None
    evidence: float
    visible: float | None
    latest: tuple[int, ...]
    detects: float | None
    power: float
    power_once: float
    enough: int | None


@dataclass(frozen=True)
class Side:
    """Means and percentiles of one side, None where not known. tokens per request; seconds; USD per 1,000 requests."""

    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    seconds_p50: float | None = None
    seconds_p95: float | None = None
    usd_per_1000: float | None = None


@dataclass(frozen=True)
class Monitored:
    """What a log says. status: "drift", "no drift" or "too few requests". first, last: times in seconds since 1970.

    latencies: requests up to each of BUCKETS, then all; latency_sum: their seconds. crashes: per check that did, on how
    many replies it crashed.
    """

    log: str
    suite: str
    baseline: str
    answers: int
    requests: int
    errors: int
    broken: int
    other_models: int
    first: float | None
    last: float | None
    status: str
    sentence: str
    checks: tuple[Tested, ...]
    unwatched: tuple[tuple[str, str], ...]
    evaluated: Side
    live: Side
    tokens: tuple[int, int]
    latencies: tuple[int, ...]
    latency_sum: float
    alpha: float = ALPHA
    crashes: Mapping[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 no drift, 1 drift, 3 too few requests to say. Drift of the input alone is no drift of behaviour."""
        return {"drift": EXIT_REGRESSION, "no drift": EXIT_OK}.get(self.status, EXIT_INCONCLUSIVE)

    def of(self, group: str) -> tuple[Tested, ...]:
        """The checks of "behaviour" or of the "input"."""
        return tuple(one for one in self.checks if one.group == group)

    @property
    def too_small(self) -> str:
        """Of what checks of the replies the evaluation shows too little to find a drop of 5 points; "" if of none."""
        told = []
        for one in self.of("behaviour"):
            if one.power < drop.SURE:
                todo = f"{one.enough:,} would do" if one.enough else f"not even {drop.MOST:,} would do"
                told.append(
                    f"{one.name} ({words.percent(one.power, 0)} with {words.count(round(one.evaluated_n), 'answer')}, "
                    f"with any test at most {words.percent(one.power_once, 0)}; {todo})"
                )
        if not told:
            return ""
        return (
            f"Too few evaluated answers to find a drop of {words.plain_points(SMALL, 0)} within the first "
            f"{drop.SOON:,} requests four times in five: {words.listing(told)}. Evaluate more test samples, or several "
            f"answers to each (--samples K)."
        )

    @property
    def input_sentence(self) -> str:
        """What is to be said of the prompts."""
        moved = [one for one in self.of("input") if one.drifted_at is not None]
        if not moved:
            return "The prompts: no drift found."
        said = words.listing([f"{one.name} ({_fall(one)})" for one in moved])
        return f"The prompts have changed: {said}. A change of behaviour may come from that."

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            **{key: value for key, value in asdict(self).items() if key not in ("tokens", "latencies", "latency_sum")},
            "input": self.input_sentence,
            "too_small": self.too_small,
            "limits": LIMITS,
            "exit_code": self.exit_code,
        }


LIMITS = (
    "No check knows the right answer: traffic may pass all of them and be wrong.",
    "Live prompts are not the test samples. A drop says that fewer replies pass than did of the evaluated answers, or "
    "than did before; it does not say whether the model or the prompts changed.",
    "The promised rate of false alarms is for requests that come independently of each other: a client that sends the "
    "same again and again raises it.",
)


@dataclass
class State:
    """What is kept between two calls, as JSON. `misses` are lines of the log; no text of it is kept."""

    identity: str
    place: Place = field(default_factory=Place)
    requests: int = 0
    errors: int = 0
    broken: int = 0
    other_models: int = 0
    first: float | None = None
    last: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    counted: int = 0
    latency_sum: float = 0.0
    bins: dict[str, int] = field(default_factory=dict)
    watches: dict[str, Watch] = field(default_factory=dict)
    misses: dict[str, list[int]] = field(default_factory=dict)
    crashes: dict[str, int] = field(default_factory=dict)


def state_file(run: Run, suite: str, arm: str, log: str) -> Path:
    """Where the state of watching a log is kept, unless the user names another place: in the run folder.

    Of a run in object storage, in the current one.
    """
    where = log if is_address(log) else str(Path(log).resolve())
    run_folder = Path() if is_remote(run.path) else Path(run.path)
    return run_folder / "monitor" / f"{text_digest(suite, arm, where)}.json"


def monitor(
    log: str, suite: Suite, run: Run, arm: str, state_at: Path, *, model: str | None = None, fresh: bool = False
) -> Monitored:
    """Goes on reading a log and says how it stands.

    model: only replies of this model. fresh: forget what was read before. Raises HarnessError (no such log, a log
    without a readable line, a state of something else), RunError (no such arm),
    MachineError (an address that does not answer, a state that cannot be written).
    """
    if suite.name not in run.manifest["suites"]:
        raise RunError(f"{run.path}: did not run suite '{suite.name}'. It ran: {', '.join(run.manifest['suites'])}.")
    base, sources = live.evaluated(run, suite.name, arm)
    every = live.checks(suite, base)
    begun, unwatched = _begin(every, base, sources)
    watched = [check for check in every if check.name in begun]
    identity = text_digest(
        suite.digest, arm, model, [one.completion.text for one in base], [(c.name, c.says) for c in every]
    )
    state = (None if fresh else _read(state_at, identity, begun)) or State(identity, watches=begun)
    if state.place.bytes and not was_read(log, state.place):
        say(f"{name_of(log)}: is another file than the one read before (rotated?): read from its beginning.")
    _go_on(state, log, watched, model, state_at)
    if not state.requests and state.broken:
        raise HarnessError(
            f"{name_of(log)}: none of {words.count(state.broken, 'line')} is a request with its reply. See above."
        )
    return _result(state, log, suite, run, arm, every, unwatched, base)


def _begin(
    every: Sequence[Check], base: Sequence[Exchange], sources: Sequence[str]
) -> tuple[dict[str, Watch], list[tuple[str, str]]]:
    """A test for each check that the evaluated answers give a level to, and why the others have none."""
    begun: dict[str, Watch] = {}
    unwatched = []
    for check in every:
        found = [
            (value, source) for one, source in zip(base, sources, strict=True) if (value := check.of(one)) is not None
        ]
        share = math.fsum(value for value, _ in found) / len(found) if found else 0.0
        if len(found) < live.FEWEST:
            unwatched.append((check.name, f"{words.count(len(found), 'evaluated answer')} it can look at"))
        elif share < LEAST_SHARE:
            unwatched.append((check.name, f"only {words.percent(share)} of the evaluated answers pass"))
        else:
            begun[check.name] = drop.begin([value for value, _ in found], [source for _, source in found])
    for group in ("behaviour", "input"):
        names = [check.name for check in every if check.group == group and check.name in begun]
        begun |= zip(names, drop.shared([begun[name] for name in names]), strict=True)
    return begun, unwatched


# --- reading on ------------------------------------------------------------------------------------------------------


def _go_on(state: State, log: str, watched: Sequence[Check], model: str | None, state_at: Path) -> None:
    """Reads what is new, portion by portion; after each the state on disk is whole."""
    lines = read_log(log, state.place)
    said, crashed, told = 0, 0, time.monotonic()
    while portion := list(islice(lines, PORTION)):
        exchanges, found = [], []
        for one, place in portion:
            state.place = place
            if isinstance(one, Exchange) and model is not None and one.model != model:
                state.other_models += 1
                continue
            if isinstance(one, Broken):
                state.broken += 1
                said += 1
                if said <= MOST_SAID:
                    say(f"{name_of(log)}:{one.line}: {one.why}. Left out.")
                continue
            values, crashes = _values(one, watched)
            for name, why in crashes.items():
                state.crashes[name] = state.crashes.get(name, 0) + 1
                crashed += 1
                if crashed <= MOST_SAID:
                    say(f"{name_of(log)}:{one.line}: {why}. It says nothing of this reply.")
            exchanges.append(one)
            found.append((one.line, values))
        _count(state, exchanges)
        for check in watched:
            of = [(line, value) for line, values in found if (value := values[check.name]) is not None]
            state.watches[check.name] = drop.go_on(state.watches[check.name], [value for _, value in of])
            missed = state.misses.get(check.name, []) + [line for line, value in of if value < 0.5]
            state.misses[check.name] = missed[-LATEST:]
        _write(state_at, state)
        if time.monotonic() - told >= EVERY_SECONDS:
            told = time.monotonic()
            say(f"{name_of(log)}: {words.count(state.requests, 'request')} read")
    if said > MOST_SAID:
        say(f"{name_of(log)}: {words.count(said, 'line')} left out in all.")
    if crashed > MOST_SAID:
        say(f"{name_of(log)}: checks crashed {crashed:,} times in all.")


def _values(one: Exchange, watched: Sequence[Check]) -> tuple[dict[str, float | None], dict[str, str]]:
    """What each check says, None where it crashes, and how those crash that do: they do not end the watch."""
    found: dict[str, float | None] = dict.fromkeys(check.name for check in watched)
    crashes = {}
    for check in watched:
        try:
            found[check.name] = check.of(one)
        except SuiteError as error:
            crashes[check.name] = str(error).rstrip(".")
        except (HarnessError, MemoryError):
            raise
        except Exception as error:
            why = type(error.__cause__ or error).__name__
            crashes[check.name] = f"the check '{check.name}' crashes on this reply ({why})"
    return found, crashes


def _count(state: State, exchanges: Sequence[Exchange]) -> None:
    for one in exchanges:
        said = one.completion
        state.requests += 1
        state.errors += said.finish_reason == "error"
        if one.time is not None:
            state.first = one.time if state.first is None else min(state.first, one.time)
            state.last = one.time if state.last is None else max(state.last, one.time)
        if said.prompt_tokens or said.completion_tokens:
            state.prompt_tokens += said.prompt_tokens
            state.completion_tokens += said.completion_tokens
            state.counted += 1
        if said.seconds > 0:
            place = str(_bin(said.seconds))
            state.bins[place] = state.bins.get(place, 0) + 1
            state.latency_sum += said.seconds


def _bin(seconds: float) -> int:
    return math.ceil(math.log(seconds) / math.log(STEP))


def _read(path: Path, identity: str, begun: Mapping[str, Watch]) -> State | None:
    """The state kept there; None where there is none. Raises RunError, also where its tests began otherwise."""
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text("utf-8"))
        written_as = int(value.pop("format"))
        if written_as != FORMAT:
            raise RunError(
                f"{path}: is a state of format {written_as}; this harness keeps format {FORMAT}, and its tests cannot "
                f"go on with the other. Begin anew with --fresh, or give another --state."
            )
        value["place"] = Place(**value["place"])
        value["watches"] = {
            name: Watch(**{**one, "starts": tuple((int(at), float(passed)) for at, passed in one["starts"])})
            for name, one in value["watches"].items()
        }
        state = State(**value)
        times, bins = [one for one in (state.first, state.last) if one is not None], [int(one) for one in state.bins]
        if not all(0 < one < LATEST_TIME for one in times) or max(bins, default=0) > _bin(LONGEST_LATENCY):
            raise ValueError("a time or a latency that can be none")
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        raise RunError(f"{path}: not the state of a monitor. Remove it, or give another --state.") from None
    if state.identity != identity or _levels(state.watches) != _levels(begun):
        raise RunError(
            f"{path}: is of another suite version, arm, answers, checks or model. Begin anew with --fresh, or give "
            f"another --state."
        )
    return state


def _levels(watches: Mapping[str, Watch]) -> dict[str, tuple[float, float, float]]:
    """What each test holds the live values to: another where a check finds something else in the evaluated answers."""
    return {name: (one.baseline_passed, one.baseline_n, one.alpha) for name, one in watches.items()}


def _write(path: Path, state: State) -> None:
    write_json(path, {"format": FORMAT, **asdict(state)})


# --- saying it -------------------------------------------------------------------------------------------------------


def _result(
    state: State, log: str, suite: Suite, run: Run, arm: str, every: Sequence[Check],
    unwatched: Sequence[tuple[str, str]], base: Sequence[Exchange],
) -> Monitored:  # fmt: skip
    watched = [check for check in every if check.name in state.watches]
    tested = tuple(_tested(check, state) for check in watched)
    behaviour = [one for one in tested if one.group == "behaviour"]
    fallen = [one for one in behaviour if one.drifted_at is not None]
    few = not any(one.n >= EVERY for one in behaviour)
    status = "drift" if fallen else "too few requests" if few else "no drift"
    prices = _prices(run, arm)
    seconds = sorted(one.completion.seconds for one in base if one.completion.seconds > 0)
    evaluated = Side(
        *(_mean([getattr(one.completion, name) for one in base]) for name in ("prompt_tokens", "completion_tokens")),
        *((seconds[math.ceil(q * len(seconds)) - 1] if seconds else None) for q in (0.5, 0.95)),
    )
    counted = state.counted or None
    now = Side(
        *((total / counted if counted else None) for total in (state.prompt_tokens, state.completion_tokens)),
        *(_percentile(state.bins, q) for q in (0.5, 0.95)),
    )
    return Monitored(
        log=name_of(log),
        suite=suite.name,
        baseline=f"{run.path}:{arm}",
        answers=len(base),
        requests=state.requests,
        errors=state.errors,
        broken=state.broken,
        other_models=state.other_models,
        first=state.first,
        last=state.last,
        status=status,
        sentence=_sentence(status, fallen, state.requests, len(behaviour)) + _crashed(state.crashes),
        checks=tested,
        unwatched=tuple(unwatched),
        evaluated=_priced(evaluated, prices),
        live=_priced(now, prices),
        tokens=(state.prompt_tokens, state.completion_tokens),
        latencies=(*(_up_to(state.bins, bound) for bound in BUCKETS), sum(state.bins.values())),
        latency_sum=state.latency_sum,
        crashes=state.crashes,
    )


def _tested(check: Check, state: State) -> Tested:
    watch = state.watches[check.name]
    since = watch.since if watch.alarm is not None else None
    power = drop.power(watch, SMALL)
    later = None if since is None else (watch.passed - dict(watch.starts)[since]) / (watch.n - since)
    return Tested(
        name=check.name,
        group=check.group,
        says=check.says,
        evaluated=watch.baseline_passed / watch.baseline_n,
        evaluated_n=watch.baseline_n,
        live=watch.passed / watch.n if watch.n else None,
        n=watch.n,
        drifted_at=watch.alarm,
        since=since,
        live_since=later,
        evidence=math.exp(min(700.0, watch.peak)),
        visible=drop.visible(watch),
        latest=tuple(state.misses.get(check.name, ())),
        detects=drop.detects(watch),
        power=power,
        power_once=max(power, drop.power_once(watch, SMALL)),
        enough=drop.enough(watch, SMALL) if power < drop.SURE else None,
    )


def _sentence(status: str, fallen: Sequence[Tested], requests: int, checks: int) -> str:
    seen = words.count(requests, "request")
    if status == "too few requests":
        return f"Too few requests to say: {seen}, and the first look is after {EVERY}."
    if status == "no drift":
        return (
            f"No drift: {seen}, {words.count(checks, 'check')} of behaviour. If nothing changes, the chance of ever "
            f"saying drift is at most {ALPHA:.0%}, however often one looks.".replace("%,", " %,")
        )
    worst = max(fallen, key=lambda one: one.evidence)
    others = [one.name for one in fallen if one is not worst]
    also = f" Also: {words.listing(others)}." if others else ""
    return f"Drift: {worst.name}: {_fall(worst)}.{also}"


def _crashed(crashes: Mapping[str, int]) -> str:
    """ " A check that crashed says nothing of that reply: answers (on 3 replies)."; "" where none did."""
    told = [f"{name} (on {words.count(number, 'reply', 'replies')})" for name, number in crashes.items()]
    return f" A check that crashed says nothing of that reply: {words.listing(told)}." if told else ""


def _fall(one: Tested) -> str:
    """ "91.2 % of 300 requests pass since about the 250th, 97.8 % of the evaluated did; found after 400 requests"."""
    since = one.since or 0
    when = f"since about the {since:,}th" if since else "from the first on"
    return (
        f"{words.percent(one.live_since or 0.0)} of {words.count(one.n - since, 'request')} pass {when}, "
        f"{words.percent(one.evaluated)} of the evaluated did; found after {one.drifted_at:,} requests"
    )


def _prices(run: Run, arm: str) -> tuple[float, float] | None:
    """USD per million tokens in and out, where the run knows them."""
    table = tabulate(run)
    if not priced_by_token(table, arm):
        return None
    card: Mapping[str, Any] = model_of(table, arm)
    found = card.get("usd_per_million_input"), card.get("usd_per_million_output")
    return None if found[0] is None or found[1] is None else (float(found[0]), float(found[1]))


def _priced(side: Side, prices: tuple[float, float] | None) -> Side:
    if prices is None or side.prompt_tokens is None or side.completion_tokens is None:
        return side
    return replace(side, usd_per_1000=(side.prompt_tokens * prices[0] + side.completion_tokens * prices[1]) / 1000)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if any(values) else None


def _percentile(bins: Mapping[str, int], share: float) -> float | None:
    """From bins: the upper end of the one that holds it."""
    wanted, seen = share * sum(bins.values()), 0
    for place in sorted(map(int, bins)):
        seen += bins[str(place)]
        if seen >= wanted:
            return float(STEP**place)
    return None


def _up_to(bins: Mapping[str, int], bound: float) -> int:
    return sum(number for place, number in bins.items() if STEP ** int(place) <= bound * 1.000001)
