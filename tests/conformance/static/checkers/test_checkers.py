"""Checkers through the command: one that cannot be trusted is exit 2 and a one-line error.

Shell scripts stand for the checkers, so that each can fail in every way. The session `checkers` of
nox runs the real ones.
"""

from __future__ import annotations

import importlib.util
import os
import select
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conformance.static.checkers.support import PROGRAMS
from conformance.static.support import FakeChecker

from backend_contract._conformance.cli import main as command
from backend_contract._conformance.static.checkers import CHECKERS, subprocesses

NOTHING_FOUND = {
    "pyright": '{"generalDiagnostics": []}',
    "pyrefly": '{"errors": []}',
    "ty": "[]",
    "zuban": "",
}
"""The output of each without errors; with a wrong preset, for example."""

every_program = pytest.mark.parametrize("name", PROGRAMS)
FakeProgram = Callable[..., None]


@pytest.fixture
def target(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(
        "from backend_contract import LocalBackend\n\n"
        'class Mine(LocalBackend): backend_type = "MINE"\n'
    )
    return f"{tmp_path}/mine.py:Mine"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProgram:
    """Write a shell script that is found as the program of a checker."""

    def write(name: str, script: str, version: str | None = None) -> None:
        program = tmp_path / name
        printed = shlex.quote(f"{name} 1.2.3" if version is None else version)
        program.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && {{ echo {printed}; exit 0; }}\n{script}\n'
        )
        program.chmod(0o755)
        monkeypatch.setattr(subprocesses, "find_program", lambda _: str(program))

    return write


@pytest.fixture
def fake_mypy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checker that finds every class without fault, in place of mypy."""
    monkeypatch.setitem(CHECKERS, "mypy", FakeChecker(name="mypy"))


def error_of(name: str, target: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one-line error of the command, which must exit with 2."""
    assert command.main(["check", "--no-cache", "--checker", name, target]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    return shown.err


@every_program
def test_silent(
    name: str, target: str, fake: FakeProgram, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checker that reports nothing is not trusted."""
    fake(name, f"printf %s {shlex.quote(NOTHING_FOUND[name])}")
    error = error_of(name, target, capsys)
    assert f"{name} 1.2.3 failed a built-in self-test" in error


@pytest.mark.parametrize("status", [2, 3, 101, -11])
@every_program
def test_crash(
    name: str, status: int, target: str, fake: FakeProgram, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checker that crashes is an error that quotes its output, whatever else it printed."""
    leave = f"kill {status} $$" if status < 0 else f"exit {status}"
    output = shlex.quote(NOTHING_FOUND[name])
    fake(name, f"printf %s {output}; printf 'first\\nfatal error: no\\nlast\\n' >&2; {leave}")
    assert f"{name} could not run: fatal error: no" in error_of(name, target, capsys)


@every_program
def test_hang(
    name: str,
    target: str,
    fake: FakeProgram,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A checker that hangs is killed together with its children."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    fake(name, f"cat {shlex.quote(str(pipe))}; true")
    writers: list[int] = []

    class Impatient(subprocess.Popen[str]):
        def communicate(self, *arguments: Any, **options: Any) -> Any:
            if "--version" not in self.args:  # type: ignore[operator]  # a list, in this package
                writers.append(os.open(pipe, os.O_WRONLY))  # returns once the child reads
                options["timeout"] = 0.01
            return super().communicate(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", Impatient)
    assert f"{name} did not end within " in error_of(name, target, capsys)
    no_reader = select.poll()
    no_reader.register(writers[0], select.POLLERR)
    assert no_reader.poll(60_000)
    os.close(writers[0])


@pytest.mark.parametrize(
    "version", ["", "9", "unknown", "another 1.2.3", "Traceback", "1.2.3", "{name} one"]
)
@every_program
def test_bad_version(
    name: str, version: str, target: str, fake: FakeProgram, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checker that prints another version than its own is not trusted."""
    fake(name, "exit 0", version.format(name=name))
    assert f"--version: expected '{name}' and a version" in error_of(name, target, capsys)


@pytest.mark.parametrize("output", ["", "{}", "[]", "[1]", '{"errors": [{}]}', "{", "null", "text"])
@every_program
def test_unexpected_output(
    name: str, output: str, target: str, fake: FakeProgram, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checker with output of another kind makes no target pass."""
    fake(name, f"echo {shlex.quote(output)}")
    error = error_of(name, target, capsys)
    assert f"{name} could not run: " in error or "failed a built-in self-test" in error


@every_program
def test_not_startable(
    name: str,
    target: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A checker that cannot be started is named with the reason."""
    program = tmp_path / name
    program.write_text("#!/nowhere/python\n")
    program.chmod(0o755)
    monkeypatch.setattr(subprocesses, "find_program", lambda _: str(program))
    error = error_of(name, target, capsys)
    assert f"{name} could not run: {program}: No such file or directory" in error


@every_program
def test_not_installed(
    name: str, target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checker that is not installed is an error that says how to install it."""
    monkeypatch.setattr(subprocesses, "find_program", lambda _: None)
    requirement = "pyright[nodejs]" if name == "pyright" else name
    error = error_of(name, target, capsys)
    assert error.startswith(f"backend-contract: error: {name} is not installed")
    assert f"-m pip install '{requirement}'" in error


@pytest.mark.parametrize("content", ["", "__version__ = 'x'", '__version__ = ""', "\x00"])
def test_mypy_without_version(
    content: str,
    target: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A mypy without a version is not trusted."""
    package = tmp_path / "fake/mypy"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "version.py").write_text(content)
    found = importlib.util.spec_from_file_location(
        "mypy", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)
    assert "version.py has no version; install mypy again" in error_of("mypy", target, capsys)


@pytest.mark.usefixtures("fake_mypy")
def test_all(
    target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`all` means every installed checker."""
    monkeypatch.setattr(subprocesses, "find_program", lambda _: None)
    assert command.main(["check", "--no-cache", "--checker", "all", target]) == 0
    assert "10 ok (layer S, by mypy 7.1)" in capsys.readouterr().out


@pytest.mark.usefixtures("fake_mypy")
@pytest.mark.parametrize(
    "names",
    [
        ["--checker", "ty,mypy"],
        ["--checker", "mypy,ty"],
        ["--checker", "mypy", "--checker", "ty"],
    ],
)
def test_one_fails(
    names: list[str], target: str, fake: FakeProgram, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checker that fails does not hide the results of another, however both are named."""
    fake("ty", "echo '[]'")
    assert command.main(["check", "--no-cache", *names, target]) == 2
    shown = capsys.readouterr()
    assert "10 ok (layer S, by mypy 7.1)" in shown.out
    assert "ty 1.2.3 failed a built-in self-test" in shown.err


def test_user_variables(
    target: str,
    fake: FakeProgram,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Variables of the user that configure checkers do not reach one."""
    for variable in ("TY_CONFIG_FILE", "PYREFLY_CONFIG", "MYPYPATH", "MYPY_CACHE_DIR", "ZUBAN_X"):
        monkeypatch.setenv(variable, "theirs")
    monkeypatch.setenv("MINE", "kept")
    seen = tmp_path / "seen"
    fake("ty", f"env > {shlex.quote(str(seen))}; echo '[]'")
    error_of("ty", target, capsys)
    assert "MINE=kept" in seen.read_text()
    assert "theirs" not in seen.read_text()


def test_registry() -> None:
    """Every checker has its name, and mypy is the default one."""
    assert [*CHECKERS] == ["mypy", *PROGRAMS]
    assert [checker.name for checker in CHECKERS.values()] == [*CHECKERS]
