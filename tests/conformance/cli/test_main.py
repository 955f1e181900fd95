"""The command, run as a user runs it: in a process of its own."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backend_contract._conformance.cli import main as command_module
from backend_contract._conformance.source.targets import Target, find_targets
from backend_contract.clauses import CLAUSES
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from conftest import Command

GOOD = """\
from backend_contract import LocalBackend

class Good(LocalBackend): ...
"""
BAD = """\
from backend_contract import LocalBackend

class Bad(LocalBackend):
    def start(self) -> int: ...

class Open(LocalBackend):
    def stop(self): ...
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text(BAD)
    (tmp_path / "broken.py").write_text("def (:\n")
    return tmp_path


def test_nothing_violated_is_exit_0_and_one_line_a_clause(files: Path, command: Command) -> None:
    run = command("check", "good.py:Good")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("good.py:Good\n  BC101  ok         `backend_type` is a `str`")
    assert re.search(r"^8 ok \(layer S, by mypy \d+\.\d+.*\)$", run.stdout, re.MULTILINE)


def test_something_violated_is_exit_1_and_says_all_there_is_to_say(
    files: Path, command: Command
) -> None:
    run = command("check", "bad.py:Bad")
    assert (run.returncode, run.stderr) == (1, "")
    block = run.stdout.partition("BC309")[2].partition("BC401")[0]
    assert "violated   `start` and `stop` can be called without arguments" in block
    for label, text in [
        ("at", "bad.py:4"),
        ("found", "def start(self) -> int"),
        ("because", "mypy: "),
        ("expected", "def start(self) -> None, def stop(self) -> None"),
        ("fix", "Define both as plain methods"),
    ]:
        assert re.search(rf"^ {{20}}{label} +{re.escape(text)}", block, re.MULTILINE)
    assert "7 ok, 1 violated (layer S, by mypy" in run.stdout


def test_unchecked_is_exit_0_and_strict_makes_it_1(files: Path, command: Command) -> None:
    run = command("check", "bad.py:Open")
    assert run.returncode == 0
    assert "7 ok, 1 unchecked" in run.stdout
    assert "`stop` has no return annotation" in run.stdout
    assert command("check", "--strict", "bad.py:Open").returncode == 1
    assert command("check", "--strict", "good.py:Good").returncode == 0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere.py:X", "No such file or directory"),
        ("nowhere:X", "no Python source of a module 'nowhere'"),
        ("good.py:Goood", "did you mean 'Good'?"),
        ("broken.py:X", "broken.py:1: "),
        (":Good", "expected package.module:Class, path/to/file.py:Class, a directory or a package"),
    ],
)
def test_bad_input_is_exit_2_and_one_line_on_stderr(
    files: Path, command: Command, target: str, message: str
) -> None:
    run = command("check", target)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("backend-contract: error: ")
    assert message in run.stderr
    assert run.stderr.count("\n") == 1


def test_one_bad_target_does_not_hide_the_others_and_2_wins_over_1(
    files: Path, command: Command
) -> None:
    run = command("check", "good.py:Good", "broken.py:X", "bad.py:Bad", "nowhere:X")
    assert run.returncode == 2
    assert re.findall(r"^\S+:\w+$", run.stdout, re.MULTILINE) == ["good.py:Good", "bad.py:Bad"]
    assert "8 ok" in run.stdout
    assert "1 violated" in run.stdout
    assert run.stderr.count("backend-contract: error: ") == run.stderr.count("\n") == 2


def test_the_same_target_twice_is_reported_twice(files: Path, command: Command) -> None:
    run = command("check", "good.py:Good", "good.py:Good")
    assert run.stdout.count("8 ok") == 2


def test_a_target_is_never_executed(files: Path, command: Command) -> None:
    (files / "mine.py").write_text(
        "import pathlib\npathlib.Path('executed').touch()\nraise RuntimeError\n" + GOOD
    )
    for target in ("mine.py:Good", "mine:Good"):
        assert command("check", target).returncode == 0
    assert not (files / "executed").exists()


@pytest.mark.parametrize("by", ["module", "script"])
def test_nothing_beside_a_target_is_executed_whatever_its_name(files: Path, by: str) -> None:
    for name in ("platform", "platformdirs", "mypy", "json", "difflib", "tempfile", "tomllib"):
        (files / f"{name}.py").write_text("open('executed', 'w').close()\n")
    script = Path(sys.executable).parent / "backend-contract"
    start = [sys.executable, "-m", "backend_contract"] if by == "module" else [str(script)]
    run = subprocess.run(
        [*start, "check", "--no-cache", "good.py:Good"], cwd=files, capture_output=True, check=False
    )
    assert run.returncode in (0, 2)  # mypy refuses files that shadow the standard library
    assert not (files / "executed").exists()


def test_a_module_below_the_current_directory_is_found(files: Path, command: Command) -> None:
    (files / "package").mkdir()
    (files / "package/__init__.py").write_text("from .inner import Good as Renamed\n")
    (files / "package/inner.py").write_text(GOOD)
    run = command("check", "package.inner:Good", "package:Renamed", "package/inner.py:Good")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.count("8 ok") == 3


def test_an_installed_package_without_py_typed_is_read(
    files: Path, command: Command, tmp_path: Path
) -> None:
    installed = tmp_path / "installed"
    (installed / "untyped").mkdir(parents=True)
    (installed / "untyped/__init__.py").write_text(GOOD + BAD)
    (files / "mine.py").write_text("import untyped\nclass Mine(untyped.Bad): ...\n")
    targets = ["untyped:Good", "untyped:Bad", f"{files}/mine.py:Mine"]
    run = command("check", *targets, cwd=Path("/"), PYTHONPATH=str(installed))
    assert (run.returncode, run.stderr) == (1, "")
    assert "8 ok" in run.stdout
    assert run.stdout.count("7 ok, 1 violated") == 2


def test_concise_is_a_line_a_finding(files: Path, command: Command) -> None:
    run = command(
        "check", "--output-format", "concise", "bad.py:Bad", "bad.py:Open", "good.py:Good"
    )
    assert run.returncode == 1
    violated, unchecked = run.stdout.splitlines()
    assert violated.startswith("bad.py:4: BC309 violated: `start` and `stop` can be called")
    assert "; found: def start(self) -> int; expected: def start(self) -> None" in violated
    assert unchecked == "bad.py:7: BC309 unchecked: `stop` has no return annotation"


def test_a_file_outside_the_current_directory_is_named_in_full(
    files: Path, command: Command, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    run = command(
        "check", "--output-format", "concise", str(files / "bad.py") + ":Bad", cwd=elsewhere
    )
    assert run.stdout.startswith(f"{files}/bad.py:4: BC309")


@pytest.mark.parametrize(
    ("arguments", "variables", "colored"),
    [
        ([], {}, False),
        (["--color", "never"], {}, False),
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "auto"], {}, False),
    ],
)
def test_colour_in_a_pipe_is_there_when_asked_for(
    files: Path, command: Command, arguments: list[str], variables: dict[str, str], colored: bool
) -> None:
    run = command("check", *arguments, "bad.py:Bad", **variables)
    assert ("\x1b[1;31mviolated" in run.stdout) is colored
    assert ("\x1b" in run.stdout) is colored


@pytest.mark.parametrize(
    ("variables", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)]
)
def test_a_terminal_is_coloured_unless_the_user_does_not_want_it(
    files: Path, cache_home: Path, variables: dict[str, str], colored: bool
) -> None:
    import pty

    pid, terminal = pty.fork()
    if pid == 0:  # the child, which becomes the command
        for name in ("NO_COLOR", "COLUMNS"):  # nor does the terminal know its width
            os.environ.pop(name, None)
        os.environ.update(variables, XDG_CACHE_HOME=str(cache_home))
        os.chdir(files)
        os.execv(  # noqa: S606 - what a terminal does
            sys.executable, [sys.executable, "-m", "backend_contract", "check", "good.py:Good"]
        )
    shown = b""
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # what Linux says when the child has ended
            break
        if not read:
            break
        shown += read
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (b"\x1b[32mok" in shown) is colored
    assert b"8 ok (layer S" in shown


def test_no_line_in_a_pipe_is_wider_than_100_columns_or_ends_in_blanks(
    files: Path, command: Command
) -> None:
    run = command("check", "bad.py:Bad", "bad.py:Open")
    assert all(len(line) <= 100 and line == line.rstrip() for line in run.stdout.splitlines())


def test_a_missing_mypy_is_exit_2_and_names_the_extra(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "mypy" else real(name)
    )
    assert command_module.main(["check", f"{files}/good.py:Good"]) == 2
    assert capsys.readouterr().err == (
        "backend-contract: error: mypy is not installed; install it with: "
        f"{sys.executable} -m pip install 'backend-contract[check]'\n"
    )


def test_a_missing_platformdirs_is_exit_2_and_names_the_extra_and_no_cache_does_without(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert command_module.main(["check", f"{files}/good.py:Good"]) == 2
    assert "platformdirs is not installed; install it with: " in capsys.readouterr().err
    assert command_module.main(["check", "--no-cache", f"{files}/good.py:Good"]) == 0


def test_a_mypy_that_crashes_is_exit_2(files: Path, command: Command, tmp_path: Path) -> None:
    fake = tmp_path / "fake"
    (fake / "mypy").mkdir(parents=True)
    (fake / "mypy/__init__.py").touch()
    (fake / "mypy/version.py").write_text('__version__ = "9.9"\n')
    (fake / "mypy/main.py").write_text("raise SystemExit('INTERNAL ERROR')\n")
    run = command("check", "good.py:Good", PYTHONPATH=str(fake))
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("backend-contract: error: ")
    assert "mypy could not run: INTERNAL ERROR" in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_mypy_that_hangs_is_exit_2(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from backend_contract._conformance.static.checkers import subprocesses as process

    monkeypatch.setattr(process, "TIME_LIMIT", 0.001)
    assert command_module.main(["check", "--no-cache", f"{files}/good.py:Good"]) == 2
    assert "did not end within 0.001 seconds" in capsys.readouterr().err


def snapshot(directory: Path) -> set[Path]:
    return set(directory.rglob("*"))


def test_nothing_is_written_but_the_cache(
    files: Path, command: Command, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache, temporary = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("temporary")
    before = snapshot(files)
    run = command("check", "bad.py:Bad", XDG_CACHE_HOME=str(cache), TMPDIR=str(temporary))
    assert run.returncode == 1
    assert snapshot(files) == before
    assert snapshot(temporary) == set()
    assert [path.name for path in cache.iterdir()] == ["backend-contract"]


def test_checks_that_run_at_the_same_time_share_a_cache(
    files: Path, command: Command, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("own")

    def check(_: int) -> str:
        run = command("check", "good.py:Good", XDG_CACHE_HOME=str(cache))
        return f"{run.returncode}{run.stderr}"

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(check, range(6))) == ["0"] * 6


def test_a_damaged_cache_costs_no_result(
    files: Path, command: Command, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("own")
    assert command("check", "good.py:Good", XDG_CACHE_HOME=str(cache)).returncode == 0
    databases = list(cache.rglob("*.db"))
    assert databases
    for database in databases:
        database.write_bytes(b"no database")
    run = command("check", "good.py:Good", XDG_CACHE_HOME=str(cache))
    assert (run.returncode, run.stderr) == (0, "")


def test_without_a_cache_nothing_is_left_at_all(
    files: Path, command: Command, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache, temporary = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("temporary")
    before = snapshot(files)
    run = command(
        "check", "--no-cache", "bad.py:Bad", XDG_CACHE_HOME=str(cache), TMPDIR=str(temporary)
    )
    assert run.returncode == 1
    assert snapshot(files) == before
    assert snapshot(cache) == snapshot(temporary) == set()


def test_a_cache_that_cannot_be_kept_is_exit_2_and_says_how_to_do_without(
    files: Path, command: Command
) -> None:
    (files / "no directory").touch()
    variables = {"XDG_CACHE_HOME": str(files / "no directory")}
    run = command("check", "good.py:Good", **variables)
    assert run.returncode == 2
    assert re.fullmatch(r".* no cache can be kept in .*; use --no-cache .*\n", run.stderr)
    assert command("check", "--no-cache", "good.py:Good", **variables).returncode == 0


def test_a_path_that_cannot_be_printed_is_shown_on_one_line(files: Path, command: Command) -> None:
    run = command("check", "a\nb\x1b.py:X")
    assert run.returncode == 2
    assert run.stderr == (
        f"backend-contract: error: {files}/a\\nb\\x1b.py: No such file or directory\n"
    )


def test_a_directory_that_is_gone_is_exit_2(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    run = subprocess.run(
        ["/bin/sh", "-c", f"mkdir {gone}; cd {gone}; rmdir {gone}; $BACKEND_CONTRACT check a.py:X"],
        env={
            **os.environ,
            "BACKEND_CONTRACT": str(Path(sys.executable).parent / "backend-contract"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("backend-contract: error: ")
    assert run.stderr.count("\n") == 1


def test_the_version_is_that_of_the_distribution(command: Command) -> None:
    run = command("--version")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"backend-contract {importlib.metadata.version('backend-contract')}\n"


def test_clauses_lists_the_whole_table(command: Command) -> None:
    run = command("clauses")
    assert (run.returncode, run.stderr) == (0, "")
    for clause in CLAUSES.values():
        assert f"{clause.id}  {clause.layers:3}  {clause.text}\n" in run.stdout


@pytest.mark.parametrize("clause", CLAUSES.values(), ids=CLAUSES)
def test_explain_prints_all_there_is_of_a_clause(
    clause: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(clause, type(CLAUSES["BC101"]))
    assert command_module.main(["explain", clause.id.lower()]) == 0
    shown = capsys.readouterr().out
    flat = " ".join(shown.split())
    for text in (clause.id, clause.text, clause.why, clause.fix, clause.expected):
        assert " ".join(text.split()) in flat
    for example in (clause.bad, clause.good):
        assert all(f"    {line}\n" in shown for line in example.splitlines() if line)


@pytest.mark.parametrize(("fails_from", "says"), [("999.0", True), ("0.1", False)])
def test_explain_says_of_a_new_clause_that_it_only_warns(
    fails_from: str,
    says: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(CLAUSES, "BC309", CLAUSES["BC309"]._replace(fails_from=fails_from))
    assert command_module.main(["explain", "BC309"]) == 0
    assert ("New:      only warns until version 999.0\n" in capsys.readouterr().out) is says


def test_explain_of_an_unknown_clause_is_exit_2(command: Command) -> None:
    run = command("explain", "BC999")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == (
        "backend-contract: error: no clause 'BC999'; `backend-contract clauses` lists them\n"
    )


@pytest.mark.parametrize("arguments", [[], ["check", "--checker", "x", "a:B"], ["x"]])
def test_a_wrong_use_of_the_command_is_exit_2(command: Command, arguments: list[str]) -> None:
    run = command(*arguments)
    assert run.returncode == 2
    assert run.stderr.startswith("usage: backend-contract")
    assert "Traceback" not in run.stderr


def test_a_reader_that_has_enough_does_not_make_a_traceback() -> None:
    run = subprocess.run(  # noqa: S602 - a pipe is the point
        f"{sys.executable} -m backend_contract clauses | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("BC101")
    assert run.stderr == ""


words = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from(":./'\"\n"), max_size=30
)


@given(words | words.map(lambda text: f"{text}.py:X") | words.map(lambda text: f"{text}:X"))
@settings(max_examples=500)
def test_any_text_is_a_target_or_one_line_that_says_why_not(text: str) -> None:
    assume(not Path(text).is_dir())  # which may be the whole disk, with many backends or none
    (found,) = find_targets([text])
    if isinstance(found, Target):  # then its names can stand in code as they are
        assert all(part.isidentifier() for part in f"{found.module}.{found.qualname}".split("."))
    else:
        assert isinstance(found, CouldNotCheckError)


@given(st.binary(max_size=60))
@settings(max_examples=300)
def test_any_content_of_a_file_is_a_class_or_one_line_that_says_why_not(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any_content.py"
    path.write_bytes(content)
    (found,) = find_targets([f"{path}:X"])
    assert isinstance(found, Target) or "\n" not in str(found)
