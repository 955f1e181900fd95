"""The format ``markdown``: GitHub's Markdown, for the summary of a job."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backend_contract._conformance.formats.common import (
    details,
    label,
    location,
    page_of,
    printable,
    severity,
    sum_up,
    to_report,
)
from backend_contract._conformance.results import Finding, Outcome, Verdict
from backend_contract.clauses import CLAUSES, Clause

_ACTIVE = re.compile(r"""[^\w .,;()/'"%?!=-]|_|^[-=]|^\d+(?=[.)])""", re.ASCII)
"""Characters that may mean something in Markdown; the last ones at the beginning of a line only."""

SIZE_LIMIT = 900_000
"""Characters after which details are left out; GitHub rejects a summary of more than 1 MiB."""

_SYMBOLS = {
    Verdict.OK: "\N{WHITE HEAVY CHECK MARK}",
    Verdict.VIOLATED: "\N{CROSS MARK}",
    Verdict.UNCHECKED: "\N{BLACK QUESTION MARK ORNAMENT}",
    Verdict.BLOCKED: "\N{NO ENTRY SIGN}",
}
_WARNING = "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}"
_EXPECTED = "\N{LARGE YELLOW CIRCLE}"
_OTHER = "\N{EN DASH}"


def markdown(outcome: Outcome, _color: bool) -> Iterator[str]:
    """Yield one table of all targets, and below it the details of each finding that is not ok."""
    yield "## backend-contract"
    yield ""
    for _, problem in outcome.errors:
        yield f"- **could not check:** {_text(problem)}"
    for each in outcome.not_checked:
        place = f"{_code(each.name)} at {_code(location(each))}"
        yield f"- **not checked:** {place}: {_text(each.because)}"
    for note in outcome.notes:
        yield f"- note: {_text(note)}"
    if outcome.checked:
        yield ""
        yield from _table(outcome)
    yield ""
    yield _text(sum_up(outcome))
    yield from _limited(_all_details(outcome))


def _table(outcome: Outcome) -> Iterator[str]:
    """Yield a row per target, and a column per clause that is not ok for each of them."""
    shown = {finding.clause.id for finding in to_report(outcome.findings)}
    columns = [clause for clause in CLAUSES.values() if clause.id in shown]
    yield f"| backend | {''.join(f'{_link(clause)} | ' for clause in columns)}other clauses |"
    yield f"|:--|{':-:|' * len(columns)}:--|"
    for report in outcome.checked:
        by_clause = {finding.clause.id: finding for finding in report.findings}
        cells = (_symbol(by_clause.get(clause.id)) for clause in columns)
        others = len(by_clause.keys() - shown)
        yield f"| {_code(report.target)} | {''.join(f'{cell} | ' for cell in cells)}{others} ok |"


def _symbol(finding: Finding | None) -> str:
    if finding is None:
        return ""
    if finding.is_expected:
        return f"{_EXPECTED} expected"
    symbol = _WARNING if finding.is_warning else _SYMBOLS.get(finding.verdict, _OTHER)
    return f"{symbol} {'stale' if finding.is_stale else label(finding)}"


def _all_details(outcome: Outcome) -> Iterator[str]:
    for report in outcome.checked:
        attention = [
            _details(finding)
            for finding in to_report(report.findings)
            if severity(finding, outcome) != "note"
        ]
        if attention or report.notes:
            notes = "".join(f"- note: {_text(note)}\n" for note in report.notes)
            yield f"\n### {_code(report.target)}\n\n{''.join(attention)}{notes}"


def _details(finding: Finding) -> str:
    head = f"- **{_link(finding.clause)} {label(finding)}:** {finding.clause.text}\n"
    lines = (f"  - {name}: {_shown(name, text)}\n" for name, text in details(finding))
    return head + "".join(lines)


def _shown(name: str, text: str) -> str:
    return (_code if name in ("at", "found", "expected") else _text)(text)


def _limited(parts: Iterator[str]) -> Iterator[str]:
    """Yield *parts* up to the limit, and then how many are left out."""
    left_out = size = 0
    for part in parts:
        size += len(part.encode("utf-8", "backslashreplace"))
        if size > SIZE_LIMIT:
            left_out += 1
        else:
            yield part.removesuffix("\n")
    if left_out:
        yield f"\n{left_out} more, left out for lack of space; see another format"


def _link(clause: Clause) -> str:
    page = page_of(clause)
    return f"[{clause.id}]({page})" if page else clause.id


def _code(text: object) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: object) -> str:
    """Return *text* so that nothing in it is Markdown, HTML, a link or a mention."""
    escaped = _ACTIVE.sub(lambda found: f"&#{ord(found[0][0])};{found[0][1:]}", printable(text))
    return re.sub(r"(?i)\bwww\.", lambda found: f"{found[0][:-1]}&#46;", escaped)
