"""What each adapter asks of its checker, and what it makes of the answer; no checker is started."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.static.checkers import CHECKERS, Checker, Diagnostic, process
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract._conformance.static.checkers.mypy import Mypy
from backend_contract._conformance.static.checkers.subprocesses import CompletedProgram
from backend_contract.errors import CouldNotCheckError

PROGRAMS = ["pyright", "pyrefly", "ty", "zuban"]
OTHER = Environment("/other/python", (3, 12), ("/other/lib", "/other/site-packages"))
THIS = Environment(sys.executable, (3, 12), ("/this/lib",))


class Programs:
    """Stands for what runs programs: keeps what is asked of it, and answers what it is told to."""

    def __init__(self) -> None:
        self.answer = CompletedProgram(0, "", "")
        self.asked: list[Any] = []

    def run(
        self,
        name: str,
        command: Sequence[str],
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> CompletedProgram:
        self.asked.append((name, [*command], directory, environment))
        return self.answer


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs()
    monkeypatch.setattr(process, "run", made.run)
    monkeypatch.setattr(process, "find_program", lambda name: f"/bin/{name}")
    return made


def task_in(directory: Path, environment: Environment = OTHER) -> CheckRequest:
    roots = [Path("/one"), Path("/two")]
    return CheckRequest(["a.py", "b.py"], directory, roots, directory / "kept", environment)


# Programs of their own: their version.


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("version", ["1.2", "0.0.1", "1.2.3a4", "10.20.30"])
@pytest.mark.parametrize("rest", ["", " (abc 2026-01-01)"])
def test_the_version_of_a_program_is_what_it_says(
    name: str, version: str, rest: str, programs: Programs
) -> None:
    programs.answer = CompletedProgram(0, f"{name} {version}{rest}\n", "")
    assert CHECKERS[name].version() == version
    variables = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"} if name == "pyright" else {}
    assert programs.asked == [(name, [f"/bin/{name}", "--version"], None, variables)]


@pytest.mark.parametrize(
    "ended",
    [
        CompletedProgram(1, "ty 1.2.3", ""),
        CompletedProgram(-9, "ty 1.2.3", ""),
        CompletedProgram(0, "ty 1", ""),
        CompletedProgram(0, "ty 1.2.3 and more", ""),
        CompletedProgram(0, "a ty 1.2.3", ""),
    ],
    ids=["status", "signal", "one number", "more", "less"],
)
def test_what_is_no_version_is_shown_and_not_believed(
    ended: CompletedProgram, programs: Programs
) -> None:
    programs.answer = ended
    with pytest.raises(CouldNotCheckError) as raised:
        CHECKERS["ty"].version()
    assert str(raised.value) == (
        f"/bin/ty --version says {ended.output!r}; expected 'ty' and a version: this is no ty that "
        "can be relied on"
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_installed_where_it_is_found(
    name: str, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CHECKERS[name].is_installed is True
    monkeypatch.setattr(process, "find_program", lambda wanted: None)
    assert CHECKERS[name].is_installed is False


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_is_not_found_says_how_to_install_it(
    name: str, programs: Programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process, "find_program", lambda wanted: None)
    requirement = "pyright[nodejs]" if name == "pyright" else name
    for ask in (CHECKERS[name].version, lambda: CHECKERS[name].check(task_in(tmp_path))):
        with pytest.raises(CouldNotCheckError) as raised:
            ask()
        assert str(raised.value) == str(subprocesses.not_installed(name, requirement))
    assert programs.asked == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_not_started_before_there_are_files(name: str, programs: Programs) -> None:
    CHECKERS[name].load()
    CHECKERS[name].unload()
    assert programs.asked == []


# What each is asked.


def asked_of(
    name: str, programs: Programs, output: str, request: CheckRequest
) -> tuple[list[str], Any]:
    """The arguments and the variables that it is given."""
    programs.answer = CompletedProgram(0, output, "")
    assert CHECKERS[name].check(request) == []
    ((called, command, directory, environment),) = programs.asked
    assert called == name
    assert directory == request.directory
    assert command[0] == f"/bin/{name}"
    return command[1:], environment


def test_pyright_is_given_our_settings_and_the_interpreter(
    tmp_path: Path, programs: Programs
) -> None:
    file = tmp_path / "pyrightconfig.json"
    arguments = asked_of("pyright", programs, '{"generalDiagnostics": []}', task_in(tmp_path))
    assert arguments == (
        ["--outputjson", "--project", str(file), "--pythonpath", "/other/python"],
        {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )
    settings = json.loads(file.read_text())
    assert not (tmp_path / settings.pop("stubPath")).exists()
    assert settings == {
        "include": ["a.py", "b.py"],
        "extraPaths": ["/one", "/two"],
        "typeCheckingMode": "standard",
        "pythonVersion": "3.12",
        "analyzeUnannotatedFunctions": False,
    }


def test_pyrefly_is_given_our_settings_and_no_interpreter(
    tmp_path: Path, programs: Programs
) -> None:
    directory = tmp_path / "Größe"
    directory.mkdir()
    request = task_in(directory)
    file = directory / "pyrefly.toml"
    assert asked_of("pyrefly", programs, '{"errors": []}', request) == (
        [
            "check",
            f"--config={file}",
            "--output-format=json",
            "--summary=none",
            "--progress-bar=no",
            "a.py",
            "b.py",
        ],
        None,
    )
    assert file.read_text("utf-8") == (
        f'search-path = ["/one", "/two", "{directory}"]\n'
        "disable-search-path-heuristics = true\n"
        'python-version = "3.12"\n'
        'site-package-path = ["/other/lib", "/other/site-packages"]\n'
        "skip-interpreter-query = true\n"
        "use-ignore-files = false\n"
        'untyped-def-behavior = "check-and-infer-return-any"\n'
    )


def test_ty_is_given_an_empty_configuration_and_the_interpreter(
    tmp_path: Path, programs: Programs
) -> None:
    arguments, environment = asked_of("ty", programs, "[]", task_in(tmp_path))
    assert arguments == [
        "check",
        f"--config-file={tmp_path / 'ty.toml'}",
        f"--project={tmp_path}",
        "--python=/other/python",
        "--python-version=3.12",
        "--extra-search-path=/one",
        "--extra-search-path=/two",
        "--output-format=gitlab",
        "--no-progress",
        "--no-respect-ignore-files",
        "a.py",
        "b.py",
    ]
    assert (tmp_path / "ty.toml").read_text() == ""
    assert environment == {"PYTHONPATH": ""}  # which belongs to this environment alone


def test_ty_looks_by_itself_where_pythonpath_says(tmp_path: Path, programs: Programs) -> None:
    assert asked_of("ty", programs, "[]", task_in(tmp_path, THIS))[1] is None


@pytest.mark.parametrize("environment", [OTHER, THIS], ids=["another", "this"])
def test_zuban_is_told_where_pythonpath_says_in_this_environment_alone(
    environment: Environment,
    tmp_path: Path,
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "python_path", lambda: ["/mine", "/yours"])
    is_this = environment is THIS
    assert asked_of("zuban", programs, "", task_in(tmp_path, environment)) == (
        [
            "check",
            f"--config-file={tmp_path / 'zuban.ini'}",
            f"--python-executable={environment.python}",
            "--python-version=3.12",
            "--no-error-summary",
            *(["--extra-search-path=/mine", "--extra-search-path=/yours"] if is_this else []),
            "a.py",
            "b.py",
        ],
        {"MYPYPATH": f"/one{os.pathsep}/two"},
    )
    assert (tmp_path / "zuban.ini").read_text() == Mypy.CONFIGURATION


# What each has reported. Warnings are no errors, and a path is that of the file, without links.


def pyright_row(**changed: Any) -> dict[str, Any]:
    row = {
        "file": "/run/link/a.py",
        "severity": "error",
        "message": "no\n  for a reason",
        "range": {"start": {"line": 6, "character": 3}},
        "rule": "reportAttributeAccessIssue",
    }
    return {key: value for key, value in (row | changed).items() if value is not None}


def pyrefly_row(**changed: Any) -> dict[str, Any]:
    row = {
        "path": "a.py",
        "line": 7,
        "severity": "error",
        "concise_description": "no",
        "description": "no\n  for a reason",
        "name": "bad-return",
    }
    return row | changed


def ty_row(**changed: Any) -> dict[str, Any]:
    row = {
        "location": {"path": "a.py", "positions": {"begin": {"line": 7}, "end": {"line": 9}}},
        "severity": "major",
        "description": "no",
        "check_name": "invalid-return-type",
    }
    return row | changed


def mypy_row(**changed: Any) -> dict[str, Any]:
    row = {"file": "a.py", "line": 7, "severity": "error", "message": "no", "code": "return-value"}
    return row | changed


Row = Callable[..., dict[str, Any]]

DOCUMENTS: dict[str, tuple[Row, Callable[[list[Any]], Any]]] = {
    "pyright": (pyright_row, lambda rows: {"generalDiagnostics": rows}),
    "pyrefly": (pyrefly_row, lambda rows: {"errors": rows}),
    "ty": (ty_row, lambda rows: rows),
}


@pytest.fixture
def reported(tmp_path: Path, programs: Programs) -> Callable[..., list[tuple[Any, ...]]]:
    """What an adapter makes of that output, with the name of each file."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)

    def check(name: str, output: str, status: int = 1) -> list[tuple[Any, ...]]:
        programs.answer = CompletedProgram(
            status, output.replace("/run/", f"{tmp_path}/"), "complains"
        )
        found = CHECKERS[name].check(task_in(tmp_path / "link"))
        assert all(diagnostic.path.parent == real for diagnostic in found)
        return [(diagnostic.path.name, *diagnostic[1:]) for diagnostic in found]

    return check


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("status", [0, 1])
def test_an_error_is_where_the_checker_says(
    name: str, status: int, reported: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row, document = DOCUMENTS[name]
    place: dict[str, dict[str, Any]] = {
        "pyright": {"file": "/run/link/b.py", "range": {"start": {"line": 7}}},
        "pyrefly": {"path": "b.py", "line": 8},
        "ty": {"location": {"path": "b.py", "positions": {"begin": {"line": 8}}}},
    }
    output = json.dumps(document([row(), row(**place[name])]))
    assert reported(name, output, status) == [
        ("a.py", 7, "no", False),
        ("b.py", 8, "no", False),
    ]


@pytest.mark.parametrize(
    ("name", "severities"),
    [
        ("pyright", ["warning", "information", "zzz", ""]),
        ("pyrefly", ["warn", "info", "zzz", ""]),
        ("ty", ["info", "minor", "zzz", ""]),
    ],
)
def test_a_warning_is_no_error(
    name: str, severities: list[str], reported: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row, document = DOCUMENTS[name]
    rows = [row(severity=severity) for severity in severities]
    assert reported(name, json.dumps(document(rows))) == []


@pytest.mark.parametrize("severity", ["major", "critical", "blocker"])
def test_ty_calls_an_error_by_three_names(
    severity: str, reported: Callable[..., list[tuple[Any, ...]]]
) -> None:
    assert len(reported("ty", json.dumps([ty_row(severity=severity)]))) == 1


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("pyright", {"rule": "reportMissingImports"}),
        ("pyright", {"rule": "reportMissingModuleSource"}),
        ("pyrefly", {"name": "missing-import"}),
        ("pyrefly", {"name": "import-error"}),
        ("ty", {"check_name": "unresolved-import"}),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else value,
)
def test_a_module_that_is_not_found_is_told_from_other_errors(
    name: str, changed: dict[str, str], reported: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row, document = DOCUMENTS[name]
    found = reported(name, json.dumps(document([row(**changed), row()])))
    assert [is_import for *_, is_import in found] == [True, False]


def test_an_error_of_a_whole_file_has_no_line_and_may_have_no_rule(
    reported: Callable[..., list[tuple[Any, ...]]],
) -> None:
    rows = [pyright_row(range=None, rule=None)]
    assert reported("pyright", json.dumps({"generalDiagnostics": rows})) == [
        ("a.py", 0, "no", False)
    ]


def test_what_zuban_reports_is_lines(reported: Callable[..., list[tuple[Any, ...]]]) -> None:
    output = (
        "a.py:7: error: no  [return-value]\n"
        "a.py:8: note: for a reason\n"
        'b.py:12: error: Cannot find: 1: error: "x"  [import-not-found]\n'
    )
    assert reported("zuban", output) == [
        ("a.py", 7, "no  [return-value]", False),
        ("b.py", 12, 'Cannot find: 1: error: "x"  [import-not-found]', True),
    ]
    assert reported("zuban", "", 0) == []


@pytest.mark.parametrize(
    ("status", "output"),
    [(2, ""), (-11, ""), (1, "a.py:7: error: no\nerror: cannot go on"), (0, "a.py: error: no")],
    ids=["status", "signal", "another line", "no number"],
)
def test_a_zuban_that_says_anything_else_is_not_believed(
    status: int, output: str, programs: Programs, tmp_path: Path
) -> None:
    programs.answer = CompletedProgram(status, output, "")
    with pytest.raises(CouldNotCheckError) as raised:
        CHECKERS["zuban"].check(task_in(tmp_path))
    words = output.rpartition("\n")[2] or "it said nothing"
    if "\n" in output:
        words = "a.py:7: error: no"  # the first line with an error
    assert str(raised.value) == f"zuban could not run: {words}"


# mypy, which is loaded while its caller still looks for what to check.


class Loaded:
    """Stands for processes that mypy is loaded in."""

    def __init__(self) -> None:
        self.started: list[Any] = []
        self.done: list[tuple[str, Any, list[str]]] = []
        self.ended: list[Any] = []
        self.answers: list[CompletedProgram] = []

    def start(self, command: Sequence[str]) -> object:
        self.started.append(SimpleNamespace(command=[*command]))
        return self.started[-1]

    def finish(self, name: str, started: object, text: str = "") -> CompletedProgram:
        self.done.append((name, started, text.split("\0")))
        return self.answers.pop(0)

    def end(self, started: object) -> None:
        self.ended.append(started)

    def check(self, request: CheckRequest, *answers: CompletedProgram) -> list[Diagnostic]:
        self.answers = [*answers]
        found = Mypy().check(request)
        assert self.answers == []
        return found


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    made = Loaded()
    for name in ("start", "finish", "end"):
        monkeypatch.setattr(process, name, getattr(made, name))
    return made


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_mypy_is_asked_under_this_interpreter(tmp_path: Path, loaded: Loaded) -> None:
    assert loaded.check(task_in(tmp_path), CompletedProgram(0, "", "")) == []
    (started,) = loaded.started
    assert started.command == [sys.executable, "-c", Mypy._PROGRAM]
    assert loaded.done == [
        (
            "mypy",
            started,
            [
                str(tmp_path),
                f"/one{os.pathsep}/two",
                "--output=json",
                f"--config-file={tmp_path / 'mypy.ini'}",
                "--python-executable=/other/python",
                "--python-version=3.12",
                "a.py",
                "b.py",
                f"--cache-dir={tmp_path / 'kept'}",
            ],
        )
    ]
    assert (tmp_path / "mypy.ini").read_text() == Mypy.CONFIGURATION


def test_what_is_loaded_is_loaded_once_and_used_once(tmp_path: Path, loaded: Loaded) -> None:
    mypy = Mypy()
    mypy.unload()
    assert loaded.ended == []
    mypy.load()
    mypy.load()
    (first,) = loaded.started
    loaded.answers = [CompletedProgram(0, "", ""), CompletedProgram(0, "", "")]
    mypy.check(task_in(tmp_path))
    mypy.unload()
    assert loaded.ended == []  # it has come to its end
    mypy.check(task_in(tmp_path))
    _, second = loaded.started
    assert [started for _, started, _ in loaded.done] == [first, second]
    mypy.load()
    mypy.unload()
    mypy.unload()
    assert loaded.ended == [loaded.started[2]]


def test_what_mypy_reports_is_a_document_a_line(tmp_path: Path, loaded: Loaded) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    output = lines(
        mypy_row(),
        mypy_row(severity="note", line=8),
        mypy_row(severity="a"),
        mypy_row(severity="z"),
        mypy_row(file="b.py", line=9, message="not there", code="import-not-found"),
        mypy_row(line=10, code="import-untyped"),
        mypy_row(line=11, code=None),
    )
    assert loaded.check(task_in(tmp_path / "link"), CompletedProgram(1, output, "")) == [
        Diagnostic(real / "a.py", 7, "no", False),
        Diagnostic(real / "b.py", 9, "not there", True),
        Diagnostic(real / "a.py", 10, "no", True),
        Diagnostic(real / "a.py", 11, "no", False),
    ]


def test_the_path_of_a_file_is_resolved_once(
    tmp_path: Path, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved: list[Path] = []
    resolve = Path.resolve

    def counted(path: Path, strict: bool = False) -> Path:
        resolved.append(path)
        return resolve(path, strict)

    monkeypatch.setattr(Path, "resolve", counted)
    output = lines(*(mypy_row(line=n) for n in range(1, 9)), mypy_row(file="b.py"))
    assert len(loaded.check(task_in(tmp_path), CompletedProgram(1, output, ""))) == 9
    assert resolved == [tmp_path / "a.py", tmp_path / "b.py"]


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (CompletedProgram(2, "", "error: cannot read"), "error: cannot read"),
        (CompletedProgram(2, "mypy: first\nsome error\nlast\n", ""), "some error"),
        (CompletedProgram(2, "", ""), "it said nothing"),
        (CompletedProgram(-9, "", ""), "it said nothing"),
        (CompletedProgram(0, "", "Traceback\nlast"), "last"),
        (CompletedProgram(1, "usage: mypy", ""), "usage: mypy"),
        (
            CompletedProgram(2, lines(mypy_row(), mypy_row(line=8)), "more"),
            "{directory}/a.py:7: no",
        ),
        (CompletedProgram(2, lines(mypy_row(line=0)), ""), "{directory}/a.py: no"),
        (CompletedProgram(2, lines(mypy_row(line=-1)), ""), "{directory}/a.py: no"),
        (CompletedProgram(2, lines(mypy_row(line=1)), ""), "{directory}/a.py:1: no"),
    ],
    ids=[
        "complaint",
        "output",
        "nothing",
        "signal",
        "complaint alone",
        "no JSON",
        "error in a line",
        "error in a file",
        "error before it",
        "error in the first line",
    ],
)
def test_a_mypy_that_gives_up_is_not_taken_for_green(
    tmp_path: Path, loaded: Loaded, ended: CompletedProgram, words: str
) -> None:
    with pytest.raises(CouldNotCheckError) as raised:
        loaded.check(task_in(tmp_path), ended)
    assert str(raised.value) == f"mypy could not run: {words.format(directory=tmp_path)}"


def test_what_mypy_complains_of_beside_errors_does_not_hide_them(
    tmp_path: Path, loaded: Loaded
) -> None:
    ended = CompletedProgram(1, f"a warning\n{lines(mypy_row())}", "another")
    assert [found.line for found in loaded.check(task_in(tmp_path), ended)] == [7]


@pytest.mark.parametrize("line", ["text", "7", "null", "{}", "[]", '"severity"'])
def test_what_another_module_prints_is_no_report_of_mypys(
    tmp_path: Path, loaded: Loaded, line: str
) -> None:
    ended = CompletedProgram(1, f"{line}\n{lines(mypy_row())}", "")
    assert [found.line for found in loaded.check(task_in(tmp_path), ended)] == [7]
    with pytest.raises(CouldNotCheckError) as raised:
        loaded.check(task_in(tmp_path), CompletedProgram(0, f"{line}\n", ""))
    assert str(raised.value) == f"mypy could not run: {line}"


def test_a_cache_that_cannot_be_used_is_done_without(tmp_path: Path, loaded: Loaded) -> None:
    request = task_in(tmp_path)
    held = CompletedProgram(2, "", "sqlite3.OperationalError: database is locked")
    (found,) = loaded.check(request, held, CompletedProgram(1, lines(mypy_row()), ""))
    assert found.line == 7
    (*request, kept), (*again, own) = (text for _, _, text in loaded.done)
    assert request == again
    assert kept == f"--cache-dir={request.cache}"
    assert own == f"--cache-dir={tmp_path / 'cache'}"
    assert len(loaded.started) == 2


def test_the_version_of_mypy_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import util

    monkeypatch.setattr(util, "find_spec", lambda name: made if name == "mypy" else None)
    file = tmp_path / "version.py"
    made: Any = SimpleNamespace(submodule_search_locations=[str(tmp_path), "/nowhere"])
    assert Mypy().is_installed is True
    with pytest.raises(CouldNotCheckError, match=r"^mypy could not run: .*version\.py: .*No such"):
        Mypy().version()
    file.write_bytes(b"\xff")
    with pytest.raises(CouldNotCheckError, match=r"^mypy could not run: .*version\.py: 'utf-8'"):
        Mypy().version()
    for text in ("2.4.1", "2.5", "2.5.0+dev"):
        file.write_text(f'import os\n\n__version__ = "{text}"\nbase_version = __version__\n')
        assert Mypy().version() == text
    file.write_text('no__version__ = "2.5"\n')
    with pytest.raises(CouldNotCheckError) as raised:
        Mypy().version()
    assert str(raised.value) == (f"{file} gives no version: this is no mypy that can be relied on")


@pytest.mark.parametrize("places", [None, []], ids=["a module", "nowhere"])
def test_what_is_called_mypy_and_is_no_package_is_no_mypy(
    places: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import util

    made: Any = SimpleNamespace(submodule_search_locations=places)
    for spec in (made, None):
        monkeypatch.setattr(util, "find_spec", lambda name, spec=spec: spec)
        assert Mypy().is_installed is (spec is not None)
        with pytest.raises(CouldNotCheckError) as raised:
            Mypy().version()
        assert str(raised.value) == (
            f"mypy is not installed; install it with: {sys.executable} -m pip install "
            "'backend-contract[check]'"
        )


def test_a_checker_is_found_by_its_name_mypy_first() -> None:
    assert [*CHECKERS] == ["mypy", *PROGRAMS]
    found: list[Checker] = [*CHECKERS.values()]
    assert [checker.name for checker in found] == [*CHECKERS]
