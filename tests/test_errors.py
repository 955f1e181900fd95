from __future__ import annotations

import pytest

from backend_contract import ContractError
from backend_contract.clauses import CLAUSES


def test_an_error_about_a_clause_opens_with_its_id_and_carries_it() -> None:
    clause = CLAUSES["BC501"]
    error = ContractError("no such parameter", clause=clause)
    assert str(error) == "BC501: no such parameter"
    assert error.clause is clause


def test_an_error_about_something_else_says_just_that() -> None:
    error = ContractError("no such class")
    assert str(error) == "no such class"
    assert error.clause is None


def test_the_clause_is_named_where_it_is_given() -> None:
    with pytest.raises(TypeError, match="positional"):
        ContractError("no such parameter", CLAUSES["BC501"])  # type: ignore[call-arg]  # on purpose
