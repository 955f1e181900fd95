"""The format ``html``: one page that needs no other file, with backends by clauses as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from backend_contract._conformance.formats.common import (
    count,
    details,
    label,
    location,
    page_of,
    printable,
    reference,
    sum_up,
    summarize,
)
from backend_contract._conformance.results import Finding, Outcome, Report, Verdict
from backend_contract.clauses import CLAUSES, Clause
from backend_contract.errors import CouldNotCheckError

try:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
except ModuleNotFoundError:
    raise CouldNotCheckError(
        "--output-format html requires jinja2; install it with: pip install "
        "'backend-contract[check]'"
    ) from None

_SYMBOLS = {
    Verdict.OK: "\N{CHECK MARK}",
    Verdict.VIOLATED: "\N{BALLOT X}",
    Verdict.UNCHECKED: "?",
    Verdict.BLOCKED: "\N{CIRCLED DIVISION SLASH}",
    Verdict.NOT_APPLICABLE: "\N{EN DASH}",
    Verdict.NEEDS_A_SUITE: "s",
    Verdict.NEEDS_AN_EXTRA: "e",
}
_STYLES = ("ok", "violated", "unchecked", "blocked")


@dataclass(frozen=True)
class _Cell:
    """A finding as the page shows it."""

    finding: Finding
    anchor: str

    @property
    def clause(self) -> Clause:
        return self.finding.clause

    @property
    def label(self) -> str:
        if self.finding.is_expected:
            return f"{label(self.finding)}, as expected"
        return "stale expected violation" if self.finding.is_stale else label(self.finding)

    @property
    def symbol(self) -> str:
        if self.finding.is_warning or self.finding.is_stale:
            return "!"
        return _SYMBOLS[self.finding.verdict]

    @property
    def style(self) -> str:
        if self.finding.is_stale:
            return "violated"
        verdict = label(self.finding)
        style = verdict if verdict in (*_STYLES, "warning") else "other"
        return f"{style} expected" if self.finding.is_expected else style

    @property
    def title(self) -> str:
        if self.finding.verdict is Verdict.OK and not self.finding.is_stale:
            return f"{self.clause.id} ok: {self.clause.text}"
        return f"{self.clause.id} {self.label}: {summarize(self.finding)}"


@dataclass(frozen=True)
class _Row:
    """A report as the page shows it."""

    number: int
    report: Report
    clauses: list[Clause]

    @property
    def cells(self) -> list[_Cell | None]:
        findings = {finding.clause.id: finding for finding in self.report.findings}
        return [
            _Cell(findings[clause.id], f"backend-{self.number}-{clause.id.lower()}")
            if clause.id in findings
            else None
            for clause in self.clauses
        ]


def _legend(rows: Sequence[_Row]) -> list[_Cell]:
    """Return a cell for each label on the page, in the order of the verdicts."""
    cells = {cell.label: cell for row in rows for cell in row.cells if cell}
    verdicts = [*Verdict]
    return sorted(cells.values(), key=lambda cell: verdicts.index(cell.finding.verdict))


def html(outcome: Outcome, _color: bool) -> Iterator[str]:
    """Yield the page."""
    present = {finding.clause.id for finding in outcome.findings}
    clauses = [clause for clause in CLAUSES.values() if clause.id in present]
    rows = [_Row(number, report, clauses) for number, report in enumerate(outcome.checked, 1)]
    page = _TEMPLATE.render(
        status=_status(outcome),
        summary=sum_up(outcome) or "nothing was checked",
        version=version("backend-contract"),
        problems=[problem for _, problem in outcome.errors],
        not_checked=[(each.name, location(each), each.because) for each in outcome.not_checked],
        notes=outcome.notes,
        clauses=clauses,
        rows=rows,
        legend=_legend(rows),
        count=count,
        details=details,
        page_of=page_of,
        reference=reference,
    )
    # References instead of characters that are not ASCII: right in every encoding of the terminal.
    yield page.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _finalize(value: object) -> object:
    """Let no text hide characters; what the template made itself is finished."""
    return value if hasattr(value, "__html__") else printable(value)


_TEMPLATE = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_finalize,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("report.html.jinja")


def _status(outcome: Outcome) -> str:
    if outcome.errors:
        return "could not check everything"
    return "failed" if outcome.fails else "passed"
