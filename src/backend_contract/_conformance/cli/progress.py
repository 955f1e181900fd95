"""A line on the terminal that shows what is running, and for how long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

__all__ = ["show_progress"]

INTERVAL = 0.5
"""Seconds between two updates."""


@contextmanager
def show_progress(text: str | Callable[[], str]) -> Generator[None, None, None]:
    """Show *text* and the elapsed seconds on a line, and erase it afterwards.

    *text* may be a function, which is called for each update.

    Writes to standard error if that is a terminal, and nowhere otherwise.
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
            shown = text if isinstance(text, str) else text()
            print(f"\r\x1b[K{shown} ({monotonic() - start:.0f} s)", end="", file=sys.stderr)
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
