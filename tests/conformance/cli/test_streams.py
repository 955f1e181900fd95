"""Standard output and standard error that are closed, full, or without a reader."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytestmark = pytest.mark.exhaustive  # many processes

if TYPE_CHECKING:
    from conftest import WarmCache

PYTHON = f"{sys.executable} -m backend_contract"
REPORTS = ["--help", "--version", "clauses", "explain BC501", "check mine.py:Good"]


def shell(command: str, directory: Path, cache_home: Path) -> subprocess.CompletedProcess[str]:
    """Run *command*, in which the output of a file descriptor may be redirected."""
    return subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=directory,
        env={**os.environ, "XDG_CACHE_HOME": str(cache_home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def checked(project: Path, warm_cache: WarmCache) -> Path:
    warm_cache([project])
    return project


@pytest.mark.parametrize("arguments", REPORTS)
@pytest.mark.parametrize("output", [">&-", "> /dev/full", "<&- >&-"])
def test_no_output(arguments: str, output: str, checked: Path, cache_home: Path) -> None:
    """A report that cannot be written is status 2, and one line on standard error."""
    run = shell(f"{PYTHON} {arguments} {output}", checked, cache_home)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert run.stderr.startswith("backend-contract: error: standard output: ")


@pytest.mark.parametrize("output", [">&-", "> /dev/full"])
@pytest.mark.parametrize("errors", ["2>&-", "2> /dev/full"])
@pytest.mark.parametrize("arguments", ["check nowhere.py:X", "check --unknown", "clauses"])
def test_neither(output: str, errors: str, arguments: str, checked: Path, cache_home: Path) -> None:
    """If nothing can be written, the status is still 2."""
    run = shell(f"{PYTHON} {arguments} {output} {errors}", checked, cache_home)
    assert (run.returncode, run.stdout, run.stderr) == (2, "", "")


@pytest.mark.parametrize("errors", ["2>&-", "2> /dev/full", "0<&- 2>&-"])
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("check mine.py:Good", 0),
        ("check mine.py:Bad", 1),
        ("check nowhere.py:X", 2),
        ("check --unknown", 2),
        ("--version", 0),
    ],
)
def test_no_standard_error(
    errors: str, arguments: str, status: int, checked: Path, cache_home: Path
) -> None:
    """Without standard error, report and status are the same."""
    run = shell(f"{PYTHON} {arguments} {errors}", checked, cache_home)
    assert (run.returncode, run.stderr) == (status, "")
    assert bool(run.stdout) is (status < 2)


@pytest.mark.parametrize("arguments", ["clauses", "check mine.py:Bad", "explain BC501"])
def test_no_reader(arguments: str, checked: Path, cache_home: Path) -> None:
    """A reader that leaves is status 2, without a word."""
    # The pipe has no reader before the command writes: `exec` has closed it, and `read` waits.
    command = f"exec 3> >(exec <&-); wait $!; {PYTHON} {arguments} >&3 3>&-"
    run = shell(command, checked, cache_home)
    assert (run.returncode, run.stdout, run.stderr) == (2, "", "")


def test_files_are_not_written(checked: Path, cache_home: Path) -> None:
    """A file opened while standard output is closed does not receive the report."""
    before = {path: path.read_bytes() for path in checked.iterdir() if path.is_file()}
    command = f"{PYTHON} check --no-cache --output-format json mine.py:Good <&- >&- 2>&-"
    assert shell(command, checked, cache_home).returncode == 2
    assert {path: path.read_bytes() for path in checked.iterdir() if path.is_file()} == before


def test_sandbox(checked: Path, cache_home: Path) -> None:
    """A target may print although standard error is closed."""
    (checked / "loud.py").write_text(
        "import os, sys\nfrom backend_contract import LocalBackend\n\n"
        "class Loud(LocalBackend):\n"
        "    backend_type = 'LOUD'\n"
        "    def start(self) -> None:\n"
        "        print('started', file=sys.stderr)\n"
        "        os.write(1, b'started')\n"
        "        super().start()\n"
    )
    run = shell(f"{PYTHON} check --run loud.py:Loud <&- 2>&-", checked, cache_home)
    assert run.returncode == 0, run.stdout
    assert "violated" not in run.stdout
