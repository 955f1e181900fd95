"""A command that a signal ends leaves neither a process nor a file behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.exhaustive  # many processes

NAMES = ("ty", "zuban", "-c", "python")
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}

# A checker, or a target, that tells when it runs, and then waits for its end.
BLOCK = """\
import os, sys
name = os.path.basename(sys.argv[0])
os.close(os.open({started!r} + name, os.O_WRONLY))  # returns once the test reads
open({held!r}).read()                               # blocks: the test writes nothing
"""
CHECKER = """\
#!{python}
import os, sys
if "--version" in sys.argv:
    sys.exit(print(os.path.basename(sys.argv[0]), "1.2.3"))
"""

# Starts the command, with `point` replaced by a function that sends this process the signal.
COMMAND = """\
import os, shutil, signal, subprocess, sys, tempfile
from pathlib import Path
from backend_contract._conformance import cli, interruption
from backend_contract._conformance.static.checkers import subprocesses
subprocesses.find_program = lambda name: {programs!r} + "/" + name
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # may be ignored around the tests
    signal.signal(number, signal.SIG_DFL)
{patch}
sys.argv[1:] = {arguments!r}
sys.exit(cli.run_command())
"""

# Sends the signal before or after the call number `count` of `owner.name`.
POINT = """
def point(owner, name, number, when, count):
    real = getattr(owner, name)
    calls = []
    def call(*arguments, **named):
        calls.append(None)
        if len(calls) == count and when == "before":
            signal.raise_signal(number)
        result = real(*arguments, **named)
        if len(calls) == count and when == "after":
            signal.raise_signal(number)
        return result
    setattr(owner, name, call)
"""


class Run:
    """A command in progress in *directory*, whose checker or target blocks."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.temporary = directory / "temporary"
        self.temporary.mkdir()
        self.held = directory / "held"
        os.mkfifo(self.held)
        for name in NAMES:
            os.mkfifo(directory / f"started{name}")
        self.block = BLOCK.format(started=str(directory / "started"), held=str(self.held))
        self.programs = directory / "bin"
        self.programs.mkdir()
        self.write_checker(self.block)
        self.process: subprocess.Popen[bytes] | None = None
        self.holding: int | None = None

    def write_checker(self, text: str) -> None:
        for name in ("ty", "zuban"):
            (self.programs / name).touch(mode=0o755)
            (self.programs / name).write_text(CHECKER.format(python=sys.executable) + text)

    def start(self, *arguments: str, patch: str = "") -> subprocess.Popen[bytes]:
        script = COMMAND.format(programs=str(self.programs), patch=patch, arguments=[*arguments])
        self.process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=self.directory,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return self.process

    def wait_until_blocked(self, *names: str) -> None:
        for name in names:
            started = os.open(self.directory / f"started{name}", os.O_RDONLY | os.O_NONBLOCK)
            reader = select.poll()
            reader.register(started, select.POLLHUP)
            assert reader.poll(60_000), f"{name} was not started"
            os.close(started)
        self.holding = os.open(self.held, os.O_WRONLY)

    def is_gone(self) -> bool:
        """Return whether what blocked has ended."""
        assert self.holding is not None
        reader = select.poll()
        reader.register(self.holding, select.POLLERR)
        return bool(reader.poll(60_000))

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        if self.holding is not None:
            os.close(self.holding)


@pytest.fixture
def run(project: Path) -> Iterator[Run]:
    run = Run(project)
    yield run
    run.end()


CHECK = ("check", "--no-cache", "--checker", "ty", "mine.py:Good")


@pytest.mark.parametrize("checkers", ["ty", "ty,zuban"])
@pytest.mark.parametrize(("number", "status"), SIGNALS.items(), ids=str)
def test_signal(run: Run, checkers: str, number: int, status: int) -> None:
    """A signal ends the check with 128 + its number, without output."""
    process = run.start("check", "--no-cache", "--checker", checkers, "mine.py:Good")
    run.wait_until_blocked(*checkers.split(","))
    assert [*run.temporary.iterdir()] != []
    process.send_signal(number)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == status
    assert run.is_gone()
    assert [*run.temporary.iterdir()] == []


def test_sandbox(run: Run) -> None:
    """A signal ends the process that runs a target, and the processes that the target started."""
    (run.directory / "forks.py").write_text(
        "import subprocess, sys\nfrom backend_contract import LocalBackend\n\n"
        "class Forks(LocalBackend):\n"
        "    def start(self) -> None:\n"
        f"        subprocess.run([sys.executable, '-c', {run.block!r}])\n"
    )
    process = run.start("check", "--run", "--no-cache", "forks.py:Forks")
    run.wait_until_blocked("-c")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 143
    assert run.is_gone()
    assert [*run.temporary.iterdir()] == []


def test_interpreter(run: Run) -> None:
    """A signal ends the interpreter that is asked for its environment."""
    (run.directory / "python").touch(mode=0o755)
    (run.directory / "python").write_text(f"#!{sys.executable}\n{run.block}")
    process = run.start("check", "--python", "./python", "mine.py:Good")
    run.wait_until_blocked("python")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 143
    assert run.is_gone()


POINTS = [
    ("subprocess", "Popen"),
    ("tempfile", "mkdtemp"),
    ("Path", "mkdir"),
    ("Path", "write_text"),
    ("shutil", "copytree"),
    ("shutil", "rmtree"),
    ("interruption", "terminate"),
    ("subprocesses", "finish"),
]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("owner", "name"), POINTS, ids=[name for _, name in POINTS])
def test_point(owner: str, name: str, when: str, count: int, run: Run) -> None:
    """Wherever a signal arrives, nothing is left: neither a directory nor a process."""
    run.write_checker("print('[]')")
    patch = f"{POINT}\npoint({owner}, {name!r}, signal.SIGTERM, {when!r}, {count})\n"
    process = run.start(*CHECK, patch=patch)
    output, complaint = process.communicate(timeout=60)
    assert process.returncode in (143, 2)  # 2: there is no such call; the checker is blind
    assert (process.returncode == 2) == bool(complaint)
    assert b"Traceback" not in complaint
    assert output == b""
    assert [*run.temporary.iterdir()] == []


@pytest.mark.parametrize("number", SIGNALS)
def test_twice(number: int, run: Run) -> None:
    """A second signal does not interrupt the cleanup after the first."""
    again = "lambda real: lambda *a, **n: (signal.raise_signal({}), real(*a, **n))[1]"
    patch = f"os.waitid = ({again.format(int(number))})(os.waitid)\n"
    patch += f"shutil.rmtree = ({again.format(int(number))})(shutil.rmtree)\n"
    process = run.start(*CHECK, patch=patch)
    run.wait_until_blocked("ty")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 143
    assert run.is_gone()
    assert [*run.temporary.iterdir()] == []


def test_preloading(run: Run) -> None:
    """mypy, which is loaded before the command itself, ends too."""
    patch = (
        "from backend_contract._conformance.static.checkers import MYPY\n"
        f"type(MYPY)._PROGRAM = {run.block!r}\n"
        "sys.meta_path.insert(0, type('Held', (), {'find_spec': staticmethod(\n"
        "    lambda name, *_: None if not name.endswith('cli.main')\n"
        f"    else open({str(run.held)!r}).read() or None\n"
        ")}))\n"
    )
    process = run.start("check", "mine.py:Good", patch=patch)
    run.wait_until_blocked("-c")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 143
    assert run.is_gone()


def test_worker_thread(run: Run) -> None:
    """Another thread, which is creating files, cannot leave any behind."""
    patch = (
        "import threading\n"
        "def work():\n"
        "    with interruption.temporary_directory() as directory:\n"
        "        ready.set()\n"
        "        for number in range(10**9):\n"
        "            try:\n"
        "                (directory / str(number)).write_text('x')\n"
        "            except OSError:\n"
        "                pass\n"
        "ready = threading.Event()\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "ready.wait()\n"
    )
    process = run.start(*CHECK, patch=patch)
    run.wait_until_blocked("ty")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 143
    assert [*run.temporary.iterdir()] == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_ignored(number: int, run: Run) -> None:
    """A signal that is ignored, as under `nohup`, remains ignored."""
    run.write_checker("print('[]')")
    patch = f"signal.signal({int(number)}, signal.SIG_IGN)\n{POINT}\n"
    patch += f"point(tempfile, 'mkdtemp', {int(number)}, 'after', 1)\n"
    process = run.start(*CHECK, patch=patch)
    process.communicate(timeout=60)
    assert process.returncode == 2
    assert [*run.temporary.iterdir()] == []
