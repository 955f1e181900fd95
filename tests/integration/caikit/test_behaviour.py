"""Caikit's LocalBackend, tried clause by clause: what it keeps, and the clause it breaks."""

from __future__ import annotations

from caikit.core.module_backends import LocalBackend

from backend_contract._conformance.results import Verdict
from backend_contract.testing import check_backend


def test_caikits_local_backend_refuses_to_be_configured_in_a_way_of_its_own() -> None:
    report = check_backend(LocalBackend)
    assert report.error is None
    assert report.notes == ()
    others = {f.clause.id: f for f in report.findings if f.verdict is not Verdict.OK}
    assert {clause: finding.verdict.value for clause, finding in others.items()} == {
        "BC202": "unchecked",
        "BC203": "violated",  # an AssertionError, not a NotImplementedError
        "BC204": "blocked",
        "BC308": "unchecked",  # its start() has no work that could fail, or be held
        "BC405": "unchecked",
        "BC506": "unchecked",  # what arrived can be seen nowhere
    }
    assert "register_config() raised AssertionError: LOCAL backend does not support" in (
        others["BC203"].found
    )
