"""Which prompts run together: those that begin alike, in order of length. Pure arithmetic on token ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = 48
FEWEST = 12


@dataclass(frozen=True)
class Bucket:
    """Prompts, by their place in the list, longest first. Their first `prefix` tokens are the same: computed once."""

    prefix: int
    places: tuple[int, ...]


def common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """How many first tokens all prompts share, leaving at least one token of each out.

    >>> common_prefix([(1, 2, 3), (1, 2, 4, 5)])
    2
    """
    low, high = min(map(tuple, prompts)), max(map(tuple, prompts))
    shortest = min(map(len, prompts))
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return max(0, min(same, shortest - 1))


def buckets(
    prompts: Sequence[Sequence[int]], *, share: bool = True, head: int = HEAD, fewest: int = FEWEST
) -> list[Bucket]:
    """Every prompt in exactly one bucket. With `share`, prompts that agree in their first `head` tokens are kept
    together when there are at least `fewest` of them; the rest share no prefix.
    """
    by_head: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, prompt in enumerate(prompts):
        by_head[tuple(prompt[:head]) if share and len(prompt) > head else ()].append(place)
    rest = by_head.pop((), [])
    made = []
    for places in by_head.values():
        if len(places) < fewest:
            rest += places
        else:
            made.append(Bucket(common_prefix([prompts[place] for place in places]), _longest_first(places, prompts)))
    return [*made, Bucket(0, _longest_first(rest, prompts))] if rest else made


def _longest_first(places: Sequence[int], prompts: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(sorted(places, key=lambda place: (-len(prompts[place]), place)))
