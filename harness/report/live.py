"""What a monitored log comes to: lines for a terminal, one offline page, and metrics for Prometheus.

None of them holds text of the traffic. The page has the report's style and its content security policy, and no script.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from harness import words
from harness.monitor import BUCKETS, LIMITS, Monitored, Tested
from harness.stats.drop import EVERY, SOON


def lines(found: Monitored) -> Iterator[str]:
    """The answer for a terminal."""
    from harness.tables import aligned

    yield found.sentence
    if found.too_small:
        yield found.too_small
    for group, title in (("behaviour", "replies"), ("input", "prompts")):
        rows = [
            [
                one.name,
                words.percent(one.evaluated),
                "–" if one.live is None else words.percent(one.live),
                f"{one.n:,}",
                seen(one),
                said(one),
            ]
            for one in found.of(group)
        ]
        yield ""
        yield aligned([title, "evaluated", "live", "n", "can see", ""], rows)
    yield ""
    yield found.input_sentence
    yield from about(found)
    for name, why in found.unwatched:
        yield f"Not watched: {name} ({why})."
    yield from LIMITS


def said(one: Tested) -> str:
    """What a check's test says, in a few words."""
    if one.drifted_at is not None:
        begun = f"after about {one.since:,} requests" if one.since else "from the first requests on"
        latest = f"; e.g. lines {', '.join(map(str, one.latest))}" if one.latest else ""
        return f"DRIFT {begun}{latest}"
    if one.n < EVERY:
        return "too few requests"
    if one.visible is None:
        return "no drift found; none would show yet"
    return f"no drift found; a drop of {words.plain_points(one.visible, 0)} would show by now"


def seen(one: Tested) -> str:
    """The drop that the evaluated answers allow to find within 1,000 requests, four times in five."""
    return "nothing" if one.detects is None else words.plain_points(one.detects, 1)


def about(found: Monitored) -> Iterator[str]:
    """Requests, time, tokens, latency and cost, a sentence each."""
    told = [words.count(found.requests, "request")]
    if found.errors:
        told.append(f"{found.errors:,} failed")
    if found.broken:
        told.append(f"{words.count(found.broken, 'line')} left out")
    if found.other_models:
        told.append(f"{found.other_models:,} of other models left out")
    when = f", {day(found.first)} to {day(found.last)}" if found.first is not None and found.last is not None else ""
    yield f"Log: {', '.join(told)}{when}; held to {words.count(found.answers, 'answer')} of {found.baseline}."
    yield f"Can see: the drop that is found within the first {SOON:,} requests four times in five."
    was, now = found.evaluated, found.live
    for name, before, after, unit in (
        ("Prompt tokens per request", was.prompt_tokens, now.prompt_tokens, ""),
        ("Completion tokens per request", was.completion_tokens, now.completion_tokens, ""),
        ("Seconds, median", was.seconds_p50, now.seconds_p50, " s"),
        ("Seconds, 95th percentile", was.seconds_p95, now.seconds_p95, " s"),
        ("USD per 1,000 requests", was.usd_per_1000, now.usd_per_1000, ""),
    ):
        if after is not None:
            known = (
                "not known" if before is None else f"{before:,.3g}{unit}" if before < 100 else f"{before:,.0f}{unit}"
            )
            shown = f"{after:,.3g}" if after < 100 else f"{after:,.0f}"
            yield f"{name}: {shown}{unit} (evaluated: {known})."


def day(seconds: float) -> str:
    """A time as its day, UTC.

    >>> day(0)
    '1970-01-01'
    """
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def live_page(found: Monitored) -> str:
    """One HTML document; nothing in it loads or runs."""
    from markupsafe import Markup

    from harness.report.page import asset, policy, template

    css = asset("report.css") + asset("live.css")
    return template("live.html.j2", escape=True).render(
        found=found,
        policy=policy(css, ""),
        css=Markup(css),
        groups=(("behaviour", "What is replied"), ("input", "What is asked")),
        said=said,
        seen=seen,
        about=[*about(found), *(f"Not watched: {name} ({why})." for name, why in found.unwatched)],
        limits=LIMITS,
    )


def prometheus(found: Monitored) -> str:
    """The text exposition format, version 0.0.4: for node_exporter's textfile collector, or to be served as it is."""
    of = {"suite": found.suite, "baseline": found.baseline}
    per_check = [({**of, "check": one.name, "group": one.group}, one) for one in found.checks]
    drifted = {
        group: float(any(one.drifted_at is not None for one in found.of(group))) for group in ("behaviour", "input")
    }
    metrics: list[tuple[str, str, str, list[tuple[dict[str, str], float]]]] = [
        ("requests_total", "counter", "Requests read.", [(of, found.requests)]),
        ("failed_requests_total", "counter", "Requests answered with an error.", [(of, found.errors)]),
        ("broken_lines_total", "counter", "Lines of the log that could not be read.", [(of, found.broken)]),
        (
            "tokens_total", "counter", "Tokens by the server's count.",
            [({**of, "kind": kind}, n) for kind, n in zip(("prompt", "completion"), found.tokens, strict=True)],
        ),
        (
            "drift", "gauge", "1 if drift was found.",
            [({**of, "group": group}, value) for group, value in drifted.items()],
        ),
        (
            "check_drift", "gauge", "1 if drift of a check was found.",
            [(labels, float(one.drifted_at is not None)) for labels, one in per_check],
        ),
        (
            "check_requests_total", "counter", "Requests that a check looked at.",
            [(labels, one.n) for labels, one in per_check],
        ),
        (
            "check_share", "gauge", "Share of live requests that pass a check.",
            [(labels, one.live) for labels, one in per_check if one.live is not None],
        ),
        (
            "check_evaluated_share", "gauge", "Share of evaluated answers that pass a check.",
            [(labels, one.evaluated) for labels, one in per_check],
        ),
        (
            "check_evidence", "gauge", "How much likelier the live values are if the share fell, at most.",
            [(labels, one.evidence) for labels, one in per_check],
        ),
    ]  # fmt: skip
    lines = [line for name, kind, help_, values in metrics for line in _metric(name, kind, help_, values)]
    lines += _metric("latency_seconds", "histogram", "Latency as logged.", [])
    bounds = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")
    for bound, count in zip(bounds, found.latencies, strict=True):
        lines.append(_value("latency_seconds_bucket", {**of, "le": bound}, count))
    lines += [
        _value("latency_seconds_sum", of, found.latency_sum),
        _value("latency_seconds_count", of, found.latencies[-1]),
    ]
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, help_: str, values: list[tuple[dict[str, str], float]]) -> list[str]:
    head = [f"# HELP harness_monitor_{name} {help_}", f"# TYPE harness_monitor_{name} {kind}"]
    return head + [_value(name, labels, value) for labels, value in values]


def _value(name: str, labels: dict[str, str], value: float) -> str:
    """A sample line; a label's backslashes, quotes and line ends are escaped.

    >>> _value("x", {"suite": 'a"b'}, 1)
    'harness_monitor_x{suite="a\\\\"b"} 1.0'
    """
    escaped = {key: text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for key, text in labels.items()}
    inner = ",".join(f'{key}="{text}"' for key, text in escaped.items())
    return f"harness_monitor_{name}{{{inner}}} {float(value)!r}"
