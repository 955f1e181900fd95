"""The violations that a project expects, compared with the findings of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backend_contract._conformance.cli.settings import Settings
from backend_contract._conformance.results import Report
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.targets import Target
from backend_contract.errors import CouldNotCheckError


def mark_expected(
    settings: Settings,
    environment: Environment,
    targets: Sequence[Target | CouldNotCheckError],
    reports: Sequence[Report],
    all_targets: bool,
) -> list[Report]:
    """Return *reports* with the expected violations marked.

    With *all_targets*, the run includes every target of the project, and each entry has to name one
    of them. Raises :class:`CouldNotCheckError` if an entry does not, or does not name a class.
    """
    reasons: dict[tuple[Path, int], dict[str, str]] = {}
    names: dict[tuple[Path, int], str] = {}
    for expected in settings.expected_violations:
        for found in find_targets([expected.target], environment, settings.directory, settings):
            if not isinstance(found, Target):
                raise CouldNotCheckError(f"expected-violations: {found}")
            reasons.setdefault(found.source.identity, {})[expected.clause] = expected.reason
            names[found.source.identity] = expected.target
    identities = {
        target.text: target.source.identity for target in targets if isinstance(target, Target)
    }
    if all_targets:
        for identity in reasons.keys() - identities.values():
            raise CouldNotCheckError(
                f"expected-violations: {names[identity]} is not among the targets; remove the "
                "entry, or add the target"
            )
    return [
        mark(report, reasons.get(identities.get(report.target, (Path(), 0)), {}))
        for report in reports
    ]


def names_in_settings(targets: Sequence[Target], settings: Settings) -> dict[str, str]:
    """Return the name of each target that the settings can use, whichever the user gave it.

    A file is named relative to the directory of the settings.
    """
    names: dict[str, str] = {}
    for target in targets:
        location = target.module
        if target.root is not None:
            location = os.path.relpath(target.source.module.path, settings.directory)
        names[target.text] = f"{location}:{target.qualname}"
    return names


def mark(report: Report, reasons: dict[str, str]) -> Report:
    """Return *report* with the reasons, by clause, why findings are expected."""
    findings = (
        replace(finding, expected_because=reasons.get(finding.clause.id, finding.expected_because))
        for finding in report.findings
    )
    return replace(report, findings=tuple(findings))
