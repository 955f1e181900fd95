"""Helpers that the formats share: a finding on one line, printable text, relative paths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from backend_contract._conformance.formats.references import reference
from backend_contract._conformance.results import Finding, Outcome, Verdict, count_verdicts

__all__ = [
    "LOG_COMMAND",
    "STALE",
    "caveats",
    "count",
    "details",
    "disagreement",
    "findings_to_report",
    "label",
    "printable",
    "relative",
    "severity",
    "sources",
    "sum_up",
    "summarize",
]

LOG_COMMAND = ("##[", r"\u0023#[")
"""The beginning of a command in a log of GitHub, and how JSON and TOML escape it in a string."""

_COMMAND = re.compile(r"(?<!\S)::|##\[")

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
    if outcome.is_failure(finding):
        return "error"
    if finding.verdict in (Verdict.VIOLATED, Verdict.UNCHECKED) and not finding.is_expected:
        return "warning"
    return "note"


def summarize(finding: Finding) -> str:
    """Return a finding, its reasons, advice and verdicts of disagreeing sources on one line."""
    parts = [*filter(None, (_statement(finding), finding.advice)), *disagreement(finding)]
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


def details(finding: Finding) -> list[tuple[str, str]]:
    """Return what a reader needs to know about a finding, each part with its label."""
    because = "; ".join(finding.because)
    details: list[tuple[str, str]] = []
    match finding.verdict:
        case Verdict.OK:
            pass
        case Verdict.BLOCKED:
            details = [("by", f"{because}, which has to hold first")]
        case Verdict.VIOLATED:
            details = [
                ("at", _location(finding)),
                ("found", finding.found),
                ("because", because),
                ("expected", finding.clause.expected),
                ("fix", finding.advice or finding.clause.fix),
                ("see", reference(finding.clause)),
            ]
        case _:
            details = [
                ("at", _location(finding)),
                ("found", finding.found),
                ("why", because),
                ("fix", finding.advice),
                ("see", reference(finding.clause)),
            ]
    details += [("says", verdict) for verdict in disagreement(finding)]
    details.append(("known", finding.expected_because))
    details.append(("stale", STALE if finding.is_stale else ""))
    return [(label, text) for label, text in details if text]


def _location(finding: Finding) -> str:
    return f"{relative(finding.path)}:{finding.line}"


def label(finding: Finding) -> str:
    """Return the verdict, or ``warning`` if a clause of level SHOULD is violated."""
    return "warning" if finding.is_warning else finding.verdict.value


def sum_up(outcome: Outcome) -> str:
    """Return the last line of a report: what was found, by what, and what was opened by hand."""
    parts = [f"{count(outcome.findings)} ({sources(outcome.findings)})"] if outcome.findings else []
    checked = sum(bool(report.findings) for report in outcome.reports)
    head = f"{checked} targets: " if checked > 1 else ""
    return head + "; ".join([*parts, *caveats(outcome)])


def count(findings: Sequence[Finding]) -> str:
    """Return the number of findings per verdict, and of those that are special in another way."""
    special = (
        _number(sum(f.is_warning for f in findings), "of them a warning", "of them warnings"),
        _number(sum(f.is_expected for f in findings), "expected violation"),
        _number(sum(f.is_stale for f in findings), "stale expected violation"),
    )
    return ", ".join([count_verdicts(findings), *filter(None, special)])


def sources(findings: Sequence[Finding]) -> str:
    """Return the layers of the findings, each with the checkers that decided it."""
    layers: dict[str, list[str]] = {}
    parts = (part for finding in findings for part in finding.parts or (finding,))
    for layer, checked_by in dict.fromkeys((part.layer, part.checked_by) for part in parts):
        layers.setdefault(layer, []).append(checked_by)
    return "; ".join(f"layer {layer}, by {', '.join(names)}" for layer, names in layers.items())


def caveats(outcome: Outcome) -> list[str]:
    """Return what a reader has to know before trusting a green result, each on one line.

    Expected violations are counted with the findings.
    """
    not_checked = _number(len(outcome.not_checked), "class not checked", "classes not checked")
    lenient = "lenient: unchecked clauses do not fail" if outcome.lenient else ""
    return [
        *filter(None, (not_checked, lenient)),
        *_listed("excluded", outcome.excluded),
        *_listed("not selected", outcome.not_selected),
    ]


def _number(number: int, one: str, many: str = "") -> str:
    """Return *number* with what it counts, or an empty string for 0."""
    return f"{number} {one if number == 1 else many or one + 's'}" if number else ""


_LISTED = 6
"""The number of names that are listed in full."""


def _listed(label: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return [f"{label}: {', '.join(names[:_LISTED])}{more}"]


def relative(path: Path) -> Path:
    """Return *path* relative to the current directory if it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def printable(text: object) -> str:
    """Return *text* on one line, in which neither a terminal nor GitHub finds a command.

    Characters that a terminal may interpret are escaped, and so is the beginning of a workflow
    command: ``::`` at the beginning of a line, which may be any word, and ``##[`` anywhere.
    """
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
    return _COMMAND.sub(lambda found: f"\\x{ord(found[0][0]):02x}{found[0][1:]}", shown)
