"""The self-test: known verdicts pass, a single different one discards the results."""

from __future__ import annotations

import pytest

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.static import probe
from backend_contract._conformance.static.probe import (
    CANARY_PROBES,
    known_verdicts,
    require_known_verdicts,
)
from backend_contract.errors import CouldNotCheckError

every_canary = pytest.mark.parametrize("canary", CANARY_PROBES)


@every_canary
def test_known_verdicts(canary: str, lines_of_canaries: dict[str, set[int]]) -> None:
    """The verdicts by mypy are the known ones."""
    errors = {line: ["wrong"] for line in lines_of_canaries[canary]}
    require_known_verdicts(canary, errors, "mypy 2")


@every_canary
def test_unresolved_base(canary: str, lines_of_canaries: dict[str, set[int]]) -> None:
    """A checker that does not tell a base class that is `Any` from others fails."""
    errors = {line: ["wrong"] for line in lines_of_canaries[canary] ^ {probe.SEEN_LINE}}
    with pytest.raises(
        CouldNotCheckError, match=rf"^mypy 2 failed .*self-test \({canary}: .*`Any`"
    ):
        require_known_verdicts(canary, errors, "mypy 2")


@pytest.mark.parametrize("clause", [clause.id for clause in probe.PROBED])
@every_canary
def test_single_clause(canary: str, clause: str, lines_of_canaries: dict[str, set[int]]) -> None:
    """A checker with a different verdict on one clause of one canary fails."""
    errors = {line: ["wrong"] for line in lines_of_canaries[canary]}
    is_ok = Verdict.OK in known_verdicts(canary, clause)
    for mark in (mark for mark in probe.MARKS if mark.clause == clause):
        # An error at each use breaks what holds; one only where it is due keeps what does not.
        if is_ok or mark.kind in ("typed", "returns"):
            errors[mark.line] = ["wrong"]
        else:
            errors.pop(mark.line, None)
    with pytest.raises(CouldNotCheckError, match=rf"self-test \({canary}/{clause}: expected "):
        require_known_verdicts(canary, errors, "mypy 2")


def test_known_verdicts_of_canaries() -> None:
    """Every verdict occurs, and some canaries keep one clause and not another."""
    known = [known_verdicts(c, clause.id) for c in CANARY_PROBES for clause in probe.PROBED]
    assert (Verdict.OK,) in known
    assert (Verdict.UNCHECKED,) in known
    assert (Verdict.VIOLATED,) in known
    assert known_verdicts("NeverReturns", "BC309") == (Verdict.VIOLATED, Verdict.UNCHECKED)
    assert known_verdicts("NeverReturns", "BC201") == (Verdict.OK,)
