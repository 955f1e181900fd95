"""Whether backends are ready, answered within a second whatever they do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from backend_contract.protocol import Backend

_PATIENCE = 1.0
"""Seconds after which a backend that does not answer counts as not started."""

_INTERVAL = 1.0
"""Seconds between two readings for watchers."""


class Readiness:
    """Whether there is a backend and all are started. Thread-safe."""

    def __init__(self, backends: Iterable[Backend]) -> None:
        self._backends = tuple(backends)
        self._lock = threading.Lock()
        self._reading: _Reading | None = None

    def is_ready(self) -> bool:
        """Read ``is_started`` of every backend, and return whether all are started.

        Returns within a second. A backend whose ``is_started`` raises or does not answer counts as
        not started; while it does not answer, it is not asked again.
        """
        with self._lock:
            if self._reading is None or self._reading.has_ended.is_set():
                self._reading = _Reading(self._backends)
            reading = self._reading
        return reading.has_ended.wait(_PATIENCE) and reading.all_started


class _Reading:
    """One look at all backends, in a daemon thread."""

    def __init__(self, backends: tuple[Backend, ...]) -> None:
        self.all_started = False
        self.has_ended = threading.Event()
        self._backends = backends
        threading.Thread(target=self._read, name="backend_contract", daemon=True).start()

    def _read(self) -> None:
        try:
            started = [backend.is_started is True for backend in self._backends]
            self.all_started = bool(started) and all(started)
        finally:
            self.has_ended.set()


class Watchers:
    """Functions that are called at each change of a readiness. Thread-safe.

    One thread reads it, and only while there are any.
    """

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._lock = threading.Lock()
        self._told: dict[Callable[[bool], None], bool | None] = {}
        self._has_thread = False
        self._wake = threading.Event()

    def add(self, tell: Callable[[bool], None]) -> None:
        """Call *tell* with the readiness now, and with each change, in another thread."""
        with self._lock:
            self._told[tell] = None
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._run, name="backend_contract", daemon=True).start()
        self._wake.set()

    def remove(self, tell: Callable[[bool], None]) -> None:
        """Stop calling *tell*. Idempotent; does not wait for a call that is under way."""
        with self._lock:
            self._told.pop(tell, None)
            is_last = not self._told
        if is_last:
            self._wake.set()

    def _run(self) -> None:
        while told := self._copy_or_end():
            is_ready = self._readiness.is_ready()
            for tell, before in told.items():
                if before is not is_ready:
                    tell(is_ready)  # without the lock: grpcio waits for the thread of `remove`
                    with self._lock:
                        if tell in self._told:
                            self._told[tell] = is_ready
            self._wake.wait(_INTERVAL)
            self._wake.clear()

    def _copy_or_end(self) -> dict[Callable[[bool], None], bool | None]:
        with self._lock:
            self._has_thread = bool(self._told)
            return dict(self._told)
