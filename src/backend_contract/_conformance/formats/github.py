"""The format ``github``: workflow commands, shown by GitHub as annotations of source lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backend_contract._conformance.formats.common import (
    closing,
    in_repository,
    printable,
    reference,
    severity,
    summarize,
    to_report,
)
from backend_contract._conformance.results import Outcome


def github(outcome: Outcome, _color: bool) -> Iterator[str]:
    """Yield one command per finding that is not ok, per class not checked, note and error."""
    for finding in to_report(outcome.findings):
        command = severity(finding, outcome).replace("note", "notice")
        title = f"{finding.clause.id} {finding.verdict.value}"
        message = f"{summarize(finding)}; see {reference(finding.clause)}"
        yield f"::{command} {_place(finding.path, finding.line, title)}::{_escape(message)}"
    for each in outcome.not_checked:
        command = "warning" if outcome.lenient else "error"
        message = f"{each.name}: {each.because}"
        yield f"::{command} {_place(each.path, each.line, 'not checked')}::{_escape(message)}"
    for line in closing(outcome):
        yield f"::notice title=backend-contract::{_escape(line)}"
    for _, text in outcome.errors:
        yield f"::error title=backend-contract could not check::{_escape(text)}"


def _place(path: Path, line: int, title: str) -> str:
    properties = {"file": in_repository(path).as_posix(), "line": line, "title": title}
    return ",".join(f"{name}={_escape(value, ':,')}" for name, value in properties.items())


def _escape(value: object, more: str = "") -> str:
    """Escape every character that could end the command."""
    text = "".join(c if c.isprintable() or c in "\r\n" else printable(c) for c in str(value))
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
