"""Environments: this one, and those of other interpreters (`--python`)."""

from __future__ import annotations

import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backend_contract._conformance.source import environment as module
from backend_contract._conformance.source.environment import (
    Environment,
    environment_of,
    this_environment,
)
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from conftest import Command

MINE = """\
import threading
from contextlib import AbstractContextManager
from theirs import Base, StopsWithACode

class Mine(Base):
    def __init__(self, config: object = None) -> None:
        self.is_started = False
        self.lock = threading.RLock()
    def register_config(self, config: object) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock
    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None: ...

class Wrong(StopsWithACode, Mine): ...
"""
THEIRS = """\
raise SystemExit("imported")
class Base:
    backend_type = "THEIRS"
    def start(self) -> None: ...
    def stop(self) -> None: ...
class StopsWithACode:
    def stop(self) -> int: ...
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which this package is not installed."""
    directory = tmp_path_factory.mktemp("other")
    venv.create(directory, symlinks=True)
    return directory / "bin/python"


@pytest.mark.exhaustive
def test_modules_of_other(other: Path, tmp_path: Path, command: Command) -> None:
    """Modules are looked up in the other environment, and only there; none is imported."""
    (site_packages,) = other.parents[1].glob("lib/python*/site-packages")
    (site_packages / "theirs.py").write_text(THEIRS)  # has no types
    (tmp_path / "mine.py").write_text(MINE)
    targets = ("mine.py:Mine", "mine.py:Wrong")
    run = command("check", "--python", str(other), *targets)
    assert (run.returncode, run.stderr) == (1, "")
    mine, wrong = run.stdout.split("\n\n")[:2]
    assert "10 ok" in mine
    assert "def stop(self) -> int  (from theirs.StopsWithACode)" in wrong
    assert "violated" not in mine
    own = command("check", *targets)
    assert own.returncode == 1
    assert "no `backend_type` in the part of its source that was found" in own.stdout


def test_package_missing_in_other(other: Path, tmp_path: Path, command: Command) -> None:
    """A module that only this environment has is not found in the other one."""
    run = command("check", "--python", str(other), "backend_contract:LocalBackend")
    assert (run.returncode, run.stdout) == (2, "")
    assert "no Python source of a module 'backend_contract'" in run.stderr
    assert str(other) in run.stderr


def test_other_path(other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither `PYTHONPATH` nor the current directory belongs to the other environment."""
    for name in ("sys", "json", "site", "sitecustomize", "usercustomize"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    asked = environment_of(str(other))
    assert str(tmp_path) not in asked.path
    assert any(entry.endswith("site-packages") for entry in asked.path)
    assert not (tmp_path / "executed").exists()
    assert asked.version == sys.version_info[:2]
    assert asked.python == str(other)


def test_relative_interpreter(other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path starts from the current directory."""
    monkeypatch.chdir(other.parent)
    assert environment_of("python") == environment_of(str(other))


def test_this_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory does not belong to this environment."""
    here = str(Path.cwd())
    monkeypatch.setattr(sys, "path", ["", here, "/elsewhere", ".", f"{here}/below", "/"])
    path = ("/elsewhere", f"{here}/below", "/")
    assert this_environment() == (sys.executable, sys.version_info[:2], path)
    assert this_environment().is_this


NOT_PYTHON = {
    "#!/bin/sh\necho": "unexpected output; expected the path of a Python",
    "#!/bin/sh\necho Python; echo 3": "unexpected output; expected the path of a Python",
    "#!/bin/sh\nprintf '3\\n9'": "is Python 3.9; expected 3.10 or newer",
    "#!/bin/sh\nprintf '2\\n11'": "is Python 2.11; expected 3.10 or newer",
    "#!/bin/sh\nprintf '3\\n12'; exit 3": "exit 3; expected the path of a Python interpreter",
    "#!/bin/sh\necho broken >&2; exit 3": "broken; expected the path of a Python interpreter",
    "#!/bin/sh\nprintf 'it\\nis\\nso' >&2; exit 3": ": so; expected the path of a Python",
    "#!/bin/sh\nexit 3": "exit 3; expected the path of a Python interpreter",
    "": "Exec format error",
    "#!/nowhere": "No such file or directory",
}


@pytest.mark.parametrize(("text", "message"), NOT_PYTHON.items())
def test_not_python(tmp_path: Path, text: str, message: str) -> None:
    """A program that is not a supported Python is a one-line error."""
    python = tmp_path / "python"
    python.write_text(text)
    python.chmod(0o755)
    with pytest.raises(CouldNotCheckError) as caught:
        environment_of(str(python))
    assert str(caught.value).startswith(f"--python {python}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_is_this() -> None:
    """The path of the interpreter tells this environment from others."""
    this = this_environment()
    for python, is_this in [(str(Path(sys.executable)), True), ("/", False), ("~", False)]:
        assert this._replace(python=python).is_this is is_this


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (4, 0)])
def test_answer(tmp_path: Path, version: tuple[int, int]) -> None:
    """Version and path are those the interpreter reports."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nprintf '{}\\n{}\\n/one\\n/two'\n".format(*version))
    python.chmod(0o755)
    found = environment_of(str(python))
    assert found == Environment(str(python), version, ("/one", "/two"))
    assert found.written_version == ".".join(map(str, version))
    assert not found.is_this


@pytest.mark.parametrize(
    ("path", "message"),
    [("nowhere", "No such file or directory"), (".", "Permission denied")],
)
def test_unusable_interpreter(path: str, message: str) -> None:
    """A path that cannot be run is named with the reason."""
    with pytest.raises(CouldNotCheckError, match=rf"^--python {path}: {message}; expected"):
        environment_of(path)


def test_hanging_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that does not answer in time is an error."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 3600\n")
    python.chmod(0o755)
    monkeypatch.setattr(module, "ANSWER_TIMEOUT", 0.1)
    with pytest.raises(CouldNotCheckError, match=r"no answer within 0\.1 seconds"):
        environment_of(str(python))
