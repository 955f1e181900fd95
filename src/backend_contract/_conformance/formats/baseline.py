"""The format ``baseline``: the expected violations of a project as of today, in TOML."""

from __future__ import annotations

from collections.abc import Iterator

from backend_contract._conformance.formats.common import (
    LOG_COMMAND,
    closing,
    printable,
    to_report,
)
from backend_contract._conformance.results import Finding, Outcome, Report, Verdict

REASON = "TODO: say why this is expected"

_ESCAPES = {'"': '\\"', "\\": "\\\\"}

_HEADER = "# For pyproject.toml, in place of the expected violations there. Give the reasons."


def baseline(outcome: Outcome, _color: bool) -> Iterator[str]:
    """Yield an entry for each violated or unchecked clause that fails, or that is expected now."""
    for _, problem in outcome.errors:
        yield f"# could not check: {printable(problem)}"
    for each in outcome.not_checked:
        yield f"# not checked: {printable(each.name)}: {printable(each.because)}"
    listed: dict[tuple[str, str], Finding] = {}
    for report in outcome.reports:
        target = outcome.names_in_settings.get(report.target, report.target)
        for finding in _to_list(report, outcome):
            listed.setdefault((target, finding.clause.id), finding)
    yield _HEADER if listed else "# Nothing is violated or unchecked."
    for (target, _), finding in listed.items():
        yield ""
        yield from _entry(target, finding)
    yield from (f"# {printable(line)}" for line in closing(outcome))


def _to_list(report: Report, outcome: Outcome) -> Iterator[Finding]:
    for finding in to_report(report.findings):
        fails = outcome.is_failure(finding) and not finding.is_stale
        # If there is an error, it says why; another run may decide the clause.
        is_open = report.error is not None and finding.verdict is Verdict.UNCHECKED
        if (fails or finding.is_expected) and not is_open:
            yield finding


def _entry(target: str, finding: Finding) -> Iterator[str]:
    try:
        name = _string(target)
        reason = _string(finding.expected_because or REASON)
    except UnicodeEncodeError:
        yield f"# no TOML file can contain this name: {printable(target)}"
        return
    because = "; ".join(filter(None, (finding.found, *finding.because)))
    yield "[[tool.backend-contract.expected-violations]]"
    yield printable(f"# {finding.verdict.value}: {because}")
    yield f"target = {name}"
    yield f"clause = {_string(finding.clause.id)}"
    yield f"reason = {reason}"


def _string(text: str) -> str:
    """Return a TOML string, in ASCII. Raises ``UnicodeEncodeError`` for a lone surrogate."""
    text.encode("utf-8")
    return f'"{"".join(map(_character, text))}"'.replace(*LOG_COMMAND)


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if " " <= character <= "~":
        return character
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
