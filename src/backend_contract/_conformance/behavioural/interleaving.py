"""Stopping a thread between two lines of a backend, to see what others can do meanwhile."""

from __future__ import annotations

import opcode
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

_PACKAGE = str(Path(__file__).parents[2])
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")
_STORES = {"STORE_ATTR", "STORE_SUBSCR", "STORE_GLOBAL", "STORE_DEREF"}


class Pause:
    """Stops the thread that runs a function at the point of a number, until it may go on.

    The points are lines, or with ``"opcode"`` changes of what threads may share. Each counts once,
    and none of this package or of the standard library.
    """

    def __init__(self, number: int, go_on: threading.Event, event: str = "line") -> None:
        self.reached = threading.Event()
        self.go_on = go_on
        self.points = set[object]()
        """The points that the thread has reached."""
        self._number = number
        self._event = event

    @property
    def is_past(self) -> bool:
        """Whether the thread has been stopped."""
        return len(self.points) >= self._number

    def run(self, function: Callable[[], None]) -> None:
        """Call *function* in this thread."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            function()
        finally:
            sys.settrace(before)

    def end(self) -> None:
        """Count no further points of this thread."""
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if _is_of_others(code.co_filename):
            return None
        frame.f_trace_opcodes = self._event == "opcode"
        at = frame.f_lineno if event == "line" else frame.f_lasti
        if event == self._event and (event == "line" or opcode.opname[code.co_code[at]] in _STORES):
            self.points.add((code, at))
        if self.is_past and not self.reached.is_set():
            self.reached.set()
            self.go_on.wait()
        return self._trace


def _is_of_others(file: str) -> bool:
    if file.startswith((_PACKAGE, "<frozen")):
        return True
    return file.startswith(_STANDARD_LIBRARY) and "-packages" not in file
