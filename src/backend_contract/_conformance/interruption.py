"""Child processes and temporary directories that are removed if a signal ends the command.

A signal that ends the command does not raise an exception: Python discards one that is raised in a
callback, and a second signal would interrupt the cleanup after the first. The handler itself kills
the processes, removes the directories, and ends this process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

_processes: dict[subprocess.Popen[str], bool] = {}
"""The processes, and whether each ends its children itself after SIGTERM."""
_directories: set[Path] = set()
_stopped = threading.Event()
_changing = threading.Lock()
"""Held while a process or a directory is created or removed; for good, once a signal arrived."""


class _MainThread:
    """The state of the thread in which Python calls signal handlers."""

    is_changing = False
    """Whether a signal has to wait, because this thread creates or removes something."""
    arrived: int | None = None
    """A signal that waits."""
    is_ending = False


class StoppedError(Exception):
    """Raised in a thread that starts a process after all were stopped."""


def end_on_signals() -> None:
    """From now on, let Ctrl-C, SIGTERM and SIGHUP end this process, and clean up.

    The exit status is 128 + the number of the signal. A signal that is ignored, as under ``nohup``,
    and one with a handler of its own stay as they are. Has to be called in the main thread.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _handle)


def start(
    command: Sequence[str], *, supervises: bool = False, **options: Any
) -> subprocess.Popen[str]:
    """Start *command* in a session of its own; the caller has to call :func:`terminate`.

    A process that *supervises* others is asked by SIGTERM to end them and itself, instead of being
    killed. The streams are text; *options* are those of :class:`subprocess.Popen`. Thread-safe.
    Raises :class:`StoppedError` between :func:`stop` and :func:`resume`.
    """
    with uninterrupted():
        if _stopped.is_set():
            raise StoppedError
        process: subprocess.Popen[str] = subprocess.Popen(
            command, start_new_session=True, encoding="utf-8", **options
        )
        _processes[process] = supervises
    return process


def stop() -> None:
    """Kill all processes, and start no other until :func:`resume`. Thread-safe."""
    with uninterrupted():
        _stopped.set()
        for process in list(_processes):
            if process.poll() is None:
                _kill(process)


def resume() -> None:
    """Allow processes to be started again."""
    _stopped.clear()


def terminate(process: subprocess.Popen[str]) -> None:
    """Kill a process with its children unless it has ended, and close its pipes."""
    with process:
        if process.poll() is None:
            _kill(process)
    _processes.pop(process, None)


@contextmanager
def temporary_directory() -> Generator[Path, None, None]:
    """Create a temporary directory, and remove it with its content after the block. Thread-safe."""
    import shutil  # mypy starts before these two are loaded
    import tempfile

    with uninterrupted():
        directory = Path(tempfile.mkdtemp(prefix="backend-contract-")).resolve()
        _directories.add(directory)
    try:
        yield directory
    finally:
        with uninterrupted():
            shutil.rmtree(directory)
            _directories.discard(directory)


@contextmanager
def uninterrupted() -> Generator[None, None, None]:
    """Let a signal wait until the end of the block, which has to be short. Not re-entrant."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main:
        _MainThread.is_changing = True
    try:
        with _changing:
            yield
    finally:
        if is_main:
            _MainThread.is_changing = False
            if _MainThread.arrived is not None:
                _end(_MainThread.arrived)


def _handle(number: int, _: FrameType | None) -> None:
    if _MainThread.is_ending:
        return
    if _MainThread.is_changing:
        _MainThread.arrived = number
    else:
        _end(number)


def _end(number: int) -> NoReturn:  # pragma: no cover - ends without reporting coverage
    """Remove everything, and end this process."""
    _MainThread.is_ending = True
    _changing.acquire()  # no other thread creates anything any more
    for process in list(_processes):
        _kill(process)
    for process in list(_processes):
        # Not `process.wait`: the interrupted code may hold its lock.
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    for directory in list(_directories):
        _remove(directory)
    with suppress(OSError):
        if os.isatty(2) and os.environ.get("TERM") != "dumb":
            os.write(2, b"\r\x1b[K")  # the line that shows the progress
    os._exit(128 + number)


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all have ended
        if _processes.get(process):
            os.kill(process.pid, signal.SIGTERM)
        elif hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _remove(directory: Path) -> None:
    """Remove a directory in which another thread may be creating files."""
    import shutil

    renamed = directory.with_name(f"{directory.name}-removed")
    with suppress(OSError):
        directory.rename(renamed)
    shutil.rmtree(renamed, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)
