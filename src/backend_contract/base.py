"""Optional base class providing state, a lock and default behaviour.

Follows Caikit's ``caikit.core.module_backends.base.BackendBase`` and keeps its names: subclasses in
the field use ``config``, ``_started`` and ``_start_lock``.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from backend_contract._config import as_config, merged
from backend_contract.protocol import Backend, ConfigType
from backend_contract.runtime_context import RuntimeServerContextType

__all__ = ["BackendBase"]


class _NamedOnTheClass(Protocol):
    """Lets a subclass write ``backend_type = "X"``, plainly or as ``ClassVar``, in any checker."""

    backend_type: ClassVar[str]


# The Protocol only promises that `backend_type` can be read; here it is a class variable as well.
class BackendBase(_NamedOnTheClass, Backend, ABC):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A :class:`~backend_contract.Backend` with state, a lock and default behaviour.

    A subclass defines ``backend_type``, ``register_config``, ``start`` and ``stop``; it cannot be
    instantiated without them. If it overrides ``__init__``, it calls ``super().__init__(config)``.
    """

    config: ConfigType

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Store *config*.

        An ``aconfig.Config`` is kept as the object it is, empty or not. Any other mapping becomes a
        new ``aconfig.Config``, and ``None`` an empty one; environment variables are ignored.

        Raises :class:`TypeError` if *config* is not a mapping or has non-string keys.
        """
        self.config = as_config(config)
        self._started = False
        self._start_lock = threading.RLock()

    @property
    def is_started(self) -> bool:
        """Whether the backend can be used: the value that ``start`` or ``stop`` set last."""
        return self._started

    @abstractmethod
    def register_config(self, config: ConfigType) -> None:
        """Merge *config* into ``self.config``. An override may call it by ``super()``.

        Mappings are merged, other values (lists too) are replaced, and later values win.
        ``self.config`` is replaced by a new ``aconfig.Config`` that shares no mutable part with
        *config*, and *config* is not changed. Concurrent calls are serialized by the start lock.

        Raises :class:`TypeError` if *config* is not a mapping or has non-string keys; the
        configuration is then unchanged.
        """
        with self._start_lock:
            self.config = merged(self.config, config)

    @abstractmethod
    def start(self) -> None:
        """Start the backend, and set ``self._started = True`` last.

        An override does nothing if already started. The body here does nothing at all.
        """
        return None

    @abstractmethod
    def stop(self) -> None:
        """Stop the backend, release its resources, and set ``self._started = False``.

        An override does nothing if not started. The body here does nothing at all.
        """
        return None

    def start_lock(self) -> AbstractContextManager[object]:
        """Return the lock of this instance: always the same one, and re-entrant.

        ``start``, ``stop`` and ``register_config`` may be called while holding it.
        """
        return self._start_lock

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Receive the context of a request for *model_id*. The body here does nothing.

        Called from any thread, before the model is found and loaded and possibly before ``start``
        (caikit pull request 735).
        """
