"""The contract between a runtime and the backends that run its models.

A runtime is a model server, such as Caikit. A backend runs models for it: in the same process, on a
text-generation server, on a cluster. The runtime creates a backend with a configuration, registers
further settings, starts it once, passes it the context of every request and stops it at the end,
without knowing which kind it is.

:class:`Backend` is *what a runtime accepts*: any class with these members, whether or not it
imports this package. To inherit state, a lock and default behaviour instead of writing them, use
:class:`~backend_contract.BackendBase`. The rules behind the signatures, the constructor's included,
are the clauses in :mod:`backend_contract.clauses`; ``backend-contract check`` and
:mod:`backend_contract.testing` verify them.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from backend_contract._compat import TypeAliasType
from backend_contract.runtime_context import RuntimeServerContextType

if TYPE_CHECKING:
    import aconfig  # noqa: F401 - named in the alias below

__all__ = ["Backend", "ConfigType", "conforms"]

ConfigType = TypeAliasType("ConfigType", "aconfig.Config")
"""``aconfig.Config``, behind an alias so that aconfig (and yaml) load only when they are used."""


@runtime_checkable
class Backend(Protocol):
    """A backend, as a runtime sees it.

    Every member is synchronous and may be called from any thread.
    """

    @property
    @abstractmethod
    def backend_type(self) -> str:
        """The upper-case name of this kind of backend. Reads the same on the class."""

    @property
    @abstractmethod
    def is_started(self) -> bool:
        """Whether the backend can be used. ``True`` only after ``start`` has done its work."""

    @abstractmethod
    def register_config(self, config: ConfigType) -> None:
        """Merge *config* into the configuration. May be called repeatedly before ``start``.

        Raises :class:`NotImplementedError` in every call if the backend has no dynamic
        configuration.
        """

    @abstractmethod
    def start(self) -> None:
        """Start the backend. Does nothing if already started; can be retried after a failure."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the backend and release its resources. Does nothing if not started.

        A stopped backend can be started again.
        """

    @abstractmethod
    def start_lock(self) -> AbstractContextManager[object]:
        """Return the lock, one per backend, under which a runtime decides whether to start it."""

    @abstractmethod
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Receive the context of a request for *model_id*. May be called before ``start``."""


BackendT = TypeVar("BackendT", bound=Backend)


def conforms(cls: type[BackendT]) -> type[BackendT]:
    """Declare that a class is a :class:`Backend`, and return it unchanged.

    A type checker then reports mismatches where the class is defined; at run time nothing is
    checked. This covers assignability to the Protocol, which is less than the contract: neither the
    class-level name (BC102) nor the constructor (BC201). ``backend-contract check`` is the
    authority.
    """
    return cls
