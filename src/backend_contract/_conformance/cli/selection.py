"""The clauses that a run reports: those that are selected, without those that are ignored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from backend_contract._conformance.results import Report
from backend_contract.clauses import CLAUSES, in_layer
from backend_contract.errors import CouldNotCheckError

__all__ = ["Selection", "select_clauses"]


class Selection:
    """The clauses that a run can decide, divided into those that it reports and the others."""

    def __init__(self, selected: Iterable[str], decidable: Sequence[str]) -> None:
        self.selected = [clause for clause in decidable if clause in {*selected}]
        self.not_selected = tuple(clause for clause in decidable if clause not in self.selected)

    def filter(self, report: Report) -> Report:
        """Return *report* with the findings on the selected clauses only."""
        findings = (each for each in report.findings if each.clause.id in self.selected)
        return replace(report, findings=tuple(findings))


def select_clauses(select: Sequence[str], ignore: Sequence[str], layers: str) -> Selection:
    """Return the clauses of *layers* whose ids begin with one of *select* and none of *ignore*.

    Without *select*, all are selected. Raises :class:`CouldNotCheckError` if a prefix matches no
    clause, or if no clause of *layers* is left.
    """
    selected = _matching(select, "select") if select else {*CLAUSES}
    selected -= _matching(ignore, "ignore")
    decidable = sorted({clause.id for layer in layers for clause in in_layer(layer)})
    selection = Selection(selected, decidable)
    if not selection.selected:
        needs_run = selected and "B" not in layers
        raise CouldNotCheckError(
            "select and ignore leave no clause to check"
            + (f"; {', '.join(sorted(selected))}: add --run" if needs_run else "")
        )
    return selection


def _matching(prefixes: Sequence[str], name: str) -> set[str]:
    """Return the clauses whose ids begin with one of *prefixes*."""
    found: set[str] = set()
    for prefix in prefixes:
        wanted = prefix.strip().upper()
        matching = {clause for clause in CLAUSES if wanted and clause.startswith(wanted)}
        if not matching:
            raise CouldNotCheckError(
                f"{name}: {prefix!r} matches no clause; known are {', '.join(CLAUSES)}"
            )
        found |= matching
    return found
