"""The format ``html``; tests/integration/site looks at the page in a browser."""

from __future__ import annotations

import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conformance.formats.outcomes import outcomes, texts
from hypothesis import given, settings
from support import make_finding

from backend_contract._conformance.formats import common, render
from backend_contract._conformance.formats.common import printable
from backend_contract._conformance.results import NotChecked, Outcome, Report, Verdict

if TYPE_CHECKING:
    from conftest import Main

VOID = {"meta"}


class Page(HTMLParser):
    """The parsed page: its elements, their attributes, and its text."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.source = "\n".join(render(outcome, "html", color=False))
        self.tags: Counter[str] = Counter()
        self.attributes: list[dict[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [str(each[name]) for each in self.attributes if name in each]

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


ELEMENTS = set(Page(Outcome(reports=[Report(target="a", findings=(make_finding(),))])).tags)
ELEMENTS |= {"code"}


def test_matrix(outcome: Outcome) -> None:
    """Each finding is a cell, which leads to its details."""
    page = Page(outcome)
    assert page.tags["td"] == 30
    assert page.tags["tr"] == 4
    assert "BC309 violated, as expected" in page.words
    assert "backend_type = 7" in page.words
    assert "BC101, which has to hold first" in page.words
    assert "an old server" in page.words


def test_links(outcome: Outcome) -> None:
    """Every link leads to an element of the page, and no id is used twice."""
    page = Page(outcome)
    ids = Counter(page.values("id"))
    assert set(ids.values()) == {1}
    targets = page.values("href")
    assert len(targets) > 48
    assert all(target.removeprefix("#") in ids for target in targets)


def test_other_parts() -> None:
    """Errors, classes that were not checked, and notes are shown, even if nothing was checked."""
    missing = NotChecked(name="C", path=Path("c.py"), line=3, because="unknown base")
    page = Page(Outcome(problems=("no ty",), not_checked=[missing], notes=("a note",)))
    assert page.tags["table"] == 0
    for text in ("could not check no ty", "not checked C at c.py:3: unknown base", "note: a note"):
        assert text in page.words


@pytest.mark.parametrize("verdict", Verdict, ids=lambda verdict: verdict.value)
def test_verdicts(verdict: Verdict) -> None:
    """Each verdict is in the table, in the details and in the legend, in words."""
    page = Page(Outcome(reports=[Report(target="a:B", findings=(make_finding(verdict=verdict),))]))
    assert f"BC309 {verdict.value}" in page.words
    assert page.words.count(verdict.value) >= 3


def test_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clause leads to its page, if the documentation has an address."""
    outcome = Outcome(reports=[Report(target="a:B", findings=(make_finding(),))])
    assert "backend-contract explain BC309" in Page(outcome).words
    monkeypatch.setattr(common, "DOCUMENTATION", "https://docs.example")
    assert "https://docs.example/contract.html#bc309" in Page(outcome).values("href")


@pytest.mark.exhaustive
@given(target=texts, found=texts, reason=texts)
@settings(max_examples=60)
def test_any_text(target: str, found: str, reason: str) -> None:
    """Whatever a text contains, it is shown, and adds no element."""
    finding = make_finding(found=found, because=(reason,), expected_because=reason)
    page = Page(Outcome(reports=[Report(target=target, findings=(finding,))], notes=(reason,)))
    assert set(page.tags) <= ELEMENTS
    for each in (target, found, reason):
        assert " ".join(printable(each).replace("`", "").split()) in page.words.replace("`", "")


@given(outcome=outcomes)
@settings(max_examples=20)
def test_any_outcome(outcome: Outcome) -> None:
    """Any outcome is a page whose links lead somewhere, and that loads nothing."""
    page = Page(outcome)
    ids = Counter(page.values("id"))
    assert set(ids.values()) <= {1}
    assert all(target.removeprefix("#") in ids for target in page.values("href"))
    assert page.values("src") == []
    assert page.tags["script"] == page.tags["link"] == 0


def test_without_jinja2(run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jinja2, the error says how to install it, before anything is checked."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "backend_contract._conformance.formats.html", raising=False)
    shown = run_main("check", "--output-format", "html", "mine.py:Good")
    assert (shown.status, shown.out, shown.err.count("\n")) == (2, "", 1)
    assert "requires jinja2; install it with: pip install 'backend-contract[check]'" in shown.err
