"""One run of a type checker over the probes of targets, and over the canaries beside them.

No target is imported: the checker reads its types, and this package only parses its source.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from backend_contract._conformance.interruption import temporary_directory
from backend_contract._conformance.results import Report, Verdict
from backend_contract._conformance.source.environment import Environment, this_environment
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.checkers.base import Checker, CheckRequest, Diagnostic
from backend_contract._conformance.static.probe import (
    CANARIES,
    CANARY_MODULE,
    CANARY_PROBES,
    WITHOUT_VIOLATION,
    Errors,
    Probe,
    digest,
    require_known_verdicts,
)
from backend_contract._conformance.static.stubs import copy_missing_stubs
from backend_contract.errors import CouldNotCheckError

_READING = threading.Lock()
"""Held while the source of targets is read, which checkers in several threads share."""


def check(
    targets: Sequence[Target],
    checker: Checker,
    cache: Path | None,
    environment: Environment | None = None,
) -> list[Report]:
    """Return one report per target, in their order, on every clause of layer S.

    *cache* is a directory that the checker may keep for the next run; ``None`` keeps nothing.
    Installed modules are those of *environment* (default: that of this interpreter). A problem with
    a single target is the error of its report. Raises :class:`CouldNotCheckError` if the checker
    fails whatever the targets are.
    """
    runner = _Runner(checker, checker.version(), cache, environment or this_environment())
    # One run per root: under another root, the name of a module may mean a different one.
    by_roots: dict[tuple[Path, ...], list[Target]] = {}
    for target in targets:
        by_roots.setdefault(target.roots, []).append(target)
    reports: dict[Target, Report] = {}
    for roots, together in by_roots.items():
        reports.update(_check_together(together, roots, runner))
    return [reports[target] for target in targets]


class _Runner(NamedTuple):
    """The settings that all runs share."""

    checker: Checker
    version: str
    cache: Path | None
    environment: Environment

    @property
    def checked_by(self) -> str:
        """Name and version of the checker."""
        return f"{self.checker.name} {self.version}"


def _check_together(
    targets: Sequence[Target], roots: Sequence[Path], runner: _Runner
) -> dict[Target, Report]:
    try:
        return _run(targets, roots, runner)
    except CouldNotCheckError as error:
        if len(targets) == 1:
            text = targets[0].text
            return {targets[0]: Report(target=text, error=f"{text}: {error}")}
        # One target stopped the checker: check the others without it, if the checker works at all.
        _run([], [], runner)
        half = len(targets) // 2
        first = _check_together(targets[:half], roots, runner)
        return first | _check_together(targets[half:], roots, runner)


def _run(targets: Sequence[Target], roots: Sequence[Path], runner: _Runner) -> dict[Target, Report]:
    """Check *targets*, which all have *roots*, and the canaries in one run of the checker."""
    probes = {target: Probe(target.module, target.qualname) for target in targets}
    with temporary_directory() as directory:
        request = _prepare([*CANARY_PROBES.values(), *probes.values()], directory, roots, runner)
        reading = _Reading(targets, runner.checked_by)
        diagnostics = runner.checker.check(request)
    errors = _errors_by_file(diagnostics, directory)
    for canary, probe in CANARY_PROBES.items():
        require_known_verdicts(canary, errors[probe.file], runner.checked_by)
    reports = reading.reports()
    with _READING:
        for target, probe in probes.items():
            found = errors[probe.file]
            if target not in reports or found.keys() != WITHOUT_VIOLATION.keys():
                reports[target] = _interpret(target, runner.checked_by, found, diagnostics)
    return reports


def _interpret(
    target: Target, checked_by: str, errors: Errors, diagnostics: Sequence[Diagnostic]
) -> Report:
    from backend_contract._conformance.static.interpret import ProbeResult, interpret  # slow

    try:
        return interpret(ProbeResult(target, checked_by, errors, diagnostics))
    except RecursionError:
        reason = "its source is nested too deeply to be read; divide its longest chain of `elif`"
        return Report(target=target.text, error=f"{target.text}: {reason}")


class _Reading(threading.Thread):
    """Reads the source of targets while a checker runs, which takes as long."""

    def __init__(self, targets: Sequence[Target], checked_by: str) -> None:
        super().__init__(daemon=True)
        self._targets = targets
        self._checked_by = checked_by
        self._reports: dict[Target, Report] = {}
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            with _READING:
                for target in self._targets:
                    report = _interpret(target, self._checked_by, WITHOUT_VIOLATION, ())
                    self._reports[target] = report
        except BaseException as error:
            self._error = error

    def reports(self) -> dict[Target, Report]:
        """Return the reports on those targets that are ok without an unexpected error."""
        self.join()
        if self._error is not None:
            raise self._error
        return {target: report for target, report in self._reports.items() if _is_ok(report)}


def _is_ok(report: Report) -> bool:
    return report.error is None and all(f.verdict is Verdict.OK for f in report.findings)


def _prepare(
    probes: Sequence[Probe], directory: Path, roots: Sequence[Path], runner: _Runner
) -> CheckRequest:
    """Write canaries, probes and stubs into *directory*, and return the request to check them."""
    (directory / f"{CANARY_MODULE}.py").write_text(CANARIES, encoding="utf-8")
    texts = {probe.file: probe.text for probe in probes}
    for file, text in texts.items():
        (directory / file).write_text(text, encoding="utf-8")
    stubs = copy_missing_stubs(directory / "stubs", runner.environment)
    cache = directory / "cache"
    if runner.cache is not None:
        cache = runner.cache / digest(runner.environment.python, *map(str, roots))
    visible = without_shadowing(roots, directory)
    return CheckRequest([*texts], directory, [*visible, stubs], cache, runner.environment)


def _errors_by_file(
    diagnostics: Sequence[Diagnostic], directory: Path
) -> defaultdict[str, dict[int, list[str]]]:
    by_path: defaultdict[Path, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for diagnostic in diagnostics:
        by_path[diagnostic.path][diagnostic.line].append(diagnostic.message)
    errors: defaultdict[str, dict[int, list[str]]] = defaultdict(dict)
    errors.update({path.name: lines for path, lines in by_path.items() if path.parent == directory})
    return errors


def without_shadowing(roots: Sequence[Path], directory: Path) -> list[Path]:
    """Return *roots* without modules that are called like those of the standard library.

    A checker would read such a module in place of the standard one, in every module that imports
    it. A root that has one is replaced by a directory of links to everything else in it, below
    *directory*.
    """
    return [_replace(root, directory / f"root{number}") for number, root in enumerate(roots)]


def _replace(root: Path, view: Path) -> Path:
    try:
        names = os.listdir(root)
    except OSError:  # the checker reports it
        return root
    shadowing = {name for name in names if _shadows(root / name)}
    if not shadowing:
        return root
    view.mkdir()
    for name in _importable(set(names) - shadowing):
        (view / name).symlink_to(root / name)
    return view


def _shadows(path: Path) -> bool:
    if path.name.partition(".")[0] not in sys.stdlib_module_names:
        return False
    return path.suffix in (".py", ".pyi") or os.path.isdir(path)  # noqa: PTH112 - never raises


def _importable(names: Iterable[str]) -> list[str]:
    stems = {name: name.removesuffix("-stubs").partition(".")[0] for name in names}
    return [name for name, stem in stems.items() if stem.isidentifier()]
