"""The errors of this package."""

from __future__ import annotations

from backend_contract.clauses import Clause

__all__ = ["BackendStartError", "ContractError", "RegistryError"]


class ContractError(Exception):
    """Base of the errors this package raises of its own.

    ``clause`` is the clause of the contract that was broken, or ``None`` where the error is about
    something else (a class that cannot be found, say). A clause's id opens the message. Wrong
    arguments raise the built-in :class:`TypeError` instead.
    """

    clause: Clause | None

    def __init__(self, message: str, *, clause: Clause | None = None) -> None:
        super().__init__(message if clause is None else f"{clause.id}: {message}")
        self.clause = clause


class BackendStartError(ContractError):
    """``start`` returned, and the backend is not started."""


class RegistryError(ContractError):
    """A class that a registry refuses, a name it does not know, or a list it cannot configure."""
