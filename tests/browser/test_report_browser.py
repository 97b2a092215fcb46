"""The report in a real browser, opened from disk as a person would open it."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hostile import HOSTILE
from made_up_run import made_up_run
from playwright.sync_api import Browser, Locator, Page, expect

from harness.data import Completion, Row, Run, Score, ScoreRow
from harness.report import Paths, write_report
from harness.report.text import PREVIEW, visible

SAMPLES = 200
TOTAL = 3 * SAMPLES
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


class Opened:
    """A page, and everything that it did besides being looked at."""

    def __init__(self, page: Page, address: str, ready: bool = True) -> None:
        self.page = page
        self.noise: list[str] = []
        page.on("console", lambda message: self.noise.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.noise.append(f"error: {error}"))
        page.on("request", lambda request: self.noise.append(f"request: {request.url}"))
        page.on("dialog", lambda dialog: (self.noise.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("download", lambda download: self.noise.append(f"download: {download.url}"))
        page.goto(address)
        if ready:
            expect(page.locator("html[data-ready=yes]")).to_have_count(1)

    def unexpected(self) -> list[str]:
        return [entry for entry in self.noise if not entry.startswith(("request: file:///", "request: data:,"))]


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return write_report([made_up_run(SAMPLES)], tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture
def opened(browser: Browser, report: Paths) -> Iterator[Opened]:
    context = browser.new_context(viewport=DESK)
    yield Opened(context.new_page(), report.html.as_uri() + "#samples")
    context.close()


def hostile_run() -> Run:
    """A run in which every text of HOSTILE is a question, an answer, a target, an explanation, and part of names."""
    run = made_up_run(len(HOSTILE), suites=("sql",))
    texts = sorted_by_sample(HOSTILE)
    rows, scores = [], []
    for number, text in enumerate(texts):
        name, digest = f"{number:03d}", hashlib.sha256(str(number).encode()).hexdigest()[:16]
        for arm in run.manifest["arms"]:
            messages = ({"role": "user", "content": text},)
            said = Completion(text, 10, 10, "stop", 0.1, reasoning=text, reasoning_tokens=4)
            about = {"kind": text, text[:40]: 1}
            rows.append(Row("sql", arm, name + text, digest, digest + arm, messages, said, text, about, (text,), False))
            score = Score(float((number + len(arm)) % 2), text, text)
            scores.append(ScoreRow("sql", arm, name + text, "exact", True, score))
            scores.append(ScoreRow("sql", arm, name + text, "brief", False, Score(0.5, text, text)))
    return Run("runs/hostile", {**run.manifest, "adapters": {}, "seconds": {}}, tuple(rows), tuple(scores))


def sorted_by_sample(texts: Mapping[str, str]) -> list[str]:
    return list(texts.values())


def status(opened: Opened, text: str) -> None:
    expect(opened.page.locator("#status")).to_have_text(text)


def count(opened: Opened) -> int:
    return int(opened.page.inner_text("#status").split()[0])


# --- safety ----------------------------------------------------------------------------------------------------------


def test_nothing_is_loaded_logged_or_asked_by_opening(opened: Opened) -> None:
    assert opened.unexpected() == []
    files = [entry for entry in opened.noise if entry.startswith("request: file:///")]
    assert len(files) == 1


def test_corpus_of_hostile_texts_is_large() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("javascript", [True, False])
def test_hostile_texts_are_shown_as_text_and_do_nothing(browser: Browser, tmp_path: Path, javascript: bool) -> None:
    """Each is question, answer, thinking, target, explanation, metadata and part of an id; every sample is opened."""
    written = write_report([hostile_run()], tmp_path / "hostile.html")
    context = browser.new_context(viewport=DESK, java_script_enabled=javascript)
    opened = Opened(context.new_page(), written.html.as_uri() + "#samples", ready=javascript)
    page = opened.page
    if javascript:
        page.locator("[role=grid]").focus()
        page.keyboard.press("Home")
        page.keyboard.press("Enter")
        expect(page.locator("#opened")).to_be_focused()
        for text in sorted_by_sample(HOSTILE):
            box = page.locator(".sample.here")
            shown = visible(text)[:PREVIEW]
            expect(box.locator(".asked")).to_have_text(shown, use_inner_text=False)
            box.locator(".answer").nth(1).locator("summary").first.click()
            for said in range(2):
                text_shown = box.locator(".answer").nth(1).locator(".said").nth(said)
                expect(text_shown).to_have_text(shown, use_inner_text=False)
            assert box.locator("img, svg, form, input, script, style, iframe, object, link, meta").count() == 0
            page.locator("#opened").press("j")
        page.fill("#find", "alert(1)")
        expect(page.locator("#status")).not_to_have_text(f"{len(HOSTILE)} of {len(HOSTILE)} samples")
        assert 10 < count(opened) < len(HOSTILE)
    assert page.title() == "Prompt, retrieval or fine-tuning?"
    assert page.locator("#live a, #few a").evaluate_all("all => all.every((a) => a.getAttribute('href')[0] === '#')")
    assert opened.unexpected() == []
    context.close()


def test_policy_blocks_script_style_and_network_put_in_from_outside(opened: Opened) -> None:
    page = opened.page
    refused = page.evaluate(
        """() => {
            try { document.body.innerHTML += "<p id=put-in>"; return "allowed"; } catch (error) { return error.name; }
        }"""
    )
    assert refused == "TypeError"
    loaded = page.evaluate(
        "() => fetch('https://example.org/').then(() => 'allowed', () => 'refused')",
    )
    assert loaded == "refused"
    assert (
        page.evaluate(
            """() => {
            const style = document.createElement("style");
            style.textContent = "body { display: none }";
            document.head.append(style);
            return getComputedStyle(document.body).display;
        }"""
        )
        == "block"
    )


# --- the list of samples ---------------------------------------------------------------------------------------------


def rows(opened: Opened) -> Locator:
    return opened.page.locator("[role=grid] .rows .row")


def sample(opened: Opened) -> Locator:
    return opened.page.locator(".sample.here")


LAID_OUT = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Parts of a page that come into sight are laid out in the next frame."""
SCROLLED = """(grid) => new Promise((done) => {
    const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
    grid.scrollTop += grid.clientHeight;
    frame().then(frame).then(frame).then(done);
})"""


def test_list_holds_every_sample_and_draws_those_in_sight(opened: Opened) -> None:
    status(opened, f"{TOTAL} of {TOTAL} samples")
    expect(opened.page.locator("[role=grid]")).to_have_attribute("aria-rowcount", str(TOTAL + 1))
    assert 10 <= rows(opened).count() <= 60
    seen: set[str] = set()
    grid = opened.page.locator("[role=grid]")
    for _ in range(200):
        seen |= set(rows(opened).locator(".name").all_inner_texts())
        if len(seen) == TOTAL:
            break
        grid.evaluate(SCROLLED)
    assert len(seen) == TOTAL


def test_regressed_and_improved_count_what_the_tables_count(browser: Browser, report: Paths) -> None:
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), report.html.as_uri())
    page, checked = opened.page, 0
    for kind in ("improved", "regressed"):
        links = page.locator(f"a[data-filter={kind}]")
        for number in range(links.count()):
            page.click("nav a[data-to=overview]")
            page.evaluate(LAID_OUT)
            link = links.nth(number)
            if link.is_visible():
                wanted = int(link.inner_text())
                link.click()
                status(opened, "No sample fits." if wanted == 0 else f"{wanted} of {TOTAL} samples")
                checked += 1
    assert checked == 16
    context.close()


def test_regressed_shows_only_samples_that_got_worse_the_worst_first(opened: Opened) -> None:
    opened.page.click("button[value=regressed]")
    expect(opened.page.locator("button[value=regressed]")).to_have_attribute("aria-pressed", "true")
    expect(opened.page.locator("#by-order")).to_have_value("change")
    expect(rows(opened).first.locator(".loss")).to_have_count(1)
    assert rows(opened).locator("span.loss").count() == rows(opened).count() > 0


def test_the_largest_change_comes_first(browser: Browser, tmp_path: Path) -> None:
    run = made_up_run(20, suites=("sql",))
    now = {"sql-0003": 0.9, "sql-0007": 0.6, "sql-0010": 0.2, "sql-0015": 0.5}

    def value(score: ScoreRow) -> float:
        return now.get(score.sample, 1.0) if score.arm == "lora" else 1.0

    changed = [dataclasses.replace(one, score=dataclasses.replace(one.score, value=value(one))) for one in run.scores]
    page = write_report([dataclasses.replace(run, scores=tuple(changed))], tmp_path / "order.html").html.as_uri()
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), page + "#samples?filter=regressed&arm=lora&against=base")
    names = rows(opened).locator(".name")
    expect(names).to_have_text(["sql-0010", "sql-0015", "sql-0007", "sql-0003"])
    opened.page.select_option("#by-order", value="high")
    expect(names).to_have_text(["sql-0003", "sql-0007", "sql-0015", "sql-0010"])
    opened.page.select_option("#by-order", value="suite")
    expect(names).to_have_text(sorted(now))
    context.close()


def test_all_failing_shows_only_samples_that_no_arm_answers(opened: Opened) -> None:
    opened.page.click("button[value=failing]")
    expect(opened.page.locator("#status")).not_to_have_text(f"{TOTAL} of {TOTAL} samples")
    assert rows(opened).count() > 0
    assert rows(opened).locator(".mark-right").count() == 0


def test_one_arm_right_and_wrong_make_up_all_samples(opened: Opened) -> None:
    found = []
    opened.page.select_option("#by-arm", label="base")
    for name in ("right", "wrong"):
        opened.page.click(f"button[value={name}]")
        expect(opened.page.locator(f"button[value={name}]")).to_have_attribute("aria-pressed", "true")
        found.append(count(opened))
        expect(rows(opened).first.locator(".mark").first).to_have_class(f"mark mark-{name}")
    assert sum(found) == TOTAL
    assert min(found) > 0


def test_order_by_the_arms_score_brings_wrong_answers_first(opened: Opened) -> None:
    opened.page.select_option("#by-arm", label="lora")
    opened.page.select_option("#by-order", "low")
    expect(rows(opened).first.locator(".mark").nth(3)).to_have_class("mark mark-wrong")
    opened.page.select_option("#by-order", "high")
    expect(rows(opened).first.locator(".mark").nth(3)).to_have_class("mark mark-right")


def test_suite_filter_and_search_narrow_together(opened: Opened) -> None:
    page = opened.page
    page.select_option("#by-suite", label="The staff handbook")
    status(opened, f"{SAMPLES} of {TOTAL} samples")
    page.fill("#find", "parking")
    expect(page.locator("#status")).not_to_have_text(f"{SAMPLES} of {TOTAL} samples")
    expect(rows(opened).first).to_contain_text("parking")
    assert 0 < count(opened) < SAMPLES
    page.fill("#find", "no such words anywhere")
    status(opened, "No sample fits.")
    page.fill("#find", "")
    status(opened, f"{SAMPLES} of {TOTAL} samples")


def test_search_finds_a_sample_by_its_id(opened: Opened) -> None:
    opened.page.fill("#find", "forgetting-0117")
    status(opened, f"1 of {TOTAL} samples")


def test_search_looks_into_every_text_of_samples_in_every_shard(browser: Browser, tmp_path: Path) -> None:
    run = made_up_run(350, suites=("sql",))
    answers, scores = [], []
    for row in run.rows:
        if row.sample == "sql-0005":
            row = dataclasses.replace(row, messages=({"role": "user", "content": "Where is the Aardvark?"},))
        if row.sample == "sql-0110":
            row = dataclasses.replace(row, target="A buzzard, no less")
        if (row.sample, row.arm) == ("sql-0220", "rag"):
            row = dataclasses.replace(row, completion=dataclasses.replace(row.completion, text="Cormorants!"))
        answers.append(row)
    for score in run.scores:
        if (score.arm, score.scorer) == ("lora", "exact") and score.sample in ("sql-0330", "sql-0350"):
            read, why = ("dunlins", "no") if score.sample == "sql-0330" else ("x", "It names no egret")
            score = dataclasses.replace(score, score=dataclasses.replace(score.score, answer=read, explanation=why))
        scores.append(score)
    found = dataclasses.replace(run, rows=tuple(answers), scores=tuple(scores))
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), write_report([found], tmp_path / "search.html").html.as_uri() + "#samples")
    for words, name in (
        ("aardvark", "sql-0005"), ("BUZZARD,", "sql-0110"), ("cormorant", "sql-0220"), ("dunlin", "sql-0330"),
        ("no egret", "sql-0350"),
    ):  # fmt: skip
        opened.page.fill("#find", words)
        expect(rows(opened)).to_have_count(1)
        expect(rows(opened).first).to_contain_text(name)
        status(opened, "1 of 350 samples")
    context.close()


def test_prompt_as_sent_opens_with_every_turn(opened: Opened) -> None:
    rows(opened).first.click()
    answer = sample(opened).locator(".answer", has=opened.page.locator("h4", has_text="prompted"))
    answer.locator("summary").click()
    expect(answer.locator(".turn")).to_have_count(10)
    roles = answer.locator(".turn b").all_inner_texts()
    assert [role.lower() for role in roles] == ["system", *["user", "assistant"] * 4, "user"]


def with_answer(run: Run, sample_: str, arm: str, completion: Completion) -> Run:
    rows = (
        dataclasses.replace(row, completion=completion) if (row.sample, row.arm) == (sample_, arm) else row
        for row in run.rows
    )
    return dataclasses.replace(run, rows=tuple(rows))


def test_thinking_is_folded_called_not_scored_and_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    thought = "<b>first</b> the table, then the column"
    thinks = Completion("4", 20, 1500, "stop", 1.0, reasoning=thought, reasoning_tokens=1400)
    run = with_answer(made_up_run(20), "sql-0003", "lora", thinks)
    run = with_answer(
        run, "sql-0003", "base", Completion("", 20, 900, "thinking", 1.0, reasoning="hm", reasoning_tokens=900)
    )
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), write_report([run], tmp_path / "thinks.html").html.as_uri() + "#sql/sql-0003")
    expect(sample(opened).locator("summary", has_text="Thinking, not scored")).to_have_count(2)
    answer = sample(opened).locator(".answer", has=opened.page.locator("h4", has_text=re.compile(r"^lora ")))
    expect(answer).not_to_contain_text("then the column")
    answer.locator("summary", has_text="Thinking, not scored, 1,400 tokens").click()
    expect(answer.locator("details .said")).to_have_text(thought)
    expect(sample(opened).locator(".answer").first).to_contain_text("ended while thinking, before an answer")
    assert opened.unexpected() == []
    context.close()


def test_long_text_is_shown_whole_on_request_and_beyond_that_the_page_says_where_it_is(
    browser: Browser, tmp_path: Path
) -> None:
    run = made_up_run(20)
    run = with_answer(run, "sql-0003", "lora", Completion("word " * 3_000 + "END", 20, 3_000))
    run = with_answer(run, "sql-0003", "rag", Completion("y" * 100_001 + "END", 20, 3_000))
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), write_report([run], tmp_path / "long.html").html.as_uri() + "#sql/sql-0003")
    opened.page.select_option("#marking", "off")
    by_arm = {
        name: sample(opened).locator(".answer", has=opened.page.locator("h4", has_text=re.compile(f"^{name} ")))
        for name in ("lora", "rag", "base")
    }
    expect(by_arm["base"].locator(".more")).to_have_count(0)
    assert len(by_arm["lora"].locator(".said").inner_text()) <= PREVIEW
    by_arm["lora"].get_by_role("button", name="Show all 15,003 characters").click()
    expect(by_arm["lora"].locator(".said")).to_contain_text("END")
    expect(by_arm["lora"].get_by_role("button", name="Show less")).to_be_focused()
    by_arm["lora"].get_by_role("button", name="Show less").click()
    expect(by_arm["lora"].locator(".said")).not_to_contain_text("END")
    expect(by_arm["rag"].locator(".more")).to_have_text(
        "Show 100,000 characters 4 more characters are not in this file: see the run folder made-up "
        "(completions.jsonl, scores.jsonl), sample sql-0003, arm rag."
    )
    by_arm["rag"].get_by_role("button").click()
    expect(by_arm["rag"].locator(".said")).to_have_text("y" * 100_000)
    assert opened.unexpected() == []
    context.close()


def test_differences_are_marked_word_by_word_against_what_is_chosen(opened: Opened) -> None:
    page = opened.page
    page.evaluate("location.hash = '#sql/sql-0001?arm=base&against=lora'")
    answers = sample(opened).locator(".answer")
    texts = {
        name: answers.nth(place).locator(".said").inner_text() for place, name in enumerate(("base", "prompted", "rag"))
    }
    page.select_option("#marking", "off")
    expect(sample(opened).locator("ins, del")).to_have_count(0)
    plain = answers.nth(0).locator(".said").inner_text()
    page.select_option("#marking", "expected")
    wrong = next(place for place, name in enumerate(texts) if answers.nth(place).locator(".mark-wrong").count())
    expect(answers.nth(wrong).locator("del").first).to_have_text(re.compile("COUNT"))
    assert "".join(answers.nth(wrong).locator("del").all_inner_texts()) == "COUNT()"
    assert "SELECT" in plain


def test_keyboard_alone_moves_opens_turns_and_closes(opened: Opened) -> None:
    page = opened.page
    page.locator("[role=grid]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    expect(page.locator("[role=grid]")).to_have_attribute("aria-activedescendant", "row-1")
    page.keyboard.press("Enter")
    expect(sample(opened)).to_have_attribute("id", "sql/sql-0002")
    expect(page.locator("#opened")).to_be_focused()
    page.keyboard.press("j")
    expect(sample(opened)).to_have_attribute("id", "sql/sql-0003")
    page.keyboard.press("k")
    expect(sample(opened)).to_have_attribute("id", "sql/sql-0002")
    page.keyboard.press("Escape")
    expect(sample(opened)).to_have_count(0)
    expect(page.locator("[role=grid]")).to_be_focused()
    page.keyboard.press("End")
    expect(page.locator("[role=grid]")).to_have_attribute("aria-activedescendant", f"row-{TOTAL - 1}")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("jk")
    expect(page.locator("#find")).to_have_value("jk")


def test_every_control_is_reached_by_tab(opened: Opened) -> None:
    page = opened.page
    page.locator("button[value=all]").focus()
    reached = []
    for _ in range(16):
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.value || ''"))
        page.keyboard.press("Tab")
    wanted = [
        "all",
        "regressed",
        "improved",
        "failing",
        "wrong",
        "right",
        "by-suite",
        "by-arm",
        "by-against",
        "by-order",
    ]
    assert reached[:13] == [*wanted, "find", "save-csv", "save-jsonl"]


def test_filtered_samples_are_saved_as_csv_without_formulas_and_as_jsonl(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    page.click("button[value=regressed]")
    expect(page.locator("#status")).not_to_have_text(f"{TOTAL} of {TOTAL} samples")
    wanted = count(opened)
    saved = {}
    for kind in ("csv", "jsonl"):
        with page.expect_download() as download:
            page.click(f"#save-{kind}")
        saved[kind] = tmp_path / f"samples.{kind}"
        download.value.save_as(saved[kind])
    with saved["csv"].open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    entries = [json.loads(line) for line in saved["jsonl"].read_text("utf-8").splitlines()]
    assert len(lines) == len(entries) == wanted > 0
    assert [line["sample"] for line in lines] == [entry["sample"] for entry in entries]
    assert not any(value.startswith(("=", "+", "-", "@")) for line in lines for value in line.values())
    assert all(float(line["lora: score"]) in (0, 1) for line in lines)


def test_permalink_opens_the_sample_it_names(browser: Browser, report: Paths) -> None:
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), report.html.as_uri() + "#handbook/handbook-0144")
    expect(sample(opened)).to_have_attribute("id", "handbook/handbook-0144")
    expect(opened.page.locator("#opened")).to_be_in_viewport()
    expect(opened.page.locator("#row-343")).to_be_in_viewport()
    context.close()


def test_permalink_followed_while_filtered_still_arrives(opened: Opened) -> None:
    page = opened.page
    page.fill("#find", "no such words anywhere")
    status(opened, "No sample fits.")
    page.evaluate("location.hash = '#sql/sql-0099'")
    expect(sample(opened)).to_have_attribute("id", "sql/sql-0099")
    expect(page.locator("#opened")).to_be_in_viewport()


def test_address_follows_the_selection_and_leads_back_to_it(browser: Browser, opened: Opened) -> None:
    page = opened.page
    page.click("button[value=improved]")
    page.select_option("#by-suite", label="Questions over a schema, answered in SQL")
    page.select_option("#by-arm", label="lora+rag")
    before = page.inner_text("#status")
    page.fill("#find", "Oslo")
    expect(page.locator("#status")).not_to_have_text(before)
    expect(page.locator("#status")).to_have_text(re.compile(r"^\d+ of"))  # no longer searching
    page.wait_for_function("location.hash.includes('q=Oslo')")
    rows(opened).first.click()
    expect(sample(opened)).to_have_count(1)
    name, said = sample(opened).get_attribute("id"), page.inner_text("#status")
    context = browser.new_context(viewport=DESK)
    again = Opened(context.new_page(), page.url)
    expect(sample(again)).to_have_attribute("id", str(name))
    status(again, said)
    expect(again.page.locator("#by-arm")).to_have_value("4")
    assert again.unexpected() == []
    context.close()


def test_an_order_that_is_not_the_filters_own_is_in_the_address(browser: Browser, opened: Opened) -> None:
    context = browser.new_context(viewport=DESK)
    for name, order in (("regressed", "suite"), ("regressed", "low"), ("regressed", "change"), ("wrong", "change")):
        opened.page.click(f"button[value={name}]")
        opened.page.select_option("#by-order", value=order)
        opened.page.wait_for_function("filter => location.hash.includes(`filter=${filter}`)", arg=name)
        again = Opened(context.new_page(), opened.page.url).page
        expect(again.locator(f"button[value={name}]")).to_have_attribute("aria-pressed", "true")
        expect(again.locator("#by-order")).to_have_value(order)
    context.close()


def test_back_from_the_samples_behind_a_number_returns_to_the_number(browser: Browser, report: Paths) -> None:
    context = browser.new_context(viewport=DESK)
    page = Opened(context.new_page(), report.html.as_uri()).page
    page.click("nav a[data-to=suite-2]")
    expect(page.locator("#suite-2")).to_be_visible()
    page.locator("#suite-2 a[data-filter]").first.click()
    expect(page.locator("#samples")).to_be_visible()
    page.go_back()
    expect(page.locator("#suite-2")).to_be_visible()
    expect(page.locator("#samples")).to_be_hidden()
    context.close()


def test_parts_of_the_report_are_pages_and_back_returns_to_the_one_before(browser: Browser, report: Paths) -> None:
    context = browser.new_context(viewport=DESK)
    page = Opened(context.new_page(), report.html.as_uri()).page
    for part in ("suite-2", "training", "samples", "method"):
        page.click(f"nav a[data-to={part}]")
        expect(page.locator(f"#{part}")).to_be_visible()
        expect(page.locator("#ladder")).to_be_hidden()
        expect(page.locator("nav a[aria-current=page]")).to_have_attribute("data-to", part)
    page.go_back()
    expect(page.locator("#samples")).to_be_visible()
    page.click("nav a[data-to=overview]")
    expect(page.locator("#ladder")).to_be_visible()
    page.locator("#changed a").first.click()
    expect(page.locator(".sample.here")).to_be_visible()
    context.close()


def test_no_id_is_used_twice(opened: Opened) -> None:
    rows(opened).first.click()
    expect(sample(opened)).to_have_count(1)
    ids = opened.page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))


def test_report_without_texts_lists_scores_and_nothing_else(browser: Browser, tmp_path: Path) -> None:
    written = write_report([made_up_run(20)], tmp_path / "bare.html", text=False)
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), written.html.as_uri() + "#samples")
    rows(opened).first.click()
    expect(sample(opened).locator(".answer")).to_have_count(5)
    expect(sample(opened)).to_contain_text("This report was made without texts")
    expect(sample(opened).locator("pre")).to_have_count(0)
    assert opened.unexpected() == []
    context.close()


def test_sample_beyond_the_budget_shows_its_scores_and_where_its_texts_are(browser: Browser, tmp_path: Path) -> None:
    written = write_report([made_up_run(100)], tmp_path / "small.html", budget=20_000)
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), written.html.as_uri() + "#samples")
    expect(opened.page.locator("#samples")).to_contain_text(re.compile(r"Texts of \d+ of 300 samples are in this file"))
    opened.page.locator("[role=grid]").focus()
    opened.page.keyboard.press("Enter")
    missing = opened.page.get_by_text("The texts of this sample are not in this file")
    opened.page.keyboard.press("Home")
    opened.page.keyboard.press("Enter")
    for _ in range(300):
        expect(sample(opened)).to_have_count(1)
        if missing.count():
            break
        here = opened.page.evaluate("location.hash")
        opened.page.keyboard.press("j")
        opened.page.wait_for_function("here => location.hash !== here", arg=here)
        opened.page.evaluate(LAID_OUT)
    expect(missing).to_have_count(1)
    assert opened.unexpected() == []
    context.close()


def test_several_runs_show_history_and_the_older_answers_beside_the_new(browser: Browser, tmp_path: Path) -> None:
    older = made_up_run(40, seed=7)
    newer = dataclasses.replace(
        older, path="runs/newer", manifest={**older.manifest, "created": "2026-07-01T12:00:00Z"}
    )
    written = write_report([newer, older], tmp_path / "two.html")
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), written.html.as_uri() + "#history")
    expect(opened.page.locator("#history tbody").first.locator("tr")).to_have_count(2)
    assert opened.page.locator("#history svg.chart").count() == 3
    opened.page.evaluate("location.hash = '#sql/sql-0001'")
    expect(sample(opened).locator(".answer")).to_have_count(10)
    expect(sample(opened)).to_contain_text("lora · made-up")
    assert opened.unexpected() == []
    context.close()


# --- how it looks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("javascript", "place"), [(False, ""), (True, ""), (True, "#sql/sql-0003"), (True, "#suite-2"), (True, "#method")]
)
def test_phone_does_not_scroll_sideways(
    browser: Browser, report: Paths, scheme: str, javascript: bool, place: str
) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme=scheme, java_script_enabled=javascript)  # type: ignore[arg-type]
    page = Opened(context.new_page(), report.html.as_uri() + place, ready=javascript).page
    box = page.locator("html").bounding_box()
    assert box is not None
    assert box["width"] == PHONE["width"]
    wide = (
        page.locator("main > *, .panel, figure, .sample, .scroll").evaluate_all(
            "(found) => found.filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5).map((e) => e.className)"
        )
        if javascript
        else []
    )
    assert wide == []
    context.close()


def test_tables_fit_a_desk(browser: Browser, report: Paths) -> None:
    context = browser.new_context(viewport=DESK, java_script_enabled=False)
    page = Opened(context.new_page(), report.html.as_uri(), ready=False).page
    tables = page.locator(".scroll").all()
    wide = [
        box.get_attribute("aria-label")
        for box in tables
        if (inner := box.locator("table").bounding_box())
        and (outer := box.bounding_box())
        and inner["width"] > outer["width"] + 1
    ]
    assert len(tables) >= 6
    assert wide == []
    context.close()


def test_decision_is_on_the_first_screen(browser: Browser, report: Paths) -> None:
    context = browser.new_context(viewport=DESK)
    page = Opened(context.new_page(), report.html.as_uri()).page
    expect(page.locator("#headline")).to_be_in_viewport(ratio=1)
    expect(page.locator("#decision .badge").first).to_be_in_viewport(ratio=1)
    expect(page.locator("#ladder thead")).to_be_in_viewport(ratio=1)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["#decision", "#suite-1", "#training", "#sql/sql-0003?filter=regressed", "#method"])
def test_axe_finds_nothing_against_wcag_a_and_aa(
    browser: Browser, report: Paths, modules: Path, scheme: str, place: str
) -> None:
    context = browser.new_context(viewport=DESK, color_scheme=scheme)  # type: ignore[arg-type]
    page = Opened(context.new_page(), report.html.as_uri() + place).page
    if place.startswith("#sql"):
        expect(page.locator(".sample.here ins, .sample.here del").first).to_be_visible()
        page.locator(".sample.here summary").first.click()
    page.evaluate((modules / "axe-core" / "axe.min.js").read_text("utf-8"))
    found = page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"
        ".then((r) => ({passes: r.passes.length, violations: r.violations.map("
        "(v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' ').slice(0, 300))}))"
    )
    assert found["violations"] == []
    assert found["passes"] > 10
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(browser: Browser, report: Paths, scheme: str) -> None:
    context = browser.new_context(viewport=DESK, color_scheme=scheme)  # type: ignore[arg-type]
    page = Opened(context.new_page(), report.html.as_uri() + "#sql/sql-0003").page
    expect(page.locator(".sample.here ins").first).to_be_visible()
    for part in page.locator("nav a").all():
        part.click()
        assert page.evaluate(CONTRAST) == []
    context.close()


def test_without_javascript_the_decision_tables_charts_and_largest_changes_are_there(
    browser: Browser, report: Paths
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = Opened(context.new_page(), report.html.as_uri(), ready=False).page
    expect(page.locator("#headline")).to_be_visible()
    assert page.locator("#ladder tbody tr").count() == 2 + 2 * 5
    assert page.locator("#charts svg.chart").count() == 3
    expect(page.locator("#few .sample").first).to_be_visible()
    expect(page.locator("#controls")).to_have_count(0)
    link = page.locator("#changed a").first
    assert page.locator(f"[id='{str(link.get_attribute('href'))[1:]}']").count() == 1
    expect(page.get_by_text("Here are the largest changes only.")).to_be_visible()
    context.close()


def test_browser_that_cannot_unpack_keeps_the_long_page(browser: Browser, report: Paths) -> None:
    page = browser.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(report.html.as_uri() + "#suite-1")
    expect(page.locator("#live")).to_contain_text("needs a newer browser")
    expect(page.locator("main > section[hidden], #few[hidden]")).to_have_count(0)
    page.close()


def test_print_shows_every_part_the_largest_changes_and_no_controls(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    page.emulate_media(media="print")
    expect(page.locator("#few .sample").first).to_be_visible()
    for part in ("decision", "ladder", "charts", "trust", "suite-1", "suite-3", "method"):
        expect(page.locator(f"#{part}")).to_be_visible()
    expect(page.locator("#controls")).to_be_hidden()
    expect(page.locator("#live")).to_be_hidden()
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    assert (tmp_path / "report.pdf").stat().st_size > 10_000


def test_large_run_stays_light(browser: Browser, tmp_path: Path) -> None:
    report = write_report([made_up_run(1000)], tmp_path / "large.html")
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), report.html.as_uri() + "#samples")
    status(opened, "3000 of 3000 samples")
    assert opened.page.evaluate("document.querySelectorAll('*').length") < 3_000
    assert report.html.stat().st_size < 3_000_000
    opened.page.fill("#find", "forgetting-0999")
    status(opened, "1 of 3000 samples")
    context.close()


CONTRAST = """() => {
    const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const parse = (text) => text.match(/[0-9.]+/g).map(Number);
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = parse(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] > 0) return color;
        }
        return [255, 255, 255];
    };
    const weak = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || element.closest("svg, script")) continue;
        if (!element.checkVisibility()) continue;
        const [one, two] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
        const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        if (ratio < 4.5 && !element.disabled) weak.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
    }
    return [...weak];
}"""
