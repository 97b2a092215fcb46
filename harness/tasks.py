"""Every answer that a run wants, rendered: suites x arms x samples -> requests under the identity of their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness import prompt, retrieve
from harness.constrain import constraint_of
from harness.data import AdapterRef, Arm, Message, Request, Sample, Sampling, Suite
from harness.digests import answerer, drawn, draws, sampling_parts, text_digest, tokens_digest
from harness.engines import Described
from harness.errors import ConfigError, SuiteError
from harness.progress import say

Place = tuple[str, str, str, int]  # suite, arm, sample, draw
Entrant = Callable[[Suite, Arm], Arm | None]
"""How an arm answers a suite: with which dials; None if it does not. Its rows go by the name of the arm returned."""


@dataclass(frozen=True)
class Task:
    """One answer wanted: whose, to what, and the request that computes it."""

    suite: Suite
    arm: Arm
    sample: Sample
    messages: tuple[Message, ...]
    passages: tuple[str, ...]
    request: Request
    draw: int = 0
    by: str = ""

    @property
    def place(self) -> Place:
        return self.suite.name, self.arm.name, self.sample.id, self.draw


def as_written(suite: Suite, arm: Arm) -> Arm:
    """The arm itself. Lists of dials have to be chosen from first."""
    if arm.tries:
        raise ConfigError(
            f"arm '{arm.name}': lists several dials, which are chosen on dev before {suite.name} is asked. Choose "
            f"first (`harness run` does), or give it one value per dial."
        )
    return arm


def plan(
    engine: Described,
    digest: str,
    suites: Sequence[Suite],
    arms: Sequence[Arm],
    adapters: Mapping[str, AdapterRef],
    entrant: Entrant = as_written,
) -> Iterator[Task]:
    """Every answer wanted, rendered. A prompt beyond the context is a SuiteError, before anything is spent."""
    for suite in suites:
        asked = [one for arm in arms if (one := entrant(suite, arm)) is not None]
        retriever = retrieve.Retriever(suite.corpus) if suite.corpus and any(arm.retrieve for arm in asked) else None
        for arm in asked:
            _constrainable(engine, suite, arm)
            ref = adapters[arm.adapter] if arm.adapter else None
            by = answerer(digest, ref.digest if ref else None)
            for sample in suite.test[: suite.asked]:
                passages = () if sample.as_is else retrieve.passages(suite, arm, sample, retriever)
                messages = prompt.render(suite, arm, sample, passages)
                sampling = sample.sampling or suite.sampling
                if arm.constrain and not sample.choices and not sample.as_is:
                    sampling = replace(sampling, constraint=constraint_of(suite.constraints, sample))
                shown = tuple(passage.id for passage in passages)
                if engine.tokenizer is None:
                    for draw in range(draws(suite, sample)):
                        request = _of_endpoint(engine, digest, suite, sample, messages, drawn(sampling, draw))
                        yield Task(suite, arm, sample, messages, shown, request, draw, by)
                    continue
                ids, choices = prompt.tokens(engine.tokenizer, sample, messages)
                wanted = max(map(len, choices)) if choices else sampling.max_tokens
                if len(ids) + wanted > engine.max_model_len:
                    raise SuiteError(
                        f"suite {suite.name}, arm {arm.name}, sample {sample.id}: {len(ids)} prompt tokens and "
                        f"{wanted} for the answer do not fit the model's context of {engine.max_model_len}. Use fewer "
                        f"shots or passages, or a smaller max_tokens."
                    )
                whose = (digest, ref.digest if ref else "", tokens_digest(ids))
                for draw in range(draws(suite, sample)):
                    how = drawn(sampling, draw)
                    key = text_digest(*whose, sampling_parts(how), choices, engine.name, engine.version)
                    request = Request(key, ids, how, ref, choices, sample.choices)
                    yield Task(suite, arm, sample, messages, shown, request, draw, by)


def _constrainable(engine: Described, suite: Suite, arm: Arm) -> None:
    """Raises ConfigError where an arm is to be constrained and the engine cannot."""
    if not arm.constrain:
        return
    if not suite.constraints:
        say(f"{suite.name}: has no `constrain` in suite.yaml; {arm.name} answers it freely")
    elif not engine.constrains:
        raise ConfigError(
            f"arm '{arm.name}': constrain: the {engine.name} engine cannot hold answers to a schema. Use --engine vllm "
            f"or an endpoint, or leave the arm out (-a)."
        )


def _of_endpoint(
    engine: Described, digest: str, suite: Suite, sample: Sample, messages: tuple[Message, ...], sampling: Sampling
) -> Request:
    """A request in words: whoever answers it renders it and counts its tokens."""
    if sample.as_is and isinstance(sample.input, str):
        raise SuiteError(
            f"suite {suite.name}, sample {sample.id}: goes on with a bare text, and an endpoint takes conversations. "
            f"Ask this suite of models on this machine (-s, -a)."
        )
    key = text_digest(digest, messages, sampling_parts(sampling), sample.choices, engine.name, engine.version)
    return Request(key, (), sampling, choice_texts=sample.choices, messages=messages)
