"""The progress line on a terminal, without waiting for a clock."""

from __future__ import annotations

import io
import sys
import threading
import time

import pytest

from backend_contract._conformance.cli.streams import show_progress


class Terminal(io.StringIO):
    """Standard error, which may be a terminal."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


class Clock(threading.Event):
    """An event whose waits with a timeout return at once, until the third one."""

    third_wait: threading.Event

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:  # a wait of `threading` itself
            return super().wait()
        assert 0 < timeout <= 1  # no second is skipped
        self.waits = getattr(self, "waits", 0) + 1
        if self.waits < 3:
            return False
        self.third_wait.set()
        return super().wait(60)


LINE = "\r\x1b[K\x1b[?7lmypy: checking 1 target ({} s)\x1b[?7h"  # cut off, not wrapped
ERASED = "\r\x1b[K"


@pytest.mark.parametrize("fails", [False, True], ids=["ends", "fails"])
@pytest.mark.parametrize("changes", [False, True], ids=["text", "function"])
def test_terminal(fails: bool, changes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows the elapsed seconds; at the end the line and the thread are gone."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal(is_terminal=True))
    Clock.third_wait = threading.Event()
    before = set(threading.enumerate())
    test, event, monotonic = threading.current_thread(), threading.Event, time.monotonic

    def of_others() -> bool:
        return threading.current_thread() in before - {test}

    monkeypatch.setattr(threading, "Event", lambda: event() if of_others() else Clock())
    times = iter([100.0, 100.4, 101.6, 250.0])
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() if of_others() else next(times))
    shown = "".join(LINE.format(seconds) for seconds in (0, 2, 150))
    text = "mypy: checking 1 target"
    texts = iter([f"{text}, and ty", text, text])
    if changes:
        shown = shown.replace(text, f"{text}, and ty", 1)
    try:
        with show_progress((lambda: next(texts)) if changes else (lambda: text)):
            assert Clock.third_wait.wait()
            assert terminal.getvalue() == shown
            (thread,) = set(threading.enumerate()) - before
            assert thread.daemon  # does not keep the process from ending
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails
    assert terminal.getvalue() == shown + ERASED
    assert not thread.is_alive()


@pytest.mark.parametrize("is_terminal", [False, True])
def test_no_terminal(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a pipe or a terminal without escape sequences receives nothing; no thread starts."""
    monkeypatch.setattr(sys, "stderr", file := Terminal(is_terminal=is_terminal))
    monkeypatch.setenv("TERM", "dumb" if is_terminal else "xterm")
    before = threading.enumerate()
    with show_progress(lambda: "mypy: checking 1 target"):
        assert threading.enumerate() == before
    assert file.getvalue() == ""
