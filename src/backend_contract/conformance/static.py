"""Layer S: a run of a type checker over the probes of targets, and of canaries beside them.

No target is imported: its types are read by the checker, and its source is only parsed.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

from backend_contract.clauses import in_layer
from backend_contract.conformance.checkers.checker import Checker, Task
from backend_contract.conformance.environment import Environment, this_environment
from backend_contract.conformance.findings import Evidence, report_on
from backend_contract.conformance.probe import (
    Errors,
    Probe,
    cannot_import,
    decide,
    digest,
    has_unseen_base,
)
from backend_contract.conformance.targets import Target
from backend_contract.conformance.verdicts import CouldNotCheckError, Report, Verdict

__all__ = ["check", "copy_missing_stubs"]

_CANARIES = (Path(__file__).parent / "canaries.py.txt").read_text(encoding="utf-8")
_CANARY_MODULE = "backend_contract_canaries"
_STUBBED = ("aconfig", "fastapi", "grpc", "starlette")


def check(
    targets: Sequence[Target],
    checker: Checker,
    cache: Path | None,
    environment: Environment | None = None,
) -> list[Report]:
    """A report a target, in their order, on every clause of layer S.

    ``cache`` is a directory the checker may keep for the next time; ``None`` keeps nothing.
    ``environment`` is where installed modules are taken from; by default, this interpreter's.
    Raises :class:`CouldNotCheckError` where the checker cannot be relied on for any target; what is
    wrong with one target alone stands in its report.
    """
    runner = _Runner(checker, checker.version(), cache, environment or this_environment())
    # One run a root: in another's, the name of a module might mean something else.
    by_root: dict[Path | None, list[Target]] = {}
    for target in targets:
        by_root.setdefault(target.root, []).append(target)
    reports: dict[Target, Report] = {}
    for together in by_root.values():
        reports.update(_check_together(together, runner))
    return [reports[target] for target in targets]


class _Runner(NamedTuple):
    """What is the same in every run."""

    checker: Checker
    version: str
    cache: Path | None
    environment: Environment

    @property
    def by(self) -> str:
        """Who decides."""
        return f"{self.checker.name} {self.version}"


def _check_together(targets: Sequence[Target], runner: _Runner) -> dict[Target, Report]:
    try:
        return _run(targets, runner)
    except CouldNotCheckError as error:
        if len(targets) == 1:
            return {targets[0]: Report(targets[0].text, error=f"{targets[0].text}: {error}")}
        # One of them stopped the checker: the others shall not pay for it. But first see whether it
        # works at all.
        _run([], runner)
        half = len(targets) // 2
        return _check_together(targets[:half], runner) | _check_together(targets[half:], runner)


def _run(targets: Sequence[Target], runner: _Runner) -> dict[Target, Report]:
    """Check ``targets``, and the canaries with them, in one run of the checker."""
    names = re.findall(r"^class (\w+)", _CANARIES, re.MULTILINE)
    canaries = {name: Probe(_CANARY_MODULE, name) for name in names}
    probes = {target: Probe(target.module, target.qualname) for target in targets}
    roots = [root for root in {target.root for target in targets} if root is not None]
    with tempfile.TemporaryDirectory(prefix="backend-contract-") as name:
        directory = Path(name).resolve()
        (directory / f"{_CANARY_MODULE}.py").write_text(_CANARIES, encoding="utf-8")
        files = {probe.file: probe.text for probe in (*canaries.values(), *probes.values())}
        for file, text in files.items():
            (directory / file).write_text(text, encoding="utf-8")
        stubs = copy_missing_stubs(directory / "stubs", runner.environment)
        kept = directory / "cache"
        if runner.cache is not None:
            kept = runner.cache / digest(runner.environment.python, *map(str, roots))
        task = Task(list(files), directory, [*roots, stubs], kept, runner.environment)
        diagnostics = runner.checker.check(task)
        errors: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for diagnostic in diagnostics:
            if diagnostic.path.parent == directory:
                errors[diagnostic.path.name][diagnostic.line].append(diagnostic.message)
    for canary, probe in canaries.items():
        _require_the_known(canary, errors[probe.file], runner.by)
    return {
        target: report_on(Evidence(target, runner.by, errors[probe.file], diagnostics))
        for target, probe in probes.items()
    }


def copy_missing_stubs(directory: Path, environment: Environment | None = None) -> Path:
    """Put what ``environment`` lacks into ``directory``: our stubs, and what they are about.

    There are stubs for what is not installed, or is installed without types. Where this package
    itself is not installed, its own core takes its place.
    """
    path = (environment or this_environment()).path
    here = Path(__file__).parent
    bundled = here / "typings"
    if not bundled.is_dir():  # pragma: no cover - an editable install: only a wheel carries them
        bundled = here.parents[2] / "typings"
    for name in _STUBBED:
        if not _has_types(name, path):
            shutil.copytree(bundled / name, directory / name)
    is_this = environment is None or environment.is_this  # then it is found, however installed
    if not is_this and PathFinder.find_spec("backend_contract", path) is None:
        others = shutil.ignore_patterns("conformance", "__pycache__")
        shutil.copytree(here.parent, directory / "backend_contract", ignore=others)
    return directory


def _has_types(name: str, path: Sequence[str]) -> bool:
    spec = PathFinder.find_spec(name, path)
    packages = (spec and spec.submodule_search_locations) or ()
    return any((Path(package) / "py.typed").is_file() for package in packages) or any(
        (Path(entry) / f"{name}-stubs").is_dir() for entry in path
    )


def _require_the_known(canary: str, errors: Errors, by: str) -> None:
    """Raise :class:`CouldNotCheckError` unless the checker says of a canary what is known of it."""
    known = Verdict.OK if canary == "Good" else Verdict.VIOLATED
    if canary.startswith("Untyped"):
        known = Verdict.UNCHECKED
    for clause in in_layer("S"):
        verdict, marks = decide(clause, errors)
        if verdict is not known:
            messages = [m for mark in marks for m in errors.get(mark.line, ())]
            said = cannot_import(errors) or next(iter(messages), "nothing")
            raise CouldNotCheckError(
                f"{by} cannot be relied on here: {clause.id} is {known.value} in a backend of our "
                f"own ({canary}), and came out {verdict.value}; {by.partition(' ')[0]} said: {said}"
            )
    if has_unseen_base(errors) is not (canary == "UntypedByItsBase"):
        raise CouldNotCheckError(
            f"{by} cannot be relied on here: it does not tell a base class that is `Any` from "
            f"others, in a backend of our own ({canary})"
        )
