"""From a suite's train split to a trained adapter: `harness train NAME`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness import prompt, retrieve
from harness.data import Adapter, Arm, Config, Suite, TrainSpec
from harness.digests import resolve_model
from harness.errors import ConfigError, MachineError, SuiteError
from harness.progress import Progress
from harness.suite import read_suite, split_digest
from harness.train.card import TrainResult
from harness.train.data import TrainRow
from harness.train.loop import Wanted, train


def examples(tokenizer: object, suite: Suite, spec: TrainSpec, model: str, split: str) -> list[TrainRow]:
    """The split's samples as token ids, rendered exactly as an arm with the spec's dials is asked."""
    arm = Arm("train", model, system=spec.system, retrieve=spec.retrieve)
    retriever = retrieve.Retriever(suite.corpus) if spec.retrieve and suite.corpus else None
    rows = []
    for sample in getattr(suite, split):
        passages = retriever.top(retrieve.query(sample), spec.retrieve) if retriever else ()
        messages = prompt.render(suite, arm, sample, passages)
        rows.append(TrainRow(*prompt.training_ids(tokenizer, messages, sample.target), id=sample.id))
    return rows


def train_candidates(config: Config, adapters: Sequence[Adapter], root: Path) -> Iterator[str]:
    """Trains adapters of models.yaml, those of one base together; gives a sentence about each. Finished ones are kept.

    Raises what `loop.train` raises and, once the others are done, MachineError for candidates that diverged.
    """
    for adapter in adapters:
        if adapter.train is None:
            raise ConfigError(f"adapter '{adapter.name}': has no `train:` in models.yaml. Add its recipe.")
    stopped = []
    for model in dict.fromkeys(adapter.model for adapter in adapters):
        for adapter, result in _on_base(config, [one for one in adapters if one.model == model], root):
            if result.stopped:
                stopped.append(result.stopped)
                continue
            kept = "already trained with this recipe" if result.reused else f"trained in {result.seconds:.0f} s"
            yield (
                f"{adapter.name}: {kept}; {result.card['examples']} examples, {result.steps} steps, "
                f"{result.trainable_parameters:,} trainable parameters, {adapter.path}"
            )
    if stopped:
        raise MachineError(" ".join(stopped))


def _on_base(config: Config, adapters: Sequence[Adapter], root: Path) -> Iterator[tuple[Adapter, TrainResult]]:
    from harness.engines.loading import load_tokenizer

    model = config.models[adapters[0].model]
    tokenizer = load_tokenizer(replace(model, path=resolve_model(model.path, root)))
    wanted = [_wanted(tokenizer, adapter, root) for adapter in adapters]
    progress: Progress | None = None

    def report(step: int, steps: int, loss: float, tokens_per_second: float) -> None:
        nonlocal progress
        if progress is None:
            names = ", ".join(adapter.name for adapter in adapters)
            progress = Progress(f"training {names}", steps, "steps").__enter__()
        progress.update(step - progress.done, f"loss {loss:.3f}, {tokens_per_second:.0f} tokens/s")

    try:
        yield from zip(adapters, train(wanted, model, root=root, progress=report), strict=True)
    finally:
        if progress is not None:
            progress.__exit__(None, None, None)


def _wanted(tokenizer: object, adapter: Adapter, root: Path) -> Wanted:
    spec = adapter.train
    assert spec is not None
    suites = [read_suite(name, root) for name in spec.suites]
    for suite in suites:
        if not suite.train:
            raise SuiteError(f"suite {suite.name}: no train split. Add train.jsonl to {suite.path}.")
    rows = [row for suite in suites for row in examples(tokenizer, suite, spec, adapter.model, "train")]
    dev = [row for suite in suites for row in examples(tokenizer, suite, spec, adapter.model, "dev")]
    data = {name: split_digest(suite.train) for name, suite in zip(spec.suites, suites, strict=True)}
    return Wanted(spec, rows, dev, Path(adapter.path), data)
