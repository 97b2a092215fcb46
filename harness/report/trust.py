"""Can these numbers be trusted? Each check reads the run and says in one sentence what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.compare import (
    Table,
    agreement,
    arm_names,
    attempted_suites,
    compare_tables,
    grader,
    scorer_names,
    suite_names,
)
from harness.data import Verdict
from harness.errors import NotComparable
from harness.ledger import met
from harness.report.provenance import recipe
from harness.report.text import number, one_line
from harness.roles import LEAST as DEV_LEAST
from harness.roles import ON_DEV, candidates, dials, is_ceiling, is_tuned, reference, tried
from harness.seen import seen
from harness.sentences import favour
from harness.stats.agreement import LEAST
from harness.words import interval, listing, percent, plain_points, points


@dataclass(frozen=True)
class Check:
    """mood: "ok" holds; "mind" is a caveat; "bad" makes numbers doubtful; "fact" is neither."""

    mood: Literal["ok", "mind", "bad", "fact"]
    text: str


def checks(table: Table, verdicts: Sequence[Verdict]) -> Iterator[Check]:
    """Every check, the reassuring and the worrying, in the order in which a reader asks."""
    yield _same_samples(table)
    yield _coverage(table)
    yield from _looks(table)
    yield from _cut_off(table)
    yield from _visible(table, verdicts)
    yield from _applied(table)
    yield from _drift(table)
    yield from _seen(table)
    yield from _met(table)
    yield from _passages(table)
    yield from _no_corpus(table)
    yield from _ceilings(table)
    yield from _chosen_on_test(table)
    yield from _dials(table)
    yield from _validated(table)
    yield from _judges(table)
    yield from _decoding(table)
    yield from _again(table)
    yield from _machine(table)


def _same_samples(table: Table) -> Check:
    odd = []
    for suite in suite_names(table):
        asked = [{row.sample_digest for row in table.rows[suite, arm]} for arm in arm_names(table, suite)]
        if any(digests != asked[0] for digests in asked):
            odd.append(suite)
    if odd:
        names = listing([one_line(suite) for suite in odd])
        return Check("mind", f"Not every arm answered the same samples of {names}; differences use the shared ones.")
    return Check("ok", "Every arm answered the same samples, matched by a hash of their content.")


def _coverage(table: Table) -> Check:
    gaps = []
    for suite in attempted_suites(table):
        about, scorer = table.suites[suite], scorer_names(table, suite)[0]
        wanted = int((about.get("n_asked") if about.get("looks") else about.get("n_test")) or 0)
        for arm in table.arms:
            scored = sum(map(len, table.scores.get((suite, arm, scorer), {}).values()))
            if scored < wanted:
                gaps.append(f"{one_line(arm)} on {one_line(suite)}: {scored} of {wanted}")
    if gaps:
        return Check("mind", f"Answers are missing or unscored ({_some(gaps)}). Finish the run before deciding.")
    return Check("ok", "Every sample of every suite was answered and scored by every arm.")


def _looks(table: Table) -> Iterator[Check]:
    for suite in suite_names(table):
        about = table.suites[suite]
        if looks := about.get("looks"):
            used = f"look {looks['used']} of {len(looks['sizes'])}, {about.get('n_asked')} of {about.get('n_test')}"
            yield Check(
                "fact",
                f"{one_line(suite)} was asked until decided: {used} samples. Its intervals hold at all looks together.",
            )


def _cut_off(table: Table) -> Iterator[Check]:
    cut, thinking = [], []
    for (suite, arm), rows in table.rows.items():
        lost = sum(row.completion.finish_reason == "thinking" for row in rows) / len(rows)
        if lost > 0:
            thinking.append((lost, f"{one_line(arm)} on {one_line(suite)}: {percent(lost)}"))
        share = sum(row.completion.finish_reason == "length" for row in rows) / len(rows)
        if share > 0:
            cut.append((share, f"{one_line(arm)} on {one_line(suite)}: {percent(share)}"))
    if thinking:
        worst = [text for _, text in sorted(thinking, key=lambda pair: (-pair[0], pair[1]))]
        yield Check(
            "mind", f"Some answers never came: the tokens ran out while the model was thinking ({_some(worst)})."
        )
    if cut:
        worst = [text for _, text in sorted(cut, key=lambda pair: (-pair[0], pair[1]))]
        yield Check("mind", f"Some answers were cut off at the token limit ({_some(worst)}).")
    elif not thinking:
        yield Check("ok", "No answer was cut off at the token limit.")


def _visible(table: Table, verdicts: Sequence[Verdict]) -> Iterator[Check]:
    found: dict[str, float] = {}
    for verdict in verdicts:
        if verdict.suite in table.suites and verdict.candidate in table.arms and verdict.reference in table.arms:
            try:
                mde = compare_tables(table, verdict.reference, table, verdict.candidate, verdict.suite).mde
            except NotComparable:
                continue
            found[verdict.suite] = max(mde, found.get(verdict.suite, 0.0))
    if found:
        sizes = ", ".join(f"{one_line(suite)} {plain_points(mde)}" for suite, mde in found.items())
        yield Check("fact", f"Smallest true difference this run would see four times in five: {sizes}.")


def _applied(table: Table) -> Iterator[Check]:
    for name, adapter in table.run.manifest.get("adapters", {}).items():
        proof = (adapter.get("applied") or {}).get("max_logprob_difference")
        if proof:
            moved = f"it moves a probe's log-probabilities by up to {number(float(proof))}"
            yield Check("ok", f"Adapter {one_line(name)} is applied: {moved}.")
        else:
            yield Check("bad", f"Nothing proves that adapter {one_line(name)} was applied: it may equal its base.")


def _drift(table: Table) -> Iterator[Check]:
    for name, adapter in table.run.manifest.get("adapters", {}).items():
        if moved := adapter.get("drift"):
            size = f"{moved['kl']:.2f} nats ({moved['low']:.2f} to {moved['high']:.2f}, {moved['texts']} texts)"
            text = (
                f"On neutral text {one_line(name)} has moved {size} away from its base: an early warning, no verdict."
            )
            yield Check("fact", text)


def _seen(table: Table) -> Iterator[Check]:
    for name, adapter in table.run.manifest.get("adapters", {}).items():
        looked = adapter.get("contamination")
        if not looked:
            continue
        who, basis = one_line(name), looked.get("basis")
        if basis == "none":
            yield Check("mind", f"What {who} was trained on is not recorded: it may have seen test samples.")
            continue
        if basis != "recorded":
            why = "have changed since" if basis == "changed" else "may have changed since: its card names them only"
            yield Check(
                "mind", f"The train splits that {who} was made from {why}; test samples were looked for in them."
            )
        if not any((looked.get("flagged") or {}).values()):
            yield Check("ok", f"No test sample occurs in {who}'s training data (exact, 13-gram, near duplicate).")
    for one in seen(table):
        kinds = Counter(one.flagged.values())
        sort = ", ".join(f"{kind} {kinds[kind]}" for kind in sorted(kinds))
        many = f"{len(one.flagged)} of {one.n_test} test samples of {one_line(one.suite)} occur"
        text = f"{many} in {one_line(one.adapter)}'s training data ({sort}); "
        if one.without is None:
            text += "without them nothing is left to compare."
        else:
            of_arm = f"the difference of {one_line(one.arm)} from {one_line(one.with_them.baseline)}"
            apart = f"{points(one.without.difference)} ({interval(one.without.interval)}, n={one.without.n})"
            text += f"without them {of_arm} is {apart} instead of {points(one.with_them.difference)} points."
        yield Check("bad", text)


def _met(table: Table) -> Iterator[Check]:
    for one in met(table.run):
        if one.arm in candidates(table, one.suite):
            yield Check("mind" if one.changed else "fact", one_line(one.sentence, 400))


def _passages(table: Table) -> Iterator[Check]:
    for name, arm in table.arms.items():
        if not arm.get("adapter") or not any(dials(table, suite, name).get("retrieve") for suite in suite_names(table)):
            continue
        adapter = one_line(str(arm["adapter"]))
        train = table.run.manifest.get("adapters", {}).get(arm["adapter"], {}).get("train")
        if not train:
            yield Check(
                "mind", f"Whether adapter {adapter} saw passages in training ({one_line(name)}) is not recorded."
            )
        elif not recipe(train).get("retrieve"):
            text = f"{one_line(name)} gets passages, but its adapter {adapter} was trained without any."
            yield Check("mind", text)


def _no_corpus(table: Table) -> Iterator[Check]:
    bare = [suite for suite in suite_names(table) if not table.suites[suite].get("corpus")]
    retrieving = [
        one_line(name)
        for name in table.arms
        if not is_ceiling(table, name) and any(dials(table, suite, name).get("retrieve") for suite in bare)
    ]
    if retrieving and bare:
        names, verb = listing([one_line(suite) for suite in bare]), "has" if len(bare) == 1 else "have"
        yield Check(
            "mind",
            f"{names} {verb} nothing to retrieve from: {listing(retrieving)} answered without passages there.",
        )


def _ceilings(table: Table) -> Iterator[Check]:
    for name in table.arms:
        if is_ceiling(table, name):
            yield Check(
                "mind",
                f"{one_line(name)} is shown the passages that hold the answer: a ceiling for better retrieval, not a "
                "candidate. No decision rests on it.",
            )


def _chosen_on_test(table: Table) -> Iterator[Check]:
    named = [name for name in table.arms if not is_ceiling(table, name)]
    plain = [name for name in named if not is_tuned(table, name)]
    if not 1 < len(plain) < len(named):
        return
    on_dev = [suite for suite in _judged(table) if reference(table, suite)[1].endswith(ON_DEV)]
    rest = [suite for suite in _judged(table) if suite not in on_dev]
    if on_dev:
        names = listing([one_line(suite) for suite in on_dev])
        yield Check("ok", f"The reference was chosen on dev samples, not on these: {names}.")
    if rest or not on_dev:
        whose = f"of {listing([one_line(suite) for suite in rest])}" if on_dev else "of each suite"
        text = (
            f"The reference {whose} is the best of {len(plain)} arms on these same samples. That favours the "
            f"reference: {favour(len(plain))}."
        )
        yield Check("mind", text)


def _judged(table: Table) -> list[str]:
    """Suites where the reference is the best of several arms: no general ones, and both kinds of arms have answered."""
    found = []
    for suite in suite_names(table):
        arms = [arm for arm in arm_names(table, suite) if not is_ceiling(table, arm)]
        plain = [arm for arm in arms if not is_tuned(table, arm)]
        if table.suites[suite].get("kind") != "general" and 1 < len(plain) < len(arms):
            found.append(suite)
    return found


def _dials(table: Table) -> Iterator[Check]:
    """Arms with lists of dials: how many combinations dev has seen, and whether it was enough."""
    sizes: dict[str, int] = {}
    few = []
    for suite in suite_names(table):
        for arm in arm_names(table, suite):
            tries, _ = tried(table, suite, arm)
            if len(tries) > 1:
                sizes[arm] = len(tries)
                few += [f"{one_line(arm)} on {one_line(suite)}"] if tries[0]["n"] < DEV_LEAST else []
    if sizes:
        said = listing([f"{one_line(arm)} among {tries}" for arm, tries in sizes.items()])
        yield Check("ok", f"Dials were chosen on dev, never on test: {said} combinations.")
    if few:
        yield Check("mind", f"Fewer than {DEV_LEAST} dev samples chose the dials of {_some(few)}.")


def _validated(table: Table) -> Iterator[Check]:
    cards = {suite: table.suites[suite] for suite in suite_names(table) if "certificate" in table.suites[suite]}
    bad = [one_line(suite) for suite, card in cards.items() if not (card["certificate"] or {}).get("valid")]
    if bad:
        text = (
            f"{listing(bad)}: score not validated. `harness check SUITE --certify` tries the scorer on known answers."
        )
        yield Check("mind", text)
    elif cards:
        yield Check("ok", "Every score is validated: the scorers were tried on answers whose worth is known.")


def _judges(table: Table) -> Iterator[Check]:
    for suite in suite_names(table):
        for name in scorer_names(table, suite):
            card = grader(table, suite, name)
            if card is None:
                continue
            who = f"{one_line(suite)}: {one_line(name)} asks {one_line(str(card.get('model')))}"
            if left := card.get("not_graded"):
                yield Check("mind", f"{who}; {left} answers were too long for it and have no such score.")
            if card.get("wants_labels"):
                said = agreement(card, "all")
                torn = f"; the order of the replies decided {card['torn']} of its verdicts" if card.get("torn") else ""
                if said == "not validated":
                    said = f"judge not validated ({card.get('labels', 0)} of {LEAST} replies labelled by people)"
                yield Check("mind" if "not" in said else "fact", f"{who}: {said}{torn}.")


def _decoding(table: Table) -> Iterator[Check]:
    warm = [suite for suite in suite_names(table) if (table.suites[suite].get("sampling") or {}).get("temperature")]
    if warm:
        counts = {int(table.suites[suite]["sampling"].get("samples", 1)) for suite in warm}
        many = "one per question" if counts == {1} else f"{listing([str(n) for n in sorted(counts)])} per question"
        names = listing([one_line(suite) for suite in warm])
        yield Check("mind", f"{names}: answers are sampled, {many}; a second run would differ.")
    else:
        yield Check("ok", "Decoding is greedy and the same for every arm.")


def _again(table: Table) -> Iterator[Check]:
    """What came out otherwise when it was asked a second time."""
    found = {arm: about for arm, about in table.run.manifest.get("again", {}).items() if about.get("n")}
    if not found:
        return
    n = sum(about["n"] for about in found.values())
    odd = [
        f"{one_line(arm)} {about['texts']} of {about['n']}, {about['scores']} with another score"
        for arm, about in found.items()
        if about["texts"]
    ]
    if odd:
        yield Check(
            "mind", f"Asked again, some answers came out otherwise: {_some(odd)}. That is noise of every answer."
        )
    else:
        yield Check("ok", f"Asked again, all of {n} answers came out the same.")


def _machine(table: Table) -> Iterator[Check]:
    manifest = table.run.manifest
    engine = manifest.get("engine") or {}
    name = one_line(str(engine.get("name", "not recorded")))
    deaths = sum(int(card.get("engine_deaths", 0)) for card in manifest.get("models", {}).values())
    if deaths:
        yield Check(
            "fact", f"The engine died {deaths} times and was started again; what was under way was asked again."
        )
    if name == "fake":
        yield Check("bad", "The answers come from the fake engine, which makes them up. Nothing here is about a model.")
    else:
        device = one_line(str(engine.get("device") or "")) or "an unknown device"
        yield Check("fact", f"Engine: {name} {one_line(str(engine.get('version') or ''))} on {device}.")
    sandbox = one_line(str(manifest.get("sandbox") or ""))
    if sandbox.startswith("T0"):
        yield Check(
            "bad", f"Code written by a model ran WITHOUT a sandbox ({sandbox}): it could have changed anything."
        )
    elif sandbox:
        yield Check("fact", f"Code written by a model ran in the sandbox. {sandbox}.")
    if "finished" in manifest and not manifest["finished"]:
        yield Check("mind", "The run has not finished.")


def _some(items: Sequence[str], most: int = 4) -> str:
    """The first few of a list, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
