"""Multiple choice as next-token questions: which distributions are needed, and which choice they make likeliest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from harness.data import Completion, Request

Tokens = tuple[int, ...]


def next_tokens_wanted(choices: Sequence[Tokens]) -> dict[Tokens, tuple[int, ...]]:
    """After each beginning of a choice, the tokens whose log-probability is wanted there.

    >>> next_tokens_wanted([(7,), (8, 9), (8, 5)])
    {(): (7, 8), (8,): (5, 9)}
    """
    wanted: dict[Tokens, set[int]] = defaultdict(set)
    for choice in choices:
        for place, token in enumerate(choice):
            wanted[choice[:place]].add(token)
    return {lead: tuple(sorted(tokens)) for lead, tokens in wanted.items()}


def chosen(request: Request, logprobs: Sequence[float], seconds: float) -> Completion:
    """The likeliest choice as a completion, the first of equals. logprobs: one per choice, in nats."""
    best = max(range(len(logprobs)), key=logprobs.__getitem__)
    text, tokens = request.choice_texts[best], len(request.choices[best])
    return Completion(text, len(request.prompt_ids), tokens, "choice", seconds, tuple(logprobs))


def summed(choices: Sequence[Tokens], found: Mapping[Tokens, float]) -> list[float]:
    """The log-probability of each choice. found: of the last token of each beginning of a choice."""
    return [sum(found[choice[: place + 1]] for place in range(len(choice))) for choice in choices]
