"""The format ``junit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from conformance.formats.outcomes import outcomes
from hypothesis import given, settings
from support import make_finding

from backend_contract._conformance.formats import render
from backend_contract._conformance.results import NotChecked, Outcome, Report, Verdict

if TYPE_CHECKING:
    from conftest import Main

# What Jenkins and GitLab read: the children and the attributes of each element.
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase", "system-out"},
    "testcase": {"failure", "error", "skipped"},
}
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped"},
    "testcase": {"name", "classname"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message", "type"},
    "system-out": set[str](),
}


def parse(text: str) -> ET.Element:
    """Parse a document, and require the structure and the counts of JUnit XML."""
    root = ET.fromstring(text)  # noqa: S314 - our own output; rejects what XML forbids
    assert root.tag == "testsuites"
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        assert set(element.keys()) <= ATTRIBUTES[element.tag]
        if element.tag in ("testsuite", "testsuites"):
            assert set(element.keys()) == ATTRIBUTES[element.tag]
            for kind, counted in (
                ("tests", "testcase"),
                ("failures", "failure"),
                ("errors", "error"),
                ("skipped", "skipped"),
            ):
                if kind in element.attrib:
                    assert int(element.attrib[kind]) == len([*element.iter(counted)])
        if element.tag == "testcase":
            assert len(element) <= 1
    return root


def document(outcome: Outcome) -> ET.Element:
    return parse("\n".join(render(outcome, "junit", color=False)))


def results(root: ET.Element) -> dict[tuple[str, str], str]:
    """Return the result of each case that did not simply pass, by suite and beginning of name."""
    return {
        (suite.attrib["name"], case.attrib["name"].partition(":")[0]): case[0].tag
        for suite in root
        for case in suite.iter("testcase")
        if len(case)
    }


def test_suites(outcome: Outcome) -> None:
    """Each target is a suite, and each clause a case."""
    root = document(outcome)
    assert [suite.get("name") for suite in root] == [*(r.target for r in outcome.reports), "notes"]
    assert [suite.get("tests") for suite in root] == ["10", "8", "10", "0"]
    assert results(root) == {
        ("mine.py:Bad", "BC309"): "skipped",  # expected
        ("mine.py:Nameless", "BC101"): "failure",
        ("mine.py:Nameless", "BC102"): "skipped",  # blocked
        ("mine.py:Open", "BC309"): "skipped",  # unchecked, in a lenient run
    }
    (failure,) = root.iter("failure")
    assert failure.get("type") == "violated"
    assert "found: backend_type = 7" in str(failure.text).splitlines()
    assert "see: backend-contract explain BC101" in str(failure.text)


@pytest.mark.parametrize(("lenient", "result"), [(False, "failure"), (True, "skipped")])
def test_unchecked(lenient: bool, result: str) -> None:
    """Unchecked clauses and classes fail, unless the run is lenient."""
    report = Report(target="a:B", findings=(make_finding(verdict=Verdict.UNCHECKED),))
    missing = NotChecked(name="C", path=Path("c.py"), line=3, because="unknown base")
    root = document(Outcome(reports=[report], not_checked=[missing], lenient=lenient))
    assert set(results(root).values()) == {result}
    assert len(results(root)) == 2


def test_errors() -> None:
    """What could not be checked is an error."""
    root = document(Outcome(reports=[Report(target="a:B", error="broken")], problems=("no ty",)))
    assert [(e.tag, e.get("message")) for e in root.iter("error")] == [
        ("error", "broken"),
        ("error", "no ty"),
    ]
    assert root.get("errors") == "2"


def test_level(violation: Outcome) -> None:
    """A violation of MUST is a failure; one of SHOULD is not."""
    (result,) = results(document(violation)).values()
    must = violation.findings[0].clause.level.value == "MUST"
    assert result == ("failure" if must else "skipped")


@pytest.mark.exhaustive
@given(outcome=outcomes)
@settings(max_examples=40)
def test_any_outcome(outcome: Outcome) -> None:
    """Any outcome is well-formed, and no character is lost to XML."""
    root = document(outcome)
    failing = sum(outcome.is_failure(finding) for finding in outcome.findings)
    unchecked = 0 if outcome.lenient else len(outcome.not_checked)
    assert root.get("failures") == str(failing + unchecked)
    assert root.get("errors") == str(len(outcome.errors))


@pytest.mark.parametrize(
    "text", ["<a/>", "<testsuites/>", "<testsuites", "<testsuites>\x1b</testsuites>"]
)
def test_parse_rejects(text: str) -> None:
    """Documents of another structure, and those that are not XML, are rejected."""
    with pytest.raises((ET.ParseError, AssertionError)):
        parse(text)


def test_command(run_main: Main) -> None:
    """The command prints the document, and its status is that of the run."""
    shown = run_main("check", "--output-format", "junit", "mine.py:Bad")
    assert shown.status == 1
    assert results(parse(shown.out)) == {("mine.py:Bad", "BC309"): "failure"}
