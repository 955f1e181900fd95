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

__all__ = ["Backend", "BackendFactory", "ConfigType", "conforms"]

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


class BackendFactory(Protocol):
    """Anything that creates a :class:`Backend`: a backend class above all.

    This is what a runtime holds before there is an instance. It is callable with no argument, with
    ``None`` and with one positional ``aconfig.Config`` (clause BC201).
    """

    def __call__(self, config: ConfigType | None = None, /) -> Backend:
        """Return a new backend that is not started."""
        ...


FactoryT = TypeVar("FactoryT", bound=BackendFactory)


def conforms(cls: FactoryT) -> FactoryT:
    """Declare that a class is a :class:`BackendFactory`, and return it unchanged.

    A type checker then reports mismatches of members and constructor where the class is defined; at
    run time nothing is checked. The contract requires more, such as the name on the class (BC102):
    ``backend-contract check`` is the authority.
    """
    return cls
