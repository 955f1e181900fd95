"""Every clause of layer B with the function that tries it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from backend_contract.conformance.trial import Trial

__all__ = ["BEHAVIOURS", "Behaviour", "tries"]


class Behaviour(NamedTuple):
    """How a clause is tried, and how somebody sees it broken without the kit."""

    clause: str
    function: Callable[[Trial], None]
    reproduce: str
    """Python that raises, or does not end, where what ``make()`` gives breaks the clause."""
    after: tuple[str, ...]
    """Clauses that are decided first, whatever is decided."""


BEHAVIOURS: dict[str, Behaviour] = {}
"""Every clause of layer B, by its id."""


def tries(
    clause: str, reproduce: str, after: tuple[str, ...] = ()
) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Put a function into the table; its arguments are the fields of :class:`Behaviour`."""

    def add(function: Callable[[Trial], None]) -> Callable[[Trial], None]:
        BEHAVIOURS[clause] = Behaviour(clause, function, reproduce, after)
        return function

    return add
