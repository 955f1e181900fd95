"""The statements that count: those that can run, and mean the same variable by a name."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from backend_contract._conformance.source.parsing import Function, children, nodes_of, walk

_NOTHING = frozenset[ast.AST]()


@lru_cache(maxsize=2**14)
def shadowed_nodes(scope: ast.AST, name: str) -> frozenset[ast.AST]:
    """Return the nodes of functions inside *scope* that have a variable *name* of their own.

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
