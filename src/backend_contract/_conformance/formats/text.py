"""The formats for people: ``full``, grouped by target, and ``concise``, one line per finding."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from functools import lru_cache

from backend_contract._conformance.formats.common import (
    count,
    details,
    findings_to_report,
    label,
    printable,
    relative,
    sources,
    sum_up,
    summarize,
)
from backend_contract._conformance.formats.references import page_of
from backend_contract._conformance.results import Finding, Outcome, Verdict
from backend_contract.clauses import Clause

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
    """Yield one block per target: every clause, with details unless it is ok. Ends with a sum."""
    # Python 3.10 returns 0 for a terminal of unknown width.
    width = (sys.stdout.isatty() and shutil.get_terminal_size((100, 0)).columns) or 100
    reports = [report for report in outcome.reports if report.findings]
    for report in reports:
        yield _styled(printable(report.target), _BOLD, color)
        for finding in report.findings:
            yield from _block(finding, width, color)
        for note in report.notes:
            yield from _wrapped(f"note: {note}", width)
        if len(reports) > 1:
            yield from _wrapped(f"{count(report.findings)} ({sources(report.findings)})", width)
            yield ""
    for note in _notes(outcome):
        yield from _wrapped(note, width)
    yield from _last_line(outcome)


def _notes(outcome: Outcome) -> Iterator[str]:
    """Yield the observations about the whole run, and the classes that were not checked."""
    for each in outcome.not_checked:
        place = f"{relative(each.path)}:{each.line}"
        yield printable(f"{place}: {each.name} not checked: {each.because}")
    for note in outcome.notes:
        yield printable(f"note: {note}")


def _last_line(outcome: Outcome) -> Iterator[str]:
    text = printable(sum_up(outcome))
    if text:
        yield text


def _block(finding: Finding, width: int, color: bool) -> Iterator[str]:
    name = label(finding)
    head = f"  {_linked(finding.clause, color)}  {_styled(f'{name:9}', _style(finding), color)}"
    if len(name) > 9:  # longer than the column
        yield head
        head = " " * 18
    yield from _columns(f"{head}  ", finding.clause.text, width, 20)
    for name, text in details(finding):
        head = " " * 20 + _styled(f"{name:8}", _BOLD, color) + "  "
        yield from _columns(head, text, width, 30)


def concise(outcome: Outcome, color: bool) -> Iterator[str]:
    """Yield ``file:line: BCnnn verdict: message`` for every finding that is not ok, and a sum."""
    for finding in findings_to_report(outcome):
        verdict = _styled(label(finding), _style(finding), color)
        message = printable(summarize(finding))
        clause = _linked(finding.clause, color)
        yield f"{_location(finding)}: {clause} {verdict}: {message}"
    yield from _notes(outcome)
    yield from _last_line(outcome)


def _location(finding: Finding) -> str:
    return printable(f"{relative(finding.path)}:{finding.line}")


def _style(finding: Finding) -> str:
    return _WARNING_STYLE if finding.is_warning else _STYLES[finding.verdict]


def _linked(clause: Clause, color: bool) -> str:
    """Return the id of a clause, on a terminal with a link to its page."""
    page = page_of(clause) if color and sys.stdout.isatty() else None
    return f"\x1b]8;;{page}\x1b\\{clause.id}\x1b]8;;\x1b\\" if page else clause.id


def _columns(head: str, text: str, width: int, indent: int) -> list[str]:
    """Return *head*, with *text* wrapped to the right of it from column *indent* on."""
    first, *others = _wrapped(text, max(width - indent, 20))
    return [head + first, *(" " * indent + line for line in others)]


@lru_cache(maxsize=256)  # the same texts are repeated for every target
def _wrapped(text: str, width: int) -> tuple[str, ...]:
    lines = textwrap.wrap(printable(text), width, break_long_words=False, break_on_hyphens=False)
    return tuple(lines) or ("",)


def _styled(text: str, style: str, color: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if color else text
