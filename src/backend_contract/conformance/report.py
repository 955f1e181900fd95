"""How reports are shown: one small renderer a format. They write lines, and decide nothing."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from backend_contract.conformance.verdicts import Finding, Report, Verdict

__all__ = ["FORMATS", "wants_color"]

_STYLES = {
    Verdict.OK: "32",
    Verdict.VIOLATED: "1;31",
    Verdict.UNCHECKED: "33",
    Verdict.BLOCKED: "35",
}
_BOLD = "1"


def wants_color(choice: str) -> bool:
    """Whether to colour standard output: ``always``, ``never``, or ``auto`` for on a terminal.

    ``auto`` keeps to https://no-color.org.
    """
    if choice == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return choice == "always"


def full(reports: Iterable[Report], decided_by: str, color: bool) -> Iterator[str]:
    """One block a target: every clause, and what there is to say where it is not ok."""
    width = shutil.get_terminal_size((100, 0)).columns if sys.stdout.isatty() else 100
    for report in reports:
        if report.error is None:
            yield _painted(report.target, _BOLD, color)
            for finding in report.findings:
                verdict = _painted(f"{finding.verdict.value:9}", _STYLES[finding.verdict], color)
                yield from _column(
                    f"  {finding.clause.id}  {verdict}  ", finding.clause.text, width, 20
                )
                for label, text in _details(finding):
                    head = " " * 20 + _painted(f"{label:8}", _BOLD, color) + "  "
                    yield from _column(head, text, width, 30)
            yield f"{_count(report.findings)} (layer S, by {decided_by})"
            yield ""


def concise(reports: Iterable[Report], decided_by: str, color: bool) -> Iterator[str]:
    """A line for everything that is not ok: ``file:line: BCnnn message``."""
    del decided_by
    for finding in (finding for report in reports for finding in report.findings):
        if finding.verdict is not Verdict.OK:
            verdict = _painted(finding.verdict.value, _STYLES[finding.verdict], color)
            yield f"{_place(finding)}: {finding.clause.id} {verdict}: {_gist(finding)}"


FORMATS: dict[str, Callable[[Iterable[Report], str, bool], Iterator[str]]] = {
    "full": full,
    "concise": concise,
}
"""The renderers by the names of their formats, the default one first.

Each is given the reports, the name and version of who decided them, and whether to colour.
"""


def _details(finding: Finding) -> list[tuple[str, str]]:
    because = "; ".join(finding.because)
    match finding.verdict:
        case Verdict.OK:
            return []
        case Verdict.BLOCKED:
            return [("by", f"{because}, which has to hold first")]
        case Verdict.UNCHECKED:
            return [("at", _place(finding)), ("found", finding.found), ("why", because)]
        case Verdict.VIOLATED:
            return [
                ("at", _place(finding)),
                ("found", finding.found),
                ("because", because),
                ("expected", finding.clause.expected),
                ("fix", finding.clause.fix),
            ]


def _gist(finding: Finding) -> str:
    because = "; ".join(finding.because)
    match finding.verdict:
        case Verdict.BLOCKED:
            return f"{because} has to hold first"
        case Verdict.UNCHECKED:
            return because
        case _:
            clause = finding.clause
            return f"{clause.text}; found: {finding.found}; expected: {clause.expected}"


def _count(findings: Iterable[Finding]) -> str:
    counts = Counter(finding.verdict for finding in findings)
    return ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])


def _place(finding: Finding) -> str:
    """``file:line``, relative to the current directory where the file is below it."""
    here = Path.cwd()
    path = finding.path.relative_to(here) if finding.path.is_relative_to(here) else finding.path
    return f"{path}:{finding.line}"


def _column(head: str, text: str, width: int, indent: int) -> list[str]:
    """``head``, and ``text`` to the right of it in lines that start at column ``indent``."""
    first, *others = _wrapped(text, max(width - indent, 20))
    return [head + first, *(" " * indent + line for line in others)]


@lru_cache(maxsize=256)  # the same few texts come again for every target
def _wrapped(text: str, width: int) -> tuple[str, ...]:
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return tuple(lines) or ("",)


def _painted(text: str, style: str, color: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if color else text
