"""The format ``sarif``: a SARIF 2.1.0 log, for code scanning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from os import fsencode
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from backend_contract._conformance.formats.common import (
    LOG_COMMAND,
    closing,
    in_repository,
    page_of,
    reference,
    repository,
    severity,
    summarize,
    to_report,
)
from backend_contract._conformance.results import Finding, Outcome
from backend_contract.clauses import Clause

_ROOT = "%SRCROOT%"
"""The name of the directory that locations are relative to."""

_NOT_CHECKED: dict[str, Any] = {
    "id": "not-checked",
    "shortDescription": {"text": "a class that looks like a backend was not checked"},
}
"""The rule of classes that were not checked."""


def sarif(outcome: Outcome, _color: bool) -> Iterator[str]:
    """Yield one complete log with one run, in which clauses are rules."""
    findings = to_report(outcome.findings)
    rules = {finding.clause.id: _rule(finding.clause) for finding in findings}
    if outcome.not_checked:
        rules[_NOT_CHECKED["id"]] = _NOT_CHECKED
    rule_index = {rule: number for number, rule in enumerate(rules)}
    checkers = dict.fromkeys(source.checked_by for source in outcome.sources)
    run = {
        "tool": {
            "driver": {
                "name": "backend-contract",
                "version": version("backend-contract"),
                "rules": [*rules.values()],
            },
            "extensions": [{"name": name} for name in checkers],
        },
        "invocations": [
            {
                "executionSuccessful": not outcome.errors,
                "toolExecutionNotifications": [
                    *({"level": "error", "message": {"text": text}} for _, text in outcome.errors),
                    *({"level": "note", "message": {"text": note}} for note in closing(outcome)),
                ],
            }
        ],
        "originalUriBaseIds": {_ROOT: {"uri": f"{repository().as_uri()}/"}},
        "results": [
            {**result, "ruleIndex": rule_index[result["ruleId"]]}
            for result in _results(findings, outcome)
        ],
        "columnKind": "unicodeCodePoints",
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    yield json.dumps(log, indent=2).replace(*LOG_COMMAND)


def _rule(clause: Clause) -> dict[str, Any]:
    help_text = (
        f"{clause.fix}\n\nExpected: {clause.expected}\n\nGood:\n\n{clause.good}\n"
        f"See {reference(clause)}"
    )
    rule = {
        "id": clause.id,
        "shortDescription": {"text": clause.text},
        "fullDescription": {"text": clause.why},
        "help": {"text": help_text},
    }
    page = page_of(clause)
    return {**rule, "helpUri": page} if page else rule


def _results(findings: Sequence[Finding], outcome: Outcome) -> Iterator[dict[str, Any]]:
    for finding in findings:
        yield {
            "ruleId": finding.clause.id,
            "level": severity(finding, outcome),
            "message": {"text": summarize(finding)},
            "locations": [_location(finding.path, finding.line)],
            "suppressions": [{"kind": "external", "justification": finding.expected_because}]
            if finding.is_expected
            else [],
            "properties": {"verdict": finding.verdict.value},
        }
    for each in outcome.not_checked:
        yield {
            "ruleId": _NOT_CHECKED["id"],
            "level": "warning" if outcome.lenient else "error",
            "message": {"text": f"{each.name}: {each.because}"},
            "locations": [_location(each.path, each.line)],
        }


def _location(path: Path, line: int) -> dict[str, Any]:
    """Return a line of a file, relative to the root of the repository if the file is below it."""
    path = Path(in_repository(path))
    if path.is_absolute():
        file = {"uri": path.as_uri()}
    else:  # quoted from its bytes: a path may not be valid UTF-8
        file = {"uri": quote_from_bytes(fsencode(path.as_posix())), "uriBaseId": _ROOT}
    return {"physicalLocation": {"artifactLocation": file, "region": {"startLine": line}}}
