"""Standard output and standard error, either of which may be closed, full or without a reader."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import IO

__all__ = ["discard", "open_streams", "print_error", "write_error"]


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
