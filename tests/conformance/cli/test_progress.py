"""What a terminal shows while a checker runs. No clock is waited for."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from backend_contract._conformance.cli.progress import show_progress


class Terminal(io.StringIO):
    """A terminal that knows what has reached it."""

    def __init__(self, is_one: bool = True) -> None:
        super().__init__()
        self.is_one = is_one
        self.reached: list[str] = []

    def isatty(self) -> bool:
        return self.is_one

    def flush(self) -> None:
        self.reached.append(self.getvalue())


class Looks(threading.Event):
    """Is not waited for by the clock: two looks at it go by at once, and the third is the last."""

    intervals: list[float]
    third: threading.Event

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:  # that of a thread, which tells so that it has started
            return super().wait()
        self.intervals.append(timeout)
        if len(self.intervals) < 3:
            return False
        self.third.set()
        return super().wait(60)


@pytest.fixture
def intervals(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each look is away from the next; a clock shows what it is told to."""
    Looks.intervals, Looks.third = [], threading.Event()
    times: Iterator[float] = iter([100.0, 100.4, 101.6, 250.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    monkeypatch.setattr(threading, "Event", Looks)
    return Looks.intervals


SHOWN = "\r\x1b[Kmypy checks, {} s"


@pytest.mark.parametrize("fails", [False, True], ids=["ends", "fails"])
def test_a_terminal_shows_the_seconds_and_is_left_as_it_was(
    fails: bool, intervals: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    before = {*threading.enumerate()}
    own: set[threading.Thread] = set()

    def show() -> None:
        with show_progress("mypy checks"):
            assert Looks.third.wait()
            own.update({*threading.enumerate()} - before)
            assert terminal.reached == [
                "".join(map(SHOWN.format, seconds)) for seconds in ([0], [0, 2], [0, 2, 150])
            ]
            if fails:
                raise ZeroDivisionError

    if fails:
        with pytest.raises(ZeroDivisionError):
            show()
    else:
        show()
    assert terminal.reached[-1] == "".join(map(SHOWN.format, [0, 2, 150])) + "\r\x1b[K"
    (thread,) = own
    assert thread.daemon  # a process that is to end does not wait for it
    assert not thread.is_alive()
    assert all(0 < seconds <= 1 for seconds in intervals)  # so that no second is left out


def test_what_is_no_terminal_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal(is_one=False))
    before = threading.enumerate()
    with show_progress("mypy checks"):
        assert threading.enumerate() == before
    assert (terminal.reached, terminal.getvalue()) == ([], "")
