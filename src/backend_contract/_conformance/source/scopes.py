"""The bindings of a scope once its statements have run, branch by branch.

The checked Python and platform decide conditions such as ``sys.platform == "win32"``.
"""

from __future__ import annotations

import ast
import operator
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeGuard

from backend_contract._conformance.source.parsing import (
    Function,
    bound_by_import,
    children,
    decorator_names,
    last_part,
    unparse,
    walk,
)

Decide = Callable[[ast.expr], "bool | None"]
"""Returns whether a condition holds; ``None`` if the source does not tell."""


class Binding(NamedTuple):
    """A statement that gives a name its value."""

    statement: ast.stmt
    value: ast.expr | None = None
    """The expression that it assigns; ``None`` for a function, a class, or an unknown value."""


Alternatives: TypeAlias = tuple["Binding | None", ...]
"""The bindings of which one counts; ``None`` stands for no value."""
_State: TypeAlias = dict[str, Alternatives]


class Scope(NamedTuple):
    """The body of a module or class after it has run."""

    bindings: dict[str, Alternatives]
    reached: dict[str, list[ast.stmt]]
    """The definitions of each name in branches that may run, without overloads and setters."""
    is_open: bool
    """Whether statements such as ``locals()[...] = ...`` may bind further names."""


def read_scope(body: Sequence[ast.stmt], decide: Decide) -> Scope:
    """Return what *body* binds, with the conditions that *decide* knows."""
    flow = _Flow(decide)
    state = flow.run(body, {})
    return Scope(state, flow.reached, flow.is_open)


class _Flow:
    """Follows the statements of one scope."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self.reached: dict[str, list[ast.stmt]] = {}
        self.is_open = False
        self._elsewhere: set[str] = set()

    def run(self, body: Iterable[ast.stmt], state: _State) -> _State:
        for statement in body:
            state = self._step(statement, state)
        return state

    def _step(self, statement: ast.stmt, state: _State) -> _State:
        self._bind_walruses(statement, state)
        match statement:
            case ast.If():
                return self._if(statement, state)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self.run(statement.orelse, self._loop(statement, state))
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for item in items:
                    if item.optional_vars is not None:
                        self._bind_target(statement, item.optional_vars, None, state)
                return self.run(body, state)
            case ast.Match(cases=cases):
                runs = [self.run(each.body, dict(state)) for each in cases]
                return _join(runs if is_exhaustive(cases) else [state, *runs])
            case ast.Try():
                return self._try(statement, state)
            case _:
                self._bind(statement, state)
                return state

    def _if(self, node: ast.If, state: _State) -> _State:
        outcome = self._decide(node.test)
        if outcome is not None:
            return self.run(node.body if outcome else node.orelse, state)
        return _join([self.run(node.body, dict(state)), self.run(node.orelse, dict(state))])

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, state: _State) -> _State:
        entered = dict(state)
        match node:
            case ast.For(
                target=ast.Name(id=name),
                iter=ast.Tuple(elts=[*_, last]) | ast.List(elts=[*_, last]),
            ) if _runs_to_its_end(node, last):
                self._set(name, Binding(node, last), state)
                return self.run(node.body, state)
            case ast.While(test=test) if self._decide(test) is False:
                return state
            case ast.While():
                pass
            case _:
                self._bind_target(node, node.target, None, entered)
        return _join([state, self.run(node.body, entered)])

    def _try(self, node: ast.Try, state: _State) -> _State:
        # Any statement of the body may raise, and the handlers go on from there.
        raised = [dict(state)]
        done = dict(state)
        for each in node.body:
            done = self._step(each, done)
            raised.append(dict(done))
        # A single statement, such as an import, either binds its name or raises.
        before = raised[0] if len(node.body) == 1 else _join(raised)
        handled = [each for each in node.handlers if not isinstance(each.body[-1], ast.Raise)]
        runs = [self.run(each.body, dict(before)) for each in handled]
        return self.run(node.finalbody, _join([self.run(node.orelse, done), *runs]))

    def _bind(self, statement: ast.stmt, state: _State) -> None:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if not (_is_accessor(statement) and name in state):
                    self._set(name, Binding(statement), state, counts=not is_overload(statement))
            case ast.ClassDef(name=name):
                self._set(name, Binding(statement), state)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    self._set(bound_by_import(alias), Binding(statement), state)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind_target(statement, target, value, state)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._bind_target(statement, target, value, state)
            case ast.AugAssign(target=ast.Name(id=name)):
                self._set(name, Binding(statement, _augmented(statement, state.get(name))), state)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                self._elsewhere |= {*names}
            case ast.Delete():
                self._unbind(statement, state)
            case _:
                pass

    def _unbind(self, statement: ast.Delete, state: _State) -> None:
        for node in walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
                state[node.id] = (None,)
                self.reached.setdefault(node.id, []).append(statement)

    def _bind_target(
        self, statement: ast.stmt, target: ast.expr, value: ast.expr | None, state: _State
    ) -> None:
        for each, given in bindings_of_target(target, value):
            is_plain = isinstance(each, ast.Name | ast.Attribute)
            name = unparse(each) if is_plain else _name_in_locals(each)
            if name is not None:
                self._set(name, Binding(statement, given), state)

    def _bind_walruses(self, statement: ast.stmt, state: _State) -> None:
        if isinstance(statement, ast.Assign) and all(map(_name_in_locals, statement.targets)):
            return
        for node in _expressions(statement):
            match node:
                case ast.NamedExpr(target=ast.Name(id=name), value=value):
                    self._set(name, Binding(statement, value), state)
                case ast.Call(func=ast.Name(id="locals" | "vars" | "exec" | "eval")):
                    self.is_open = True
                case _:
                    pass

    def _set(self, name: str, binding: Binding, state: _State, *, counts: bool = True) -> None:
        if name in self._elsewhere:
            return
        state[name] = (binding,)
        if counts:
            self.reached.setdefault(name, []).append(binding.statement)


def _augmented(statement: ast.AugAssign, before: Alternatives | None) -> ast.expr | None:
    """Return the value that a statement such as ``name += "A"`` gives, if it is known."""
    match before:
        case (Binding(value=ast.expr() as known),):
            return ast.BinOp(known, statement.op, statement.value)
        case _:
            return None


def is_exhaustive(cases: Sequence[ast.match_case]) -> bool:
    """Return whether one case of a ``match`` statement is always taken."""
    last = cases[-1]
    return (
        isinstance(last.pattern, ast.MatchAs)
        and last.pattern.pattern is None
        and last.guard is None
    )


def _runs_to_its_end(loop: ast.For, last: ast.expr) -> bool:
    """Return whether the last value of a loop is that of the last element."""
    leaves = (ast.Break, ast.Continue, ast.Return, ast.If, ast.Try)
    is_left = any(isinstance(node, leaves) for each in loop.body for node in walk(each))
    return not is_left and not isinstance(last, ast.Starred)


def _name_in_locals(target: ast.expr) -> str | None:
    """Return the name that ``locals()["name"]`` binds in a class body or module."""
    match target:
        case ast.Subscript(
            value=ast.Call(func=ast.Name(id="locals" | "vars"), args=[]),
            slice=ast.Constant(value=str(name)),
        ):
            return name
        case _:
            return None


def _join(states: Sequence[_State]) -> _State:
    names = dict.fromkeys(name for state in states for name in state)
    return {
        name: tuple(dict.fromkeys(each for state in states for each in state.get(name, (None,))))
        for name in names
    }


def _is_accessor(function: Function) -> bool:
    """Return whether a function is the setter or deleter of the property of its name."""
    return any(
        isinstance(decorator, ast.Attribute)
        and decorator.attr in ("setter", "deleter")
        and unparse(decorator.value) == function.name
        for decorator in function.decorator_list
    )


def is_overload(statement: ast.stmt) -> TypeGuard[Function]:
    """Return whether a statement is an overload, which only type checkers read."""
    return isinstance(statement, Function) and "overload" in decorator_names(statement)


def bindings_of_target(
    target: ast.expr, value: ast.expr | None
) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Yield the names and attributes that an assignment binds, each with its value if known."""
    match target:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            given = value.elts if isinstance(value, ast.Tuple | ast.List) else None
            for part, each in zip(parts, _distributed(parts, given), strict=True):
                yield from bindings_of_target(part, each)
        case ast.Starred(value=inner):
            yield inner, ast.List([], ast.Load())
        case _:
            yield target, value


def _distributed(
    targets: Sequence[ast.expr], values: Sequence[ast.expr] | None
) -> Sequence[ast.expr | None]:
    """Return the value of each of *targets*, of which one may be starred."""
    unknown = [None] * len(targets)
    if values is None or any(isinstance(value, ast.Starred) for value in values):
        return unknown
    starred = [n for n, target in enumerate(targets) if isinstance(target, ast.Starred)]
    if not starred:
        return values if len(values) == len(targets) else unknown
    behind = len(targets) - starred[0] - 1
    if len(values) < len(targets) - 1:
        return unknown
    return [*values[: starred[0]], None, *values[len(values) - behind :]]


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of the expressions of a statement itself, without those in functions."""
    waiting: list[ast.AST] = [node for node in children(statement) if isinstance(node, ast.expr)]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.Lambda):
            waiting += children(node)


# ---- conditions

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
