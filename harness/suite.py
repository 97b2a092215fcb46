"""Find and read suite folders. A folder is a suite if it holds suite.yaml; a mistake is named with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.config import read_yaml
from harness.constrain import read_rules
from harness.data import LiveSpec, Sample, Sampling, ScorerSpec, Suite
from harness.digests import PACKAGE, sampling_parts, text_digest
from harness.errors import SuiteError, did_you_mean
from harness.fields import Fields, check_name, in_range
from harness.lmeval import tasks as lm_eval
from harness.plugins import installed
from harness.samples import read_data
from harness.scorers import GRADERS

CORPUS_SCORES = ("bleu", "chrf")
KINDS = ("skill", "style", "format", "knowledge", "general")
_PROMPT = ("prompt", "sampling", "constrain")
_SCORES = ("scorers", "margin", "chance", "cluster", "target", "corpus_scores")
_KEYS = ("name", "version", "title", "question", "kind", "data", "lm_eval", "monitor", *_PROMPT, *_SCORES)
MOST_DRAWS = 1000
"""Answers to one question that a suite or a run may ask for."""
RETRIEVAL_TEMPLATE = "Use the passages to answer the question.\n\n{passages}\n\nQuestion: {input}"


def shipped() -> Path:
    """The folder of the suites that come with the harness: inside the package, or beside it in a checkout."""
    inside = PACKAGE / "_shipped" / "suites"
    return inside if inside.is_dir() else PACKAGE.parent / "suites"


def find_suite(name: str, root: Path | None = None) -> Path:
    """The folder of a suite: a path, `suites/NAME` under `root` (the folder of models.yaml), one installed or shipped.

    A folder of one's own comes first; a name that an installed package shares with another or with a shipped suite is
    a SuiteError that names both.
    """
    here = Path.cwd() if root is None else root
    for folder in (Path(name), here / name, here / "suites" / name):
        if (folder / "suite.yaml").is_file():
            return folder
    plugins = installed()
    found = plugins.get(name, [])
    if (shipped() / name / "suite.yaml").is_file():
        found = [*found, ("the harness", shipped() / name)]
    if len(found) > 1:
        both = " and ".join(f"{folder} ({package})" for package, folder in found)
        raise SuiteError(f"two suites are called '{name}': {both}. Give the folder, or uninstall one package.")
    if found:
        return found[0][1]
    known = {path.parent.name for base in (here / "suites", shipped()) for path in base.glob("*/suite.yaml")}
    if Path(name).is_dir():
        raise SuiteError(f"{name}: no suite.yaml there. Make a suite with `harness init`.")
    raise SuiteError(
        f"no suite '{name}' (looked for a folder, in suites/, in installed packages and among the shipped)."
        f"{did_you_mean(name, known | set(plugins))}"
    )


def split_digest(samples: Sequence[Sample]) -> str:
    """Identity of a split: what its samples say, in order."""
    return text_digest([sample.digest for sample in samples])


def all_suites(root: Path | None = None) -> list[str]:
    """Names of the suites beside models.yaml; the installed and the shipped ones when there are none."""
    here = Path.cwd() if root is None else root
    own = sorted(path.parent.name for path in (here / "suites").glob("*/suite.yaml"))
    return own or sorted({*installed(), *(path.parent.name for path in shipped().glob("*/suite.yaml"))})


def read_suite(name: str | Path, root: Path | None = None) -> Suite:
    """Reads and checks a suite folder. Raises SuiteError with file, line and what to do."""
    folder = find_suite(str(name), root)
    file = folder / "suite.yaml"
    top = Fields(read_yaml(file, SuiteError, "A suite folder needs one."), str(file), SuiteError)
    top.only(_KEYS)
    prompt = Fields(top.value.get("prompt") or {}, f"{file}: prompt", SuiteError)
    prompt.only(("system", "systems", "template", "retrieval_template"))
    kind = top.get("kind", str, "skill")
    if kind not in KINDS:
        raise SuiteError(f"{file}: kind: no kind '{kind}'.{did_you_mean(kind, KINDS)}")
    margin = top.get("margin", float, 0.05)
    in_range(top, "margin", margin, 0.001, 1.0)
    target = top.get("target", float)
    if target is not None:
        in_range(top, "target", target, 0.0, 1.0)
    whole = top.names("corpus_scores") if top.value.get("corpus_scores") is not None else ()
    for name in whole:
        if name not in CORPUS_SCORES:
            raise SuiteError(f"{file}: corpus_scores: no score '{name}'.{did_you_mean(name, CORPUS_SCORES)}")
    asks_tasks = top.value.get("lm_eval") is not None
    if asks_tasks and kind != "general":
        raise SuiteError(f"{file}: lm_eval: only a suite of kind general asks lm-eval tasks. Set kind: general.")
    splits, corpus = read_data(folder, file, top.value.get("data"), test_needed=not asks_tasks)
    scorers, graders = _scorers(top, file) if splits["test"] or not asks_tasks else ((), ())
    given = Fields(top.get("chance", dict, {}), f"{file}: chance", SuiteError)
    chance = {str(key): float(given.need(key, float)) for key in given.value}
    for key, value in chance.items():
        in_range(given, key, value, 0.0, 1.0)
    own_scorers = scorers
    if asks_tasks:
        splits["test"], scorers, chance = _with_lm_eval(top, folder, splits["test"], (*scorers, *graders), chance)
    sampling = _sampling(top, file)
    template = prompt.get("template", str, "{input}")
    retrieval_template = prompt.get("retrieval_template", str, RETRIEVAL_TEMPLATE)
    for key, text, slots in (
        ("template", template, ("{input}",)),
        ("retrieval_template", retrieval_template, ("{input}", "{passages}")),
    ):
        for slot in slots:
            if slot not in text:
                raise SuiteError(f"{file}: prompt.{key}: {slot} is missing. Add it where that text belongs.")
    own_name, version, system = top.need("name", str), top.need("version", int), prompt.get("system", str)
    check_name(own_name, f"{file}: name", SuiteError)
    systems = _systems(prompt)
    constraints = read_rules(top.value.get("constrain"), str(file), folder)
    named = (*own_scorers, *graders)
    values = [value for spec in named for value in (spec.scorer.split(":")[0], *spec.options.values())]
    names = sorted({value for value in values if isinstance(value, str) and len(value.encode()) < 256})
    code = [file.read_text("utf-8", "replace") for name in names if (file := folder / name).is_file()]
    cluster = top.get("cluster", str)
    if cluster is not None and not any(cluster in sample.metadata for sample in splits["test"]):
        raise SuiteError(f"{file}: cluster: no test sample has '{cluster}' in its metadata. Name a key that they have.")
    parts = (
        own_name,
        version,
        system,
        template,
        retrieval_template,
        margin,
        chance,
        code,
        *([systems] if systems else ()),
        *([[vars(rule) for rule in constraints]] if constraints else ()),
    )
    content = [sample.digest for split in ("test", "shots") for sample in splits[split]]
    passages = [(passage.id, passage.text) for passage in corpus]
    scoring = [(spec.name, spec.scorer, dict(spec.options), spec.primary) for spec in scorers]
    scoring += [(spec.name, spec.scorer, dict(spec.options), False) for spec in graders]
    return Suite(
        name=own_name,
        version=version,
        path=str(folder),
        title=top.get("title", str, own_name),
        question=top.get("question", str, ""),
        kind=kind,
        test=splits["test"],
        dev=splits["dev"],
        train=splits["train"],
        shots=splits["shots"],
        corpus=corpus,
        system=system.strip() if system else None,
        template=template,
        retrieval_template=retrieval_template,
        scorers=scorers,
        graders=graders,
        sampling=sampling,
        margin=margin,
        chance=chance,
        cluster=cluster,
        digest=text_digest(parts, content, passages, scoring, sampling_parts(sampling)),
        judges=text_digest(scoring, code),
        asks=text_digest(
            [system, template, retrieval_template, systems, [vars(rule) for rule in constraints]], content, passages
        ),
        systems=systems,
        constraints=constraints,
        target=target,
        corpus_scores=tuple(whole),
        monitor=_monitor(top, file, own_scorers),
    )


def with_samples(suites: Sequence[Suite], samples: int | None) -> list[Suite]:
    """The suites with so many answers to each question; one that decodes greedily stays as it is.

    Raises SuiteError where none of them draws its answers.
    """
    warm = [suite for suite in suites if suite.sampling.temperature]
    if samples and samples > 1 and not warm:
        raise SuiteError(
            f"--samples {samples}: {', '.join(suite.name for suite in suites)} decode greedily, and the same answer "
            f"{samples} times says nothing new. Set sampling.temperature in suite.yaml, or leave --samples out."
        )
    if not samples:
        return list(suites)
    return [replace(one, sampling=replace(one.sampling, samples=samples)) if one in warm else one for one in suites]


def _systems(prompt: Fields) -> dict[str, str]:
    """Further system prompts by name. A name is one word, so that no prompt is taken for one."""
    given = Fields(prompt.get("systems", dict, {}), f"{prompt.where}.systems", SuiteError)
    for name in given.value:
        if not isinstance(name, str) or len(name.split()) != 1:
            raise SuiteError(f"{given.where}: '{name}' is not a name. Use one word; quote numbers, yes and no.")
        if not given.need(name, str).strip():
            raise SuiteError(f"{given.where}.{name}: the prompt is empty. Write it, or remove the name.")
    return {name: text.strip() for name, text in given.value.items()}


def _scorers(top: Fields, file: Path) -> tuple[tuple[ScorerSpec, ...], tuple[ScorerSpec, ...]]:
    """The scorers, one of them primary, and the graders: those that ask a model and are never primary."""
    specs: list[ScorerSpec] = []
    graders: list[ScorerSpec] = []
    for index, value in enumerate(top.need("scorers", list)):
        fields = Fields(value, f"{file}: scorers[{index}]", SuiteError)
        fields.only(("name", "scorer", "options", "primary"))
        scorer = fields.need("scorer", str)
        name = fields.get("name", str, scorer)
        spec = ScorerSpec(name, scorer, fields.get("options", dict, {}), fields.get("primary", bool, False))
        if spec.scorer in GRADERS and spec.primary:
            raise SuiteError(
                f"{fields.where}: a {spec.scorer} cannot be primary: a model's opinion is a column beside a scorer of "
                f"rules. Make another scorer primary."
            )
        (graders if spec.scorer in GRADERS else specs).append(spec)
    if len(specs) == 1:
        specs = [ScorerSpec(specs[0].name, specs[0].scorer, specs[0].options, True)]
    if sum(spec.primary for spec in specs) != 1:
        raise SuiteError(
            f"{file}: scorers: exactly one must be `primary: true`, found {sum(s.primary for s in specs)}."
        )
    if len({spec.name for spec in (*specs, *graders)}) < len(specs) + len(graders):
        raise SuiteError(f"{file}: scorers: two have the same name. Give each its own.")
    return tuple(specs), tuple(graders)


def _monitor(top: Fields, file: Path, scorers: Sequence[ScorerSpec]) -> tuple[LiveSpec, ...]:
    """Scorers for live traffic: names of the suite's own, or scorers that only live traffic is put to."""
    found: list[LiveSpec] = []
    known = {spec.name: spec for spec in scorers}
    for index, value in enumerate(top.get("monitor", list, [])):
        where = f"{file}: monitor[{index}]"
        if isinstance(value, str):
            if value not in known:
                raise SuiteError(f"{where}: no scorer '{value}'.{did_you_mean(value, known)}")
            found.append(LiveSpec(known[value]))
            continue
        fields = Fields(value, where, SuiteError)
        fields.only(("name", "scorer", "options", "needs", "where"))
        scorer = fields.need("scorer", str)
        if scorer in GRADERS:
            raise SuiteError(f"{where}: a {scorer} asks a model, and live traffic is not put to one. Remove it.")
        spec = ScorerSpec(fields.get("name", str, scorer), scorer, fields.get("options", dict, {}))
        found.append(LiveSpec(spec, fields.names("needs"), fields.get("where", dict, {})))
    if len({one.spec.name for one in found}) < len(found):
        raise SuiteError(f"{file}: monitor: two have the same name. Give each its own.")
    return tuple(found)


def _with_lm_eval(
    top: Fields, folder: Path, own: tuple[Sample, ...], scorers: tuple[ScorerSpec, ...], chance: dict[str, float]
) -> tuple[tuple[Sample, ...], tuple[ScorerSpec, ...], dict[str, float]]:
    """A suite's test samples, scorer and chances with those of its lm-eval tasks, which are probes of their own."""
    where = f"{folder / 'suite.yaml'}: lm_eval"
    if len(scorers) > 1:
        raise SuiteError(f"{where}: lm-eval tasks have one score, this suite has {len(scorers)} scorers. Keep one.")
    if top.value.get("scorers") and not own:
        raise SuiteError(f"{where}: there is no test.jsonl that `scorers` could score. Remove them.")
    settings = lm_eval.read_settings(top.value["lm_eval"], where)
    found = lm_eval.load(settings, folder)
    taken = {sample.id for sample in own} & {document.sample.id for document in found}
    if taken:
        raise SuiteError(f"{where}: id '{min(taken)}' is also in test.jsonl. Ids must be unique; change it there.")
    mine = {"scorer": scorers[0].scorer, "options": dict(scorers[0].options)} if scorers else None
    name = scorers[0].name if scorers else "lm_eval"
    guessed: dict[str, list[float]] = {}
    for document in found:
        guessed.setdefault(document.probe, []).append(document.chance)
    means = {probe: round(sum(values) / len(values), 6) for probe, values in guessed.items()}
    return (
        (*own, *(document.sample for document in found)),
        (ScorerSpec(name, "lm_eval", lm_eval.options(settings, found, mine), True),),
        {**means, **chance},
    )


def _sampling(top: Fields, file: Path) -> Sampling:
    fields = Fields(top.value.get("sampling") or {}, f"{file}: sampling", SuiteError)
    fields.only(("max_tokens", "temperature", "top_p", "seed", "stop", "samples"))
    default = Sampling()
    sampling = Sampling(
        fields.get("max_tokens", int, default.max_tokens),
        fields.get("temperature", float, default.temperature),
        fields.get("top_p", float, default.top_p),
        fields.get("seed", int, default.seed),
        fields.names("stop"),
        fields.get("samples", int, default.samples),
    )
    in_range(fields, "max_tokens", sampling.max_tokens, 1, 10**6)
    in_range(fields, "temperature", sampling.temperature, 0, 10)
    in_range(fields, "top_p", sampling.top_p, 0.001, 1)
    in_range(fields, "samples", sampling.samples, 1, MOST_DRAWS)
    if "" in sampling.stop:
        raise SuiteError(f"{fields.where}.stop: holds an empty text, which every answer ends with. Remove it.")
    if sampling.samples > 1 and not sampling.temperature:
        raise SuiteError(
            f"{fields.where}.samples: {sampling.samples} greedy answers to a question are {sampling.samples} times the "
            f"same. Set a temperature above 0, or samples: 1."
        )
    return sampling
