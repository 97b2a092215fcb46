"""The nouns of the harness: frozen records without behaviour or I/O. See docs/methods.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Message = Mapping[str, str]
"""One chat turn: {"role": "system" | "user" | "assistant", "content": text}."""


# --- what is asked ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """One question with its gold answer.

    input: the text of the question, or whole conversation turns ending with a user turn.
    target: the gold answer; for multiple choice it is one of `choices`.
    digest: hash of input, target, choices and metadata; two runs are paired by it, never by position.
    as_is: input is the whole prompt, which no arm adds to; a text is sent without chat template and is gone on with.
    sampling: how this sample is answered, where that is not the suite's.
    """

    id: str
    input: str | tuple[Message, ...]
    target: str
    choices: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    as_is: bool = False
    sampling: Sampling | None = None


@dataclass(frozen=True)
class Passage:
    """One retrievable text of a suite's corpus."""

    id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Constraint:
    """What an answer may be. value: a JSON Schema as JSON, a regular expression, or choices as a JSON list of texts."""

    kind: str
    value: str


@dataclass(frozen=True)
class ConstraintRule:
    """A constraint as suite.yaml declares it. kind: "json", "regex" or "choice".

    where: metadata that a sample must have for it, as JSON. key: the metadata key that holds the sample's own
    constraint; None: `value` holds it.
    """

    kind: str
    where: str
    value: str = ""
    key: str | None = None


@dataclass(frozen=True)
class Sampling:
    """How an engine decodes. temperature 0 is greedy; stop strings are not part of the answer.

    samples: answers drawn to each question, each with a seed of its own; their mean is the question's score.
    constraint: what may be written at all.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    samples: int = 1
    constraint: Constraint | None = None


@dataclass(frozen=True)
class ScorerSpec:
    """A scorer as named in suite.yaml: `scorer` is a built-in name or `file.py:function` inside the suite."""

    name: str
    scorer: str
    options: Mapping[str, Any] = field(default_factory=dict)
    primary: bool = False


@dataclass(frozen=True)
class LiveSpec:
    """A scorer that a suite declares fit for live traffic, for it needs no gold answer.

    needs: metadata that it reads; where: metadata, with its value, that a request must have to be put to it.
    """

    spec: ScorerSpec
    needs: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """A task: samples, prompt material, scorers, and the margin its gate allows.

    kind says what a gain here means: "skill", "style", "format", "knowledge" or "general" (forgetting probes).
    chance: the score of guessing, 0..1, or per value of the metadata key "probe".
    cluster: the metadata key that names a sample's source; samples of one source do not count as independent.
    graders: scorers that ask a model (judge, likelihood_ratio); columns beside the others, never the primary one.
    margin: the largest loss, 0..1, that the gate still calls "no worse".
    digest: hash of everything that moves a score; it is the suite's identity. asks: of what moves an answer;
    judges: of its scorers and their files.
    asked: a run asks only the first so many test samples; None: all. looks: those that such a run has declared, and the
    one it is at: {"sizes": samples in at each look, "used": look, "seed": of the order}, and "gate", the options that
    name the gate whose answer ends it, where one does.
    systems: further system prompts by name, which an arm can ask for.
    constraints: what an arm with `constrain` may write (see constrain.py); the first rule that fits a sample holds.
    target: a score, 0..1: how many training samples would it take? See curves.py.
    corpus_scores: scores of all answers together ("bleu", "chrf"), columns beside the others; see corpus_scores.py.
    monitor: scorers for live traffic, besides those marked gold-free; no part of the suite's identity.
    """

    name: str
    version: int
    path: str
    title: str
    question: str
    kind: Literal["skill", "style", "format", "knowledge", "general"]
    test: tuple[Sample, ...]
    dev: tuple[Sample, ...]
    train: tuple[Sample, ...]
    shots: tuple[Sample, ...]
    corpus: tuple[Passage, ...]
    system: str | None
    template: str
    retrieval_template: str
    scorers: tuple[ScorerSpec, ...]
    graders: tuple[ScorerSpec, ...]
    sampling: Sampling
    margin: float
    chance: Mapping[str, float]
    cluster: str | None
    digest: str
    asks: str = ""
    judges: str = ""
    asked: int | None = None
    looks: Mapping[str, Any] | None = None
    systems: Mapping[str, str] = field(default_factory=dict)
    constraints: tuple[ConstraintRule, ...] = ()
    target: float | None = None
    corpus_scores: tuple[str, ...] = ()
    monitor: tuple[LiveSpec, ...] = ()


# --- who answers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Endpoint:
    """A server that speaks OpenAI's protocol. address: its URL, or the environment variable that holds it.

    key_env: the environment variable that holds the key; None: OPENAI_API_KEY, or no key. usd_input, usd_output: prices
    of a million tokens. concurrency: requests under way there; None: as the model's `engine:` says.
    replicas: further servers of the same model, which share its requests.
    """

    address: str
    key_env: str | None = None
    usd_input: float | None = None
    usd_output: float | None = None
    concurrency: int | None = None
    replicas: tuple[Endpoint, ...] = ()


@dataclass(frozen=True)
class Model:
    """A base model: a hub id or a folder (`path`); `engine` holds options passed on to the engine.

    endpoint: the server that answers for it; `path` is then the name the server knows it by.
    """

    name: str
    path: str
    revision: str | None = None
    engine: Mapping[str, Any] = field(default_factory=dict)
    endpoint: Endpoint | None = None


@dataclass(frozen=True)
class TrainSpec:
    """How a LoRA candidate is made. Defaults: LoRA on all linear layers, alpha/rank scaling.

    data_fraction: the share of the train split used, 0..1, drawn by seed.
    max_steps: stop early after this many optimizer steps; None trains all epochs.
    system, retrieve: the dials of the prompts it is trained on, as in an Arm.
    validate: how often dev is answered during training and scored by the suites' own primary scores; the best weights
    are kept. dev_limit: at most so many dev samples of each suite. patience: stop after so many validations without a
    better score; 0 trains to the end.
    quantize: "nf4" trains on the base in four bits; it is served in its own type all the same.
    """

    suites: tuple[str, ...]
    rank: int = 16
    alpha: int = 32
    learning_rate: float = 2.0e-4
    epochs: float = 3.0
    batch_size: int = 16
    warmup: float = 0.05
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    seed: int = 0
    data_fraction: float = 1.0
    max_steps: int | None = None
    system: bool = False
    retrieve: int = 0
    validate: int = 0
    dev_limit: int = 50
    patience: int = 0
    quantize: Literal["", "nf4"] = ""


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter: where it lies (`path`, a PEFT folder) and, if it is ours to make, how it is trained.

    tries: the recipes to choose from on dev, where `train` lists several values; `train` is the first of them.
    """

    name: str
    model: str
    path: str
    train: TrainSpec | None = None
    tries: tuple[TrainSpec, ...] = ()


@dataclass(frozen=True)
class Arm:
    """One way to answer: which model, and how the dials stand. The suite owns the material.

    system: True uses the suite's system prompt; a text is the name of another one of the suite's, or the prompt itself.
    shots: worked examples from its pool. retrieve: passages per question, or "gold": those the sample itself names,
    which shows the most that better retrieval could give (a ceiling).
    constrain: the engine lets it write only what the suite allows (a JSON Schema, a regular expression, choices).
    tries: every combination of dials, where models.yaml lists several; the best one on dev answers test.
    """

    name: str
    model: str
    adapter: str | None = None
    system: bool | str = False
    shots: int = 0
    retrieve: int | Literal["gold"] = 0
    tries: tuple[Arm, ...] = ()
    constrain: bool = False


@dataclass(frozen=True)
class Try:
    """A combination of an arm's dials on a suite's dev split: samples, mean primary score, mean prompt tokens."""

    arm: Arm
    n: int
    mean: float
    prompt_tokens: float


@dataclass(frozen=True)
class Choice:
    """What an arm tried on a suite's dev split, and the place of the one that answers test."""

    tries: tuple[Try, ...]
    chosen: int


@dataclass(frozen=True)
class Costs:
    """The assumptions behind every amount of money in a report, as the user states them in models.yaml."""

    gpu_hour_usd: float | None = None
    requests_per_month: int | None = None


@dataclass(frozen=True)
class Config:
    """models.yaml, checked. judge: the model that graders ask where a suite names none; None: the first arm's."""

    path: str
    models: Mapping[str, Model]
    adapters: Mapping[str, Adapter]
    arms: Mapping[str, Arm]
    costs: Costs
    judge: str | None = None


# --- what happens ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AdapterRef:
    """An adapter as an engine sees it: its folder and the digest of its content (the identity it is served under)."""

    name: str
    path: str
    digest: str


@dataclass(frozen=True)
class Request:
    """Rendered token ids, how to decode, and which adapter. With `choices`, the log-probability of each is wanted.

    choices: token ids of each choice; the engine fills Completion.choice_logprobs and text = the likeliest one.
    messages: the conversation, for an endpoint, which has no token ids and is told choices by choice_texts alone.
    """

    key: str
    prompt_ids: tuple[int, ...]
    sampling: Sampling
    adapter: AdapterRef | None = None
    choices: tuple[tuple[int, ...], ...] = ()
    choice_texts: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Completion:
    """What came back. `seconds` is the wall time from submission to the last token, batching included.

    finish_reason: "stop" (end of turn or a stop string), "length" (token limit), "choice", "thinking" (ended before the
    answer began), or "error".
    choice_logprobs: natural logarithms, one per choice, summed over the choice's tokens.
    error: what went wrong, where finish_reason is "error".
    reasoning: what the model thought aloud before its answer; reasoning_tokens of completion_tokens are of it.
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = "stop"
    seconds: float = 0.0
    choice_logprobs: tuple[float, ...] | None = None
    error: str = ""
    reasoning: str = ""
    reasoning_tokens: int = 0


@dataclass(frozen=True)
class Score:
    """value 0..1, higher is better; `answer` is what was read out of the completion; `explanation` says why."""

    value: float
    answer: str = ""
    explanation: str = ""


Scorer = Callable[[Sample, Completion], Score]


@dataclass(frozen=True)
class Question:
    """What a grader asks its model: how likely is each of `choices` as the next turn?"""

    messages: tuple[Message, ...]
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Label:
    """A person's judgement of a reply: `good` or not. `arm` says what wrote it: an arm's name, or any other word."""

    sample: str
    arm: str
    reply: str
    good: bool


@dataclass(frozen=True)
class Grader:
    """A scorer that asks a model. ask: its questions about an answer; score: the Score, given what the model chose.

    labels: replies that people have judged; the grader's agreement with them is printed beside its numbers.
    wants_labels: without enough labels its numbers are called not validated.
    """

    ask: Callable[[Sample, Completion], tuple[Question, ...]]
    score: Callable[[Sample, Completion, Sequence[Completion]], Score]
    labels: tuple[Label, ...] = ()
    wants_labels: bool = False


@dataclass(frozen=True)
class Row:
    """One stored answer (a line of completions.jsonl). `key` is the identity of the computation.

    messages: the conversation as sent, after retrieval. passages: ids of the passages it held.
    draw: which of the answers to this question it is, 0, 1, ...; draws: how many are wanted.
    by: who answered, see digests.answerer; "" in a run made by an older harness.
    """

    suite: str
    arm: str
    sample: str
    sample_digest: str
    key: str
    messages: tuple[Message, ...]
    completion: Completion
    target: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    passages: tuple[str, ...] = ()
    reused: bool = False
    draw: int = 0
    draws: int = 1
    by: str = ""


@dataclass(frozen=True)
class ScoreRow:
    """One stored score (a line of scores.jsonl). draw: of which answer to the sample, 0, 1, ...

    key: of the answer it is the score of; "" in a run made by an older harness, or by another one.
    """

    suite: str
    arm: str
    sample: str
    scorer: str
    primary: bool
    score: Score
    draw: int = 0
    key: str = ""


@dataclass(frozen=True)
class Run:
    """A run folder as read: the manifest (run.json), every answer, every score."""

    path: str
    manifest: Mapping[str, Any]
    rows: tuple[Row, ...]
    scores: tuple[ScoreRow, ...]


# --- what it means ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval; `level` is e.g. 0.95 and `method` names the recipe."""

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True)
class Comparison:
    """One suite, one scorer, two arms, the same samples. difference = candidate - baseline, in 0..1 units.

    wins, losses: samples where the candidate scores higher, lower. p: two-sided. mde: smallest difference
    visible with 80 % power at this n and disagreement. note: floor, ceiling or other caveats, "" if none.
    """

    suite: str
    scorer: str
    baseline: str
    candidate: str
    n: int
    missing: int
    baseline_mean: float
    candidate_mean: float
    difference: float
    interval: Interval
    p: float
    p_method: str
    wins: int
    losses: int
    ties: int
    mde: float
    note: str = ""


Decision = Literal["adopt", "do not adopt", "not decided", "not comparable"]


@dataclass(frozen=True)
class ArmSummary:
    """One arm on one suite, as measured. tokens and seconds are means per request; seconds_p95 is the 95th percentile.

    engine_seconds: engine wall time of the arm divided by its requests (throughput cost), None where not measured.
    """

    suite: str
    arm: str
    scorer: str
    n: int
    mean: float
    interval: Interval
    prompt_tokens: float
    completion_tokens: float
    seconds: float
    seconds_p95: float
    engine_seconds: float | None
    fine_tuned: bool
    cut_off: int = 0


@dataclass(frozen=True)
class Verdict:
    """What to do about one suite (or, with suite "overall", about the candidate as a whole), and why.

    candidate: the arm the decision word is about. reference: the best arm that is not fine-tuned.
    sentence: the decision with its uncertainty; would_change: what would change it; more_samples: how many more
    would decide it at the observed difference, None if that does not apply.
    """

    suite: str
    decision: Decision
    candidate: str
    reference: str
    sentence: str
    reasons: tuple[str, ...] = ()
    would_change: str = ""
    more_samples: int | None = None
