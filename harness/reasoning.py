"""Thinking aloud is no part of the answer: it is taken off before scoring, and kept beside it.

Understood: `<think>...</think>` (also `<thinking>`, `[THINK]`) at the beginning of an answer, the same without its
opening where the chat template has written that already, and what a server gives as reasoning of its own
(engines/replies.py). Thinking that never ends leaves no answer: finish_reason "thinking".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from harness.data import Completion, Request

_OPENED = re.compile(r"\s*(?:<(think|thinking)>|\[(THINK)\])")
_PROMPT_ENDS = re.compile(r"(?:<(think|thinking)>|\[(THINK)\])\s*\Z")
_CLOSED = re.compile(r"</(?:think|thinking)>|\[/THINK\]")
TAIL = 8
"""Tokens at the end of a prompt among which the opening would be."""


def separated(completion: Completion, opened: bool = False) -> Completion:
    """The completion without its thinking, which goes into `reasoning`. opened: the prompt ends inside of thinking.

    >>> separated(Completion("<think>2 + 2</think>\\n\\n4")).text, separated(Completion("<think>hm")).finish_reason
    ('4', 'thinking')
    """
    text = completion.text
    start = _OPENED.match(text)
    end = _CLOSED.search(text)
    if end and (start or opened or not _OPENED.search(text[: end.start()])):
        thought = text[start.end() if start else 0 : end.start()].strip()
        return replace(completion, text=text[end.end() :].lstrip(), reasoning=_joined(completion.reasoning, thought))
    if (start or opened) and completion.finish_reason in ("stop", "length"):
        thought = text[start.end() if start else 0 :].strip()
        return replace(completion, text="", finish_reason="thinking", reasoning=_joined(completion.reasoning, thought))
    if completion.reasoning and not text and completion.finish_reason == "length":
        return replace(completion, finish_reason="thinking")
    return completion


def read(tokenizer: Any, request: Request, completion: Completion) -> Completion:
    """What an engine gave, as it is stored and scored: without the thinking before the answer.

    What is held to a schema from its first token has no thinking, whatever the chat template has opened.
    """
    if request.choice_texts:
        return completion
    opened = request.sampling.constraint is None and opens(tokenizer, request.prompt_ids)
    return counted(separated(completion, opened), tokenizer)


def counted(completion: Completion, tokenizer: Any) -> Completion:
    """The completion with the tokens of its thinking; they are part of completion_tokens. None: as it is."""
    if not completion.reasoning or completion.reasoning_tokens or tokenizer is None:
        return completion
    tokens = len(tokenizer.encode(completion.reasoning, add_special_tokens=False))
    return replace(completion, reasoning_tokens=min(tokens, completion.completion_tokens))


def opens(tokenizer: Any, prompt_ids: Sequence[int]) -> bool:
    """Whether a prompt's last tokens have begun the thinking, as some chat templates do."""
    if tokenizer is None or not prompt_ids:
        return False
    return _opens(tokenizer, tuple(prompt_ids[-TAIL:]))


@lru_cache(256)
def _opens(tokenizer: Any, tail: tuple[int, ...]) -> bool:
    """Prompts of one chat template end alike, and decoding takes longer than anything else that is done here."""
    return bool(_PROMPT_ENDS.search(tokenizer.decode(list(tail), skip_special_tokens=False)))


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
