"""The format ``json``: the whole outcome of a run, described by ``docs/report-1.schema.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from backend_contract._conformance.formats.common import LOG_COMMAND, reference, relative
from backend_contract._conformance.results import Finding, Outcome

SCHEMA_VERSION = 1
"""The version of the schema; a change that breaks readers increases it."""


def json_document(outcome: Outcome, _color: bool) -> Iterator[str]:
    """Yield one complete document, even if a target could not be checked."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "version": version("backend-contract"),
        "sources": [asdict(source) for source in outcome.sources],
        "reports": [
            {
                "target": report.target,
                "findings": [_document(finding, outcome) for finding in report.findings],
                "notes": list(report.notes),
            }
            for report in outcome.checked
        ],
        "not_checked": [
            {**asdict(each), "path": str(relative(each.path))} for each in outcome.not_checked
        ],
        "notes": list(outcome.notes),
        "lenient": outcome.lenient,
        "error_on_warning": outcome.error_on_warning,
        "excluded": list(outcome.excluded),
        "not_selected": list(outcome.not_selected),
        "errors": [{"target": target, "message": text} for target, text in outcome.errors],
    }
    yield json.dumps(document, indent=2).replace(*LOG_COMMAND)


def _document(finding: Finding, outcome: Outcome) -> dict[str, Any]:
    return {
        "clause": finding.clause.id,
        "level": finding.clause.level.value,
        "text": finding.clause.text,
        "verdict": finding.verdict.value,
        "fails": outcome.is_failure(finding),
        "layers": sorted({source.layer for source in finding.sources}),
        "path": str(relative(finding.path)),
        "line": finding.line,
        "found": finding.found,
        "because": list(finding.because),
        "expected": finding.clause.expected,
        "fix": finding.clause.fix,
        "advice": finding.advice or None,
        "see": reference(finding.clause),
        "expected_because": finding.expected_because or None,
        "parts": [
            {
                "layer": part.layer,
                "checked_by": part.checked_by,
                "verdict": part.verdict.value,
                "because": list(part.because),
            }
            for part in finding.parts
        ],
    }
