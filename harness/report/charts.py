"""Charts as static SVG: drawn here, styled by report.css, readable without JavaScript, printed as they are.

Every chart has a title and a description in words. Colour never carries a meaning alone: fine-tuned arms are filled
diamonds, the others open circles, and everything is labelled where it stands. Coordinates are SVG user units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from harness.report.text import count, one_line, percent, points, seconds
from harness.stats.curve import Curve

LABEL = 18
"""Characters of an arm's name that a chart shows."""


@dataclass(frozen=True)
class Point:
    """One arm in the quality chart: x in the chart's own unit, y and its interval in 0..1."""

    label: str
    x: float
    y: float
    low: float
    high: float
    fine_tuned: bool


@dataclass(frozen=True)
class Change:
    """One arm's change on one probe, -1..1, with its interval."""

    arm: str
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Probe:
    """One row of the chart of changes: n samples, one change per arm."""

    label: str
    n: int
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Series:
    """One arm over several runs: (place of the run, score 0..1, low, high)."""

    arm: str
    points: tuple[tuple[int, float, float, float], ...]


def span(edges: Sequence[float]) -> tuple[float, float]:
    """A common axis for forest rows: zero, every finite edge, and a margin, in steps of 0.05.

    >>> span([-0.02, 0.31])
    (-0.05, 0.35)
    """
    finite = [edge for edge in edges if math.isfinite(edge)] + [0.0]
    low, high = math.floor(min(finite) * 20 - 0.2) / 20, math.ceil(max(finite) * 20 + 0.2) / 20
    return max(low, -1.0), min(high, 1.0)


def forest_row(difference: float, low: float, high: float, axis: tuple[float, float], fine_tuned: bool) -> Markup:
    """A difference and its interval on `axis`, with a line at zero; 160 x 22 units, for a table cell."""
    width, middle = 160, 11

    def x(value: float) -> float:
        return round(6 + (width - 12) * (value - axis[0]) / (axis[1] - axis[0]), 1)

    said = f"difference {points(difference)} points, interval {points(low)} to {points(high)}"
    left, right = x(max(low, axis[0])), x(min(high, axis[1]))
    return Markup(
        f'<svg class="forest" viewBox="0 0 {width} 22" width="{width}" height="22" role="img"><title>{said}</title>'
        f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="0" y2="22"/>'
        f'<line class="whisker{_clear(low, high)}" x1="{left}" x2="{right}" y1="{middle}" y2="{middle}"/>'
        f'<line class="whisker{_clear(low, high)}" x1="{left}" x2="{left}" y1="7" y2="15"/>'
        f'<line class="whisker{_clear(low, high)}" x1="{right}" x2="{right}" y1="7" y2="15"/>'
        f"{_mark(x(difference), middle, int(fine_tuned))}</svg>"
    )


def _clear(low: float, high: float) -> str:
    """A class for an interval that does not hold zero."""
    return " gain" if low > 0 else " loss" if high < 0 else ""


def _mark(x: float, y: float, shape: int) -> Markup:
    """0: open circle; 1: diamond; 2: square; 3: triangle; then the same three open; then again from 1."""
    if shape == 0:
        return Markup(f'<circle class="mark plain" cx="{x}" cy="{y}" r="4"/>')
    forms = {1: "M0-5.5L5.5 0L0 5.5L-5.5 0Z", 2: "M-4-4H4V4H-4Z", 0: "M0-5.5L5 4H-5Z"}
    kind = "plain" if (shape - 1) // 3 % 2 else f"tuned tone-{(shape - 1) % 3}"
    return Markup(f'<path class="mark {kind}" d="{forms[shape % 3]}" transform="translate({x} {y})"/>')


def quality_chart(name: str, unit: str, dots: Sequence[Point]) -> Markup:
    """Score against cost per request, one dot per arm with its interval; left and up is better. 340 x 250 units.

    unit: "tokens" or "seconds", what x counts per request.
    """
    width, height, left, right, top, bottom = 340, 250, 42, 8, 10, 42
    x_high = _nice(max((dot.x for dot in dots), default=1.0) * 1.12)

    def x(value: float) -> float:
        return round(left + (width - left - right) * value / x_high, 1)

    def y(value: float) -> float:
        return round(top + (height - top - bottom) * (1 - value), 1)

    say = seconds if unit == "seconds" else count
    described = "; ".join(f"{one_line(d.label, 40)}: {percent(d.y)} at {say(d.x)}" for d in dots)
    parts = [_opening(f"{name}: score and {unit} per request", described, width, height)]
    for step in range(5):
        value = step / 4
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(value)}" y2="{y(value)}"/>')
        parts.append(f'<text class="tick end" x="{left - 6}" y="{y(value) + 4}">{step * 25} %</text>')
        place, anchor = x(x_high * value), "end" if step == 4 else "mid" if step else "start"
        parts.append(f'<text class="tick {anchor}" x="{place}" y="{height - bottom + 16}">{x_high * value:g}</text>')
    axis = f"{'engine ' if unit == 'seconds' else ''}{unit} per request (less is better)"
    parts.append(f'<text class="axis mid" x="{(left + width) / 2}" y="{height - 6}">{axis}</text>')
    taken = [(x(d.x) - 7, y(d.y) - 7, x(d.x) + 7, y(d.y) + 7) for d in dots]
    for dot in sorted(dots, key=lambda dot: (dot.fine_tuned, dot.label)):
        parts.append(
            f'<line class="whisker" x1="{x(dot.x)}" x2="{x(dot.x)}" y1="{y(dot.high)}" y2="{y(dot.low)}"/>'
            f"{_mark(x(dot.x), y(dot.y), int(dot.fine_tuned))}"
        )
    for dot in sorted(dots, key=lambda dot: (-dot.y, dot.label)):
        label = one_line(dot.label, LABEL)
        label_x, label_y, box = _free_place(
            x(dot.x), y(dot.y), 6.6 * len(label), taken, (left, 0, width, height - bottom)
        )
        taken.append(box)
        weight = " strong" if dot.fine_tuned else ""
        parts.append(f'<text class="label{weight}" x="{label_x}" y="{label_y}">{escape(label)}</text>')
    return Markup("".join([*parts, "</svg>"]))


def change_chart(name: str, probes: Sequence[Probe], arms: Sequence[str]) -> Markup:
    """What got worse: per probe and fine-tuned arm the change against the untrained model, with its interval.

    One row per probe; the arms' marks differ in shape, named in a legend. 400 units wide.
    """
    row, left, right, top = 14 * max(len(arms), 1) + 8, 124, 12, 34
    width, bottom = 400, top + row * len(probes)
    axis = span([edge for probe in probes for change in probe.changes for edge in (change.low, change.high)])

    def x(value: float) -> float:
        return round(left + (width - left - right) * (value - axis[0]) / (axis[1] - axis[0]), 1)

    described = "; ".join(
        f"{one_line(probe.label, 40)}: "
        + ", ".join(f"{one_line(c.arm, 40)} {points(c.difference)}" for c in probe.changes)
        for probe in probes
    )
    parts = [_opening(f"{name}: what got better or worse, by probe", described, width, bottom + 40)]
    entry = 8
    for place, arm in enumerate(arms):
        parts.append(f'{_mark(entry + 6, 13, place + 1)}<text class="label" x="{entry + 17}" y="17">')
        parts.append(f"{escape(one_line(arm, LABEL))}</text>")
        entry += 34 + 7 * min(len(arm), LABEL)
    step = next(size for size in (0.05, 0.1, 0.2, 0.25, 0.5) if (axis[1] - axis[0]) / size <= 7)
    for tick in range(math.ceil(axis[0] / step - 1e-9), math.floor(axis[1] / step + 1e-9) + 1):
        place_x = x(tick * step)
        kind = "zero" if tick == 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{place_x}" x2="{place_x}" y1="{top - 4}" y2="{bottom}"/>')
        parts.append(
            f'<text class="tick mid" x="{place_x}" y="{bottom + 15}">{points(tick * step).removesuffix(".0")}</text>'
        )
    parts.append(
        f'<text class="axis mid" x="{x((axis[0] + axis[1]) / 2)}" y="{bottom + 34}">change in percentage points</text>'
    )
    for number, probe in enumerate(probes):
        middle = top + row * number + row / 2
        parts.append(
            f'<text class="label end" x="{left - 12}" y="{middle + 4}">{escape(one_line(probe.label, 16))}'
            f'<tspan class="tick"> n={probe.n}</tspan></text>'
        )
        for change in probe.changes:
            shape = list(arms).index(change.arm)
            y = round(middle + 14 * (shape - (len(arms) - 1) / 2), 1)
            parts.append(
                f'<line class="whisker{_clear(change.low, change.high)}" x1="{x(max(change.low, axis[0]))}" '
                f'x2="{x(min(change.high, axis[1]))}" y1="{y}" y2="{y}"/>{_mark(x(change.difference), y, shape + 1)}'
            )
    return Markup("".join([*parts, "</svg>"]))


def history_chart(name: str, runs: Sequence[str], series: Sequence[Series]) -> Markup:
    """Score against run, oldest on the left, one line per arm with its intervals. 520 x 250 units."""
    width, height, left, right, top, bottom = 520, 250, 42, 118, 10, 34

    def x(run: float) -> float:
        return round(left + 16 + (width - left - right - 34) * run / max(len(runs) - 1, 1), 1)

    def y(score: float) -> float:
        return round(top + (height - top - bottom) * (1 - score), 1)

    described = "; ".join(
        f"{one_line(one.arm, 40)}: " + ", ".join(f"{percent(mean)} in {runs[run]}" for run, mean, _, _ in one.points)
        for one in series
    )
    parts = [_opening(f"{name}: score by run", described, width, height)]
    for step in range(5):
        at = y(step / 4)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text class="tick end" x="{left - 6}" y="{at + 4}">{step * 25} %</text>')
    every = max(1, math.ceil(len(runs) / 6))
    for place in range(0, len(runs), every):
        label = escape(one_line(runs[place], max(6, 54 // min(len(runs), 6))))
        parts.append(f'<text class="tick mid" x="{x(place)}" y="{height - 14}">{label}</text>')
    taken: list[float] = []
    for shape, one in enumerate(series):
        shift = 5 * (shape - (len(series) - 1) / 2)
        line = " ".join(f"{round(x(run) + shift, 1)},{y(mean)}" for run, mean, _, _ in one.points)
        parts.append(f'<polyline class="curve thin" points="{line}"/>')
        for run, mean, low, high in one.points:
            at = round(x(run) + shift, 1)
            parts.append(f'<line class="whisker" x1="{at}" x2="{at}" y1="{y(high)}" y2="{y(low)}"/>')
            parts.append(str(_mark(at, y(mean), shape)))
    for one in sorted(series, key=lambda one: -one.points[-1][1]):
        at = max(y(one.points[-1][1]) + 4, taken[-1] + 14 if taken else 0.0)
        taken.append(at)
        text = escape(one_line(one.arm, LABEL))
        parts.append(f'<text class="label" x="{width - right + 26}" y="{at}">{text}</text>')
        parts.append(str(_mark(width - right + 16, at - 4, list(series).index(one))))
    return Markup("".join([*parts, "</svg>"]))


def loss_curve(name: str, losses: Sequence[Sequence[float]]) -> Markup:
    """Training loss (nats per token) against step, from (step, loss) pairs; two or more. 340 x 130 units."""
    width, height, left, right, top, bottom = 340, 130, 34, 8, 8, 30
    first, last = losses[0][0], losses[-1][0]
    ceiling = _nice(max(loss for _, loss in losses) or 1.0)
    along = [left + (width - left - right) * (step - first) / ((last - first) or 1) for step, _ in losses]
    up = [top + (height - top - bottom) * (1 - min(loss, ceiling) / ceiling) for _, loss in losses]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(along, up, strict=True))
    said = f"loss {losses[0][1]:.3g} at step {first:g}, {losses[-1][1]:.3g} at step {last:g}"
    parts = [_opening(f"{name}: training loss by step", said, width, height)]
    for share in (0.0, 0.5, 1.0):
        y = round(top + (height - top - bottom) * (1 - share), 1)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick end" x="{left - 5}" y="{y + 4}">{ceiling * share:g}</text>')
    parts.append(f'<polyline class="curve" points="{line}"/>')
    parts.append(f'<text class="axis mid" x="{(left + width) / 2}" y="{height - 8}">training loss, {said}</text>')
    return Markup("".join([*parts, "</svg>"]))


def learning_curve(name: str, curve: Curve) -> Markup:
    """Score (0..1) against training samples, on a scale of doublings: fit, 90 % band, what was measured. 340 x 190."""
    width, height, left, right, top, bottom = 340, 190, 40, 10, 10, 34
    sizes = [point.size for point in curve.fitted]
    wide = math.log(sizes[-1] / sizes[0])

    def x(size: float) -> float:
        return round(left + (width - left - right) * math.log(size / sizes[0]) / wide, 1)

    def y(score: float) -> float:
        return round(top + (height - top - bottom) * (1 - score), 1)

    last = curve.measured[-1][0]
    said = ", ".join(f"{percent(score)} at {count(size)}" for size, score, _ in curve.measured)
    parts = [_opening(f"{name}: score against training samples", said, width, height)]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(share)}" y2="{y(share)}"/>')
        parts.append(f'<text class="tick end" x="{left - 5}" y="{y(share) + 4}">{100 * share:.0f} %</text>')
    up = [f"{x(p.size)},{y(p.interval.high)}" for p in curve.fitted]
    down = [f"{x(p.size)},{y(p.interval.low)}" for p in reversed(curve.fitted)]
    parts.append(f'<polygon class="band" points="{" ".join([*up, *down])}"/>')
    known = [p for p in curve.fitted if p.size <= last]
    ahead = [p for p in curve.fitted if p.size >= last]
    for css, some in (("curve", known), ("curve ahead", ahead)):
        line = " ".join(f"{x(p.size)},{y(p.score)}" for p in some)
        parts.append(f'<polyline class="{css}" points="{line}"/>')
    for size, score, _ in curve.measured:
        parts.append(f'<circle class="dot" cx="{x(size)}" cy="{y(score)}" r="3.5"/>')
    for size in sizes:
        parts.append(f'<text class="tick mid" x="{x(size)}" y="{height - 18}">{count(size)}</text>')
    parts.append(f'<text class="axis mid" x="{(left + width) / 2}" y="{height - 4}">training samples</text>')
    return Markup("".join([*parts, "</svg>"]))


def _opening(title: str, described: str, width: int, height: int) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img">'
        f"<title>{escape(one_line(title))}</title><desc>{escape(one_line(described, 900))}</desc>"
    )


def _nice(value: float) -> float:
    """The next of 1, 2, 4, 6, 8 times a power of ten, so that quarters of it are short numbers."""
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next((step * power for step in (1, 2, 4, 6, 8) if step * power >= value), 10 * power)


Box = tuple[float, float, float, float]


def _free_place(x: float, y: float, length: float, taken: Sequence[Box], frame: Box) -> tuple[float, float, Box]:
    """Where a label of `length` beside (x, y) hides nothing: right, left, above, below, then further away."""
    for far in (0, 13, 26, 39):
        for dx, dy in (
            (9, 4),
            (-9 - length, 4),
            (9, -6 - far),
            (9, 14 + far),
            (-9 - length, -6 - far),
            (-9 - length, 14 + far),
        ):
            box = (x + dx, y + dy - 10, x + dx + length, y + dy + 3)
            inside = frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]
            if inside and not any(_overlap(box, other) for other in taken):
                return round(x + dx, 1), round(y + dy, 1), box
    return round(x + 9, 1), round(y + 4, 1), (x + 9, y - 6, x + 9 + length, y + 7)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
