"""Violations that a project expects, held against what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backend_contract.conformance.environment import Environment
from backend_contract.conformance.settings import Settings
from backend_contract.conformance.targets import Target, find_targets
from backend_contract.conformance.verdicts import CouldNotCheckError, Report

__all__ = ["expecting"]


def expecting(
    settings: Settings,
    environment: Environment,
    targets: Sequence[Target | CouldNotCheckError],
    reports: Sequence[Report],
    everything: bool,
) -> list[Report]:
    """``reports``, one of each target that was checked, with the expected violations marked.

    ``everything`` says that all of the project's targets were checked: then each expectation has to
    be about one of them. Raises :class:`CouldNotCheckError` where it is not, or is about no class.
    """
    reasons: dict[tuple[Path, int], dict[str, str]] = {}
    names: dict[tuple[Path, int], str] = {}
    for expected in settings.expected_violations:
        for found in find_targets([expected.target], environment, settings.directory):
            if not isinstance(found, Target):
                raise CouldNotCheckError(f"expected-violations: {found}")
            reasons.setdefault(_identity(found), {})[expected.clause] = expected.reason
            names[_identity(found)] = expected.target
    identities = {t.text: _identity(t) for t in targets if isinstance(t, Target)}
    if everything:
        for identity in reasons.keys() - identities.values():
            raise CouldNotCheckError(
                f"expected-violations: {names[identity]} is not among the targets: remove the "
                "entry, or add the target"
            )
    marked: list[Report] = []
    for report in reports:
        of_class = reasons.get(identities.get(report.target, (Path(), 0)), {})
        findings = (
            finding._replace(expected_because=of_class.get(finding.clause.id, ""))
            for finding in report.findings
        )
        marked.append(report._replace(findings=tuple(findings)))
    return marked


def _identity(target: Target) -> tuple[Path, int]:
    """What tells a class from every other, however it was named."""
    return target.source.module.path, target.source.node.lineno
