"""Caikit's LocalBackend in the conformance kit: the clauses it keeps, and the one it violates."""

from __future__ import annotations

from caikit.core.module_backends import LocalBackend

from backend_contract._conformance.results import Verdict
from backend_contract.testing import check_backend


def test_local_backend() -> None:
    """Caikit's LocalBackend violates BC203 only: it raises AssertionError."""
    report = check_backend(LocalBackend)
    assert report.error is None
    assert all(note.startswith("only half of ") for note in report.notes)
    others = {f.clause.id: f for f in report.findings if f.verdict is not Verdict.OK}
    assert {clause: finding.verdict.value for clause, finding in others.items()} == {
        "BC202": "unchecked",
        "BC203": "violated",
        "BC204": "blocked",
        "BC206": "blocked",
        "BC308": "needs a suite",  # the kit cannot make its start() fail or block
        "BC405": "needs a suite",
        "BC506": "needs a suite",  # it stores no contexts
    }
    assert "register_config() raised AssertionError" in others["BC203"].found
