"""The errors of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend_contract._typing import TypeAliasType

if TYPE_CHECKING:
    from backend_contract.clauses import Clause  # noqa: F401 - named in the alias below

__all__ = ["BackendStartError", "ContractError", "RegistryError"]

# The table is a tenth of what the import of this package takes: it is loaded with the first error.
ClauseType = TypeAliasType("ClauseType", "Clause")


class ContractError(Exception):
    """Base of the errors this package raises of its own.

    ``clause`` is the clause of the contract that was broken, or ``None`` where the error is about
    something else (a class that cannot be found, say). A clause's id opens the message. Wrong
    arguments raise the built-in :class:`TypeError` instead.
    """

    clause: ClauseType | None

    def __init__(self, message: str, *, clause: ClauseType | None = None) -> None:
        super().__init__(message if clause is None else f"{clause.id}: {message}")
        self.clause = clause


class BackendStartError(ContractError):
    """``start`` returned, and the backend is not started."""


class RegistryError(ContractError):
    """A class that a registry refuses, a name it does not know, or a list it cannot configure."""
