"""Suites in real pytest runs, as an author meets them: no conftest, and warnings are errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent

SUITE = """\
from backend_contract.testing import BackendConformance
from conformance.behavioural.mutants import HOOKS, Structural, ForgetsThatItStopped

class TestMine(BackendConformance):
    backend = {backend}
    {more}
"""

TWO_WORKERS = ("-p", "xdist", "-n", "2")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run pytest on a suite for *backend* with *more* in its body."""

    def run(backend: str, more: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_mine.py").write_text(SUITE.format(backend=backend, more=more))
        return run_pytest(tmp_path, *arguments)

    return run


def run_pytest(
    path: Path, *arguments: str, autoload: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run pytest, unless *autoload* without plugins of other packages, which take most time."""
    (path / "pytest.ini").write_text("[pytest]\n")  # a separate project, wherever *path* is
    variables = {"PYTHONPATH": str(HERE), "COLUMNS": "200"}
    if not autoload:
        variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments],
        cwd=path,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_sound_suite(run: Run) -> None:
    """A sound backend passes, and the summary counts the clauses."""
    done = run("Structural", "", "-v")
    assert done.returncode == 0, done.stdout
    assert "test_mine.py::TestMine::test_clause[BC302] PASSED" in done.stdout
    assert "test_mine.py::TestMine: 25 of 28 clauses exercised, 3 needs a suite" in done.stdout


def test_failure(run: Run) -> None:
    """A failure shows everything needed to fix it."""
    done = run("ForgetsThatItStopped", "", "-k", "BC303")
    assert done.returncode == 1
    for words in (
        "BC303 violated: ",
        "expected  backend.stop(); backend.is_started is False",
        "found     is_started is True after stop() returned",
        "mutants.py:",
        "fix       ",
        "from conformance.behavioural.mutants import ForgetsThatItStopped",
        "make = ForgetsThatItStopped",
        "assert backend.is_started is False",
    ):
        assert words in done.stdout


def test_reproduction_config(run: Run) -> None:
    """The reproduction contains the sample configuration."""
    done = run("ForgetsThatItStopped", 'config = {"workers": 2}', "-k", "BC303")
    assert "make = lambda: ForgetsThatItStopped({'workers': 2})" in done.stdout


def test_reproduction_factory(run: Run) -> None:
    """The reproduction calls the `make_backend` of the suite."""
    factory = "def make_backend(self):\n        return ForgetsThatItStopped()"
    done = run("None", factory, "-k", "BC303")
    assert "from test_mine import TestMine" in done.stdout
    assert "make = TestMine().make_backend" in done.stdout


KNOWN = 'expected_violations = {"BC303": "known to the author"}'


def test_expected_violation(run: Run) -> None:
    """An expected violation is an expected failure."""
    done = run("ForgetsThatItStopped", KNOWN, "-k", "BC303")
    assert done.returncode == 0, done.stdout
    assert "1 xfailed" in done.stdout
    assert "1 expected violation" in done.stdout


def test_stale_expected_violation(run: Run) -> None:
    """An expected violation that does not occur fails."""
    done = run("Structural", KNOWN, "-k", "BC303")
    assert done.returncode == 1
    assert "BC303 is expected to be violated (known to the author), but is ok" in done.stdout


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('expected_violations = {"BC999": "why"}', "there is no clause 'BC999'"),
        ('expected_violations = {"BC303": " "}', "BC303 requires a reason"),
    ],
    ids=["clause", "reason"],
)
def test_misuse(run: Run, more: str, problem: str) -> None:
    """A misused suite is a collection error."""
    done = run("Structural", more)
    assert done.returncode not in (0, 1)
    assert problem in done.stdout + done.stderr


SHOULD = """\
import dataclasses
from backend_contract.clauses import CLAUSES, Level
CLAUSES["BC303"] = dataclasses.replace(CLAUSES["BC303"], level=Level.SHOULD)
"""


@pytest.mark.parametrize("arguments", [(), (*TWO_WORKERS, "-p", "backend_contract.testing")])
def test_should(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A violated clause of level SHOULD passes, with a property and a line in the summary."""
    (tmp_path / "conftest.py").write_text(SHOULD)
    done = run("ForgetsThatItStopped", "", "-k", "BC303", "--junit-xml=report.xml", *arguments)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "WARNING test_mine.py::TestMine: BC303" in done.stdout
    assert 'value="TestMine BC303 warning"' in (tmp_path / "report.xml").read_text()


# A suite in which no clause is decided: its factory returns one instance, again and again.
ONE_INSTANCE = """\
from backend_contract import LocalBackend
from backend_contract.testing import BackendConformance

class Mine(LocalBackend):
    backend_type = "MINE"

ONLY = Mine()

class TestMine(BackendConformance):
    def make_backend(self):
        return ONLY

class TestSound(BackendConformance):
    backend = Mine
"""


@pytest.mark.parametrize("arguments", [(), TWO_WORKERS], ids=["one process", "two workers"])
def test_nothing_decided(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A complete suite in which nothing is decided fails in its last test, in a worker too."""
    (tmp_path / "test_mine.py").write_text(ONE_INSTANCE)
    done = run_pytest(tmp_path, *arguments)
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout
    assert "FAILED test_mine.py::TestMine::test_clause[BC506]" in done.stdout
    assert "no other clause was decided" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "TestMine and BC506"),
        ("-k", "TestMine and not BC101"),
        ("--deselect", "test_mine.py::TestMine::test_clause[BC101]"),
        ("test_mine.py::TestMine::test_clause[BC506]",),
        (*TWO_WORKERS, "-k", "TestMine and BC5"),
    ],
    ids=["one", "all but one", "deselected", "a shard", "two workers"],
)
def test_part_undecided(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A part of a suite may decide nothing."""
    (tmp_path / "test_mine.py").write_text(ONE_INSTANCE)
    done = run_pytest(tmp_path, *arguments)
    assert done.returncode == 0, done.stdout
    assert "skipped" in done.stdout


def test_one_skipped_clause(run: Run) -> None:
    """A single clause that needs a hook is skipped, and the run passes."""
    done = run("Structural", "", "-k", "BC405")
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "1 needs a suite" in done.stdout


STRICT = "strict = True"


def test_strict(run: Run) -> None:
    """In a strict suite a clause that needs a hook fails; one that is decided does not."""
    done = run("Structural", STRICT, "-k", "BC405 or BC302")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "BC405 is undecided, and the suite is strict: needs a suite" in done.stdout


def test_overridden_test(run: Run) -> None:
    """A suite that overrides the test of the kit is an error."""
    done = run("Structural", "def test_clause(self, clause, request): pass")
    assert done.returncode not in (0, 1)
    assert "TestMine: must not override test_clause" in done.stdout


SKIPS = """\
import unittest
import pytest
from backend_contract import LocalBackend
from backend_contract.testing import BackendConformance

class TestFactory(BackendConformance):
    def make_backend(self):
        {skip}

class TestHook(BackendConformance):
    backend = LocalBackend
    def during_start(self, backend, call):
        {skip}

@pytest.mark.skip("not here")
class TestMarked(BackendConformance):
    backend = LocalBackend
"""


@pytest.mark.parametrize(
    "skip",
    [
        'pytest.skip("the reason")',
        'raise unittest.SkipTest("the reason")',
        'pytest.importorskip("nowhere", reason="the reason")',
    ],
)
def test_skips(tmp_path: Path, skip: str) -> None:
    """A skip of the author's, in a factory or a hook, skips the test; each suite is named."""
    (tmp_path / "test_mine.py").write_text(SKIPS.format(skip=skip))
    done = run_pytest(tmp_path, "-rs", "-k", "BC302 or BC308 or BC405")
    assert done.returncode == 0, done.stdout
    assert "1 passed, 8 skipped" in done.stdout
    assert "the reason" in done.stdout
    for line in (
        "TestFactory: 0 of 3 clauses exercised, 3 skipped",
        "TestHook: 1 of 3 clauses exercised, 2 skipped",
        "TestMarked: 0 of 3 clauses exercised, 3 skipped",
    ):
        assert f"test_mine.py::{line}" in done.stdout


def test_two_workers(run: Run) -> None:
    """The controller of xdist prints the summary if it loads the module as a plugin."""
    done = run("Structural", "", *TWO_WORKERS, "-p", "backend_contract.testing")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("25 of 28 clauses exercised, 3 needs a suite") == 1


def test_two_workers_without_plugin(run: Run) -> None:
    """Without the plugin the summary is missing, and violations still fail."""
    done = run("ForgetsThatItStopped", "", *TWO_WORKERS)
    assert done.returncode == 1
    assert "FAILED test_mine.py::TestMine::test_clause[BC303]" in done.stdout
    assert "clauses exercised" not in done.stdout


def test_run_without_suite(tmp_path: Path) -> None:
    """A run without a suite imports nothing of this package."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_other():\n"
        "    assert not [name for name in sys.modules if name.startswith('backend_contract')]\n"
    )
    done = run_pytest(tmp_path, autoload=True)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "backend-contract" not in done.stdout
