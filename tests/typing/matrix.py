"""Five checkers on one corpus: the errors expected of each, the actual ones, and a table of both.

`corpus/` contains code of authors and users of backends; nothing imports it. As in the conformance
suite of python/typing, a line that must be reported ends in `# E`; of the lines marked `# E[tag]`
with the same tag, at least one must be. No other line may be reported. Names behind a mark are the
checkers that miss the mistake; `# ! names` marks a correct line that those checkers report. The
comment above such a line gives the reason.

The samples of `tests/conformance/static` name the clauses that `check` must find broken.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from conformance.static.support import KNOWN, SAMPLES, shorthand

from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.environment import Environment, this_environment
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.checkers import CHECKERS
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract._conformance.static.checking import check
from backend_contract._conformance.static.stubs import copy_missing_stubs
from backend_contract.clauses import CLAUSES, in_layer

HERE = Path(__file__).parent
FILES = sorted((HERE / "corpus").glob("*.py"))
OLDEST, NEWEST = 10, 15
"""The minor versions of Python 3 that all five checkers know, and this package supports."""


class Case(NamedTuple):
    """Lines of the corpus of which one must be reported, or a statement that must not be."""

    file: str
    lines: frozenset[int]
    is_wrong: bool
    unlike: frozenset[str]
    """The checkers that disagree."""
    reason: str


_MARK = re.compile(r"  # (?:(?P<wrong>E)(?P<tag>\[\w+\])?|!)(?P<names>(?: \w+)*)$")


def cases_of(path: Path) -> list[Case]:
    """Return the cases in a file of the corpus: its marks, and the statements without one."""
    lines = path.read_text(encoding="utf-8").splitlines()
    marked: dict[str, Case] = {}
    for number, line in enumerate(lines, start=1):
        mark = _MARK.search(line)
        if mark is not None:
            key = mark["tag"] or str(number)
            above = marked[key].lines if key in marked else frozenset[int]()
            reason = marked[key].reason if key in marked else _comment_above(lines, number)
            names = frozenset(mark["names"].split())
            marked[key] = Case(path.name, above | {number}, bool(mark["wrong"]), names, reason)
    in_marks = frozenset(number for case in marked.values() for number in case.lines)
    right = [
        Case(path.name, whole, False, frozenset(), "")
        for node in ast.parse("\n".join(lines)).body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        and not (whole := frozenset(range(node.lineno, (node.end_lineno or 0) + 1))) & in_marks
    ]
    return [*marked.values(), *right]


def _comment_above(lines: list[str], number: int) -> str:
    words: list[str] = []
    for line in reversed(lines[: number - 1]):
        if not line.strip().startswith("# "):
            break
        words.insert(0, line.strip().removeprefix("# "))
    return " ".join(words)


CASES = [case for path in FILES for case in cases_of(path)]


def environment(minor: int) -> Environment:
    """Return this environment as if it were one of Python 3.*minor*."""
    return this_environment()._replace(version=(3, minor))


@cache
def reported(checker: str, minor: int) -> frozenset[tuple[str, int]]:
    """Return file and line of every error of a checker in the corpus."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name).resolve()
        for path in FILES:
            shutil.copy(path, directory)
        stubs = copy_missing_stubs(directory / "stubs", this_environment())
        files = [path.name for path in FILES]
        request = CheckRequest(files, directory, [stubs], directory / "cache", environment(minor))
        diagnostics = CHECKERS[checker].check(request)
        return frozenset((d.path.name, d.line) for d in diagnostics if d.path.parent == directory)


def disagreements(lines: frozenset[tuple[str, int]]) -> list[Case]:
    """Return the cases that a checker which reports *lines* judges differently, marked or not."""
    return [
        case
        for case in CASES
        if any((case.file, line) in lines for line in case.lines) is not case.is_wrong
    ]


def unmarked(checker: str, lines: frozenset[tuple[str, int]]) -> dict[str, list[object]]:
    """Return how *lines*, the errors of a checker, differ from the marks; empty if they do not."""
    different = disagreements(lines)
    marked = [case for case in CASES if checker in case.unlike]
    known = {(case.file, line) for case in CASES for line in case.lines}
    found: dict[str, list[object]] = {
        "missing marks": [case for case in different if case not in marked],
        "stale marks": [case for case in marked if case not in different],
        "errors on lines without a case": [*sorted(lines - known)],
    }
    return {name: those for name, those in found.items() if those}


# ---- Verdicts of check


class Sample(NamedTuple):
    """A class of the samples, and the clauses that do not hold in it."""

    name: str
    known: str
    is_annotated: bool


def _samples() -> Iterator[Sample]:
    for node in ast.parse(SAMPLES.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield Sample(node.name, KNOWN[node.name], _is_annotated(node))


def _is_annotated(node: ast.ClassDef) -> bool:
    """Return whether every method in the body is annotated."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs]
            if any(each.annotation is None for each in given if each.arg not in ("self", "cls")):
                return False
            if method.returns is None and method.name != "__init__":
                return False
    return True


ALL_SAMPLES = [*_samples()]
DIFFERENT: dict[tuple[str, str], tuple[str, str]] = {
    ("pyright", "MadeWithoutAnnotations"): (
        "",
        "It gives an unannotated method the annotations of the method that it overrides.",
    ),
    ("pyright", "HandlesWithoutAnnotation"): (
        "",
        "It gives an unannotated method the annotations of the method that it overrides.",
    ),
    ("zuban", "StartedWithoutAnnotation"): ("", "It infers the result of an unannotated method."),
    ("zuban", "StartsWithoutAnnotation"): ("", "It infers the result of an unannotated method."),
    ("zuban", "LocksWithoutAnnotation"): ("", "It infers the result of an unannotated method."),
}
"""The verdicts of a checker that differ on a class without annotations, and the reason."""


EXPECTED_IN_EXAMPLES = {
    f"{clause.id}_{kind}": clause.id if kind == "bad" and "S" in clause.layers else ""
    for clause in CLAUSES.values()
    for kind in ("good", "bad")
} | {"BC101_bad": "BC101 BC102b"}
"""The clauses that do not hold in each example of the contract, in the shorthand of the samples."""


@cache
def verdicts(checker: str, minor: int) -> dict[str, str]:
    """Return the clauses that do not hold in each sample and example, in shorthand."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name).resolve()
        shutil.copy(SAMPLES, directory)
        texts = {sample.name: f"samples.py:{sample.name}" for sample in ALL_SAMPLES}
        for example in EXPECTED_IN_EXAMPLES:
            clause, _, kind = example.partition("_")
            (directory / f"{example}.py").write_text(getattr(CLAUSES[clause], kind))
            texts[example] = f"{example}.py:Mine"
        found = find_targets([f"{directory}/{text}" for text in texts.values()])
        targets = [target for target in found if isinstance(target, Target)]
        reports = check(targets, CHECKERS[checker], None, environment(minor))
    return dict(zip(texts, map(shorthand, reports), strict=True))


# ---- The table


def table(minor: int) -> str:
    """Return the results of all five checkers, as Markdown."""
    clause_count = len(in_layer("S"))
    rows = [
        "| | direct use | agreed | marked | annotated | agreed | other | agreed | marked |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    reasons: dict[tuple[str, str], set[str]] = {}
    for checker, adapter in CHECKERS.items():
        different = disagreements(reported(checker, minor))
        for case in different:
            reasons.setdefault(("direct use", case.reason), set()).add(checker)
        for (name, _), (_, reason) in DIFFERENT.items():
            if name == checker:
                reasons.setdefault(("`check`", reason), set()).add(checker)
        found = verdicts(checker, minor)
        counts = {}
        for annotated in (True, False):
            samples = [s for s in ALL_SAMPLES if s.is_annotated is annotated]
            total = len(samples) * clause_count
            wrong = sum(len(_differences(found[s.name], s.known)) for s in samples)
            counts[annotated] = total, total - wrong, wrong
        row = (
            f"{checker} {adapter.version()}",
            len(CASES),
            len(CASES) - len(different),
            len(different),
            *counts[True][:2],
            *counts[False],
        )
        rows.append(f"| {' | '.join(map(str, row))} |")
    notes = [
        f"- {kind}, {', '.join(sorted(names))}: {reason}"
        for (kind, reason), names in sorted(reasons.items())
    ]
    return "\n".join([*rows, "", *notes])


def _differences(found: str, known: str) -> set[str]:
    """Return the clauses on which two shorthands differ."""

    def letters(text: str) -> dict[str, str]:
        return {word[:5]: word[5:] or "v" for word in text.split()}

    one, other = letters(found), letters(known)
    return {clause for clause in one | other if one.get(clause) != other.get(clause)}


if __name__ == "__main__":
    print(table(sys.version_info.minor))
