"""Helpers that the formats share: a finding on one line, printable text, relative paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backend_contract._conformance.results import Finding, Outcome, Verdict

__all__ = [
    "STALE",
    "disagreement",
    "findings_to_report",
    "printable",
    "relative",
    "severity",
    "summarize",
]

STALE = "expected violation does not occur; remove it from expected-violations"


def findings_to_report(outcome: Outcome) -> Iterator[Finding]:
    """Yield the findings that are not simply ok."""
    for finding in outcome.findings:
        if finding.verdict is not Verdict.OK or finding.is_stale:
            yield finding


def severity(finding: Finding, outcome: Outcome) -> str:
    """Return ``error`` if the finding fails the run, otherwise ``warning`` or ``note``.

    A note needs no attention: the violation is expected, or nothing was found to be wrong.
    """
    if finding.fails(outcome.strict):
        return "error"
    if finding.verdict in (Verdict.VIOLATED, Verdict.UNCHECKED) and not finding.is_expected:
        return "warning"
    return "note"


def summarize(finding: Finding) -> str:
    """Return a finding, its reasons and the verdicts of disagreeing sources on one line."""
    parts = [_statement(finding), *disagreement(finding)]
    if finding.expected_because:
        parts.append(f"expected violation: {finding.expected_because}")
    return "; ".join(parts)


def _statement(finding: Finding) -> str:
    if finding.is_stale:
        return f"{finding.clause.text}; {STALE}"
    because = "; ".join(finding.because)
    match finding.verdict:
        case Verdict.BLOCKED:
            return f"{because} has to hold first"
        case Verdict.OK | Verdict.VIOLATED:
            clause = finding.clause
            return f"{clause.text}; found: {finding.found}; expected: {clause.expected}"
        case _:
            return because


def disagreement(finding: Finding) -> list[str]:
    """Return the verdict of each source, unless all agree."""
    if len({part.verdict for part in finding.parts}) < 2:
        return []
    return [f"{part.checked_by}: {part.verdict.value}" for part in finding.parts]


def relative(path: Path) -> Path:
    """Return *path* relative to the current directory if it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def printable(text: object) -> str:
    """Return *text* on one line, with every character escaped that a terminal may interpret."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
