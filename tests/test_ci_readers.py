"""The gate's files as other people's programs read them: junitparser, and markdown-it with HTML and bare links on."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hostile import HOSTILE
from junitparser import Error, Failure, JUnitXml
from markdown_it import MarkdownIt
from test_ci import RESULTS, hostile_gate, hostile_run

from harness.ci import SHOWN, comment, junit_xml, marker
from harness.gate import LISTED
from harness.report.text import preview
from harness.tables import comparison_markdown

READER = MarkdownIt("gfm-like", {"html": True, "linkify": True})
READER.linkify.set({"fuzzy_link": False})  # hosts link what has a scheme or starts with www, and mail addresses
OURS = {"h2", "h3", "p", "ul", "li", "strong", "pre", "code", "table", "thead", "tbody", "tr", "th", "td"}


class Page(HTMLParser):
    """Tags with their attributes, comments, and the text of code blocks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.comments: set[str] = set()
        self.blocks: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= set(attrs)
        if tag == "pre":
            self.blocks.append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.blocks[-1] += data

    def handle_comment(self, data: str) -> None:
        self.comments.add(data.strip())


@pytest.mark.parametrize("name", RESULTS)
def test_junitparser_counts_as_we_do(name: str) -> None:
    read = JUnitXml.fromstring(junit_xml(RESULTS[name]))
    said = (read.tests, read.failures, read.errors)
    read.update_statistics()
    assert (read.tests, read.failures, read.errors) == said
    assert (read.failures + read.errors == 0) == (name == "PASS")


@pytest.mark.parametrize("name", HOSTILE)
def test_junitparser_reads_the_text_and_nothing_else(name: str) -> None:
    read = JUnitXml.fromstring(junit_xml(*hostile_gate(HOSTILE[name])))
    cases = [case for suite in read for case in suite]
    assert len(cases) == 3 + LISTED
    outcomes = [one for case in cases for one in case.result]
    assert {type(one) for one in outcomes} <= {Failure, Error}
    assert [one.text for one in outcomes[3:]] == [preview(HOSTILE[name], SHOWN)] * LISTED


@pytest.mark.parametrize("name", HOSTILE)
def test_rendered_markdown_holds_no_element_link_or_image_of_the_texts(name: str) -> None:
    result, answers = hostile_gate(HOSTILE[name])
    page = Page(READER.render(comment(result, answers)))
    assert page.tags <= OURS
    assert page.attributes <= {("class", "language-text")}
    assert page.comments <= {"", marker(result)[5:-4]}
    assert page.blocks == [preview(HOSTILE[name], SHOWN) + "\n"] * len(page.blocks)
    assert len(page.blocks) >= 5
    table = Page(READER.render(comparison_markdown(hostile_run(HOSTILE[name], True))))
    assert table.tags <= OURS
    assert (table.attributes, table.comments <= {""}) == (set(), True)
