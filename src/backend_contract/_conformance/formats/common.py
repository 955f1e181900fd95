"""Helpers that the formats share: findings on one line, printable text, addresses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import IO

from backend_contract._conformance.results import (
    Finding,
    NotChecked,
    Outcome,
    Verdict,
    count_verdicts,
)
from backend_contract.clauses import Clause

DOCUMENTATION = ""
"""The address of the documentation, without a slash at the end; empty until it is published."""

LOG_COMMAND = ("##[", r"\u0023#[")
"""The beginning of a command in a log of GitHub, and how JSON and TOML escape it in a string."""

_COMMAND = re.compile(r"(?<!\S)::|##\[")

STALE = "expected violation does not occur; remove it from expected-violations"


def to_report(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that are not simply ok."""
    return [each for each in findings if each.verdict is not Verdict.OK or each.is_stale]


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
    parts = [*filter(None, (_statement(finding), finding.advice)), *_disagreement(finding)]
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


def _disagreement(finding: Finding) -> list[str]:
    """Return the verdict of each source, unless all agree."""
    if len({part.verdict for part in finding.parts}) < 2:
        return []
    return [f"{part.checked_by}: {part.verdict.value}" for part in finding.parts]


def details(finding: Finding) -> list[tuple[str, str]]:
    """Return what a reader needs to know about a finding, each part with its label."""
    labeled = [
        *_evidence(finding),
        *(("says", verdict) for verdict in _disagreement(finding)),
        ("known", finding.expected_because),
        ("stale", STALE if finding.is_stale else ""),
    ]
    return [(label, text) for label, text in labeled if text]


def _evidence(finding: Finding) -> list[tuple[str, str]]:
    because = "; ".join(finding.because)
    if finding.verdict is Verdict.OK:
        return []
    if finding.verdict is Verdict.BLOCKED:
        return [("by", f"{because}, which has to hold first")]
    is_violated = finding.verdict is Verdict.VIOLATED
    return [
        ("at", location(finding)),
        ("found", finding.found),
        ("because" if is_violated else "why", because),
        ("expected", finding.clause.expected if is_violated else ""),
        ("fix", finding.advice or (finding.clause.fix if is_violated else "")),
        ("see", reference(finding.clause)),
    ]


def location(place: Finding | NotChecked) -> str:
    """Return the file and the line of *place*."""
    return f"{relative(place.path)}:{place.line}"


def label(finding: Finding) -> str:
    """Return the verdict, or ``warning`` if a clause of level SHOULD is violated."""
    return "warning" if finding.is_warning else finding.verdict.value


def closing(outcome: Outcome) -> Iterator[str]:
    """Yield all notes, and last what :func:`sum_up` returns."""
    of_targets = (f"{each.target}: {note}" for each in outcome.reports for note in each.notes)
    yield from (f"note: {note}" for note in (*outcome.notes, *of_targets))
    yield from filter(None, [sum_up(outcome)])


def sum_up(outcome: Outcome) -> str:
    """Return the last line of a report: what was found, by what, and what was relaxed."""
    checked = len(outcome.checked)
    parts = (
        count(outcome.findings) if checked else "",
        _unless_zero(len(outcome.not_checked), "class not checked", "classes not checked"),
        "lenient: unchecked clauses do not fail" if outcome.lenient else "",
        _listed("excluded", outcome.excluded),
        _listed("not selected", outcome.not_selected),
    )
    return (f"{checked} targets: " if checked > 1 else "") + "; ".join(filter(None, parts))


def count(findings: Sequence[Finding]) -> str:
    """Return how many findings have which verdict or are special, and what decided them."""
    special = (
        _unless_zero(sum(f.is_warning for f in findings), "of them a warning", "of them warnings"),
        _unless_zero(sum(f.is_expected for f in findings), "expected violation"),
        _unless_zero(sum(f.is_stale for f in findings), "stale expected violation"),
    )
    numbers = ", ".join([count_verdicts(findings), *filter(None, special)])
    return f"{numbers} ({_sources(findings)})"


def _sources(findings: Sequence[Finding]) -> str:
    """Return the layers of the findings, each with the checkers that decided it."""
    layers: dict[str, list[str]] = {}
    for source in dict.fromkeys(each for finding in findings for each in finding.sources):
        layers.setdefault(source.layer, []).append(source.checked_by)
    return "; ".join(f"layer {layer}, by {', '.join(names)}" for layer, names in layers.items())


def number(count: int, one: str, many: str = "") -> str:
    """Return *count* with its noun, such as ``2 targets``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _unless_zero(count: int, one: str, many: str = "") -> str:
    return number(count, one, many) if count else ""


_LISTED = 6
"""The number of names that are listed in full."""


def _listed(label: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{label}: {', '.join(names[:_LISTED])}{more}" if names else ""


def relative(path: Path) -> Path:
    """Return *path* relative to the current directory if it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def is_terminal(stream: IO[str]) -> bool:
    """Return whether *stream* is a terminal that understands escape sequences."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def printable(text: object) -> str:
    """Return *text* on one line, in which neither a terminal nor GitHub finds a command.

    Characters that a terminal may interpret are escaped, and so is the beginning of a workflow
    command: ``::`` at the beginning of a line, which may be any word, and ``##[`` anywhere.
    """
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
    return _COMMAND.sub(lambda found: f"\\x{ord(found[0][0]):02x}{found[0][1:]}", shown)


def repository() -> Path:
    """Return the root of the repository around the current directory, or else that directory."""
    here = Path.cwd()
    for directory in (here, *here.parents):
        if os.path.exists(directory / ".git"):  # noqa: PTH110 - a file in worktrees; may be forbidden
            return directory
    return here


def in_repository(path: Path) -> PurePath:
    """Return *path* relative to the root of the repository if it is below it."""
    root = repository()
    absolute = Path.cwd() / path
    return absolute.relative_to(root) if absolute.is_relative_to(root) else absolute


def page_of(clause: Clause) -> str | None:
    """Return the address of a clause's page, or ``None`` if the documentation has no address."""
    return f"{DOCUMENTATION}/contract.html#{clause.id.lower()}" if DOCUMENTATION else None


def reference(clause: Clause) -> str:
    """Return the address of a clause's page, or else the command that prints it."""
    return page_of(clause) or f"backend-contract explain {clause.id}"
