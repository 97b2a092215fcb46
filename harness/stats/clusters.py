"""Samples that share a source are not independent: the error of a mean difference by clusters.

Cluster jackknife: the mean is taken anew without each cluster in turn ("CV3": MacKinnon, Nielsen and Webb, J.
Econometrics 232, 2023), and t quantiles have one degree of freedom less than the effective number of clusters,
(sum n)^2 / sum n^2 of their sizes (after Carter, Schnepel and Steigerwald, Rev. Econ. Stat. 99, 2017). With equal sizes
that is the usual robust error (CR1: Liang and Zeger 1986; Miller 2024, arXiv 2411.00640, for evaluations) with G - 1
degrees of freedom. It covers 94 % at 10 equal clusters, where the plain interval covers 40 to 80 %, and 92.5 % or more
where one of ten holds most samples, where CR1 covers 5 to 70 %. Fewer than LEAST clusters are too few to conclude
anything from.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

LEAST = 10
"""With fewer clusters no verdict is given."""


def cluster_error(values: Sequence[float], clusters: Sequence[str]) -> tuple[float, float]:
    """(standard error of the mean, degrees of freedom >= 1) of values in clusters, named value by value.

    One cluster tells nothing about others: its error is infinite.

    >>> cluster_error([0.0, 0.0, 1.0, 1.0], ["a", "a", "b", "b"])
    (0.5, 1.0)
    """
    n, total = len(values), math.fsum(values)
    sums: dict[str, float] = defaultdict(float)
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] += value
    sizes = Counter(clusters)
    groups = len(sums)
    if groups < 2:
        return math.inf, 1.0
    without = [(total - sums[name]) / (n - size) for name, size in sizes.items()]
    centre = math.fsum(without) / groups
    error = math.sqrt((groups - 1) / groups * math.fsum((one - centre) ** 2 for one in without))
    return error, max(1.0, effective(clusters) - 1)


def effective(clusters: Sequence[str]) -> float:
    """How many clusters of equal size are worth as much as these, 1 to their number.

    >>> effective(["a", "a", "a", "b"])
    1.6
    """
    return len(clusters) ** 2 / math.fsum(size * size for size in Counter(clusters).values())


def shared(clusters: Sequence[str]) -> bool:
    """Whether any two values are of one cluster; where none are, plain intervals are right."""
    return len(set(clusters)) < len(clusters)
