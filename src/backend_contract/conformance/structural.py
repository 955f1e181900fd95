"""Layer R: what a class shows at run time, without an instance of it.

The class is imported by whoever asks, and looked at: no property is read, nothing is called,
nothing is changed. What only an instance can show is unchecked here; layer B tries it on one.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import linecache
import re
import sys
import types
import typing
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

from backend_contract.clauses import CLAUSES, Clause, in_layer
from backend_contract.conformance.verdicts import Finding, Verdict
from backend_contract.protocol import ConfigType
from backend_contract.runtime_context import RuntimeServerContextType

__all__ = ["DECIDED_BY", "inspect_class", "place", "signature_of"]

DECIDED_BY = "inspection of the imported class"

_known: weakref.WeakKeyDictionary[type, tuple[Finding, ...]] = weakref.WeakKeyDictionary()


def inspect_class(cls: type) -> tuple[Finding, ...]:
    """A finding a clause of layer R, in order of id. Thread-safe.

    A class is inspected once; what is assigned to its members after that is not seen.
    """
    try:
        findings = _known.get(cls)
    except TypeError:  # its metaclass makes classes that cannot be hashed
        return tuple(_findings(cls))
    if findings is None:
        findings = _known[cls] = tuple(_findings(cls))
    return findings


def _findings(cls: type) -> Iterator[Finding]:
    shown = _Shown(cls)
    verdicts: dict[str, Verdict] = {}
    for clause in in_layer("R"):
        broken = (Verdict.VIOLATED, Verdict.BLOCKED)
        blocking = [r for r in clause.requires if verdicts.get(r) in broken]
        decision = (
            _Decision(Verdict.BLOCKED, blocking[0]) if blocking else _DECIDERS[clause.id](shown)
        )
        verdicts[clause.id] = decision.verdict
        yield _finding(shown, clause, decision)


class _Decision(NamedTuple):
    """What is to be said of a clause, and of which member if not of its first."""

    verdict: Verdict
    because: str = ""
    member: str = ""


_OK = _Decision(Verdict.OK)


def _finding(shown: _Shown, clause: Clause, decision: _Decision) -> Finding:
    verdict, because, member = decision
    member = member or clause.members[0]
    path, line = place(shown.cls, member)
    return Finding(
        clause,
        verdict,
        path,
        line,
        "" if verdict in (Verdict.OK, Verdict.BLOCKED) else shown.describe(member),
        (because,) if because else (),
        "R",
        DECIDED_BY,
    )


class _Absent:
    """Stands for what is not there: a member, an annotation."""


class _Unresolved:
    """Stands for an annotation that cannot be evaluated at run time."""


class _Shown:
    """A class, and its members as they stand in the dictionaries of its bases."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.mro = type.__dict__["__mro__"].__get__(cls)

    def find(self, name: str) -> object:
        """The member as it was defined, or ``_Absent``; descriptors are not asked for anything."""
        for base in self.mro:
            if name in base.__dict__:
                return base.__dict__[name]
        return _Absent

    def answers_everything(self) -> bool:
        """Whether instances may have members that no dictionary has."""
        hooks = (self.find("__getattr__"), self.find("__getattribute__"))
        # Those of `dict`, `str` and the like do what that of `object` does.
        plain = (type, types.WrapperDescriptorType)
        return any(not isinstance(hook, plain) for hook in hooks)

    def sets(self, name: str) -> bool:
        """Whether a method of the class assigns to an attribute ``name``, most likely its own."""
        return any(
            isinstance(value, types.FunctionType)
            and name in value.__code__.co_names
            and _stores(value, name)
            for base in self.mro
            if base.__module__ not in ("builtins", "typing", "abc")
            for value in base.__dict__.values()
        )

    def is_abstract(self, name: str) -> bool:
        return bool(getattr(self.find(name), "__isabstractmethod__", False))

    def describe(self, name: str) -> str:
        """A member on one line, as it may stand in the source."""
        value = self.find(name)
        if value is _Absent:
            return f"no `{name}`"
        if isinstance(value, property):
            getter = value.fget
            returns = _written(getattr(getter, "__annotations__", {}).get("return", _Absent))
            return f"@property def {name}(self){returns}"
        if isinstance(value, staticmethod | classmethod):
            wrapped = cast("staticmethod[..., object]", value)
            return f"@{type(wrapped).__name__} {self._header(name, wrapped.__func__)}"
        if isinstance(value, types.FunctionType):
            return self._header(name, value)
        if isinstance(value, (types.MemberDescriptorType, types.GetSetDescriptorType)):
            return f"{name}, a slot"
        if isinstance(value, (str, int, float, bytes, type(None))):
            return f"{name} = {value!r}"
        return f"{name}, {_article(type(value).__qualname__)}"

    def _header(self, name: str, function: Callable[..., object]) -> str:
        prefix = "async " if inspect.iscoroutinefunction(function) else ""
        try:
            signature = str(inspect.signature(function, follow_wrapped=False))
        except (TypeError, ValueError):
            signature = "(...)"
        return f"{prefix}def {name}{signature}"


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _written(annotation: object) -> str:
    if annotation is _Absent:
        return ""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return f" -> {text}"


def _stores(function: types.FunctionType, name: str) -> bool:
    return any(
        instruction.opname == "STORE_ATTR" and instruction.argval == name
        for instruction in dis.get_instructions(function)
    )


def place(cls: type, member: str) -> tuple[Path, int]:
    """File and line of ``member``, where a function of the class's own has it, else of the class.

    A class without a source, made in an interactive session or by a library, is at line 1.
    """
    own = cls.__dict__.get(member)
    function = getattr(own, "fget", None) or getattr(own, "__func__", None) or own
    # What a library has made of text, such as a dataclass's methods, is in no file.
    if isinstance(function, types.FunctionType) and function.__code__.co_filename[:1] != "<":
        return _path(function.__code__.co_filename), function.__code__.co_firstlineno
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None) or f"<{cls.__module__}>"
    line: int | None = cls.__dict__.get("__firstlineno__")  # from Python 3.13 on
    return _path(file), line or _line_of_class(file, cls.__name__)


_path = functools.lru_cache(maxsize=256)(Path)


@functools.lru_cache(maxsize=256)
def _line_of_class(file: str, name: str) -> int:
    head = re.compile(rf"\s*class {re.escape(name)}\b")
    lines = enumerate(linecache.getlines(file), start=1)
    return next((number for number, line in lines if head.match(line)), 1)


def signature_of(function: Callable[..., object]) -> inspect.Signature | None:
    """How ``function`` itself can be called, whatever it wraps; ``None`` where nobody knows."""
    try:
        return inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return None


# How each clause is decided.


def _bc101(shown: _Shown) -> _Decision:
    value = shown.find("backend_type")
    if isinstance(value, str):
        return _OK
    return _value_decision(shown, "backend_type", value, str)


def _bc102(shown: _Shown) -> _Decision:
    value = shown.find("backend_type")
    if isinstance(value, str):
        if shown.sets("backend_type"):
            return _unknown("a method assigns `backend_type` as well; an instance has to be made")
        return _OK
    if value is _Absent:
        if inspect.getattr_static(type(shown.cls), "backend_type", _Absent) is not _Absent:
            return _unknown(
                "its metaclass gives the class a `backend_type`, which is not read here"
            )
        if shown.answers_everything() and not shown.sets("backend_type"):
            return _unknown("`__getattr__` may give an instance one")
        return _violated("nothing gives `backend_type` to the class itself")
    kind = _article(type(value).__name__)
    its_own_on_the_class = (property, types.MemberDescriptorType, functools.cached_property)
    if hasattr(type(value), "__get__") and not isinstance(value, its_own_on_the_class):
        return _unknown(f"it is computed by {kind}")
    return _violated(f"on the class it reads as {kind}")


def _bc103(shown: _Shown) -> _Decision:
    value = shown.find("backend_type")
    if not isinstance(value, str):
        return _unknown("`backend_type` is no constant of the class")
    if not value.strip() or value != value.upper():
        return _violated(f"it is {value!r}")
    return _OK


def _bc201(shown: _Shown) -> _Decision:
    contract = {member for clause in CLAUSES.values() for member in clause.members}
    abstract: frozenset[str] = getattr(shown.cls, "__abstractmethods__", frozenset())
    missing = sorted(abstract - contract)
    if missing:
        return _violated(f"`{missing[0]}` is abstract, so that no instance can be made", "__init__")
    if getattr(shown.cls, "_is_protocol", False):
        return _violated("the class is a Protocol, of which there are no instances", "__init__")
    try:
        signature = inspect.signature(shown.cls)
    except (TypeError, ValueError):
        return _unknown("how the class is called cannot be told")
    for what, arguments in _CONSTRUCTIONS.items():
        try:
            signature.bind(*arguments)
        except TypeError as error:
            return _violated(f"{what}: {error}", "__init__")
    constructor = shown.find("__init__")
    if not isinstance(constructor, types.FunctionType):
        return _OK
    return _parameters(constructor, ("self", ConfigType), "__init__")


_CONSTRUCTIONS: dict[str, tuple[object, ...]] = {
    "without arguments": (),
    "with None": (None,),
    "with one configuration": ({},),
}


def _bc202(shown: _Shown) -> _Decision:
    return _method(shown, "register_config", [((None,), {})], (ConfigType,))


def _bc307(shown: _Shown) -> _Decision:
    value = shown.find("is_started")
    if isinstance(value, bool):
        return _OK
    if isinstance(value, functools.cached_property):
        return _violated("a cached_property keeps its first value, whatever happens after")
    return _value_decision(shown, "is_started", value, bool)


def _bc309(shown: _Shown) -> _Decision:
    decisions = [_method(shown, member, [((), {})], ()) for member in ("start", "stop")]
    return _worst(decisions)


def _bc401(shown: _Shown) -> _Decision:
    return _method(shown, "start_lock", [((), {})], (), returns=_is_context_manager)


def _bc501(shown: _Shown) -> _Decision:
    by_position: Call = (("", None), {})
    by_keyword: Call = ((), {"model_id": "", "runtime_context": None})
    return _method(
        shown,
        "handle_runtime_context",
        [by_position, by_keyword],
        (str, RuntimeServerContextType),
    )


_DECIDERS: dict[str, Callable[[_Shown], _Decision]] = {
    "BC101": _bc101,
    "BC102": _bc102,
    "BC103": _bc103,
    "BC201": _bc201,
    "BC202": _bc202,
    "BC307": _bc307,
    "BC309": _bc309,
    "BC401": _bc401,
    "BC501": _bc501,
}


def _violated(because: str, member: str = "") -> _Decision:
    return _Decision(Verdict.VIOLATED, because, member)


def _unknown(because: str, member: str = "") -> _Decision:
    return _Decision(Verdict.UNCHECKED, because, member)


def _worst(decisions: Sequence[_Decision]) -> _Decision:
    """The first that is violated, else the first that is unchecked, else that all is well."""
    for verdict in (Verdict.VIOLATED, Verdict.UNCHECKED):
        for decision in decisions:
            if decision.verdict is verdict:
                return decision
    return _OK


# Members that are values.


def _value_decision(shown: _Shown, name: str, value: object, expected: type) -> _Decision:
    """What is shown of a member that is to be read as an ``expected``, and is no plain one."""
    if isinstance(value, property):
        if shown.is_abstract(name):
            return _violated(f"`{name}` is abstract, and the class does not define it")
        getter = value.fget
        if not isinstance(getter, types.FunctionType) or hasattr(getter, "__wrapped__"):
            return _unknown(f"what the property `{name}` returns cannot be told", name)
        return _hinted(name, _annotation(getter, "return"), expected)
    if value is _Absent or isinstance(value, types.MemberDescriptorType):
        if shown.sets(name) or isinstance(value, types.MemberDescriptorType):
            return _unknown(f"`{name}` is set on instances", name)
        if shown.answers_everything():
            return _unknown("`__getattr__` may give an instance one", name)
        return _violated(f"nothing gives `{name}` to an instance", name)
    if isinstance(value, types.FunctionType | staticmethod | classmethod):
        return _violated(f"`{name}` is a method", name)
    if not isinstance(value, type) and hasattr(type(value), "__get__"):
        return _unknown(f"`{name}` is computed by {_article(type(value).__name__)}", name)
    if shown.sets(name):
        return _unknown(f"`{name}` is set on instances as well", name)
    return _violated(
        f"`{name}` is {_article(type(value).__name__)}, not {_article(expected.__name__)}", name
    )


def _hinted(name: str, hint: object, expected: type) -> _Decision:
    if hint is expected:
        return _OK
    if isinstance(hint, type) and hint not in _TELLS_NOTHING:
        if issubclass(hint, expected):
            return _OK
        return _violated(f"`{name}` is declared as {hint.__name__}", name)
    if typing.get_origin(hint) is typing.Literal:
        wrong = [value for value in typing.get_args(hint) if not isinstance(value, expected)]
        return _violated(f"`{name}` may be {wrong[0]!r}", name) if wrong else _OK
    return _unknown(f"the type of `{name}` cannot be told", name)


# Members that are methods.

Call: TypeAlias = tuple[tuple[object, ...], dict[str, object]]


def _method(
    shown: _Shown,
    name: str,
    calls: Sequence[Call],
    parameters: tuple[object, ...],
    returns: Callable[[object], bool | None] | None = None,
) -> _Decision:
    """What is shown of a method that is to take ``calls``, with ``parameters`` of these types."""
    value = shown.find(name)
    if value is _Absent:
        if shown.sets(name):
            return _unknown(f"`{name}` is set on instances", name)
        if shown.answers_everything():
            return _unknown("`__getattr__` may give an instance one", name)
        return _violated(f"the class has no `{name}`", name)
    if shown.is_abstract(name):
        return _violated(f"`{name}` is abstract, and the class does not define it", name)
    function, leading = _callable(value)
    if function is None:
        return leading if isinstance(leading, _Decision) else _unknown("", name)
    assert isinstance(leading, tuple)
    problem = _never_runs(name, function)
    if problem is not None:
        return _violated(problem, name)
    takes: Callable[..., object] = function
    if getattr(function, "__code__", None) is _CONTEXT_MANAGER:
        takes = getattr(function, "__wrapped__", function)  # which it hands all its arguments to
    for arguments, keywords in calls:
        if _plainly_takes(takes, len(leading) + len(arguments), keywords):
            continue
        signature = signature_of(takes)
        if signature is None:
            return _unknown(f"how `{name}` is called cannot be told", name)
        try:
            signature.bind(*leading, *arguments, **keywords)
        except TypeError as error:
            how = f" with {' and '.join(keywords)}" if keywords else ""
            return _violated(f"called{how}: {error}", name)
    if not isinstance(function, types.FunctionType):
        return _unknown(f"what `{name}` takes and returns cannot be told", name)
    return _worst(
        [
            _parameters(function, (*leading, *parameters), name),
            _result(function, name, returns or _is_nothing),
        ]
    )


def _callable(value: object) -> tuple[Callable[..., object] | None, tuple[str, ...] | _Decision]:
    """What is called where a member is, and what it is given first."""
    if isinstance(value, types.FunctionType):
        return value, ("self",)
    if isinstance(value, staticmethod | classmethod):
        wrapped = cast("staticmethod[..., object]", value)
        return wrapped.__func__, ("cls",) if isinstance(value, classmethod) else ()
    if hasattr(type(value), "__get__") and not isinstance(value, type):
        return None, _unknown(f"it is {_article(type(value).__name__)}, which is not read here")
    if callable(value):
        return value, ()
    return None, _violated(f"it is {_article(type(value).__name__)}, which cannot be called")


def _plainly_takes(function: object, count: int, keywords: dict[str, object]) -> bool:
    """Whether ``function`` takes no more and no less than this; a signature takes long to make."""
    if not isinstance(function, types.FunctionType) or function.__defaults__:
        return False
    code = function.__code__
    parameters = code.co_varnames[: code.co_argcount]
    return (
        code.co_argcount == count + len(keywords)
        and not code.co_kwonlyargcount
        and not code.co_posonlyargcount
        and parameters[count:] == tuple(keywords)
    )


def _never_runs(name: str, function: Callable[..., object]) -> str | None:
    """Why a call to ``function`` does not run it at all, where that is so."""
    if inspect.iscoroutinefunction(function):
        return f"`{name}` is async, and is never awaited"
    if inspect.isasyncgenfunction(function):
        return f"`{name}` is an async generator, and is never iterated over"
    if inspect.isgeneratorfunction(function):
        missing = "; decorate it with contextlib.contextmanager" if name == "start_lock" else ""
        return f"`{name}` is a generator, and is never iterated over{missing}"
    if getattr(function, "__code__", None) is _ASYNC_CONTEXT_MANAGER:
        return f"`{name}` returns an async context manager"
    return None


def _helper(decorator: Callable[[Any], Any]) -> types.CodeType:
    code: types.CodeType = decorator(lambda: None).__code__
    return code


_CONTEXT_MANAGER = _helper(contextlib.contextmanager)
_ASYNC_CONTEXT_MANAGER = _helper(contextlib.asynccontextmanager)


def _annotation(function: types.FunctionType, name: str) -> object:
    """What ``name`` is annotated with, or ``_Absent``, or ``_Unresolved``.

    One at a time, where typing.get_type_hints gives up on all when one does not resolve.
    """
    try:
        hint: object = function.__annotations__.get(name, _Absent)
        while isinstance(hint, str):
            if hint == "None":  # by far the most frequent, and the slowest to compile
                return None
            names = function.__globals__
            hint = names[hint] if hint in names else eval(hint, names)  # noqa: S307 - as typing does
        if typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
    except Exception:  # whatever an annotation of the author's does
        return _Unresolved
    return hint


def _parameters(function: types.FunctionType, expected: tuple[object, ...], name: str) -> _Decision:
    """Whether the parameters of ``function`` are declared to take what they are given.

    A ``str`` in ``expected`` stands for a parameter of which nothing is asked.
    """
    if all(isinstance(wanted, str) for wanted in expected):
        return _OK
    if hasattr(function, "__wrapped__"):
        return _unknown(f"`{name}` is wrapped, and shows the annotations of another", name)
    code = function.__code__
    for position, wanted in enumerate(expected):
        if isinstance(wanted, str):
            continue
        if position < code.co_argcount:
            parameter = code.co_varnames[position]
        elif code.co_flags & inspect.CO_VARARGS:
            parameter = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
        else:
            continue  # by keyword alone: _method has said so already
        takes = _takes(_annotation(function, parameter), wanted)
        if takes is False:
            return _violated(f"`{parameter}` is declared to take something else", name)
        if takes is None:
            return _unknown(f"what `{parameter}` of `{name}` takes cannot be told", name)
    return _OK


def _result(
    function: types.FunctionType, name: str, returns: Callable[[object], bool | None]
) -> _Decision:
    if function.__code__ is _CONTEXT_MANAGER and returns is _is_context_manager:
        return _OK
    if hasattr(function, "__wrapped__"):
        return _unknown(f"`{name}` is wrapped, and shows the annotations of another", name)
    fits = returns(_annotation(function, "return"))
    if fits is False:
        return _violated(f"`{name}` is declared to return something else", name)
    if fits is None:
        return _unknown(f"what `{name}` returns cannot be told", name)
    return _OK


_TELLS_NOTHING: tuple[object, ...] = (Any, _Absent, _Unresolved)


def _is_nothing(hint: object) -> bool | None:
    if hint in (None, type(None), typing.NoReturn, getattr(typing, "Never", typing.NoReturn)):
        return True
    if hint in _TELLS_NOTHING or isinstance(hint, typing.TypeVar):
        return None
    return False


def _is_union(hint: object) -> bool:
    return isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union


def _is_context_manager(hint: object) -> bool | None:
    if _is_union(hint):
        parts = [_is_context_manager(part) for part in typing.get_args(hint)]
        return False if False in parts else (None if None in parts else True)
    origin = typing.get_origin(hint) or hint
    if not isinstance(origin, type) or origin in _TELLS_NOTHING:
        return None
    return hasattr(origin, "__enter__") and hasattr(origin, "__exit__")


def _takes(hint: object, wanted: object) -> bool | None:
    """Whether a parameter declared as ``hint`` takes a ``wanted``; ``None`` where nobody knows."""
    if hint is wanted or hint is object:
        return True
    if wanted is RuntimeServerContextType:
        parts = [_takes_class(hint, cls) for cls in _context_classes()]
        if False in parts:
            return False
        return True if parts and None not in parts and len(parts) == len(_CONTEXTS) else None
    if wanted is ConfigType:
        import aconfig

        return _takes_class(hint, aconfig.Config)
    return _takes_class(hint, wanted)


_CONTEXTS = (("grpc", "ServicerContext"), ("starlette.requests", "Request"))


def _context_classes() -> list[object]:
    """The classes of contexts that are loaded; what is not loaded cannot have been named."""
    classes = (getattr(sys.modules.get(module), name, None) for module, name in _CONTEXTS)
    return [cls for cls in classes if cls is not None]


def _takes_class(hint: object, cls: object) -> bool | None:
    if hint in _TELLS_NOTHING or isinstance(hint, typing.TypeVar):
        return None
    if hint is object:
        return True
    if _is_union(hint):
        parts = [_takes_class(part, cls) for part in typing.get_args(hint)]
        return True if True in parts else (None if None in parts else False)
    if typing.get_origin(hint) is typing.Annotated:
        return _takes_class(typing.get_args(hint)[0], cls)
    if hint is ConfigType:
        import aconfig

        return cls is aconfig.Config
    origin = typing.get_origin(hint) or hint
    if not isinstance(origin, type) or getattr(origin, "_is_protocol", False):
        return None
    return isinstance(cls, type) and issubclass(cls, origin)
