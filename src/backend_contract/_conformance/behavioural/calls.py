"""Calling a backend's members: in threads that can be given up, with failures described."""

from __future__ import annotations

import concurrent.futures
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

__all__ = [
    "AbandonedError",
    "WorkerCall",
    "describe_exception",
    "end_if_forked",
    "format_stack",
    "is_call_error",
]

T = TypeVar("T")


class AbandonedError(Exception):
    """Raised in whatever still waits for a call after its trial has ended."""


class WorkerCall(Generic[T]):
    """A call in a new daemon thread, which does not keep the interpreter alive."""

    def __init__(self, function: Callable[[], T], name: str) -> None:
        self._function = function
        self._future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._process: int = os.getpid()
        self.thread: threading.Thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        set_outcome: Callable[[], None]
        try:
            set_outcome = partial(self._future.set_result, self._function())
        except BaseException as error:  # a backend may raise SystemExit; `result` re-raises it
            set_outcome = partial(self._future.set_exception, error)
        end_if_forked(self._process)
        with suppress(concurrent.futures.InvalidStateError):  # abandoned in the meantime
            set_outcome()

    def ended_within(self, seconds: float) -> bool:
        """Wait up to *seconds*, and return whether the call has returned or raised."""
        return bool(concurrent.futures.wait([self._future], seconds).done)

    def result(self) -> T:
        """Wait for the call, and return what it returns or raise what it raises."""
        return self._future.result()

    def abandon(self) -> None:
        """Make ``result`` raise :class:`AbandonedError` instead of waiting any longer."""
        with suppress(concurrent.futures.InvalidStateError):  # the call has ended
            self._future.set_exception(AbandonedError())


def end_if_forked(process: int) -> None:
    """End this process unless it is *process*: the backend has forked, and this is the child."""
    if os.getpid() != process:  # pragma: no cover - ends without reporting coverage
        os._exit(0)


def describe_exception(error: BaseException) -> str:
    """Return type, message and place of an exception, on one line."""
    text = " ".join(str(error).split())
    name = type(error).__qualname__
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return (f"{name}: {text}" if text else name)[:300] + place


def is_call_error(error: BaseException) -> bool:
    """Return whether the call itself failed to bind, rather than something inside it."""
    frames = error.__traceback__
    return isinstance(error, TypeError) and frames is not None and frames.tb_next is None


_OWN_DIRECTORY = str(Path(__file__).parent)
_WAITING_MODULES = ("threading.py", "thread.py", "_base.py")


def format_stack(thread: threading.Thread) -> str:
    """Return the stack of *thread* from the first frame outside this package, or ``""``."""
    # Private by name, but documented; faulthandler only writes to files.
    frame = sys._current_frames().get(thread.ident or 0)  # pyright: ignore[reportPrivateUsage]
    if frame is None:
        return ""
    frames = traceback.extract_stack(frame)
    first = next((n for n, f in enumerate(frames) if _is_foreign(f.filename)), None)
    if first is None:
        return ""
    return f"thread {thread.name!r}:\n" + "".join(traceback.format_list(frames[first:])).rstrip()


def _is_foreign(file: str) -> bool:
    return not file.startswith(_OWN_DIRECTORY) and Path(file).name not in _WAITING_MODULES
