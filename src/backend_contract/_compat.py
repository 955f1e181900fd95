"""Stand-ins for what older Pythons lack: type aliases, ``TypeIs``, exception groups and notes.

Type checkers see the real ``TypeAliasType`` and ``TypeIs``. Nothing looks inside either at run
time, so older interpreters get the nearest stand-in of the standard library: importing
typing_extensions would double the import time of this package. The ``exceptiongroup`` backport,
needed below Python 3.11, is loaded with the first group.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, cast

__all__ = [
    "TypeAliasType",
    "TypeIs",
    "add_note",
    "exception_group",
    "forget_earlier_raises",
]

if TYPE_CHECKING:
    from typing_extensions import TypeAliasType, TypeIs
else:
    TypeIs = typing.TypeIs if sys.version_info >= (3, 13) else typing.TypeGuard

    if sys.version_info >= (3, 12):
        TypeAliasType = typing.TypeAliasType
    else:

        def TypeAliasType(name: str, value: object) -> typing.NewType:  # noqa: N802 - as in typing
            """Return an opaque type, at which ``typing.get_type_hints`` stops as at an alias."""
            alias = typing.NewType(name, object)
            alias.__module__ = sys._getframe(1).f_globals["__name__"]
            return alias


def exception_group(message: str, failures: Sequence[BaseException]) -> BaseException:
    """Return an ``ExceptionGroup``, or a ``BaseExceptionGroup`` if any of *failures* needs one."""
    if sys.version_info < (3, 11):
        from exceptiongroup import BaseExceptionGroup
    else:
        from builtins import BaseExceptionGroup
    return BaseExceptionGroup(message, failures)


def add_note(failure: BaseException, note: str) -> None:
    """Add a note to *failure*. Idempotent: the same note is not added twice.

    Whatever else an exception keeps under that name is replaced: Python would not print it.
    """
    attributes: dict[str, object] = object.__getattribute__(failure, "__dict__")
    present = attributes.get("__notes__")
    notes = cast("list[object]", present) if type(present) is list else []
    if note not in notes:
        attributes["__notes__"] = [*notes, note]  # Python 3.10 has no add_note


def forget_earlier_raises() -> None:
    """Cut from the traceback of a reused exception what earlier calls of the caller left in it.

    What the caller has called itself, directly or not, in this thread stays.
    """
    entry = sys.exc_info()[2]
    caller = entry.tb_frame if entry else None
    while entry is not None and caller is not None:
        following = entry.tb_next
        if (
            following is not None
            and following.tb_frame.f_code is caller.f_code
            and not _is_called_by(following.tb_frame, caller)
        ):
            entry.tb_next = following = None
        entry = following


def _is_called_by(frame: FrameType, caller: FrameType) -> bool:
    current: FrameType | None = frame.f_back
    while current is not None and current is not caller:
        current = current.f_back
    return current is not None
