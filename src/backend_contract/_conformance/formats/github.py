"""The format ``github``: workflow commands, shown by GitHub as annotations of source lines."""

from __future__ import annotations

from collections.abc import Iterator

from backend_contract._conformance.formats.common import (
    findings_to_report,
    printable,
    relative,
    severity,
    summarize,
)
from backend_contract._conformance.results import Outcome

__all__ = ["github"]

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def github(outcome: Outcome, color: bool) -> Iterator[str]:
    """Yield one command per finding that is not ok, and one per error."""
    del color
    for finding in findings_to_report(outcome):
        properties = {
            "file": relative(finding.path).as_posix(),
            "line": finding.line,
            "title": f"{finding.clause.id} {finding.verdict.value}",
        }
        written = ",".join(f"{name}={_escape(v, ':,')}" for name, v in properties.items())
        command = _COMMANDS[severity(finding, outcome)]
        yield f"::{command} {written}::{_escape(summarize(finding))}"
    for _, text in outcome.errors:
        yield f"::error title=backend-contract could not check::{_escape(text)}"


def _escape(value: object, more: str = "") -> str:
    """Escape every character that could end the command."""
    text = "".join(c if c.isprintable() or c in "\r\n" else printable(c) for c in str(value))
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
