"""A check that is interrupted ends its checker, and removes its files."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

CHECKER = """\
#!{python}
import os, sys
name = os.path.basename(sys.argv[0])
if "--version" in sys.argv:
    print(name, "1.2.3")
else:
    os.close(os.open({started!r} + name, os.O_WRONLY))  # returns once the test reads
    open({held!r}).read()                               # blocks: the test writes nothing
"""


class Run:
    """A check in progress, whose checkers block."""

    def __init__(self, directory: Path, checkers: Sequence[str]) -> None:
        self.temporary = directory / "temporary"
        self.temporary.mkdir()
        held = directory / "held"
        os.mkfifo(held)
        programs = directory / "bin"
        programs.mkdir()
        for name in checkers:
            os.mkfifo(directory / f"started-{name}")
            program = programs / name
            started = str(directory / "started-")
            program.write_text(
                CHECKER.format(python=sys.executable, started=started, held=str(held))
            )
            program.chmod(0o755)
        start = (
            "import sys\n"
            "from backend_contract._conformance.static.checkers import subprocesses\n"
            f"subprocesses.find_program = lambda name: {str(programs)!r} + '/' + name\n"
            "from backend_contract._conformance.cli.main import main\n"
            f"options = ['--no-cache', '--checker', {','.join(checkers)!r}]\n"
            "sys.exit(main(['check', *options, 'mine.py:Good']))\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", start],
            cwd=directory,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in checkers:
            (directory / f"started-{name}").read_bytes()  # waits for the checker
        self.holding = os.open(held, os.O_WRONLY)  # waits until a checker blocks

    def checkers_are_gone(self) -> bool:
        reader = select.poll()
        reader.register(self.holding, select.POLLERR)
        return bool(reader.poll(60_000))


@pytest.fixture(params=[["ty"], ["zuban", "ty"]], ids=["one checker", "two checkers"])
def run(project: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    run = Run(project, request.param)
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
    assert run.checkers_are_gone()
    assert [*run.temporary.iterdir()] == []
