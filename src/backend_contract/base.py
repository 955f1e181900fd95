"""The base class to inherit when the state, the lock and the defaults shall be there already.

From Caikit's ``caikit.core.module_backends.base.BackendBase``, whose names it keeps: ``config``,
``_started`` and ``_start_lock`` are what subclasses in the field use.
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
    """A :class:`~backend_contract.protocol.Backend` with its state, its lock and its defaults.

    A subclass gives ``backend_type``, ``register_config``, ``start`` and ``stop``; without one of
    them it cannot be instantiated. It calls ``super().__init__(config)`` in a constructor of its
    own.
    """

    config: ConfigType

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Keep ``config``: an ``aconfig.Config`` as the object it is, empty or not.

        Any other mapping becomes an ``aconfig.Config`` of its own, and ``None`` an empty one; no
        environment variable is looked at. Raises :class:`TypeError` for anything else, and for keys
        that are no ``str``.
        """
        self.config = as_config(config)
        self._started = False
        self._start_lock = threading.RLock()

    @property
    def is_started(self) -> bool:
        """Whether the backend can be used now: what ``start`` and ``stop`` wrote last."""
        return self._started

    @abstractmethod
    def register_config(self, config: Mapping[str, Any]) -> None:
        """Merge ``config`` into ``self.config``; an override may do so by ``super()``.

        Mappings merge, other values (lists too) are replaced, later values win. ``self.config`` is
        replaced by a new ``aconfig.Config`` that shares nothing mutable with what was given, and
        nothing given is changed. Concurrent calls are serialised by the start lock.

        Raises :class:`TypeError` where ``config`` is no mapping, or has keys that are no ``str``;
        the configuration then stays as it was.
        """
        with self._start_lock:
            self.config = merged(self.config, config)

    @abstractmethod
    def start(self) -> None:
        """Make the backend usable, and set ``self._started = True`` as the last thing.

        Harmless when it is started already. This body does nothing.
        """
        return None

    @abstractmethod
    def stop(self) -> None:
        """Release what ``start`` took, and set ``self._started = False``.

        Harmless when it is not started. This body does nothing.
        """
        return None

    def start_lock(self) -> AbstractContextManager[object]:
        """The instance's lock: always the same one, and re-entrant.

        ``start``, ``stop`` and ``register_config`` may be called while holding it.
        """
        return self._start_lock

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Learn what a request for ``model_id`` was made with. This one does nothing.

        Called before the model is found and loaded, possibly before ``start``, and from any thread
        (caikit pull request 735).
        """
