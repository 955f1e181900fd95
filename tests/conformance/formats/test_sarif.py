"""The format ``sarif``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsonschema
import pytest
from support import make_finding

from backend_contract._conformance.formats import render
from backend_contract._conformance.results import Outcome, Report, Verdict

if TYPE_CHECKING:
    from conformance.formats.conftest import Validate


def text(outcome: Outcome) -> str:
    return "\n".join(render(outcome, "sarif", color=False))


@pytest.mark.parametrize("document", ["{}", "[]", '{"version": "2.1.0"}'])
def test_schema_rejects(document: str, validate: Validate) -> None:
    """The schema rejects documents that are not logs."""
    with pytest.raises(jsonschema.ValidationError):
        validate(document, "sarif")


def test_log(outcome: Outcome, validate: Validate) -> None:
    """Clauses are rules; each finding that is not ok is a result at its line."""
    (run,) = validate(text(outcome), "sarif")["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["BC309", "BC101", "BC102"]
    assert [(r["ruleId"], r["level"]) for r in run["results"]] == [
        ("BC309", "note"),  # expected
        ("BC101", "error"),
        ("BC102", "note"),  # blocked
        ("BC309", "warning"),  # unchecked
    ]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    expected, violated, *_ = run["results"]
    assert [s["justification"] for s in expected["suppressions"]] == ["an old server"]
    assert violated["suppressions"] == []
    location = violated["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "mine.py", "uriBaseId": "%SRCROOT%"}
    assert location["region"] == {"startLine": 12}
    assert run["invocations"][0]["executionSuccessful"]


def test_level(violation: Outcome, validate: Validate) -> None:
    """A violation of MUST is an error; one of SHOULD is a warning."""
    (finding,) = violation.findings
    (result,) = validate(text(violation), "sarif")["runs"][0]["results"]
    assert result["level"] == {"MUST": "error", "SHOULD": "warning"}[finding.clause.level.value]


def test_stale(validate: Validate) -> None:
    """An expected violation that does not occur is an error, and is not suppressed."""
    stale = make_finding("BC303", Verdict.OK, layer="B", expected_because="known")
    outcome = Outcome(reports=[Report(target="a:B", findings=(stale,))])
    (result,) = validate(text(outcome), "sarif")["runs"][0]["results"]
    assert (result["level"], result["suppressions"]) == ("error", [])
