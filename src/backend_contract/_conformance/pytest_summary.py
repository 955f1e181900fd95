"""The pytest output of ``BackendConformance`` suites: failure messages, and the summary."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Mapping
from typing import Any

from backend_contract._conformance.behavioural import BEHAVIOURS
from backend_contract._conformance.results import Finding

__all__ = ["DECIDED", "PROPERTY", "UNDECIDED", "failure_message", "register_summary"]

DECIDED = ("ok", "violated", "warning", "expected violation")
"""The results of a test that mean that its clause was decided."""

UNDECIDED = ("unchecked", "needs a suite", "needs an extra")
"""The results that fail a strict suite."""

_TEST = re.compile(r"(?P<file>[^:]*)::(?:.*::)?(?P<suite>\w+)::test_clause\[(.*-)?BC\d{3}(-.*)?\]")
"""The id of a test of a suite."""

PROPERTY = "backend-contract"
"""The name of the test property: suite, clause and result, separated by spaces."""


def failure_message(finding: Finding, name: str, config: Mapping[str, Any] | None = None) -> str:
    """Return everything needed to fix a violation, with code that reproduces it.

    *name* is ``module:qualname`` of the class or factory; a class is called with *config*.
    """
    clause = finding.clause
    lines = [f"{clause.id} violated: {clause.text}", ""]
    for label, text in (
        ("expected", clause.expected),
        ("found", finding.found),
        ("because", "\n".join(finding.because)),
        ("at", f"{finding.path}:{finding.line}"),
        ("fix", finding.advice or clause.fix),
    ):
        if text:
            block = textwrap.indent(text, " " * 10)
            lines.append(f"{label:10}{block.lstrip()}")
    script = textwrap.indent(_script(clause.id, name, config), "    ")
    return "\n".join([*lines, "", "to reproduce it without the kit:", "", script])


def _script(clause: str, name: str, config: Mapping[str, Any] | None) -> str:
    """Return code that shows the violation, runnable if *name* can be imported."""
    module, _, qualname = name.partition(":")
    if module != "__main__" and all(part.isidentifier() for part in qualname.split(".")):
        outermost = qualname.partition(".")[0]
        make = f"from {module} import {outermost}\nmake = {_factory(qualname, config)}"
    else:
        make = f"make = ...  # {qualname}, of {module}"
    return f"{make}\n{BEHAVIOURS[clause].reproduce}"


def _factory(qualname: str, config: Mapping[str, Any] | None) -> str:
    """Return the expression for a class, or for the ``make_backend`` of a suite."""
    suite, _, method = qualname.rpartition(".")
    if suite and method == "make_backend":
        return f"{suite}().make_backend"
    return qualname if config is None else f"lambda: {qualname}({dict(config)!r})"


def register_summary(config: Any) -> None:  # Any: pytest may not be installed
    """Add the summary to a pytest run. Idempotent; does nothing in an xdist worker.

    The reports of xdist workers are counted in the controller.
    """
    name = "backend-contract-summary"
    if not hasattr(config, "workerinput") and not config.pluginmanager.has_plugin(name):
        config.pluginmanager.register(_Summary(), name)


class _Summary:
    """Counts the results per suite."""

    def __init__(self) -> None:
        self._suites: dict[str, Counter[str]] = {}
        self._warnings: list[str] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        for name, value in report.user_properties if report.when == "call" else ():
            if name == PROPERTY:
                suite, clause, result = value.split(" ", 2)
                title = f"{report.nodeid.partition('::')[0]}::{suite}"
                self._suites.setdefault(title, Counter())[result] += 1
                if result == "warning":
                    self._warnings.append(f"{title}: {clause} (SHOULD) is violated")
        skipped = _TEST.fullmatch(report.nodeid) if report.outcome == "skipped" else None
        if report.when == "setup" and skipped:  # by a mark or a fixture: the test did not run
            title = f"{skipped['file']}::{skipped['suite']}"
            self._suites.setdefault(title, Counter())["skipped"] += 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._suites:
            terminalreporter.section("backend-contract")
        for suite, counts in self._suites.items():
            terminalreporter.line(f"{suite}: {_in_words(counts)}")
        for warning in self._warnings:
            terminalreporter.line(f"WARNING {warning}", yellow=True)


def _in_words(counts: Counter[str]) -> str:
    exercised = sum(counts[result] for result in DECIDED)
    parts = [f"{exercised} of {counts.total()} clauses exercised"]
    for result in ("violated", *UNDECIDED, "blocked", "not applicable", "not tried", "skipped"):
        if counts[result]:
            parts.append(f"{counts[result]} {result}")
    for result in ("warning", "expected violation"):
        if counts[result]:
            parts.append(f"{counts[result]} {result}{'s' if counts[result] > 1 else ''}")
    return ", ".join(parts)
