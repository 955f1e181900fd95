"""The arguments and the output of the four programs; none is started."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from conformance.static.checkers.support import OTHER, PROGRAMS, THIS, FakeRuns, Run, request_in

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.static.checkers import CHECKERS, subprocesses
from backend_contract._conformance.static.checkers.base import CheckRequest
from backend_contract._conformance.static.checkers.mypy import Mypy
from backend_contract._conformance.static.checkers.subprocesses import CompletedProgram
from backend_contract.errors import CouldNotCheckError

NOTHING_FOUND = {
    "pyright": '{"generalDiagnostics": []}',
    "pyrefly": '{"errors": []}',
    "ty": "[]",
    "zuban": "",
}


def run_of(name: str, runs: FakeRuns, request: CheckRequest) -> Run:
    """Check a request without errors, and return the run of the program."""
    runs.answers = [CompletedProgram(0, NOTHING_FOUND[name], "")]
    assert CHECKERS[name].check(request) == []
    (run,) = runs.runs
    return run


@pytest.mark.parametrize("name", PROGRAMS)
def test_run(name: str, runs: FakeRuns, tmp_path: Path) -> None:
    """Each runs its own program, in the directory of the request."""
    run = run_of(name, runs, request_in(tmp_path))
    assert (run.name, run.command[0], run.directory) == (name, f"/bin/{name}", tmp_path)


def test_pyright(tmp_path: Path, runs: FakeRuns) -> None:
    """Pyright gets settings with files, roots and version, and the interpreter."""
    run = run_of("pyright", runs, request_in(tmp_path))
    file = tmp_path / "pyrightconfig.json"
    assert "--outputjson" in run.command
    assert run.command[run.command.index("--project") + 1] == str(file)
    assert run.command[run.command.index("--pythonpath") + 1] == "/other/python"
    settings = json.loads(file.read_text())
    assert settings["include"] == ["a.py", "b.py"]
    assert settings["extraPaths"] == ["/one", "/two"]
    assert settings["pythonVersion"] == "3.12"
    assert settings["typeCheckingMode"] == "standard"
    assert settings["analyzeUnannotatedFunctions"] is False
    assert not (tmp_path / settings["stubPath"]).exists()


def test_pyrefly(tmp_path: Path, runs: FakeRuns) -> None:
    """Pyrefly gets settings with roots, version and path, and no interpreter to ask."""
    directory = tmp_path / "Größe"
    directory.mkdir()
    run = run_of("pyrefly", runs, request_in(directory))
    file = directory / "pyrefly.toml"
    assert f"--config={file}" in run.command
    assert "--output-format=json" in run.command
    assert run.command[-2:] == ["a.py", "b.py"]
    settings = dict(line.split(" = ", 1) for line in file.read_text("utf-8").splitlines())
    assert {key: json.loads(value) for key, value in settings.items()} == {
        "search-path": ["/one", "/two", str(directory)],
        "disable-search-path-heuristics": True,
        "python-version": "3.12",
        "site-package-path": ["/other/lib", "/other/site-packages"],
        "skip-interpreter-query": True,
        "use-ignore-files": False,
        "untyped-def-behavior": "check-and-infer-return-any",
    }


def test_ty(tmp_path: Path, runs: FakeRuns) -> None:
    """Ty gets an empty configuration, the roots and the interpreter, without `PYTHONPATH`."""
    run = run_of("ty", runs, request_in(tmp_path))
    assert {
        f"--config-file={tmp_path / 'ty.toml'}",
        f"--project={tmp_path}",
        "--python=/other/python",
        "--python-version=3.12",
        "--output-format=gitlab",
        "--no-respect-ignore-files",
    } < {*run.command}
    roots = [option for option in run.command if option.startswith("--extra-search-path")]
    assert roots == ["--extra-search-path=/one", "--extra-search-path=/two"]
    assert run.command[-2:] == ["a.py", "b.py"]
    assert (tmp_path / "ty.toml").read_text() == ""
    assert run.environment == {"PYTHONPATH": ""}  # belongs to this environment alone


def test_ty_in_this_environment(tmp_path: Path, runs: FakeRuns) -> None:
    """In this environment, ty reads `PYTHONPATH` itself."""
    assert "PYTHONPATH" not in run_of("ty", runs, request_in(tmp_path, THIS)).environment


@pytest.mark.parametrize(
    ("environment", "path"),
    [(OTHER, []), (THIS, ["--extra-search-path=/mine", "--extra-search-path=/yours"])],
    ids=["other", "this"],
)
def test_zuban(
    environment: Environment,
    path: list[str],
    tmp_path: Path,
    runs: FakeRuns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Zuban gets the settings of mypy, and `PYTHONPATH` in this environment only."""
    monkeypatch.setattr(subprocesses, "python_path", lambda: ["/mine", "/yours"])
    run = run_of("zuban", runs, request_in(tmp_path, environment))
    assert {
        f"--config-file={tmp_path / 'zuban.ini'}",
        f"--python-executable={environment.python}",
        "--python-version=3.12",
    } < {*run.command}
    assert [each for each in run.command if each.startswith("--extra-search-path")] == path
    assert run.command[-2:] == ["a.py", "b.py"]
    assert run.environment == {"MYPYPATH": f"/one{os.pathsep}/two"}
    assert (tmp_path / "zuban.ini").read_text() == Mypy.CONFIGURATION


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


Row = Callable[..., dict[str, Any]]

DOCUMENTS: dict[str, tuple[Row, Callable[[list[Any]], Any]]] = {
    "pyright": (pyright_row, lambda rows: {"generalDiagnostics": rows}),
    "pyrefly": (pyrefly_row, lambda rows: {"errors": rows}),
    "ty": (ty_row, lambda rows: rows),
}


Reported: TypeAlias = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def reported(tmp_path: Path, runs: FakeRuns) -> Reported:
    """Return the errors that an adapter reads in an output, with file names and without links."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)

    def check(name: str, output: str, status: int = 1) -> list[tuple[Any, ...]]:
        output = output.replace("/run/", f"{tmp_path}/")
        runs.answers = [CompletedProgram(status, output, "a warning")]
        found = CHECKERS[name].check(request_in(tmp_path / "link"))
        assert all(diagnostic.path.parent == real for diagnostic in found)
        return [(diagnostic.path.name, *diagnostic[1:]) for diagnostic in found]

    return check


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("status", [0, 1])
def test_error(name: str, status: int, reported: Reported) -> None:
    """An error has the file and line that the checker reports."""
    row, document = DOCUMENTS[name]
    elsewhere: dict[str, dict[str, Any]] = {
        "pyright": {"file": "/run/link/b.py", "range": {"start": {"line": 7}}},
        "pyrefly": {"path": "b.py", "line": 8},
        "ty": {"location": {"path": "b.py", "positions": {"begin": {"line": 8}}}},
    }
    output = json.dumps(document([row(), row(**elsewhere[name])]))
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
def test_warning(name: str, severities: list[str], reported: Reported) -> None:
    """Warnings are not errors."""
    row, document = DOCUMENTS[name]
    rows = [row(severity=severity) for severity in severities]
    assert reported(name, json.dumps(document(rows))) == []


@pytest.mark.parametrize("severity", ["major", "critical", "blocker"])
def test_severities_of_ty(severity: str, reported: Reported) -> None:
    """Ty has three severities of errors."""
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
def test_missing_import(name: str, changed: dict[str, str], reported: Reported) -> None:
    """Missing modules are told from other errors."""
    row, document = DOCUMENTS[name]
    found = reported(name, json.dumps(document([row(**changed), row()])))
    assert [is_import for *_, is_import in found] == [True, False]


def test_error_of_file(
    reported: Reported,
) -> None:
    """An error of pyright may have neither line nor rule."""
    rows = [pyright_row(range=None, rule=None)]
    assert reported("pyright", json.dumps({"generalDiagnostics": rows})) == [
        ("a.py", 0, "no", False)
    ]


def test_output_of_zuban(reported: Reported) -> None:
    """Each line of zuban is an error or a note."""
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
def test_unexpected_output_of_zuban(
    status: int, output: str, runs: FakeRuns, tmp_path: Path
) -> None:
    """Any other output of zuban is an error that quotes it."""
    runs.answers = [CompletedProgram(status, output, "")]
    with pytest.raises(CouldNotCheckError, match=r"^zuban could not run: ") as raised:
        CHECKERS["zuban"].check(request_in(tmp_path))
    assert (output.partition("\n")[0] or f"exit status {status}") in str(raised.value)
