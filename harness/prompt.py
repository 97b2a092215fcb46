"""The one renderer. Evaluation and training both call it, so a model is asked what it was taught."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from harness.data import Arm, Message, Passage, Sample, Suite
from harness.errors import ConfigError, SuiteError, did_you_mean

_SLOT = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def fill(template: str, values: dict[str, Any], where: str) -> str:
    """Replaces {name} in one pass, so braces inside a value are never expanded. An unknown name is a SuiteError.

    >>> fill("Q: {input}", {"input": "{odd}"}, "demo")
    'Q: {odd}'
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            raise SuiteError(f"{where}: template key '{{{name}}}' is not in the sample.{did_you_mean(name, values)}")
        return str(values[name])

    return _SLOT.sub(value, template)


def _turns(suite: Suite, sample: Sample, passages: Sequence[Passage], retrieved: bool) -> list[Message]:
    """The sample's own turns, its last user turn set into the suite's template."""
    turns = [{"role": "user", "content": sample.input}] if isinstance(sample.input, str) else list(sample.input)
    values = {**sample.metadata, "input": turns[-1]["content"]}
    template = suite.template
    if retrieved:
        template = suite.retrieval_template
        values["passages"] = "\n".join(f"[{i}] {passage.text}" for i, passage in enumerate(passages, 1))
    content = fill(template, values, f"suite {suite.name}: sample {sample.id}")
    return [*turns[:-1], {"role": "user", "content": content}]


def system_prompt(suite: Suite, arm: Arm) -> str | None:
    """The system prompt an arm gets on a suite. A single word that names none of the suite's is a SuiteError."""
    if isinstance(arm.system, bool):
        return suite.system if arm.system else None
    if arm.system in suite.systems:
        return suite.systems[arm.system]
    if len(arm.system.split()) < 2:
        raise SuiteError(
            f"suite {suite.name}, arm {arm.name}: no system prompt '{arm.system}'."
            f"{did_you_mean(arm.system, suite.systems)} Add it to prompt.systems in suite.yaml, or write the prompt "
            f"itself into models.yaml."
        )
    return arm.system


def render(suite: Suite, arm: Arm, sample: Sample, passages: Sequence[Passage] = ()) -> tuple[Message, ...]:
    """The conversation an arm sends for a sample: system prompt, worked examples, then the question.

    Worked examples are asked in the plain template, without passages, and answered with their gold target. So is a
    question for which there are no passages. A sample whose input is the prompt as it is gets nothing added.
    """
    if sample.as_is:
        return ({"role": "user", "content": sample.input},) if isinstance(sample.input, str) else sample.input
    messages: list[Message] = []
    own_system = not isinstance(sample.input, str) and sample.input[0]["role"] == "system"
    system = system_prompt(suite, arm)
    if system and not own_system:
        messages.append({"role": "system", "content": system})
    own = _turns(suite, sample, passages, retrieved=bool(arm.retrieve and passages))
    if own_system:
        messages.append(own[0])
    for shot in suite.shots[: arm.shots]:
        messages += _turns(suite, shot, (), retrieved=False)
        messages.append({"role": "assistant", "content": shot.target})
    return (*messages, *own[own_system:])


def chat_text(tokenizer: Any, messages: Sequence[Message], generation: bool) -> str:
    """A conversation in the model's chat template; `generation` adds the beginning of the assistant's turn."""
    if not getattr(tokenizer, "chat_template", None):
        raise ConfigError(
            "this model's tokenizer has no chat template. Use an instruction-tuned model, or add a chat_template.jinja "
            "to the model folder."
        )
    turns = [dict(message) for message in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=generation))


def encode(tokenizer: Any, messages: Sequence[Message]) -> tuple[int, ...]:
    """Token ids of a conversation, up to where the assistant's next turn begins."""
    return tuple(tokenizer.encode(chat_text(tokenizer, messages, generation=True), add_special_tokens=False))


def tokens(
    tokenizer: Any, sample: Sample, messages: Sequence[Message]
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """(prompt ids, ids of each choice) of a rendered sample, as an engine is asked.

    A choice is encoded by itself where it is a turn of a conversation, together with the text where it goes on one.
    """
    if not (sample.as_is and isinstance(sample.input, str)):
        choices = tuple(tuple(tokenizer.encode(text, add_special_tokens=False)) for text in sample.choices)
        return encode(tokenizer, messages), choices
    pairs = [continued(tokenizer, sample.input, choice) for choice in sample.choices]
    return (pairs[0][0], tuple(ids for _, ids in pairs)) if pairs else (encode_text(tokenizer, sample.input), ())


def prefix_token(tokenizer: Any) -> int:
    """What stands before a text's first token: the beginning-of-text token, or the end-of-text token without one."""
    start = getattr(tokenizer, "bos_token_id", None)
    return int(tokenizer.eos_token_id if start is None else start)


def encode_text(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of a bare text, with the special tokens its tokenizer puts around one, once; never empty."""
    start = getattr(tokenizer, "bos_token", None)
    special = not (start and text.startswith(start))
    return tuple(tokenizer.encode(text, add_special_tokens=special)) or (prefix_token(tokenizer),)


def continued(tokenizer: Any, text: str, continuation: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(ids of the text, ids of what follows it), encoded together; spaces between them belong to what follows.

    This is how lm-eval splits a text (`TemplateLM._encode_pair`), so that log-probabilities are comparable with its.
    """
    if not text.strip():
        return (prefix_token(tokenizer),), tuple(tokenizer.encode(text + continuation, add_special_tokens=False))
    start = encode_text(tokenizer, text.rstrip())
    return start, encode_text(tokenizer, text + continuation)[len(start) :]


def training_ids(tokenizer: Any, messages: Sequence[Message], target: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(prompt ids, completion ids) of a training example. The prompt ids are exactly those of `encode`.

    The completion ends with the template's end-of-turn token, so that stopping is learned.
    """
    prompt = chat_text(tokenizer, messages, generation=True)
    whole = chat_text(tokenizer, [*messages, {"role": "assistant", "content": target}], generation=False)
    eos = str(tokenizer.eos_token)
    completion = whole[len(prompt) :] if whole.startswith(prompt + target) else target
    end = completion.rfind(eos)
    completion = completion[: end + len(eos)] if end >= len(target) else target + eos
    prompt_ids = tokenizer.encode(prompt, add_special_tokens=False)
    return tuple(prompt_ids), tuple(tokenizer.encode(completion, add_special_tokens=False))
