"""Fixtures for tests of all folders."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from recorded_mypy import Recording, RecordingMypy
from support import shared_directory

from backend_contract._conformance.cli.main import main
from backend_contract._conformance.source.discovery import find_targets
from backend_contract._conformance.source.targets import Target
from backend_contract._conformance.static.checkers import Mypy
from backend_contract._conformance.static.checking import check
from backend_contract._conformance.static.probe import digest

# The tests start hundreds of processes: what these import is compiled once, in any environment.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A verdict of a test must not depend on the speed of the machine.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Exempt modules and tests from garbage collection, which the kit starts often."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


class Shown(NamedTuple):
    """The exit status of the command, and its output."""

    status: int
    out: str
    err: str


Main = Callable[..., Shown]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
WarmCache = Callable[..., Path]

BACKENDS = """\
from backend_contract import LocalBackend

class Good(LocalBackend): backend_type = "GOOD"

class Bad(LocalBackend):
    def start(self) -> int: ...
    backend_type = "BAD"
class Open(LocalBackend):
    def stop(self): ...
    backend_type = "OPEN"
class Nameless(LocalBackend):
    backend_type = 7
"""


@pytest.fixture(scope="session")
def backends() -> str:
    """The text of ``mine.py``; see :func:`project`."""
    return BACKENDS


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with ``mine.py``, in which classes keep, break and leave open a clause.

    ``Good`` keeps all, ``Bad`` violates BC309 and ``Nameless`` BC101, which blocks BC102; BC309 is
    unchecked for ``Open``.
    """
    (tmp_path / "mine.py").write_text(BACKENDS)
    return tmp_path


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's cache directory of the whole test run."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def filled_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of mypy with all that a backend imports, filled once for all workers."""
    with shared_directory(tmp_path_factory, "filled") as shared:
        if not any(shared.iterdir()):
            (shared / "mine.py").write_text(BACKENDS)
            variables = {"XDG_CACHE_HOME": str(shared / "cache")}
            run_command("check", "mine.py:Good", cwd=shared, variables=variables)
    (filled,) = (shared / "cache/backend-contract/mypy").iterdir()
    return filled


@pytest.fixture(scope="session")
def warm_cache(cache_home: Path, filled_cache: Path) -> WarmCache:
    """Give mypy a cache for targets below *roots*, and return the directory of all caches."""

    def warm(roots: Iterable[Path], home: Path = cache_home) -> Path:
        caches = home / "backend-contract/mypy"
        given = [*roots]  # installed targets have no root; some have several
        for of_target in ([], given, *([root] for root in given)):
            cache = caches / digest(sys.executable, *map(str, of_target))
            if not cache.exists():
                shutil.copytree(filled_cache, cache)
        return caches

    return warm


@pytest.fixture
def command(tmp_path: Path, cache_home: Path, request: pytest.FixtureRequest) -> Command:
    """Run the command in a subprocess, as a user does.

    Checks of targets below *cwd* or ``tmp_path`` find a warm cache, unless *XDG_CACHE_HOME* is
    given.
    """

    def run(
        *arguments: str, cwd: Path = tmp_path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        if arguments[:1] == ("check",) and "XDG_CACHE_HOME" not in variables:
            warm_cache: WarmCache = request.getfixturevalue("warm_cache")
            warm_cache({cwd, tmp_path})
        return run_command(
            *arguments, cwd=cwd, variables={"XDG_CACHE_HOME": str(cache_home), **variables}
        )

    return run


def run_command(
    *arguments: str, cwd: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the command in *cwd*, without variables that change its output or its modules."""
    hidden = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "MYPYPATH", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        [sys.executable, "-m", "backend_contract", *arguments],
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, warm_cache: WarmCache) -> Recording:
    """Run mypy on ``mine.py`` once for all workers."""
    with shared_directory(tmp_path_factory, "recording") as shared:
        file = shared / "recording.pickle"
        if not file.exists():
            (shared / "mine.py").write_text(BACKENDS)
            found = find_targets([str(shared / "mine.py")])
            targets = [target for target in found if isinstance(target, Target)]
            check(targets, RecordingMypy(file, BACKENDS), warm_cache([shared]))
        recording: Recording = pickle.loads(file.read_bytes())  # noqa: S301 - written here
    return recording


@pytest.fixture
def run_main(
    project: Path,
    cache_home: Path,
    warm_cache: WarmCache,
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Main:
    """Run the command in this process, in the directory *project*, with a warm cache.

    mypy checks what differs from its recording.
    """
    warm_cache([project])
    monkeypatch.setattr(Mypy, "check", recording.check(project, Mypy.check))
    monkeypatch.chdir(project)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))

    def run(*arguments: str) -> Shown:
        return Shown(main(arguments), *capsys.readouterr())

    return run
