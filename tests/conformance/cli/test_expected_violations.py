"""Expected violations, marked in reports; `test_settings.py` tries them in whole runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support import make_finding

from backend_contract._conformance.cli.expected_violations import mark_expected
from backend_contract._conformance.cli.settings import ExpectedViolation, Settings
from backend_contract._conformance.results import Report
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.environment import this_environment
from backend_contract.errors import CouldNotCheckError


def reasons(
    project: Path,
    expected: Sequence[tuple[str, str]],
    targets: Sequence[str] = ("mine.py:Good", "mine.py:Bad"),
    *,
    all_targets: bool = True,
) -> dict[str, dict[str, str]]:
    """Return the reason per target and clause, if BC302 and BC303 are violated everywhere."""
    settings = Settings(
        directory=project,
        expected_violations=tuple(
            ExpectedViolation(target=target, clause=clause, reason=f"of {target}")
            for target, clause in expected
        ),
    )
    found = find_targets(targets, this_environment(), project)
    findings = tuple(make_finding(clause) for clause in ("BC302", "BC303"))
    reports = [Report(target=target, findings=findings, notes=("a note",)) for target in targets]
    marked = mark_expected(settings, this_environment(), found, reports, all_targets)
    unmarked = [
        replace(r, findings=tuple(replace(f, expected_because="") for f in r.findings))
        for r in marked
    ]
    assert unmarked == reports
    return {
        report.target: {f.clause.id: f.expected_because for f in report.findings}
        for report in marked
    }


NONE = {"BC302": "", "BC303": ""}


def test_marks(project: Path) -> None:
    """Only the named clauses of the named class are marked."""
    assert reasons(project, [("mine.py:Good", "BC303")]) == {
        "mine.py:Good": {"BC302": "", "BC303": "of mine.py:Good"},
        "mine.py:Bad": NONE,
    }
    both = reasons(project, [("mine.py:Bad", "BC303"), ("mine.py:Bad", "BC302")])
    assert both["mine.py:Bad"] == dict.fromkeys(NONE, "of mine.py:Bad")
    assert reasons(project, [])["mine.py:Good"] == NONE


def test_names(project: Path) -> None:
    """A class is recognized by any of its names."""
    assert reasons(project, [("mine:Bad", "BC302")])["mine.py:Bad"]["BC302"]
    named = reasons(project, [("mine.py:Good", "BC302")], ["mine:Good"])
    assert named == {"mine:Good": {"BC302": "of mine.py:Good", "BC303": ""}}


def test_not_a_target(project: Path) -> None:
    """An entry about a class outside the targets is an error, unless only some are checked."""
    expected = [("mine.py:Bad", "BC303")]
    with pytest.raises(CouldNotCheckError, match=r"mine\.py:Bad is not among the targets"):
        reasons(project, expected, ["mine.py:Good"])
    some = reasons(project, expected, ["mine.py:Good"], all_targets=False)
    assert some == {"mine.py:Good": NONE}


def test_not_a_class(project: Path) -> None:
    """An entry that does not name a class is an error."""
    with pytest.raises(CouldNotCheckError, match=r"^expected-violations: .*'Third'"):
        reasons(project, [("mine.py:Third", "BC303")], all_targets=False)


def test_bad_target(project: Path) -> None:
    """A target that was not found has no expected violations."""
    targets = ["mine.py:Good", "mine.py:Third"]
    assert reasons(project, [("mine.py:Good", "BC303")], targets)["mine.py:Third"] == NONE
