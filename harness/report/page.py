"""The page and its Markdown twin, put together from a view. One file, nothing loaded, nothing sent."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from harness.report import block, text
from harness.report.cases import RIGHT
from harness.report.view import PageView

if TYPE_CHECKING:
    from jinja2 import Template

SHORT = 1_200
"""Characters of one text on a card that is shown without JavaScript."""
COLUMNS = 5
"""Runs of the history whose scores stand in the Markdown."""
REMARKS = 3
"""Remarks on the history of a suite there."""


def html_page(page: PageView, budget: int) -> str:
    """The whole report as one HTML document, with about `budget` bytes of sample texts.

    Safe against what a model wrote: everything is escaped, texts travel in base64, and a content security policy
    lets only this file's own script and style run, by their hashes, and nothing load.
    """
    from markupsafe import Markup

    css, js = asset("report.css"), asset("report.js")
    suites: list[dict[str, str | int]] = [
        {
            "name": suite.name,
            "title": suite.title,
            "reference": suite.reference_place,
            "candidate": suite.candidate_place,
        }
        for suite in page.suites
    ]
    pairs = {
        suite.name: (page.arm_names[suite.reference_place], page.arm_names[suite.candidate_place])
        for suite in page.suites
    }
    out = block.left_out(page.cases, page.sample_arms, pairs, budget) if page.text else frozenset()
    return template("report.html.j2", escape=True).render(
        page=page,
        policy=policy(css, js),
        css=Markup(css),
        js=Markup(js),
        index=block.pack(block.index(page.cases, page.sample_arms, suites, page.text, page.sample_folders)),
        shards=block.shards(page.cases, page.sample_arms, out) if page.text else [],
        left_out=len(out),
        budget=budget,
        right=RIGHT,
        preview=text.PREVIEW,
        held=block.HELD,
    )


def markdown_page(page: PageView) -> str:
    """The decision and the tables as Markdown, for a pull request or a mail. Holds no text that a model wrote."""
    return template("report.md.j2", escape=False).render(page=page, columns=COLUMNS, remarks=REMARKS)


def policy(css: str, js: str) -> str:
    """The content security policy that allows one style and one script, by hash, and nothing else."""
    return (
        f"default-src 'none'; script-src {_source(js)}; style-src {_source(css)}; img-src data:; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _source(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode('utf-8')).digest()).decode('ascii')}'"


def asset(name: str) -> str:
    """The text of a file beside the templates."""
    return (files("harness.report") / "templates" / name).read_text("utf-8").replace("\r\n", "\n")


def template(name: str, escape: bool) -> Template:
    """A template with the filters of the report; escape: for HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=not escape,
        lstrip_blocks=not escape,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        percent=text.percent,
        points=text.points,
        seconds=text.seconds,
        count=text.count,
        number=text.number,
        one_line=text.one_line,
        short=_short,
        md=text.markdown,
    )
    return environment.get_template(name)


def _short(value: str, limit: int = SHORT) -> str:
    return text.preview(value, limit)
