"""One document of an lm-eval task: what is asked of an engine, and the task's own score of the answer.

multiple_choice: the N log-likelihoods lm-eval asks for become one request with choices. Where the contexts differ too
(winogrande), log p(choice | context) = log p(context's own part + choice) - log p(context's own part), both after what
the contexts share. generate_until: the task's stop strings, token limit, filters and metric.
"""

from __future__ import annotations

import copy
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from harness.data import Completion, Message, Sample, Sampling, Score
from harness.digests import sampling_parts, text_digest
from harness.errors import SuiteError

MEANS = ("mean", "nanmean")
"""How a metric must be aggregated for its value on one document to mean something."""


@dataclass(frozen=True)
class Document:
    """A document of a task: lm-eval's instances of it, in order, and the sample they became.

    plus, minus: for each instance its place in sample.choices, and the place of the context's own part (-1: none).
    """

    task: Any
    metric: str
    doc: Any
    instances: tuple[Any, ...]
    sample: Sample
    plus: tuple[int, ...] = ()
    minus: tuple[int, ...] = ()

    @property
    def probe(self) -> str:
        """The task's name."""
        return str(self.task.task_name)

    @property
    def chance(self) -> float:
        """The score of guessing: 1/n of n choices, 0 for a written answer."""
        return 1 / len(self.plus) if self.plus else 0.0

    def score(self, completion: Completion) -> Score:
        """The task's first metric, 0..1, of its first filter that has it; the other values are in the explanation."""
        if not self.plus:
            return self._scored([completion.text], completion.text)
        logprobs = completion.choice_logprobs
        if logprobs is None or len(logprobs) != len(self.sample.choices):
            return Score(0.0, completion.text, "no log-probabilities of the choices")
        found = [
            logprobs[plus] - (logprobs[minus] if minus >= 0 else 0.0)
            for plus, minus in zip(self.plus, self.minus, strict=True)
        ]
        best = [place for place, value in enumerate(found) if value == max(found)]
        if len({self.sample.choices[self.plus[place]] for place in best}) > 1:
            return Score(0.0, "", f"{len(best)} choices are equally likely")
        chosen = _continuation(self.instances[best[0]])
        return self._scored([(value, False) for value in found], chosen.strip())

    def _scored(self, answers: Sequence[Any], said: str) -> Score:
        asked = []
        for instance, answer in zip(self.instances, answers, strict=True):
            asked.append(copy.copy(instance))
            asked[-1].resps, asked[-1].filtered_resps = [answer], {}
        values: dict[str, float] = {}
        filters = self.task._filters
        for ensemble in filters:
            ensemble.apply(asked)
            kept = [instance.filtered_resps[ensemble.name] for instance in asked]
            for metric, value in self.task.process_results(self.doc, kept).items():
                name = metric if len(filters) == 1 else f"{metric} ({ensemble.name})"
                if (
                    isinstance(value, (int, float)) or getattr(value, "shape", None) == ()
                ):  # else of the whole task only
                    values[name] = float(value)
        primary = next((name for name in values if name.split(" (")[0] == self.metric), None)
        if primary is None or not 0 <= values[primary] <= 1:
            got = "nothing" if primary is None else f"{values[primary]:g}"
            raise SuiteError(
                f"lm_eval: task '{self.probe}': {self.metric} of {self.sample.id} is {got}, not a number from 0 to 1. "
                "Such a task cannot be used."
            )
        told = [f"{name} {value:g}" for name, value in values.items()]
        told.insert(0, told.pop(list(values).index(primary)))
        return Score(values[primary], said, "; ".join(told))


def documents(task: Any, limit: int | None, chat: bool, where: str) -> list[Document]:
    """The documents of a loaded task, the first `limit`. SuiteError where it cannot be scored document by document."""
    where = f"{where}: task '{task.task_name}'"
    refused = _refused(task)
    metric = None if refused else _metric(task)
    if refused or metric is None:
        refused = refused or "has no metric per document where higher is better"
        raise SuiteError(f"{where} {refused}. Leave it out.")
    template = _as_json if chat else None
    task.build_all_requests(limit=limit, apply_chat_template=chat, fewshot_as_multiturn=chat, chat_template=template)
    by_doc: dict[int, list[Any]] = defaultdict(list)
    for instance in task.instances:
        by_doc[instance.doc_id].append(instance)
    found = []
    for number, instances in by_doc.items():
        instances.sort(key=lambda instance: instance.idx)
        found.append(_document(task, metric, number, instances, chat, where))
    return found


def _refused(task: Any) -> str | None:
    """Why a task cannot be asked here, or None."""
    from lm_eval.api.task import ConfigurableTask

    if not isinstance(task, ConfigurableTask):
        return "is a class of its own, not a configured task"
    if task.OUTPUT_TYPE not in ("multiple_choice", "generate_until"):
        return f"has output type {task.OUTPUT_TYPE}; multiple_choice and generate_until are supported"
    if getattr(task, "UNSAFE_CODE", False):
        return "runs what a model writes outside the sandbox"
    if getattr(task, "MULTIMODAL", False):
        return "asks about images or sound"
    if "acc_mutual_info" in task.higher_is_better():
        return "asks for the choices without their context too (acc_mutual_info)"
    if task.config.repeats != 1:
        return f"asks {task.config.repeats} times; one answer per document is supported"
    return None


def _metric(task: Any) -> str | None:
    """The first metric whose value on one document is a score; of choices not exact_match, which is not likelihood."""
    for name, higher in task.higher_is_better().items():
        aggregation = task.aggregation()[name]
        mean = getattr(aggregation, "__name__", aggregation) in MEANS
        if higher and mean and not (task.OUTPUT_TYPE == "multiple_choice" and name == "exact_match"):
            return str(name)
    return None


def _document(task: Any, metric: str, number: int, instances: Sequence[Any], chat: bool, where: str) -> Document:
    contexts = [instance.args[0] for instance in instances]
    if chat and len(set(contexts)) > 1:
        raise SuiteError(f"{where} has a conversation per choice. Set apply_chat_template to false for it.")
    plus: tuple[int, ...] = ()
    minus: tuple[int, ...] = ()
    choices: tuple[str, ...] = ()
    sampling = None
    prompt = contexts[0]
    if task.OUTPUT_TYPE == "generate_until":
        sampling, target = sampling_of(instances[0].args[1], where), _written(task, instances[0].doc)
    else:
        prompt = _shared(contexts)
        own = [context[len(prompt) :] for context in contexts]
        choices = tuple(part + _continuation(one) for part, one in zip(own, instances, strict=True))
        plus = tuple(range(len(choices)))
        own = [part.rstrip() for part in own]  # spaces at the end belong to what is scored, as in lm-eval
        parts = list(dict.fromkeys(part for part in own if part))
        minus = tuple(len(choices) + parts.index(part) if part else -1 for part in own)
        gold = _gold(task, instances[0].doc)
        target = choices[gold] if gold is not None and gold < len(choices) else ""
        choices = (*choices, *parts)
    turns = _turns(prompt, where) if chat else prompt
    metadata = {"probe": str(task.task_name), "open": True}
    digest = text_digest(turns, target, choices, metadata, sampling_parts(sampling) if sampling else None)
    identity = f"{task.task_name}/{number}"
    sample = Sample(identity, turns, target, choices, metadata, digest, as_is=True, sampling=sampling)
    return Document(task, metric, instances[0].doc, tuple(instances), sample, plus, minus)


def _continuation(instance: Any) -> str:
    return str(instance.args[1])


def _shared(contexts: Sequence[str]) -> str:
    """What all contexts begin with, up to the end of a word."""
    if len(set(contexts)) == 1:
        return contexts[0]
    alike = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*contexts, strict=False)))
    start = contexts[0][:alike]
    return start[: max(start.rfind(" "), start.rfind("\n"), 0)]


def _gold(task: Any, doc: Any) -> int | None:
    """The place of the right choice (of several, the first); None where the document has none."""
    gold = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
    gold = gold[0] if isinstance(gold, list) and gold else gold
    if isinstance(gold, str):
        choices = task.doc_to_choice(doc)
        gold = choices.index(gold) if gold in choices else None
    return int(gold) if isinstance(gold, int) and gold >= 0 else None


def _written(task: Any, doc: Any) -> str:
    """The right answer of a document that is answered in writing (of several, the first)."""
    gold = task.doc_to_target(doc)
    if task.config.doc_to_choice is not None and isinstance(gold, int):
        gold = task.doc_to_choice(doc)[gold]
    return str(gold[0] if isinstance(gold, list) and gold else gold)


def sampling_of(given: Mapping[str, Any], where: str) -> Sampling:
    """A task's generation_kwargs as ours. SuiteError for what no engine here knows."""
    from lm_eval.models.utils import normalize_gen_kwargs

    kwargs: dict[str, Any] = dict(normalize_gen_kwargs(dict(given)))
    stop = tuple(text for text in kwargs["until"] if text)
    temperature = float(kwargs.get("temperature") or 0.0)
    unknown = set(kwargs) - {"until", "max_gen_toks", "do_sample", "temperature", "top_p"}
    if unknown:
        raise SuiteError(f"{where} wants generation_kwargs {', '.join(sorted(unknown))}, which no engine here knows.")
    top_p = float(kwargs.get("top_p", 1.0))
    if not (math.isfinite(temperature) and 0 < top_p <= 1 and kwargs["max_gen_toks"] > 0):
        raise SuiteError(f"{where}: its generation_kwargs are out of range. Correct them.")
    return Sampling(kwargs["max_gen_toks"], temperature, top_p, 0, stop)


def _as_json(turns: Sequence[Message], add_generation_prompt: bool = True) -> str:
    """In the place of a chat template: keeps the turns, which each arm's own tokenizer renders."""
    return json.dumps([*turns, *([] if add_generation_prompt else [{"role": "unfinished", "content": ""}])])


def _turns(rendered: str, where: str) -> tuple[Message, ...]:
    turns: list[Message] = json.loads(rendered)
    if turns[-1]["role"] != "user":
        raise SuiteError(f"{where} begins the answer itself (gen_prefix). Set apply_chat_template to false for it.")
    return tuple(turns)
