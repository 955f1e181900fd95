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
    run = {
        "tool": {
            "driver": {
                "name": "backend-contract",
                "version": version("backend-contract"),
                "rules": [_rule(clause) for clause in clauses.values()],
            },
            "extensions": [
                {"name": name}
                for name in dict.fromkeys(source.checked_by for source in outcome.sources)
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
                "ruleIndex": rule_index[finding.clause.id],
                "level": severity(finding, outcome),
                "message": {"text": summarize(finding)},
                "locations": [_location(finding)],
                "suppressions": _suppressions(finding),
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


def _suppressions(finding: Finding) -> list[dict[str, str]]:
    if not finding.expected_because or finding.is_stale:
        return []
    return [{"kind": "external", "justification": finding.expected_because}]


def _location(finding: Finding) -> dict[str, Any]:
    path = relative(finding.path)
    if path.is_absolute():
        place = {"uri": path.as_uri()}
    else:  # quoted from its bytes: a path that is not UTF-8 has no URI otherwise
        place = {"uri": quote_from_bytes(fsencode(path.as_posix())), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": place, "region": {"startLine": finding.line}}}
