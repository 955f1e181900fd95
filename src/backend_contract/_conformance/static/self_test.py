"""The self-test of a checker: canaries, which are backends with known verdicts.

Every run of a checker includes them. If a single verdict on them is not the known one, the results
of the run are discarded, so a checker that sees nothing never makes a target pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.static.probe import (
    PROBED,
    Errors,
    Probe,
    decide,
    has_unresolved_base,
    import_error,
)
from backend_contract.errors import CouldNotCheckError

CANARIES = (Path(__file__).parent / "canaries.py.txt").read_text(encoding="utf-8")
"""The source of the module of canaries."""
CANARY_MODULE = "backend_contract_canaries"
"""The name of that module."""
_KNOWN = dict(re.findall(r"^class (\w+).*:  # (.+)$", CANARIES, re.MULTILINE))
CANARY_PROBES = {name: Probe(CANARY_MODULE, name) for name in _KNOWN}
"""The probe of each canary, by the name of its class."""


def require_known_verdicts(canary: str, errors: Errors, checked_by: str) -> None:
    """Raise :class:`CouldNotCheckError` if a verdict on a canary is not the known one."""
    for clause in PROBED:
        verdict, marks = decide(clause, errors)
        known = known_verdicts(canary, clause.id)
        if verdict not in known:
            messages = [m for mark in marks for m in errors.get(mark.line, ())]
            message = import_error(errors) or next(iter(messages), "nothing")
            expected = " or ".join(each.value for each in known)
            raise CouldNotCheckError(
                f"{checked_by} failed a built-in self-test ({canary}/{clause.id}: expected "
                f"{expected}, got {verdict.value}); its results were discarded; it reported: "
                f"{message}"
            )
    if has_unresolved_base(errors) is not (canary == "UntypedByItsBase"):
        raise CouldNotCheckError(
            f"{checked_by} failed a built-in self-test ({canary}: it does not tell a base class "
            "that is `Any` from others); its results were discarded"
        )


def known_verdicts(canary: str, clause: str) -> Sequence[Verdict]:
    """Return the verdicts that a working checker may give on a clause of a canary."""
    known = _KNOWN[canary]
    for verdict in (Verdict.UNCHECKED, Verdict.VIOLATED):
        if known == verdict.value:
            return (verdict,)
    words = known.split()
    for letter, verdicts in _LETTERS.items():
        if f"{clause}{letter}" in words:
            return verdicts
    return (Verdict.OK,)


_LETTERS = {
    "": (Verdict.VIOLATED,),
    "u": (Verdict.UNCHECKED,),
    "x": (Verdict.VIOLATED, Verdict.UNCHECKED),
}
