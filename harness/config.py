"""models.yaml -> Config. Unknown keys, wrong types and dangling names are ConfigErrors, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import yaml

from harness.data import Adapter, Arm, Config, Costs, Endpoint, Model, TrainSpec
from harness.digests import text_digest
from harness.errors import ConfigError, HarnessError, did_you_mean
from harness.fields import Fields, check_name, describe, in_range

_NUMBERS: dict[str, tuple[type, float, float]] = {
    "rank": (int, 1, 512),
    "alpha": (int, 1, 4096),
    "learning_rate": (float, 1e-8, 1),
    "epochs": (float, 0.01, 1000),
    "batch_size": (int, 1, 4096),
    "warmup": (float, 0, 1),
    "weight_decay": (float, 0, 10),
    "clip_norm": (float, 1e-6, 1e6),
    "data_fraction": (float, 0.001, 1),
    "max_steps": (int, 1, 10**7),
    "retrieve": (int, 0, 100),
    "seed": (int, 0, 2**31 - 1),
    "validate": (int, 0, 1000),
    "dev_limit": (int, 2, 10**6),
    "patience": (int, 0, 1000),
}
_SWEPT = ("learning_rate", "rank", "epochs")
"""Keys of `train:` that may be a list: every combination is trained, and the best one on dev is the adapter."""
MOST_TRIES = 24
"""Combinations of dials that one arm may have."""
_ENDPOINT = ("name", "key_env", "usd_per_million_tokens")
_UNSERVED = {
    "use_dora": "DoRA",
    "bias": "a trained bias",
    "lora_bias": "a LoRA bias",
    "modules_to_save": "whole modules beside an adapter",
}
_TRAIN = {field.name for field in dataclass_fields(TrainSpec)} - {"suites"} | {"suite"}


class _GivenTwice(yaml.YAMLError):
    """A key that stands twice in one mapping."""


class _Loader(yaml.SafeLoader):
    """Takes no key twice: PyYAML itself lets the last one win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in seen:
                raise _GivenTwice(f"line {key.start_mark.line + 1}: the key '{key.value}' is given twice")
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, error: type[HarnessError], what_to_do: str) -> Any:
    """The parsed file; a missing, unreadable or malformed file is one line of `error`."""
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)
    except FileNotFoundError:
        raise error(f"{path}: no such file. {what_to_do}") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"{path}: cannot be read ({problem}).") from None
    except ValueError as problem:  # a date that there is not
        raise error(f"{path}: not YAML: {problem}. Correct the value, or quote it if it is text.") from None
    except _GivenTwice as problem:
        raise error(f"{path}: {problem}. Keep one of them.") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        reason = getattr(problem, "problem", None) or "not YAML"
        raise error(f"{path}:{line} not YAML: {reason}. Fix the line; indent with spaces.") from None


def read_config(path: Path | str, root: Path | None = None) -> Config:
    """models.yaml, checked. `root`, by default the file's folder, is where relative adapter paths start."""
    path = Path(path)
    root = path.parent if root is None else root
    text = read_yaml(path, ConfigError, "Make one with `harness init`, or name it with --config FILE.")
    top = Fields(text, path.name, ConfigError)
    top.only(("models", "adapters", "arms", "costs", "judge"))
    models = {name: _model(name, value, path.name) for name, value in _entries(top, "models")}
    if not models:
        raise ConfigError(f"{path.name}: no models. Add at least one under `models:`.")
    adapters = {name: _adapter(name, value, path.name, root, models) for name, value in _entries(top, "adapters")}
    arms = {name: _arm(name, value, path.name, root, models, adapters) for name, value in _entries(top, "arms")}
    if not arms:
        raise ConfigError(
            f"{path.name}: no arms. Add at least one under `arms:`, e.g. base: {{model: {next(iter(models))}}}."
        )
    judge = top.get("judge", str)
    if judge is not None and judge not in models:
        raise ConfigError(f"{path.name}: judge: no model '{judge}'.{did_you_mean(judge, models)}")
    costs = Fields(top.value.get("costs") or {}, f"{path.name}: costs", ConfigError)
    costs.only(("gpu_hour_usd", "requests_per_month"))
    return Config(
        path=str(path),
        models=models,
        adapters=adapters,
        arms=arms,
        costs=Costs(costs.get("gpu_hour_usd", float), costs.get("requests_per_month", int)),
        judge=judge,
    )


def _entries(top: Fields, key: str) -> list[tuple[str, Any]]:
    section = top.value.get(key)
    if section is None:
        return []
    if not isinstance(section, Mapping):
        raise ConfigError(f"{top.where}: {key}: must be a mapping of names, not {describe(section)}.")
    for name in section:
        check_name(name, f"{top.where}: {key}", ConfigError)
    return list(section.items())


def _model(name: str, value: Any, file: str) -> Model:
    fields = Fields(value, f"{file}: models.{name}", ConfigError)
    fields.only(("path", "revision", "engine", "endpoint", *_ENDPOINT))
    engine = fields.get("engine", dict, {})
    endpoint = _endpoints(fields)
    for key in ("path", "revision") if endpoint else _ENDPOINT:
        if fields.value.get(key) is not None:
            belongs = "a model on this machine" if endpoint else "an endpoint (`endpoint:` is missing)"
            raise ConfigError(f"{fields.where}.{key}: belongs to {belongs}. Remove one of the two.")
    if not endpoint:
        return Model(name, fields.need("path", str), fields.get("revision", str), engine)
    prices = Fields(
        fields.get("usd_per_million_tokens", dict, {}), f"{fields.where}.usd_per_million_tokens", ConfigError
    )
    prices.only(("input", "output"))
    for key in prices.value:
        in_range(prices, key, prices.need(key, float), 0, 1e6)
    usd = (prices.need("input", float), prices.need("output", float)) if prices.value else (None, None)
    (address, at_once), *others = endpoint
    replicas = tuple(Endpoint(one, concurrency=most) for one, most in others)
    served = Endpoint(address, fields.get("key_env", str), usd[0], usd[1], at_once, replicas)
    return Model(name, fields.need("name", str), engine=engine, endpoint=served)


def _endpoints(fields: Fields) -> list[tuple[str, int | None]]:
    """Address and concurrency of every server: `endpoint:` is an address, or a list of such and of mappings."""
    listed = fields.value.get("endpoint")
    if not isinstance(listed, list):
        address = fields.get("endpoint", str)
        return [(address, None)] if address else []
    found = []
    for place, item in enumerate(listed, 1):
        about = item if isinstance(item, Mapping) else {"address": item}
        one = Fields(about, f"{fields.where}.endpoint.{place}", ConfigError)
        one.only(("address", "concurrency"))
        most = one.get("concurrency", int)
        if most is not None:
            in_range(one, "concurrency", most, 1, 1000)
        found.append((one.need("address", str), most))
    if not found or len({address for address, _ in found}) < len(found):
        wrong = "a server twice" if found else "no server"
        raise ConfigError(f"{fields.where}.endpoint: names {wrong}. Name each once.")
    return found


def _adapter(name: str, value: Any, file: str, root: Path, models: Mapping[str, Model]) -> Adapter:
    fields = Fields(value, f"{file}: adapters.{name}", ConfigError)
    fields.only(("model", "path", "train"))
    model = fields.need("model", str)
    if model not in models:
        raise ConfigError(f"{fields.where}.model: no model '{model}'.{did_you_mean(model, models)}")
    if models[model].endpoint:
        raise ConfigError(
            f"{fields.where}: '{model}' is an endpoint, which takes no adapter from this machine. If the server serves "
            f"the adapter under a name, give it as a model: {name}: {{endpoint: ..., name: ...}}."
        )
    tries = _trains(value["train"], f"{fields.where}.train") if value.get("train") is not None else ()
    train = tries[0] if tries else None
    given = fields.get("path", str)
    if given is None and train is None:
        raise ConfigError(f"{fields.where}: needs `train:` (to make it) or `path:` (trained elsewhere).")
    path = Path(given or f"adapters/{name}").expanduser()
    return Adapter(
        name, model, str(path if path.is_absolute() else root / path), train, tries if len(tries) > 1 else ()
    )


def _trains(value: Any, where: str) -> tuple[TrainSpec, ...]:
    """The recipe, or one for every combination of the keys in _SWEPT that are lists; those are validated on dev."""
    lists = {key: value[key] for key in _SWEPT if isinstance(value, Mapping) and isinstance(value.get(key), list)}
    if not lists:
        return (_train(value, where),)
    made = [{**value, **dict(zip(lists, one, strict=True))} for one in product(*lists.values())]
    if not 1 < len(made) <= MOST_TRIES:
        raise ConfigError(f"{where}: its lists make {len(made)} recipes; 2 to {MOST_TRIES} are tried. Change a list.")
    specs = tuple(_train({**one, "validate": one.get("validate") or 1}, where) for one in made)
    if len(set(specs)) < len(specs):
        raise ConfigError(f"{where}: a list names a value twice. Name each once.")
    return specs


def _train(value: Any, where: str) -> TrainSpec:
    fields = Fields(value, where, ConfigError)
    for key, what in _UNSERVED.items():
        if value.get(key) if isinstance(value, Mapping) else None:
            raise ConfigError(f"{where}.{key}: engines refuse {what}, or drop it without a word. Remove the key.")
    fields.only(_TRAIN)
    suites = fields.names("suite")
    if not suites:
        raise ConfigError(f"{where}: 'suite' is missing. Name the suite, or a list of suites, to train on.")
    spec = TrainSpec(suites=suites)
    given: dict[str, Any] = {}
    for key, (kind, low, high) in _NUMBERS.items():
        if value.get(key) is not None:
            given[key] = fields.get(key, kind)
            in_range(fields, key, given[key], low, high)
    for key, other in (("schedule", str), ("system", bool), ("quantize", str)):
        if value.get(key) is not None:
            given[key] = fields.get(key, other)
    if given.get("quantize", "") not in ("", "nf4"):
        raise ConfigError(
            f"{where}.quantize: no type '{given['quantize']}' of four bits. Write nf4, or remove the key."
        )
    if value.get("target_modules") is not None:
        given["target_modules"] = fields.names("target_modules")
    if "alpha" not in given and "rank" in given:
        given["alpha"] = 2 * given["rank"]
    if given.get("schedule", spec.schedule) not in ("linear", "cosine", "constant"):
        raise ConfigError(
            f"{where}.schedule: no schedule '{given['schedule']}'."
            f"{did_you_mean(given['schedule'], ('linear', 'cosine', 'constant'))}"
        )
    return TrainSpec(suites=suites, **given)


def _arm(
    name: str, value: Any, file: str, root: Path, models: Mapping[str, Model], adapters: Mapping[str, Adapter]
) -> Arm:
    fields = Fields(value, f"{file}: arms.{name}", ConfigError)
    fields.only(("model", "adapter", "system", "shots", "retrieve", "constrain"))
    model, adapter = fields.need("model", str), fields.get("adapter", str)
    if model not in models:
        raise ConfigError(f"{fields.where}.model: no model '{model}'.{did_you_mean(model, models)}")
    if adapter is not None and adapter not in adapters:
        raise ConfigError(f"{fields.where}.adapter: no adapter '{adapter}'.{did_you_mean(adapter, adapters)}")
    if adapter is not None and adapters[adapter].model != model:
        raise ConfigError(
            f"{fields.where}: adapter '{adapter}' belongs to model '{adapters[adapter].model}', not '{model}'. "
            f"An adapter only fits the base it was trained on."
        )
    systems = [_system(fields, item, root) for item in _items(fields, "system", False)]
    shots = [_count(fields, "shots", item) for item in _items(fields, "shots", 0)]
    passages = [_passages(fields, item) for item in _items(fields, "retrieve", 0)]
    dials = list(product(systems, shots, passages))
    if len(set(dials)) < len(dials):
        raise ConfigError(f"{fields.where}: a list names a value twice. Name each once.")
    if len(dials) > MOST_TRIES:
        raise ConfigError(
            f"{fields.where}: its lists make {len(dials)} combinations, at most {MOST_TRIES} are tried. Shorten a list."
        )
    constrain = fields.get("constrain", bool, False)
    arm = Arm(name, model, adapter, *dials[0], constrain=constrain)
    tries = tuple(Arm(try_name(name, *one), model, adapter, *one, constrain=constrain) for one in dials)
    return replace(arm, tries=tries) if len(tries) > 1 else arm


def try_name(arm: str, system: bool | str, shots: int, retrieve: int | Literal["gold"]) -> str:
    """What one combination of an arm's dials is called: the same dials always by the same name.

    >>> try_name("prompted", True, 2, 0)
    'prompted/system=true,shots=2,retrieve=0'
    """
    said = str(system).lower() if isinstance(system, bool) else text_digest(system)[:8]
    return f"{arm}/system={said},shots={shots},retrieve={retrieve}"


def _items(fields: Fields, key: str, default: Any) -> list[Any]:
    value = fields.value.get(key)
    if value == []:
        raise ConfigError(f"{fields.where}.{key}: is an empty list. Give a value, or several to choose from on dev.")
    return value if isinstance(value, list) else [default if value is None else value]


def _count(fields: Fields, key: str, item: Any) -> int:
    number: int = Fields({key: item}, fields.where, ConfigError).need(key, int)
    in_range(fields, key, number, 0, 100)
    return number


def _passages(fields: Fields, item: Any) -> int | Literal["gold"]:
    """A number of passages, or "gold"; that is a ceiling and would win every choice, so it stands alone."""
    if item != "gold":
        return _count(fields, "retrieve", item)
    if isinstance(fields.value.get("retrieve"), list):
        raise ConfigError(f"{fields.where}.retrieve: 'gold' is a ceiling, not a choice. Give it an arm of its own.")
    return "gold"


def _system(fields: Fields, item: Any, root: Path) -> bool | str:
    """true, false, a text, or {file: PATH}, whose text it is then."""
    where = f"{fields.where}.system"
    if isinstance(item, bool):
        return item
    if isinstance(item, Mapping):
        inner = Fields(item, where, ConfigError)
        inner.only(("file",))
        path = root / inner.need("file", str)
        try:
            item = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else "not UTF-8 text"
            raise ConfigError(
                f"{where}: {path}: cannot be read ({reason}). Give a text file with the prompt."
            ) from None
        if len(item.split()) == 1:
            raise ConfigError(f"{where}: {path}: holds a single word. Write the prompt there.")
    if not isinstance(item, str):
        raise ConfigError(f"{where}: must be true, false, text or {{file: PATH}}, not {describe(item)}.")
    if not item.strip():
        raise ConfigError(f"{where}: the text is empty. Write the prompt, or `false` for none.")
    return item.strip()


def pick(names: tuple[str, ...], known: Mapping[str, Any], where: str, what: str) -> list[Any]:
    """The entries of `known` with these names, in the order given; all of them when no name is given."""
    for name in names:
        if name not in known:
            raise ConfigError(f"{where}: no {what} '{name}'.{did_you_mean(name, known)}")
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())
