"""Backends that are unusual, and keep the contract all the same: none of them is blamed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from backend_contract._conformance.results import Verdict
from backend_contract.testing import check_backend

sys.path.insert(0, str(Path(__file__).parent))
from conformance.behavioural.unusual import UNUSUAL


@pytest.mark.parametrize(
    ("cls", "given", "undecided"), UNUSUAL, ids=[cls.__name__ for cls, _, _ in UNUSUAL]
)
def test_it_passes(cls: type, given: dict[str, Any], undecided: set[str]) -> None:
    report = check_backend(cls, **given)
    assert report.error is None
    others = {f.clause.id: f for f in report.findings if f.verdict is not Verdict.OK}
    assert set(others) == undecided, [tuple(finding) for finding in others.values()]
    undecided_verdicts = {finding.verdict for finding in others.values()}
    assert undecided_verdicts <= {Verdict.UNCHECKED, Verdict.NOT_APPLICABLE}
    assert report.notes == ()
