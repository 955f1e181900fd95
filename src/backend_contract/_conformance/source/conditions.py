"""Conditions that the checked Python and platform decide, such as ``sys.platform == "win32"``."""

from __future__ import annotations

import ast
import operator
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from backend_contract._conformance.source.parsing import last_part, unparse

Decide = Callable[[ast.expr], "bool | None"]
"""Returns whether a condition holds; ``None`` if the source does not tell."""

_UNKNOWN = object()
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


def decides(version: tuple[int, int], *, type_checking: bool = False) -> Decide:
    """Return a function that decides conditions under Python *version*, on this platform."""
    facts: dict[str, object] = {
        "sys.version_info": _Version(version),
        "sys.version_info.major": version[0],
        "sys.version_info.minor": version[1],
        "sys.platform": sys.platform,
        "os.name": os.name,
        "TYPE_CHECKING": type_checking,
        "typing.TYPE_CHECKING": type_checking,
        "typing_extensions.TYPE_CHECKING": type_checking,
    }

    def decide(test: ast.expr) -> bool | None:
        value = _value(test, facts)
        return None if value is _UNKNOWN else bool(value)

    return decide


def decides_as_checkers(version: tuple[int, int]) -> Decide:
    """Return a function that decides the conditions that every type checker decides alike."""
    decide = decides(version, type_checking=True)
    return lambda test: decide(test) if _is_common(test) else None


def _is_common(test: ast.expr) -> bool:
    """Return whether every checker knows a condition: no literals, no names, no parts of tuples."""
    match test:
        case ast.Name() | ast.Attribute():
            return last_part(test) == "TYPE_CHECKING"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _is_common(operand)
        case ast.BoolOp(values=operands):
            return all(map(_is_common, operands))
        case ast.Compare(left=left, ops=[op], comparators=[ast.Tuple() | ast.Constant()]):
            is_order = not isinstance(op, ast.In | ast.NotIn | ast.Is | ast.IsNot)
            return is_order and unparse(left) in ("sys.version_info", "sys.platform")
        case _:
            return False


def _value(node: ast.expr, facts: dict[str, object]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name() | ast.Attribute():
            return facts.get(unparse(node), _UNKNOWN)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            values = [_value(part, facts) for part in parts]
            return _UNKNOWN if _UNKNOWN in values else tuple(values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            value = _value(operand, facts)
            return _UNKNOWN if value is _UNKNOWN else not value
        case ast.BoolOp(op=op, values=operands):
            return _combined(isinstance(op, ast.Or), [_value(each, facts) for each in operands])
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(_value(left, facts), op, _value(right, facts))
        case ast.Subscript(value=ast.Attribute() as whole, slice=index):
            return _part(facts.get(unparse(whole), _UNKNOWN), index)
        case ast.Call(func=ast.Attribute(value=text, attr="startswith"), args=[prefix]):
            return _starts(_value(text, facts), _value(prefix, facts))
        case _:
            return _UNKNOWN


def _combined(is_or: bool, values: list[Any]) -> Any:
    """Return the result of ``or`` or ``and``: one operand may decide it."""
    if any(value is not _UNKNOWN and bool(value) is is_or for value in values):
        return is_or
    return _UNKNOWN if _UNKNOWN in values else not is_or


class _Version(tuple[int, ...]):
    """The first two places of ``sys.version_info``, which has more."""

    def compared(self, op: ast.cmpop, places: Sequence[Any]) -> Any:
        """Return the result of a comparison; the further places do not decide it."""
        other = tuple(places)
        if self == other[:2] and len(other) > 2:
            return _UNKNOWN
        # A tuple is less than a longer one that starts with it.
        longer = (*self, 0) if self == other else tuple(self)
        return _COMPARISONS[type(op)](longer, other)


def _compared(left: Any, op: ast.cmpop, right: Any) -> Any:
    if left is _UNKNOWN or right is _UNKNOWN:
        return _UNKNOWN
    try:
        if isinstance(left, _Version) and isinstance(right, tuple):
            return left.compared(op, [*right])
        return _COMPARISONS[type(op)](left, right)
    except TypeError:
        return _UNKNOWN


def _part(whole: Any, index: ast.expr) -> Any:
    """Return the part of a version that an index or a slice such as ``[:2]`` takes."""
    match index:
        case ast.Constant(value=int(number)) if isinstance(whole, _Version) and number in (0, 1):
            return whole[number]
        case ast.Slice(lower=None, upper=ast.Constant(value=int(end)), step=None) if (
            isinstance(whole, _Version) and end <= 2
        ):
            return tuple(whole[:end])
        case _:
            return _UNKNOWN


def _starts(text: Any, prefix: Any) -> Any:
    if isinstance(text, str) and isinstance(prefix, str):
        return text.startswith(prefix)
    return _UNKNOWN
