"""The self-test: known verdicts pass, a single different one discards the results."""

from __future__ import annotations

import pytest

from backend_contract._conformance.static import probe
from backend_contract._conformance.static.self_test import CANARY_PROBES, require_known_verdicts
from backend_contract.clauses import in_layer
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


@pytest.mark.parametrize("clause", [clause.id for clause in in_layer("S")])
@every_canary
def test_single_clause(canary: str, clause: str, lines_of_canaries: dict[str, set[int]]) -> None:
    """A checker with a different verdict on one clause of one canary fails."""
    errors = {line: ["wrong"] for line in lines_of_canaries[canary]}
    for mark in (mark for mark in probe.MARKS if mark.clause == clause):
        if canary.startswith("Breaks"):
            errors.pop(mark.line, None)
        else:
            errors[mark.line] = ["wrong"]
    with pytest.raises(CouldNotCheckError, match=rf"self-test \({canary}/{clause}: expected "):
        require_known_verdicts(canary, errors, "mypy 2")
