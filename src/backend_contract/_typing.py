"""``TypeAliasType`` and ``TypeIs`` for every interpreter this package supports.

Type checkers see the real ones. At run time nothing looks inside either, so where the standard
library does not have them yet the nearest it has stands in: importing typing_extensions instead
would double the import time of this package.
"""

from __future__ import annotations

import sys
import typing
from typing import TYPE_CHECKING

__all__ = ["TypeAliasType", "TypeIs"]

if TYPE_CHECKING:
    from typing_extensions import TypeAliasType, TypeIs
else:
    TypeIs = typing.TypeIs if sys.version_info >= (3, 13) else typing.TypeGuard

    if sys.version_info >= (3, 12):
        TypeAliasType = typing.TypeAliasType
    else:

        def TypeAliasType(name: str, value: object) -> typing.NewType:  # noqa: N802 - as in typing
            """An opaque type of that name: `typing.get_type_hints` stops at it, as at an alias."""
            alias = typing.NewType(name, object)
            alias.__module__ = sys._getframe(1).f_globals["__name__"]
            return alias
