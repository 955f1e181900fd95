"""Unusual but sound backends violate nothing."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.behavioural.unusual import UNUSUAL

from backend_contract._conformance.results import Verdict
from backend_contract.testing import check_backend

ALWAYS = {case[0].__name__ for case in UNUSUAL[::16]} - {"WithProcess"}
"""One in sixteen, in the default run; ``nox -s kit`` tries all."""
KEEPS_THREADS = {"KeepsItsMetricsThread", "WritesInAnotherThread"}


@pytest.mark.parametrize(
    ("cls", "given", "undecided"),
    [
        pytest.param(
            *case,
            id=case[0].__name__,
            marks=() if case[0].__name__ in ALWAYS else pytest.mark.exhaustive,
        )
        for case in UNUSUAL
    ],
)
def test_unusual(cls: type, given: dict[str, Any], undecided: set[str]) -> None:
    """An unusual backend violates nothing."""
    report = check_backend(cls, **given)
    assert report.error is None
    others = {f.clause.id: f for f in report.findings if f.verdict is not Verdict.OK}
    assert set(others) == undecided, str(report)
    undecided_verdicts = {finding.verdict for finding in others.values()}
    allowed = {Verdict.UNCHECKED, Verdict.NOT_APPLICABLE, Verdict.NEEDS_A_SUITE}
    assert undecided_verdicts <= allowed
    keeps_threads = cls.__name__ in KEEPS_THREADS
    notes = [note for note in report.notes if not note.startswith("only half of")]
    assert bool(notes) is keeps_threads
    assert all(note.startswith("still running: the daemon thread") for note in notes)
