"""The attributes that a constructor assigns, on every path through its source or on some.

Calls of other methods and of ``super()`` are followed in the order of the class that is made.
Whatever cannot be followed, and might assign an attribute, makes the result unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.construction.undefined import bound_in, is_undefined
from backend_contract._conformance.source.definitions import Definition, definition_of, dotted_name
from backend_contract._conformance.source.evaluation.fields import Generated, generated_by
from backend_contract._conformance.source.modules import Module, targets_of
from backend_contract._conformance.source.parsing import (
    Function,
    children,
    first_parameter,
    is_generator,
    is_none,
    is_super,
    last_part,
    positional_of,
    unparse,
    walk,
)
from backend_contract._conformance.source.scopes import is_exhaustive
from backend_contract._conformance.source.signatures import signature_of

_MAX_DEPTH = 20
_MAX_CALLS = 500
_LOGGING = {"critical", "debug", "error", "exception", "info", "log", "warning"}
_PASSED_ON = {"builtins.vars", "builtins.map", "functools.partial", "functools.partialmethod"}
_EXITS = {"sys.exit", "os._exit", "os.abort", "builtins.exit", "builtins.quit"}
_REPEATED = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class State(NamedTuple):
    """The attributes that an instance has at one point, whichever path led there."""

    always: frozenset[str] = frozenset()
    maybe: frozenset[str] = frozenset()
    is_unknown: bool = False
    """Whether something that cannot be followed may have assigned others."""
    assigned: frozenset[str] = frozenset()
    """Those of ``always`` that plain assignments gave it."""
    unset: frozenset[str] = frozenset()
    """Those that were read on every path, before anything can have set them."""
    errors: frozenset[str] = frozenset()
    """The reasons why every path raises; each continues a sentence about the constructor."""

    def having(self, name: str) -> State:
        """Return the state with one more attribute."""
        return self._replace(always=self.always | {name}, maybe=self.maybe | {name})

    def without(self, name: str) -> State:
        """Return the state after a deletion."""
        return self._replace(always=self.always - {name})

    def failing(self, error: str) -> State:
        """Return the state after an expression that raises."""
        return self._replace(errors=self.errors | {error})

    def unknown(self) -> State:
        """Return the state after something that cannot be followed."""
        return self._replace(is_unknown=True)


def _join(states: Iterable[State | None]) -> State | None:
    """Return the state after one of several paths; ``None`` if none of them goes on."""
    known = [state for state in states if state is not None]
    if not known:
        return None
    always = known[0].always.intersection(*(state.always for state in known))
    maybe = frozenset[str]().union(*(state.maybe for state in known))
    assigned = known[0].assigned.intersection(*(state.assigned for state in known))
    unset = frozenset[str]().union(*(state.unset for state in known))
    errors = frozenset[str]().union(*(state.errors for state in known))
    is_unknown = any(state.is_unknown for state in known)
    return State(always, maybe, is_unknown, assigned, unset, errors)


class Walker:
    """Follows the construction of one class."""

    def __init__(self, source: ClassSource, *, has_config: bool | None = None) -> None:
        self.lineage: Sequence[ClassSource | None] = source.lineage
        self.has_config = has_config
        """Whether the class is called with a configuration, unless either counts."""
        self.is_certain = True
        """Whether what is followed runs in every call, and what it raises is not caught."""
        self.has_left = False
        """Whether the call that is followed may have ended before."""
        self._depth = 0
        self._calls = 0

    def run(
        self, owner: ClassSource, function: Function, state: State, names: set[str]
    ) -> State | None:
        """Return the state after a call of *function*; ``None`` if it always raises."""
        if self._depth >= _MAX_DEPTH or self._calls >= _MAX_CALLS:
            return state.unknown()
        self._depth += 1
        self._calls += 1
        outside = self.is_certain, self.has_left
        self.has_left = False
        try:
            path = _Path(self, owner, names)
            path.bound = bound_in(function)
            if self._depth == 1 and function.name == "__init__":
                path.config = _only_given(positional_of(function.args)[1:2], function)
                is_optional = any(map(is_none, function.args.defaults[:1]))
                if self.has_config is False and is_optional and not function.decorator_list:
                    path.none = path.config or None
            return _join([path.follow(function.body, state), *path.ends])
        finally:
            self._depth -= 1
            self.is_certain, self.has_left = outside

    @contextmanager
    def perhaps(self) -> Generator[None, None, None]:
        """Follow what may run or not, or may raise without an effect."""
        was_certain, self.is_certain = self.is_certain, False
        try:
            yield
        finally:
            self.is_certain = was_certain and not self.has_left

    def call(self, name: str, state: State, lineage: Sequence[ClassSource | None]) -> State | None:
        """Return the state after a call of the method *name* that *lineage* finds first."""
        for number, source in enumerate(lineage, start=1):
            if source is None:
                return state.unknown()
            generated = generated_by(source) if name == "__init__" else None
            if generated is not None:
                return self._generate(generated, state)
            alternatives = source.scope.bindings.get(name)
            if alternatives is not None:
                behind = lineage[number:]
                return _join(
                    self._run_bound(source, each.statement, state)
                    if each
                    else self.call(name, state, behind)
                    for each in alternatives
                )
        return state

    def _run_bound(self, source: ClassSource, statement: ast.stmt, state: State) -> State | None:
        """Return the state after a call of what a statement in the class body defines."""
        if isinstance(statement, Function):
            return self.run(source, statement, state, first_parameter(statement))
        return state.unknown()

    def _generate(self, generated: Generated, state: State) -> State | None:
        after: State | None = state
        for name in generated.hooks_before:
            after = after and self.call(name, after, self.lineage)
        for name in generated.fields:
            after = after and after.having(name)
        for name in generated.hooks_after:
            after = after and self.call(name, after, self.lineage)
        return after

    def set_property(self, name: str, state: State) -> State:
        """Return the state after an assignment to *name*, which may be a property."""
        for source in self.lineage:
            if source is None:
                return state.unknown()
            if name in source.with_setter:
                after = self._run_bound(source, source.with_setter[name], state)
                return after or state.unknown()
            if name in source.in_body:
                return state.unknown() if _is_descriptor(source, name) else state
        return state

    def after(self, source: ClassSource | None) -> Sequence[ClassSource | None]:
        """Return the part of the lineage behind *source*; unknown if *source* is not in it."""
        for number, each in enumerate(self.lineage, start=1):
            if each is not None and source is not None and each.node is source.node:
                return self.lineage[number:]
        return [None]

    def class_named(self, expression: ast.expr, owner: ClassSource) -> ClassSource | None:
        """Return the class of the lineage that a name refers to in the module of *owner*."""
        found = definition_of(expression, owner)
        for each in self.lineage:
            if each is not None and found is not None and each.node is found.statement:
                return each
        return None


def _only_given(parameters: Sequence[ast.arg], function: Function) -> str | None:
    """Return the name of the parameter, if the function does not assign it."""
    name = next((each.arg for each in parameters), "")
    is_stored = any(
        isinstance(n, ast.Name) and n.id == name and _is_target(n) for n in walk(function)
    )
    return None if is_stored else name


class _Path:
    """The paths through one call of a function, in which *names* are those of the instance."""

    def __init__(self, walker: Walker, owner: ClassSource, names: set[str]) -> None:
        self.walker = walker
        self.owner = owner
        self.names = names
        self.ends: list[State | None] = []
        """The states at each ``return``."""
        self._left: list[State | None] = []
        """The states at each ``break`` and ``continue``."""
        self._imported: dict[str, str] = {}
        """The full names of what the function imports."""
        self._has_raised = False
        """Whether the last method that was called raises in any case."""
        self.config: str | None = None
        """The name of the configuration, if it is that of the call."""
        self.bound: dict[str, int] = {}
        """The local names and the first line that binds each."""
        self.none: str | None = None
        """The name of the configuration, if it is ``None`` and nothing has tested it."""

    def follow(self, body: Iterable[ast.stmt], state: State | None) -> State | None:
        for statement in body:
            if state is None:
                return None
            state = self._statement(statement, state)
        return state

    def _statement(self, node: ast.stmt, state: State) -> State | None:
        match node:
            case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
                self._leave(node, state)
                return None
            case ast.If():
                return self._if(node, state)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(node, state)
            case ast.Try():
                return self._try(node, state)
            case ast.With() | ast.AsyncWith():
                return self._with(node, state)
            case ast.Match():
                return self._match(node, state)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return self._later(node.body, state)
            case ast.ClassDef():
                return state
            case ast.Import() | ast.ImportFrom():
                self._import(node)
                return state
            case ast.Expr(value=value):
                return self._expression(node, value, state)
            case _:
                return self._simple(node, state)

    def _leave(self, node: ast.stmt, state: State) -> None:
        if isinstance(node, ast.Break | ast.Continue):
            self._left.append(state)
            return
        self.walker.has_left = True
        if isinstance(node, ast.Return):
            self.ends.append(self._value(node.value, state))

    def _match(self, node: ast.Match, state: State) -> State | None:
        after = self._value(node.subject, state)
        followed = self._alternatives([case.body for case in node.cases], after)
        return _join([None if is_exhaustive(node.cases) else after, *followed])

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.ImportFrom) and node.level:
            return
        package = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        self._imported |= {each.asname or each.name: package + each.name for each in node.names}

    def _expression(self, node: ast.stmt, value: ast.expr, state: State) -> State | None:
        if is_super(getattr(value, "value", value)):
            return state  # named, but not called
        if not isinstance(value, ast.Call):
            return self._simple(node, state)
        if self._exits(value) or self._is_rejected(value):
            return None
        if self._runs_nothing(value):
            return state
        after = self._simple(node, state)
        subject = getattr(value.func, "value", None)
        is_method = subject is not None and (is_super(subject) or self._is_instance(subject))
        return None if is_method and self._has_raised else after

    def _exits(self, call: ast.Call) -> bool:
        parts = dotted_name(call.func)
        if not parts:
            return False
        if parts[0] in self._imported:
            return ".".join([self._imported[parts[0]], *parts[1:]]) in _EXITS
        found = definition_of(call.func, self.owner)
        return found is not None and found.module is None and found.name in _EXITS

    def _runs_nothing(self, call: ast.Call) -> bool:
        """Return whether a call only makes a coroutine or a generator, which is discarded."""
        func = call.func
        if not isinstance(func, ast.Attribute) or not self._is_instance(func.value):
            return False
        bodies = [each.in_body for each in self.walker.lineage if each]
        method = next((body[func.attr] for body in bodies if func.attr in body), None)
        if not isinstance(method, Function) or method.decorator_list:
            return False
        return isinstance(method, ast.AsyncFunctionDef) or is_generator(method)

    def _is_rejected(self, call: ast.Call) -> bool:
        """Return whether the next class does not take the arguments of ``super().__init__``."""
        if unparse(call.func) != "super().__init__" or not _has_plain_arguments(call):
            return False
        for source in self.walker.after(self.owner):
            if source is None or _may_get_constructor(source):
                return False
            alternatives = source.scope.bindings.get("__init__")
            if alternatives is not None:
                return all(each and _rejects(each.statement, call, source) for each in alternatives)
        return bool(call.args or call.keywords)  # `object` takes none

    def _if(self, node: ast.If, state: State) -> State | None:
        after = self._value(node.test, state)
        outcome = self._outcome(node.test)
        if outcome is not None:
            return self.follow(node.body if outcome else node.orelse, after)
        return _join(self._alternatives([node.body, node.orelse], after))

    def _alternatives(
        self, bodies: Sequence[Sequence[ast.stmt]], state: State
    ) -> list[State | None]:
        with self.walker.perhaps():
            return [self.follow(body, state) for body in bodies]

    def _outcome(self, test: ast.expr) -> bool | None:
        """Return the value of a condition, if it is known."""
        has_config = self.walker.has_config
        match test:
            case ast.Constant(value=value):
                return bool(value)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                outcome = self._outcome(operand)
                return None if outcome is None else not outcome
            case ast.Name(id=name) if name == self.config:
                return has_config and None  # it may be empty
            case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[other]) if (
                name == self.config and is_none(other) and has_config is not None
            ):
                return isinstance(op, ast.IsNot | ast.NotEq) is has_config
            case _:
                return False if last_part(test) == "TYPE_CHECKING" else None

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, state: State) -> State | None:
        before, self._left = self._left, []
        condition = node.test if isinstance(node, ast.While) else node.iter
        after = self._value(condition, state)
        is_endless = isinstance(condition, ast.Constant) and bool(condition.value)
        with self.walker.perhaps():
            body = self.follow(node.body, after)
        whole = _join([*([] if is_endless else [after, body]), *self._left])
        self._left = before
        return self.follow(node.orelse, whole)

    def _try(self, node: ast.Try, state: State) -> State | None:
        with self.walker.perhaps():
            body = self.follow(node.body, state)
            # Any statement of the body may be the last one before a handler.
            partly = _join([state, body])
            handlers = [self.follow(each.body, partly) for each in node.handlers]
            after = _join([self.follow(node.orelse, body), *handlers])
        return self.follow(node.finalbody, after)

    def _with(self, node: ast.With | ast.AsyncWith, state: State) -> State | None:
        after: State | None = state
        may_suppress = False
        for item in node.items:
            after = after and self._value(item.context_expr, after)
            after = after and self._assign(item.optional_vars, after)
            may_suppress = may_suppress or "suppress" in unparse(item.context_expr)
        if not may_suppress:
            return self.follow(node.body, after)
        with self.walker.perhaps():
            return _join([self.follow(node.body, after), after])

    def _later(self, body: Sequence[ast.AST], state: State) -> State:
        """Return the state after a function was defined, which may be called or not."""
        inner = _Path(self.walker, self.owner, self.names)
        after: State | None = state
        with self.walker.perhaps():
            for node in body:
                if isinstance(node, ast.stmt):
                    after = inner.follow([node], after)
                else:
                    after = after and inner._value(node, after)
        return _join([state, after, *inner.ends]) or state

    def _simple(self, node: ast.stmt, state: State) -> State:
        # A function evaluates no annotations of variables.
        unread = getattr(node, "annotation", None), getattr(node, "msg", None)
        for child in children(node):
            if isinstance(child, ast.expr) and not _is_target(child) and child not in unread:
                state = self._value(child, state)
        match node:
            case ast.Assert():
                self.none = None
            case ast.Assign() | ast.AnnAssign(value=ast.expr()):
                for target in targets_of(node):
                    if isinstance(target, ast.Name) and self._is_instance(node.value):
                        self.names = self.names | {target.id}
                    state = self._assign(target, state)
            case ast.AugAssign(target=ast.Attribute(value=value, attr=name)):
                state = self._read(value, name, state)
            case ast.Delete(targets=targets):
                for target in targets:
                    if isinstance(target, ast.Attribute) and self._is_instance(target.value):
                        state = state.without(target.attr)
            case _:
                pass
        return state

    def _is_instance(self, node: ast.AST | None) -> bool:
        return isinstance(node, ast.Name) and node.id in self.names

    def _assign(self, target: ast.expr | None, state: State) -> State:
        match target:
            case ast.Attribute(value=value, attr=name) if self._is_instance(value):
                if name == "__dict__":
                    return state.unknown()
                after = self.walker.set_property(name, state).having(name)
                return after._replace(assigned=after.assigned | {name})
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for each in elements:
                    state = self._assign(each, state)
                return state
            case ast.Starred(value=value):
                return self._assign(value, state)
            case ast.Subscript(value=value):
                return self._value(value, state)
            case _:
                return state

    def _value(self, node: ast.AST | None, state: State) -> State:
        state = self._operation(node, state) if node else state
        match node:
            case None | ast.Constant():
                return state
            case ast.Name():
                return self._name(node, state)
            case ast.Lambda(body=body):
                return self._later([body], state)
            case ast.BoolOp(values=[first, *others]):
                return self._later(others, self._value(first, state))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                after = self._value(test, state)
                with self.walker.perhaps():
                    return _join([self._value(body, after), self._value(orelse, after)]) or after
            case ast.Attribute(value=value, attr="__dict__") if self._is_instance(value):
                return state.unknown()
            case ast.Attribute(value=ast.Name() as value, attr=name, ctx=ast.Load()):
                return self._read(value, name, state)
            case ast.Call():
                return self._call(node, state)
            case _ if isinstance(node, _REPEATED):
                return self._later(children(node), state)
            case _:
                for child in children(node):
                    state = self._value(child, state)
                return state

    def _name(self, node: ast.Name, state: State) -> State:
        if not self.walker.is_certain or not isinstance(node.ctx, ast.Load):
            return state
        line = self.bound.get(node.id)
        is_missing = is_undefined(node.id, self.owner) if line is None else node.lineno < line
        return state.failing(f"reads `{node.id}`, which is not defined") if is_missing else state

    def _operation(self, node: ast.AST, state: State) -> State:
        """Return the state after an operation that may raise for a configuration of ``None``."""
        operands = _not_optional(node) if self.none and self.walker.is_certain else ()
        if self.none in [getattr(each, "id", "") for each in operands]:
            return state.failing(f"uses `{self.none}` as if it were not `None`")
        return state

    def _read(self, subject: ast.expr, name: str, state: State) -> State:
        if not self._is_instance(subject):
            return self._value(subject, state)
        is_known = name in state.maybe or state.is_unknown
        if is_known or not self.walker.is_certain:
            return state
        return state._replace(unset=state.unset | {name})

    def _call(self, node: ast.Call, state: State) -> State:
        arguments = [*node.args, *(each.value for each in node.keywords)]
        for argument in arguments:
            state = self._value(argument, state)
            if getattr(argument, "id", "") == self.none and "super()." not in unparse(node.func):
                self.none = None  # it may be tested there
        self._has_raised = False
        if is_super(node):
            return state.unknown()  # kept, or given to something
        func = node.func
        if isinstance(func, ast.Attribute):
            if is_super(func.value):
                return self._of_super(func.value, func.attr, node, state)
            if self._is_instance(func.value):
                return self._continue(func.attr, state, self.walker.lineage)
            state = self._value(func.value, state)
        if not any(map(self._is_instance, arguments)):
            return state if isinstance(func, ast.Attribute) else self._value(func, state)
        return self._with_instance(node, state)

    def _of_super(self, call: ast.AST, name: str, node: ast.Call, state: State) -> State:
        assert isinstance(call, ast.Call)
        if name == "__setattr__":
            return self._set_by_name(node.args[:1], state)
        start: ClassSource | None = self.owner
        if call.args:
            start = self.walker.class_named(call.args[0], self.owner)
        return self._continue(name, state, self.walker.after(start))

    def _continue(self, name: str, state: State, lineage: Sequence[ClassSource | None]) -> State:
        after = self.walker.call(name, state, lineage)
        self._has_raised = after is None
        return after or state.unknown()

    def _with_instance(self, node: ast.Call, state: State) -> State:
        func = node.func
        parts = dotted_name(func)
        if isinstance(func, ast.Attribute):
            cls = self.walker.class_named(func.value, self.owner)
            if cls is not None and node.args and self._is_instance(node.args[0]):
                return self._continue(func.attr, state, cls.lineage)
        found = definition_of(func, self.owner) if parts else None
        if found is not None:
            return self._passed_to(found, parts, node, state)
        return state if parts and parts[-1] in _LOGGING else state.unknown()

    def _passed_to(
        self, found: Definition, parts: list[str], node: ast.Call, state: State
    ) -> State:
        if parts[-1] in ("setattr", "__setattr__"):
            return self._set_by_name(node.args[1:2], state)
        if found.module is None:
            return state.unknown() if found.name in _PASSED_ON else state
        if isinstance(found.statement, ast.ClassDef):
            return state
        if isinstance(found.statement, Function) and len(parts) == 1:
            return self._helper(found.statement, found.module, node, state)
        return state if parts[-1] in _LOGGING else state.unknown()

    def _set_by_name(self, arguments: Sequence[ast.expr], state: State) -> State:
        match arguments:
            case [ast.Constant(value=str() as name)]:
                return self.walker.set_property(name, state).having(name)
            case _:
                return state.unknown()

    def _helper(self, function: Function, module: Module, node: ast.Call, state: State) -> State:
        """Return the state after a call of a function outside of the class."""
        parameters = [each.arg for each in positional_of(function.args)]
        names = {
            parameter
            for parameter, each in zip(parameters, node.args, strict=False)
            if self._is_instance(each)
        } | {each.arg for each in node.keywords if each.arg and self._is_instance(each.value)}
        owner = ClassSource(module, self.owner.node, self.owner.modules)
        owner.bases = ()  # their names may mean something else in that module
        after = self.walker.run(owner, function, state, names)
        return state.unknown() if after is None else after


def may_end(source: ClassSource, owner: ClassSource, function: Function) -> bool:
    """Return whether a call of *function* may reach the end of its body."""
    path = _Path(Walker(source), owner, first_parameter(function))
    return path.follow(function.body, State()) is not None


def _not_optional(node: ast.AST) -> Sequence[ast.expr]:
    """Return the operands of an operation that raises if they are ``None``."""
    match node:
        case (
            ast.Call(func=ast.Attribute(value=value, attr=name))
            | ast.Attribute(value=value, attr=name)
        ) if not hasattr(None, name):
            return [value]
        case (
            ast.Call(func=ast.Name(id="dict" | "len" | "list" | "sorted"), args=[value])
            | ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[value])
            | ast.Subscript(value=value)
            | ast.Starred(value=value)
        ):
            return [value]
        case ast.Call(keywords=keywords):
            return [each.value for each in keywords if each.arg is None]
        case ast.Dict(keys=keys, values=values):
            return [value for key, value in zip(keys, values, strict=True) if key is None]
        case _:
            return []


def _is_descriptor(source: ClassSource, name: str) -> bool:
    """Return whether a class body assigns an instance of a class with ``__set__``."""
    value = getattr(source.in_body.get(name), "value", None)
    if not isinstance(value, ast.Call):
        return False
    cls = source.class_named(value.func)
    return cls is not None and "__set__" in cls.known_members


def _rejects(constructor: ast.stmt, call: ast.Call, source: ClassSource) -> bool:
    """Return whether the constructor of *source* does not take the arguments of a call."""
    if not isinstance(constructor, Function) or constructor.decorator_list:
        return False
    literals = [each.value for each in call.args if isinstance(each, ast.Constant)]
    if source.module.is_ours and any(literals):
        return True
    return not takes(constructor, call.args, {each.arg or "": each for each in call.keywords})


def _has_plain_arguments(call: ast.Call) -> bool:
    is_starred = any(isinstance(each, ast.Starred) for each in call.args)
    return not is_starred and all(each.arg is not None for each in call.keywords)


def _may_get_constructor(source: ClassSource) -> bool:
    """Return whether a decorator, a metaclass or a hook may give a class a constructor.

    Python gives each Protocol one, which takes everything.
    """
    is_protocol = any("Protocol" in unparse(base) for base in source.node.bases)
    is_changed = bool(source.node.decorator_list or source.node.keywords)
    return is_protocol or is_changed or "__init_subclass__" in source.in_body


def takes(function: Function, args: Sequence[ast.expr], keywords: dict[str, ast.keyword]) -> bool:
    """Return whether a method takes these arguments, the starred ones aside."""
    try:
        signature_of(function.args).bind(None, *args, **keywords)
    except TypeError:
        return False
    except ValueError:
        pass
    return True


def _is_target(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Store)
