"""The report without a browser: what is in it, that it cannot be broken into, that it is the same every time."""

from __future__ import annotations

import base64
import csv
import dataclasses
import errno
import hashlib
import html
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest
from made_up_run import ARMS, HOSTILE, TITLES, made_up_run

from harness import ledger
from harness.data import Completion, Row, Run, Score, ScoreRow, Verdict
from harness.errors import HarnessError
from harness.report import Paths, write_report
from harness.report.block import HELD, PACKS, left_out, shards, unpack
from harness.report.cases import anchor, cases
from harness.report.charts import Point, forest_row, quality_chart, span
from harness.report.headline import headline
from harness.report.history import histories, run_names
from harness.report.redact import without_text
from harness.report.sheets import cell, samples_csv
from harness.report.text import PREVIEW, markdown, percent, points, preview, visible
from harness.verdict import decide, picks


@pytest.fixture(scope="module")
def run() -> Run:
    return made_up_run(60)


@pytest.fixture(scope="module")
def written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return write_report([run], tmp_path_factory.mktemp("report") / "demo.html")


@pytest.fixture(scope="module")
def page(written: Paths) -> str:
    return written.html.read_text("utf-8")


def blocks(page: str) -> dict[str, str]:
    return dict(re.findall(r'<script type="application/gzip;base64" id="([a-z0-9-]+)">([^<]*)</script>', page))


def without_blocks(page: str) -> str:
    return re.sub(r'<script type="application/gzip[^>]*>[^<]*</script>', "", page)


# --- what is written -------------------------------------------------------------------------------------------------


def test_writes_page_markdown_verdict_and_two_csv_files_beside_each_other(written: Paths) -> None:
    folder = written.html.parent
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == ["demo.html", "demo.md", "demo/samples.csv", "demo/summary.csv", "demo/verdict.json"]


def test_same_run_gives_the_same_bytes(run: Run, written: Paths, tmp_path: Path) -> None:
    again = write_report([made_up_run(60)], tmp_path / "demo.html")
    for one, two in zip(dataclasses.astuple(written), dataclasses.astuple(again), strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_order_of_rows_in_the_run_does_not_matter(run: Run, page: str, tmp_path: Path) -> None:
    turned = dataclasses.replace(run, rows=run.rows[::-1], scores=run.scores[::-1])
    again = write_report([turned], tmp_path / "demo.html").html.read_text("utf-8")
    assert without_blocks(again) == without_blocks(page)
    before, after = blocks(page), blocks(again)
    assert unpack(after["index"]) == unpack(before["index"])
    assert {name: unpack(text) for name, text in after.items()} == {name: unpack(text) for name, text in before.items()}


def test_every_verdict_is_said_on_the_page_and_in_markdown(run: Run, page: str, written: Paths) -> None:
    shown = html.unescape(page).replace("\xa0", " ").replace("−", "-")
    plain = html.unescape(written.markdown.read_text("utf-8")).replace("\\", "").replace("−", "-")
    for verdict in decide(run):
        sentence = re.sub(r"^[\w+]+: (?:lora(?:\+rag)?: )?", "", verdict.sentence)[1:]
        assert sentence in shown
        assert sentence in plain


def test_headline_is_the_first_heading_of_the_first_section(run: Run, page: str) -> None:
    assert f'<h2 id="headline">{html.escape(headline(decide(run), picks(run)))}</h2>' in page
    assert page.index('id="headline"') < page.index('id="ladder"') < page.index('id="samples"')


def test_every_sample_and_answer_is_in_the_data_blocks(run: Run, page: str) -> None:
    found = blocks(page)
    index = unpack(found["index"])
    assert index["ids"] == [case.sample for case in cases(run)]
    assert index["anchors"] == {}
    assert [(suite["name"], suite["start"]) for suite in index["suites"]] == [
        ("sql", 0),
        ("handbook", 60),
        ("forgetting", 120),
    ]
    assert index["arms"] == list(ARMS)
    packed = [unpack(block) for name, block in found.items() if name != "index"]
    assert sum(len(shard["cases"]) for shard in packed) == len(index["ids"]) == 180
    assert all(len(case["a"]) == len(ARMS) for shard in packed for case in shard["cases"])
    texts = {text for shard in packed for text in shard["texts"]}
    assert {visible(row.completion.text) for row in run.rows} <= texts
    assert {visible(turn["content"]) for row in run.rows for turn in row.messages} <= texts


def test_scores_in_the_index_are_the_scores_of_the_run(run: Run, page: str) -> None:
    index = unpack(blocks(page)["index"])
    places = {sample: place for place, sample in enumerate(index["ids"])}
    for score in run.scores:
        if score.primary:
            assert index["values"][index["arms"].index(score.arm)][places[score.sample]] == score.score.value


def test_without_javascript_the_largest_losses_come_first_and_forty_cards_at_most(page: str) -> None:
    headings = re.findall(r"<h3>([^<]*(?:worse|better)[^<]*)</h3>", page)
    assert len(headings) >= 3
    assert 6 <= page.count('<article class="sample"') <= 40


def test_many_suites_still_show_forty_cards_at_most(tmp_path: Path) -> None:
    run = made_up_run(30, suites=("sql",))
    about = run.manifest["suites"]["sql"]
    names = [f"suite-{number}" for number in range(25)]
    many = dataclasses.replace(
        run,
        manifest={**run.manifest, "suites": dict.fromkeys(names, about)},
        rows=tuple(dataclasses.replace(row, suite=name) for name in names for row in run.rows),
        scores=tuple(dataclasses.replace(score, suite=name) for name in names for score in run.scores),
    )
    page = write_report([many], tmp_path / "many.html").html.read_text("utf-8")
    assert 1 <= page.count('<article class="sample"') <= 40


def test_shell_without_samples_stays_small(page: str) -> None:
    assert len(without_blocks(page).encode()) < 200_000


def test_long_answers_are_cut_with_a_note() -> None:
    shown = preview("x" * (PREVIEW + 1234))
    assert len(shown) < PREVIEW + 200
    assert "1,234 more characters" in shown


def answering(run: Run, completion: Completion) -> Run:
    """The run with one more answer to its first question instead of the one that is there."""
    return dataclasses.replace(run, rows=(dataclasses.replace(run.rows[0], completion=completion), *run.rows[1:]))


def test_texts_are_held_to_a_limit_and_the_page_knows_how_much_is_left(run: Run) -> None:
    long = answering(run, Completion("x" * (HELD + 1234)))
    shard = unpack(next(shards(cases(long), list(ARMS))))
    (place,) = shard["left"]
    assert shard["left"][place] == 1234
    assert shard["texts"][int(place)] == "x" * HELD


def test_texts_that_pack_well_are_budgeted_by_what_a_browser_has_to_hold(run: Run) -> None:
    rows = tuple(dataclasses.replace(row, completion=Completion("long " * 10_000)) for row in run.rows)
    every = cases(dataclasses.replace(run, rows=rows))
    budget = 1_000_000
    kept = len(every) - len(left_out(every, list(ARMS), {}, budget))
    assert 0 < kept * len(ARMS) * 50_000 <= budget * PACKS


def test_thinking_stands_beside_the_answer_and_in_no_table(run: Run, tmp_path: Path) -> None:
    thought = "Zoltan's <b>thought</b>"
    every = (dataclasses.replace(row.completion, reasoning=thought, reasoning_tokens=7) for row in run.rows)
    rows = tuple(dataclasses.replace(row, completion=said) for row, said in zip(run.rows, every, strict=True))
    thinking = dataclasses.replace(run, rows=rows)
    paths = write_report([thinking], tmp_path / "demo.html")
    page = paths.html.read_text("utf-8")
    shard = unpack(blocks(page)["shard-0"])
    place, tokens = shard["cases"][0]["a"][0][11]
    assert (shard["texts"][place], tokens) == (thought, 7)
    folded = '<details><summary>Thinking, not scored</summary><pre class="said">Zoltan&#39;s &lt;b&gt;thought'
    assert folded in without_blocks(page)
    bare = write_report([thinking], tmp_path / "bare.html", text=False)
    for path in (*dataclasses.astuple(bare), paths.markdown, paths.verdict, paths.samples, paths.summary):
        assert "Zoltan" not in path.read_text("utf-8")
    assert "Zoltan" not in json.dumps([unpack(block) for block in blocks(bare.html.read_text("utf-8")).values()])


def test_trust_strip_names_passages_never_seen_and_suites_without_a_corpus(page: str) -> None:
    assert "lora+rag gets passages, but its adapter staff was trained without any." in page
    assert "sql and forgetting have nothing to retrieve from" in page
    assert "Every arm answered the same samples" in page


def test_a_ceiling_is_shown_and_called_one(run: Run, tmp_path: Path) -> None:
    arms = {**run.manifest["arms"], "rag": {**run.manifest["arms"]["rag"], "retrieve": "gold"}}
    ceiling = dataclasses.replace(run, manifest={**run.manifest, "arms": arms})
    written = write_report([ceiling], tmp_path / "ceiling.html")
    page = written.html.read_text("utf-8")
    assert "rag is shown the passages that hold the answer: a ceiling for better retrieval, not a candidate." in page
    assert "system prompt, gold passages (a ceiling)" in page
    assert "rag" not in {verdict.reference for verdict in decide(ceiling)} | {v.candidate for v in decide(ceiling)}


def test_training_card_shows_recipe_and_loss(page: str) -> None:
    card = page[page.index('id="training"') : page.index('id="samples"')]
    for text in ("learning rate", "0.0002", "6.9 min", "before 3.1, after 0.35", "training loss, loss 2.97 at step 1"):
        assert text in card


def test_missing_answers_are_said(run: Run, tmp_path: Path) -> None:
    short = dataclasses.replace(run, rows=run.rows[:-3])
    page = write_report([short], tmp_path / "short.html").html.read_text("utf-8")
    assert "Answers are missing or unscored" in page


def test_run_of_one_arm_and_one_suite_makes_a_report(tmp_path: Path) -> None:
    run = made_up_run(20, suites=("sql",))
    manifest = {
        **run.manifest,
        "arms": {"base": run.manifest["arms"]["base"]},
        "adapters": {},
        "costs": {},
        "seconds": {},
    }
    alone = dataclasses.replace(
        run,
        manifest=manifest,
        rows=tuple(row for row in run.rows if row.arm == "base"),
        scores=tuple(score for score in run.scores if score.arm == "base"),
    )
    page = write_report([alone], tmp_path / "alone.html").html.read_text("utf-8")
    assert "only one arm" in page


def test_manifest_with_the_least_makes_a_report(tmp_path: Path) -> None:
    run = made_up_run(20, suites=("sql",))
    about = {"scorers": [{"name": "exact", "scorer": "exact", "primary": True}]}
    manifest = {"format": 1, "arms": run.manifest["arms"], "suites": {"sql": about}}
    page = write_report([dataclasses.replace(run, manifest=manifest)], tmp_path / "bare.html").html.read_text("utf-8")
    assert "not recorded" in page


def test_ladder_has_every_arm_of_every_suite_that_decides_with_all_its_columns(run: Run, page: str) -> None:
    table = page[page.index('id="ladder"') : page.index('id="charts"')]
    plain = html.unescape(re.sub(r"<[^>]+>", " ", table))
    assert table.count('<tr class="group">') == 2
    assert table.count('scope="row"') == 2 * len(ARMS)
    heads = ("Score", "Difference", "Wins / losses", "General ability", "Cost", "p95", "Build")
    assert all(f'<th scope="col">{name}' in table for name in heads)
    assert "limit −5" in plain
    assert plain.count("6.9 min") == 4
    assert "best not fine-tuned" in plain


def test_many_suites_are_one_table_instead_of_a_ladder_each(tmp_path: Path) -> None:
    run = made_up_run(10, suites=("sql",))
    names = [f"suite-{number}" for number in range(4)]
    many = dataclasses.replace(
        run,
        manifest={**run.manifest, "suites": dict.fromkeys(names, run.manifest["suites"]["sql"])},
        rows=tuple(dataclasses.replace(row, suite=name) for name in names for row in run.rows),
        scores=tuple(dataclasses.replace(score, suite=name) for name in names for score in run.scores),
    )
    page = write_report([many], tmp_path / "many.html").html.read_text("utf-8")
    assert 'id="glance"' in page
    assert 'id="ladder"' not in page


def test_worst_regressions_and_best_wins_lead_to_cards_that_are_on_the_page(page: str) -> None:
    listed = page[page.index('id="changed"') : page.index('class="reproduce"')]
    anchors = re.findall(r'<li><a href="#([^"]+)"', listed)
    assert len(anchors) == 10
    assert all(f'<article class="sample" id="{name}"' in page for name in anchors)


def test_command_that_made_the_run_is_on_the_page(run: Run, page: str) -> None:
    assert html.escape(run.manifest["command"]) in page
    assert "adapter staff a1a1a1a1a1a1" in page


# --- what must not happen --------------------------------------------------------------------------------------------


def test_policy_comes_first_in_head_and_its_hashes_match(page: str) -> None:
    assert re.search(r'<head>\s*<meta http-equiv="Content-Security-Policy"', page)
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1))  # type: ignore[union-attr]
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)  # type: ignore[union-attr]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    for kind, code in (("script-src", scripts[0]), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    for part in (
        "default-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "trusted-types 'none'",
        "img-src data:",
    ):
        assert part in policy
    assert "unsafe" not in policy


def test_no_inline_style_handler_form_or_outside_address(page: str) -> None:
    tags = re.findall(r"<[a-zA-Z][^>]*>", re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL))
    for tag in tags:
        assert not re.search(r"\s(style|on[a-z]+|src|action|srcdoc)\s*=", tag)
        assert not tag.startswith(("<form", "<iframe", "<object", "<embed", "<base", "<img"))
        for address in re.findall(r'\shref="([^"]*)"', tag):
            assert address.startswith("#") or address == "data:,"


def test_sources_of_the_script_use_no_html_sink() -> None:
    sources = sorted((Path(__file__).parents[1] / "harness" / "report" / "app" / "src").glob("*.ts*"))
    sinks = r"[iI]nnerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|fetch\(|XMLHttp|Contextual"
    assert len(sources) >= 9
    for source in sources:
        assert not re.search(sinks, source.read_text("utf-8")), source.name


def test_hostile_answers_are_text_wherever_they_appear(page: str) -> None:
    shell = without_blocks(page)
    for payload in HOSTILE[:6]:
        assert payload not in shell
    assert "<img src=x" not in shell
    assert "<svg onload" not in shell


def test_hostile_names_are_text(tmp_path: Path) -> None:
    run = made_up_run(30, suites=("sql",))
    evil = "<img src=x onerror=alert(1)>\"'|`\x1b"

    def named(name: str) -> str:
        return evil if name == "lora" else name

    arms = {named(name): arm for name, arm in run.manifest["arms"].items()}
    suite = {**run.manifest["suites"]["sql"], "title": evil, "question": evil}
    hostile = dataclasses.replace(
        run,
        manifest={**run.manifest, "arms": arms, "suites": {evil: suite}, "git": evil, "seconds": {}},
        rows=tuple(dataclasses.replace(r, arm=named(r.arm), suite=evil, sample=evil + r.sample) for r in run.rows),
        scores=tuple(dataclasses.replace(s, arm=named(s.arm), suite=evil, sample=evil + s.sample) for s in run.scores),
    )
    paths = write_report([hostile], tmp_path / "evil.html", title=evil)
    for text in (paths.html.read_text("utf-8"), paths.markdown.read_text("utf-8")):
        assert "<img" not in text
        assert "\x1b" not in text


def test_markdown_and_verdict_hold_no_answer(written: Paths) -> None:
    for path in (written.markdown, written.verdict, written.summary):
        text = path.read_text("utf-8")
        assert "SELECT" not in text
        assert "harm:" not in text


def test_every_unseen_character_is_drawn() -> None:
    for code in range(0x110000):
        letter = chr(code)
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in "\t\n":
            assert visible(f"a{letter}b") != f"a{letter}b", f"U+{code:04X}"
    assert visible("a\ufe01\ufe0f\ufe0fb") == "a⟨U+FE01⟩⟨U+FE0F⟩⟨U+FE0F⟩b"
    ordinary = "Grüße, 你好, नमस्ते, naïve – 5 % 🙂 \u2764\ufe0f\n\tend"
    assert visible(ordinary) == ordinary


@pytest.mark.parametrize(
    "value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "  =1", "＝1", "\u200b=1", "\u3000=1", "\xa0+1", "﹦1"]
)
def test_no_cell_starts_a_formula(value: str) -> None:
    assert cell(value).startswith("'") or cell(value).startswith("⟨")


def test_a_line_of_samples_csv_is_what_the_csv_module_writes_of_its_cells() -> None:
    tables = [("a", ["plain", "with, comma", 'with "quotes"', "two\nlines"]), ("b", ["", "=1+1", "\x1b[31m", "ümlaut"])]
    for digest, texts in tables:
        rows = [Row("s", str(i), "1", digest, "k", (), Completion(text), "t") for i, text in enumerate(texts)]
        scores = [ScoreRow("s", row.arm, "1", "exact", True, Score(0.125)) for row in rows]
        manifest = {"suites": {"s": {}}, "arms": {row.arm: {} for row in rows}}
        (case,) = cases(Run("r", manifest, tuple(rows), tuple(scores)))
        made = samples_csv([case], [*case.answers, "unseen"])
        expected = io.StringIO()
        line = [cell(value) for text in texts for value in (0.125, text)]
        csv.writer(expected, lineterminator="\n").writerow(["s", "1", digest, "", "t", *line, "", ""])
        assert made.split("\n", 1)[1] == expected.getvalue()


def test_samples_csv_reads_back_with_every_sample_and_no_formula(run: Run, written: Paths) -> None:
    with written.samples.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 180
    assert len({line["digest"] for line in lines}) == 180
    assert sum(float(line["lora: score"]) for line in lines if line["suite"] == "sql") == sum(
        s.score.value for s in run.scores if s.primary and s.suite == "sql" and s.arm == "lora"
    )
    assert not any(value.startswith(("=", "+", "-", "@")) for line in lines for value in line.values())


def test_summary_csv_has_a_line_per_suite_and_arm(written: Paths) -> None:
    with written.summary.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == len(TITLES) * len(ARMS)
    for line in lines:
        assert 0 <= float(line["score_low"]) <= float(line["score"]) <= float(line["score_high"]) <= 1
        if line["difference"]:
            assert float(line["difference_low"]) <= float(line["difference"]) <= float(line["difference_high"])


def test_verdict_file_is_json_with_the_decisions(written: Paths) -> None:
    verdict = json.loads(written.verdict.read_text("utf-8"))
    assert {entry["suite"] for entry in verdict["verdicts"]} == {*TITLES, "overall"}


def test_markdown_text_has_no_markup_left() -> None:
    assert markdown("a|b <i>*x*</i> [y](z) @you `c`") == (
        r"a\|b &lt;i&gt;\*x\*&lt;/i&gt; \[y\](z) &#64;<!-- -->you \`c\`"
    )


# --- without texts, within a budget, over several runs ----------------------------------------------------------------


def test_report_without_texts_holds_no_word_of_them_in_any_file(run: Run, tmp_path: Path) -> None:
    arms = {**run.manifest["arms"], "prompted": {**run.manifest["arms"]["prompted"], "system": "Secret prompt"}}
    secret = dataclasses.replace(
        run,
        manifest={**run.manifest, "arms": arms},
        rows=tuple(
            dataclasses.replace(
                row,
                sample=f"patient {row.sample}",
                target=f"target of {row.sample}",
                metadata={**row.metadata, "patient": "Zoltan"},
            )
            for row in run.rows
        ),
        scores=tuple(dataclasses.replace(score, sample=f"patient {score.sample}") for score in run.scores),
    )
    paths = write_report([secret], tmp_path / "bare.html", text=False)
    page = paths.html.read_text("utf-8")
    whole = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    whole += "".join(json.dumps(unpack(block)) for block in blocks(page).values())
    whole += "".join(path.read_text("utf-8") for path in (paths.markdown, paths.verdict, paths.samples, paths.summary))
    for word in (
        "SELECT",
        "harm:",
        "How many",
        "patient",
        "Zoltan",
        "target of",
        "expected",
        "Secret",
        "leave-1",
        "annual leave",
    ):
        assert word not in whole, word
    assert set(blocks(page)) == {"index"}
    assert "This report was made without texts" in page


def test_report_without_texts_says_the_same_numbers(run: Run, written: Paths, tmp_path: Path) -> None:
    bare = write_report([run], tmp_path / "demo.html", text=False)
    assert bare.summary.read_bytes() == written.summary.read_bytes()
    one, two = (json.loads(paths.verdict.read_text("utf-8")) for paths in (bare, written))
    assert one == two


def test_report_without_texts_keeps_corpus_scores_and_earlier_runs(run: Run, tmp_path: Path) -> None:
    """Both rest on texts that are gone: the answers, and a system prompt that stands in models.yaml."""
    card = {**run.manifest["suites"]["sql"], "corpus_scores": ["bleu", "chrf"]}
    arms = {**run.manifest["arms"], "prompted": {**run.manifest["arms"]["prompted"], "system": "Be brief."}}
    manifest = {**run.manifest, "suites": {**run.manifest["suites"], "sql": card}, "arms": arms}
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made = {**manifest, "created": f"2026-06-0{len(name)}T12:00:0{len(runs)}Z"}
        runs.append(dataclasses.replace(run, path=str(tmp_path / name), manifest=made))
        ledger.enter(runs[-1])
    full, bare = (
        write_report([runs[1]], tmp_path / "r.html", text=text).verdict.read_bytes() for text in (True, False)
    )
    assert bare == full
    value = json.loads(bare)
    assert {one["metric"] for one in value["corpus_scores"] if one["suite"] == "sql" and one["score"] > 0.1} == {
        "bleu", "chrf",
    }  # fmt: skip
    assert "prompted" in {one["arm"] for one in value["met_before"]}


def test_samples_of_one_content_keep_names_of_their_own_without_texts() -> None:
    run = made_up_run(4, suites=("sql",))
    same = dataclasses.replace(run, rows=tuple(dataclasses.replace(row, sample_digest="d" * 16) for row in run.rows))
    bare = without_text(same)
    assert len({row.sample for row in bare.rows}) == 4
    assert len(bare.scores) == len(run.scores)


def test_everything_is_kept_while_it_fits_and_the_budget_is_held_beyond(run: Run) -> None:
    every, arms = cases(run), list(ARMS)
    assert left_out(every, arms, {}, 10_000_000) == frozenset()
    pairs = {"sql": ("prompted", "lora"), "handbook": ("rag", "lora"), "forgetting": ("base", "lora")}
    whole = sum(map(len, shards(every, arms)))
    out = left_out(every, arms, pairs, whole // 2)
    assert 0 < len(out) < len(every)
    assert sum(map(len, shards(every, arms, out))) < 0.75 * whole
    changed = {place for place, case in enumerate(every) if case.change(*pairs[case.suite])}
    assert changed
    kept = len(changed - out) / len(changed)
    assert kept == 1 or len(out) >= len(every) - len(changed)


def test_no_text_is_kept_in_a_budget_of_nothing(run: Run, tmp_path: Path) -> None:
    page = write_report([run], tmp_path / "none.html", budget=0).html.read_text("utf-8")
    assert "Texts of 0 of 180 samples are in this file" in page
    assert all(
        case is None for name, block in blocks(page).items() if name != "index" for case in unpack(block)["cases"]
    )


def older(run: Run) -> Run:
    """The run of a month before, in which lora was worse: the answers of base under its name."""
    names = {"base": "lora", "lora": "base"}
    return dataclasses.replace(
        run,
        path="runs/older",
        manifest={**run.manifest, "created": "2026-05-01T12:00:00Z"},
        rows=tuple(dataclasses.replace(row, arm=names.get(row.arm, row.arm)) for row in run.rows),
        scores=tuple(dataclasses.replace(score, arm=names.get(score.arm, score.arm)) for score in run.scores),
    )


def test_newest_of_several_runs_decides_whatever_their_order(run: Run, tmp_path: Path) -> None:
    one = write_report([run, older(run)], tmp_path / "a" / "two.html")
    two = write_report([older(run), run], tmp_path / "b" / "two.html")
    for left, right in zip(dataclasses.astuple(one), dataclasses.astuple(two), strict=True):
        assert left.read_bytes() == right.read_bytes()
    alone = write_report([run], tmp_path / "c" / "two.html")
    assert one.verdict.read_bytes() == alone.verdict.read_bytes()


def test_history_compares_an_arm_with_itself_in_the_run_before(run: Run) -> None:
    history = {suite.title: suite for suite in histories([older(run), run])}
    points = {(point.arm, point.run): point for point in history[TITLES["sql"][0]].points}
    was, now = points["lora", "older"], points["lora", "made-up"]
    assert was.difference is None
    assert now.difference == pytest.approx(now.mean - was.mean)
    assert now.side == "gain"
    assert points["prompted", "made-up"].difference == 0


def test_history_says_why_two_runs_cannot_be_compared(run: Run) -> None:
    about = {**run.manifest["suites"], "sql": {**run.manifest["suites"]["sql"], "version": 2}}
    newer = dataclasses.replace(run, manifest={**run.manifest, "suites": about})
    (sql, *_) = histories([older(run), newer])
    last = [point for point in sql.points if point.run == "made-up"]
    assert all(point.difference is None and "suite version 1 and 2" in point.note for point in last)


def test_markdown_has_the_history_as_tables(run: Run, tmp_path: Path) -> None:
    text = write_report([older(run), run], tmp_path / "two.html").markdown.read_text("utf-8")
    history = text[text.index("## History: 2 runs, the newest decides") :]
    lines = [line for line in history.splitlines() if line.startswith("| lora |")]
    (sql, *_) = histories([older(run), run])
    was, now = (point for point in sql.points if point.arm == "lora")
    shown = f"| lora | {percent(was.mean)} | {percent(now.mean)} (▲ {points(now.difference or 0)}) |"
    assert lines[0] == shown
    assert len(lines) == 3
    assert "## History" not in write_report([run], tmp_path / "one.html").markdown.read_text("utf-8")


def test_markdown_history_is_short_and_says_why_runs_cannot_be_compared(run: Run, tmp_path: Path) -> None:
    suites = run.manifest["suites"]
    runs = [
        dataclasses.replace(
            run,
            path=f"runs/r{month}",
            manifest={
                **run.manifest,
                "created": f"2026-0{month}-01",
                "suites": {**suites, "sql": {**suites["sql"], "version": month}},
            },
        )
        for month in range(1, 8)
    ]
    text = write_report(runs, tmp_path / "many.html").markdown.read_text("utf-8")
    assert "Scores of the newest 5 runs" in text
    table = text[text.index("Scores of the newest") : text.index("## Method")]
    assert "| r3 | r4 | r5 | r6 | r7 |" in table
    assert table.count("(not comparable)") == 5 * len(ARMS)
    assert "suite version 2 and 3" in table
    assert "- 2 more such remarks stand in the HTML file." in table


def test_answers_of_an_older_run_stand_beside_those_of_the_same_samples(run: Run, tmp_path: Path) -> None:
    page = write_report([run, older(run)], tmp_path / "two.html").html.read_text("utf-8")
    index = unpack(blocks(page)["index"])
    assert index["arms"] == [*ARMS, *(f"{arm} · older" for arm in ARMS)]
    now, was = (index["values"][index["arms"].index(name)] for name in ("base", "lora · older"))
    assert now == was


def test_runs_of_one_name_are_told_apart(run: Run) -> None:
    assert run_names([run, run, older(run)]) == ["made-up", "made-up (2)", "older"]


# --- mistakes --------------------------------------------------------------------------------------------------------


def test_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no run given"):
        write_report([], tmp_path / "none.html")


def test_name_that_is_not_html_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"Name it report\.md\.html"):
        write_report([run], tmp_path / "report.md")


def test_run_without_answers_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no scored answers"):
        write_report([dataclasses.replace(run, rows=(), scores=())], tmp_path / "empty.html")


def test_folder_in_the_way_is_one_line_and_leaves_nothing_behind(run: Run, tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(HarnessError) as caught:
        write_report([run], tmp_path / "report.html")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob(".*"))


def test_file_where_the_folder_should_be_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("in the way")
    with pytest.raises(HarnessError) as caught:
        write_report([run], tmp_path / "report.html")
    assert "\n" not in str(caught.value)


def test_full_disk_is_one_line_and_leaves_nothing_behind(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HarnessError, match="No space left on device") as caught:
        write_report([run], tmp_path / "full.html")
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# --- small parts -----------------------------------------------------------------------------------------------------


def test_anchor_is_plain_where_names_are_and_a_hash_otherwise() -> None:
    assert anchor("sql", "sql-0001") == "sql/sql-0001"
    assert re.fullmatch(r"s-[0-9a-f]{12}", anchor("sql", 'a" onclick="x'))
    assert anchor("a", "b c") != anchor("a", "b  c")


def test_question_of_a_case_is_the_one_without_passages(run: Run) -> None:
    for case in cases(run):
        assert "passages" not in case.question


def verdict(suite: str, decision: str, candidate: str, reference: str = "prompted") -> Verdict:
    return Verdict(suite, decision, candidate, reference, "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "ends", "sentence"),
    [
        ([verdict("sql", "adopt", "lora")], {"sql": "lora"}, "Use lora for sql."),
        ([verdict("sql", "adopt", "lora")], {"sql": "bigger"}, "Use bigger for sql."),
        ([verdict("sql", "do not adopt", "lora")], {"sql": "prompted"}, "Keep prompted for sql."),
        ([verdict("sql", "do not adopt", "lora")], {"sql": "base"}, "Keep base for sql."),
        (
            [verdict("sql", "not decided", "lora")],
            {"sql": "prompted"},
            "Keep prompted for sql. lora is not decided for sql.",
        ),
        (
            [verdict("sql", "adopt", "lora"), verdict("handbook", "do not adopt", "lora", "rag")],
            {"sql": "lora", "handbook": "rag"},
            "Use lora for sql, keep rag for handbook.",
        ),
        (
            [verdict("sql", "adopt", "lora"), verdict("forgetting", "do not adopt", "lora", "base")],
            {"sql": "lora"},
            "Use lora for sql. lora is not for general use: general ability was lost.",
        ),
        ([verdict("sql", "adopt", "a"), verdict("sql", "adopt", "b")], {"sql": "b"}, "Use b for sql."),
        ([verdict("sql", "not decided", "base", "")], {"sql": "base"}, "There is nothing to decide yet."),
        (
            [verdict("sql", "adopt", "lora"), verdict("soap", "not comparable", "lora", "")],
            {"sql": "lora"},
            "Use lora for sql. Nothing was answered on soap.",
        ),
        ([], {}, "There is nothing to decide yet."),
    ],
)
def test_headline_names_where_the_ladder_ends(verdicts: list[Verdict], ends: dict[str, str], sentence: str) -> None:
    assert headline(verdicts, ends) == sentence


def test_forest_axis_holds_zero_and_every_interval() -> None:
    low, high = span([-0.4, 0.02])
    assert low <= -0.4
    assert high >= 0.02
    assert span([]) == (-0.05, 0.05)
    assert span([float("nan"), 0.1])[1] >= 0.1


def test_charts_say_in_words_what_they_show() -> None:
    chart = quality_chart(
        "Suite <b>", "tokens", [Point("a<i>", 10, 0.5, 0.4, 0.6, True), Point("b", 0, 0, 0, 0.1, False)]
    )
    assert "<title>Suite &lt;b&gt;: score and tokens per request</title>" in chart
    assert "a&lt;i&gt;: 50.0 % at 10" in chart
    assert "difference +6.2 points, interval +2.3 to +10.2" in forest_row(0.062, 0.023, 0.102, (-0.05, 0.15), True)


def test_errors_of_the_engine_do_not_break_the_page(run: Run, tmp_path: Path) -> None:
    broken = tuple(
        dataclasses.replace(row, completion=Completion("", finish_reason="error")) if row.arm == "rag" else row
        for row in run.rows
    )
    write_report([dataclasses.replace(run, rows=broken)], tmp_path / "errors.html")
