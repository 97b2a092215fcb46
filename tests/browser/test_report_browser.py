"""The report in a real browser, opened from disk as a person would open it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up_run import HOSTILE, made_up_run
from playwright.sync_api import Browser, Page, expect

from harness.report import Paths, write_report

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
    yield Opened(context.new_page(), report.html.as_uri())
    context.close()


def status(opened: Opened, text: str) -> None:
    expect(opened.page.locator("#status")).to_have_text(text)


def count(opened: Opened) -> int:
    return int(opened.page.inner_text("#status").split()[0])


# --- safety ----------------------------------------------------------------------------------------------------------


def test_nothing_is_loaded_logged_or_asked_by_opening(opened: Opened) -> None:
    assert opened.unexpected() == []
    files = [entry for entry in opened.noise if entry.startswith("request: file:///")]
    assert len(files) == 1


@pytest.mark.parametrize("number", range(6))
def test_hostile_answer_is_shown_as_text_and_never_runs(opened: Opened, number: int) -> None:
    payload = HOSTILE[number]
    words = ["harm: script", "<svg onload", "⟨ESC⟩[31m", '"><a href', "=HYPERLINK", "javascript:alert"][number]
    page = opened.page
    page.fill("#find", words)
    expect(page.locator("#live .sample").first).to_contain_text(words)
    for summary in page.locator("#live summary").all()[:5]:
        summary.click()
    page.wait_for_timeout(200)
    assert opened.unexpected() == []
    assert page.locator("#live img, #live svg, #live form, #live input, #live script, #live style").count() == 0
    assert all(link.get_attribute("href").startswith("#") for link in page.locator("#live a").all())  # type: ignore[union-attr]
    assert payload[:4] not in page.title()


def test_hostile_answers_do_nothing_without_javascript_either(browser: Browser, report: Paths) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = Opened(context.new_page(), report.html.as_uri(), ready=False)
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


def test_all_samples_are_listed_fifty_to_a_page(opened: Opened) -> None:
    status(opened, f"{TOTAL} of {TOTAL} samples")
    page = opened.page
    seen: list[str] = []
    for number in range(TOTAL // 50):
        expect(page.locator("#where")).to_have_text(f"page {number + 1} of {TOTAL // 50}")
        seen += page.locator("#live .sample").evaluate_all("cards => cards.map(card => card.id)")
        if number < TOTAL // 50 - 1:
            page.click("#on")
    assert len(seen) == len(set(seen)) == TOTAL
    expect(page.locator("#on")).to_be_disabled()


def test_regressed_and_improved_count_what_the_table_counts(opened: Opened) -> None:
    page = opened.page
    for kind in ("improved", "regressed"):
        links = page.locator(f"a[data-filter={kind}]")
        for number in range(links.count()):
            link = links.nth(number)
            if link.is_visible():
                wanted = int(link.inner_text())
                link.click()
                text = "No sample fits." if wanted == 0 else f"{wanted} of {TOTAL} samples"
                expect(page.locator("#status")).to_have_text(text)


def test_regressed_shows_only_samples_that_got_worse(opened: Opened) -> None:
    page = opened.page
    page.click("button[value=regressed]")
    expect(page.locator("button[value=regressed]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#live .sample").first.locator("h3 .loss")).to_have_count(1)
    cards = page.locator("#live .sample").count()
    assert cards > 0
    assert page.locator("#live .sample h3 .loss").count() == cards


def test_all_failing_shows_only_samples_that_no_arm_answers(opened: Opened) -> None:
    page = opened.page
    page.click("button[value=failing]")
    expect(page.locator("#live .answer.right")).to_have_count(0)
    assert page.locator("#live .answer.wrong").count() >= 5


def test_suite_filter_and_search_narrow_together(opened: Opened) -> None:
    page = opened.page
    page.select_option("#by-suite", label="The staff handbook")
    status(opened, f"{SAMPLES} of {TOTAL} samples")
    page.fill("#find", "parking")
    expect(page.locator("#status")).not_to_have_text(f"{SAMPLES} of {TOTAL} samples")
    expect(page.locator("#live .sample").first).to_contain_text("parking")
    found = count(opened)
    assert 0 < found < SAMPLES
    page.fill("#find", "no such words anywhere")
    status(opened, "No sample fits.")
    page.fill("#find", "")
    status(opened, f"{SAMPLES} of {TOTAL} samples")


def test_search_finds_a_sample_by_its_id(opened: Opened) -> None:
    opened.page.fill("#find", "forgetting-0117")
    status(opened, f"1 of {TOTAL} samples")


def test_prompt_as_sent_opens_with_every_turn(opened: Opened) -> None:
    page = opened.page
    answer = page.locator("#live .sample").first.locator(".answer", has=page.locator("h4", has_text="prompted"))
    answer.locator("summary").click()
    roles = answer.locator(".turn b").all_inner_texts()
    assert [role.lower() for role in roles] == ["system", *["user", "assistant"] * 4, "user"]


def test_permalink_opens_the_sample_it_names(browser: Browser, report: Paths) -> None:
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), report.html.as_uri() + "#handbook/handbook-0144")
    card = opened.page.locator(".sample.here")
    expect(card).to_have_attribute("id", "handbook/handbook-0144")
    expect(card).to_be_in_viewport()
    context.close()


def test_permalink_followed_while_filtered_still_arrives(opened: Opened) -> None:
    page = opened.page
    page.fill("#find", "no such words anywhere")
    status(opened, "No sample fits.")
    page.evaluate("location.hash = '#sql/sql-0099'")
    expect(page.locator(".sample.here")).to_have_attribute("id", "sql/sql-0099")
    expect(page.locator(".sample.here")).to_be_in_viewport()


def test_no_id_is_used_twice(opened: Opened) -> None:
    ids = opened.page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))


# --- how it looks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("javascript", [True, False])
def test_phone_does_not_scroll_sideways(browser: Browser, report: Paths, scheme: str, javascript: bool) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme=scheme, java_script_enabled=javascript)  # type: ignore[arg-type]
    page = Opened(context.new_page(), report.html.as_uri(), ready=javascript).page
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


def test_tables_fit_a_desk(opened: Opened) -> None:
    wide = opened.page.locator(".scroll").evaluate_all(
        "(found) => found.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.getAttribute('aria-label'))"
    )
    assert wide == []


def test_decision_is_on_the_first_screen(opened: Opened) -> None:
    expect(opened.page.locator("#headline")).to_be_in_viewport(ratio=1)
    expect(opened.page.locator("#decision .badge").first).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(browser: Browser, report: Paths, scheme: str) -> None:
    context = browser.new_context(viewport=DESK, color_scheme=scheme)  # type: ignore[arg-type]
    page = Opened(context.new_page(), report.html.as_uri()).page
    weak = page.evaluate(CONTRAST)
    assert weak == []
    context.close()


def test_without_javascript_the_decision_tables_charts_and_largest_changes_are_there(
    browser: Browser, report: Paths
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = Opened(context.new_page(), report.html.as_uri(), ready=False).page
    expect(page.locator("#headline")).to_be_visible()
    assert page.locator("#glance tbody tr").count() == 5
    assert page.locator("#charts svg.chart").count() == 4
    expect(page.locator("#few .sample").first).to_be_visible()
    expect(page.locator("#controls")).to_be_hidden()
    expect(page.get_by_text("Here are the largest changes only.")).to_be_visible()
    context.close()


def test_print_shows_the_largest_changes_and_no_controls(opened: Opened, tmp_path: Path) -> None:
    page = opened.page
    page.emulate_media(media="print")
    expect(page.locator("#few .sample").first).to_be_visible()
    expect(page.locator("#controls")).to_be_hidden()
    expect(page.locator("#live")).to_be_hidden()
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    assert (tmp_path / "report.pdf").stat().st_size > 10_000


def test_large_run_stays_light(browser: Browser, tmp_path: Path) -> None:
    report = write_report([made_up_run(1000)], tmp_path / "large.html")
    context = browser.new_context(viewport=DESK)
    opened = Opened(context.new_page(), report.html.as_uri())
    status(opened, "3000 of 3000 samples")
    assert opened.page.evaluate("document.querySelectorAll('*').length") < 12_000
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
