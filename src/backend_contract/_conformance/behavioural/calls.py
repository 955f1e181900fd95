"""Calling a backend's members: in threads that can be given up, with failures described."""

from __future__ import annotations

import concurrent.futures
import gc
import os
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Generic, TypeVar

T = TypeVar("T")

_OWN_PACKAGE = str(Path(__file__).parents[2]) + os.sep
_STANDARD_LIBRARY = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))


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

    def reaches(self, event: threading.Event) -> bool:
        """Wait for *event*, or until the call has ended; return whether *event* is set."""
        while not event.wait(0.01) and not self.ended_within(0):
            pass
        return event.is_set()

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
    """Return type and message of an exception on one line, and the author's line it came from."""
    text = " ".join(str(error).split())
    name = type(error).__qualname__
    frames = traceback.extract_tb(error.__traceback__)
    line = _line_of_author([(frame.filename, frame.lineno or 0) for frame in frames])
    place = f" ({Path(line[0]).name}:{line[1]})" if line else ""
    return (f"{name}: {text}" if text else name)[:300] + place


def describe_cause(error: BaseException) -> str:
    """Return :func:`describe_exception` of the first cause of *error*, or ``""`` without one."""
    seen = [error]
    while (cause := _cause_of(seen[-1])) is not None and cause not in seen:
        seen.append(cause)
    return describe_exception(seen[-1]) if len(seen) > 1 else ""


def _cause_of(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _line_of_author(frames: Sequence[tuple[str, int]]) -> tuple[str, int] | None:
    """Return the innermost of *frames* that the author of the backend can change, if any.

    A frame of an installed package counts only if no other does, and if it is of the package that
    the kit has called.
    """
    frames = [frame for frame in frames if is_of_author(frame[0], installed=True)]
    own = [frame for frame in frames if is_of_author(frame[0])]
    if frames and not own:
        called = _installed_package(frames[0][0])
        own = [frame for frame in frames if _installed_package(frame[0]) == called]
    return own[-1] if own else None


def is_of_author(file: str, *, installed: bool = False) -> bool:
    """Return whether *file* is neither of the standard library nor of this package.

    Nor may it be of an installed package, unless *installed* is true.
    """
    if file.startswith(("<", _OWN_PACKAGE)):  # generated code is in no file
        return False
    if _installed_package(file):
        return installed
    return not file.startswith(_STANDARD_LIBRARY)


def _installed_package(file: str) -> str:
    """Return the directory in ``site-packages`` that *file* is below, or ``""``."""
    parts = Path(file).parts
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            return str(Path(*parts[: parts.index(folder) + 2]))
    return ""


def is_call_error(error: BaseException) -> bool:
    """Return whether the call itself failed to bind, rather than something inside it."""
    frames = error.__traceback__
    return isinstance(error, TypeError) and frames is not None and frames.tb_next is None


_OWN_DIRECTORY = str(Path(__file__).parent)
_WAITING_MODULES = ("threading.py", "thread.py", "_base.py")


_no_collection = threading.Lock()


def current_frames() -> dict[int, FrameType]:
    """Return the frame that each thread is in, by the thread's identifier."""
    # A garbage collection in the middle of it is a deadlock before 3.11.8 and 3.12.2 (gh-106883).
    with _no_collection:
        was_enabled = gc.isenabled()
        try:
            gc.disable()
            # Private by name, but documented; faulthandler only writes to files.
            return sys._current_frames()  # pyright: ignore[reportPrivateUsage]
        finally:
            if was_enabled:
                gc.enable()


def format_stack(thread: threading.Thread) -> str:
    """Return the stack of *thread* from the first frame outside this package, or ``""``."""
    frame = current_frames().get(thread.ident or 0)
    if frame is None:
        return ""
    frames = traceback.extract_stack(frame)
    while frames and (
        frames[0].filename.startswith(_OWN_DIRECTORY)
        or Path(frames[0].filename).name in _WAITING_MODULES
    ):
        del frames[0]
    if not frames:
        return ""
    return f"thread {thread.name!r}:\n" + "".join(traceback.format_list(frames)).rstrip()
