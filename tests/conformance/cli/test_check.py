"""``backend-contract check``: targets, exit statuses, output and the cache."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import WAIT, make_finding, mostly_exhaustive, run_python

from backend_contract._conformance.cli import check as check_module
from backend_contract._conformance.cli import sandbox
from backend_contract._conformance.formats import FORMATS
from backend_contract._conformance.results import Report, Verdict
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.checkers import CHECKERS, subprocesses
from backend_contract._conformance.static.checkers.base import CheckRequest, Diagnostic
from backend_contract.clauses import CLAUSES, Level
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from conftest import Command, Main, WarmCache

GOOD = 'from backend_contract import LocalBackend\n\nclass Good(LocalBackend): backend_type = "G"\n'

KIT = ("backend_contract._conformance.behavioural", "backend_contract._conformance.fixes")


# Exit statuses.


def test_ok(project: Path, command: Command) -> None:
    """Without a violation, the status is 0, and the report has one line per clause."""
    run = command("check", "mine.py:Good")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("mine.py:Good\n  BC101  ok         `backend_type` is a `str`")
    assert re.search(r"^10 ok \(layer S, by mypy \d+\.\d+.*\)$", run.stdout, re.MULTILINE)


def test_violated(run_main: Main) -> None:
    """With a violation, the status is 1, and the report says where, why and how to fix it."""
    shown = run_main("check", "mine.py:Bad")
    assert (shown.status, shown.err) == (1, "")
    block = shown.out.partition("BC309")[2].partition("BC401")[0]
    assert block.startswith("  violated   `start` and `stop` can be called without arguments")
    for label, text in [
        ("at", "mine.py:6"),
        ("found", "def start(self) -> int"),
        ("because", "mypy: "),
        ("expected", "def start(self) -> None, def stop(self) -> None"),
        ("fix", "Return nothing from `start`: `-> None`."),
    ]:
        assert re.search(rf"^ {{20}}{label} +{re.escape(text)}", block, re.MULTILINE)
    assert "9 ok, 1 violated (layer S, by mypy" in shown.out


def test_unchecked(run_main: Main) -> None:
    """An unchecked clause fails unless ``--lenient`` is given; the last line says that it is."""
    shown = run_main("check", "mine.py:Open")
    assert shown.status == 1
    assert "`stop` has no return annotation" in shown.out
    last = shown.out.splitlines()[-1]
    assert last.startswith("9 ok, 1 unchecked (layer S")
    assert "lenient" not in last
    lenient = run_main("check", "--lenient", "mine.py:Open")
    assert lenient.status == 0
    assert lenient.out.splitlines()[-1].startswith("9 ok, 1 unchecked (layer S")
    assert "lenient" in lenient.out.splitlines()[-1]
    assert run_main("check", "--lenient", "mine.py:Bad").status == 1


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere.py:X", "No such file or directory"),
        ("nowhere:X", "'nowhere'"),
        ("mine.py:Goood", "did you mean 'Good'?"),
        ("broken.py:X", "broken.py:1: "),
        (":Good", "expected package.module:Class"),
    ],
)
def test_bad_target(project: Path, run_main: Main, target: str, message: str) -> None:
    """A target that cannot be checked makes the status 2, and is one line on standard error."""
    (project / "broken.py").write_text("def (:\n")
    shown = run_main("check", target)
    assert (shown.status, shown.out) == (2, "")
    assert shown.err.startswith("backend-contract: error: ")
    assert message in shown.err
    assert shown.err.count("\n") == 1


def test_several_targets(run_main: Main) -> None:
    """A bad target does not hide the others; status 2 wins over 1."""
    shown = run_main("check", "mine.py:Good", "broken.py:X", "mine.py:Bad", "nowhere:X")
    assert shown.status == 2
    assert re.findall(r"^\S+:\w+$", shown.out, re.MULTILINE) == ["mine.py:Good", "mine.py:Bad"]
    assert "10 ok" in shown.out
    assert "1 violated" in shown.out
    assert shown.err.count("backend-contract: error: ") == shown.err.count("\n") == 2


def test_repeated_target(run_main: Main) -> None:
    """A target that is given twice is reported once."""
    assert (
        run_main("check", "mine.py:Good", "mine.py", "mine.py:Good").out.count("mine.py:Good") == 1
    )


@pytest.mark.parametrize(
    "option",
    [
        *(["--backend-config", "config.yaml"], ["--factory", "mine:make"]),
        *(["--time-limit", "5"], ["--exclusive"]),
    ],
    ids=lambda option: option[0],
)
def test_requires_run(run_main: Main, option: list[str]) -> None:
    """An option of ``--run`` without it is an error on one line."""
    shown = run_main("check", "mine.py:Good", *option)
    assert (shown.status, shown.out) == (2, "")
    assert shown.err == f"backend-contract: error: {option[0]} requires --run\n"


def test_kit_not_loaded() -> None:
    """Without ``--run``, a check does not load the kit: that takes half as long as the rest."""
    run = run_python(
        "import sys\n"
        "from backend_contract._conformance.cli.main import main\n"
        "main(['check', 'nowhere.py:X'])\n"
        "print(*sys.modules)"
    )
    loaded = run.stdout.split()
    assert "backend_contract._conformance.source.discovery" in loaded
    assert not [name for name in loaded if name.startswith(KIT)]


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan", "soon", ""])
def test_invalid_time_limit(run_main: Main, seconds: str) -> None:
    """The time limit is finite and above 0."""
    shown = run_main("check", "mine.py:Good", "--run", f"--time-limit={seconds}")
    expected = f"argument --time-limit: expected seconds above 0, got {seconds!r}"
    assert (shown.status, shown.err.splitlines()[1:]) == (
        2,
        [f"backend-contract check: error: {expected}"],
    )


@pytest.mark.parametrize("factory", ["mine", "mine:", ":make", "mine.py:make()", "a:b:c"])
def test_invalid_factory(run_main: Main, factory: str) -> None:
    """A factory is given as a module and a function."""
    shown = run_main("check", "mine.py:Good", "--run", "--factory", factory)
    expected = f"argument --factory: expected MODULE:FUNCTION, got {factory!r}"
    assert (shown.status, shown.err.splitlines()[1:]) == (
        2,
        [f"backend-contract check: error: {expected}"],
    )


def test_factory_of_several_targets(run_main: Main) -> None:
    """A factory makes backends of one class only."""
    shown = run_main("check", "mine.py:Good", "mine.py:Bad", "--run", "--factory", "mine:make")
    expected = "--factory requires exactly one target, got 2"
    assert (shown.status, shown.err) == (2, f"backend-contract: error: {expected}\n")


@pytest.mark.parametrize(
    ("fails", "options", "shown"),
    [
        (False, (), []),
        (False, ("-v",), ["  a", *["  b"] * 20]),
        (True, (), ["  b"] * 20),
        (True, ("--verbose",), ["  a", *["  b"] * 20]),
    ],
)
def test_printed(
    run_main: Main,
    monkeypatch: pytest.MonkeyPatch,
    fails: bool,
    options: tuple[str, ...],
    shown: list[str],
) -> None:
    """What a target prints is shown beside a failure, or on request."""

    def try_target(target: Target, *_: object) -> Report:
        verdict = Verdict.VIOLATED if fails else Verdict.OK
        finding = make_finding("BC303", verdict, layer="B")
        return Report(target=target.text, findings=(finding,), printed="a\n" + "b\n" * 20)

    monkeypatch.setattr(sandbox, "try_target", try_target)
    result = run_main("check", "mine.py:Good", "--run", "--output-format", "json", *options)
    assert result.status == int(fails)
    head, *lines = result.err.splitlines() or [""]
    assert lines == shown
    hint = " (1 earlier lines: --verbose)" if fails and not options else ""
    assert head == (f"mine.py:Good printed{hint}:" if shown else "")


@pytest.mark.exhaustive
@pytest.mark.parametrize("output_format", FORMATS)
def test_error_beside_findings(
    run_main: Main, monkeypatch: pytest.MonkeyPatch, output_format: str
) -> None:
    """Every format shows what was decided before a run could not go on; the status is 2."""

    def try_target(target: Target, *_: object) -> Report:
        finding = make_finding("BC303", Verdict.VIOLATED, layer="B", found="seen")
        return Report(target=target.text, findings=(finding,), error=f"{target.text}: no engine")

    monkeypatch.setattr(sandbox, "try_target", try_target)
    shown = run_main("check", "mine.py:Good", "--run", "--output-format", output_format)
    assert shown.status == 2
    assert "BC303" in shown.out
    assert shown.err == "backend-contract: error: mine.py:Good: no engine\n"
    assert ("no engine" in shown.out) is (output_format not in ("full", "concise"))


# Nothing of the targets is executed.


def test_target_not_executed(project: Path, command: Command) -> None:
    """A target is never imported without ``--run``, however it is named."""
    (project / "raising.py").write_text(
        GOOD + "import pathlib\npathlib.Path('executed').touch()\nraise RuntimeError\n"
    )
    assert command("check", "raising.py:Good", "raising:Good").returncode == 0
    assert not (project / "executed").exists()


@pytest.mark.parametrize("by", ["module", "script"])
def test_neighbours_not_executed(
    project: Path, by: str, cache_home: Path, warm_cache: WarmCache
) -> None:
    """Files beside a target are never imported, even if they shadow modules of the command."""
    for name in ("platform", "platformdirs", "mypy", "json", "difflib", "tempfile", "tomllib"):
        (project / f"{name}.py").write_text("open('executed', 'w').close()\n")
    script = Path(sys.executable).parent / "backend-contract"
    start = [sys.executable, "-m", "backend_contract"] if by == "module" else [str(script)]
    warm_cache([project])
    run = subprocess.run(
        [*start, "check", "mine.py:Good"],
        cwd=project,
        env={**os.environ, "XDG_CACHE_HOME": str(cache_home)},
        capture_output=True,
        check=False,
    )
    assert run.returncode in (0, 2)  # mypy rejects files that shadow the standard library
    assert not (project / "executed").exists()


# Ways to name a target.


@pytest.mark.exhaustive
def test_packages(project: Path, run_main: Main) -> None:
    """Modules below the current directory are found, by name and by path."""
    (project / "package").mkdir()
    (project / "package/__init__.py").write_text("from .inner import Good as Renamed\n")
    (project / "package/inner.py").write_text(GOOD)
    shown = run_main("check", "package.inner:Good", "package:Renamed", "package/inner.py:Good")
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.count("10 ok") == 3


@pytest.mark.exhaustive
def test_untyped_package(project: Path, command: Command) -> None:
    """An installed package without ``py.typed`` is read like any other."""
    installed = project / "installed"
    (installed / "untyped").mkdir(parents=True)
    (project / "mine.py").rename(installed / "untyped/__init__.py")
    (project / "mine.py").write_text(
        'import untyped\nclass Mine(untyped.Bad): backend_type = "MINE"\n'
    )
    targets = ["untyped:Good", "untyped:Bad", f"{project}/mine.py:Mine"]
    run = command("check", *targets, cwd=Path("/"), PYTHONPATH=str(installed))
    assert (run.returncode, run.stderr) == (1, "")
    assert "10 ok" in run.stdout
    assert run.stdout.count("9 ok, 1 violated") == 2


# Output.


def test_concise(run_main: Main) -> None:
    """``concise`` has one line per finding that is not ok, and a last one that sums up."""
    targets = ("mine.py:Bad", "mine.py:Open", "mine.py:Good")
    shown = run_main("check", "--output-format", "concise", *targets)
    assert shown.status == 1
    violated, unchecked, last = shown.out.splitlines()
    assert violated.startswith("mine.py:6: BC309 violated: `start` and `stop` can be called")
    assert "; found: def start(self) -> int; expected: def start(self) -> None" in violated
    assert unchecked.startswith("mine.py:9: BC309 unchecked: `stop` has no return annotation; ")
    assert unchecked.endswith("; Write `def stop(self) -> None`.")
    assert last.startswith("3 targets: 28 ok, 1 violated, 1 unchecked (layer S, by mypy")


def test_absolute_path(project: Path, run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file outside the current directory is shown with its absolute path."""
    (project / "elsewhere").mkdir()
    monkeypatch.chdir(project / "elsewhere")
    shown = run_main("check", "--output-format", "concise", f"{project}/mine.py:Bad")
    assert shown.out.startswith(f"{project}/mine.py:6: BC309")


def test_unprintable_target(run_main: Main, project: Path) -> None:
    """A path with control characters is shown escaped, on one line."""
    shown = run_main("check", "a\nb\x1b.py:X")
    assert shown.status == 2
    assert f"{project}/a\\nb\\x1b.py" in shown.err
    assert shown.err.count("\n") == 1


def on_terminal(*arguments: str, cwd: Path, variables: dict[str, str]) -> tuple[int, bytes]:
    """Run the command on a terminal of unknown width; return its status and all it showed."""
    import pty

    pid, terminal = pty.fork()
    if pid == 0:  # the child, which becomes the command
        for name in ("NO_COLOR", "COLUMNS"):
            os.environ.pop(name, None)
        os.environ.update(variables)
        os.chdir(cwd)
        start = [sys.executable, "-m", "backend_contract", *arguments]
        os.execv(sys.executable, start)  # noqa: S606 - as a terminal does
    shown = b""
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # how Linux reports the end of the child
            break
        if not read:
            break
        shown += read
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("variables", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)]
)
def test_terminal_color(
    project: Path,
    cache_home: Path,
    warm_cache: WarmCache,
    variables: dict[str, str],
    colored: bool,
) -> None:
    """A terminal is coloured unless ``NO_COLOR`` has a value, and shows the progress."""
    warm_cache([project])
    variables = {"TERM": "xterm", **variables, "XDG_CACHE_HOME": str(cache_home)}
    status, shown = on_terminal("check", "mine.py:Good", cwd=project, variables=variables)
    assert status == 0
    assert (b"\x1b[32mok" in shown) is colored
    assert b"10 ok (layer S" in shown
    assert b"mypy: checking 1 target (0 s)" in shown


@pytest.mark.exhaustive
def test_dumb_terminal(project: Path, cache_home: Path, warm_cache: WarmCache) -> None:
    """A terminal that understands no escape sequences gets none."""
    warm_cache([project])
    variables = {"TERM": "dumb", "XDG_CACHE_HOME": str(cache_home)}
    status, shown = on_terminal("check", "mine.py:Good", cwd=project, variables=variables)
    assert status == 0
    assert b"10 ok (layer S" in shown
    assert b"\x1b" not in shown


@pytest.mark.parametrize("encoding", mostly_exhaustive([("utf-16",), ("latin-1",), ("ascii",)], 1))
def test_encoding_of_children(
    project: Path,
    encoding: str,
    run_main: Main,
    warm_cache: WarmCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The user's encoding is that of the report, not that in which programs are talked to."""
    (project / "ä").mkdir()
    (project / "mine.py").rename(project / "ä/mine.py")
    warm_cache([project / "ä"])
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    shown = run_main("check", "--python", sys.executable, "ä/mine.py:Good", "ä/mine.py:Bad")
    assert (shown.status, shown.err) == (1, "")
    assert "\n10 ok (layer S" in shown.out
    assert "\n9 ok, 1 violated (layer S" in shown.out


def test_should(run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clause of level SHOULD that does not hold fails only with ``--error-on-warning``."""
    monkeypatch.setitem(CLAUSES, "BC309", replace(CLAUSES["BC309"], level=Level.SHOULD))
    targets = ("mine.py:Bad", "mine.py:Open")
    shown = run_main("check", *targets)
    assert shown.status == 0
    assert "BC309  warning" in shown.out
    assert "9 ok, 1 violated, 1 of them a warning" in shown.out
    for target in targets:
        assert run_main("check", "--error-on-warning", target).status == 1


def test_several_checkers(run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checker that cannot be used does not hide the results of another one."""
    monkeypatch.setattr(subprocesses, "find_program", lambda _: None)
    shown = run_main("check", "--checker=ty,mypy", "mine.py:Bad")
    assert shown.status == 2
    assert "ty is not installed" in shown.err
    assert "9 ok, 1 violated (layer S, by mypy" in shown.out


class Rival:
    """A checker that waits for others to be asked too, and reports nothing."""

    is_installed = True

    def __init__(self, name: str, everyone: threading.Barrier) -> None:
        self.name = name
        self._everyone = everyone

    def version(self) -> str:
        self._everyone.wait(WAIT)  # would break if the checkers ran one after the other
        raise CouldNotCheckError(f"{self.name} gives up")

    def check(self, request: CheckRequest) -> list[Diagnostic]:
        raise AssertionError(request)


def test_side_by_side(run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkers run at the same time; their results are shown in the order of the checkers."""
    everyone = threading.Barrier(3)
    for name in ("pyright", "ty", "zuban"):
        monkeypatch.setitem(CHECKERS, name, Rival(name, everyone))
    shown = run_main("check", "--checker", "zuban,pyright,ty", "mine.py:Good")
    assert shown.status == 2
    assert re.findall(r"(\w+) gives up", shown.err) == ["zuban", "pyright", "ty"]


# Missing and failing tools.


def test_mypy_missing(run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without mypy, the error names the extra to install."""
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "mypy" else real(name)
    )
    shown = run_main("check", "mine.py:Good")
    assert shown.status == 2
    assert "mypy is not installed" in shown.err
    assert f"{sys.executable} -m pip install 'backend-contract[check]'" in shown.err


def test_no_checker(run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--checker all`` without any checker is an error that names the extra."""
    monkeypatch.setattr(check_module, "CHECKERS", {})
    shown = run_main("check", "--checker", "all", "mine.py:Good")
    assert (shown.status, shown.out) == (2, "")
    assert "backend-contract[check]" in shown.err


def test_platformdirs_missing(run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without platformdirs, the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    shown = run_main("check", "mine.py:Good")
    assert shown.status == 2
    assert "platformdirs is not installed" in shown.err
    assert "backend-contract[check]" in shown.err


def test_mypy_crashes(project: Path, command: Command) -> None:
    """A crash of the checker is one line that contains its message."""
    fake = project / "fake/mypy"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    (fake / "version.py").write_text('__version__ = "9.9"\n')
    (fake / "main.py").write_text("raise SystemExit('INTERNAL ERROR')\n")
    run = command("check", "mine.py:Good", PYTHONPATH=str(fake.parent))
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("backend-contract: error: ")
    assert "INTERNAL ERROR" in run.stderr
    assert run.stderr.count("\n") == 1


def test_mypy_hangs(run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checker that does not end in time is an error."""
    monkeypatch.setattr(subprocesses, "CHECKER_TIMEOUT", 0.001)
    shown = run_main("check", "--no-cache", "mine.py:Good")
    assert shown.status == 2
    assert "did not end within 0.001 seconds" in shown.err


def test_no_current_directory(tmp_path: Path) -> None:
    """A deleted current directory is one line on standard error."""
    gone = tmp_path / "gone"
    script = Path(sys.executable).parent / "backend-contract"
    run = subprocess.run(
        ["/bin/sh", "-c", f"mkdir {gone}; cd {gone}; rmdir {gone}; {script} check a.py:X"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("backend-contract: error: ")
    assert run.stderr.count("\n") == 1


# The cache.


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables that name an empty directory for the cache, and one for temporary files."""
    cache, temporary = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("temporary")
    return {"XDG_CACHE_HOME": str(cache), "TMPDIR": str(temporary)}


def contents(directory: str | Path) -> list[str]:
    return sorted(str(path) for path in Path(directory).rglob("*"))


@pytest.mark.exhaustive
def test_nothing_written(
    project: Path, command: Command, own_cache: dict[str, str], warm_cache: WarmCache
) -> None:
    """A check leaves nothing behind but its cache."""
    warm_cache([project], Path(own_cache["XDG_CACHE_HOME"]))
    before = contents(project)
    assert command("check", "mine.py:Bad", **own_cache).returncode == 1
    assert contents(project) == before
    assert contents(own_cache["TMPDIR"]) == []
    assert os.listdir(own_cache["XDG_CACHE_HOME"]) == ["backend-contract"]


@pytest.mark.exhaustive
def test_no_cache(
    project: Path,
    command: Command,
    own_cache: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """``--no-cache`` leaves nothing behind, and works without platformdirs."""
    missing = tmp_path_factory.mktemp("missing")
    (missing / "platformdirs.py").write_text("raise ModuleNotFoundError\n")
    before = contents(project)
    run = command("check", "--no-cache", "mine.py:Bad", PYTHONPATH=str(missing), **own_cache)
    assert (run.returncode, run.stderr) == (1, "")
    assert contents(project) == before
    assert contents(own_cache["TMPDIR"]) == contents(own_cache["XDG_CACHE_HOME"]) == []


@pytest.mark.exhaustive
def test_shared_cache(project: Path, command: Command) -> None:
    """Checks that run at the same time may use the same cache."""

    def check(_: int) -> tuple[int, str]:
        run = command("check", "mine.py:Good")
        return run.returncode, run.stderr

    check(0)  # fixtures are not for threads
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(check, range(4))) == [(0, "")] * 4


@pytest.mark.exhaustive
def test_damaged_cache(
    project: Path, command: Command, own_cache: dict[str, str], warm_cache: WarmCache
) -> None:
    """A damaged cache does not change the result."""
    home = Path(own_cache["XDG_CACHE_HOME"])
    warm_cache([project], home)
    databases = list(home.rglob("*.db"))
    assert databases
    for database in databases:
        database.write_bytes(b"no database")
    run = command("check", "mine.py:Good", **own_cache)
    assert (run.returncode, run.stderr) == (0, "")


def test_unusable_cache(project: Path, command: Command) -> None:
    """A cache that cannot be created is an error that names ``--no-cache``."""
    (project / "file").touch()
    run = command("check", "mine.py:Good", XDG_CACHE_HOME=str(project / "file"))
    assert run.returncode == 2
    assert "cannot create the cache" in run.stderr
    assert "--no-cache" in run.stderr
    assert run.stderr.count("\n") == 1
