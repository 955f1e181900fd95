"""The format ``json``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
from support import make_finding

from backend_contract._conformance.formats import render
from backend_contract._conformance.results import NotChecked, Outcome, Report, Verdict, combine
from backend_contract.clauses import CLAUSES

if TYPE_CHECKING:
    from conformance.formats.conftest import Validate


def text(outcome: Outcome) -> str:
    return "\n".join(render(outcome, "json", color=False))


@pytest.mark.parametrize("document", ["{}", "[]", '{"schema_version": 2}'])
def test_schema_rejects(document: str, validate: Validate) -> None:
    """The schema rejects documents that are not reports."""
    with pytest.raises(jsonschema.ValidationError):
        validate(document, "json")


def test_report(outcome: Outcome, validate: Validate) -> None:
    """A document contains the findings of every target."""
    document = validate(text(outcome), "json")
    (source,) = document["sources"]
    assert source["layer"] == "S"
    assert source["checked_by"].startswith("mypy ")
    targets = [report["target"] for report in document["reports"]]
    assert targets == ["mine.py:Bad", "mine.py:Nameless", "mine.py:Open"]
    bad, nameless, open_ = (report["findings"] for report in document["reports"])
    (violation,) = (finding for finding in bad if finding["verdict"] == "violated")
    assert (violation["clause"], violation["level"]) == ("BC309", "MUST")
    assert (violation["path"], violation["line"]) == ("mine.py", 6)
    assert violation["found"] == "def start(self) -> int"
    assert violation["expected"] == CLAUSES["BC309"].expected
    assert violation["layers"] == ["S"]
    assert (violation["fails"], violation["expected_because"]) == (False, "an old server")
    verdicts = {finding["clause"]: finding["verdict"] for finding in nameless}
    assert (verdicts["BC101"], verdicts["BC102"]) == ("violated", "blocked")
    assert {finding["verdict"] for finding in open_} == {"ok", "unchecked"}
    assert (document["lenient"], document["error_on_warning"]) == (True, False)


def test_opened(validate: Validate) -> None:
    """A document names what was left out, and what was not checked."""
    missed = NotChecked(name="Other", path=Path("other.py"), line=3, because="five members")
    outcome = Outcome(
        not_checked=[missed], excluded=("old.py",), not_selected=("BC101",), notes=("skipped",)
    )
    document = validate(text(outcome), "json")
    assert document["not_checked"] == [
        {"name": "Other", "path": "other.py", "line": 3, "because": "five members"}
    ]
    assert (document["excluded"], document["not_selected"]) == (["old.py"], ["BC101"])
    assert (document["notes"], document["lenient"]) == (["skipped"], False)


@pytest.mark.parametrize("advice", ["", "write `def start(self) -> None`"])
def test_advice(advice: str, validate: Validate) -> None:
    """Advice on a finding stands beside the fix of its clause."""
    report = Report(target="a:B", findings=(make_finding(advice=advice),))
    (written,) = validate(text(Outcome(reports=[report])), "json")["reports"][0]["findings"]
    assert written["advice"] == (advice or None)
    assert written["fix"] == CLAUSES["BC309"].fix


def test_parts(validate: Validate) -> None:
    """A combined finding lists its parts; notes and errors are kept."""
    parts = [make_finding(), make_finding(verdict=Verdict.OK, layer="B", checked_by="the kit")]
    reports = [
        Report(target="a:B", findings=(combine(parts),), notes=("a note",)),
        Report(target="a:C", error="it failed"),
        Report(target="", error="no a:D"),
    ]
    document = validate(text(Outcome(reports=reports, problems=("no ty",))), "json")
    (report,) = document["reports"]
    (finding,) = report["findings"]
    assert finding["layers"] == ["B", "S"]
    verdicts = [(part["checked_by"], part["verdict"]) for part in finding["parts"]]
    assert verdicts == [("mypy 2.4.1", "violated"), ("the kit", "ok")]
    assert report["notes"] == ["a note"]
    assert document["errors"] == [
        {"target": "a:C", "message": "it failed"},
        {"target": None, "message": "no a:D"},
        {"target": None, "message": "no ty"},
    ]


def test_level(violation: Outcome, validate: Validate) -> None:
    """A violation of MUST fails; one of SHOULD does not."""
    document = validate(text(violation), "json")
    (finding,) = document["reports"][0]["findings"]
    assert finding["verdict"] == "violated"
    assert finding["level"] == violation.findings[0].clause.level.value
    assert finding["fails"] is (finding["level"] == "MUST")
