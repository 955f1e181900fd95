"""What pytest says at the end of a run with suites of :class:`BackendConformance` in it.

pytest loads it by itself wherever this package is installed, so it imports nothing of the kit.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

__all__ = ["pytest_configure"]

_DECIDED = ("ok", "violated", "expected violation")


# Any: pytest's own types are to be had only where pytest is
def pytest_configure(config: Any) -> None:
    """Count, in every run; under xdist the workers' reports arrive where this one is."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Summary(), "backend-contract-summary")


class _Summary:
    """What became of the clauses, a suite."""

    def __init__(self) -> None:
        self._suites: dict[str, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        for name, value in report.user_properties if report.when == "call" else ():
            if name == "backend-contract":
                suite, _, verdict = value.split(" ", 2)
                module = report.nodeid.partition("::")[0]
                self._suites.setdefault(f"{module}::{suite}", Counter())[verdict] += 1

    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        if exitstatus == 0 and any(self._undecided()):
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._suites:
            terminalreporter.section("backend-contract")
        for suite, counts in self._suites.items():
            terminalreporter.line(f"{suite}: {_in_words(counts)}")
        for suite in self._undecided():
            terminalreporter.line(f"ERROR {suite}: no clause was decided", red=True)

    def _undecided(self) -> list[str]:
        return [
            suite
            for suite, counts in self._suites.items()
            if not any(counts[verdict] for verdict in _DECIDED)
        ]


def _in_words(counts: Counter[str]) -> str:
    exercised = sum(counts[verdict] for verdict in _DECIDED)
    parts = [f"{exercised} of {counts.total()} clauses exercised"]
    for verdict in ("violated", "unchecked", "blocked", "not applicable", "not tried"):
        if counts[verdict]:
            parts.append(f"{counts[verdict]} {verdict}")
    expected = counts["expected violation"]
    if expected:
        parts.append(f"{expected} expected failure{'s' if expected > 1 else ''}")
    return ", ".join(parts)
