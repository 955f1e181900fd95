"""The corpus in the projects of users, who install the package and run the checkers.

Needs the package index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import matrix
import pytest

from backend_contract._conformance.static.checkers import CHECKERS

ROOT = Path(__file__).parents[2]
COMMANDS: dict[str, tuple[list[str], str]] = {
    "mypy": (["mypy", "--strict", "."], r"(.+?):(\d+): error: "),
    "pyright": (["pyright"], r" +(.+?):(\d+):\d+ - error: "),
    "pyrefly": (["pyrefly", "check", "--output-format", "min-text"], r"ERROR (.+?):(\d+):"),
    "ty": (["ty", "check", "--output-format", "concise"], r"(.+?):(\d+):\d+: error\["),
    "zuban": (["zuban", "check", "--strict"], r"(.+?):(\d+): error: "),
}
"""How a user runs each checker, and the lines of its output that are errors."""


# Without a table of its own, pyrefly reports next to nothing.
SETTINGS = "[tool.pyrefly]\n"


class Environment:
    """A virtual environment with all checkers, of the versions that are installed here."""

    def __init__(self, directory: Path, *requirements: str) -> None:
        venv.create(directory, with_pip=True, symlinks=True)
        self._programs = directory / "bin"
        hidden = ("PYTHON", "MYPY", "VIRTUAL_ENV")
        kept = {name: v for name, v in os.environ.items() if not name.startswith(hidden)}
        activated = {"PATH": f"{self._programs}:{kept['PATH']}", "VIRTUAL_ENV": str(directory)}
        self._variables = kept | activated
        pinned = [f"{name}=={version(name)}" for name in CHECKERS]
        self.run(
            directory,
            "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            *requirements,
            *pinned,
        )

    def run(self, directory: Path, *command: str) -> str:
        """Run a command in *directory*, with the environment activated; return its output."""
        run = subprocess.run(
            [self._programs / command[0], *command[1:]],
            cwd=directory,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode in (0, 1), f"{run.stdout}\n{run.stderr}"
        return run.stdout

    def errors(self, checker: str, project: Path) -> frozenset[tuple[str, int]]:
        """Return file and line of every error that a checker reports in a project."""
        command, pattern = COMMANDS[checker]
        return frozenset(
            (os.path.relpath(project / found[1], project), int(found[2]))
            for line in self.run(project, *command).splitlines()
            if (found := re.match(pattern, line))
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The wheel that users get."""
    directory = tmp_path_factory.mktemp("wheel")
    command = ["-m", "pip", "wheel", "--quiet", "--no-deps", f"-w{directory}", str(ROOT)]
    subprocess.run([sys.executable, *command], check=True)
    (built,) = directory.glob("*.whl")
    return str(built)


@pytest.fixture(scope="module")
def bare(wheel: str, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with nothing but the wheel."""
    return Environment(tmp_path_factory.mktemp("bare"), wheel)


@pytest.fixture(scope="module")
def typed(wheel: str, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and its extra `types`."""
    return Environment(tmp_path_factory.mktemp("typed"), f"{wheel}[types]")


@pytest.fixture(scope="module")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with an editable install and its extra `types`."""
    return Environment(tmp_path_factory.mktemp("editable"), "-e", f"{ROOT}[types]")


def make_project(directory: Path, files: Mapping[str, str], settings: str = SETTINGS) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    (directory / "pyproject.toml").write_text(settings)
    return directory


def add_stubs(environment: Environment, project: Path) -> None:
    """Do as the command `stubs` says."""
    shown = environment.run(project, "backend-contract", "stubs")
    (project / "pyproject.toml").write_text(shown[shown.index("\n# ") :])


# ---- The corpus

CORPUS = {path.name: path.read_text(encoding="utf-8") for path in matrix.FILES}


def unmarked(environment: Environment, project: Path) -> dict[str, dict[str, list[object]]]:
    """Return where the errors of each checker differ from the marks in the corpus."""
    found = {name: matrix.unmarked(name, environment.errors(name, project)) for name in COMMANDS}
    return {name: differences for name, differences in found.items() if differences}


def test_stubs(bare: Environment, tmp_path: Path) -> None:
    """With nothing but the wheel and `stubs`, users get the marked errors and no others."""
    project = make_project(tmp_path, CORPUS)
    add_stubs(bare, project)
    assert unmarked(bare, project) == {}


@pytest.mark.parametrize("environment", ["typed", "editable"])
def test_types(environment: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """With the extra `types`, users get the marked errors and no others."""
    installed = request.getfixturevalue(environment)
    assert unmarked(installed, make_project(tmp_path, CORPUS)) == {}


# ---- Mistakes seen, by installed types

HEAD = """\
import aconfig
import fastapi
import grpc

from backend_contract import (
    Backend,
    BackendRegistry,
    LocalBackend,
    RuntimeServerContextType,
    conforms,
)
from common import Whole, WithoutHandleRuntimeContext, WithoutRegisterConfig


class TakesNumber(WithoutRegisterConfig):
    def register_config(self, config: int) -> None: ...


class HandlesNumber(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: str, runtime_context: int) -> None: ...


class HandlesHttp(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: str, runtime_context: fastapi.Request) -> None: ...


"""
MISTAKES = {
    "`config: int` in a structural class, assigned to `Backend`": """\
number: Backend = TakesNumber()  # E
""",
    "`config: int` in a subclass of `BackendBase`": """\
class TakesNumberLocally(LocalBackend):
    def register_config(self, config: int) -> None: ...  # E
""",
    "`config: int` under `@conforms`": """\
@conforms  # E
class ConformingNumber(WithoutRegisterConfig):  # E
    def register_config(self, config: int) -> None: ...
""",
    "a constructor with a second required parameter, under `@conforms`": """\
@conforms  # E
class NeedsTwo(Whole):  # E
    def __init__(self, config: aconfig.Config | None, workers: int) -> None: ...
""",
    '`registry.get("X")(7)`': """\
BackendRegistry().get("X")(7)  # E
""",
    "`runtime_context: int` in a structural class, assigned to `Backend`": """\
handles: Backend = HandlesNumber()  # E
""",
    "`runtime_context: int` in a subclass of `BackendBase`": """\
class HandlesNumberLocally(LocalBackend):
    def handle_runtime_context(self, model_id: str, runtime_context: int) -> None: ...  # E
""",
    "`runtime_context: int` under `@conforms`": """\
@conforms  # E
class ConformingHandler(WithoutHandleRuntimeContext):  # E
    def handle_runtime_context(self, model_id: str, runtime_context: int) -> None: ...
""",
    "`runtime_context: fastapi.Request`, half of the union": """\
half: Backend = HandlesHttp()  # E
""",
    "`number: int = runtime_context`": """\
def handle(runtime_context: RuntimeServerContextType) -> None:
    number: int = runtime_context  # E
""",
}
"""Mistakes, in the order of the table in the documentation."""


def mistakes() -> tuple[str, dict[str, set[int]]]:
    """Return a file with all mistakes, and the lines of each of which one must be reported."""
    text, lines = HEAD, {}
    for name, code in MISTAKES.items():
        start = text.count("\n") + 1
        marked = {n for n, line in enumerate(code.splitlines(), start) if line.endswith("# E")}
        lines[name] = marked
        text += code + "\n\n"
    return text, lines


def seen(environment: Environment, project: Path) -> list[str]:
    """Return for each mistake the checkers that report it."""
    errors = {name: environment.errors(name, project) for name in COMMANDS}
    cells = []
    for lines in mistakes()[1].values():
        names = [name for name in COMMANDS if any(("seen.py", n) in errors[name] for n in lines)]
        missing = [name for name in COMMANDS if name not in names]
        few = ", ".join(names) or "none"
        cells.append(f"all but {', '.join(missing)}" if 0 < len(missing) < 3 else few)
    return ["all" if cell == ", ".join(COMMANDS) else cell for cell in cells]


def test_documentation(
    bare: Environment, typed: Environment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The documentation shows which mistakes each checker reports in which environment."""
    files = {"seen.py": mistakes()[0], "common.py": CORPUS["common.py"]}
    project = make_project(tmp_path, files)
    columns = [[*MISTAKES], seen(bare, project)]
    columns.append(seen(typed, project))
    add_stubs(bare, project)
    columns.insert(2, seen(bare, project))
    rows = [
        "| mistake | wheel alone | with `stubs` | with the extra `types` |",
        "|---|---|---|---|",
    ]
    rows += [f"| {' | '.join(row)} |" for row in zip(*columns, strict=True)]
    shown = "\n".join(rows)
    with capsys.disabled():
        print(f"\n{shown}\n")
    page = (ROOT / "docs/checkers.md").read_text(encoding="utf-8")
    assert f"<!-- seen -->\n{shown}\n<!--" in page
