"""The format ``markdown``, as GitHub's Markdown is parsed."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from conformance.formats.outcomes import outcomes, texts
from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token
from support import make_finding

from backend_contract._conformance.formats import common, markdown, render
from backend_contract._conformance.formats.common import printable
from backend_contract._conformance.results import NotChecked, Outcome, Report, Verdict

PARSER = MarkdownIt("gfm-like")
assert PARSER.linkify is not None
PARSER.linkify.set({"fuzzy_link": False})  # to GitHub, `mine.py` is no address; see www below


def text(outcome: Outcome) -> str:
    return "\n".join(render(outcome, "markdown", color=False))


def inline(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or ()]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the table, without tags."""
    found = re.findall(r"<tr>(.*?)</tr>", PARSER.render(text), re.DOTALL)
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in found)
    return [[unescape(re.sub("<.*?>", "", cell)) for cell in row] for row in cells]


def test_table(outcome: Outcome) -> None:
    """The table has a row per target, and a column per clause that is not ok everywhere."""
    head, *body = rows(text(outcome))
    assert head == ["backend", "BC101", "BC102", "BC309", "other clauses"]
    assert [row[0] for row in body] == ["mine.py:Bad", "mine.py:Nameless", "mine.py:Open"]
    words = [[cell.rpartition(" ")[2] for cell in row[1:-1]] for row in body]
    assert words == [
        ["ok", "ok", "expected"],
        ["violated", "blocked", "ok"],
        ["ok", "ok", "unchecked"],
    ]
    assert {row[-1] for row in body} == {"5 ok", "7 ok"}


def test_details(outcome: Outcome) -> None:
    """Details are shown of what needs attention, and of nothing else."""
    page = PARSER.render(text(outcome))
    assert "backend_type = 7" in unescape(page)
    assert "backend-contract explain BC101" in page
    assert "has to hold first" not in page
    assert "an old server" not in page
    assert page.count("<h3>") == 2


def test_other_parts() -> None:
    """Errors, classes that were not checked, and notes are listed."""
    missing = NotChecked(name="C", path=Path("c.py"), line=3, because="unknown base")
    outcome = Outcome(problems=("no ty",), not_checked=[missing], notes=("a note",))
    items = re.findall(r"<li>(.*?)</li>", PARSER.render(text(outcome)))
    assert [re.sub("<.*?>", "", unescape(item)) for item in items] == [
        "could not check: no ty",
        "not checked: C at c.py:3: unknown base",
        "note: a note",
    ]


def test_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clause links to its page, if the documentation has an address."""
    outcome = Outcome(reports=[Report(target="a:B", findings=(make_finding(),))])
    assert "<a" not in PARSER.render(text(outcome))
    monkeypatch.setattr(common, "DOCUMENTATION", "https://docs.example")
    page = '<a href="https://docs.example/contract.html#bc309">BC309</a>'
    assert PARSER.render(text(outcome)).count(page) == 2


def test_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Details that do not fit are left out, and counted; the table stays."""
    reports = [Report(target=f"a:B{n}", findings=(make_finding(),)) for n in range(100)]
    assert text(Outcome(reports=reports)).count("### ") == 100
    monkeypatch.setattr(markdown, "SIZE_LIMIT", 10_000)
    short = text(Outcome(reports=reports))
    kept = short.count("### ")
    assert 0 < kept < 100
    assert f"\n{100 - kept} more, left out for lack of space" in short
    assert len(rows(short)) == 101


@pytest.mark.exhaustive
@given(target=texts, found=texts, reason=texts)
@settings(max_examples=150)
def test_any_text(target: str, found: str, reason: str) -> None:
    """Whatever a text contains, it is shown, and means nothing in Markdown."""
    finding = make_finding(found=found, because=(reason,))
    report = Report(target=target, findings=(finding,))
    source = text(Outcome(reports=[report], problems=(reason,)))
    tokens = PARSER.parse(source)
    tags = {token.content for token in inline(tokens) if token.type == "html_inline"}
    assert tags <= {"<code>", "</code>"}
    allowed = {"text", "html_inline", "text_special", "strong_open", "strong_close", "code_inline"}
    assert {token.type for token in inline(tokens)} <= allowed
    assert "www." not in source.lower()
    assert "html_block" not in {token.type for token in tokens}
    assert [len(row) for row in rows(source)] == [3, 3]
    shown = " ".join(unescape(re.sub("<.*?>", "", PARSER.render(source))).split())
    for each in (target, found, reason):
        assert " ".join(printable(each).split()) in shown


@pytest.mark.exhaustive
@given(outcome=outcomes)
@settings(max_examples=40)
def test_any_outcome(outcome: Outcome) -> None:
    """The table has a row per target with findings, and all rows have the same length."""
    table = rows(text(outcome))
    targets = [report for report in outcome.reports if report.findings]
    assert len(table) == len(targets) + bool(targets)
    assert len({len(row) for row in table}) <= 1


def test_all_ok() -> None:
    """If all is ok, the table has only the counts."""
    report = Report(target="a:B", findings=(make_finding(verdict=Verdict.OK),))
    assert rows(text(Outcome(reports=[report]))) == [["backend", "other clauses"], ["a:B", "1 ok"]]
