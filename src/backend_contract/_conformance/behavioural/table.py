"""The table of behavioural checks: for each clause of layer B, the function that tries it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backend_contract._conformance.behavioural.trial import Trial

__all__ = ["BEHAVIOURS", "Behaviour", "tries"]


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a clause is tried, and how to see a violation without the kit."""

    clause: str
    function: Callable[[Trial], None]
    """Returns if the clause holds, and otherwise raises a ``StopTrial``."""
    reproduce: str
    """Python code that raises, or hangs, if the result of ``make()`` violates the clause."""
    after: tuple[str, ...] = ()
    """Clauses to decide first, whatever their verdict."""


BEHAVIOURS: dict[str, Behaviour] = {}
"""The behaviours by clause id."""


def tries(
    clause: str, reproduce: str, after: tuple[str, ...] = ()
) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Add a function to the table. The arguments are the fields of :class:`Behaviour`."""

    def add(function: Callable[[Trial], None]) -> Callable[[Trial], None]:
        BEHAVIOURS[clause] = Behaviour(
            clause=clause, function=function, reproduce=reproduce, after=after
        )
        return function

    return add
