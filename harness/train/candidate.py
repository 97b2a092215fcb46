"""From a suite's train split to trained adapters: `harness train NAME...`.

An adapter whose recipe lists several values is several candidates, trained together and scored on dev; the best one
becomes the adapter, and its card says what else was tried. A learning curve is a set of candidates, too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from harness import prompt, retrieve
from harness.data import Adapter, Arm, Config, Model, Suite, TrainSpec
from harness.digests import resolve_model
from harness.errors import AdapterError, ConfigError, MachineError, SuiteError
from harness.progress import Progress, say
from harness.suite import read_suite, split_digest
from harness.train.card import TrainResult, on_disk, read_card, write_card
from harness.train.data import TrainRow
from harness.train.examine import Examined, examine
from harness.train.loop import Wanted, publish, train
from harness.train.ranks import current
from harness.words import percent


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


CURVE_FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
CURVE_SEEDS = (0, 1, 2)


def train_candidates(
    config: Config, adapters: Sequence[Adapter], root: Path, *, drop_losers: bool = False
) -> Iterator[str]:
    """Trains adapters of models.yaml, those of one base together; gives a sentence about each. Finished ones are kept.

    drop_losers: candidates that are clearly behind others of the same suites on dev end early; what is not validated
    is validated four times then.
    Raises what `loop.train` raises and, once the others are done, MachineError for candidates that diverged.
    """
    for adapter in adapters:
        if adapter.train is None:
            raise ConfigError(f"adapter '{adapter.name}': has no `train:` in models.yaml. Add its recipe.")
        _known(adapter)
    stopped = []
    bases = [(adapter.model, adapter.train.quantize if adapter.train else "") for adapter in adapters]
    for base in dict.fromkeys(bases):
        mine = [one for one, its in zip(adapters, bases, strict=True) if its == base]
        expanded = [(adapter, _candidates(adapter, drop_losers)) for adapter in mine]
        results = iter(_on_base(config, [one for _, several in expanded for one in several], root, drop_losers))
        for adapter, several in expanded if current().first else ():
            own = [next(results) for _ in several]
            stopped += [result.stopped for result in own if result.stopped]
            made = [result for result in own if not result.stopped]
            if made:
                yield _said(adapter, made[0] if len(several) == 1 else _chosen(adapter, several, own))
    if stopped:
        raise MachineError(" ".join(stopped))


def curve(config: Config, adapter: Adapter) -> tuple[list[Adapter], str]:
    """The adapters of a learning curve, and a models.yaml that has them and an arm for each, for `harness run`.

    They differ from `adapter` in nothing but the share of the training rows and the seed. The arms answer as the first
    arm with `adapter` does.
    """
    spec = adapter.train
    if spec is None or adapter.tries:
        raise ConfigError(f"adapter '{adapter.name}': a curve needs a `train:` with one value per key. Give it one.")
    made = []
    for fraction in CURVE_FRACTIONS:
        for seed in CURVE_SEEDS:
            name = f"{adapter.name}-{fraction:.4g}-seed{seed}"
            recipe = replace(spec, data_fraction=fraction * spec.data_fraction, seed=seed)
            made.append(Adapter(name, adapter.model, f"{adapter.path}.curve/{name}", recipe))
    whole = yaml.safe_load(Path(config.path).read_text("utf-8"))
    given = dict(whole["adapters"][adapter.name]["train"])
    arms = [arm for arm in (whole.get("arms") or {}).values() if arm.get("adapter") == adapter.name]
    arm = arms[0] if arms else {"model": adapter.model}
    for one in made:
        assert one.train is not None
        recipe_now = {**given, "data_fraction": one.train.data_fraction, "seed": one.train.seed}
        path = str(Path(one.path).resolve())
        whole["adapters"][one.name] = {"model": one.model, "path": path, "train": recipe_now}
        whole["arms"][one.name] = {**arm, "adapter": one.name}
    return made, yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


def _candidates(adapter: Adapter, drop_losers: bool) -> list[Adapter]:
    """The adapter itself, or one for every recipe it is to be chosen from."""
    assert adapter.train is not None
    recipes = adapter.tries or (adapter.train,)
    if drop_losers:
        recipes = tuple(replace(spec, validate=max(spec.validate, 4)) for spec in recipes)
    if len(recipes) == 1:
        return [replace(adapter, train=recipes[0])]
    folder = f"{adapter.path}.tries"
    names = [f"lr{spec.learning_rate:g}-rank{spec.rank}-epochs{spec.epochs:g}" for spec in recipes]
    return [
        Adapter(f"{adapter.name}/{name}", adapter.model, f"{folder}/{name}", spec)
        for name, spec in zip(names, recipes, strict=True)
    ]


def _chosen(adapter: Adapter, several: Sequence[Adapter], results: Sequence[TrainResult]) -> TrainResult:
    """Makes the best candidate on dev the adapter, of equally good ones the first. Its card names all tries."""
    tries = []
    for one, result in zip(several, results, strict=True):
        assert one.train is not None
        scores = result.card.get("dev_scores") or [[0, None, 0]]
        best = max(scores, key=lambda score: -1.0 if score[1] is None else score[1])
        about = {key: getattr(one.train, key) for key in ("learning_rate", "rank", "epochs")}
        tries.append({**about, "dev_score": best[1], "n": best[2], "ended": result.card.get("ended") or result.stopped})
    place = max(range(len(tries)), key=lambda i: -1.0 if tries[i]["dev_score"] is None else tries[i]["dev_score"])
    card = {**results[place].card, "tries": tries, "chosen": place}
    if _known(adapter) == json.loads(json.dumps(card)):
        return TrainResult(adapter.path, card, reused=True)
    draft = Path(f"{adapter.path}.partial")
    with on_disk(Path(adapter.path)):
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(results[place].path, draft)
        write_card(draft, card)
        publish(draft, Path(adapter.path))
    return TrainResult(adapter.path, card)


def _known(adapter: Adapter) -> dict[str, Any] | None:
    """The card of what lies at the adapter's path, None for nothing. Raises AdapterError for what is not ours."""
    known = read_card(adapter.path) if Path(adapter.path).is_dir() else None
    if Path(adapter.path).is_dir() and known is None:
        raise AdapterError(f"adapter {adapter.path}: was not made by harness train. Move it, or choose another path.")
    return known


def _said(adapter: Adapter, result: TrainResult) -> str:
    kept = "already trained with this recipe" if result.reused else f"trained in {result.seconds:.0f} s"
    said = (
        f"{adapter.name}: {kept}; {result.card['examples']} examples, {result.steps} steps, "
        f"{result.trainable_parameters:,} trainable parameters, {adapter.path}"
    )
    if tries := result.card.get("tries"):
        best = tries[result.card["chosen"]]
        said += (
            f"; chosen on dev among {len(tries)}: learning_rate {best['learning_rate']:g}, rank {best['rank']}, "
            f"epochs {best['epochs']:g} ({percent(best['dev_score'])}, n={best['n']})"
        )
    return said + (f"; {result.card['ended']}" if result.card.get("ended") else "")


def _on_base(config: Config, adapters: Sequence[Adapter], root: Path, drop: bool) -> Sequence[TrainResult]:
    from harness.engines.loading import load_tokenizer
    from harness.train.served import served_nats

    model = config.models[adapters[0].model]
    located = replace(model, path=resolve_model(model.path, root))
    tokenizer = load_tokenizer(located)
    looked: dict[str, Examined] = {}
    wanted = [_wanted(tokenizer, adapter, located, root, looked) for adapter in adapters]
    progress: Progress | None = None

    def report(step: int, steps: int, loss: float, tokens_per_second: float) -> None:
        nonlocal progress
        if progress is None:
            names = adapters[0].name + (f" and {len(adapters) - 1} more" if len(adapters) > 1 else "")
            progress = Progress(f"training {names}", steps, "steps").__enter__()
        progress.update(step - progress.done, f"loss {loss:.3f}, {tokens_per_second:.0f} tokens/s")

    try:
        return train(wanted, model, root=root, progress=report, drop=drop, served=served_nats)
    finally:
        if progress is not None:
            progress.__exit__(None, None, None)


def _wanted(tokenizer: object, adapter: Adapter, model: Model, root: Path, looked: dict[str, Examined]) -> Wanted:
    """looked: what was found in train splits, by suite; a split is looked at once for all candidates."""
    from harness.train.served import DevScores

    spec = adapter.train
    assert spec is not None
    suites = [read_suite(name, root) for name in spec.suites]
    for suite in suites:
        if not suite.train:
            raise SuiteError(f"suite {suite.name}: no train split. Add train.jsonl to {suite.path}.")
    by_suite = [examples(tokenizer, suite, spec, adapter.model, "train") for suite in suites]
    dev = [row for suite in suites for row in examples(tokenizer, suite, spec, adapter.model, "dev")]
    data = {name: split_digest(suite.train) for name, suite in zip(spec.suites, suites, strict=True)}

    def look() -> list[dict[str, Any]]:
        for suite, rows in zip(suites, by_suite, strict=True):
            if suite.name not in looked:
                looked[suite.name] = examine(suite, rows)
                for line in looked[suite.name].lines():
                    say(line)
        return [looked[suite.name].as_dict() for suite in suites]

    score = DevScores(model, suites, spec) if spec.validate else None
    if score:
        score.check(tokenizer)
    rows = [row for rows in by_suite for row in rows]
    return Wanted(spec, rows, dev, Path(adapter.path), data, score, look, score.identity if score else "")
