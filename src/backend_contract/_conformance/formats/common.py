"""What the formats share: a finding in one line, printable text, relative paths."""

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
    """Return ``error`` if the finding fails the run, otherwise ``warning`` or ``note``."""
    if finding.fails(outcome.strict):
        return "error"
    return "warning" if finding.is_warning or finding.verdict is Verdict.UNCHECKED else "note"


def summarize(finding: Finding) -> str:
    """Return what there is to say about a finding, on one line."""
    because = "; ".join(finding.because)
    clause = finding.clause
    match finding.verdict:
        case _ if finding.is_stale:
            text = f"{clause.text}; {STALE}"
        case Verdict.BLOCKED:
            text = f"{because} has to hold first"
        case Verdict.UNCHECKED | Verdict.NOT_APPLICABLE:
            text = because
        case _:
            text = f"{clause.text}; found: {finding.found}; expected: {clause.expected}"
    text = "; ".join([text, *disagreement(finding)])
    if finding.expected_because:
        text += f"; expected violation: {finding.expected_because}"
    return text


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
    """Return *text* on one line, with everything escaped that a terminal would interpret."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
