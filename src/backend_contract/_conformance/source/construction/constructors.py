"""Constructors, read from the source: whether a class makes complete instances of itself.

A type checker does not tell whether ``__init__`` reaches that of a base class, and mypy believes
that every class makes instances of itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from backend_contract._conformance.source.classes import CONSTRUCTORS, ClassSource
from backend_contract._conformance.source.construction.execution import State, Walker, takes
from backend_contract._conformance.source.construction.factories import (
    Defect,
    first_method,
    metaclass_of,
    method_of,
    of_metaclass,
    of_new,
)
from backend_contract._conformance.source.construction.undefined import (
    evaluated,
    undefined_in_statement,
)
from backend_contract._conformance.source.evaluation.assignments import to_class
from backend_contract._conformance.source.evaluation.bodies import kinds_returned
from backend_contract._conformance.source.evaluation.fields import (
    generated_by,
    is_dataclass,
    is_frozen,
    is_made_field,
    refused_default,
    slots_made,
    slots_of,
)
from backend_contract._conformance.source.evaluation.headers import is_final
from backend_contract._conformance.source.evaluation.kinds import NONE, Context, inside
from backend_contract._conformance.source.members import base_names
from backend_contract._conformance.source.parsing import (
    Function,
    generic_of,
    is_generator,
    is_stub,
    is_super,
    last_part,
    nodes_of,
    positional_of,
    returns_of,
    unparse,
)


def find_defect(source: ClassSource) -> Defect | None:
    """Return what is wrong with the instances that the class makes, if anything is."""
    try:
        for find in (
            _of_bases,
            _of_statement,
            _of_enumeration,
            of_metaclass,
            of_new,
            _of_init,
            _of_generated,
            _of_attributes,
        ):
            defect = find(source)
            if defect is not None:
                return defect
    except RecursionError:
        return Defect(False, "the constructor is nested too deeply to be read")
    return None


def _of_bases(source: ClassSource) -> Defect | None:
    """Judge class statements that raise: a base stands before a class that inherits from it."""
    for cls in source.known_lineage:
        if any(is_final(base, cls) for base in cls.node.bases):
            return Defect(True, f"a base of `{cls.node.name}` cannot be inherited from")
        bases = cls.node.bases
        if any(_is_misplaced(base, bases[n:], cls) for n, base in enumerate(bases[:-1], start=1)):
            return Defect(True, f"Python finds no order for the bases of `{cls.node.name}`")
    return None


def _is_misplaced(base: ast.expr, behind: Sequence[ast.expr], cls: ClassSource) -> bool:
    """Return whether one of the bases *behind* inherits from *base*."""
    found = [cls.class_named(generic_of(each)) for each in behind]
    ancestors = {each for other in found if other for each in other.known_lineage}
    if cls.class_named(generic_of(base)) in ancestors:
        return True
    name = last_part(generic_of(base))
    inherited = {each for ancestor in ancestors for each in base_names(ancestor)}
    if name != "Generic":
        return name in ("ABC", "Protocol") and name in inherited
    # Python leaves `Generic[T]` out before a base with type arguments.
    is_left_out = any(isinstance(each, ast.Subscript) for each in behind)
    return not is_left_out and not inherited.isdisjoint({"Generic", "Protocol"})


def _of_statement(source: ClassSource) -> Defect | None:
    """Judge class statements that raise for what they contain, or pass to a base."""
    for cls in source.known_lineage:
        if metaclass_of(cls) is not None:
            continue
        if (name := undefined_in_statement(cls)) is not None:
            advice = f"Define `{name}` before the class; quote it if it is only an annotation."
            reason = f"the class statement raises NameError: `{name}` is not defined"
            return Defect(True, reason, advice)
        for name in sorted(slots_of(cls)):
            if name in cls.in_body and getattr(cls.in_body[name], "value", cls) is not None:
                return Defect(True, f"`{name}` is in `__slots__`, and has a value in the class")
        if (refused := refused_default(cls)) is not None:
            advice = f"Write `{refused}: ... = field(default_factory=...)`."
            return Defect(True, f"the default of the field `{refused}` is mutable", advice)
        if not _takes_keywords(cls):
            return Defect(True, f"`__init_subclass__` does not take what `{cls.node.name}` gives")
    return None


def _takes_keywords(cls: ClassSource) -> bool:
    """Return whether the ``__init_subclass__`` of a base takes the keywords of the statement."""
    given = {each.arg or "": each for each in cls.node.keywords if each.arg != "metaclass"}
    if "" in given or cls.has_unknown_base:
        return True
    hooks = (each.in_body.get("__init_subclass__") for each in cls.known_lineage[1:])
    hook = next(filter(None, hooks), None)
    if hook is None:
        return not given  # `object` takes none
    return not isinstance(hook, Function) or takes(hook, [], given)


def _of_enumeration(source: ClassSource) -> Defect | None:
    if any(cls.module.name == "enum" for cls in source.known_lineage):
        return Defect(True, "the class is an enumeration, which makes no new instances")
    return None


def replaces_generated(source: ClassSource) -> bool:
    """Return whether the constructor is written in a class that a decorator gives one."""
    found = method_of(source, "__init__")
    return found is not None and any(
        is_dataclass(decorator, found[0]) for decorator in found[0].node.decorator_list
    )


def _of_init(source: ClassSource) -> Defect | None:
    found = source.find("__init__")
    if found is None or not isinstance(found[1], Function):
        return None
    function = found[1]
    if isinstance(function, ast.AsyncFunctionDef):
        return Defect(True, "`__init__` is a coroutine function, and has to return `None`")
    if is_generator(function):
        return Defect(True, "`__init__` is a generator function, and has to return `None`")
    at = inside(found[0], function, source)
    values = [each.value for each in returns_of(function) if each.value]
    if any(_is_never_none(each, at) for each in values):
        return Defect(True, "`__init__` returns a value, and has to return `None`")
    return None


def _is_never_none(value: ast.expr, at: Context) -> bool:
    kinds = kinds_returned(value, at)
    return kinds is not None and bool(kinds) and NONE not in kinds


def _of_generated(source: ClassSource) -> Defect | None:
    """Judge the constructor of a dataclass, which passes each ``InitVar`` to a method."""
    generated = generated_by(source)
    found = method_of(source, "__post_init__")
    if generated is None or "__post_init__" not in generated.hooks_after or found is None:
        return None
    passed: list[ast.expr] = [ast.Name(each) for each in generated.passed_on]
    if takes(found[1], passed, {}):
        return None
    names = " and ".join(f"`{each}`" for each in generated.passed_on) or "nothing"
    return Defect(True, f"`__post_init__` is given {names}, and does not take that")


def _of_attributes(source: ClassSource) -> Defect | None:
    """Judge the constructor by the attributes that members read on a new instance."""
    if _is_abbreviated(source):
        return None
    state = _constructed(source)
    if state is None:
        return Defect(True, "the constructor always raises or exits")
    for name, why in _not_assignable(source, state):
        return Defect(True, f"the constructor assigns `{name}`, {why}")
    for error in sorted(state.errors):
        return Defect(True, f"the constructor {error}", "Define the name before it is read.")
    for name in _read_too_early(source, state):
        advice = "Read it later in the constructor, or set it before."
        return Defect(True, f"the constructor reads `{name}`, which is not set yet", advice)
    without = _constructed(source, has_config=False) if metaclass_of(source) is None else None
    for error in sorted(without.errors if without is not None else ()):
        advice = "Test whether it is `None` before, or read `self.config`."
        return Defect(True, f"without a configuration, the constructor {error}", advice)
    return _of_each_call(source, state, [*_needed_attributes(source, state)])


def find_missing(source: ClassSource, member: str) -> Defect | None:
    """Return why a new instance lacks *member*, or may lack it, if no class body defines it."""
    found = source.find(member)
    if found is None or source.has_unknown_base or _is_abbreviated(source):
        return None
    if any(isinstance(cls.in_body.get(member), Function) for cls in source.known_lineage):
        return None
    try:
        state = _constructed(source)
        return state and _of_each_call(source, state, [(member, member)])
    except RecursionError:
        return None


def _of_each_call(
    source: ClassSource, state: State, needed: Sequence[tuple[str, str]]
) -> Defect | None:
    """Return what a new instance lacks, with a configuration or without, or may lack."""
    defect = _of_missing(source, state, needed)
    for has_config in (False, True) if defect and not defect.is_certain else ():
        after = _constructed(source, has_config)
        found = after and _of_missing(source, after, needed)
        if found and found.is_certain:
            how = "with" if has_config else "without"
            return found._replace(reason=f"{how} a configuration, {found.reason}")
    return defect


def _of_missing(
    source: ClassSource, state: State, needed: Iterable[tuple[str, str]]
) -> Defect | None:
    """Return the first of the *needed* attributes that a new instance lacks, or may lack."""
    given = state.always | _given_by_classes(source)
    missing = [each for each in needed if each[1] not in given and each[1][-2:] != "__"]
    if not missing or _answers_for_any_attribute(source):
        return None
    certain = [each for each in missing if each[1] not in state.maybe]
    if state.is_unknown or _is_open(source, [name for _, name in missing]):
        certain = []
    return _lack(source, *(certain or missing)[0], is_certain=bool(certain))


def _is_open(source: ClassSource, names: Iterable[str]) -> bool:
    """Return whether something beside the constructor may give an instance its attributes."""
    return (
        source.has_unknown_base
        or metaclass_of(source) is not None
        or any(to_class(source, name) for name in names)
    )


def _lack(source: ClassSource, member: str, name: str, *, is_certain: bool) -> Defect:
    """Describe the missing attribute *name*, which *member* needs."""
    subject = "a new instance has no" if is_certain else "a new instance may have no"
    what = f"`{name}`" if member == name else f"`{name}`, which `{member}` uses"
    setter = _setter(source, name)
    why = f": `{setter.node.name}.__init__`, which sets it, is not reached" if setter else ""
    return Defect(is_certain, f"{subject} {what}{why}", _advice(source, setter, name))


def _is_abbreviated(source: ClassSource) -> bool:
    """Return whether ``...`` stands for a constructor, which no base of this package needs."""
    init = method_of(source, "__init__")
    is_ours = any(cls.module.is_ours for cls in source.known_lineage)
    return init is not None and is_stub(init[1]) and not is_ours


def _not_assignable(source: ClassSource, state: State) -> Iterator[tuple[str, str]]:
    """Yield what the constructor assigns although it cannot, and why."""
    is_fixed = any(is_frozen(each, source) for each in source.node.decorator_list)
    slots = _slots(source)
    for name in sorted(state.assigned):
        if is_fixed:
            yield name, "and instances are frozen"
        elif name != "backend_type" and _is_read_only(source, name):
            yield name, "a property without a setter"
        elif slots is not None and name not in slots | _given_by_classes(source):
            yield name, "which is not in `__slots__`"


def _answers_for_any_attribute(source: ClassSource) -> bool:
    return not source.known_members.isdisjoint({"__getattr__", "__getattribute__"})


def _read_too_early(source: ClassSource, state: State) -> Iterator[str]:
    """Yield the attributes that the constructor reads before anything can have set them."""
    names = sorted(state.unset - _given_by_classes(source))
    if not _answers_for_any_attribute(source):
        yield from (name for name in names if name[-2:] != "__" and not _is_open(source, [name]))


def _slots(source: ClassSource) -> set[str] | None:
    names: set[str] = set()
    for cls in source.lineage:
        made = slots_made(cls) if cls else None
        if made is not None:
            names |= made
            continue
        match cls and cls.in_body.get("__slots__"):
            case ast.Assign(value=ast.Tuple(elts=parts) | ast.List(elts=parts)) if cls:
                own = slots_of(cls)
                if "__dict__" in own or len(own) != len(parts):
                    return None
                names |= own
            case _:
                return None
    return names


def _is_read_only(source: ClassSource, name: str) -> bool:
    for cls in source.lineage:
        if cls is None:
            return False
        statement = cls.in_body.get(name)
        if isinstance(statement, Function):
            decorators = [unparse(each) for each in statement.decorator_list]
            return "property" in decorators and name not in cls.with_setter
        if statement is not None and statement.value is not None:
            return False
    return False


@lru_cache(maxsize=2**12)
def _constructed(source: ClassSource, has_config: bool | None = None) -> State | None:
    """Return the state of a new instance; ``None`` if the constructor always raises."""
    walker = Walker(source, has_config=has_config)
    state: State | None = State()
    new = method_of(source, "__new__")
    if new is not None:
        state = walker.run(*new, State(), _variables_of_instances(new[1]))
    return state and walker.call("__init__", state, source.lineage)


def _variables_of_instances(function: Function) -> set[str]:
    names: set[str] = set()
    for node in nodes_of(function):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name), *_], value=ast.Call(func=ast.Attribute(attr="__new__"))
            ):
                names.add(name)
            case _:
                pass
    return names


@lru_cache(maxsize=2**12)
def _given_by_classes(source: ClassSource) -> set[str]:
    given: set[str] = set()
    for cls in source.known_lineage:
        given |= {
            name
            for name, statement in cls.in_body.items()
            if isinstance(statement, Function)
            or (statement.value is not None and not is_made_field(statement.value))
        }
        given |= cls.nested
        prefix = f"{cls.node.name}."
        given |= {
            each.removeprefix(prefix)
            for each in cls.module.set_from_outside
            if each.startswith(prefix)
        }
    return given


def _setter(source: ClassSource, name: str) -> ClassSource | None:
    for cls in source.known_lineage[1:]:
        statement = cls.in_body.get("__init__")
        if isinstance(statement, Function) and name in _stored(statement):
            return cls
    return None


def _advice(source: ClassSource, setter: ClassSource | None, name: str) -> str:
    generated = next((g for cls in source.known_lineage if (g := generated_by(cls))), None)
    method = (*generated.hooks_after, "__init__")[0] if generated is not None else "__init__"
    if setter is None or not setter.module.is_ours:
        return f"Assign `self.{name}` in `{method}`."
    call = "super().__init__(config)" if generated is None else "super().__init__(...)"
    return f"Call `{call}` in `{method}`."


# ---- what a new instance needs

_READABLE = ("is_started", "start_lock")
"""The members that a runtime reads on a new instance."""


def _needed_attributes(source: ClassSource, state: State) -> Iterator[tuple[str, str]]:
    """Yield the attributes that a new instance needs, after the members that read them."""
    for member in _READABLE:
        found = source.find(member)
        if found is None:
            continue
        owner, statement = found
        if isinstance(statement, Function):
            yield from ((member, name) for name in _reads(source, owner, statement))
        elif member not in owner.in_body or (statement.value is None and owner.on_self.get(member)):
            yield member, member
    yield from (("register_config", name) for name in _needed_to_register(source))


def _needed_to_register(source: ClassSource) -> Iterator[str]:
    """Yield what an inherited ``register_config`` reads and only a constructor assigns."""
    found = source.find("register_config")
    if found is None or source.find("__init__") is None or not isinstance(found[1], Function):
        return
    by_constructors, elsewhere = set[str](), set[str]()
    for cls in source.known_lineage:
        for method in cls.in_body.values():
            if isinstance(method, Function):
                stored = by_constructors if method.name in CONSTRUCTORS else elsewhere
                stored |= _stored(method)
    needed = by_constructors - elsewhere
    yield from (name for name in _reads(source, found[0], found[1]) if name in needed)


@lru_cache(maxsize=2**14)
def _stored(function: Function) -> frozenset[str]:
    return frozenset(
        node.attr
        for node in nodes_of(function)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    )


def _reads(
    source: ClassSource, owner: ClassSource, function: Function, seen: set[int] | None = None
) -> Iterator[str]:
    """Yield the attributes of the instance that every call of a method reads."""
    seen = set() if seen is None else seen
    parameters = positional_of(function.args)
    if not parameters or id(function) in seen:
        return
    seen.add(id(function))
    given: dict[str, int] = {}
    for node in _executed(function.body):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute, lineno=line) if (
                name == parameters[0].arg
            ):
                if not isinstance(node.ctx, ast.Load) or line > given.get(attribute, line):
                    given.setdefault(attribute, line)
                    continue
                inner = method_of(source, attribute)
                yield from _reads(source, *inner, seen) if inner else (attribute,)
            case ast.Attribute(value=value, attr=attribute) if is_super(value):
                inner = first_method(Walker(source).after(owner), attribute)
                yield from _reads(source, *inner, seen) if inner else ()
            case _:
                pass


def _executed(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes that are executed in every call, up to the first that may not be."""
    for statement in body:
        match statement:
            case ast.If(test=test) | ast.While(test=test):
                yield from evaluated(test)
                return
            case ast.With(items=items, body=inner):
                for item in items:
                    yield from evaluated(item.context_expr)
                yield from _executed(inner)
            case ast.Try() | ast.For() | ast.Match() | ast.AsyncWith() | ast.AsyncFor():
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass
            case ast.Return() | ast.Raise():
                yield from evaluated(statement)
                return
            case _:
                yield from evaluated(statement)
