"""Helpers that tests of several folders share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from backend_contract import LocalBackend
from backend_contract._conformance.results import Finding, Verdict
from backend_contract.clauses import CLAUSES

__all__ = ["Mine", "make_finding"]


class Mine(LocalBackend):
    """A backend that keeps every clause."""

    backend_type = "MINE"


def make_finding(
    clause: str = "BC309", verdict: Verdict = Verdict.VIOLATED, **changes: Any
) -> Finding:
    """Return a finding of layer S; *changes* are fields that differ from the usual ones."""
    usual = Finding(
        clause=CLAUSES[clause],
        verdict=verdict,
        path=Path("mine.py"),
        line=6,
        found="def start(self) -> int",
        because=("a reason",),
        checked_by="mypy 2.4.1",
    )
    return replace(usual, **changes)
