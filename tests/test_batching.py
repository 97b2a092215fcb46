"""Which prompts run together: each in one batch list, those that begin alike share their beginning, longest first."""

from __future__ import annotations

import random

from harness.engines.batching import FEWEST, HEAD, buckets, common_prefix


def _prompts(count: int, first: int, seed: int) -> list[tuple[int, ...]]:
    """Prompts of HEAD + 5 equal tokens and then different ones, of various lengths."""
    draw = random.Random(seed)
    return [(first,) * (HEAD + 5) + (number, *range(draw.randint(0, 30))) for number in range(count)]


def test_every_prompt_is_in_one_bucket_and_longer_ones_come_first() -> None:
    prompts = [*_prompts(FEWEST, 1, 0), *_prompts(3, 2, 1), (7,), (8, 9), *_prompts(2 * FEWEST, 3, 2)]
    random.Random(3).shuffle(prompts)
    found = buckets(prompts)
    assert sorted(place for bucket in found for place in bucket.places) == list(range(len(prompts)))
    for bucket in found:
        lengths = [len(prompts[place]) for place in bucket.places]
        assert lengths == sorted(lengths, reverse=True)
        heads = {prompts[place][: bucket.prefix] for place in bucket.places}
        assert len(heads) == 1
    assert sorted((bucket.prefix, len(bucket.places)) for bucket in found) == [
        (0, 5), (HEAD + 5, FEWEST), (HEAD + 5, 2 * FEWEST),
    ]  # fmt: skip


def test_too_few_that_begin_alike_share_nothing() -> None:
    assert [bucket.prefix for bucket in buckets(_prompts(FEWEST, 1, 0))] == [HEAD + 5]
    assert [bucket.prefix for bucket in buckets(_prompts(FEWEST - 1, 1, 0))] == [0]
    assert [bucket.prefix for bucket in buckets(_prompts(FEWEST, 1, 0), share=False)] == [0]


def test_a_shared_beginning_leaves_a_token_of_every_prompt() -> None:
    assert common_prefix([(1, 2, 3), (1, 2, 3)]) == 2
    assert common_prefix([(1, 2), (1, 2, 3), (1, 2, 4)]) == 1
    assert common_prefix([(1,), (2,)]) == 0
    assert common_prefix([(1, 9, 3), (1, 2, 3), (1, 5, 3)]) == 1
