"""The formats for people: ``full``, grouped by target, and ``concise``, one line per finding."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from functools import lru_cache

from backend_contract._conformance.formats.common import (
    closing,
    count,
    details,
    is_terminal,
    label,
    location,
    page_of,
    printable,
    sum_up,
    summarize,
    to_report,
)
from backend_contract._conformance.results import Finding, Outcome, Verdict
from backend_contract.clauses import Clause

_STYLES = {
    Verdict.OK: "32",
    Verdict.VIOLATED: "1;31",
    Verdict.UNCHECKED: "33",
    Verdict.BLOCKED: "35",
}


def wants_color(choice: str) -> bool:
    """Return whether to color standard output: ``always``, ``never``, or ``auto`` on a terminal.

    ``auto`` follows https://no-color.org.
    """
    if choice == "auto":
        return is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")
    return choice == "always"


def full(outcome: Outcome, color: bool) -> Iterator[str]:
    """Yield one block per target: every clause, with details unless it is ok. Ends with a sum."""
    # Python 3.10 returns 0 for a terminal of unknown width.
    width = (sys.stdout.isatty() and shutil.get_terminal_size((100, 0)).columns) or 100
    for report in outcome.checked:
        yield _styled(printable(report.target), "1", color)
        for finding in report.findings:
            yield from _block(finding, width, color)
        for note in report.notes:
            yield from _wrapped(f"note: {note}", width)
        if len(outcome.checked) > 1:
            yield from _wrapped(count(report.findings), width)
            yield ""
    for line in _not_checked(outcome):
        yield from _wrapped(line, width)
    for note in outcome.notes:
        yield from _wrapped(f"note: {note}", width)
    yield from filter(None, [printable(sum_up(outcome))])


def _not_checked(outcome: Outcome) -> Iterator[str]:
    for each in outcome.not_checked:
        yield printable(f"{location(each)}: {each.name} not checked: {each.because}")


def _block(finding: Finding, width: int, color: bool) -> Iterator[str]:
    name = label(finding)
    head = f"  {_linked(finding.clause, color)}  {_styled(f'{name:9}', _style(finding), color)}"
    if len(name) > 9:  # longer than the column
        yield head
        head = " " * 18
    yield from _columns(f"{head}  ", finding.clause.text, width, 20)
    for name, text in details(finding):
        head = " " * 20 + _styled(f"{name:8}", "1", color) + "  "
        yield from _columns(head, text, width, 30)


def concise(outcome: Outcome, color: bool) -> Iterator[str]:
    """Yield ``file:line: BCnnn verdict: message`` for every finding that is not ok, and a sum."""
    for finding in to_report(outcome.findings):
        verdict = _styled(label(finding), _style(finding), color)
        message = printable(summarize(finding))
        clause = _linked(finding.clause, color)
        yield f"{printable(location(finding))}: {clause} {verdict}: {message}"
    yield from _not_checked(outcome)
    yield from map(printable, closing(outcome))


def _style(finding: Finding) -> str:
    return "33" if finding.is_warning else _STYLES.get(finding.verdict, "2")


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
