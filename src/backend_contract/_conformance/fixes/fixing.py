"""Fixing a project: plan, edit a copy, check the copy, keep what the check confirms."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend_contract._conformance.fixes.model import Edit, Refusal
from backend_contract._conformance.fixes.plan import plan_annotations
from backend_contract._conformance.fixes.rewriting import CannotRewriteError, rewrite
from backend_contract._conformance.fixes.spelling import names_of_module
from backend_contract._conformance.fixes.unsafe import plan_behaviour
from backend_contract._conformance.fixes.writing import copy_root, refuse
from backend_contract._conformance.interruption import temporary_directory
from backend_contract._conformance.results import Finding, Report, Verdict
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.targets import Project, Target
from backend_contract.errors import CouldNotCheckError

Reports = Mapping[str, Report]
"""Reports by the text of their target."""
Check = Callable[[Sequence[Target]], Reports]
"""Checks targets."""

# Renames and defaults make further annotations possible; nothing takes more steps than this.
_MAX_ROUNDS = 6


@dataclass
class Fixed:
    """The result of a run: edits, refusals and new contents."""

    edits: list[Edit] = field(default_factory=list[Edit])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    unsafe: set[tuple[object, ...]] = field(default_factory=set[tuple[object, ...]])
    """The keys of edits that only ``--unsafe-fixes`` would try."""
    before: dict[Path, bytes] = field(default_factory=dict[Path, bytes])
    contents: dict[Path, bytes] = field(default_factory=dict[Path, bytes])
    """The new contents of files."""


class Fixer:
    """The fixes of one run: *targets* are those to fix, *directory* contains the project."""

    def __init__(
        self,
        targets: Sequence[Target],
        directory: Path,
        environment: Environment,
        check: Check,
        *,
        unsafe: bool,
    ) -> None:
        self._originals = {target.text: target for target in targets}
        self._directory = directory
        self._environment = environment
        self._check = check
        self._unsafe = unsafe
        self._refused: dict[tuple[object, ...], Refusal] = {}
        self._fixed = Fixed()

    def fix(self, reports: Reports) -> Fixed:
        """Return the edits that a check confirms. No file of the project is changed."""
        with temporary_directory() as directory:
            copies = _Copies(directory, self._environment)
            targets: Mapping[str, Target] = self._originals
            for _ in range(_MAX_ROUNDS):
                edits = self._plan(targets, reports, copies)
                if not edits:
                    break
                targets, reports = self._confirm(edits, reports, copies)
        self._fixed.edits = [self._relocated(edit) for edit in self._fixed.edits]
        self._fixed.edits.sort(key=lambda edit: (edit.path, edit.line))
        self._fixed.refusals = list(dict.fromkeys([*self._fixed.refusals, *self._refused.values()]))
        return self._fixed

    def _relocated(self, edit: Edit) -> Edit:
        """Return *edit* with its line in the new file."""
        tree = ast.parse(self._fixed.contents[edit.path])
        owner = names_of_module(tree).classes[edit.owner]
        lines = [
            node.lineno
            for node in ast.walk(owner)
            if isinstance(node, ast.stmt) and _is_edited(node, edit)
        ]
        return replace(edit, line=min(lines, default=edit.line))

    def _plan(
        self, targets: Mapping[str, Target], reports: Reports, copies: _Copies
    ) -> dict[Edit, set[str]]:
        """Return the edits that findings ask for, each with the targets that it is for."""
        edits: dict[tuple[object, ...], Edit] = {}
        wanted_by: dict[tuple[object, ...], set[str]] = {}
        self._fixed.refusals = []
        self._fixed.unsafe = set()
        for text, target in targets.items():
            for finding in reports[text].findings if text in reports else ():
                for edit in self._edits_for(finding, target, copies):
                    if edit.key not in self._refused:
                        edits.setdefault(edit.key, edit)
                        wanted_by.setdefault(edit.key, set()).add(text)
        return {edit: wanted_by[key] for key, edit in edits.items()}

    def _edits_for(self, finding: Finding, target: Target, copies: _Copies) -> list[Edit]:
        if finding.expected_because:
            return []

        def refuses(path: Path) -> str | None:
            return refuse(copies.original(path), self._directory)

        edits: list[Edit] = []
        reasons: list[str] = []
        if finding.verdict is Verdict.UNCHECKED:
            edits, reasons = plan_annotations(finding, target.source, refuses)
        elif finding.verdict is Verdict.VIOLATED:
            edits, reasons = plan_behaviour(finding, target.source, refuses)
            if not self._unsafe:
                self._fixed.unsafe |= {edit.key for edit in edits}
                return []
        path = copies.original(finding.path)
        self._fixed.refusals += [
            Refusal(path, finding.line, finding.clause.id, reason) for reason in reasons
        ]
        return [replace(each, path=copies.original(each.path).resolve()) for each in edits]

    def _confirm(
        self, edits: dict[Edit, set[str]], reports: Reports, copies: _Copies
    ) -> tuple[Mapping[str, Target], Reports]:
        """Apply the edits that a check of a copy confirms; return its targets and reports."""
        while True:
            contents = self._rewrite(edits)
            edits = self._without_refused(edits)
            if not edits:  # the last copies have edits that were refused
                return copies.make(self._originals, self._fixed.contents), reports
            copied = copies.make(self._originals, contents)
            checked = self._check(list(copied.values()))
            self._judge(edits, reports, checked)
            confirmed = self._without_refused(edits)
            if len(confirmed) == len(edits):
                self._fixed.contents = contents
                self._fixed.edits += edits
                return copied, checked
            edits = confirmed

    def _rewrite(self, edits: Iterable[Edit]) -> dict[Path, bytes]:
        """Return the contents with *edits*; refuse those that cannot be applied."""
        contents = dict(self._fixed.contents)
        for path in dict.fromkeys(edit.path for edit in edits):
            mine = [edit for edit in edits if edit.path == path]
            if path not in self._fixed.before:
                self._fixed.before[path] = path.read_bytes()
            content = contents.get(path, self._fixed.before[path])
            try:
                contents[path], applied = rewrite(content, mine)
            except CannotRewriteError as error:
                self._refuse(mine, str(error))
                continue
            left = [edit for edit in mine if edit not in applied]
            self._refuse(left, "a statement of this form is not rewritten")
        return contents

    def _refuse(self, edits: Iterable[Edit], reason: str) -> None:
        for edit in edits:
            refusal = Refusal(edit.path, edit.line, edit.clause, f"{edit}: {reason}")
            self._refused[edit.key] = refusal

    def _without_refused(self, edits: dict[Edit, set[str]]) -> dict[Edit, set[str]]:
        return {edit: texts for edit, texts in edits.items() if edit.key not in self._refused}

    def _judge(self, edits: dict[Edit, set[str]], before: Reports, after: Reports) -> None:
        """Refuse the edits that the new reports do not confirm."""
        for text, old in before.items():
            mine = [edit for edit, texts in edits.items() if text in texts]
            self._judge_target(mine or [*edits], old, after.get(text))
        for edit, texts in self._without_refused(edits).items():
            if not _helps(edit, texts, before, after):
                self._refuse([edit], "the clause is not ok after it")

    def _judge_target(self, edits: Sequence[Edit], old: Report, new: Report | None) -> None:
        """Refuse the edits after which a target cannot be checked, or a clause of it is worse."""
        if new is None or (new.error and not old.error):
            problem = new.error if new else "no report"
            self._refuse(edits, f"a check fails after it: {problem}")
            return
        for finding in _worse(old, new):
            about = [edit for edit in edits if edit.member in finding.clause.members] or edits
            because = "; ".join(finding.because)
            reason = f"{finding.clause.id} is {finding.verdict.value} after it: {because}"
            self._refuse(about, reason)


def _is_edited(node: ast.AST, edit: Edit) -> bool:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name == edit.member
        case ast.AnnAssign(target=ast.Attribute(attr=name)):
            return name == edit.name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name == edit.member
        case _:
            return False


def _helps(edit: Edit, texts: set[str], before: Reports, after: Reports) -> bool:
    """Return whether the finding that asked for an edit is better for one of its targets."""
    for text in texts:
        old, new = _finding(before, text, edit.clause), _finding(after, text, edit.clause)
        if new is None or old is None or new.verdict is Verdict.OK:
            return True
        if new.verdict is not old.verdict or len(new.because) < len(old.because):
            return True
    return False


def _finding(reports: Reports, text: str, clause: str) -> Finding | None:
    findings = reports[text].findings if text in reports else ()
    return next((finding for finding in findings if finding.clause.id == clause), None)


_BEST_FIRST = (Verdict.OK, Verdict.UNCHECKED, Verdict.BLOCKED, Verdict.VIOLATED)
"""The verdicts of layer S."""


def _worse(old: Report, new: Report) -> Iterator[Finding]:
    """Yield the findings of *new* whose verdict is worse than in *old*."""
    earlier = {finding.clause.id: finding.verdict for finding in old.findings}
    for finding in new.findings:
        verdict = earlier.get(finding.clause.id, finding.verdict)
        if _BEST_FIRST.index(finding.verdict) > _BEST_FIRST.index(verdict):
            yield finding


class _Copies:
    """Copies of the roots of targets, with edited files."""

    def __init__(self, directory: Path, environment: Environment) -> None:
        self._directory = directory
        self._environment = environment
        self._installed = [Path(entry) for entry in environment.path]
        self._roots: dict[Path, Path] = {}  # by their copies

    def original(self, path: Path) -> Path:
        """Return the file of the project that *path*, which may be a copy, stands for."""
        for copy, root in self._roots.items():
            if copy in path.parents:
                return root / path.relative_to(copy)
        return path

    def make(
        self, targets: Mapping[str, Target], contents: Mapping[Path, bytes]
    ) -> dict[str, Target]:
        """Return the targets in copies of their roots, and of others with a file of *contents*."""
        copies = self._copy_roots(targets.values(), _with_links(targets, contents))
        found = {text: self._find_copy(target, copies) for text, target in targets.items()}
        return {
            text: replace(copy, text=text)
            for text, copy in found.items()
            if isinstance(copy, Target)
        }

    def _copy_roots(
        self, targets: Collection[Target], contents: Mapping[Path, bytes]
    ) -> dict[Path, Path]:
        """Return the copies of the roots of targets, and of others with a file of *contents*."""
        roots = [target.source.module.root for target in targets]
        searched = [place for target in targets for place in target.search_path]
        for place in (*self._installed, *searched):
            if any(place.resolve() in path.parents for path in contents):
                roots.append(place)
        copies: dict[Path, Path] = {}
        for number, root in enumerate(dict.fromkeys(roots)):
            copies[root] = copy = self._directory / str(number)
            copy_root(root, copy, contents)
            self._roots[copy] = root
        return copies

    def _find_copy(
        self, target: Target, copies: Mapping[Path, Path]
    ) -> Target | CouldNotCheckError:
        here = copies[target.source.module.root]
        further = [*target.search_path, *(place for place in self._installed if place in copies)]
        search_path = tuple(str(copies.get(place, place)) for place in further)
        project = Project(directory=here, search_path=search_path)
        name = f"{target.module}:{target.qualname}"
        return find_targets([name], self._environment, here, project)[0]


def _with_links(targets: Mapping[str, Target], contents: Mapping[Path, bytes]) -> dict[Path, bytes]:
    """Return *contents* also by the links through which targets are read."""
    sources = (source for each in targets.values() for source in each.source.known_lineage)
    links = {source.module.path: source.module.path.resolve() for source in sources}
    return {**contents, **{link: contents[to] for link, to in links.items() if to in contents}}
