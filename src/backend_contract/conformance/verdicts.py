"""What is said of a clause and a class, whichever layer looked."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from backend_contract.clauses import Clause
from backend_contract.errors import ContractError

__all__ = [
    "CouldNotCheckError",
    "Decider",
    "Finding",
    "Outcome",
    "Report",
    "Verdict",
    "combine",
    "combine_reports",
]


class CouldNotCheckError(ContractError):
    """There is no verdict; the message says, in one line, why and what to do."""


class Verdict(enum.Enum):
    """What can be said of one clause."""

    OK = "ok"
    VIOLATED = "violated"
    UNCHECKED = "unchecked"
    """Nothing was seen to be wrong, and nothing was shown to be right."""
    BLOCKED = "blocked"
    """Another clause has to hold first."""
    NOT_APPLICABLE = "not applicable"
    """It speaks of what the backend says it does not do."""


class Finding(NamedTuple):
    """The verdict on one clause."""

    clause: Clause
    verdict: Verdict
    path: Path
    line: int
    found: str = ""
    """The member, as the source has it."""
    because: tuple[str, ...] = ()
    """What was said against it; why it is unchecked; the id of the clause that blocks it."""
    layer: str = "S"
    """Who looked: ``S`` a type checker, ``R`` inspection of the class, ``B`` behaviour."""
    by: str = ""
    """Who decided, with a version where there is one: ``mypy 2.4.1``, ``inspection``."""
    parts: tuple[Finding, ...] = ()
    """What this one is the sum of, where more than one has looked."""
    expected_because: str = ""
    """Why a violation is expected; empty where none is."""

    @property
    def deciders(self) -> tuple[Decider, ...]:
        """Who has looked."""
        return tuple(Decider(part.layer, part.by) for part in self.parts or (self,))

    @property
    def is_stale(self) -> bool:
        """Whether a violation was expected that has not occurred."""
        return bool(self.expected_because) and self.verdict is not Verdict.VIOLATED

    @property
    def only_warns(self) -> bool:
        """Whether it is a violation of a clause that is too new to fail a run."""
        return self.verdict is Verdict.VIOLATED and self.clause.only_warns

    def fails(self, strict: bool) -> bool:
        """Whether a run fails for it; ``strict`` lets unchecked clauses fail as well."""
        if self.expected_because:
            return self.is_stale
        failing = (Verdict.VIOLATED, Verdict.UNCHECKED) if strict else (Verdict.VIOLATED,)
        return self.verdict in failing and not self.clause.only_warns


class Decider(NamedTuple):
    """Somebody who decides clauses, in one of the layers."""

    layer: str
    by: str


class Report(NamedTuple):
    """What is to be said of one target: a finding a clause, or why there is none."""

    target: str
    findings: tuple[Finding, ...] = ()
    error: str | None = None
    notes: tuple[str, ...] = ()
    """What is to be known beside, such as what could not be stopped."""


class Outcome(NamedTuple):
    """All there is to say of one run."""

    reports: Sequence[Report] = ()
    problems: tuple[str, ...] = ()
    """What could not be done, beyond the errors in the reports."""
    strict: bool = False
    """Whether unchecked clauses fail, as violated ones do."""

    @property
    def errors(self) -> list[tuple[str | None, str]]:
        """Why something could not be checked: the target, if it is one's alone, and a line."""
        of_targets = [(report.target, report.error) for report in self.reports if report.error]
        return [*of_targets, *((None, problem) for problem in self.problems)]

    @property
    def deciders(self) -> tuple[Decider, ...]:
        """Who has looked, at any target."""
        findings = [finding for report in self.reports for finding in report.findings]
        return tuple(dict.fromkeys(each for finding in findings for each in finding.deciders))

    @property
    def fails(self) -> bool:
        """Whether something is violated, or else fails a run."""
        findings = (finding for report in self.reports for finding in report.findings)
        return any(finding.fails(self.strict) for finding in findings)


_WORST_FIRST = (
    Verdict.VIOLATED,
    Verdict.UNCHECKED,
    Verdict.BLOCKED,
    Verdict.NOT_APPLICABLE,
    Verdict.OK,
)
_BEST_KNOWN_FIRST = (
    Verdict.VIOLATED,
    Verdict.OK,
    Verdict.NOT_APPLICABLE,
    Verdict.BLOCKED,
    Verdict.UNCHECKED,
)


def combine(findings: Sequence[Finding]) -> Finding:
    """What several findings on one clause of one class come to; at least one is given.

    Of those in one layer the worst counts: violated, unchecked, blocked, ok; so nothing is green
    because somebody was blind. Layers add to each other: what any of them finds violated is, and
    else what any of them finds ok, since a layer may be unable to see what another has shown.
    """
    findings = [part for finding in findings for part in finding.parts or (finding,)]
    if len(findings) == 1:
        return findings[0]
    of_layers = [
        min(
            (finding for finding in findings if finding.layer == layer),
            key=lambda finding: _WORST_FIRST.index(finding.verdict),
        )
        for layer in dict.fromkeys(finding.layer for finding in findings)
    ]
    telling = min(of_layers, key=lambda finding: _BEST_KNOWN_FIRST.index(finding.verdict))
    agreeing = [finding for finding in findings if finding.verdict is telling.verdict]
    reasons = dict.fromkeys(reason for finding in agreeing for reason in finding.because)
    return telling._replace(because=tuple(reasons), parts=tuple(findings))


def combine_reports(reports: Sequence[Report]) -> Report:
    """One report of several on the same target; at least one is given."""
    by_clause: dict[str, list[Finding]] = {}
    for finding in (finding for report in reports for finding in report.findings):
        by_clause.setdefault(finding.clause.id, []).append(finding)
    findings = tuple(combine(by_clause[clause]) for clause in sorted(by_clause))
    errors = dict.fromkeys(report.error for report in reports if report.error is not None)
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    return Report(reports[0].target, findings, "; ".join(errors) or None, tuple(notes))
