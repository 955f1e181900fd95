"""Layer S: a type checker, run over probes of the targets and over canaries beside them.

No target is imported: the checker reads its types, and its source is only parsed.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from backend_contract._conformance.results import Report, Verdict
from backend_contract._conformance.source.environment import Environment, this_environment
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.checkers.base import Checker, CheckRequest
from backend_contract._conformance.static.interpret import ProbeResult, interpret
from backend_contract._conformance.static.probe import (
    Errors,
    Probe,
    decide,
    digest,
    has_unseen_base,
    import_error,
)
from backend_contract._conformance.static.stubs import copy_missing_stubs
from backend_contract.clauses import in_layer
from backend_contract.errors import CouldNotCheckError

__all__ = ["check"]

_CANARIES = (Path(__file__).parent / "canaries.py.txt").read_text(encoding="utf-8")
_CANARY_NAMES = re.findall(r"^class (\w+)", _CANARIES, re.MULTILINE)
_CANARY_MODULE = "backend_contract_canaries"


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
    cannot be relied on for any target.
    """
    runner = _Runner(checker, checker.version(), cache, environment or this_environment())
    # One run per root: below another one, the name of a module may mean something else.
    by_root: dict[Path | None, list[Target]] = {}
    for target in targets:
        by_root.setdefault(target.root, []).append(target)
    reports: dict[Target, Report] = {}
    for together in by_root.values():
        reports.update(_check_together(together, runner))
    return [reports[target] for target in targets]


class _Runner(NamedTuple):
    """What all runs have in common."""

    checker: Checker
    version: str
    cache: Path | None
    environment: Environment

    @property
    def checked_by(self) -> str:
        """Name and version of the checker."""
        return f"{self.checker.name} {self.version}"


def _check_together(targets: Sequence[Target], runner: _Runner) -> dict[Target, Report]:
    try:
        return _run(targets, runner)
    except CouldNotCheckError as error:
        if len(targets) == 1:
            text = targets[0].text
            return {targets[0]: Report(target=text, error=f"{text}: {error}")}
        # One target stopped the checker: check the others without it, if the checker works at all.
        _run([], runner)
        half = len(targets) // 2
        return _check_together(targets[:half], runner) | _check_together(targets[half:], runner)


def _run(targets: Sequence[Target], runner: _Runner) -> dict[Target, Report]:
    """Check *targets*, with the canaries beside them, in one run of the checker."""
    canaries = {name: Probe(_CANARY_MODULE, name) for name in _CANARY_NAMES}
    probes = {target: Probe(target.module, target.qualname) for target in targets}
    roots = [root for root in {target.root for target in targets} if root is not None]
    with tempfile.TemporaryDirectory(prefix="backend-contract-") as name:
        directory = Path(name).resolve()
        (directory / f"{_CANARY_MODULE}.py").write_text(_CANARIES, encoding="utf-8")
        files = {probe.file: probe.text for probe in (*canaries.values(), *probes.values())}
        for file, text in files.items():
            (directory / file).write_text(text, encoding="utf-8")
        stubs = copy_missing_stubs(directory / "stubs", runner.environment)
        cache = directory / "cache"
        if runner.cache is not None:
            cache = runner.cache / digest(runner.environment.python, *map(str, roots))
        request = CheckRequest(list(files), directory, [*roots, stubs], cache, runner.environment)
        diagnostics = runner.checker.check(request)
        errors: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for diagnostic in diagnostics:
            if diagnostic.path.parent == directory:
                errors[diagnostic.path.name][diagnostic.line].append(diagnostic.message)
    for canary, probe in canaries.items():
        _require_known_verdicts(canary, errors[probe.file], runner.checked_by)
    return {
        target: interpret(ProbeResult(target, runner.checked_by, errors[probe.file], diagnostics))
        for target, probe in probes.items()
    }


def _require_known_verdicts(canary: str, errors: Errors, checked_by: str) -> None:
    """Raise :class:`CouldNotCheckError` if a verdict on a canary is not the known one."""
    known = Verdict.OK if canary == "Good" else Verdict.VIOLATED
    if canary.startswith("Untyped"):
        known = Verdict.UNCHECKED
    for clause in in_layer("S"):
        verdict, marks = decide(clause, errors)
        if verdict is not known:
            messages = [m for mark in marks for m in errors.get(mark.line, ())]
            message = import_error(errors) or next(iter(messages), "nothing")
            raise CouldNotCheckError(
                f"{checked_by} failed a built-in self-test ({canary}/{clause.id}: expected "
                f"{known.value}, got {verdict.value}); its results were discarded; it reported: "
                f"{message}"
            )
    if has_unseen_base(errors) is not (canary == "UntypedByItsBase"):
        raise CouldNotCheckError(
            f"{checked_by} failed a built-in self-test ({canary}: it does not tell a base class "
            "that is `Any` from others); its results were discarded"
        )
