"""When does a fine-tuned arm pay its training back against a dearer prompt?

On this machine everything is measured engine time: training seconds, and engine seconds per request of both arms at
the load of the run. The price of a GPU hour turns it into money; the number of requests does not depend on it. Against
an arm on an endpoint, which is paid by the token, the number of requests is a matter of money, and needs all prices.
What is not covered: labelling the data, people's time, and an idle machine; of an endpoint, discounts.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.compare import Table, summarize_arm, tabulate
from harness.data import ArmSummary, Run
from harness.prices import cost, priced_by_token, training_seconds
from harness.roles import candidates, reference


@dataclass(frozen=True)
class BreakEven:
    """After how many requests `arm` has paid its training back against `against`; None with a reason when never.

    usd fields are None without costs.gpu_hour_usd; months is None without costs.requests_per_month.
    """

    suite: str
    arm: str
    against: str
    requests: int | None
    reason: str
    training_seconds: float | None
    seconds_per_request: float | None
    against_seconds_per_request: float | None
    training_usd: float | None
    usd_per_1000: float | None
    against_usd_per_1000: float | None
    months: float | None


def break_even(run: Run, suite: str, arm: str, against: str) -> BreakEven:
    """Requests after which the fine-tuned `arm` has paid its training back against `against` on this suite."""
    return break_even_of(tabulate(run), suite, arm, against)


def break_evens(run: Run) -> list[BreakEven]:
    """Every fine-tuned arm against the reference of every suite that is not a general-ability suite."""
    table = tabulate(run)
    found = []
    for suite, about in table.suites.items():
        arms = [a for a in table.arms if (suite, a) in table.rows]
        if about.get("kind") == "general" or len(arms) < 2:
            continue
        against = reference(table, suite)[0]
        for arm in candidates(table, suite):
            if table.arms[arm].get("adapter") is not None:
                found.append(break_even_of(table, suite, arm, against))
    return found


def break_even_of(table: Table, suite: str, arm: str, against: str) -> BreakEven:
    """break_even on a run that is already indexed."""
    monthly = table.run.manifest.get("costs", {}).get("requests_per_month")
    training = training_seconds(table, arm)
    mine, theirs = summarize_arm(table, suite, arm), summarize_arm(table, suite, against)
    own, other = _per_request(mine), _per_request(theirs)
    training_usd, own_usd, other_usd = (
        _usd(table, training),
        usd_per_request(table, mine),
        usd_per_request(table, theirs),
    )
    if priced_by_token(table, against):
        requests, reason = _requests_by_money(training_usd, own_usd, other_usd, arm, against)
    else:
        requests, reason = _requests(training, own, other, arm, against)
    return BreakEven(
        suite,
        arm,
        against,
        requests,
        reason,
        training,
        own,
        other,
        training_usd,
        None if own_usd is None else 1000 * own_usd,
        None if other_usd is None else 1000 * other_usd,
        requests / monthly if requests is not None and monthly else None,
    )


def usd_per_request(table: Table, summary: ArmSummary | None) -> float | None:
    """What a request of an arm costs: tokens at the endpoint's prices, or engine time at that of a GPU hour."""
    if summary is None:
        return None
    return cost(table, summary.suite, summary.arm, "usd")


def _usd(table: Table, seconds: float | None) -> float | None:
    price = table.run.manifest.get("costs", {}).get("gpu_hour_usd")
    return None if seconds is None or price is None else seconds * price / 3600


def _requests_by_money(
    training: float | None, own: float | None, other: float | None, arm: str, against: str
) -> tuple[int | None, str]:
    if training is None or own is None or other is None:
        return None, f"{against} is paid by the token, and prices are not all known"
    if own >= other:
        return None, f"{arm} costs no less per request than {against}"
    return int(training / (other - own)) + 1, ""


def _requests(
    training: float | None, own: float | None, other: float | None, arm: str, against: str
) -> tuple[int | None, str]:
    if training is None:
        return None, f"the training of {arm} was not recorded"
    if own is None or other is None:
        return None, "engine seconds were not measured"
    if own >= other:
        return None, f"{arm} takes no less engine time than {against}"
    return int(training / (other - own)) + 1, ""


def _per_request(summary: ArmSummary | None) -> float | None:
    return None if summary is None else summary.engine_seconds
