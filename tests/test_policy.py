"""gate.yaml: what it may say, what each mistake is answered with, and quarantine."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from runs import make_run, right

from harness.errors import ConfigError
from harness.gate import GateResult, gate
from harness.policy import Policy, Quarantined, Rule, read_policy

WHOLE = """
baseline: baselines/lora.json
missing: not comparable
prompts: may differ
tiers:
  smoke: {suites: [sql], rules: [no_worse_than: {margin: 0.1}]}
  full:
    alpha: 0.1
    macro: {margin: 0.02}
    tolerate_small: true
    rules:
      - no_worse_than: {margin: 0.08}
      - tokens_ratio: {at_most: 1.5, by: p95}
    suites:
      sql:
        - no_worse_than: {margin: 0.04}
        - at_least: {score: 0.8}
      soap:
        - no_worse_than: {scorer: invented}
        - no_flip: {at_most: 2, tag: critical, right: 0.9}
quarantine:
  at_most: 0.1
  samples: [{suite: sql, sample: sql-0001, until: 2027-01-31, reason: two right answers}]
"""


def _write(folder: Path, text: str) -> Path:
    file = folder / "gate.yaml"
    file.write_text(text)
    return file


def test_a_tier_is_read_with_its_rules(tmp_path: Path) -> None:
    file = _write(tmp_path, WHOLE)
    full = read_policy(file, "full")
    assert (full.alpha, full.macro_margin, full.tolerate_small) == (0.1, 0.02, True)
    assert (full.missing, full.prompts, full.baseline) == (
        "not comparable", "may differ", str(tmp_path / "baselines/lora.json"),
    )  # fmt: skip
    tokens = Rule("tokens_ratio", 1.5, by="p95")
    assert full.on("sql") == (tokens, Rule("no_worse_than", 0.04), Rule("at_least", 0.8, by="lower bound"))
    assert full.on("soap") == (
        Rule("no_worse_than", 0.08),
        tokens,
        Rule("no_worse_than", None, "invented"),
        Rule("no_flip", 2, tag="critical", right=0.9),
    )
    assert full.quarantine == (Quarantined("sql", "sql-0001", date(2027, 1, 31), "two right answers"),)
    assert full.named == ("sql", "soap")
    smoke = read_policy(file, "smoke")
    assert (list(smoke.suites or ()), smoke.on("sql")) == (["sql"], (Rule("no_worse_than", 0.1),))


def test_the_only_tier_needs_no_name_and_missing_samples_fail_unless_said(tmp_path: Path) -> None:
    policy = read_policy(_write(tmp_path, "tiers: {full: }"))
    assert policy == Policy(missing="fail", path="gate.yaml", tier="full")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tiers: [", "not YAML"),
        ("", "must be a mapping"),
        ("missing: fail", "'tiers' is missing"),
        ("tiers: {}", "which tier? Name it with --tier: none is there"),
        ("tiers: {a: , b: }", "which tier? Name it with --tier: a, b"),
        ("{tiers: {a: }, basline: x}", "unknown key 'basline'. Did you mean 'baseline'?"),
        ("{tiers: {a: }, missing: pass}", "missing: no choice 'pass'. Known: fail, not comparable"),
        ("{tiers: {a: }, prompts: differ}", "prompts: no choice 'differ'. Did you mean 'may differ'?"),
        ("tiers: {a: {rule: []}}", "tiers.a: unknown key 'rule'. Did you mean 'rules'?"),
        ("tiers: {a: {suites: []}}", "tiers.a.suites: names no suite"),
        ("tiers: {a: {suites: 3}}", "must be text or a list of texts"),
        ("tiers: {a: []}", "tiers.a: must be a mapping"),
        ("tiers: {a: {rules: [no_new_failures: false]}}", "rules[0].no_new_failures: must be a mapping"),
        ("tiers: {a: {rules: [no_worse_than: 0]}}", "rules[0].no_worse_than: must be a mapping"),
        ("tiers: {a: {alpha: 0.5}}", "tiers.a.alpha: must be between 0.001 and 0.2"),
        ("tiers: {a: {macro: 0.03}}", "tiers.a.macro: must be a mapping"),
        ("tiers: {a: {rules: {at_least: {score: 1}}}}", "tiers.a.rules: must be a list of rules"),
        ("tiers: {a: {rules: [at_least]}}", "tiers.a.rules[0]: must be one rule with its options"),
        ("tiers: {a: {rules: [{no_worse: {}}]}}", "no rule 'no_worse'. Did you mean 'no_worse_than'?"),
        ("tiers: {a: {rules: [{no_worse_than: {margn: 0.1}}]}}", "unknown key 'margn'. Did you mean 'margin'?"),
        ("tiers: {a: {rules: [{no_worse_than: {margin: 5}}]}}", "margin: must be between 0.001 and 1, not 5"),
        ("tiers: {a: {rules: [{no_worse_than: {margin: 5e-2}}]}}", "YAML reads 5e-2 as text; write it as 0.05"),
        ("tiers: {a: {rules: [{at_least: {}}]}}", "'score' is missing"),
        ("tiers: {a: {rules: [{at_least: {score: 0.8, by: median}}]}}", "by: no choice 'median'"),
        ("tiers: {a: {rules: [{at_least: {score: 1}}]}}", "no lower bound reaches 1"),
        ("tiers: {a: {rules: [{better_than: {}}]}}", "'gain' is missing"),
        ("tiers: {a: {rules: [{no_flip: {at_most: 0.5}}]}}", "at_most: must be a whole number"),
        ("tiers: {a: {rules: [{cost_ratio: {at_most: 1, by: p95}}]}}", "unknown key 'by'"),
        ("tiers: {a: {rules: [{latency_ratio: {at_most: 0}}]}}", "at_most: must be between 0.01"),
        ("tiers: {a: {suites: {s: [{at_least: {score: 0.1}}, {at_least: {score: 0.2}}]}}}", "at_least is there twice"),
        ("{tiers: {a: }, quarantine: {samples: []}}", "quarantine: 'at_most' is missing"),
        (
            "{tiers: {a: }, quarantine: {at_most: 0.1, samples: [{suite: s, sample: x, reason: r}]}}",
            "until: is missing",
        ),
        (
            "{tiers: {a: }, quarantine: {at_most: 0.1, samples: [{suite: s, sample: x, reason: r, until: soon}]}}",
            "until: must be a date, not text 'soon'. Write e.g. 2027-01-31",
        ),
        (
            "{tiers: {a: }, quarantine: {at_most: 0.1, samples: [{suite: s, sample: x, until: 2027-01-31}]}}",
            "'reason' is missing",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_policy(_write(tmp_path, text))
    assert words in str(caught.value)
    assert "gate.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_tier_or_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no tier 'smok'. Did you mean 'smoke'"):
        read_policy(_write(tmp_path, WHOLE), "smok")
    with pytest.raises(ConfigError, match="no such file"):
        read_policy(tmp_path / "none.yaml")


# --- quarantine ------------------------------------------------------------------------------------------------------

TODAY = date(2026, 12, 1)


def _quarantined(*samples: str, until: date = TODAY, share: float = 0.02, cand: list[Any] | None = None) -> GateResult:
    base = right(200, 200)
    policy = Policy(
        quarantine=tuple(Quarantined("sql", sample, until, "disputed") for sample in samples), share=share,
        path="gate.yaml", tier="full", missing="fail",
    )  # fmt: skip
    old, new = make_run({"sql": {"lora": base}}, path="runs/old"), make_run({"sql": {"lora": cand or base}})
    return gate(old, "lora", new, "lora", policy, TODAY)


def test_a_quarantined_sample_is_left_out_of_every_score_and_listed() -> None:
    cand = [0.0, 0.0, *right(198, 198)]
    result = _quarantined("sql-0000", "h-sql-0001", cand=cand)  # by id, and by digest
    assert (result.status, result.rows[0].n, result.rows[0].losses) == ("PASS", 198, 0)
    assert result.quarantined == (
        "sql sql-0000, until 2026-12-01: disputed", "sql h-sql-0001, until 2026-12-01: disputed",
    )  # fmt: skip
    assert _quarantined("sql-0000", cand=cand).rows[0].losses == 1


def test_quarantine_ends_after_its_day_and_the_sample_counts_again() -> None:
    result = _quarantined("sql-0000", until=date(2026, 11, 30), cand=[0.0, *right(199, 199)])
    assert (result.quarantined, result.expired) == ((), ("sql sql-0000, until 2026-11-30: disputed",))
    assert (result.rows[0].n, result.rows[0].losses) == (200, 1)


def test_a_quarantined_sample_may_be_missing_but_no_other() -> None:
    gone = [None, *right(199, 199)]
    assert _quarantined("sql-0000", cand=gone).status == "PASS"
    assert _quarantined("sql-0001", cand=gone).status == "FAIL"
    assert _quarantined(cand=gone).status == "FAIL"


def test_a_quarantined_sample_may_be_missing_in_two_limited_runs() -> None:
    limited = {"n_test": 400, "n_asked": 200}
    old = make_run({"sql": {"lora": right(200, 200)}}, path="runs/old", suite=limited)
    policy = Policy(quarantine=(Quarantined("sql", "sql-0000", TODAY, "disputed"),), share=0.02, missing="fail")
    for cand, status in (([None, *right(199, 199)], "PASS"), ([None, None, *right(198, 198)], "FAIL")):
        new = make_run({"sql": {"lora": cand}}, suite=limited)
        assert gate(old, "lora", new, "lora", policy, TODAY).status == status


def test_more_than_the_stated_share_in_quarantine_is_a_mistake() -> None:
    assert _quarantined("sql-0000", "sql-0001", "sql-0002", "sql-0003").status == "PASS"
    with pytest.raises(ConfigError, match=r"5 of 200 samples of sql, at most 2.0 % are allowed"):
        _quarantined("sql-0000", "sql-0001", "sql-0002", "sql-0003", "sql-0004")


def test_a_quarantined_sample_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="suite sql has no sample 'sql-9999'"):
        _quarantined("sql-9999")


def test_a_sample_that_was_not_asked_yet_may_be_in_quarantine() -> None:
    entry = Quarantined("sql", "sql-0300", TODAY, "disputed")
    policy = Policy(quarantine=(entry,), share=0.02, path="gate.yaml")
    stopped = {"n_test": 400, "n_asked": 200, "looks": {"sizes": [200, 400], "used": 1, "seed": 0}}
    run = make_run({"sql": {"base": right(200, 200), "lora": right(200, 200)}}, suite=stopped)
    result = gate(run, "base", run, "lora", policy, TODAY)
    assert (result.status, result.quarantined, result.rows[0].n) == ("PASS", (), 200)
    whole = make_run({"sql": {"lora": right(400, 400)}})
    assert len(gate(whole, "lora", run, "lora", policy, TODAY).quarantined) == 1
    with pytest.raises(ConfigError, match="suite sql has no sample 'sql-9999'"):
        gate(whole, "lora", run, "lora", replace(policy, quarantine=(replace(entry, sample="sql-9999"),)), TODAY)


def test_a_quarantined_suite_nobody_knows_is_a_mistake() -> None:
    run = make_run({"sql": {"lora": right(200, 200)}})
    entry = Quarantined("sqll", "sql-0000", TODAY, "disputed")
    with pytest.raises(ConfigError, match=r"no suite 'sqll' in either run or in a tier\. Did you mean 'sql'"):
        gate(run, "lora", run, "lora", Policy(quarantine=(entry,), path="gate.yaml"), TODAY)
    elsewhere = Policy(quarantine=(replace(entry, suite="soap"),), path="gate.yaml", named=("sql", "soap"))
    assert gate(run, "lora", run, "lora", elsewhere, TODAY).quarantined == ()


def test_quarantine_does_not_hide_what_a_limited_run_did_not_ask() -> None:
    base = make_run({"sql": {"lora": right(200, 200)}}, path="runs/old")
    short = make_run({"sql": {"lora": right(20, 20)}}, suite={"n_test": 200, "n_asked": 20})
    policy = Policy(quarantine=(Quarantined("sql", "sql-0150", TODAY, "disputed"),), share=0.02, missing="fail")
    assert gate(base, "lora", short, "lora", policy, TODAY).sentence.startswith(
        "FAIL: sql: 179 of 199 samples are missing in runs/r:lora"
    )
    assert gate(short, "lora", base, "lora", replace(policy, missing="fail"), TODAY).status == "NOT COMPARABLE"
