"""How reports are shown: one small renderer a format. They write lines, and decide nothing.

Those for other programs are in :mod:`backend_contract.conformance.machine_formats`.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from backend_contract.clauses import Clause
from backend_contract.conformance.verdicts import Decider, Finding, Outcome, Verdict

__all__ = ["FORMATS", "gist", "printable", "relative", "wants_color"]

_STYLES = {
    Verdict.OK: "32",
    Verdict.VIOLATED: "1;31",
    Verdict.UNCHECKED: "33",
    Verdict.BLOCKED: "35",
    Verdict.NOT_APPLICABLE: "2",
}
_BOLD = "1"


def wants_color(choice: str) -> bool:
    """Whether to colour standard output: ``always``, ``never``, or ``auto`` for on a terminal.

    ``auto`` keeps to https://no-color.org.
    """
    if choice == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return choice == "always"


def full(outcome: Outcome, color: bool) -> Iterator[str]:
    """One block a target: every clause, and what there is to say where it is not ok."""
    # Python 3.10 has 0 for a terminal that does not know its width.
    width = (sys.stdout.isatty() and shutil.get_terminal_size((100, 0)).columns) or 100
    for report in outcome.reports:
        if report.findings:
            yield _painted(printable(report.target), _BOLD, color)
            for finding in report.findings:
                verdict = _painted(f"{finding.verdict.value:9}", _STYLES[finding.verdict], color)
                yield from _column(
                    f"  {finding.clause.id}  {verdict}  ", finding.clause.text, width, 20
                )
                for label, text in _details(finding):
                    head = " " * 20 + _painted(f"{label:8}", _BOLD, color) + "  "
                    yield from _column(head, text, width, 30)
            yield from _wrapped(f"{_count(report.findings)} ({_by(report.findings)})", width)
            for note in report.notes:
                yield from _wrapped(f"note: {printable(note)}", width)
            yield ""


def concise(outcome: Outcome, color: bool) -> Iterator[str]:
    """A line for everything that is not ok: ``file:line: BCnnn message``."""
    for finding in (finding for report in outcome.reports for finding in report.findings):
        if finding.verdict is not Verdict.OK or finding.is_stale:
            verdict = _painted(finding.verdict.value, _STYLES[finding.verdict], color)
            place = f"{printable(relative(finding.path))}:{finding.line}"
            yield f"{place}: {finding.clause.id} {verdict}: {printable(gist(finding))}"


def _json(outcome: Outcome, color: bool) -> Iterable[str]:
    from backend_contract.conformance import machine_formats

    return machine_formats.json_document(outcome, color)


def _github(outcome: Outcome, color: bool) -> Iterable[str]:
    from backend_contract.conformance import machine_formats

    return machine_formats.github(outcome, color)


def _sarif(outcome: Outcome, color: bool) -> Iterable[str]:
    from backend_contract.conformance import machine_formats

    return machine_formats.sarif(outcome, color)


FORMATS: dict[str, Callable[[Outcome, bool], Iterable[str]]] = {
    "full": full,
    "concise": concise,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
}
"""The renderers by the names of their formats, the default one first.

Each is given what came of a run, and whether to colour.
"""


def gist(finding: Finding) -> str:
    """What there is to say of a finding, on one line."""
    because = "; ".join(finding.because)
    clause = finding.clause
    match finding.verdict:
        case _ if finding.is_stale:
            text = f"{clause.text}; {_STALE}"
        case Verdict.BLOCKED:
            text = f"{because} has to hold first"
        case Verdict.UNCHECKED | Verdict.NOT_APPLICABLE:
            text = because
        case _:
            text = f"{clause.text}; found: {finding.found}; expected: {clause.expected}"
    for _, said in _disagreement(finding):
        text += f"; {said}"
    if finding.only_warns:
        text += f"; {_warning(finding.clause)}"
    if finding.expected_because:
        text += f"; expected violation: {finding.expected_because}"
    return text


def relative(path: Path) -> Path:
    """``path`` relative to the current directory, where it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def printable(text: object) -> str:
    """``text`` on one line, with nothing in it that a terminal would take for a command."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


_STALE = "a violation is expected here and does not occur: remove it from expected-violations"


def _details(finding: Finding) -> list[tuple[str, str]]:
    because = "; ".join(finding.because)
    place = f"{printable(relative(finding.path))}:{finding.line}"
    details: list[tuple[str, str]] = []
    match finding.verdict:
        case Verdict.OK:
            pass
        case Verdict.BLOCKED:
            details = [("by", f"{because}, which has to hold first")]
        case Verdict.UNCHECKED | Verdict.NOT_APPLICABLE:
            details = [("at", place), ("found", finding.found), ("why", because)]
        case Verdict.VIOLATED:
            details = [
                ("at", place),
                ("found", finding.found),
                ("because", because),
                ("expected", finding.clause.expected),
                ("fix", finding.clause.fix),
            ]
    details = [(label, text) for label, text in details if text]
    details += _disagreement(finding)
    if finding.only_warns:
        details.append(("warning", _warning(finding.clause)))
    if finding.expected_because:
        details.append(("known", finding.expected_because))
    if finding.is_stale:
        details.append(("stale", _STALE))
    return details


def _warning(clause: Clause) -> str:
    return f"the clause is new: a violation fails from version {clause.fails_from}"


def _disagreement(finding: Finding) -> list[tuple[str, str]]:
    """What each has said, where not all of them say the same."""
    if len({part.verdict for part in finding.parts}) < 2:
        return []
    return [("says", f"{part.by}: {part.verdict.value}") for part in finding.parts]


def _count(findings: Iterable[Finding]) -> str:
    findings = list(findings)
    counts = Counter(finding.verdict for finding in findings)
    text = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    expected = sum(1 for f in findings if f.expected_because and not f.is_stale)
    stale = sum(1 for finding in findings if finding.is_stale)
    text += f", {expected} of them expected" if expected else ""
    return text + (f", {stale} expected in vain" if stale else "")


def _by(findings: Iterable[Finding]) -> str:
    """Who has decided, layer by layer."""
    deciders = dict.fromkeys(decider for finding in findings for decider in finding.deciders)
    layers: dict[str, list[str]] = {}
    for layer, by in map(Decider._make, deciders):
        layers.setdefault(layer, []).append(by)
    return "; ".join(f"layer {layer}, by {', '.join(names)}" for layer, names in layers.items())


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
