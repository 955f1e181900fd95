"""Programs that a check runs: found, limited in time, and always terminated."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import WAIT

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.static.checkers import subprocesses
from backend_contract._conformance.static.checkers.subprocesses import CompletedProgram
from backend_contract.errors import CouldNotCheckError


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.mark.parametrize(
    ("output", "complaint", "line"),
    [
        ("", "", "exit status 2"),
        (" \n", "\n ", "exit status 2"),
        ("said", "", "said"),
        ("first\nlast\n", " \n", "last"),
        ("an error", "first\n last \n", "last"),
        ("", "first\n  An Error: no \nanother error\nlast", "An Error: no"),
    ],
    ids=["nothing", "blanks", "output", "last of it", "complaint", "error"],
)
def test_last_words(output: str, complaint: str, line: str) -> None:
    """The last words are the first line with an error, the last line, or the exit status."""
    assert CompletedProgram(2, output, complaint).last_words() == line


@pytest.mark.parametrize("status", [0, 1])
def test_read(status: int) -> None:
    """The document of a program that completed is read, warnings or not."""
    assert CompletedProgram(status, '{"a": [1]}', "complains").read("ty", lambda d: d["a"]) == [1]


@pytest.mark.parametrize("status", [-9, -1, 2, 3])
def test_read_failed(status: int) -> None:
    """The document of a program that failed is not read."""
    with pytest.raises(CouldNotCheckError, match=r"^ty could not run: killed$"):
        CompletedProgram(status, "[]", "killed").read("ty", lambda d: d)


def test_read_text() -> None:
    """Output that is not JSON is an error that quotes it."""
    with pytest.raises(CouldNotCheckError, match=r"^ty could not run: usage: ty$"):
        CompletedProgram(0, "usage: ty", "").read("ty", lambda d: d)


@pytest.mark.parametrize("text", ["{}", "null", "[]", '"text"'], ids=["{}", "null", "[]", "text"])
def test_read_other_structure(text: str) -> None:
    """A document with a different structure is an error."""

    def reader(document: Any) -> Any:
        if document == []:
            return document[0]
        return document["a"] if document is None or document == {} else document.items()

    with pytest.raises(CouldNotCheckError, match=r"^ty could not run: unexpected output"):
        CompletedProgram(0, text, "").read("ty", reader)


def test_error_in_reader() -> None:
    """Other exceptions of the reader propagate."""

    def reader(document: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        CompletedProgram(0, "[]", "").read("ty", reader)


def test_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are searched beside the interpreter first, then below its path, then on `PATH`."""
    names = ["scripts", "interpreter", "entry/bin", "another/bin", "path", "relative"]
    for name in names:
        directory = tmp_path / name
        directory.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sysconfig, "get_path", lambda name: f"{tmp_path}/{name}" if name == "scripts" else None
    )
    monkeypatch.setattr(sys, "executable", f"{tmp_path}/interpreter/python")
    here = Environment("python", (3, 12), (f"{tmp_path}/entry", f"{tmp_path}/another"))
    monkeypatch.setattr(subprocesses, "this_environment", lambda: here)
    monkeypatch.setenv("PATH", os.pathsep.join(["relative", "", f"{tmp_path}/path"]))
    found = []
    for name in reversed(names):
        program = tmp_path / name / "ty"
        program.touch(mode=0o755)
        found.append(subprocesses.find_program("ty"))
    del found[0]  # a relative entry of PATH is not trusted
    assert subprocesses.find_program("ty") == found[-1]
    assert found == [f"{tmp_path}/{name}/ty" for name in reversed(names[:-1])]
    assert subprocesses.find_program("no-such-checker") is None


def test_relative_path_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative entries of `PATH` are not searched."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a-checker").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "here")
    assert subprocesses.find_program("a-checker") is None
    monkeypatch.setenv("PATH", f"here{os.pathsep}{tmp_path / 'there'}")
    assert subprocesses.find_program("a-checker") == str(tmp_path / "there/a-checker")


def test_without_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `PATH`, the default of the system is searched."""
    (tmp_path / "a-checker").touch(mode=0o755)
    monkeypatch.delenv("PATH")
    monkeypatch.setattr(os, "defpath", str(tmp_path))
    assert subprocesses.find_program("a-checker") == str(tmp_path / "a-checker")


SEEN = """\
import json, os, sys
json.dump({"cwd": os.getcwd(), "text": sys.stdin.read(), "variables": dict(os.environ)}, sys.stdout)
sys.stderr.write("complains")
sys.exit(3)
"""


def test_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run has the given directory and variables, and none that configures a checker."""
    theirs = ("MYPYPATH", "MYPY_CACHE_DIR", "PYREFLY_CONFIG", "TY_CONFIG_FILE", "ZUBAN_X")
    for name in theirs:
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("MINE", "kept")
    monkeypatch.setenv("CHANGED", "old")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    variables = {"CHANGED": "new", "TY_OURS": "ours"}
    done = subprocesses.run("ty", python(SEEN), directory=tmp_path, environment=variables)
    assert (done.status, done.complaint) == (3, "complains")
    seen = json.loads(done.output)
    assert seen["cwd"] == str(tmp_path)
    assert seen["text"] == ""
    for name in theirs:
        assert name not in seen["variables"]
    assert {name: seen["variables"][name] for name in ("MINE", *variables)} == {
        "MINE": "kept",
        **variables,
    }
    assert "PYTHONPATH" not in seen["variables"]


def test_python_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`PYTHONPATH` is passed on with absolute entries."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["here", "", "/there"]))
    assert subprocesses.python_path() == [str(tmp_path / "here"), "/there"]
    done = subprocesses.run("ty", python(SEEN), directory=tmp_path / "elsewhere")
    due = os.pathsep.join([str(tmp_path / "here"), "/there"])
    assert json.loads(done.output)["variables"]["PYTHONPATH"] == due
    monkeypatch.delenv("PYTHONPATH")
    assert subprocesses.python_path() == []


def test_undecodable_output(tmp_path: Path) -> None:
    """Output that is not valid text is kept."""
    text = "import sys\nsys.stdout.buffer.write('Größe'.encode() + bytes([255]))"
    done = subprocesses.run("ty", python(text))
    assert done.output.encode("utf-8", "surrogateescape") == "Größe".encode() + b"\xff"


def test_session() -> None:
    """A program runs in its own session."""
    text = "import os; print(os.getsid(0) == os.getpid())"
    assert subprocesses.run("ty", python(text)).output == "True\n"


def test_missing_program(tmp_path: Path) -> None:
    """A program that cannot be started is named with the reason."""
    with pytest.raises(CouldNotCheckError) as raised:
        subprocesses.run("ty", [str(tmp_path / "ty"), "check"])
    assert str(raised.value) == (f"ty could not run: {tmp_path / 'ty'}: No such file or directory")


HANGS = python("import sys, threading; threading.Event().wait()")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[str]]:
    """The processes that were started; each is waited for no longer than 0.01 seconds."""
    processes: list[subprocess.Popen[str]] = []

    class Impatient(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Impatient)
    monkeypatch.setattr(subprocesses, "CHECKER_TIMEOUT", 0.01)
    return processes


def assert_killed(process: subprocess.Popen[str]) -> None:
    assert process.returncode == -signal.SIGKILL
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        assert pipe.closed


def test_timeout(started: list[subprocess.Popen[str]]) -> None:
    """A program that does not complete in time is killed, and is an error."""
    with pytest.raises(CouldNotCheckError, match=r"^ty did not end within 0\.01 seconds$"):
        subprocesses.run("ty", HANGS)
    assert_killed(*started)


def test_timeout_without_groups(
    started: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without process groups, the program alone is killed."""
    monkeypatch.delattr(os, "killpg")
    with pytest.raises(CouldNotCheckError, match="did not end"):
        subprocesses.run("ty", HANGS)
    assert_killed(*started)


def test_interrupt(started: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """A program is killed when its run is interrupted."""

    def interrupt(*_: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        subprocesses.run("ty", HANGS)
    assert_killed(*started)


def test_no_kill_after_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has ended is not killed: its number may belong to another one by then."""
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("killed"))
    done = subprocesses.run("ty", python("import sys; print('end'); sys.exit(5)"))
    assert done == CompletedProgram(5, "end\n", "")


def test_side_by_side() -> None:
    """Functions run at the same time; their results have the order of the functions."""
    everyone = threading.Barrier(3)

    def numbered(number: int) -> int:
        everyone.wait(WAIT)  # would break if they ran one after the other
        return number

    functions = [partial(numbered, number) for number in range(3)]
    assert subprocesses.side_by_side(functions) == [0, 1, 2]


def test_one_function() -> None:
    """A single function is called in the same thread, where signals are handled."""
    assert subprocesses.side_by_side([threading.current_thread]) == [threading.current_thread()]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_side_by_side_fails(error: type[BaseException]) -> None:
    """If one function fails, the processes of the others are killed, and none is started."""
    processes: list[subprocess.Popen[str]] = []
    running, failed = threading.Event(), threading.Event()

    def runs() -> None:
        processes.append(subprocesses.start(HANGS))
        running.set()
        subprocesses.finish("ty", processes[0])

    def starts_later() -> None:
        assert failed.wait(WAIT)
        while not processes[0].returncode:  # until the others are being stopped
            pass
        subprocesses.start(HANGS)
        raise AssertionError("it was started")

    def fails() -> None:
        assert running.wait(WAIT)
        failed.set()
        raise error

    with pytest.raises(error):
        subprocesses.side_by_side([fails, runs, starts_later])
    assert_killed(*processes)
    assert subprocesses.run("ty", python("print('end')")).output == "end\n"


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for a missing program says how to install it."""
    monkeypatch.setattr(sys, "executable", "/a/python")
    assert str(subprocesses.not_installed("ty", "ty>=1")) == (
        "ty is not installed; install it with: /a/python -m pip install 'ty>=1'"
    )
