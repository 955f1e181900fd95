"""The adapters: what cannot be relied on is exit 2 and says so, whichever checker it is.

Programs of this test's own stand for the checkers, so that each can fail in every way there is.
tests/typing runs the real ones.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from backend_contract._conformance.cli import main as command
from backend_contract._conformance.static.checkers import CHECKERS, process

PROGRAMS = ["pyright", "pyrefly", "ty", "zuban"]
NOTHING_FOUND = {
    "pyright": '{"generalDiagnostics": []}',
    "pyrefly": '{"errors": []}',
    "ty": "[]",
    "zuban": "",
}
"""What each puts out where it reports nothing: after a wrong preset, for one."""

PROGRAM = """\
#!{python}
import os, sys, time
if "--version" in sys.argv:
    print({version!r})
    sys.exit(0)
{rest}
"""


@pytest.fixture
def target(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(
        "from backend_contract import LocalBackend\n\nclass Mine(LocalBackend): ...\n"
    )
    return f"{tmp_path}/mine.py:Mine"


class Fake:
    """A program that is found under a checker's name."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.monkeypatch = monkeypatch

    def __call__(self, name: str, rest: str, version: str | None = None) -> None:
        program = self.directory / name
        said = f"{name} 1.2.3" if version is None else version
        program.write_text(PROGRAM.format(python=sys.executable, version=said, rest=rest))
        program.chmod(0o755)
        self.monkeypatch.setattr(process, "find_program", lambda _: str(program))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(tmp_path, monkeypatch)


def failure(name: str, target: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that the command says, where it must end with 2."""
    assert command.main(["check", "--no-cache", "--checker", name, target]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    return shown.err


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_checker_that_reports_nothing_is_not_relied_on(
    name: str, target: str, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(name, f"print({NOTHING_FOUND[name]!r}, end='')")
    said = failure(name, target, capsys)
    assert f"{name} 1.2.3 cannot be relied on here: BC101 is ok in a backend of our own" in said


@pytest.mark.parametrize("status", [2, 3, 101, -11])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_checker_that_crashes_says_its_last_words(
    name: str, status: int, target: str, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    leave = f"os.kill(os.getpid(), {-status})" if status < 0 else f"sys.exit({status})"
    fake(
        name,
        f"print({NOTHING_FOUND[name]!r}, flush=True)\n"
        f"print('first', 'fatal error: no', 'last', sep=chr(10), file=sys.stderr, flush=True)\n"
        f"{leave}",
    )
    assert f"{name} could not run: fatal error: no" in failure(name, target, capsys)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_checker_that_hangs_is_ended_with_its_children(
    name: str,
    target: str,
    fake: Fake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = f"open({str(pipe)!r}).read()"
    fake(
        name,
        "import subprocess\n"
        f"subprocess.run([sys.executable, '-c', {reading!r}], stdin=subprocess.DEVNULL)",
    )
    finish = subprocesses.finish
    writers: list[int] = []

    def in_no_time(
        checker: str, started: subprocess.Popen[str], text: str = ""
    ) -> subprocesses.CompletedProgram:
        if "--version" not in started.args:  # type: ignore[operator] # a list, in this package
            writers.append(os.open(pipe, os.O_WRONLY))  # once the grandchild reads
            monkeypatch.setattr(process, "TIME_LIMIT", 0.01)
        return finish(checker, started, text)

    monkeypatch.setattr(process, "finish", in_no_time)
    assert f"{name} did not end within 0.01 seconds" in failure(name, target, capsys)
    nobody_reads = select.poll()
    nobody_reads.register(writers[0], select.POLLERR)
    assert nobody_reads.poll(60_000)
    os.close(writers[0])


@pytest.mark.parametrize(
    "version", ["", "9", "unknown", "another 1.2.3", "Traceback", "1.2.3", "{name} one"]
)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_version_that_is_none_is_not_believed(
    name: str, version: str, target: str, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(name, "sys.exit(0)", version.format(name=name))
    said = failure(name, target, capsys)
    assert f"this is no {name} that can be relied on" in said


@pytest.mark.parametrize("output", ["", "{}", "[]", "[1]", '{"errors": [{}]}', "{", "null", "text"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_an_output_of_another_kind_is_not_taken_for_green(
    name: str, output: str, target: str, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(name, f"print({output!r})")
    said = failure(name, target, capsys)
    assert f"{name} could not run: " in said or "cannot be relied on here" in said


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_cannot_be_started_is_named(
    name: str,
    target: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = tmp_path / name
    program.write_text("#!/nowhere/python\n")
    program.chmod(0o755)
    monkeypatch.setattr(process, "find_program", lambda _: str(program))
    said = failure(name, target, capsys)
    assert f"{name} could not run: {program}: No such file or directory" in said


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_checker_that_is_not_installed_is_exit_2_and_says_how_to_install_it(
    name: str,
    target: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(process, "find_program", lambda _: None)
    requirement = "pyright[nodejs]" if name == "pyright" else name
    assert failure(name, target, capsys) == (
        f"backend-contract: error: {name} is not installed; install it with: "
        f"{sys.executable} -m pip install '{requirement}'\n"
    )


@pytest.mark.parametrize("content", ["", "__version__ = 'x'", '__version__ = ""', "\x00"])
def test_a_mypy_without_a_version_is_not_believed(
    content: str,
    target: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "fake/mypy").mkdir(parents=True)
    (tmp_path / "fake/mypy/__init__.py").touch()
    (tmp_path / "fake/mypy/version.py").write_text(content)
    import importlib.util

    found = importlib.util.spec_from_file_location(
        "mypy",
        tmp_path / "fake/mypy/__init__.py",
        submodule_search_locations=[str(tmp_path / "fake/mypy")],
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)
    assert "this is no mypy that can be relied on" in failure("mypy", target, capsys)


def test_all_means_those_that_are_installed(
    target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process, "find_program", lambda _: None)
    assert command.main(["check", "--no-cache", "--checker", "all", target]) == 0
    assert "8 ok (layer S, by mypy " in capsys.readouterr().out


def test_one_checker_that_fails_does_not_hide_what_another_has_found(
    target: str, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    fake("ty", "print('[]')")
    assert command.main(["check", "--no-cache", "--checker", "ty,mypy", target]) == 2
    shown = capsys.readouterr()
    assert "8 ok (layer S, by mypy " in shown.out
    assert "ty 1.2.3 cannot be relied on here" in shown.err


def test_several_checkers_can_be_named_in_either_way(
    target: str, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    fake("ty", "sys.exit(7)")
    for names in (["--checker", "mypy,ty"], ["--checker", "mypy", "--checker", "ty"]):
        assert command.main(["check", "--no-cache", *names, target]) == 2
        assert "8 ok (layer S, by mypy " in capsys.readouterr().out


def test_no_setting_of_the_users_reaches_a_checker(
    target: str,
    fake: Fake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = tmp_path / "seen"
    for variable in ("TY_CONFIG_FILE", "PYREFLY_CONFIG", "MYPYPATH", "MYPY_CACHE_DIR", "ZUBAN_X"):
        monkeypatch.setenv(variable, "theirs")
    fake("ty", f"open({str(seen)!r}, 'w').write(repr(os.environ)); print('[]')")
    failure("ty", target, capsys)
    assert "theirs" not in seen.read_text()


def test_every_checker_has_a_test_here() -> None:
    assert [*CHECKERS] == ["mypy", *PROGRAMS]
