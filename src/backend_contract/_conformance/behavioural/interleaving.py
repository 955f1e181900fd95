"""Stopping a thread between two lines of a backend, to see what others can do meanwhile."""

from __future__ import annotations

import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["LinePause"]

_PACKAGE = str(Path(__file__).parents[2])
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")


class LinePause:
    """Stops the thread that runs a function before the line of a number, until it may go on.

    Lines of this package and of the standard library are not counted.
    """

    def __init__(self, number: int, go_on: threading.Event) -> None:
        self.lines = 0
        """The number of lines that the thread has reached."""
        self.reached = threading.Event()
        self._number = number
        self._go_on = go_on

    def run(self, function: Callable[[], None]) -> None:
        """Call *function* in this thread."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            function()
        finally:
            sys.settrace(before)

    def end(self) -> None:
        """Count no further lines of this thread."""
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if _is_of_others(frame.f_code.co_filename):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self._number:
                self.reached.set()
                self._go_on.wait()
        return self._trace


def _is_of_others(file: str) -> bool:
    if file.startswith((_PACKAGE, "<frozen")):
        return True
    return file.startswith(_STANDARD_LIBRARY) and "-packages" not in file
