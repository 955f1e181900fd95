"""Programs that are run for a check: found, bounded in time, and ended whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend_contract._conformance.source.environment import Environment
from backend_contract._conformance.static.checkers import subprocesses
from backend_contract._conformance.static.checkers.subprocesses import CompletedProgram
from backend_contract.errors import CouldNotCheckError


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


# What a program said.


@pytest.mark.parametrize(
    ("output", "complaint", "words"),
    [
        ("", "", "it said nothing"),
        (" \n", "\n ", "it said nothing"),
        ("said", "", "said"),
        ("first\nlast\n", " \n", "last"),
        ("an error", "first\n last \n", "last"),
        ("", "first\n  An Error: no \nanother error\nlast", "An Error: no"),
    ],
    ids=["nothing", "blanks", "output", "last of it", "complaint", "error"],
)
def test_why_a_program_gave_up_is_one_line(output: str, complaint: str, words: str) -> None:
    assert CompletedProgram(2, output, complaint).last_words() == words


@pytest.mark.parametrize("status", [0, 1])
def test_a_document_is_read_where_the_program_came_to_its_end(status: int) -> None:
    assert CompletedProgram(status, '{"a": [1]}', "complains").read("ty", lambda d: d["a"]) == [1]


@pytest.mark.parametrize("status", [-9, -1, 2, 3])
def test_a_document_is_not_read_where_it_did_not(status: int) -> None:
    with pytest.raises(CouldNotCheckError, match=r"^ty could not run: killed$"):
        CompletedProgram(status, "[]", "killed").read("ty", lambda d: d)


def test_what_is_no_json_is_the_programs_last_words() -> None:
    with pytest.raises(CouldNotCheckError, match=r"^ty could not run: usage: ty$"):
        CompletedProgram(0, "usage: ty", "").read("ty", lambda d: d)


@pytest.mark.parametrize("text", ["{}", "null", "[]", '"text"'], ids=["{}", "null", "[]", "text"])
def test_another_document_is_not_taken_for_a_report(text: str) -> None:
    def reader(document: Any) -> Any:
        if document == []:
            return document[0]
        return document["a"] if document is None or document == {} else document.items()

    with pytest.raises(CouldNotCheckError) as raised:
        CompletedProgram(0, text, "").read("ty", reader)
    assert str(raised.value) == (
        "ty could not run: it put out another document than a report of ty"
    )


def test_what_else_goes_wrong_in_a_reader_is_not_hidden() -> None:
    def reader(document: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        CompletedProgram(0, "[]", "").read("ty", reader)


# Where a program is.


def test_a_program_is_looked_for_beside_the_interpreter_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    monkeypatch.setattr(process, "this_environment", lambda: here)
    monkeypatch.setenv("PATH", os.pathsep.join(["relative", "", f"{tmp_path}/path"]))
    found = []
    for name in reversed(names):
        program = tmp_path / name / "ty"
        program.touch(mode=0o755)
        found.append(subprocesses.find_program("ty"))
    del found[0]  # what a relative entry of PATH names may be anybody's
    assert subprocesses.find_program("ty") == found[-1]
    assert found == [f"{tmp_path}/{name}/ty" for name in reversed(names[:-1])]
    assert subprocesses.find_program("no-such-checker") is None


def test_a_program_that_a_relative_entry_of_path_names_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a-checker").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "here")
    assert subprocesses.find_program("a-checker") is None
    monkeypatch.setenv("PATH", f"here{os.pathsep}{tmp_path / 'there'}")
    assert subprocesses.find_program("a-checker") == str(tmp_path / "there/a-checker")


def test_without_path_the_systems_own_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-checker").touch(mode=0o755)
    monkeypatch.delenv("PATH")
    monkeypatch.setattr(os, "defpath", str(tmp_path))
    assert subprocesses.find_program("a-checker") == str(tmp_path / "a-checker")


# A run.

SEEN = """\
import json, os, sys
json.dump({"cwd": os.getcwd(), "text": sys.stdin.read(), "variables": dict(os.environ)}, sys.stdout)
sys.stderr.write("complains")
sys.exit(3)
"""


def test_a_run_has_a_directory_and_variables_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = ("MYPYPATH", "MYPY_CACHE_DIR", "PYREFLY_CONFIG", "TY_CONFIG_FILE", "ZUBAN_X")
    for name in theirs:
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("MINE", "kept")
    monkeypatch.setenv("CHANGED", "old")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    variables = {"CHANGED": "new", "TY_OURS": "ours"}
    ended = subprocesses.run("ty", python(SEEN), directory=tmp_path, environment=variables)
    assert (ended.status, ended.complaint) == (3, "complains")
    seen = json.loads(ended.output)
    assert seen["cwd"] == str(tmp_path)
    assert seen["text"] == ""
    for name in theirs:
        assert name not in seen["variables"]
    assert {name: seen["variables"][name] for name in ("MINE", *variables)} == {
        "MINE": "kept",
        **variables,
    }
    assert "PYTHONPATH" not in seen["variables"]


def test_a_path_for_modules_is_handed_on_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["here", "", "/there"]))
    assert subprocesses.python_path() == [str(tmp_path / "here"), "/there"]
    ended = subprocesses.run("ty", python(SEEN), directory=tmp_path / "elsewhere")
    due = os.pathsep.join([str(tmp_path / "here"), "/there"])
    assert json.loads(ended.output)["variables"]["PYTHONPATH"] == due
    monkeypatch.delenv("PYTHONPATH")
    assert subprocesses.python_path() == []


def test_what_a_program_says_need_not_be_text(tmp_path: Path) -> None:
    text = "import sys\nsys.stdout.buffer.write('Größe'.encode() + bytes([255]))"
    ended = subprocesses.run("ty", python(text))
    assert ended.output.encode("utf-8", "surrogateescape") == "Größe".encode() + b"\xff"


def test_a_program_is_given_its_input() -> None:
    started = subprocesses.start(python("import sys; sys.stdout.write(sys.stdin.read() * 2)"))
    assert subprocesses.finish("mypy", started, "a\0b") == CompletedProgram(0, "a\0ba\0b", "")


def test_a_program_is_the_first_of_its_session() -> None:
    text = "import os; print(os.getsid(0) == os.getpid())"
    assert subprocesses.run("ty", python(text)).output == "True\n"


def test_a_program_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheckError) as raised:
        subprocesses.run("ty", [str(tmp_path / "ty"), "check"])
    assert str(raised.value) == (f"ty could not run: {tmp_path / 'ty'}: No such file or directory")


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = "import threading; threading.Event().wait()"
    started = subprocesses.start(python(hangs))
    monkeypatch.setattr(process, "TIME_LIMIT", 0.01)
    with pytest.raises(CouldNotCheckError, match=r"^ty did not end within 0\.01 seconds$"):
        subprocesses.finish("ty", started)
    assert started.returncode == -signal.SIGKILL
    assert_let_go(started)


def assert_let_go(started: subprocess.Popen[str]) -> None:
    for pipe in (started.stdin, started.stdout, started.stderr):
        assert pipe is not None
        assert pipe.closed


def test_a_program_that_nobody_needs_any_longer_is_ended() -> None:
    started = subprocesses.start(python("import sys; sys.stdin.read()"))
    subprocesses.end(started)
    assert started.returncode == -signal.SIGKILL
    assert_let_go(started)
    subprocesses.end(started)  # once more does no harm


def test_a_program_that_has_ended_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("whose number is it by now?"))
    started = subprocesses.start(python("import sys; sys.exit(5)"))
    assert started.wait(60) == 5
    subprocesses.end(started)
    assert started.returncode == 5
    assert_let_go(started)


def test_where_there_are_no_groups_the_program_alone_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "killpg")
    started = subprocesses.start(python("import sys; sys.stdin.read()"))
    subprocesses.end(started)
    assert started.returncode == -signal.SIGKILL
    assert_let_go(started)


def test_how_to_install_what_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "sys", SimpleNamespace(executable="/a/python"))
    assert str(subprocesses.not_installed("ty", "ty>=1")) == (
        "ty is not installed; install it with: /a/python -m pip install 'ty>=1'"
    )
