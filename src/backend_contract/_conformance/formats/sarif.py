"""The format ``sarif``: a SARIF 2.1.0 log, for code scanning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from os import fsencode
from typing import Any
from urllib.parse import quote_from_bytes

from backend_contract._conformance.formats.common import (
    findings_to_report,
    relative,
    severity,
    summarize,
)
from backend_contract._conformance.results import Finding, Outcome
from backend_contract.clauses import Clause

__all__ = ["sarif"]


def sarif(outcome: Outcome, color: bool) -> Iterator[str]:
    """Yield one complete log with one run, in which clauses are rules."""
    del color
    findings = list(findings_to_report(outcome))
    clauses = {finding.clause.id: finding.clause for finding in findings}
    rule_index = {clause: number for number, clause in enumerate(clauses)}
    checkers = dict.fromkeys(source.checked_by for source in outcome.sources)
    run = {
        "tool": {
            "driver": {
                "name": "backend-contract",
                "version": version("backend-contract"),
                "rules": [_rule(clause) for clause in clauses.values()],
            },
            "extensions": [{"name": name} for name in checkers],
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
            _result(finding, rule_index[finding.clause.id], outcome) for finding in findings
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


def _result(finding: Finding, rule_index: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "ruleId": finding.clause.id,
        "ruleIndex": rule_index,
        "level": severity(finding, outcome),
        "message": {"text": summarize(finding)},
        "locations": [_location(finding)],
        "suppressions": _suppressions(finding),
        "properties": {"verdict": finding.verdict.value},
    }


def _suppressions(finding: Finding) -> list[dict[str, str]]:
    if not finding.is_expected:
        return []
    return [{"kind": "external", "justification": finding.expected_because}]


def _location(finding: Finding) -> dict[str, Any]:
    path = relative(finding.path)
    if path.is_absolute():
        file = {"uri": path.as_uri()}
    else:  # quoted from its bytes: a path may not be valid UTF-8
        file = {"uri": quote_from_bytes(fsencode(path.as_posix())), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": file, "region": {"startLine": finding.line}}}
