"""Five checkers, one corpus: what each is expected to say, what it says, and the table of both.

In `corpus/` stands what an author or a user of backends writes; nothing imports it. A line that has
to be reported ends in `# E`, after the conformance suite of python/typing; of the lines marked
`# E[tag]` with the same tag, at least one has to be. No other line may be. Names behind a mark are
the checkers that do not see the mistake; `# ! names` marks what is right, and which those report
nevertheless. The reason stands above such a line, as a comment.

The classes in `tests/conformance/samples.py` say what `check` has to find in them.
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

from backend_contract._conformance.results import Report, Verdict
from backend_contract._conformance.source.environment import Environment, this_environment
from backend_contract._conformance.source.targets import Target, find_targets
from backend_contract._conformance.static import check, copy_missing_stubs
from backend_contract._conformance.static.checkers import CHECKERS
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract.clauses import in_layer

HERE = Path(__file__).parent
FILES = sorted((HERE / "corpus").glob("*.py"))
SAMPLES = HERE.parent / "conformance/samples.py"

OLDEST, NEWEST = 10, 15
"""The minor versions of Python 3 that all five checkers know, and this package supports."""


class Case(NamedTuple):
    """Lines of the corpus of which one has to be reported; or, where none may be, a statement."""

    file: str
    lines: frozenset[int]
    is_wrong: bool
    unlike: frozenset[str]
    """The checkers that say otherwise."""
    reason: str


_MARK = re.compile(r"  # (?:(?P<wrong>E)(?P<tag>\[\w+\])?|!)(?P<names>(?: \w+)*)$")


def cases_of(path: Path) -> list[Case]:
    """The cases in a file of the corpus: its marks, and the statements that have none."""
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
    """This environment, taken for one of Python 3.``minor``."""
    return this_environment()._replace(version=(3, minor))


@cache
def reported(checker: str, minor: int) -> frozenset[tuple[str, int]]:
    """File and line of everything that the checker reports in the corpus."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name).resolve()
        for path in FILES:
            shutil.copy(path, directory)
        stubs = copy_missing_stubs(directory / "stubs")
        files = [path.name for path in FILES]
        request = CheckRequest(files, directory, [stubs], directory / "cache", environment(minor))
        diagnostics = CHECKERS[checker].check(request)
        return frozenset((d.path.name, d.line) for d in diagnostics if d.path.parent == directory)


def disagreements(checker: str, minor: int) -> list[Case]:
    """The cases of which the checker does not say what is so, marked or not."""
    lines = reported(checker, minor)
    return [
        case
        for case in CASES
        if any((case.file, line) in lines for line in case.lines) is not case.is_wrong
    ]


def reported_elsewhere(checker: str, minor: int) -> list[tuple[str, int]]:
    """What the checker reports in the corpus where there is no case at all."""
    known = {(case.file, line) for case in CASES for line in case.lines}
    return sorted(reported(checker, minor) - known)


# ---- Verdicts of check


class Sample(NamedTuple):
    """A class of the samples, and the clauses that do not hold: see there."""

    name: str
    known: str
    is_annotated: bool


def _samples() -> Iterator[Sample]:
    text = SAMPLES.read_text(encoding="utf-8")
    known = dict(re.findall(r"^class (\w+).*:  # (.+)$", text, re.MULTILINE))
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            said = known[node.name]
            yield Sample(node.name, "" if said == "ok" else said, _is_annotated(node))


def _is_annotated(node: ast.ClassDef) -> bool:
    """Whether every method in the body says what it takes and what it returns."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs]
            if any(each.annotation is None for each in given if each.arg not in ("self", "cls")):
                return False
            if method.returns is None and method.name != "__init__":
                return False
    return True


ALL_SAMPLES = [*_samples()]
SAID_OTHERWISE: dict[tuple[str, str], tuple[str, str]] = {
    ("pyright", "MadeWithoutAnnotations"): (
        "",
        "It takes the annotations of a method that is overridden for those of one that has none.",
    ),
    ("pyright", "HandlesWithoutAnnotation"): (
        "",
        "It takes the annotations of a method that is overridden for those of one that has none.",
    ),
    ("zuban", "StartedWithoutAnnotation"): ("", "It infers what a method returns from its body."),
    ("zuban", "StartsWithoutAnnotation"): ("", "It infers what a method returns from its body."),
    ("zuban", "LocksWithoutAnnotation"): ("", "It infers what a method returns from its body."),
}
"""What a checker says of a class without annotations, where that differs, and why."""


def shorthand(report: Report) -> str:
    """The clauses that do not hold, written as in the samples."""
    letters = {Verdict.VIOLATED: "", Verdict.UNCHECKED: "u", Verdict.BLOCKED: "b"}
    return report.error or " ".join(
        finding.clause.id + letters[finding.verdict]
        for finding in report.findings
        if finding.verdict is not Verdict.OK
    )


@cache
def said_of_samples(checker: str, minor: int) -> dict[str, str]:
    """What a check by that checker finds in each class of the samples."""
    names = [sample.name for sample in ALL_SAMPLES]
    targets = find_targets([f"{SAMPLES}:{name}" for name in names])
    found = [target for target in targets if isinstance(target, Target)]
    reports = check(found, CHECKERS[checker], None, environment(minor))
    return {name: shorthand(report) for name, report in zip(names, reports, strict=True)}


# ---- The table


def table(minor: int) -> str:
    """What came of all five, as Markdown."""
    clauses = len(in_layer("S"))
    rows = [
        "| | direct use | agreed | marked | annotated | agreed | other | agreed | marked |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    reasons: dict[tuple[str, str], set[str]] = {}
    for checker, adapter in CHECKERS.items():
        otherwise = disagreements(checker, minor)
        for case in otherwise:
            reasons.setdefault(("direct use", case.reason), set()).add(checker)
        counts = {}
        said = said_of_samples(checker, minor)
        for annotated in (True, False):
            samples = [s for s in ALL_SAMPLES if s.is_annotated is annotated]
            wrong = sum(len(_unlike(said[s.name], s.known)) for s in samples)
            counts[annotated] = len(samples) * clauses, len(samples) * clauses - wrong, wrong
        for (name, _), (_, reason) in SAID_OTHERWISE.items():
            if name == checker:
                reasons.setdefault(("`check`", reason), set()).add(checker)
        row = (
            f"{checker} {adapter.version()}",
            len(CASES),
            len(CASES) - len(otherwise),
            len(otherwise),
            *counts[True][:2],
            *counts[False],
        )
        rows.append(f"| {' | '.join(map(str, row))} |")
    notes = [
        f"- {where}, {', '.join(sorted(names))}: {reason}"
        for (where, reason), names in sorted(reasons.items())
    ]
    return "\n".join([*rows, "", *notes])


def _unlike(said: str, known: str) -> set[str]:
    """The clauses on which two shorthands differ."""

    def verdicts(text: str) -> dict[str, str]:
        return {word[:5]: word[5:] or "v" for word in text.split()}

    one, other = verdicts(said), verdicts(known)
    return {clause for clause in one | other if one.get(clause) != other.get(clause)}


if __name__ == "__main__":
    print(table(sys.version_info.minor))
