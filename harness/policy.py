"""gate.yaml -> Policy: what a gate demands. Unknown keys, wrong types and names are ConfigErrors, one line each.

baseline: baselines/lora.json            # or RUN:ARM; paths start at this file's folder
missing: fail                            # a sample the candidate lacks: fail, or not comparable
prompts: same                            # of one arm on both sides: same, or may differ
tiers:
  smoke: {suites: [sql], rules: [no_worse_than: {margin: 0.10}]}
  full:
    alpha: 0.05
    macro: {margin: 0.03}
    rules: [tokens_ratio: {at_most: 1.2}]      # for every suite of the tier
    suites:                                    # absent: every suite of the baseline
      sql: [at_least: {score: 0.80}]           # its rules replace the tier's of the same kind, scorer, tag, by
      soap: [no_flip: {at_most: 0, tag: critical}]
quarantine:
  at_most: 0.02                                # of a suite's samples
  samples: [{suite: sql, sample: sql-test-0007, until: 2027-01-31, reason: two right answers}]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from harness.config import read_yaml
from harness.errors import ConfigError, did_you_mean
from harness.fields import Fields, describe, in_range

MACRO_MARGIN = 0.03
"""The largest loss of the mean over suites that still passes, 0..1."""
ALPHA = 0.05

Missing = Literal["fail", "not comparable"]
Prompts = Literal["same", "may differ"]


@dataclass(frozen=True)
class Rule:
    """One demand on one suite.

    kind: no_worse_than, at_least, better_than, no_new_failures, no_flip, latency_ratio, tokens_ratio or cost_ratio.
    limit: the margin, score, gain or the most that is allowed; None: the suite's own margin. scorer: None is the
    primary one. by: what is held to the limit, "lower bound", "mean" or "p95". tag: only samples with this metadata.
    right: the score from which an answer counts as right.
    """

    kind: str
    limit: float | None = None
    scorer: str | None = None
    by: str = ""
    tag: str | None = None
    right: float = 1.0


@dataclass(frozen=True)
class Quarantined:
    """A sample (id or digest) that is left out of every score up to and with the day `until`."""

    suite: str
    sample: str
    until: date
    reason: str


@dataclass(frozen=True)
class Policy:
    """What one tier demands. suites: rules by suite, None: every suite the baseline answered; rules: for each of them.

    alpha: error of the whole gate. macro_margin: the largest loss of the mean over suites. tolerate_small: a loss that
    is shown but within every margin passes. share: the largest part of a suite that may be in quarantine.
    named: the suites that any tier of the file names.
    The defaults are those of a gate without a policy file; in a file `missing` is "fail".
    """

    suites: Mapping[str, tuple[Rule, ...]] | None = None
    rules: tuple[Rule, ...] = ()
    alpha: float = ALPHA
    macro_margin: float = MACRO_MARGIN
    tolerate_small: bool = False
    missing: Missing = "not comparable"
    prompts: Prompts = "same"
    quarantine: tuple[Quarantined, ...] = ()
    share: float = 0.0
    baseline: str | None = None
    path: str = ""
    tier: str = ""
    named: tuple[str, ...] = ()

    def on(self, suite: str) -> tuple[Rule, ...]:
        """The rules of a suite: its own, and those of the tier that it does not replace."""
        own = (self.suites or {}).get(suite, ())
        taken = {_key(rule) for rule in own}
        return (*(rule for rule in self.rules if _key(rule) not in taken), *own)


_KINDS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {  # limit's key, other keys, choices of `by`
    "no_worse_than": ("margin", ("scorer",), ()),
    "at_least": ("score", ("scorer", "by"), ("lower bound", "mean")),
    "better_than": ("gain", ("scorer",), ()),
    "no_new_failures": ("margin", (), ()),
    "no_flip": ("at_most", ("scorer", "tag", "right"), ()),
    "latency_ratio": ("at_most", ("by",), ("mean", "p95")),
    "tokens_ratio": ("at_most", ("by",), ("mean", "p95")),
    "cost_ratio": ("at_most", (), ()),
}
_OPTIONAL = ("no_worse_than", "no_new_failures")
"""Rules that may leave their limit out."""
_RANGES = {"margin": (0.001, 1.0), "score": (0.0, 1.0), "gain": (0.0, 1.0), "at_most": (0.01, 100.0)}


def read_policy(path: Path | str, tier: str | None = None) -> Policy:
    """One tier of a policy file, checked; `tier` may be left out where there is only one."""
    path = Path(path)
    top = Fields(read_yaml(path, ConfigError, "Write one (docs/gating-in-ci.md)."), path.name, ConfigError)
    top.only(("baseline", "missing", "prompts", "tiers", "quarantine"))
    tiers = Fields(top.need("tiers", dict), f"{path.name}: tiers", ConfigError)
    read = {str(name): _tier(value, f"{path.name}: tiers.{name}") for name, value in tiers.value.items()}
    if tier is None and len(read) == 1:
        tier = next(iter(read))
    if tier is None:
        raise ConfigError(f"{path.name}: which tier? Name it with --tier: {', '.join(read) or 'none is there'}.")
    if tier not in read:
        raise ConfigError(f"{path.name}: no tier '{tier}'.{did_you_mean(tier, read)}")
    share, quarantine = _quarantine(top)
    baseline = top.get("baseline", str)
    return Policy(
        **read[tier],
        missing=_one_of(top, "missing", ("fail", "not comparable")),
        prompts=_one_of(top, "prompts", ("same", "may differ")),
        quarantine=quarantine,
        share=share,
        baseline=str(path.parent / baseline) if baseline else None,
        path=path.name,
        tier=tier,
        named=tuple(dict.fromkeys(suite for one in read.values() for suite in one["suites"] or ())),
    )


def _tier(value: Any, where: str) -> dict[str, Any]:
    fields = Fields({} if value is None else value, where, ConfigError)
    fields.only(("suites", "rules", "alpha", "macro", "tolerate_small"))
    macro = Fields(fields.get("macro", dict, {}), f"{where}.macro", ConfigError)
    macro.only(("margin",))
    alpha, margin = fields.get("alpha", float, ALPHA), macro.get("margin", float, MACRO_MARGIN)
    in_range(fields, "alpha", alpha, 0.001, 0.2)
    in_range(macro, "margin", margin, 0.001, 1)
    return {
        "suites": _suites(fields),
        "rules": _rules(fields.value.get("rules"), f"{where}.rules"),
        "alpha": alpha,
        "macro_margin": margin,
        "tolerate_small": fields.get("tolerate_small", bool, False),
    }


def _suites(fields: Fields) -> dict[str, tuple[Rule, ...]] | None:
    value = fields.value.get("suites")
    if value is None:
        return None
    if not value:
        raise ConfigError(f"{fields.where}.suites: names no suite. Name one, or leave `suites` out to hold all.")
    if isinstance(value, Mapping):
        return {str(name): _rules(rules, f"{fields.where}.suites.{name}") for name, rules in value.items()}
    return dict.fromkeys(fields.names("suites"), ())


def _rules(value: Any, where: str) -> tuple[Rule, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ConfigError(f"{where}: must be a list of rules, not {describe(value)}. Write - no_worse_than: {{}}.")
    rules = [_rule(item, f"{where}[{number}]") for number, item in enumerate(value)]
    keys = [_key(rule) for rule in rules]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise ConfigError(f"{where}[{number}]: {key[0]} is there twice. Remove one.")
    return tuple(rules)


def _rule(value: Any, where: str) -> Rule:
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ConfigError(f"{where}: must be one rule with its options, e.g. at_least: {{score: 0.8}}.")
    ((kind, options),) = value.items()
    if kind not in _KINDS:
        raise ConfigError(f"{where}: no rule '{kind}'.{did_you_mean(str(kind), _KINDS)}")
    limit_key, others, choices = _KINDS[kind]
    fields = Fields({} if options is None else options, f"{where}.{kind}", ConfigError)
    fields.only((limit_key, *others))
    number = int if kind == "no_flip" else float
    limit = (fields.get if kind in _OPTIONAL else fields.need)(limit_key, number)
    low, high = (0, 10**6) if kind == "no_flip" else _RANGES[limit_key]
    if limit is not None:
        in_range(fields, limit_key, limit, low, high)
    right = fields.get("right", float, 1.0)
    in_range(fields, "right", right, 0.001, 1)
    by = _one_of(fields, "by", choices) if choices else ""
    if by == "lower bound" and limit == 1:
        raise ConfigError(f"{fields.where}.score: no lower bound reaches 1. Lower it, or write by: mean.")
    return Rule(kind, limit, fields.get("scorer", str), by, fields.get("tag", str), right)


def _key(rule: Rule) -> tuple[str, str | None, str | None, str]:
    return rule.kind, rule.scorer, rule.tag, rule.by


def _one_of(fields: Fields, key: str, choices: Sequence[str]) -> Any:
    """One of a few words; the first is the default."""
    value = fields.get(key, str, choices[0])
    if value not in choices:
        raise ConfigError(f"{fields.where}.{key}: no choice '{value}'.{did_you_mean(value, choices)}")
    return value


def _quarantine(top: Fields) -> tuple[float, tuple[Quarantined, ...]]:
    if top.value.get("quarantine") is None:
        return 0.0, ()
    fields = Fields(top.value["quarantine"], f"{top.where}: quarantine", ConfigError)
    fields.only(("at_most", "samples"))
    share = fields.need("at_most", float)
    in_range(fields, "at_most", share, 0, 0.5)
    found: list[Quarantined] = []
    for number, value in enumerate(fields.get("samples", list, [])):
        entry = Fields(value, f"{fields.where}.samples[{number}]", ConfigError)
        entry.only(("suite", "sample", "until", "reason"))
        one = Quarantined(entry.need("suite", str), entry.need("sample", str), _day(entry), entry.need("reason", str))
        if (one.suite, one.sample) in [(other.suite, other.sample) for other in found]:
            raise ConfigError(f"{entry.where}: '{one.sample}' is there twice. Remove one.")
        found.append(one)
    return share, tuple(found)


def _day(fields: Fields) -> date:
    value = fields.value.get("until")
    if type(value) is date:  # a time of day, which YAML makes a subclass, is a mistake
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        given = "is missing" if value is None else f"must be a date, not {describe(value)}"
        raise ConfigError(f"{fields.where}.until: {given}. Write e.g. 2027-01-31.") from None
