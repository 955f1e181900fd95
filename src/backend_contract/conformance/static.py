"""Layer S: what a type checker can decide, by a probe that uses the class.

No target is imported: its source is read here, and its types are read by the checker.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from backend_contract.clauses import Clause, in_layer
from backend_contract.conformance import members
from backend_contract.conformance.checkers import Checker, Diagnostic
from backend_contract.conformance.probe import Errors, Mark, Probe, cannot_import, decide, digest
from backend_contract.conformance.sources import environment_path
from backend_contract.conformance.targets import Target
from backend_contract.conformance.verdicts import CouldNotCheckError, Finding, Report, Verdict

__all__ = ["check", "copy_missing_stubs"]

_CANARIES = (Path(__file__).parent / "canaries.py.txt").read_text(encoding="utf-8")
_CANARY_MODULE = "backend_contract_canaries"
_STUBBED = ("aconfig", "fastapi", "grpc", "starlette")


def check(targets: Sequence[Target], checker: Checker, cache: Path | None) -> list[Report]:
    """A report a target, in their order, on every clause of layer S.

    ``cache`` is a directory the checker may keep for the next time; ``None`` keeps nothing. Raises
    :class:`CouldNotCheckError` where the checker cannot be relied on for any target; what is wrong
    with one target alone stands in its report.
    """
    reports: dict[Target, Report] = {}
    for group in _groups(targets):
        reports.update(_check_together(group, checker, cache))
    return [reports[target] for target in targets]


def _groups(targets: Iterable[Target]) -> list[list[Target]]:
    """The targets, those that can share a run of a checker together.

    They can where no name of a module would mean one thing to the one and another to the other.
    """
    below: dict[Path | None, list[Target]] = {}
    for target in targets:
        below.setdefault(target.root, []).append(target)
    groups: list[tuple[set[str], list[Target]]] = []
    for root, together in below.items():
        names = {target.module.partition(".")[0] for target in together}
        if root is not None:
            names |= {entry.partition(".")[0] for entry in os.listdir(root)}
        for taken, sharing in groups:
            if taken.isdisjoint(names):
                taken |= names
                sharing += together
                break
        else:
            groups.append((names, together))
    return [sharing for _, sharing in groups]


def _check_together(
    targets: Sequence[Target], checker: Checker, cache: Path | None
) -> dict[Target, Report]:
    try:
        return _run(targets, checker, cache)
    except CouldNotCheckError as error:
        if len(targets) == 1:
            return {targets[0]: Report(targets[0].text, error=f"{targets[0].text}: {error}")}
        # One of them stopped the checker: the others shall not pay for it. But first see whether it
        # works at all.
        _run([], checker, cache)
        half = len(targets) // 2
        first = _check_together(targets[:half], checker, cache)
        return first | _check_together(targets[half:], checker, cache)


def _run(targets: Sequence[Target], checker: Checker, cache: Path | None) -> dict[Target, Report]:
    """Check ``targets``, and the canaries with them, in one run of the checker."""
    names = re.findall(r"^class (\w+)", _CANARIES, re.MULTILINE)
    canaries = {name: Probe(_CANARY_MODULE, name) for name in names}
    probes = {target: Probe(target.module, target.qualname) for target in targets}
    roots = list(dict.fromkeys(target.root for target in targets if target.root is not None))
    with tempfile.TemporaryDirectory(prefix="backend-contract-") as name:
        directory = Path(name).resolve()
        (directory / f"{_CANARY_MODULE}.py").write_text(_CANARIES, encoding="utf-8")
        files = {probe.file: probe.text for probe in (*canaries.values(), *probes.values())}
        for file, text in files.items():
            (directory / file).write_text(text, encoding="utf-8")
        stubs = copy_missing_stubs(directory / "stubs")
        kept = directory / "cache" if cache is None else cache / digest(*map(str, roots))
        diagnostics = checker.check(list(files), directory, [*roots, stubs], kept)
        errors: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for diagnostic in diagnostics:
            if diagnostic.path.parent == directory:
                errors[diagnostic.path.name][diagnostic.line].append(diagnostic.message)
    for canary, probe in canaries.items():
        _require_the_known(canary, errors[probe.file], checker)
    return {
        target: _report(target, errors[probe.file], diagnostics, checker)
        for target, probe in probes.items()
    }


def copy_missing_stubs(directory: Path) -> Path:
    """Put our stubs of what is not installed, or is installed without types, into ``directory``."""
    here = Path(__file__).parent
    bundled = here / "typings"
    if not bundled.is_dir():  # an editable install: only a wheel carries them
        bundled = here.parents[2] / "typings"
    for name in _STUBBED:
        if not _has_types(name):
            shutil.copytree(bundled / name, directory / name)
    return directory


def _has_types(name: str) -> bool:
    path = environment_path()
    spec = PathFinder.find_spec(name, path)
    packages = (spec and spec.submodule_search_locations) or ()
    return any((Path(package) / "py.typed").is_file() for package in packages) or any(
        (Path(entry) / f"{name}-stubs").is_dir() for entry in path
    )


def _require_the_known(canary: str, errors: Errors, checker: Checker) -> None:
    """Raise :class:`CouldNotCheckError` unless the checker says of a canary what is known of it."""
    known = {"Good": Verdict.OK, "Untyped": Verdict.UNCHECKED}.get(canary, Verdict.VIOLATED)
    for clause in in_layer("S"):
        verdict, marks = decide(clause, errors)
        if verdict is not known:
            messages = [m for mark in marks for m in errors.get(mark.line, ())]
            said = cannot_import(errors) or next(iter(messages), "nothing")
            raise CouldNotCheckError(
                f"{checker.name} {checker.version()} cannot be relied on here: {clause.id} is "
                f"{known.value} in a backend of our own ({canary}), and came out {verdict.value}; "
                f"{checker.name} said: {said}"
            )


def _report(
    target: Target, errors: Errors, diagnostics: Sequence[Diagnostic], checker: Checker
) -> Report:
    """What is to be said of ``target``, from its probe and its source."""
    problem = cannot_import(errors)
    if problem is not None:
        return Report(target.text, error=f"{target.text}: {checker.name}: {problem}")
    findings: dict[str, Finding] = {}
    for clause in in_layer("S"):
        finding = _finding(clause, target, errors, diagnostics, checker)
        for requirement in clause.requires:
            if findings[requirement].verdict in (Verdict.VIOLATED, Verdict.BLOCKED):
                finding = Finding(
                    clause, Verdict.BLOCKED, finding.path, finding.line, because=(requirement,)
                )
        findings[clause.id] = finding
    return Report(target.text, tuple(findings.values()))


def _finding(
    clause: Clause,
    target: Target,
    errors: Errors,
    diagnostics: Sequence[Diagnostic],
    checker: Checker,
) -> Finding:
    verdict, marks = decide(clause, errors)
    looked_at = list(dict.fromkeys(mark.member for mark in marks)) or [clause.members[0]]
    member = looked_at[0]
    because: list[str] = []
    if verdict is Verdict.VIOLATED:
        because = [reason for mark in marks for reason in _why_broken(mark, errors, checker)]
    elif verdict is Verdict.UNCHECKED:
        because = [_why_untyped(mark, target, diagnostics, checker) for mark in marks]
    elif member == "backend_type":
        # Checkers take a declaration at its word, so none of them sees that the value is missing.
        holder = "an instance" if clause.id == "BC101" else "the class"
        if holder in members.without_value(target.source, member):
            verdict = Verdict.VIOLATED
            because = [f"`{member}` is declared, and nothing gives it a value on {holder}"]
    path, line = members.place(target.source, member)
    found = ""
    if verdict is not Verdict.OK:
        found = "; ".join(members.describe(target.source, name) for name in looked_at)
    return Finding(clause, verdict, path, line, found, tuple(dict.fromkeys(because)))


def _why_broken(mark: Mark, errors: Errors, checker: Checker) -> list[str]:
    if mark.kind == "defined" and mark.member != "__init__":
        return [f"`{mark.member}` is abstract, and the class does not define it"]
    return [f"{checker.name}: {message}" for message in errors[mark.line]]


def _why_untyped(
    mark: Mark, target: Target, diagnostics: Iterable[Diagnostic], checker: Checker
) -> str:
    """Why that part of a member is ``Any``, as far as it can be told."""
    missing = members.missing_annotation(target.source, mark.member, mark.part)
    if missing is not None:
        return missing
    subject = f"`{mark.member}`"
    if mark.part:
        subject = f"{'what' if mark.part == 'result' else mark.part + ' of'} {subject}"
        subject += " returns" if mark.part == "result" else ""
    path = target.source.module.path.resolve()
    for diagnostic in diagnostics:
        if diagnostic.is_import and diagnostic.path == path:
            return f"{subject} is `Any` to {checker.name}: {diagnostic.message}"
    return f"{subject} is `Any` to {checker.name}"
