"""Agreement of a judge with people, beyond what chance would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from harness.data import Interval

LEAST = 100
"""With fewer judged replies than this a kappa is not worth a claim."""


def kappa(one: Sequence[bool], other: Sequence[bool], level: float = 0.95) -> tuple[float, Interval] | None:
    """Cohen's kappa (1960) of two sets of yes/no labels of equal length, -1..1, and its interval.

    None where it has no value: no labels, or both said the same one word to everything. Standard error by Fleiss,
    Cohen and Everitt (1969); with total agreement it is 0 and the interval says nothing, so that its lower end is then
    taken from the rule of three.

    >>> round(kappa([True, True, False, False], [True, True, False, True])[0], 2)
    0.5
    """
    n = len(one)
    cells = (
        [
            [sum(a is i and b is j for a, b in zip(one, other, strict=True)) / n for j in (True, False)]
            for i in (True, False)
        ]
        if n
        else []
    )
    if not cells:
        return None
    rows, columns = [sum(row) for row in cells], [cells[0][j] + cells[1][j] for j in (0, 1)]
    by_chance = sum(r * c for r, c in zip(rows, columns, strict=True))
    if by_chance >= 1:
        return None
    agreed = cells[0][0] + cells[1][1]
    value = (agreed - by_chance) / (1 - by_chance)
    on = sum(cells[i][i] * (1 - (rows[i] + columns[i]) * (1 - value)) ** 2 for i in (0, 1))
    off = (1 - value) ** 2 * sum(cells[i][1 - i] * (columns[i] + rows[1 - i]) ** 2 for i in (0, 1))
    variance = (on + off - (value - by_chance * (1 - value)) ** 2) / (n * (1 - by_chance) ** 2)
    reach = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(max(0.0, variance))
    low = max(-1.0, value - reach) if agreed < 1 else 1 - min(2.0, 3 / n / (1 - by_chance))
    return value, Interval(low, min(1.0, value + reach), level, "Fleiss-Cohen-Everitt")
