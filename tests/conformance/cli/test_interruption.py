"""A check that is interrupted ends its checker, and removes its files."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKER = """\
#!{python}
import os, sys
if "--version" in sys.argv:
    print("ty 1.2.3")
else:
    os.close(os.open({started!r}, os.O_WRONLY))  # returns once the test reads
    open({held!r}).read()                        # blocks: the test writes nothing
"""


class Run:
    """A check in progress, whose checker blocks."""

    def __init__(self, directory: Path) -> None:
        self.temporary = directory / "temporary"
        self.temporary.mkdir()
        started, held = directory / "started", directory / "held"
        os.mkfifo(started)
        os.mkfifo(held)
        program = directory / "bin/ty"
        program.parent.mkdir()
        program.write_text(
            CHECKER.format(python=sys.executable, started=str(started), held=str(held))
        )
        program.chmod(0o755)
        start = (
            "import sys\n"
            "from backend_contract._conformance.static.checkers import subprocesses\n"
            f"subprocesses.find_program = lambda _: {str(program)!r}\n"
            "from backend_contract._conformance.cli.main import main\n"
            "sys.exit(main(['check', '--no-cache', '--checker', 'ty', 'mine.py:Good']))\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", start],
            cwd=directory,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.read_bytes()  # waits for the checker
        self.holding = os.open(held, os.O_WRONLY)  # waits until the checker blocks

    def checker_is_gone(self) -> bool:
        reader = select.poll()
        reader.register(self.holding, select.POLLERR)
        return bool(reader.poll(60_000))


@pytest.fixture
def run(project: Path) -> Iterator[Run]:
    run = Run(project)
    yield run
    run.process.kill()
    run.process.communicate()
    os.close(run.holding)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["Ctrl-C", "terminated", "hung up"],
)
def test_signal(run: Run, number: int, status: int) -> None:
    """A signal ends the check with 128 + its number, without output."""
    assert [*run.temporary.iterdir()] != []
    run.process.send_signal(number)
    output, complaint = run.process.communicate(timeout=60)
    assert run.process.returncode == status
    assert (output, complaint) == (b"", b"")
    assert run.checker_is_gone()
    assert [*run.temporary.iterdir()] == []
