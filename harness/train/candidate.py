"""From a suite's train split to a trained adapter: `harness train NAME`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness import prompt, retrieve
from harness.data import Adapter, Arm, Config, Suite, TrainSpec
from harness.digests import resolve_model
from harness.errors import ConfigError, SuiteError
from harness.progress import Progress
from harness.suite import read_suite, split_digest
from harness.train.data import TrainRow


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


def train_candidate(config: Config, adapter: Adapter, root: Path) -> str:
    """Trains one adapter of models.yaml and returns a sentence about it. A finished one with this recipe is kept."""
    from harness.engines.loading import load_tokenizer
    from harness.train.loop import train

    if adapter.train is None:
        raise ConfigError(f"adapter '{adapter.name}': has no `train:` in models.yaml. Add its recipe.")
    suites = [read_suite(name, root) for name in adapter.train.suites]
    for suite in suites:
        if not suite.train:
            raise SuiteError(f"suite {suite.name}: no train split. Add train.jsonl to {suite.path}.")
    model = config.models[adapter.model]
    tokenizer = load_tokenizer(replace(model, path=resolve_model(model.path, root)))
    rows = [row for suite in suites for row in examples(tokenizer, suite, adapter.train, model.name, "train")]
    dev = [row for suite in suites for row in examples(tokenizer, suite, adapter.train, model.name, "dev")]
    progress: Progress | None = None

    def report(step: int, steps: int, loss: float, tokens_per_second: float) -> None:
        nonlocal progress
        if progress is None:
            progress = Progress(f"training {adapter.name}", steps, "steps").__enter__()
        progress.update(step - progress.done, f"loss {loss:.3f}, {tokens_per_second:.0f} tokens/s")

    try:
        data = {name: split_digest(suite.train) for name, suite in zip(adapter.train.suites, suites, strict=True)}
        result = train(adapter.train, model, rows, dev, Path(adapter.path), root=root, data=data, progress=report)
    finally:
        if progress is not None:
            progress.__exit__(None, None, None)
    kept = "already trained with this recipe" if result.reused else f"trained in {result.seconds:.0f} s"
    return (
        f"{adapter.name}: {kept}; {len(rows)} examples, {result.steps} steps, "
        f"{result.trainable_parameters:,} trainable parameters, {adapter.path}"
    )
