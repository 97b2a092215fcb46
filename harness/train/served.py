"""The transformers engine beside a training: dev answered and scored on the way, and what was trained held to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness import prompt, reasoning, retrieve, scorers
from harness.data import AdapterRef, Arm, Model, Request, Sample, Scorer, Suite, TrainSpec
from harness.digests import drawn, draws, sampling_parts, text_digest
from harness.errors import SuiteError
from harness.train.data import TrainRow


class DevScores:
    """Called with a base, whose forward passes go through one candidate: the primary score of every dev sample, 0..1.

    The base answers as in a run: rendered by the same function, decoded as the suite says, by the same engine, and read
    without its thinking. At most spec.dev_limit samples of each suite are asked. Raises SuiteError where there is no
    dev split. identity: of the samples, how they are answered and what scores them.
    """

    def __init__(self, model: Model, suites: Sequence[Suite], spec: TrainSpec) -> None:
        self.model, self.spec = model, spec
        self.asked: list[tuple[Suite, Sample, Scorer]] = []
        for suite in suites:
            if not suite.dev:
                raise SuiteError(f"suite {suite.name}: no dev split to validate on. Add dev.jsonl to {suite.path}.")
            scorer = scorers.load(next(spec for spec in suite.scorers if spec.primary), suite.path)
            self.asked += [(suite, sample, scorer) for sample in suite.dev[: spec.dev_limit]]
        self.identity = text_digest(
            [sample.digest for _, sample, _ in self.asked],
            [(suite.judges, sampling_parts(suite.sampling)) for suite in suites],
        )

    def check(self, tokenizer: Any) -> None:
        """Raises HarnessError, before anything is trained, for a sample whose answer would not fit the context."""
        from transformers import AutoConfig

        from harness.engines.limits import check_length

        config = AutoConfig.from_pretrained(self.model.path, revision=self.model.revision).get_text_config()
        context = int(getattr(config, "max_position_embeddings", None) or 1 << 30)
        for request in self._requests(tokenizer):
            check_length(request, min(int(self.model.engine.get("max_model_len") or context), context))

    def __call__(self, base: Any) -> list[float]:
        from harness.engines.hf import TransformersEngine

        before = base.config._attn_implementation
        try:
            engine = TransformersEngine(self.model, weights=base)
            requests = self._requests(engine.tokenizer)
            said = {
                request.key: reasoning.read(engine.tokenizer, request, completion)
                for request, completion in engine.generate(requests)
            }
        finally:
            base.set_attn_implementation(before)
        scores: dict[int, list[float]] = {}
        for name, completion in said.items():
            place = int(name.split("/")[0])
            scores.setdefault(place, []).append(self.asked[place][2](self.asked[place][1], completion).value)
        return [sum(scores[place]) / len(scores[place]) for place in range(len(self.asked))]

    def _requests(self, tokenizer: Any) -> list[Request]:
        arm = Arm("dev", self.model.name, system=self.spec.system, retrieve=self.spec.retrieve)
        retrievers = {suite.name: retrieve.Retriever(suite.corpus) for suite, _, _ in self.asked if suite.corpus}
        requests = []
        for place, (suite, sample, _) in enumerate(self.asked):
            passages = () if sample.as_is else retrieve.passages(suite, arm, sample, retrievers.get(suite.name))
            ids, choices = prompt.tokens(tokenizer, sample, prompt.render(suite, arm, sample, passages))
            sampling = sample.sampling or suite.sampling
            requests += [
                Request(f"{place}/{draw}", ids, drawn(sampling, draw), None, choices, sample.choices)
                for draw in range(draws(suite, sample))
            ]
        return requests


def served_nats(
    model: Model, folder: str, wanted: Sequence[tuple[AdapterRef, Sequence[TrainRow]]], engine: str = "transformers"
) -> Mapping[str, list[float]]:
    """By adapter name, minus the log-probability of every completion token, as a new engine gives it from the files."""
    from harness.engines import open_engine

    opened = open_engine(replace(model, path=folder), [ref for ref, _ in wanted], engine)
    try:
        return {
            ref.name: [
                -value for row in rows for value in opened.token_logprobs(row.prompt_ids, row.completion_ids, ref)
            ]
            for ref, rows in wanted
        }
    finally:
        opened.close()
