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
from typing import TYPE_CHECKING, NamedTuple

from backend_contract._conformance.formats.common import number, printable, relative
from backend_contract._conformance.results import Report, combine_reports
from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.checkers import Checker, not_installed
from backend_contract._conformance.static.probe import digest

if TYPE_CHECKING:
    from backend_contract._conformance.fixes.fixing import Fixed

CacheOf = Callable[[str], "Path | None"]
"""Returns the directory that a checker may use as its cache, if any."""
Mark = Callable[[Sequence[Report]], Sequence[Report]]
"""Marks the findings that are not to be fixed."""


def fix(
    targets: Sequence[Target],
    directory: Path,
    checkers: Sequence[Checker],
    environment: Environment,
    cache_of: CacheOf,
    mark: Mark,
    *,
    unsafe: bool,
    diff: bool,
    is_alone: bool,
) -> bool:
    """Fix what can be fixed in the project of *directory*; return whether there was anything.

    Writes the files, or prints the *diff*. Also lists the fixes and the findings without one, on
    standard error if the diff or the report *is_alone* on standard output. Raises
    :class:`CouldNotCheckError` if libcst is missing, or if a file cannot be written; all files then
    are as they were.
    """
    if importlib.util.find_spec("libcst") is None:
        raise not_installed("libcst", "backend-contract[fix]")
    from backend_contract._conformance.cli.streams import show_progress
    from backend_contract._conformance.fixes.fixing import Fixer
    from backend_contract._conformance.fixes.writing import replace_files
    from backend_contract._conformance.interruption import temporary_directory

    with temporary_directory() as caches, show_progress(lambda: "fixing"):
        checking = _Checking(checkers, environment, cache_of, mark, caches)
        reports = checking.check(targets)
        fixer = Fixer(targets, directory, environment, checking.check_copies, unsafe=unsafe)
        fixed = fixer.fix(reports)
    if diff:
        _print_diff(fixed.before, fixed.contents)
    else:
        replace_files(fixed.contents, fixed.before)
    for line in _summary(fixed, "would be fixed" if diff else "fixed"):
        print(printable(line), file=sys.stderr if is_alone else sys.stdout)
    if not is_alone:
        print()
    return bool(fixed.edits)


class _Checking(NamedTuple):
    """The checks of one run."""

    checkers: Sequence[Checker]
    environment: Environment
    cache_of: CacheOf
    mark: Mark
    directory: Path
    """A temporary directory, for the cache of copies."""

    def check(self, targets: Sequence[Target]) -> dict[str, Report]:
        """Check the targets themselves; copy what the checkers now have in their caches."""
        reports = self._check(targets, self.cache_of)
        for checker in self.checkers:
            cache = self.cache_of(checker.name)
            if cache is not None and targets:
                filled = cache / self._part(targets[0])
                if filled.is_dir():
                    shutil.copytree(filled, self.directory / checker.name / "filled")
        return reports

    def check_copies(self, targets: Sequence[Target]) -> dict[str, Report]:
        """Check copies of the targets. They are temporary, and so is their cache."""
        for checker in self.checkers:
            filled = self.directory / checker.name / "filled"
            for target in targets:
                part = filled.with_name(self._part(target))
                if filled.is_dir() and not part.exists():
                    shutil.copytree(filled, part)
        return self._check(targets, lambda name: self.directory / name)

    def _part(self, target: Target) -> str:
        return digest(self.environment.python, *map(str, target.roots))

    def _check(self, targets: Sequence[Target], cache_of: CacheOf) -> dict[str, Report]:
        from backend_contract._conformance.static.checking import check

        reports: dict[str, list[Report]] = {target.text: [] for target in targets}
        for checker in self.checkers:
            for report in check(targets, checker, cache_of(checker.name), self.environment):
                reports[report.target].append(report)
        combined = [combine_reports(each) for each in reports.values() if each]
        return {report.target: report for report in self.mark(combined)}


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
    fixes, files = number(len(fixed.edits), "fix", "fixes"), number(len(fixed.contents), "file")
    hidden = f"; {len(fixed.unsafe)} more with --unsafe-fixes" if fixed.unsafe else ""
    yield f"{fixes} in {files}{hidden}"
