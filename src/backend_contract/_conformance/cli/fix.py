"""``backend-contract check --fix``: what happens before the check itself."""

from __future__ import annotations

import difflib
import importlib.util
import io
import shutil
import sys
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from backend_contract._conformance.formats.common import printable, relative
from backend_contract._conformance.results import Report, combine_reports
from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.checkers import Checker, not_installed
from backend_contract._conformance.static.probe import digest
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from backend_contract._conformance.fixes.fixing import Fixed

__all__ = ["FixOptions", "fix", "require_fix"]

CacheOf = Callable[[str], "Path | None"]
"""Returns the directory that a checker may use as its cache, if any."""
Mark = Callable[[Sequence[Report]], Sequence[Report]]
"""Marks the expected violations in reports."""


class FixOptions(Protocol):
    """The options of the command that are about fixes."""

    fix: bool
    unsafe_fixes: bool
    diff: bool
    output_format: str


def require_fix(options: FixOptions) -> None:
    """Raise :class:`CouldNotCheckError` if options are missing, or libcst is."""
    for name, is_given in (("--unsafe-fixes", options.unsafe_fixes), ("--diff", options.diff)):
        if is_given and not options.fix:
            raise CouldNotCheckError(f"{name} requires --fix")
    if options.diff and options.output_format != "full":
        raise CouldNotCheckError("--diff prints a diff, not a report; omit --output-format")
    if options.fix and importlib.util.find_spec("libcst") is None:
        raise not_installed("libcst", "backend-contract[fix]")


def fix(
    targets: Sequence[Target],
    directory: Path,
    checkers: Sequence[Checker],
    environment: Environment,
    options: FixOptions,
    cache_of: CacheOf,
    mark: Mark,
) -> bool:
    """Fix what can be fixed in the project of *directory*; return whether there was anything.

    Writes the files, or, with ``--diff``, prints the difference. What was fixed, and what could not
    be, is printed too. Raises :class:`CouldNotCheckError` if a file cannot be written; all
    files then are as they were.
    """
    from backend_contract._conformance.cli.progress import show_progress
    from backend_contract._conformance.fixes.fixing import Fixer
    from backend_contract._conformance.fixes.writing import replace_files
    from backend_contract._conformance.interruption import temporary_directory

    with temporary_directory() as caches, show_progress("fixing"):
        checking = _Checking(checkers, environment, cache_of, caches)
        reports = {report.target: report for report in mark(list(checking.check(targets).values()))}
        fixer = Fixer(
            targets, directory, environment, checking.check_copies, unsafe=options.unsafe_fixes
        )
        fixed = fixer.fix(reports)
    if options.diff:
        _print_diff(fixed.before, fixed.contents)
    else:
        replace_files(fixed.contents, fixed.before)
    # A diff, and the formats for programs, are alone on standard output.
    is_alone = options.diff or options.output_format != "full"
    for line in _summary(fixed, "would be fixed" if options.diff else "fixed"):
        print(printable(line), file=sys.stderr if is_alone else sys.stdout)
    if not is_alone:
        print()
    return bool(fixed.edits)


class _Checking(NamedTuple):
    """The checks of one run."""

    checkers: Sequence[Checker]
    environment: Environment
    cache_of: CacheOf
    directory: Path
    """A temporary directory, for the cache of copies."""

    def check(self, targets: Sequence[Target]) -> dict[str, Report]:
        """Check the targets themselves; copy what the checkers now have in their caches."""
        reports = self._check(targets, self.cache_of)
        for checker in self.checkers:
            cache = self.cache_of(checker.name)
            if cache is not None and targets:
                filled = cache / self._part(targets[0].root)
                if filled.is_dir():
                    shutil.copytree(filled, self.directory / checker.name / "filled")
        return reports

    def check_copies(self, targets: Sequence[Target]) -> dict[str, Report]:
        """Check copies of the targets. They are temporary, and so is their cache."""
        for checker in self.checkers:
            filled = self.directory / checker.name / "filled"
            for root in dict.fromkeys(target.root for target in targets):
                part = filled.with_name(self._part(root))
                if filled.is_dir() and not part.exists():
                    shutil.copytree(filled, part)
        return self._check(targets, lambda name: self.directory / name)

    def _part(self, root: Path | None) -> str:
        """Return the name of the part of a cache that is about *root*."""
        return digest(self.environment.python, *([str(root)] if root else []))

    def _check(self, targets: Sequence[Target], cache_of: CacheOf) -> dict[str, Report]:
        from backend_contract._conformance.static.checking import check

        reports: dict[str, list[Report]] = {target.text: [] for target in targets}
        for checker in self.checkers:
            for report in check(targets, checker, cache_of(checker.name), self.environment):
                reports[report.target].append(report)
        return {text: combine_reports(each) for text, each in reports.items() if each}


def _print_diff(before: Mapping[Path, bytes], after: Mapping[Path, bytes]) -> None:
    for path, content in after.items():
        name = printable(relative(path))
        old, new = _lines(before[path]), _lines(content)
        for line in difflib.unified_diff(old, new, name, name, lineterm=""):
            text, newline, _ = line.partition("\n")
            print(_shown(text))
            if not newline and not line.startswith(("---", "+++", "@@")):
                print("\\ No newline at end of file")


def _lines(content: bytes) -> list[str]:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return io.StringIO(content.decode(encoding), newline="\n").readlines()


def _shown(line: str) -> str:
    """Return a line without the characters that a terminal may interpret."""
    text = line.removesuffix("\r")
    shown = "\t".join(printable(part) for part in text.split("\t"))
    return shown + line[len(text) :]


def _summary(fixed: Fixed, done: str) -> Iterator[str]:
    """Yield one line per edit, one per finding that is left, and the numbers."""
    for edit in fixed.edits:
        yield f"{relative(edit.path)}:{edit.line}: {edit.clause} {done}: {edit}"
    for refusal in fixed.refusals:
        where = f"{relative(refusal.path)}:{refusal.line}"
        yield f"{where}: {refusal.clause} not fixed: {refusal.reason}"
    fixes = _plural(len(fixed.edits), "fix", "fixes")
    files = _plural(len(fixed.contents), "file", "files")
    hidden = f"; {len(fixed.unsafe)} more with --unsafe-fixes" if fixed.unsafe else ""
    yield f"{fixes} in {files}{hidden}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
