from __future__ import annotations

import pytest

from backend_contract import BackendStartError, ContractError, RegistryError
from backend_contract.clauses import CLAUSES
from backend_contract.errors import CouldNotCheckError

ERRORS = [ContractError, BackendStartError, RegistryError, CouldNotCheckError]


@pytest.mark.parametrize("kind", ERRORS)
def test_with_clause(kind: type[ContractError]) -> None:
    """An error about a clause carries it, and its message starts with the id."""
    error = kind("no such parameter", clause=CLAUSES["BC501"])
    assert str(error) == "BC501: no such parameter"
    assert error.clause is CLAUSES["BC501"]


@pytest.mark.parametrize("kind", ERRORS)
def test_without_clause(kind: type[ContractError]) -> None:
    """An error about something else has only the message."""
    error = kind("no such class")
    assert str(error) == "no such class"
    assert error.clause is None


@pytest.mark.parametrize("kind", ERRORS)
def test_base_class(kind: type[ContractError]) -> None:
    """`except ContractError` catches every error of the package."""
    assert issubclass(kind, ContractError)


def test_clause_by_keyword() -> None:
    """The clause cannot be given by position."""
    with pytest.raises(TypeError, match="positional"):
        ContractError("no such parameter", CLAUSES["BC501"])  # type: ignore[call-arg]  # on purpose
