"""Layer S: what a type checker can decide, by a probe that uses the class.

No target is imported: its source is read here, and its types are read by the checker.
"""

from __future__ import annotations

import ast
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
from backend_contract.conformance.probe import (
    Errors,
    Mark,
    Probe,
    cannot_import,
    decide,
    digest,
    has_unseen_base,
)
from backend_contract.conformance.sources import ClassSource, environment_path
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
    # One run a root: in another's, the name of a module might mean something else.
    by_root: dict[Path | None, list[Target]] = {}
    for target in targets:
        by_root.setdefault(target.root, []).append(target)
    reports: dict[Target, Report] = {}
    for together in by_root.values():
        reports.update(_check_together(together, checker, cache))
    return [reports[target] for target in targets]


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
    roots = [root for root in {target.root for target in targets} if root is not None]
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
    known = Verdict.OK if canary == "Good" else Verdict.VIOLATED
    if canary.startswith("Untyped"):
        known = Verdict.UNCHECKED
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
    source = target.source
    because: list[str] = []
    if verdict is Verdict.UNCHECKED:
        # Who takes every object takes an Opaque as well, and means it.
        marks = [mark for mark in marks if not _takes_every_object(mark, source)]
        because = [_why_untyped(mark, source, diagnostics, checker) for mark in marks]
        verdict = Verdict.UNCHECKED if marks else Verdict.OK
    elif verdict is Verdict.VIOLATED:
        because = [
            reason for mark in marks for reason in _why_broken(mark, target, errors, checker)
        ]
    looked_at = list(dict.fromkeys(mark.member for mark in marks))
    if verdict is Verdict.OK:
        for member in clause.members:
            verdict, because = _what_no_use_shows(member, clause, source, errors, checker)
            if verdict is not Verdict.OK:
                looked_at = [member]
                break
    path, line = members.place(source, (looked_at or clause.members)[0])
    found = "; ".join(members.describe(source, member) for member in looked_at)
    return Finding(clause, verdict, path, line, found, tuple(dict.fromkeys(because)))


def _what_no_use_shows(
    member: str,
    clause: Clause,
    source: ClassSource,
    errors: Errors,
    checker: Checker,
) -> tuple[Verdict, list[str]]:
    """What is wrong with a member that can be used as it shall: checkers believe a declaration."""
    if has_unseen_base(errors) and members.is_hidden(source, member):
        return Verdict.UNCHECKED, [
            f"a base class is `Any` to {checker.name}, and may give another `{member}`"
        ]
    holder = "the class" if clause.id == "BC102" else "an instance"
    if holder in members.without_value(source, member):
        return Verdict.VIOLATED, [f"`{member}` is declared, and nothing gives it to {holder}"]
    if member == "__init__" and any(
        ast.unparse(base).split("[")[0].rpartition(".")[2] == "Protocol"
        for base in source.node.bases
    ):
        return Verdict.VIOLATED, ["the class is a Protocol, of which there are no instances"]
    literal = members.constant(source, member)
    kind = {"backend_type": str, "is_started": bool}.get(member)
    if literal is not None and kind is not None and not isinstance(literal.value, kind):
        return Verdict.VIOLATED, [f"its value is {literal.value!r}, whatever is declared"]
    return Verdict.OK, []


def _takes_every_object(mark: Mark, source: ClassSource) -> bool:
    annotation = members.annotation(source, mark.member, mark.part)
    is_object = annotation is not None and ast.unparse(annotation).strip("'") == "object"
    return is_object and mark.part.startswith("parameter")


def _why_broken(mark: Mark, target: Target, errors: Errors, checker: Checker) -> list[str]:
    if mark.kind == "defined" and mark.member != "__init__":
        return [f"`{mark.member}` is abstract, and the class does not define it"]
    # The probe makes instances of a subclass, whose name is nothing to the reader.
    name = target.source.node.name
    return [
        f"{checker.name}: {message.replace('CompleteTarget', name)}"
        for message in errors[mark.line]
    ]


def _why_untyped(
    mark: Mark, source: ClassSource, diagnostics: Iterable[Diagnostic], checker: Checker
) -> str:
    """Why that part of a member is ``Any``, as far as it can be told."""
    missing = members.missing_annotation(source, mark.member, mark.part)
    if missing is not None:
        return missing
    subject = f"`{mark.member}`"
    if mark.part == "result":
        subject = f"what {subject} returns"
    elif mark.part:
        subject = f"{mark.part} of {subject}"
    reason = f"{subject} is `Any` to {checker.name}, in part at least"
    owner = source.find(mark.member)
    annotation = members.annotation(source, mark.member, mark.part)
    if owner is None or annotation is None:
        return reason
    module = owner[0].module
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    path = module.path.resolve()
    lines = {module.bindings[name].lineno for name in names & module.bindings.keys()}
    for diagnostic in diagnostics:
        if diagnostic.is_import and diagnostic.path == path and diagnostic.line in lines:
            return f"{reason}: {diagnostic.message}"
    return reason
