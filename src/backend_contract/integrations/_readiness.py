"""Whether backends are ready, answered within a second whatever they do."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from backend_contract.protocol import Backend

__all__ = ["Readiness"]

_PATIENCE = 1.0
"""Seconds after which a backend that does not answer counts as not started."""


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
