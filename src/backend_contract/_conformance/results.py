"""The vocabulary of results: verdicts, findings and reports, whichever layer they come from."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend_contract.clauses import Clause, Level

MEMBERS = (
    "backend_type", "is_started", "register_config", "start", "stop", "start_lock",
    "handle_runtime_context",
)  # fmt: skip
"""The members of a backend, without the constructor."""


class Verdict(enum.Enum):
    """The result for one clause."""

    OK = "ok"
    VIOLATED = "violated"
    UNCHECKED = "unchecked"
    """No violation was found, and the clause was not shown to hold either."""
    BLOCKED = "blocked"
    """Another clause has to hold first."""
    NOT_APPLICABLE = "not applicable"
    """The clause is about an ability that the backend does not have."""
    NEEDS_A_SUITE = "needs a suite"
    """Only a hook of a test suite can show it."""
    NEEDS_AN_EXTRA = "needs an extra"
    """A framework that it needs is not installed."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """The layer and the checker that a finding comes from."""

    layer: str
    """``S``, static, or ``B``, behavioural."""
    checked_by: str
    """The checker, with its version if it has one, such as ``mypy 2.4.1``."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Finding:
    """The verdict on one clause for one class."""

    clause: Clause
    verdict: Verdict
    path: Path
    """The file of the member that the clause is about, or else of the class."""
    line: int
    """The line in that file, from 1 on."""
    found: str = ""
    """The member as the source defines it, or the observed behaviour."""
    because: tuple[str, ...] = ()
    """The evidence of a violation, the reasons why a clause is unchecked, or the blocking id."""
    advice: str = ""
    """How to fix this very finding; empty if the fix of the clause says it."""
    layer: str = "S"
    """``S``, static, or ``B``, behavioural."""
    checked_by: str = ""
    """The checker, with its version if it has one."""
    parts: tuple[Finding, ...] = ()
    """The findings that this one combines, if it combines several."""
    expected_because: str = ""
    """Why a violation is expected; empty if none is."""

    def __repr__(self) -> str:
        return f"<Finding {self.clause.id} {self.verdict.value}>"

    def __str__(self) -> str:
        details = "; ".join(filter(None, (self.found, *self.because)))
        text = f"{self.path}:{self.line}: {self.clause.id} {self.verdict.value}"
        return f"{text}: {details}" if details else text

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources of the findings that this one combines."""
        return tuple(
            Source(layer=part.layer, checked_by=part.checked_by) for part in self.parts or (self,)
        )

    @property
    def is_expected(self) -> bool:
        """Whether an expected violation covers the finding, which is violated or unchecked."""
        covered = (Verdict.VIOLATED, Verdict.UNCHECKED)
        return bool(self.expected_because) and self.verdict in covered

    @property
    def is_stale(self) -> bool:
        """Whether an expected violation is gone: every layer of the clause ran and found it ok.

        False if only some of these layers ran.
        """
        if not self.expected_because:
            return False
        parts = self.parts or (self,)
        all_layers = {part.layer for part in parts} == {*self.clause.layers}
        return all_layers and all(part.verdict is Verdict.OK for part in parts)

    @property
    def is_warning(self) -> bool:
        """Whether a clause of level SHOULD is violated."""
        return self.verdict is Verdict.VIOLATED and self.clause.level is Level.SHOULD

    def fails(self, *, lenient: bool = False, error_on_warning: bool = False) -> bool:
        """Return whether the finding fails a run.

        A violated or unchecked clause of level MUST does, and so does a stale expected violation.
        With *lenient*, unchecked clauses do not fail. With *error_on_warning*, clauses of level
        SHOULD fail as those of level MUST do.
        """
        if self.expected_because:
            return self.is_stale
        if self.clause.level is Level.SHOULD and not error_on_warning:
            return False
        return self.verdict is Verdict.VIOLATED or (
            self.verdict is Verdict.UNCHECKED and not lenient
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Report:
    """Results for one target: one finding per clause, an error, or both."""

    target: str
    """The class or factory, as it was named or as ``module:qualname``."""
    findings: tuple[Finding, ...] = ()
    error: str | None = None
    """Why the target could not be checked, or a part of it."""
    notes: tuple[str, ...] = ()
    """Further observations, such as threads that could not be stopped."""
    printed: str = ""
    """What the target printed while it was tried: the end of it, if it is long."""

    def __repr__(self) -> str:
        return f"<Report {self.target}: {self.error or count_verdicts(self.findings)}>"

    def __str__(self) -> str:
        undecided = (f for f in self.findings if f.verdict is not Verdict.OK)
        heading = f"{self.target}: {self.error or count_verdicts(self.findings)}"
        return "\n  ".join([heading, *map(str, undecided), *self.notes])


@dataclass(frozen=True, kw_only=True)
class NotChecked:
    """A class that looks like a backend and that the run did not check."""

    name: str
    """Its qualified name in its module."""
    path: Path
    line: int
    because: str
    """Why it looks like a backend, and why it was not checked."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The results of one run: everything that an output format shows."""

    reports: Sequence[Report] = ()
    problems: tuple[str, ...] = ()
    """Problems that do not belong to a single report, such as a missing checker."""
    notes: tuple[str, ...] = ()
    """Observations that do not belong to a single report, such as a skipped file."""
    not_checked: Sequence[NotChecked] = ()
    """Classes that look like backends; each counts as unchecked."""
    excluded: tuple[str, ...] = ()
    """The files and classes that were left out by the setting ``exclude``."""
    not_selected: tuple[str, ...] = ()
    """The ids of the clauses that the run could decide, but that were not selected."""
    lenient: bool = False
    """Whether unchecked clauses and classes do not fail."""
    error_on_warning: bool = False
    """Whether clauses of level SHOULD fail as those of level MUST do."""
    names_in_settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names of targets for the settings, if they differ from those of the command line."""

    @property
    def errors(self) -> list[tuple[str | None, str]]:
        """Pairs of a target, or ``None``, and the reason why it could not be checked."""
        of_targets = [(each.target or None, each.error) for each in self.reports if each.error]
        return [*of_targets, *((None, problem) for problem in self.problems)]

    @property
    def checked(self) -> list[Report]:
        """The reports that have findings."""
        return [report for report in self.reports if report.findings]

    @property
    def findings(self) -> list[Finding]:
        """All findings, report by report."""
        return [finding for report in self.reports for finding in report.findings]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The distinct sources of all findings."""
        return tuple(dict.fromkeys(each for finding in self.findings for each in finding.sources))

    @property
    def fails(self) -> bool:
        """Whether anything fails the run."""
        unchecked = bool(self.not_checked) and not self.lenient
        return unchecked or any(self.is_failure(finding) for finding in self.findings)

    def is_failure(self, finding: Finding) -> bool:
        """Return whether *finding* fails this run."""
        return finding.fails(lenient=self.lenient, error_on_warning=self.error_on_warning)


def count_verdicts(findings: Iterable[Finding]) -> str:
    """Return the number of findings per verdict, such as ``6 ok, 2 violated``."""
    counts = Counter(finding.verdict for finding in findings)
    return ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])


def blocked_by(clause: Clause, finding_of: Callable[[str], Finding]) -> str | None:
    """Return the id of the clause that blocks *clause*, or ``None``.

    Names the root cause: the violated clause at the end of a chain, not the blocked one before it.
    A clause of level SHOULD blocks nothing.
    """
    for required in clause.requires:
        finding = finding_of(required)
        if finding.verdict is Verdict.BLOCKED:
            return finding.because[0]
        if finding.verdict is Verdict.VIOLATED and finding.clause.level is Level.MUST:
            return required
    return None


def blocked(finding: Finding, clause: str) -> Finding:
    """Return *finding*, blocked by *clause*."""
    return replace(finding, verdict=Verdict.BLOCKED, found="", because=(clause,), advice="")


_WORST_FIRST = (
    Verdict.VIOLATED,
    Verdict.UNCHECKED,
    Verdict.BLOCKED,
    Verdict.NEEDS_A_SUITE,
    Verdict.NEEDS_AN_EXTRA,
    Verdict.NOT_APPLICABLE,
    Verdict.OK,
)
_MOST_CERTAIN_FIRST = (
    Verdict.VIOLATED,
    Verdict.OK,
    Verdict.NOT_APPLICABLE,
    Verdict.BLOCKED,
    Verdict.NEEDS_A_SUITE,
    Verdict.NEEDS_AN_EXTRA,
    Verdict.UNCHECKED,
)


def combine(findings: Sequence[Finding]) -> Finding:
    """Combine findings on one clause of one class. *findings* must not be empty.

    Within a layer the worst verdict counts, so a checker that misses a problem never hides one
    another found. Across layers, a violation in any layer counts, and otherwise an ok in any layer:
    one layer may show a property that another cannot see.
    """
    parts = [part for finding in findings for part in finding.parts or (finding,)]
    if len(parts) == 1:
        return parts[0]
    decisive = _decisive(parts)
    agreeing = [part for part in parts if part.verdict is decisive.verdict]
    reasons = dict.fromkeys(reason for part in agreeing for reason in part.because)
    advice = next(filter(None, (part.advice for part in (decisive, *agreeing))), "")
    return replace(decisive, because=tuple(reasons), advice=advice, parts=tuple(parts))


def _decisive(parts: Sequence[Finding]) -> Finding:
    """Return the finding whose verdict counts: of the worst per layer, the most certain one."""
    worst_of_layer: dict[str, Finding] = {}
    for part in parts:
        worst = worst_of_layer.setdefault(part.layer, part)
        if _WORST_FIRST.index(part.verdict) < _WORST_FIRST.index(worst.verdict):
            worst_of_layer[part.layer] = part
    return min(worst_of_layer.values(), key=lambda part: _MOST_CERTAIN_FIRST.index(part.verdict))


def combine_reports(reports: Sequence[Report]) -> Report:
    """Combine reports on one target into one. *reports* must not be empty."""
    by_clause: dict[str, list[Finding]] = {}
    for report in reports:
        for finding in report.findings:
            by_clause.setdefault(finding.clause.id, []).append(finding)
    errors = dict.fromkeys(report.error for report in reports if report.error is not None)
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    return Report(
        target=reports[0].target,
        findings=tuple(combine(by_clause[clause]) for clause in sorted(by_clause)),
        error="; ".join(errors) or None,
        notes=tuple(notes),
        printed="".join(report.printed for report in reports),
    )
