"""The errors of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend_contract._compat import TypeAliasType

if TYPE_CHECKING:
    from backend_contract.clauses import Clause  # noqa: F401 - named in the alias below

__all__ = [
    "BackendStartError",
    "BackendStopError",
    "ContractError",
    "CouldNotCheckError",
    "RegistryError",
]

# Loading the table takes a tenth of this package's import time: it is loaded with the first error.
ClauseType = TypeAliasType("ClauseType", "Clause")


class ContractError(Exception):
    """Base class of this package's errors.

    ``clause`` is the clause of the contract that was violated; its id starts the message. It is
    ``None`` if the error is about something else, such as a class that was not found. Invalid
    arguments raise the built-in :class:`TypeError` or :class:`ValueError` instead.
    """

    clause: ClauseType | None

    def __init__(self, message: str, *, clause: ClauseType | None = None) -> None:
        super().__init__(message if clause is None else f"{clause.id}: {message}")
        self.clause = clause


class BackendStartError(ContractError):
    """Raised when a backend was not started for a reason other than an exception of ``start``.

    ``start`` returned without effect, is ``async``, did not end in time, or could not be called.
    """


class BackendStopError(ContractError):
    """Raised when a backend was not stopped for a reason other than an exception of ``stop``.

    ``stop`` returned without effect, is ``async``, did not end in time, or could not be called.
    """


class RegistryError(ContractError):
    """Raised when a registry rejects a class, a name or a list of backends."""


class CouldNotCheckError(ContractError):
    """Raised when a check reaches no verdict. The one-line message says why and what to do."""


def class_name(cls: type) -> str:
    """Return module and qualified name, which tell a class from its namesakes in messages."""
    return type.__repr__(cls)[8:-2]  # a metaclass may answer for its classes
