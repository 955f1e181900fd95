"""Standard output and standard error, either of which may be closed, full or without a reader.

On a terminal, a line of standard error shows what is running, and for how long.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import IO


def open_streams() -> None:
    """Replace the streams that were closed when this process started.

    Output to a closed standard output fails, instead of ending in a file or a pipe that is opened
    later. Output to a closed standard error is lost. Any other character than the encoding of a
    stream has is escaped: a path may contain any.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:  # closed: the next descriptor has this number
            os.set_inheritable(os.open(os.devnull, flags), True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_error(problem: object) -> None:
    """Print a problem on one line of standard error."""
    from backend_contract._conformance.formats.common import printable

    write_error(f"backend-contract: error: {printable(problem)}\n")


def write_error(text: str) -> None:
    """Write *text* to standard error, if that is possible."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        discard(sys.stderr)


def discard(stream: IO[str]) -> None:
    """Discard what is written to *stream*, so that the interpreter does not fail to flush it."""
    with suppress(OSError, ValueError):  # it has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


INTERVAL = 0.5
"""Seconds between two updates."""


@contextmanager
def show_progress(text: Callable[[], str]) -> Generator[None, None, None]:
    """Show a text and the elapsed seconds on a line, and erase it afterwards.

    *text* is called for each update. Writes to standard error if that is a terminal, and nowhere
    otherwise. The terminal cuts off what does not fit on the line.
    """
    from backend_contract._conformance.formats.common import is_terminal, printable

    if not is_terminal(sys.stderr):
        yield
        return
    import threading
    from time import monotonic

    done = threading.Event()
    start = monotonic()

    def show() -> None:
        while True:
            shown = printable(text())
            write_error(f"\r\x1b[K\x1b[?7l{shown} ({monotonic() - start:.0f} s)\x1b[?7h")
            if done.wait(INTERVAL):
                return

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        write_error("\r\x1b[K")
