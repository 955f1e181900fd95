"""The adapter of mypy; mypy is not started."""

from __future__ import annotations

import json
import os
import sys
from importlib import util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conformance.static.checkers.support import FakeRuns, request_in

from backend_contract._conformance.static.checkers.base import Diagnostic
from backend_contract._conformance.static.checkers.mypy import Mypy
from backend_contract._conformance.static.checkers.subprocesses import CompletedProgram
from backend_contract.errors import CouldNotCheckError


def mypy_row(**changed: Any) -> dict[str, Any]:
    row = {"file": "a.py", "line": 7, "severity": "error", "message": "no", "code": "return-value"}
    return row | changed


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def check(directory: Path, runs: FakeRuns, *answers: CompletedProgram) -> list[Diagnostic]:
    """Return the errors that are read in the last answer."""
    runs.answers = [*answers]
    found = Mypy().check(request_in(directory))
    assert len(runs.runs) >= len(answers)
    return found


def test_run(tmp_path: Path, runs: FakeRuns) -> None:
    """Mypy runs under this interpreter, with our settings, and checks the other environment."""
    assert check(tmp_path, runs, CompletedProgram(0, "", "")) == []
    (run,) = runs.runs
    assert (run.name, run.command[0], run.directory) == ("mypy", sys.executable, tmp_path)
    assert {
        "--output=json",
        f"--config-file={tmp_path / 'mypy.ini'}",
        "--python-executable=/other/python",
        "--python-version=3.12",
        f"--cache-dir={tmp_path / 'kept'}",
    } < {*run.command}
    assert run.command[-2:] == ["a.py", "b.py"]
    assert run.environment == {"MYPYPATH": f"/one{os.pathsep}/two"}
    assert (tmp_path / "mypy.ini").read_text() == Mypy.CONFIGURATION


def test_preloaded(tmp_path: Path, runs: FakeRuns) -> None:
    """The first check in the block uses the process that is loading, a second one another."""
    mypy = Mypy()
    with mypy.preloaded():
        assert len(runs.started) == 1
        mypy.check(request_in(tmp_path))
        assert len(runs.started) == 1
        mypy.check(request_in(tmp_path))
        assert len(runs.started) == 2
    assert len(runs.runs) == 2
    assert runs.terminated == []


def test_preloaded_unused(runs: FakeRuns) -> None:
    """A process that no check has used is terminated, also if the block raises."""
    with pytest.raises(KeyError), Mypy().preloaded():
        raise KeyError
    assert runs.terminated == runs.started
    assert len(runs.started) == 1


def test_not_preloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: FakeRuns) -> None:
    """If mypy cannot be loaded in the background, only the check reports it."""

    def start(command: list[str]) -> Any:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("backend_contract._conformance.static.checkers.subprocesses.start", start)
    mypy = Mypy()
    with mypy.preloaded(), pytest.raises(OSError, match="unavailable"):
        mypy.check(request_in(tmp_path))
    assert runs.terminated == []


def test_errors(tmp_path: Path, runs: FakeRuns) -> None:
    """Each line is a JSON document; notes are not errors, and paths have no links."""
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
    assert check(tmp_path / "link", runs, CompletedProgram(1, output, "")) == [
        Diagnostic(real / "a.py", 7, "no", False),
        Diagnostic(real / "b.py", 9, "not there", True),
        Diagnostic(real / "a.py", 10, "no", True),
        Diagnostic(real / "a.py", 11, "no", False),
    ]


def test_resolved_once(tmp_path: Path, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many errors there are: the directory, and each file that is not a probe."""
    resolved: list[Path] = []
    resolve = Path.resolve

    def counted(path: Path, strict: bool = False) -> Path:
        resolved.append(path)
        return resolve(path, strict)

    monkeypatch.setattr(Path, "resolve", counted)
    output = lines(*(mypy_row(line=n, file=file) for n in range(1, 9) for file in ("a.py", "c.py")))
    assert len(check(tmp_path, runs, CompletedProgram(1, output, ""))) == 16
    assert resolved == [tmp_path, tmp_path / "c.py"]


@pytest.mark.parametrize(
    ("done", "reason"),
    [
        (CompletedProgram(2, "", "error: cannot read"), "error: cannot read"),
        (CompletedProgram(2, "mypy: first\nsome error\nlast\n", ""), "some error"),
        (CompletedProgram(2, "", ""), "exit status 2"),
        (CompletedProgram(-9, "", ""), "exit status -9"),
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
def test_failure(tmp_path: Path, runs: FakeRuns, done: CompletedProgram, reason: str) -> None:
    """A run that fails is an error with its most telling line."""
    with pytest.raises(CouldNotCheckError) as raised:
        check(tmp_path, runs, done)
    assert str(raised.value) == f"mypy could not run: {reason.format(directory=tmp_path)}"


def test_warnings(tmp_path: Path, runs: FakeRuns) -> None:
    """Warnings beside errors do not hide them."""
    done = CompletedProgram(1, f"a warning\n{lines(mypy_row())}", "another")
    assert [found.line for found in check(tmp_path, runs, done)] == [7]


@pytest.mark.parametrize("line", ["text", "7", "null", "{}", "[]", '"severity"'])
def test_foreign_output(tmp_path: Path, runs: FakeRuns, line: str) -> None:
    """Lines that another module prints are ignored beside errors, and a failure without."""
    done = CompletedProgram(1, f"{line}\n{lines(mypy_row())}", "")
    assert [found.line for found in check(tmp_path, runs, done)] == [7]
    with pytest.raises(CouldNotCheckError) as raised:
        check(tmp_path, runs, CompletedProgram(0, f"{line}\n", ""))
    assert str(raised.value) == f"mypy could not run: {line}"


def test_unusable_cache(tmp_path: Path, runs: FakeRuns) -> None:
    """If the cache cannot be used, mypy runs again with a temporary one."""
    locked = CompletedProgram(2, "", "sqlite3.OperationalError: database is locked")
    (found,) = check(tmp_path, runs, locked, CompletedProgram(1, lines(mypy_row()), ""))
    assert found.line == 7
    caches = [
        option for run in runs.runs for option in run.command if option.startswith("--cache-dir")
    ]
    assert caches == [f"--cache-dir={tmp_path / 'kept'}", f"--cache-dir={tmp_path / 'cache'}"]


def test_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is read from the installed package; without one, mypy cannot run."""
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
    with pytest.raises(CouldNotCheckError, match="has no version; install mypy again"):
        Mypy().version()


@pytest.mark.parametrize("locations", [None, []], ids=["a module", "nowhere"])
def test_not_installed(locations: list[str] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module called mypy that is not a package does not count."""
    made: Any = SimpleNamespace(submodule_search_locations=locations)
    for spec in (made, None):
        monkeypatch.setattr(util, "find_spec", lambda name, spec=spec: spec)
        assert Mypy().is_installed is (spec is not None)
        with pytest.raises(CouldNotCheckError, match=r"install 'backend-contract\[check\]'"):
            Mypy().version()
