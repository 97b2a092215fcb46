"""A run without any text that a patient, a customer or a model wrote: scores, counts and hashes only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.compare import tabulate
from harness.corpus_scores import counts
from harness.data import Completion, Row, Run, Score
from harness.ledger import candidate


def without_text(run: Run) -> Run:
    """The run with prompts, answers, targets, explanations, passages and metadata gone, and sample ids as hashes.

    Every number that a report is made of stays as it is: metadata keeps the probe of a sample and a hash of its
    cluster, and counts of n-grams stand for the answers where a suite has scores of all of them together. System
    prompts in models.yaml go, too. What is not covered: names and titles of suites, arms, probes and adapters, which
    the user chose; and what short answers a score of few samples gives away.
    """
    ids = _ids(run)
    clusters = {suite: about.get("cluster") for suite, about in run.manifest.get("suites", {}).items()}
    return Run(
        run.path,
        _manifest(run, ids),
        tuple(_row(row, ids, clusters.get(row.suite)) for row in run.rows),
        tuple(
            replace(score, sample=ids[score.suite, score.sample], score=Score(score.score.value))
            for score in run.scores
            if (score.suite, score.sample) in ids
        ),
    )


def _ids(run: Run) -> dict[tuple[str, str], str]:
    """(suite, sample id) -> its content hash; where two samples share one, the later ones are numbered."""
    ids: dict[tuple[str, str], str] = {}
    taken: dict[tuple[str, str], int] = {}
    for suite, sample, digest in sorted({(row.suite, row.sample, row.sample_digest) for row in run.rows}):
        if (suite, sample) not in ids:
            again = taken[suite, digest] = taken.get((suite, digest), 0) + 1
            ids[suite, sample] = digest if again == 1 else f"{digest}-{again}"
    return ids


def _row(row: Row, ids: Mapping[tuple[str, str], str], cluster: str | None) -> Row:
    kept = {"probe": row.metadata["probe"]} if "probe" in row.metadata else {}
    if cluster and row.metadata.get(cluster) is not None:
        kept[cluster] = hashlib.sha256(str(row.metadata[cluster]).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    said = row.completion
    counts = Completion("", said.prompt_tokens, said.completion_tokens, said.finish_reason, said.seconds)
    sample = ids[row.suite, row.sample]
    return replace(row, sample=sample, messages=(), completion=counts, target="", metadata=kept, passages=())


def _manifest(run: Run, ids: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    manifest, table, adapters = run.manifest, tabulate(run), {}
    for name, about in manifest.get("adapters", {}).items():
        looked = about.get("contamination") or {}
        flagged = {
            suite: {ids[suite, sample]: kind for sample, kind in found.items() if (suite, sample) in ids}
            for suite, found in (looked.get("flagged") or {}).items()
        }
        adapters[name] = {**about, "contamination": {**looked, "flagged": flagged}} if looked else about
    dev = {
        suite: {
            **about,
            "arms": {
                arm: {**card, "tries": [_dials(one) for one in card.get("tries", ())]}
                for arm, card in about.get("arms", {}).items()
            },
        }
        for suite, about in manifest.get("dev", {}).items()
    }
    arms = {name: _dials(arm) for name, arm in manifest.get("arms", {}).items()}
    suites = {
        suite: {**about, "corpus_counts": {metric: counts(table, suite, metric) for metric in about["corpus_scores"]}}
        if about.get("corpus_scores")
        else about
        for suite, about in manifest.get("suites", {}).items()
    }
    candidates = {name: candidate(manifest, name) for name in manifest.get("arms", {})}
    return {**manifest, "adapters": adapters, "dev": dev, "arms": arms, "suites": suites, "candidates": candidates}


def _dials(arm: Mapping[str, Any]) -> dict[str, Any]:
    """An arm with the texts of its system prompts as hashes, so that two of them stay two."""
    system = arm.get("system")
    hidden = [_hashed(one) for one in system] if isinstance(system, list | tuple) else _hashed(system)
    return {**arm, "system": hidden} if "system" in arm else dict(arm)


def _hashed(system: Any) -> Any:
    return f"prompt {hashlib.sha256(system.encode()).hexdigest()[:8]}" if isinstance(system, str) else system
