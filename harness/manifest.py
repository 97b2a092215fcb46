"""run.json: everything that says how the answers of a run came to be."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__, endpoint
from harness.certify import kept
from harness.data import AdapterRef, Arm, Config, Model, Row, Run, Suite
from harness.digests import sampling_parts, text_digest
from harness.engines import Engine
from harness.engines.unopened import Unopened
from harness.errors import RunError
from harness.sandbox import described
from harness.store import FORMAT

OF_ANSWERS = ("harness", "git", "hardware", "finished")
"""What a run that asked nothing does not change: of the moment at which its last answers came to be. "finished" is None
until all that one call asks for is answered and scored, and no arm has fewer answers than another."""
DIALS = ("system", "shots", "retrieve")
ENDPOINT = "endpoint"
USAGE = ("requests", "prompt_tokens", "completion_tokens", "usd", "engine_deaths")


def describe(
    config: Config,
    suites: Sequence[Suite],
    arms: Sequence[Arm],
    engine: Mapping[str, Any],
    digests: Mapping[str, str],
    adapters: Mapping[str, AdapterRef],
    applied: Mapping[str, float],
    dev: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The manifest of a run about to start. digests: content of each model; applied: each adapter's proof, in nats.

    dev: what was chosen on dev (`rivals.card`).
    """
    return {
        "format": FORMAT,
        "harness": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "finished": None,
        "command": _command({suite.name: suite.looks for suite in suites}, [arm.name for arm in arms]),
        "config": config.path,
        "git": _git(),
        "engine": dict(engine),
        "opened": {},
        "hardware": hardware(),
        "sandbox": described(),
        "models": {arm.model: model_card(config.models[arm.model], digests[arm.model]) for arm in arms},
        "adapters": {
            name: {
                "path": ref.path,
                "digest": ref.digest,
                "model": config.adapters[name].model,
                "train": training_card(Path(ref.path)),
                "applied": {"max_logprob_difference": applied[name]},
            }
            for name, ref in adapters.items()
        },
        "arms": {arm.name: arm_card(arm) for arm in arms},
        "dev": dict(dev or {}),
        "suites": {suite.name: suite_card(suite) for suite in suites},
        "seconds": {},
        "costs": asdict(config.costs),
    }


def arm_card(arm: Arm) -> dict[str, Any]:
    """What run.json says of an arm; a dial with several values is the list of them."""
    card: dict[str, Any] = {"model": arm.model, "adapter": arm.adapter}
    for dial in DIALS:
        values = list(dict.fromkeys(getattr(one, dial) for one in arm.tries or (arm,)))
        card[dial] = values if len(values) > 1 else values[0]
    if arm.constrain:
        card["constrain"] = True
    return card


def model_card(model: Model, digest: str) -> dict[str, Any]:
    """What run.json says of a model; of an endpoint also its host and prices, and in the end what was used."""
    card: dict[str, Any] = {"path": model.path, "digest": digest}
    if model.endpoint:
        card["endpoint"] = endpoint.shown(model)
        if model.endpoint.replicas:
            card["endpoints"] = [endpoint.shown(one) for one in endpoint.servers(model)]
        card["usd_per_million_input"] = model.endpoint.usd_input
        card["usd_per_million_output"] = model.endpoint.usd_output
    return card


def add_usage(manifest: dict[str, Any], model: Model, engine: Engine | None) -> None:
    """Adds what was asked of an endpoint to its model's entry: requests, tokens by its own count, and their price.

    engine: None where nothing was left to ask.
    """
    if not model.endpoint:
        return
    card = manifest["models"][model.name]
    taken = getattr(engine, "take_usage", None)
    for name, used in (taken() if taken else dict.fromkeys(USAGE[:3], 0)).items():
        card[name] = card.get(name, 0) + used
    if model.endpoint.usd_input is not None and model.endpoint.usd_output is not None:
        spent = card["prompt_tokens"] * model.endpoint.usd_input
        spent += card["completion_tokens"] * model.endpoint.usd_output
        card["usd"] = round(spent / 1e6, 6)


def add_deaths(manifest: dict[str, Any], model: Model, engine: Engine | None) -> None:
    """Counts in the model's entry how often its engine died and was started again; nothing where it never did."""
    deaths = int(getattr(engine, "take_deaths", int)())
    if deaths:
        card = manifest["models"][model.name]
        card["engine_deaths"] = card.get("engine_deaths", 0) + deaths


def suite_card(suite: Suite) -> dict[str, Any]:
    """What run.json says of a suite."""
    return {
        "version": suite.version,
        "path": suite.path,
        "digest": suite.digest,
        "asks": suite.asks,
        "kind": suite.kind,
        "title": suite.title,
        "question": suite.question,
        "margin": suite.margin,
        "target": suite.target,
        "corpus_scores": list(suite.corpus_scores),
        "chance": dict(suite.chance),
        "cluster": suite.cluster,
        "scorers": [asdict(spec) for spec in suite.scorers],
        "graders": [asdict(spec) for spec in suite.graders],
        "n_test": len(suite.test),
        "n_asked": len(suite.test[: suite.asked]),
        "looks": dict(suite.looks) if suite.looks else None,
        "corpus": bool(suite.corpus),
        "sampling": sampling_parts(suite.sampling),
        "certificate": kept(suite),
    }


def training_card(adapter: Path) -> dict[str, Any] | None:
    """What the trainer wrote beside an adapter; None for one trained elsewhere."""
    file = adapter / "training.json"
    return json.loads(file.read_text("utf-8")) if file.is_file() else None


def continued(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The manifest of a run folder that is taken up again. Raises RunError where the two cannot share a folder."""
    hint = "Use another --out folder."
    for name in set(old["suites"]) & set(new["suites"]):
        was, now = old["suites"][name], new["suites"][name]
        if was["digest"] != now["digest"]:
            raise RunError(
                f"{folder}: holds suite '{name}' version {was['version']} ({was['digest']}), now it is version "
                f"{now['version']} ({now['digest']}). Scores of two versions are never mixed. {hint}"
            )
        if _declared(was) != _declared(now):
            raise RunError(
                f"{folder}: suite '{name}' was run with other looks (--until-decided, --seed), and looks are declared "
                f"beforehand. {hint}"
            )
        now["n_asked"] = max(was["n_asked"], now["n_asked"])
        if was["sampling"].get("samples", 1) > now["sampling"].get("samples", 1):
            now["sampling"] = was["sampling"]
        _same_choice(old.get("dev", {}).get(name, {}), new["dev"].get(name, {}), f"{folder}: suite '{name}'")
    here = [one for one in (old["engine"], new["engine"]) if one.get("device") != ENDPOINT]
    if len({(one["name"], one["version"]) for one in here}) > 1:
        raise RunError(
            f"{folder}: was answered by {old['engine']['name']} {old['engine']['version']}, now it would be "
            f"{new['engine']['name']} {new['engine']['version']}. {hint}"
        )
    for name in set(old["arms"]) & set(new["arms"]):
        if old["arms"][name] != new["arms"][name]:
            raise RunError(f"{folder}: arm '{name}' was answered with other settings. {hint}")
    for name in set(old["models"]) & set(new["models"]):
        used = {key: old["models"][name][key] for key in USAGE if key in old["models"][name]}
        new["models"][name].update(used)
    merged = {**old, **new, "created": old["created"], "seconds": old["seconds"]}
    merged["dev"] = dict(old.get("dev", {}))
    for name, now in new["dev"].items():
        merged["dev"][name] = {**now, "arms": {**merged["dev"].get(name, {}).get("arms", {}), **now["arms"]}}
    merged["engine"] = here[-1] if here else new["engine"]
    for kind in ("models", "adapters", "arms", "suites"):
        merged[kind] = {**old[kind], **new[kind]}
    merged["opened"] = dict(old.get("opened", {}))
    merged["command"] = _command({name: card.get("looks") for name, card in merged["suites"].items()}, merged["arms"])
    return merged


def refuse_left_over(
    old: Run, new: Mapping[str, Any], asked: Collection[tuple[str, str, str, int]], folder: Path
) -> None:
    """Raises RunError where a model or adapter has changed and answers it gave before would stay beside its new ones.

    asked: (suite, arm, sample, draw) of all that is asked now.
    """
    changed = {
        (kind, name)
        for kind in ("models", "adapters")
        for name in set(old.manifest[kind]) & set(new[kind])
        if old.manifest[kind][name]["digest"] != new[kind][name]["digest"]
    }
    for row in old.rows if changed else ():
        card = old.manifest["arms"].get(row.arm, {})
        of = {("models", card.get("model")), ("adapters", card.get("adapter"))} & changed
        if of and (row.suite, row.arm, row.sample, row.draw) not in asked:
            kind, name = min(of)
            raise RunError(
                f"{folder}: {kind[:-1]} '{name}' has changed since; its answers by {row.arm} on {row.suite} are old, "
                f"and not all are asked again. Run all of its suites, arms and samples, or use another --out folder."
            )


def refuse_asked_otherwise(was: Mapping[str, Any], suite: Suite, folder: Path) -> None:
    """Raises RunError where a suite's answers were got by another prompt or sampling than it has now.

    What is not covered: the prompt of a run made by an older harness, which does not say how it asked.
    """
    now = suite_card(suite)
    before, today = (text_digest({**card["sampling"], "samples": None}) for card in (was, now))
    if was.get("asks", now["asks"]) != now["asks"] or before != today:
        raise RunError(
            f"{folder}: suite '{suite.name}' asks otherwise now (prompt, samples, passages or sampling), so these "
            f"answers are not to its questions. Run it again with `harness run --out` another folder."
        )


def _command(suites: Mapping[str, Mapping[str, Any] | None], arms: Iterable[str]) -> str:
    """The call that makes such a run. suites: the looks that each has declared."""
    looks = next(filter(None, suites.values()), None)
    until = f" --until-decided --seed {looks['seed']}{looks.get('gate', '')}" if looks else ""
    return "harness run" + "".join(f" -s {name}" for name in suites) + "".join(f" -a {arm}" for arm in arms) + until


def _same_choice(was: Mapping[str, Any], now: Mapping[str, Any], where: str) -> None:
    """An arm that has answered test keeps its dials, unless its model or adapter is another: then it answers again."""
    for arm in set(was.get("arms", ())) & set(now.get("arms", ())):
        before, after = was["arms"][arm], now["arms"][arm]
        one, other = before["tries"][before["chosen"]], after["tries"][after["chosen"]]
        if any(one[dial] != other[dial] for dial in DIALS) and one["n"] != other["n"]:
            raise RunError(
                f"{where}: arm '{arm}' answered test with the dials chosen on {one['n']} dev samples; on {other['n']} "
                f"others are chosen. Use the same --limit and --dev-limit, or another --out folder."
            )


def _declared(about: Mapping[str, Any]) -> tuple[Any, Any] | None:
    looks = about.get("looks")
    return (list(looks["sizes"]), looks["seed"]) if looks else None


def add_seconds(
    manifest: dict[str, Any], spent: Mapping[tuple[str, str], tuple[float, int]], before: Sequence[Row]
) -> None:
    """Adds engine seconds per (suite, arm), and under "timed" the requests they were spent on.

    before: the rows of a run that an older harness began, which has written seconds alone.
    """
    if "timed" not in manifest:
        counts = Counter((row.suite, row.arm) for row in before if not row.reused)
        manifest["timed"] = {
            suite: {arm: counts[suite, arm] for arm in table} for suite, table in manifest["seconds"].items()
        }
    for (suite, arm), (seconds, requests) in spent.items():
        table, timed = manifest["seconds"].setdefault(suite, {}), manifest["timed"].setdefault(suite, {})
        table[arm] = round(table.get(arm, 0.0) + seconds, 6)
        timed[arm] = timed.get(arm, 0) + requests


def engine_card(engine: Engine | Unopened) -> dict[str, Any]:
    """Name, version and device of an engine, and how many workers share its queue where it is a cluster's."""
    card = {"name": engine.name, "version": engine.version, "device": getattr(engine, "device", "cpu")}
    workers = getattr(engine, "workers", None)
    return card | ({"workers": workers} if workers else {})


def hardware() -> dict[str, Any]:
    """Processor, cores, memory in GiB, and the GPU if torch has been loaded and sees one."""
    import sys

    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name(0) if torch is not None and torch.cuda.is_available() else None
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": gpu,
    }


def _git() -> str | None:
    """The commit of the working directory, with "+" if it has changes; None outside a repository."""
    try:
        head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, timeout=5)
        dirty = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "") if head.returncode == 0 else None
