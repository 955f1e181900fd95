"""What a run asks of a checker, and what it makes of the answers; the checker is made up."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backend_contract._conformance import static
from backend_contract._conformance.results import Report, Verdict
from backend_contract._conformance.source.environment import Environment, this_environment
from backend_contract._conformance.source.targets import Target, find_targets
from backend_contract._conformance.static import check, copy_missing_stubs, probe
from backend_contract._conformance.static.checkers import Diagnostic
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract._conformance.static.probe import digest
from backend_contract.clauses import in_layer
from backend_contract.errors import CouldNotCheckError

DUE = {mark.line for mark in probe._MARKS if mark.kind == "typed"} | {probe._SEEN}
USED = {mark.line for mark in probe._MARKS if mark.kind == "use"}
CANARIES = re.findall(r"^class (\w+)", static._CANARIES, re.MULTILINE)


def lines_of(name: str) -> set[int]:
    """The lines that are reported in the probe of that class; its name says what it does."""
    if name == "UntypedByItsBase":
        return set()
    if name.startswith("Untyped"):
        return {probe._SEEN}
    return DUE | USED if name.startswith("Breaks") else DUE


class Made:
    """A checker that knows what is to be reported of a class by its name alone."""

    name = "made"
    is_installed = True

    def __init__(self, report: Callable[[str], set[int]] = lines_of, message: str = "no") -> None:
        self.report = report
        self.message = message
        self.tasks: list[CheckRequest] = []
        self.texts: list[dict[str, str]] = []

    def version(self) -> str:
        return "7.1"

    def load(self) -> None: ...

    def unload(self) -> None: ...

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        self.tasks.append(request)
        assert len(self.tasks) < 20, "asked again and again"
        texts = {path.name: path.read_text() for path in request.directory.glob("*.py")}
        self.texts.append(texts)
        assert {*request.files} | {f"{static._CANARY_MODULE}.py"} == {*texts}
        return [
            Diagnostic(request.directory / file, line, self.message, False)
            for file in request.files
            for line in self.report(self.class_in(texts[file]))
        ]

    def class_in(self, text: str) -> str:
        (name,) = re.findall(r"import (\w+) as Outermost", text)
        return str(name)


def targets_in(directory: Path, *texts: str) -> list[Target]:
    for text in texts:
        file, _, name = text.rpartition(":")
        path = directory / file
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as opened:
            opened.write(f"class {name}: ...\n")
    found = find_targets([f"{directory}/{text}" for text in texts])
    targets = [target for target in found if isinstance(target, Target)]
    assert len(targets) == len(texts)
    return targets


def verdicts(report: Report) -> set[Verdict]:
    assert report.error is None
    assert {finding.by for finding in report.findings} == {"made 7.1"}
    return {finding.verdict for finding in report.findings}


def test_reports_keep_the_order_of_their_targets_and_a_root_has_a_run(tmp_path: Path) -> None:
    texts = ["one/a.py:BreaksAll", "two/b.py:Fine", "one/a.py:UntypedAll", "one/c.py:FineToo"]
    targets = targets_in(tmp_path, *texts)
    made = Made()
    reports = check(targets, made, None)
    assert [report.target for report in reports] == [target.text for target in targets]
    broken, fine, untyped, fine_too = map(verdicts, reports)
    assert broken == {Verdict.VIOLATED, Verdict.BLOCKED}
    assert untyped == {Verdict.UNCHECKED}
    assert fine == fine_too == {Verdict.OK}
    roots = [[*request.roots[:-1]] for request in made.tasks]
    assert roots == [[tmp_path / "one"], [tmp_path / "two"]]
    assert [len(request.files) - len(CANARIES) for request in made.tasks] == [3, 1]


def test_a_run_has_a_directory_of_its_own_that_does_not_last(tmp_path: Path) -> None:
    made = Made()
    (report,) = check(targets_in(tmp_path, "mine.py:Fine"), made, None)
    assert verdicts(report) == {Verdict.OK}
    (request,) = made.tasks
    assert request.roots == [tmp_path, request.directory / "stubs"]
    assert request.cache == request.directory / "cache"
    assert request.environment == this_environment()
    assert not request.directory.exists()
    assert made.texts[0][f"{static._CANARY_MODULE}.py"] == static._CANARIES


def test_an_installed_class_has_no_root(tmp_path: Path) -> None:
    made = Made()
    targets = find_targets(["backend_contract:LocalBackend"], here=tmp_path)
    check([target for target in targets if isinstance(target, Target)], made, None)
    (request,) = made.tasks
    assert request.roots == [request.directory / "stubs"]


def test_a_cache_is_kept_for_an_environment_and_a_root(tmp_path: Path) -> None:
    made, kept = Made(), tmp_path / "kept"
    targets = targets_in(tmp_path, "one/a.py:Fine", "two/b.py:Fine")
    other = Environment("/other/python", (3, 12), this_environment().path)
    check(targets, made, kept)
    check(targets, made, kept)
    check(targets, made, kept, other)
    one, two, *again = (request.cache for request in made.tasks)
    assert one == kept / digest(sys.executable, str(tmp_path / "one"))
    assert again[:2] == [one, two]
    assert again[2] == kept / digest("/other/python", str(tmp_path / "one"))
    assert len({one, *again[1:]}) == 4
    assert made.tasks[-1].environment == other


def test_only_what_is_reported_in_the_probes_themselves_counts(tmp_path: Path) -> None:
    class Elsewhere(Made):
        def check(self, request: CheckRequest) -> list[Diagnostic]:
            more = [
                Diagnostic(directory / file, line, "no", False)
                for directory in (request.directory / "stubs", request.directory.parent, tmp_path)
                for file in request.files
                for line in USED
            ]
            return [*more, *super().check(request)]

    (report,) = check(targets_in(tmp_path, "mine.py:Fine"), Elsewhere(), None)
    assert verdicts(report) == {Verdict.OK}


@pytest.mark.parametrize("bad", [[0], [4], [1, 2], [0, 1, 2, 3, 4]])
def test_who_stops_the_checker_does_not_cost_the_others_their_result(
    tmp_path: Path, bad: list[int]
) -> None:
    class Stopped(Made):
        def check(self, request: CheckRequest) -> list[Diagnostic]:
            found = super().check(request)
            stops = [text for text in self.texts[-1].values() if "import Stops" in text]
            if stops:
                raise CouldNotCheckError("cannot go on")
            return found

    texts = [f"mine.py:{'Stops' if n in bad else 'Fine'}{n}" for n in range(5)]
    targets = targets_in(tmp_path, *texts)
    reports = check(targets, Stopped(), None)
    for number, report in enumerate(reports):
        if number in bad:
            assert report == Report(report.target, error=f"{report.target}: cannot go on")
        else:
            assert verdicts(report) == {Verdict.OK}
        assert report.target == targets[number].text


def test_a_checker_that_always_stops_is_not_asked_again_for_each_target(tmp_path: Path) -> None:
    class Dead(Made):
        def check(self, request: CheckRequest) -> list[Diagnostic]:
            super().check(request)
            raise CouldNotCheckError("dead")

    dead = Dead()
    targets = targets_in(tmp_path, *(f"mine.py:Fine{n}" for n in range(8)))
    with pytest.raises(CouldNotCheckError, match=r"^dead$"):
        check(targets, dead, None)
    assert [len(request.files) - len(CANARIES) for request in dead.tasks] == [8, 0]


def reporting(canary: str, change: Callable[[set[int]], set[int]]) -> Made:
    """A checker that is wrong on one canary."""
    return Made(lambda name: change(lines_of(name)) if name == canary else lines_of(name))


def marks(clause: str, kind: str) -> set[int]:
    return {mark.line for mark in probe._MARKS if (mark.clause, mark.kind) == (clause, kind)}


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("clause", [clause.id for clause in in_layer("S")])
def test_a_clause_that_comes_out_otherwise_stops_the_run(
    tmp_path: Path, canary: str, clause: str
) -> None:
    def change(lines: set[int]) -> set[int]:
        if canary.startswith("Breaks"):
            return lines - marks(clause, "use")
        typed = marks(clause, "typed")
        return lines | typed if canary.startswith("Untyped") else lines - typed

    (report,) = check(targets_in(tmp_path, "mine.py:Fine"), reporting(canary, change), None)
    came_out = "unchecked" if canary == "Good" else "ok"
    due = "unchecked" if canary.startswith("Untyped") else "ok" if canary == "Good" else "violated"
    assert report == Report(
        report.target,
        error=f"{report.target}: made 7.1 cannot be relied on here: {clause} is {due} in a backend "
        f"of our own ({canary}), and came out {came_out}; made said: nothing",
    )


def test_what_a_checker_that_is_wrong_said_is_shown(tmp_path: Path) -> None:
    targets = targets_in(tmp_path, "mine.py:Fine")
    used = reporting("Good", lambda lines: lines | marks("BC309", "use"))
    assert str(check(targets, used, None)[0].error).endswith(
        "BC309 is ok in a backend of our own (Good), and came out violated; made said: no"
    )
    blind = reporting("Good", lambda lines: {probe._IMPORT})
    blind.message = "no such module"
    assert str(check(targets, blind, None)[0].error).endswith("; made said: no such module")


@pytest.mark.parametrize("canary", CANARIES)
def test_a_base_that_is_any_has_to_be_told_from_others(tmp_path: Path, canary: str) -> None:
    wrong = reporting(canary, lambda lines: lines ^ {probe._SEEN})
    (report,) = check(targets_in(tmp_path, "mine.py:Fine"), wrong, None)
    assert str(report.error).endswith(
        "it does not tell a base class that is `Any` from others, in a backend of our own "
        f"({canary})"
    )


STUBBED = {"aconfig", "fastapi", "grpc", "starlette"}


@pytest.fixture
def installed(tmp_path: Path) -> Environment:
    """An environment in which nothing is installed yet: the second directory is its own."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    path = (str(tmp_path / "first"), str(tmp_path / "second"))
    return Environment("/other/python", (3, 12), path)


def stubs(directory: Path, environment: Environment) -> set[str]:
    made = copy_missing_stubs(directory / "stubs", environment)
    assert made == directory / "stubs"
    return {path.name for path in made.iterdir()}


def test_what_is_not_installed_has_stubs_and_the_core_takes_its_own_place(
    tmp_path: Path, installed: Environment
) -> None:
    assert stubs(tmp_path, installed) == {*STUBBED, "backend_contract"}
    core = {path.name for path in (tmp_path / "stubs/backend_contract").iterdir()}
    assert {"base.py", "py.typed", "lifecycle.py"} <= core
    assert not core & {"conformance", "__pycache__"}
    assert (tmp_path / "stubs/grpc/__init__.pyi").is_file()


@pytest.mark.parametrize("directory", ["first", "second"])
@pytest.mark.parametrize(
    ("files", "lacking"),
    [
        (["grpc/__init__.py"], STUBBED),
        (["grpc/__init__.py", "grpc/py.typed"], STUBBED - {"grpc"}),
        (["grpc-stubs/__init__.pyi"], STUBBED - {"grpc"}),
        (["grpc/py.typed"], STUBBED - {"grpc"}),
        (["grpc.py"], STUBBED),
        (["grpc.py", "fastapi/__init__.py", "fastapi/py.typed"], STUBBED - {"fastapi"}),
        (["stubs-grpc/__init__.pyi", "grpc-stubs"], STUBBED),
    ],
)
def test_what_has_types_has_no_stubs(
    tmp_path: Path, installed: Environment, directory: str, files: list[str], lacking: set[str]
) -> None:
    for file in [*files, "backend_contract/__init__.py"]:
        path = tmp_path / directory / file
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert stubs(tmp_path, installed) == lacking


def test_this_environment_has_the_core_however_it_is_installed(
    tmp_path: Path, installed: Environment
) -> None:
    made = stubs(tmp_path / "one", installed._replace(python=sys.executable))
    assert made == STUBBED
    assert not (copy_missing_stubs(tmp_path / "two") / "backend_contract").exists()
