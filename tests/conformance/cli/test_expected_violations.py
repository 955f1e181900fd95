"""Expected violations, held against what was found; `test_settings.py` has them in whole runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from backend_contract._conformance.cli.expected_violations import mark_expected
from backend_contract._conformance.cli.settings import ExpectedViolation, Settings
from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract._conformance.source.environment import this_environment
from backend_contract._conformance.source.targets import find_targets
from backend_contract.clauses import CLAUSES
from backend_contract.errors import CouldNotCheckError

SOURCE = """\
from backend_contract import LocalBackend

class First(LocalBackend): ...
class Second(LocalBackend): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(SOURCE)
    return tmp_path


def reasons(
    project: Path,
    expected: Sequence[tuple[str, str]],
    targets: Sequence[str] = ("mine.py:First", "mine.py:Second"),
    everything: bool = True,
) -> dict[str, dict[str, str]]:
    """Why which violations are expected, of each target, where BC302 and BC303 are violated."""
    settings = Settings(
        project, expected_violations=tuple(ExpectedViolation(*e, f"of {e[0]}") for e in expected)
    )
    found = find_targets(targets, here=project)
    findings = tuple(
        Finding(CLAUSES[clause], Verdict.VIOLATED, project / "mine.py", 3)
        for clause in ("BC302", "BC303")
    )
    reports = [Report(target, findings, notes=("a note",)) for target in targets]
    marked = mark_expected(settings, this_environment(), found, reports, everything)
    assert [(report.target, report.notes) for report in marked] == [
        (report.target, report.notes) for report in reports
    ]
    return {
        report.target: {f.clause.id: f.expected_because for f in report.findings}
        for report in marked
    }


NONE = {"BC302": "", "BC303": ""}


def test_a_clause_of_a_class_is_marked_and_no_other(project: Path) -> None:
    assert reasons(project, [("mine.py:First", "BC303")]) == {
        "mine.py:First": {"BC302": "", "BC303": "of mine.py:First"},
        "mine.py:Second": NONE,
    }
    both = reasons(project, [("mine.py:Second", "BC303"), ("mine.py:Second", "BC302")])
    assert both["mine.py:Second"] == dict.fromkeys(NONE, "of mine.py:Second")
    assert reasons(project, [])["mine.py:First"] == NONE


def test_a_class_is_the_same_however_it_is_named(project: Path) -> None:
    assert reasons(project, [("mine:Second", "BC302")])["mine.py:Second"]["BC302"]
    named = reasons(project, [("mine.py:First", "BC302")], ["mine:First"])
    assert named == {"mine:First": {"BC302": "of mine.py:First", "BC303": ""}}


def test_an_expectation_about_no_target_is_an_error_where_all_were_checked(project: Path) -> None:
    expected = [("mine.py:Second", "BC303")]
    with pytest.raises(CouldNotCheckError, match=r"mine\.py:Second is not among the targets"):
        reasons(project, expected, ["mine.py:First"])
    some = reasons(project, expected, ["mine.py:First"], everything=False)
    assert some == {"mine.py:First": NONE}


def test_an_expectation_about_no_class_is_an_error(project: Path) -> None:
    with pytest.raises(CouldNotCheckError, match=r"^expected-violations: .*no class 'Third'"):
        reasons(project, [("mine.py:Third", "BC303")], everything=False)


def test_a_target_that_is_none_has_nothing_expected_of_it(project: Path) -> None:
    targets = ["mine.py:First", "mine.py:Third"]
    assert reasons(project, [("mine.py:First", "BC303")], targets)["mine.py:Third"] == NONE
