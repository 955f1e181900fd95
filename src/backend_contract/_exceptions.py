"""Groups of exceptions and notes on them, for every interpreter this package supports.

Below Python 3.11 the groups are those of the ``exceptiongroup`` backport, which is loaded when the
first one is made.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["add_note", "grouped"]


def grouped(message: str, failures: Sequence[BaseException]) -> BaseException:
    """An ``ExceptionGroup``; a ``BaseExceptionGroup`` where one of ``failures`` asks for that."""
    if sys.version_info < (3, 11):
        from exceptiongroup import BaseExceptionGroup
    else:
        from builtins import BaseExceptionGroup
    return BaseExceptionGroup(message, failures)


def add_note(failure: BaseException, note: str) -> None:
    """Add a line to what is printed of ``failure``; once, however often it is raised."""
    notes: list[str] = getattr(failure, "__notes__", [])
    if note not in notes:
        failure.__dict__["__notes__"] = [*notes, note]  # Python 3.10 has no add_note
