"""What a request may ask, checked before anything is computed."""

from __future__ import annotations

from harness.data import Request
from harness.errors import HarnessError


def check_length(request: Request, max_model_len: int) -> None:
    """Refuses a request without a prompt, or whose prompt and answer do not fit the context together."""
    prompt = len(request.prompt_ids)
    wanted = max(map(len, request.choices)) if request.choices else request.sampling.max_tokens
    if not prompt:
        raise HarnessError("the prompt is empty: 0 tokens. Give a question.")
    if wanted < 1 or (request.choices and not min(map(len, request.choices))):
        raise HarnessError("the answer has no tokens. Give max_tokens of 1 or more, and choices that are not empty.")
    if prompt + wanted > max_model_len:
        raise HarnessError(
            f"{prompt} prompt tokens and {wanted} for the answer do not fit the model's context of {max_model_len}. "
            "Use fewer shots or passages, or a smaller max_tokens."
        )
