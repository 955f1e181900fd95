"""Another environment than the command's own: ``--python``."""

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

STRUCTURAL = """\
import threading
from contextlib import AbstractContextManager
from theirs import Base

class Mine(Base):
    def __init__(self, config: object = None) -> None:
        self.is_started = False
        self.lock = threading.RLock()
    def register_config(self, config: object) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock
    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None: ...
"""
THEIRS = """\
raise SystemExit("imported")
class Base:
    backend_type = "THEIRS"
    def start(self) -> None: ...
    def stop(self) -> {result}: ...
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which this package is not installed."""
    directory = tmp_path_factory.mktemp("other")
    venv.create(directory, symlinks=True)
    return directory / "bin/python"


def install(python: Path, result: str) -> None:
    """Put a package without types, which must not be imported, into that environment."""
    (site_packages,) = python.parents[1].glob("lib/python*/site-packages")
    (site_packages / "theirs.py").write_text(THEIRS.format(result=result))


@pytest.mark.parametrize(("result", "status"), [("None", 0), ("int", 1)])
def test_modules_are_those_of_the_other_environment_and_are_not_imported(
    other: Path, tmp_path: Path, command: Command, result: str, status: int
) -> None:
    install(other, result)
    (tmp_path / "mine.py").write_text(STRUCTURAL)
    run = command("check", "--strict", "--python", str(other), "mine.py:Mine")
    assert (run.returncode, run.stderr) == (status, "")
    assert ("def stop(self) -> int  (from theirs.Base)" in run.stdout) is bool(status)
    own = command("check", "--strict", "mine.py:Mine")
    assert own.returncode == 1
    assert "no `backend_type` in the part of its source that was found" in own.stdout


def test_what_this_environment_has_is_not_part_of_the_other(
    other: Path, tmp_path: Path, command: Command
) -> None:
    run = command("check", "--python", str(other), "backend_contract:LocalBackend")
    assert (run.returncode, run.stdout) == (2, "")
    assert "no Python source of a module 'backend_contract'" in run.stderr
    assert str(other) in run.stderr


def test_neither_pythonpath_nor_the_current_directory_is_part_of_the_other(
    other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_a_relative_path_is_one_from_the_current_directory(
    other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(other.parent)
    assert environment_of("python") == environment_of(str(other))


def test_this_environment_has_no_current_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    here = str(Path.cwd())
    monkeypatch.setattr(sys, "path", ["", here, "/elsewhere", ".", f"{here}/below", "/"])
    path = ("/elsewhere", f"{here}/below", "/")
    assert this_environment() == (sys.executable, sys.version_info[:2], path)
    assert this_environment().is_this


SCRIPTS = {
    "#!/bin/sh\necho": "its answer is not that of a Python interpreter",
    "#!/bin/sh\necho Python; echo 3": "its answer is not that of a Python interpreter",
    "#!/bin/sh\nprintf '3\\n9'": "is Python 3.9; expected 3.10 or newer",
    "#!/bin/sh\nprintf '2\\n11'": "is Python 2.11; expected 3.10 or newer",
    "#!/bin/sh\nprintf '3\\n12'; exit 3": "exit 3; expected the path of a Python interpreter",
    "#!/bin/sh\necho broken >&2; exit 3": "broken; expected the path of a Python interpreter",
    "#!/bin/sh\nprintf 'it\\nis\\nso' >&2; exit 3": ": so; expected the path of a Python",
    "#!/bin/sh\nexit 3": "exit 3; expected the path of a Python interpreter",
    "": "Exec format error",
    "#!/nowhere": "No such file or directory",
}


@pytest.mark.parametrize(("text", "message"), SCRIPTS.items())
def test_what_is_no_python_is_an_error_that_says_what_is(
    tmp_path: Path, text: str, message: str
) -> None:
    python = tmp_path / "python"
    python.write_text(text)
    python.chmod(0o755)
    with pytest.raises(CouldNotCheckError) as caught:
        environment_of(str(python))
    assert str(caught.value).startswith(f"--python {python}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_this_environment_is_told_from_others_by_the_path_of_its_interpreter() -> None:
    this = this_environment()
    for python, is_this in [(str(Path(sys.executable)), True), ("/", False), ("~", False)]:
        assert this._replace(python=python).is_this is is_this


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (4, 0)])
def test_what_answers_as_a_python_does_is_one(tmp_path: Path, version: tuple[int, int]) -> None:
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
def test_a_path_that_cannot_be_run_is_named(path: str, message: str) -> None:
    with pytest.raises(CouldNotCheckError, match=rf"^--python {path}: {message}; expected"):
        environment_of(path)


def test_an_interpreter_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 3600\n")
    python.chmod(0o755)
    monkeypatch.setattr(module, "TIME_LIMIT", 0.1)
    with pytest.raises(CouldNotCheckError, match=r"did not answer within 0\.1 seconds"):
        environment_of(str(python))
