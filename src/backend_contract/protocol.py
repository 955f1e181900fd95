"""The contract a runtime has with the backends that run its models.

:class:`Backend` is *what a runtime accepts*: any class with these members, whether or not it has
heard of this package. To inherit the state, the lock and the defaults instead of writing them, see
:class:`~backend_contract.base.BackendBase`. The rules behind the signatures are the clauses in
:mod:`backend_contract.clauses`.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from backend_contract._typing import TypeAliasType
from backend_contract.runtime_context import RuntimeServerContextType

if TYPE_CHECKING:
    import aconfig  # noqa: F401 - named in the alias below

__all__ = ["Backend", "ConfigType", "conforms"]

ConfigType = TypeAliasType("ConfigType", "aconfig.Config")
"""``aconfig.Config``, behind an alias so that aconfig (and yaml) load only when they are used."""


@runtime_checkable
class Backend(Protocol):
    """A backend, as a runtime sees it. Every member is synchronous and called from any thread."""

    @property
    @abstractmethod
    def backend_type(self) -> str:
        """The upper-case name of this kind of backend; it reads the same on the class."""

    @property
    @abstractmethod
    def is_started(self) -> bool:
        """Whether the backend can be used now. ``True`` only once ``start`` has done its work."""

    @abstractmethod
    def register_config(self, config: ConfigType) -> None:
        """Merge ``config`` into the configuration; called any number of times before ``start``.

        Raises :class:`NotImplementedError`, every time, in a backend without dynamic configuration.
        """

    @abstractmethod
    def start(self) -> None:
        """Make the backend usable; harmless when it is started. A failed start may be repeated."""

    @abstractmethod
    def stop(self) -> None:
        """Release what ``start`` took; harmless when it is not started. It can be started again."""

    @abstractmethod
    def start_lock(self) -> AbstractContextManager[object]:
        """The lock, one a backend, under which a runtime decides whether to start it."""

    @abstractmethod
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Learn what a request for ``model_id`` was made with; possibly before ``start``."""


BackendClass = TypeVar("BackendClass", bound=Backend)


def conforms(cls: type[BackendClass]) -> type[BackendClass]:
    """Declare, where a class is written, that it is a :class:`Backend`. Returns ``cls`` unchanged.

    A type checker then reports at the class what does not fit; at run time nothing is checked. It
    sees what assignability to the Protocol shows, which is less than the contract (not the class
    level of BC102, not the constructor of BC201): ``backend-contract check`` is the authority.
    """
    return cls
