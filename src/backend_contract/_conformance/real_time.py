"""A clock that keeps running while a test has frozen time, by freezegun or time-machine."""

from __future__ import annotations

import time
from collections.abc import Callable


def monotonic(clock: Callable[[], float] = time.perf_counter) -> float:
    """Return seconds since an arbitrary moment. Leave *clock* out.

    freezegun replaces what modules hold, but not defaults; time-machine leaves this clock alone.
    """
    return clock()
