"""The front end for pytest, as an author meets it: no conftest, and warnings are errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

SUITE = """\
from backend_contract.testing import BackendConformance
from mutants import HOOKS, Structural, ForgetsThatItStopped

class TestMine(BackendConformance):
    backend = {backend}
    {more}
"""


def run_pytest(
    path: Path, backend: str, more: str = "", *arguments: str
) -> subprocess.CompletedProcess[str]:
    (path / "test_mine.py").write_text(SUITE.format(backend=backend, more=more))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments],
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(HERE), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_sound_suite(tmp_path: Path) -> None:
    """A sound backend passes, and the summary counts the clauses."""
    run = run_pytest(tmp_path, "Structural", "", "-v")
    assert run.returncode == 0, run.stdout
    assert "test_mine.py::TestMine::test_clause[BC302] PASSED" in run.stdout
    assert "test_mine.py::TestMine: 25 of 28 clauses exercised, 3 unchecked" in run.stdout, (
        run.stdout
    )


def test_failure(tmp_path: Path) -> None:
    """A failure shows everything needed to fix it."""
    run = run_pytest(tmp_path, "ForgetsThatItStopped", "", "-k", "BC303")
    assert run.returncode == 1
    for words in (
        "BC303 violated: after `stop()` returns, `is_started` is `False`",
        "expected  backend.stop(); backend.is_started is False",
        "found     is_started is True after stop() returned",
        "mutants.py:",
        "fix       Let `stop` clear it: `self._started = False` in a `BackendBase`.",
        "from mutants import ForgetsThatItStopped",
        "make = ForgetsThatItStopped",
        "assert backend.is_started is False",
    ):
        assert words in run.stdout


def test_expected_violation_run(tmp_path: Path) -> None:
    """An expected violation is an expected failure, and fails if it is stale."""
    known = 'expected_violations = {"BC303": "issue 7"}'
    run = run_pytest(tmp_path, "ForgetsThatItStopped", known, "-k", "BC303")
    assert run.returncode == 0
    assert "1 expected failure" in run.stdout
    run = run_pytest(tmp_path, "Structural", known, "-k", "BC303")
    assert run.returncode == 1
    assert "BC303 is expected to be violated (issue 7), and is ok" in run.stdout


def test_misuse(tmp_path: Path) -> None:
    """A misused suite is a collection error."""
    for more, problem in (
        ('expected_violations = {"BC999": "why"}', "there is no clause 'BC999'"),
        ('expected_violations = {"BC303": " "}', "BC303 needs a reason"),
    ):
        run = run_pytest(tmp_path, "Structural", more)
        assert run.returncode != 0
        assert problem in run.stdout + run.stderr


def test_a_suite_in_which_nothing_was_decided_fails(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, "Structural", "", "-k", "BC308")
    assert run.returncode == 1
    assert "ERROR test_mine.py::TestMine: no clause was decided" in run.stdout


def test_it_works_in_two_workers(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, "Structural", "", "-n", "2")
    assert run.returncode == 0, run.stdout
    assert "25 of 28 clauses exercised, 3 unchecked" in run.stdout


def test_reproduction_config(tmp_path: Path) -> None:
    """The reproduction contains the sample configuration."""
    sample = 'config = {"workers": 2}'
    run = run_pytest(tmp_path, "ForgetsThatItStopped", sample, "-k", "BC303")
    assert "make = lambda: ForgetsThatItStopped({'workers': 2})" in run.stdout


def test_reproduction_factory(tmp_path: Path) -> None:
    """The reproduction calls the `make_backend` of the suite."""
    factory = "def make_backend(self):\n        return ForgetsThatItStopped()"
    run = run_pytest(tmp_path, "None", factory, "-k", "BC303")
    assert "from test_mine import TestMine" in run.stdout
    assert "make = TestMine().make_backend" in run.stdout


def test_a_new_clause_warns_until_the_release_that_it_fails_from(tmp_path: Path) -> None:
    for fails_from, status in (("999.0", 0), ("0.1", 1)):
        (tmp_path / "conftest.py").write_text(
            "from backend_contract.clauses import CLAUSES\n"
            f"CLAUSES['BC303'] = CLAUSES['BC303']._replace(fails_from={fails_from!r})\n"
        )
        run = run_pytest(
            tmp_path, "ForgetsThatItStopped", "", "-k", "BC303", "-W", "default::FutureWarning"
        )
        assert run.returncode == status
        assert "1 violated" in run.stdout
        assert ("FutureWarning: BC303 violated" in run.stdout) is (status == 0)
        assert ("it fails from version 999.0" in run.stdout) is (status == 0)
