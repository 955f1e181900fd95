"""Long work shows itself on a terminal, and leaves nothing behind when it is ended."""

from __future__ import annotations

import os
import pty
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
    open({held!r}).read()                        # for ever: nobody writes to it
"""


class Run:
    """A check whose checker never ends, and which is under way."""

    def __init__(self, directory: Path, *, terminal: bool = False) -> None:
        self.temporary = directory / "temporary"
        self.temporary.mkdir()
        (directory / "mine.py").write_text(
            "from backend_contract import LocalBackend\n\nclass Mine(LocalBackend): ...\n"
        )
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
            "from backend_contract._conformance.static.checkers import subprocesses as process\n"
            f"process.find_program = lambda _: {str(program)!r}\n"
            "from backend_contract._conformance.cli.main import main\n"
            "sys.exit(main(['check', '--no-cache', '--checker', 'ty', 'mine.py:Mine']))\n"
        )
        self.terminal, error = pty.openpty() if terminal else (-1, subprocess.PIPE)
        self.process = subprocess.Popen(
            [sys.executable, "-c", start],
            cwd=directory,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=error,
        )
        if terminal:
            os.close(error)
        started.read_bytes()  # waits for the checker
        self.holding = os.open(held, os.O_WRONLY)  # waits for it to be under way

    def checker_is_gone(self) -> bool:
        nobody_reads = select.poll()
        nobody_reads.register(self.holding, select.POLLERR)
        return bool(nobody_reads.poll(60_000))


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    made: list[Run] = []
    yield made
    for run in made:
        run.process.kill()
        run.process.communicate()
        os.close(run.holding)
        if run.terminal >= 0:
            os.close(run.terminal)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["Ctrl-C", "terminated", "hung up"],
)
def test_a_check_that_is_ended_ends_its_checker_and_leaves_no_files(
    tmp_path: Path, runs: list[Run], number: int, status: int
) -> None:
    runs.append(run := Run(tmp_path))
    assert [*run.temporary.iterdir()] != []
    run.process.send_signal(number)
    output, complaint = run.process.communicate(timeout=60)
    assert run.process.returncode == status
    assert (output, complaint) == (b"", b"")
    assert run.checker_is_gone()
    assert [*run.temporary.iterdir()] == []


def test_on_a_terminal_it_shows_which_checker_runs_and_for_how_long(
    tmp_path: Path, runs: list[Run]
) -> None:
    runs.append(run := Run(tmp_path, terminal=True))
    shown = b""
    while b"ty checks 1 target(s), 1 s" not in shown:  # the clock goes on
        shown += os.read(run.terminal, 1000)
    assert b"ty checks 1 target(s), 0 s" in shown
    run.process.send_signal(signal.SIGINT)
    while not shown.endswith(b"\r\x1b[K"):  # and the line is gone at the end
        shown += os.read(run.terminal, 1000)
    output, _ = run.process.communicate(timeout=60)
    assert output == b""
    assert run.process.returncode == 130
