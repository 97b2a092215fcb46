"""May two sides be held to each other at all? Identity and completeness, looked at before any number.

What must agree: suite version and content (its prompts included), scorers, sampling, the model that graders ask, and
for one arm on both sides the prompts as sent: the same arm with other shots or passages is another thing. Two
different arms differ in their prompts on purpose. `prompts: may differ` in a policy lets the first through as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from harness import words
from harness.compare import Table, asked, differences, scope, scorer_names
from harness.data import Row, Run
from harness.digests import text_digest
from harness.errors import ConfigError, did_you_mean
from harness.policy import Policy


def differing(a: Table, base_arm: str, b: Table, cand_arm: str, suite: str, policy: Policy) -> list[str]:
    """What keeps a suite both sides ran from being compared; empty if nothing does."""
    if suite not in a.suites or suite not in b.suites:
        return []
    found = differences(a, b, suite)
    if a.run is not b.run and base_arm == cand_arm and policy.prompts == "same":
        one, two = prompts(a.run, suite, base_arm), prompts(b.run, suite, cand_arm)
        shared = one.keys() & two.keys()
        other = sum(one[digest] != two[digest] for digest in shared)
        if other:
            found.append(f"{cand_arm} was sent other prompts on {other} of {words.count(len(shared), 'sample')}")
    if any(rule.kind in ("latency_ratio", "cost_ratio") for rule in policy.on(suite)):
        sides = [timed_on(table.run) for table in (a, b)]
        if sides[0] != sides[1]:
            found.append(f"timed on {sides[0]} and on {sides[1]}")
    return [f"{suite}: {text}" for text in found]


def missing(a: Table, base_arm: str, b: Table, cand_arm: str, suite: str, scorer: str) -> tuple[list[str], list[str]]:
    """Samples without a score on the baseline's side, and on the candidate's: a line each, if any are missing."""
    for side, (table, _) in enumerate(((a, base_arm), (b, cand_arm))):
        if suite not in table.suites:
            lines: tuple[list[str], list[str]] = ([], [])
            lines[side].append(f"{suite}: {table.run.path} did not run it")
            return lines
    held = scope(a, b, suite)
    left, right = (
        {d: len(v) for d, v in held.of(table.scores.get((suite, arm, scorer), {})).items()}
        for table, arm in ((a, base_arm), (b, cand_arm))
    )
    either = sum(max(left.get(d, 0), right.get(d, 0)) for d in left.keys() | right.keys())
    wanted = max(held.wanted, either)
    what = "" if scorer == scorer_names(a, suite)[0] else f" a score of '{scorer}'"
    said = [
        f"{suite}: {lacking} of {wanted} samples {'lack' if what else 'are missing'}{what} in {table.run.path}:{arm}"
        for table, arm, side in ((a, base_arm, left), (b, cand_arm, right))
        for lacking in [wanted - sum(side.values())]
    ]
    return said[:1] * (wanted > sum(left.values())), said[1:] * (wanted > sum(right.values()))


def prompts(run: Run, suite: str, arm: str) -> dict[str, str]:
    """Digest of the prompt that was sent, by sample digest. A baseline file brings them along."""
    kept = run.manifest["suites"][suite].get("prompts")
    if kept is not None:
        return dict(kept)
    rows = [row for row in run.rows if (row.suite, row.arm) == (suite, arm)]
    return {row.sample_digest: text_digest([dict(message) for message in row.messages])[:8] for row in rows}


def timed_on(run: Run) -> str:
    """The engine and the machine that seconds were measured on, in words."""
    engine, machine = run.manifest.get("engine") or {}, run.manifest.get("hardware") or {}
    parts = [engine.get("name"), machine.get("gpu"), machine.get("machine"), machine.get("cores")]
    return ", ".join(str(part) for part in parts if part is not None) or "an unknown machine"


def leave_out(
    base: Run, cand: Run, suites: Sequence[str], policy: Policy, today: date
) -> tuple[Run, Run, tuple[str, ...], tuple[str, ...]]:
    """Both runs without the samples in quarantine; what was left out; and which entries have expired, which count.

    An entry for a suite that is not held to anything here is passed over, if a run or a tier of the policy knows it; so
    is a sample that neither run knows while both were asked a part of the suite only.
    Raises ConfigError for a suite that none knows, a sample neither run knows, and where more of a suite is in
    quarantine than is allowed.
    """
    out: dict[str, set[str]] = {}
    left_out, expired = [], []
    there = dict.fromkeys((*base.manifest["suites"], *cand.manifest["suites"], *policy.named))
    for entry in policy.quarantine:
        if entry.suite not in there:
            raise ConfigError(
                f"{policy.path}: quarantine: no suite '{entry.suite}' in either run or in a tier."
                f"{did_you_mean(entry.suite, there)}"
            )
        if entry.suite not in suites:
            continue
        known = {
            name: row.sample_digest
            for row in (*base.rows, *cand.rows)
            if row.suite == entry.suite
            for name in (row.sample, row.sample_digest)
        }
        if entry.sample not in known:
            if not any(_whole(run, entry.suite) for run in (base, cand)):
                continue  # it may not have been asked yet
            raise ConfigError(
                f"{policy.path}: quarantine: suite {entry.suite} has no sample '{entry.sample}'."
                f"{did_you_mean(entry.sample, known) if len(known) < 40 else ' Correct it, or remove the entry.'}"
            )
        said = f"{entry.suite} {entry.sample}, until {entry.until}: {entry.reason}"
        if today > entry.until:
            expired.append(said)
        else:
            left_out.append(said)
            out.setdefault(entry.suite, set()).add(known[entry.sample])
    if not out:
        return base, cand, (), tuple(expired)
    gone = {suite: max(_count(base, suite, digests), _count(cand, suite, digests)) for suite, digests in out.items()}
    for suite, number in gone.items():
        size = max(int(run.manifest["suites"].get(suite, {}).get("n_test") or 0) for run in (base, cand))
        if number > policy.share * size:
            raise ConfigError(
                f"{policy.path}: quarantine: {number} of {words.count(size, 'sample')} of {suite}, at most "
                f"{words.percent(policy.share)} are allowed. Mend the samples, or raise quarantine.at_most."
            )
    shorter = _without(base, out, gone)
    return shorter, shorter if cand is base else _without(cand, out, gone), tuple(left_out), tuple(expired)


def _whole(run: Run, suite: str) -> bool:
    """Whether all samples of a suite were asked."""
    card = run.manifest["suites"].get(suite)
    return card is not None and asked(card) >= int(card.get("n_test") or 0)


def _count(run: Run, suite: str, digests: set[str]) -> int:
    return len({row.sample for row in run.rows if row.suite == suite and row.sample_digest in digests})


def _without(run: Run, out: Mapping[str, set[str]], gone: Mapping[str, int]) -> Run:
    rows = tuple(row for row in run.rows if row.sample_digest not in out.get(row.suite, ()))
    dropped = {(row.suite, row.sample) for row in run.rows} - {(row.suite, row.sample) for row in rows}
    suites = dict(run.manifest["suites"])
    for suite, number in gone.items():
        if suite in suites:
            card = suites[suite]
            own = _count(run, suite, out[suite]) if card.get("looks") else number  # others may never have been asked
            suites[suite] = {**card, "n_test": int(card["n_test"]) - number, "n_asked": asked(card) - own}
    scores = tuple(score for score in run.scores if (score.suite, score.sample) not in dropped)
    before, left = _computed(run.rows), _computed(rows)
    timed = run.manifest.get("timed", {})
    seconds = {  # a run of an older harness does not say for how many requests: those that are left have their share
        suite: {
            arm: spent * left[suite, arm] / before[suite, arm]
            if before[suite, arm] and arm not in timed.get(suite, {})
            else spent
            for arm, spent in by.items()
        }
        for suite, by in run.manifest.get("seconds", {}).items()
    }
    return replace(run, manifest={**run.manifest, "suites": suites, "seconds": seconds}, rows=rows, scores=scores)


def _computed(rows: Sequence[Row]) -> Counter[tuple[str, str]]:
    """How many answers of (suite, arm) the engine computed in the run."""
    return Counter((row.suite, row.arm) for row in rows if not row.reused and row.completion.finish_reason != "error")
