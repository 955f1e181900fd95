"""Reading files that a user names, which may be anything."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from backend_contract.errors import CouldNotCheckError

__all__ = ["SIZE_LIMIT", "read_regular_file"]

SIZE_LIMIT = 10_000_000
"""The largest number of bytes that is read from one file."""


def read_regular_file(path: Path, name: str | None = None) -> bytes:
    """Return the content of *path*; errors call it *name*.

    Raises :class:`CouldNotCheckError` if it cannot be read, is larger than 10 MB, or is not a
    regular file: a pipe or a device may block, or be endless.
    """
    name = name or str(path)
    try:
        # Without O_NONBLOCK, opening a pipe waits for its writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:  # noqa: PTH123 - it is open already
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise CouldNotCheckError(f"{name}: is a directory; expected a file")
            if not stat.S_ISREG(mode):
                raise CouldNotCheckError(f"{name}: is not a regular file")
            content = file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CouldNotCheckError(f"{name}: {reason}") from None
    if len(content) > SIZE_LIMIT:
        raise CouldNotCheckError(f"{name}: is larger than {SIZE_LIMIT // 1_000_000} MB")
    return content
