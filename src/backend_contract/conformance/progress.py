"""Which checker runs, and for how long: on a terminal, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["showing"]

INTERVAL = 0.5
"""Seconds from one look at the clock to the next."""


@contextmanager
def showing(text: str) -> Generator[None, None, None]:
    """Show ``text`` and the seconds it takes on a line of the terminal, which is then erased.

    Standard error is written to; where that is no terminal, nothing is.
    """
    if not sys.stderr.isatty():
        yield
        return
    import threading
    from time import monotonic

    done = threading.Event()
    start = monotonic()

    def show() -> None:
        while True:
            print(f"\r\x1b[K{text}, {monotonic() - start:.0f} s", end="", file=sys.stderr)
            sys.stderr.flush()
            if done.wait(INTERVAL):
                return

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
