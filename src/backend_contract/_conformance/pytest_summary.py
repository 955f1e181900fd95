"""The pytest output of ``BackendConformance`` suites: failure messages, and the summary."""

from __future__ import annotations

import ast
import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from backend_contract._conformance.behavioural import BEHAVIOURS
from backend_contract._conformance.results import Finding

IN_HALF = "ok in half"
"""The result of a clause that is ok, and of which half needs a hook that the suite lacks."""

DECIDED = ("ok", IN_HALF, "violated", "warning", "expected violation")
"""The results of a test that mean that its clause was decided."""

UNDECIDED = ("unchecked", "needs a suite", "needs an extra")
"""The results that fail a strict suite."""

_TEST = re.compile(r"(?P<suite>.*)::test_clause\[(?P<before>.*-)?BC\d{3}(?P<after>-.*)?\]")
"""The id of a test of a suite."""

PROPERTY = "backend-contract"
"""The name of the test property: suite, clause and result, separated by spaces."""


def failure_message(
    finding: Finding,
    name: str,
    config: Mapping[str, Any] | None = None,
    fixtures: Sequence[str] = (),
) -> str:
    """Return everything needed to fix a violation, with code that reproduces it.

    *name* is ``module:qualname`` of the class or factory; a class is called with *config*. The
    suite uses *fixtures*.
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
    code = textwrap.indent(reproduction(clause.id, name, config, fixtures), "    ")
    return "\n".join([*lines, "", "to reproduce it without the kit:", "", code])


def reproduction(
    clause: str,
    name: str,
    config: Mapping[str, Any] | None = None,
    fixtures: Sequence[str] = (),
) -> str:
    """Return code that shows the violation, runnable if *name* can be imported.

    In it, ``make`` takes the arguments of the class; without any, it passes *config*.
    """
    module, _, qualname = name.partition(":")
    if module != "__main__" and all(part.isidentifier() for part in qualname.split(".")):
        outermost = qualname.partition(".")[0]
        make = f"from {module} import {outermost}\n{_define_make(qualname, config, fixtures)}"
    else:
        make = f"make = ...  # {qualname}, of {module}"
    return f"{make}\n{BEHAVIOURS[clause].reproduce}"


def _define_make(qualname: str, config: Mapping[str, Any] | None, fixtures: Sequence[str]) -> str:
    """Return the definition of ``make``, for a class or for a method of a suite."""
    suite, _, method = qualname.rpartition(".")
    if suite and method in ("backend", "make_backend"):
        hint = f"  # set what its fixtures set: {', '.join(fixtures)}" if fixtures else ""
        return f"suite = {suite}(){hint}\nmake = suite.{method}"
    if config is None:
        return f"make = {qualname}"
    sample = repr(dict(config))
    given = f"aconfig.Config({sample}, override_env_vars=False)"
    if not _is_literal(sample):
        given = "...  # the config of the suite"
    return (
        f"import aconfig\nconfig = {given}\nmake = lambda *given: {qualname}(*(given or (config,)))"
    )


def _is_literal(code: str) -> bool:
    try:
        ast.literal_eval(code)
    except (SyntaxError, ValueError):
        return False
    return True


def register_summary(config: Any) -> None:  # Any: pytest may not be installed
    """Add the summary to a pytest run. Idempotent; does nothing in an xdist worker.

    The reports of xdist workers are counted in the controller.
    """
    name = "backend-contract-summary"
    if not hasattr(config, "workerinput") and not config.pluginmanager.has_plugin(name):
        config.pluginmanager.register(_Summary(), name)


class _Summary:
    """Counts the results per suite, and per parameters of its fixtures."""

    def __init__(self) -> None:
        self._results: dict[str, tuple[str, str]] = {}  # clause and result by test: one may rerun
        self._hidden: set[str] = set()

    def pytest_runtest_logreport(self, report: Any) -> None:
        test = report.nodeid
        for name, value in report.user_properties if report.when == "call" else ():
            if name == PROPERTY:
                _, clause, result = value.split(" ", 2)
                self._results[test] = clause, result
                if result == "violated" and report.outcome == "skipped":  # by a mark
                    self._hidden.add(test)
        skipped = report.when == "setup" and report.outcome == "skipped"
        if skipped and _TEST.fullmatch(test):  # by a mark or a fixture: the test did not run
            self._results[test] = "", "skipped"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._results:
            terminalreporter.section("backend-contract")
        suites: dict[str, Counter[str]] = {}
        for test, (_, result) in self._results.items():
            suites.setdefault(_title(test), Counter())[result] += 1
        for suite, counts in suites.items():
            terminalreporter.line(f"{suite}: {_in_words(counts)}")
        for test, (clause, result) in self._results.items():
            title = _title(test)
            if result == "warning":
                terminalreporter.line(
                    f"WARNING {title}: {clause} (SHOULD) is violated", yellow=True
                )
            if test in self._hidden:
                line = f"WARNING {title}: {clause} is violated, which a mark xfail hides"
                terminalreporter.line(line, yellow=True)


def _title(test: str) -> str:
    """Return the suite of a test, with the parameters of its fixtures."""
    match = _TEST.fullmatch(test)
    if match is None:
        return test.partition("::test_clause")[0]
    parameters = f"{match['before'] or ''}{match['after'] or ''}".strip("-")
    return f"{match['suite']}[{parameters}]" if parameters else match["suite"]


_AS_THEY_ARE = ("violated", "could not start", *UNDECIDED, "not applicable", "not tried", "skipped")

_IN_WORDS = {
    IN_HALF: "of them only half",
    **{result: result for result in _AS_THEY_ARE},
    "warning": "warning{s}",
    "expected violation": "expected violation{s}",
}
"""The results that the summary counts, as it names them."""


def _in_words(counts: Counter[str]) -> str:
    exercised = sum(counts[result] for result in DECIDED)
    blocked = {each: f"clause{{s}} {each}" for each in counts if each.startswith("blocked by ")}
    parts = [
        f"{counts[result]} {words.format(s='s' if counts[result] > 1 else '')}"
        for result, words in {**_IN_WORDS, **blocked}.items()
        if counts[result]
    ]
    return ", ".join([f"{exercised} of {counts.total()} clauses exercised", *parts])
