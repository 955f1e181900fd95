"""The formats for people: ``full``, grouped by target, and ``concise``, one line per finding."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from functools import lru_cache

from backend_contract._conformance.formats.common import (
    STALE,
    disagreement,
    findings_to_report,
    printable,
    relative,
    summarize,
)
from backend_contract._conformance.results import Finding, Outcome, Verdict, count_verdicts

__all__ = ["concise", "full", "wants_color"]

_STYLES = {
    Verdict.OK: "32",
    Verdict.VIOLATED: "1;31",
    Verdict.UNCHECKED: "33",
    Verdict.BLOCKED: "35",
    Verdict.NOT_APPLICABLE: "2",
    Verdict.NEEDS_A_SUITE: "2",
    Verdict.NEEDS_AN_EXTRA: "2",
}
_WARNING_STYLE = "33"
_BOLD = "1"


def wants_color(choice: str) -> bool:
    """Return whether to color standard output: ``always``, ``never``, or ``auto`` on a terminal.

    ``auto`` follows https://no-color.org.
    """
    if choice == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return choice == "always"


def full(outcome: Outcome, color: bool) -> Iterator[str]:
    """Yield one block per target: every clause, with details unless it is ok."""
    # Python 3.10 returns 0 for a terminal of unknown width.
    width = (sys.stdout.isatty() and shutil.get_terminal_size((100, 0)).columns) or 100
    for report in outcome.reports:
        if not report.findings:
            continue
        yield _styled(printable(report.target), _BOLD, color)
        for finding in report.findings:
            yield from _block(finding, width, color)
        yield from _wrapped(f"{_count(report.findings)} ({_sources(report.findings)})", width)
        for note in report.notes:
            yield from _wrapped(f"note: {printable(note)}", width)
        yield ""


def _block(finding: Finding, width: int, color: bool) -> Iterator[str]:
    verdict = _styled(f"{_label(finding):9}", _style(finding), color)
    yield from _columns(f"  {finding.clause.id}  {verdict}  ", finding.clause.text, width, 20)
    for label, text in _details(finding):
        head = " " * 20 + _styled(f"{label:8}", _BOLD, color) + "  "
        yield from _columns(head, text, width, 30)


def concise(outcome: Outcome, color: bool) -> Iterator[str]:
    """Yield ``file:line: BCnnn verdict: message`` for every finding that is not ok."""
    for finding in findings_to_report(outcome):
        verdict = _styled(_label(finding), _style(finding), color)
        message = printable(summarize(finding))
        yield f"{_location(finding)}: {finding.clause.id} {verdict}: {message}"


def _location(finding: Finding) -> str:
    return f"{printable(relative(finding.path))}:{finding.line}"


def _label(finding: Finding) -> str:
    return "warning" if finding.is_warning else finding.verdict.value


def _style(finding: Finding) -> str:
    return _WARNING_STYLE if finding.is_warning else _STYLES[finding.verdict]


def _details(finding: Finding) -> list[tuple[str, str]]:
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
            ]
        case _:
            details = [
                ("at", _location(finding)),
                ("found", finding.found),
                ("why", because),
                ("write", finding.advice),
            ]
    details += [("says", verdict) for verdict in disagreement(finding)]
    details.append(("known", finding.expected_because))
    details.append(("stale", STALE if finding.is_stale else ""))
    return [(label, text) for label, text in details if text]


def _count(findings: Sequence[Finding]) -> str:
    parts = [count_verdicts(findings)]
    for count, one, many in (
        (sum(f.is_warning for f in findings), "of them a warning", "of them warnings"),
        (sum(f.is_expected for f in findings), "of them expected", "of them expected"),
        (
            sum(f.is_stale for f in findings),
            "stale expected violation",
            "stale expected violations",
        ),
    ):
        if count:
            parts.append(f"{count} {one if count == 1 else many}")
    return ", ".join(parts)


def _sources(findings: Sequence[Finding]) -> str:
    layers: dict[str, list[str]] = {}
    for source in dict.fromkeys(source for finding in findings for source in finding.sources):
        layers.setdefault(source.layer, []).append(source.checked_by)
    return "; ".join(f"layer {layer}, by {', '.join(names)}" for layer, names in layers.items())


def _columns(head: str, text: str, width: int, indent: int) -> list[str]:
    """Return *head*, with *text* wrapped to the right of it from column *indent* on."""
    first, *others = _wrapped(text, max(width - indent, 20))
    return [head + first, *(" " * indent + line for line in others)]


@lru_cache(maxsize=256)  # the same texts are repeated for every target
def _wrapped(text: str, width: int) -> tuple[str, ...]:
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return tuple(lines) or ("",)


def _styled(text: str, style: str, color: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if color else text
