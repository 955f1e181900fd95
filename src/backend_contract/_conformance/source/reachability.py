"""The statements that count: those that can run, and mean the same variable by a name."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import lru_cache

from backend_contract._conformance.source.parsing import (
    Function,
    children,
    nodes_of,
    returns_of,
    unparse,
    walk,
)
from backend_contract._conformance.source.scopes import Decide, decides, is_exhaustive

_NOTHING = frozenset[ast.AST]()


@lru_cache(maxsize=2**14)
def shadowed_nodes(scope: ast.AST, name: str) -> frozenset[ast.AST]:
    """Return the nodes of inner functions that bind *name* themselves, as a parameter or variable.

    *name* may be an expression such as ``type(self)``.
    """
    names = {*re.findall(r"\w+", name)}
    inner = (node for node in walk(scope) if node is not scope)
    functions = (node for node in inner if isinstance(node, Function | ast.Lambda))
    return _NOTHING.union(*(walk(each) for each in functions if names & _variables(each)))


@lru_cache(maxsize=2**14)
def _variables(function: Function | ast.Lambda) -> frozenset[str]:
    """Return the parameters of a function and the names that it assigns."""
    parameters = {node.arg for node in children(function.args) if isinstance(node, ast.arg)}
    body = nodes_of(function) if isinstance(function, Function) else ()
    nonlocals = {name for node in body if isinstance(node, ast.Nonlocal) for name in node.names}
    stored = {node.id for node in body if _is_stored(node) and isinstance(node, ast.Name)}
    return frozenset(parameters | (stored - nonlocals))


def _is_stored(node: ast.AST) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Store)


def live_returns(function: Function, version: tuple[int, int]) -> list[ast.Return]:
    """Return the statements that may end a call of the function."""
    dead = dead_nodes(function, version)
    return [each for each in returns_of(function) if each not in dead]


def yields_in_every_call(function: Function, version: tuple[int, int]) -> int:
    """Return how often every call yields; 1 if the number is not known."""
    dead = dead_nodes(function, version)
    nodes = [each for each in nodes_of(function) if each not in dead]
    if not any(isinstance(each, ast.Yield | ast.YieldFrom) for each in nodes):
        return 0
    return max(1, _yields(function.body, dead))


def _yields(body: Sequence[ast.stmt], dead: frozenset[ast.AST]) -> int:
    """Return how often statements yield at least, if they all run."""
    number = 0
    for statement in body:
        if statement in dead:
            break
        match statement:
            case ast.Expr(value=ast.Yield()) | ast.Assign(value=ast.Yield()):
                number += 1
            case ast.With(body=inner) if "suppress" not in unparse(statement.items[0]):
                number += _yields(inner, dead)
            case ast.Try(body=inner, handlers=[], finalbody=last):
                number += _yields(inner, dead) + _yields(last, dead)
            case _ if any(isinstance(each, ast.Return) for each in walk(statement)):
                break
            case _:
                pass
    return number


@lru_cache(maxsize=2**14)
def dead_nodes(scope: ast.AST, version: tuple[int, int]) -> frozenset[ast.AST]:
    """Return the nodes of a scope that never run under Python *version* on this platform.

    A ``return`` that another one in ``finally`` overrides is one of them.
    """
    flow = _Flow(decides(version))
    inner = (node for node in walk(scope) if isinstance(node, Function) and node is not scope)
    try:
        for each in inner:
            flow.follow(each.body)
        flow.follow(scope.body if isinstance(scope, Function) else [scope])
    except RecursionError:  # an `elif` chain of hundreds of branches
        return _NOTHING
    return _NOTHING.union(*map(walk, flow.dead))


class _Flow:
    """Follows statements, and collects those that never run."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self.dead: list[ast.AST] = []

    def follow(self, body: Sequence[ast.AST]) -> bool:
        """Return whether the end of *body* may be reached."""
        for number, statement in enumerate(body, start=1):
            if not self._goes_on(statement):
                self.dead += body[number:]
                return False
        return True

    def _goes_on(self, node: ast.AST) -> bool:
        match node:
            case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
                return False
            case ast.If(test=test, body=body, orelse=orelse):
                return self._choose(self._decide(test), body, orelse)
            case ast.While():
                return self._while(node)
            case ast.Match(cases=cases):
                ends = [self.follow(each.body) for each in cases]
                return any(ends) or not is_exhaustive(cases)
            case ast.Try(body=body, handlers=handlers, orelse=orelse):
                ends = [self.follow(body) and self.follow(orelse)]
                ends += [self.follow(each.body) for each in handlers]
                return self._finally(node) and any(ends)
            case ast.For(body=body, orelse=orelse) | ast.AsyncFor(body=body, orelse=orelse):
                self._choose(None, body, orelse)
                return True
            case ast.With(body=body) | ast.AsyncWith(body=body):
                return self.follow(body) or True  # it may suppress what is raised
            case _:
                return True

    def _while(self, node: ast.While) -> bool:
        outcome = self._decide(node.test)
        is_left = any(isinstance(each, ast.Break) for each in walk(node))
        return (self._choose(outcome, node.body, node.orelse) and outcome is not True) or is_left

    def _choose(
        self, outcome: bool | None, body: Sequence[ast.AST], orelse: Sequence[ast.AST]
    ) -> bool:
        """Return whether one of two branches may reach its end."""
        if outcome is not None:
            self.dead += orelse if outcome else body
            return self.follow(body if outcome else orelse)
        ends = [self.follow(body), self.follow(orelse)]
        return any(ends)

    def _finally(self, node: ast.Try) -> bool:
        goes_on = self.follow(node.finalbody)
        if any(isinstance(each, ast.Return) for each in node.finalbody):
            kept = {each for statement in node.finalbody for each in walk(statement)}
            returns = (each for each in walk(node) if isinstance(each, ast.Return))
            self.dead += [each for each in returns if each not in kept]
        return goes_on
