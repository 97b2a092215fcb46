"""What a server that speaks OpenAI's protocol says, read without trust in its form. No network here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from harness.data import Constraint, Message

MOST_TOKENS = 2**40
"""Of one answer. A server that says more counts something else."""


@dataclass(frozen=True)
class Reply:
    """first_tokens: the likeliest first tokens as text with their log-probabilities in nats; () where not given."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    first_tokens: tuple[tuple[str, float], ...] = ()
    reasoning: str = ""
    reasoning_tokens: int = 0


def read(body: Any) -> Reply:
    """A chat completion. Raises ValueError for anything else; some servers send their errors as a success."""
    try:
        choice = body["choices"][0]
        said = choice["message"]
        text = said.get("content") or said.get("refusal") or ""
        thought = said.get("reasoning_content") or said.get("reasoning") or ""
        usage = body.get("usage") or {}
        used = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        thinking = _count((usage.get("completion_tokens_details") or {}).get("reasoning_tokens"))
        first = ((choice.get("logprobs") or {}).get("content") or [{}])[0].get("top_logprobs") or []
        tokens = tuple((str(one["token"]), float(one["logprob"])) for one in first)
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError):
        why = message(body)
        raise ValueError(f"no chat completion ({why})" if why else "no chat completion") from None
    if not isinstance(text, str):
        raise ValueError("no chat completion (the content is not text)")
    reason = "length" if choice.get("finish_reason") == "length" else "stop"
    return Reply(text, reason, *used, tokens, thought if isinstance(thought, str) else "", thinking)


def _count(value: Any) -> int:
    """Tokens. Raises ValueError for what can be no number of them."""
    number = int(value or 0)
    if not 0 <= number < MOST_TOKENS:
        raise ValueError("no chat completion (its usage counts no tokens)")
    return number


def names(body: Any) -> list[str]:
    """The models of a list of models; [] for anything else."""
    entries = body.get("data") if isinstance(body, dict) else None
    entries = entries if isinstance(entries, list) else []
    return [str(one["id"]) for one in entries if isinstance(one, dict) and "id" in one]


def message(body: Any) -> str:
    """What an error says, wherever a server puts it.

    >>> message({"error": {"message": "no"}}), message({"detail": "no"}), message("no")
    ('no', 'no', 'no')
    """
    while isinstance(body, Mapping):
        body = next((body[key] for key in ("error", "message", "detail") if body.get(key)), "")
    return str(body or "")


def one_sentence(text: str) -> str:
    """At most 300 printable characters of one line, ending in a full stop.

    >>> one_sentence("a\\n b")
    'a b.'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return (line[:300].rstrip(".") or "no reason given") + "."


def wished(headers: Mapping[str, str]) -> float:
    """The seconds to wait by Retry-After, as a number or as a date (RFC 9110, 10.2.3); 0 without.

    >>> wished({"retry-after": "7"})
    7.0
    """
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
    try:
        at, now = (parsedate_to_datetime(headers.get(name, "")).timestamp() for name in ("retry-after", "date"))
    except ValueError:
        return 0.0
    return max(0.0, at - now)


def sendable(text: str) -> str:
    """The text with what UTF-8 cannot hold (half of a surrogate pair) as "?"."""
    return text.encode("utf-8", "replace").decode()


def constrained(constraint: Constraint) -> dict[str, Any]:
    """What is sent to have an answer held to a constraint.

    >>> constrained(Constraint("choice", '["a", "b"]'))
    {'extra_body': {'structured_outputs': {'choice': ['a', 'b']}}}
    """
    if constraint.kind == "json":
        schema = {"name": "answer", "schema": json.loads(constraint.value), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    value = constraint.value if constraint.kind == "regex" else json.loads(constraint.value)
    return {"extra_body": {"structured_outputs": {constraint.kind: value}}}


# --- multiple choice -------------------------------------------------------------------------------------------------


def of_first_token(choices: Sequence[str], tokens: Sequence[tuple[str, float]]) -> tuple[float, ...] | None:
    """The log-probability of each choice by its first token, None where that does not tell them apart.

    Tokens that begin the same one choice add up. A choice that none begins has the smallest log-probability given.

    >>> of_first_token(["yes", "no"], [("yes", -0.1), (" no", -3.0)])
    (-0.1, -3.0)
    """
    masses: list[list[float]] = [[] for _ in choices]
    shared = -math.inf
    for token, logprob in tokens:
        begun = [place for place, choice in enumerate(choices) if token.strip() and choice.startswith(token.strip())]
        if len(begun) == 1:
            masses[begun[0]].append(logprob)
        elif begun:
            shared = max(shared, logprob)
    best = max((max(mine) for mine in masses if mine), default=-math.inf)
    if best == -math.inf or shared >= best:
        return None
    least = min(logprob for _, logprob in tokens)
    return tuple(_sum(mine) if mine else least for mine in masses)


def _sum(logprobs: Sequence[float]) -> float:
    """The logarithm of the sum of probabilities."""
    top = max(logprobs)
    return top + math.log(sum(math.exp(one - top) for one in logprobs)) if len(logprobs) > 1 else top


def listed(messages: Sequence[Message], choices: Sequence[str]) -> tuple[Message, ...]:
    """The conversation with the choices at the end of its last turn."""
    lines = "\n".join(f"- {choice}" for choice in choices)
    content = f"{messages[-1]['content']}\n\nAnswer with exactly one of these and nothing else:\n{lines}"
    return (*messages[:-1], {**messages[-1], "content": content})


def chosen_in(text: str, choices: Sequence[str]) -> str:
    """The one choice that a reply names, else the reply as it is: letter by letter, else as the only one in it.

    >>> chosen_in("**Both**.", ["1", "both"]), chosen_in("1 or both?", ["1", "both"])
    ('both', '1 or both?')
    """
    bare = text.strip().strip("\"'`*.,:;()[]- \n").casefold()
    same = [choice for choice in choices if choice.strip().casefold() == bare]
    within = [choice for choice in choices if re.search(rf"(?<!\w){re.escape(choice.strip())}(?!\w)", text, re.I)]
    found = same or within
    return found[0] if len(found) == 1 else text
