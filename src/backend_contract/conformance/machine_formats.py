"""Reports for other programs: JSON, GitHub's annotations, and SARIF.

Each is one complete document on every path: what could not be checked is in it as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backend_contract.clauses import Clause
from backend_contract.conformance.report import gist, printable, relative
from backend_contract.conformance.verdicts import Finding, Outcome, Verdict

__all__ = ["SCHEMA_VERSION", "github", "json_document", "sarif"]

SCHEMA_VERSION = 1
"""Of the JSON report; ``report-1.schema.json`` describes it. A change that breaks a reader is 2."""


def json_document(outcome: Outcome, color: bool) -> Iterator[str]:
    """All there is to say, as ``report-1.schema.json`` has it."""
    del color
    document = {
        "schema_version": SCHEMA_VERSION,
        "version": version("backend-contract"),
        "deciders": [decider._asdict() for decider in outcome.deciders],
        "reports": [
            {
                "target": report.target,
                "findings": [_finding(f, outcome.strict) for f in report.findings],
                "notes": list(report.notes),
            }
            for report in outcome.reports
            if report.findings
        ],
        "errors": [{"target": target or None, "message": text} for target, text in outcome.errors],
    }
    yield json.dumps(document, indent=2)


def _finding(finding: Finding, strict: bool) -> dict[str, Any]:
    return {
        "clause": finding.clause.id,
        "text": finding.clause.text,
        "verdict": finding.verdict.value,
        "fails": finding.fails(strict),
        "layers": sorted({decider.layer for decider in finding.deciders}),
        "path": str(relative(finding.path)),
        "line": finding.line,
        "found": finding.found,
        "because": list(finding.because),
        "expected": finding.clause.expected,
        "fix": finding.clause.fix,
        "expected_because": finding.expected_because or None,
        "parts": [
            {
                "layer": part.layer,
                "by": part.by,
                "verdict": part.verdict.value,
                "because": list(part.because),
            }
            for part in finding.parts
        ],
    }


def github(outcome: Outcome, color: bool) -> Iterator[str]:
    """A workflow command for everything that is not ok, which GitHub shows where it occurs."""
    del color
    for finding in _to_report(outcome):
        kind = {"error": "error", "warning": "warning", "note": "notice"}[_level(finding, outcome)]
        properties = {
            "file": relative(finding.path).as_posix(),
            "line": finding.line,
            "title": f"{finding.clause.id} {finding.verdict.value}",
        }
        written = ",".join(f"{name}={_escaped(v, ':,')}" for name, v in properties.items())
        yield f"::{kind} {written}::{_escaped(gist(finding))}"
    for _, text in outcome.errors:
        yield f"::error title=backend-contract could not check::{_escaped(text)}"


def _escaped(value: object, more: str = "") -> str:
    """``value`` as a workflow command takes it: no character of it can end the command."""
    text = "".join(c if c.isprintable() or c in "\r\n" else printable(c) for c in str(value))
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def sarif(outcome: Outcome, color: bool) -> Iterator[str]:
    """A SARIF 2.1.0 log with one run, in which clauses are rules."""
    del color
    findings = list(_to_report(outcome))
    clauses = {finding.clause.id: finding.clause for finding in findings}
    rules = {clause: number for number, clause in enumerate(clauses)}
    run = {
        "tool": {
            "driver": {
                "name": "backend-contract",
                "version": version("backend-contract"),
                "rules": [_rule(clause) for clause in clauses.values()],
            },
            "extensions": [
                {"name": by} for by in dict.fromkeys(decider.by for decider in outcome.deciders)
            ],
        },
        "invocations": [
            {
                "executionSuccessful": not outcome.errors,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": text}} for _, text in outcome.errors
                ],
            }
        ],
        "results": [
            {
                "ruleId": finding.clause.id,
                "ruleIndex": rules[finding.clause.id],
                "level": _level(finding, outcome),
                "message": {"text": gist(finding)},
                "locations": [_location(finding)],
                "suppressions": [{"kind": "external", "justification": finding.expected_because}]
                if finding.expected_because and not finding.is_stale
                else [],
                "properties": {"verdict": finding.verdict.value},
            }
            for finding in findings
        ],
        "columnKind": "unicodeCodePoints",
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    yield json.dumps(log, indent=2)


def _rule(clause: Clause) -> dict[str, Any]:
    return {
        "id": clause.id,
        "shortDescription": {"text": clause.text},
        "fullDescription": {"text": clause.why},
        "help": {"text": f"{clause.fix}\n\nExpected: {clause.expected}\n\nGood:\n\n{clause.good}"},
    }


def _location(finding: Finding) -> dict[str, Any]:
    # A path that is not UTF-8 has no URI of its own; its bytes are quoted.
    path = relative(finding.path)
    if path.is_absolute():
        place = {"uri": path.as_uri()}
    else:
        place = {"uri": _quoted(path), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": place, "region": {"startLine": finding.line}}}


def _quoted(path: Path) -> str:
    from os import fsencode
    from urllib.parse import quote_from_bytes

    return quote_from_bytes(fsencode(path.as_posix()))


def _to_report(outcome: Outcome) -> Iterator[Finding]:
    for finding in (finding for report in outcome.reports for finding in report.findings):
        if finding.verdict is not Verdict.OK or finding.is_stale:
            yield finding


def _level(finding: Finding, outcome: Outcome) -> str:
    """How bad it is, in SARIF's words: what lets the run fail is an error."""
    if finding.fails(outcome.strict):
        return "error"
    return "warning" if finding.only_warns or finding.verdict is Verdict.UNCHECKED else "note"
