"""A look at a class before it is used: problems, sound classes, and code that must not run."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol

import pytest
from support import Mine

from backend_contract import Backend, BackendBase, LocalBackend
from backend_contract._structure import find_problems
from backend_contract.clauses import CLAUSES

MEMBERS = {
    "backend_type": "BC101",
    "register_config": "BC202",
    "is_started": "BC307",
    "start": "BC309",
    "stop": "BC309",
    "start_lock": "BC401",
    "handle_runtime_context": "BC501",
}
CALLED = [name for name in MEMBERS if name not in ("backend_type", "is_started")]


class Whole:
    """Has every member."""

    backend_type = "WHOLE"
    is_started = False

    def __init__(self, config: Any = None) -> None: ...

    def register_config(self, config: Any) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    @contextlib.contextmanager
    def start_lock(self) -> Iterator[None]:
        yield

    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None: ...


def with_members(members: Mapping[str, Any], base: type = Whole) -> type:
    return type("Changed", (base,), dict(members))


def without(*names: str) -> type:
    """Return a class with all members but *names*."""
    hidden = (*names, "__dict__", "__weakref__")
    return type("Lacking", (), {n: v for n, v in vars(Whole).items() if n not in hidden})


@pytest.mark.parametrize("cls", [Whole, Mine, LocalBackend], ids=lambda cls: cls.__name__)
def test_sound(cls: type) -> None:
    """A sound class has no problem."""
    assert find_problems(cls) == {}


def test_empty_class() -> None:
    """A class without members has one problem per clause."""

    class Empty: ...

    problems = find_problems(Empty)
    assert set(problems) == {*MEMBERS.values(), "BC201"}
    assert set(problems) <= set(CLAUSES)
    assert "`backend_type`" in problems["BC101"]


# Presence.


@pytest.mark.parametrize("name", MEMBERS)
def test_missing(name: str) -> None:
    """A missing member violates its clause alone, and is named."""
    problems = find_problems(without(name))
    assert list(problems) == [MEMBERS[name]]
    assert f"no `{name}`" in problems[MEMBERS[name]]


@pytest.mark.parametrize("name", MEMBERS)
def test_abstract(name: str) -> None:
    """An abstract member violates its clause alone; once defined, it does not."""
    method = abc.abstractmethod(lambda self: None)
    for value in (method, property(method)):
        cls = abc.ABCMeta("Open", (Whole,), {name: value})
        problems = find_problems(cls)
        assert list(problems) == [MEMBERS[name]]
        assert f"`{name}` is abstract" in problems[MEMBERS[name]]
        defined = with_members({name: vars(Whole)[name]}, cls)
        assert find_problems(defined) == {}


def test_abstract_of_the_author() -> None:
    """An abstract member outside the contract violates BC201: there are no instances."""
    method = abc.abstractmethod(lambda self: None)
    cls = abc.ABCMeta("Open", (Whole,), {"probe": method})
    assert list(find_problems(cls)) == ["BC201"]
    assert "`probe`" in find_problems(cls)["BC201"]
    assert find_problems(with_members({"probe": lambda self: None}, cls)) == {}


def test_base_class() -> None:
    """The base class and the Protocol are not backends."""
    assert set(find_problems(BackendBase)) == {"BC101", "BC202", "BC309"}
    assert "BC201" in find_problems(Backend)

    class Declared(Protocol):
        backend_type: ClassVar[str] = "DECLARED"

    assert "Protocol" in find_problems(Declared)["BC201"]

    class Implements(Declared):
        def __init__(self, config: Any = None) -> None: ...

    assert set(find_problems(Implements)) == {*MEMBERS.values()} - {"BC101"}


def set_all(self: Any) -> None:
    self.backend_type = "MINE"
    self.is_started = False
    self.register_config = self.start = self.stop = lambda *arguments: None
    self.start_lock = self.handle_runtime_context = lambda *arguments: None


def read_all(self: Any) -> object:
    return (
        self.backend_type,
        self.is_started,
        self.register_config,
        self.start,
        self.stop,
        self.start_lock,
        self.handle_runtime_context,
    )


def set_in_lambda(self: Any) -> object:
    def later() -> None:
        set_all(self)
        self.backend_type = self.is_started = self.register_config = self.start = None
        self.stop = self.start_lock = self.handle_runtime_context = None

    return later


def set_by_name(self: Any) -> None:
    for name in MEMBERS:
        setattr(self, name, None)


def set_in_dict(self: Any) -> None:
    self.__dict__.update(dict.fromkeys(MEMBERS))


def set_with_vars(self: Any) -> None:
    vars(self).update(dict.fromkeys(MEMBERS))


def answer(self: object, name: str) -> Any:
    raise AssertionError("called")


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        raise AssertionError("called")

    return wrapper


def hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    return wrapper


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize(
    "members",
    [
        {"make": set_all},
        {"make": set_in_lambda},
        {"make": set_by_name},
        {"make": set_in_dict},
        {"make": set_with_vars},
        {"make": wrapped(set_all)},
        {"__new__": staticmethod(set_all)},
        {"make": classmethod(set_all)},
        {"__getattr__": answer},
        {"__getattribute__": answer},
        {"__init__": hidden(lambda self, config=None: set_all(self))},
        {"__init__": functools.partialmethod(set_all)},
    ],
    ids=[
        "set",
        "nested",
        "setattr",
        "dict",
        "vars",
        "wrapped",
        "new",
        "class",
        "getattr",
        "all",
        "hidden",
        "call",
    ],
)
def test_may_be_set(name: str, members: dict[str, Any]) -> None:
    """A member that instances may get is not missing."""
    lacking = without(name)
    assert find_problems(with_members(members, lacking)) == {}
    assert find_problems(with_members({}, with_members(members, lacking))) == {}


@pytest.mark.parametrize("name", MEMBERS)
def test_not_set(name: str) -> None:
    """Reading a member, or setting another, does not set it."""
    cls = with_members({"make": read_all, "other": lambda self: self}, without(name))
    assert list(find_problems(cls)) == [MEMBERS[name]]


@pytest.mark.parametrize("name", MEMBERS)
def test_slot(name: str) -> None:
    """A slot is there."""
    assert find_problems(type("Slotted", (without(name),), {"__slots__": (name,)})) == {}


@pytest.mark.parametrize("options", [{}, {"frozen": True}, {"slots": True}], ids=str)
def test_dataclass_field(options: dict[str, bool]) -> None:
    """A field of a dataclass without a default is there."""

    class WithField(without("is_started")):  # type: ignore[misc]  # a dynamic base
        config: Any = None
        is_started: bool = dataclasses.field(default_factory=bool)

    assert find_problems(dataclasses.dataclass(**options)(WithField)) == {}


@pytest.mark.parametrize("value", [None, 3, "text", property(lambda self: None), Whole])
def test_value(value: object) -> None:
    """A member that is a value is there, whatever it is: use shows whether it is right."""
    for name in ("backend_type", "is_started"):
        assert find_problems(with_members({name: value})) == {}


# Calls.


ONE_ARGUMENT = {"register_config": 1, "handle_runtime_context": 2}


@pytest.mark.parametrize("name", CALLED)
def test_binds(name: str) -> None:
    """A member that takes the contract's arguments binds, however it is defined."""
    config, context = {"config": None}, {"model_id": "", "runtime_context": None}
    named: dict[str, Any] = {"register_config": config, "handle_runtime_context": context}
    named = named.get(name, {})
    parameters = "".join(f", {parameter}" for parameter in named)
    scope: dict[str, Any] = {}
    code = (
        f"def plain(self{parameters}): ...\n"
        f"def optional(self{parameters}, more=3, *rest, at='once', **others): ...\n"
        f"def static({parameters.lstrip(', ')}): ...\n"
        "def anything(*arguments, **named): ...\n"
    )
    exec(code, scope)  # noqa: S102 - the text above
    value: Any
    for value in (
        *(scope["plain"], scope["optional"], scope["anything"]),
        *(staticmethod(scope["static"]), classmethod(scope["plain"])),
    ):
        assert find_problems(with_members({name: value})) == {}


@pytest.mark.parametrize("name", CALLED)
def test_does_not_bind(name: str) -> None:
    """A member that cannot be called as the contract calls it violates its clause alone."""

    def nothing() -> None: ...

    def needs_more(self: object, a: object, b: object, c: object) -> None: ...

    def needs_keyword(
        self: object, *arguments: object, timeout: float, **named: object
    ) -> None: ...

    def one(self: object) -> None: ...

    values: list[Any] = [nothing, needs_more, needs_keyword, classmethod(nothing)]  # type: ignore[arg-type]  # wrong on purpose
    values += [staticmethod(needs_more), 3, None]
    if name in ONE_ARGUMENT:
        values += [one, staticmethod(nothing)]
    for value in values:
        problems = find_problems(with_members({name: value}))
        assert list(problems) == [MEMBERS[name]], value
        assert f"`{name}`" in problems[MEMBERS[name]]


@pytest.mark.parametrize(
    ("parameters", "binds"),
    [
        ("model_id, runtime_context", True),
        ("model_id, runtime_context, more=3", True),
        ("*values, **named", True),
        ("model_id, context", False),
        ("model, runtime_context", False),
        ("model_id, runtime_context, /", False),
        ("*, model_id, runtime_context", False),
        ("model_id, runtime_context, route", False),
        ("model_id, runtime_context, *, route", False),
        ("model_id", False),
    ],
)
def test_request(parameters: str, binds: bool) -> None:
    """handle_runtime_context takes both arguments, by position and by name."""
    scope: dict[str, Any] = {}
    exec(f"def handle(self, {parameters}): ...", scope)  # noqa: S102 - the text above
    problems = find_problems(with_members({"handle_runtime_context": scope["handle"]}))
    assert list(problems) == ([] if binds else ["BC501"])


@pytest.mark.parametrize(
    ("parameters", "binds"),
    [
        ("config=None", True),
        ("config=(), more=3", True),
        ("*arguments", True),
        ("config=None, *, port=3", True),
        ("config", False),
        ("", False),
        ("*, config=None", False),
        ("config=None, *, port", False),
        ("config, port", False),
    ],
)
def test_constructor(parameters: str, binds: bool) -> None:
    """A class can be called without arguments and with a configuration."""
    scope: dict[str, Any] = {}
    exec(f"def init(self, {parameters}): ...", scope)  # noqa: S102 - the text above
    problems = find_problems(with_members({"__init__": scope["init"]}))
    assert list(problems) == ([] if binds else ["BC201"])


@pytest.mark.parametrize("base", [Whole, Mine, BackendBase])
def test_inheriting(base: type) -> None:
    """A class that inherits is judged like any other."""

    def init(self: Any, config: Any, workers: int) -> None:
        self.workers = workers

    members = {name: vars(Whole)[name] for name in MEMBERS}
    assert find_problems(with_members(members, base)) == {}
    members |= {"__init__": init, "start": lambda self, timeout: None}
    assert set(find_problems(with_members(members, base))) == {"BC201", "BC309"}


def test_no_constructor() -> None:
    """A class without a constructor takes no configuration."""
    assert list(find_problems(without("__init__"))) == ["BC201"]


def test_other_constructors() -> None:
    """A metaclass or `__new__` that decides how a class is called is left to use."""

    class Meta(type):
        def __call__(cls, *arguments: Any) -> Any:
            raise AssertionError("called")

    def init(self: object) -> None: ...

    def new(cls: type, *arguments: Any) -> Any:
        raise AssertionError("called")

    assert find_problems(Meta("Called", (Whole,), {"__init__": init})) == {}
    assert find_problems(with_members({"__init__": init, "__new__": new})) == {}
    assert list(find_problems(with_members({"__init__": init}))) == ["BC201"]


@pytest.mark.parametrize("name", CALLED)
def test_async(name: str) -> None:
    """An async member violates its clause alone."""

    async def later(self: object, *arguments: object, **named: object) -> None: ...

    async def later_and_later(self: object, *arguments: object, **named: object) -> Any:
        yield

    for value in (later, later_and_later, staticmethod(later)):
        problems = find_problems(with_members({name: value}))
        assert list(problems) == [MEMBERS[name]]
        assert "async" in problems[MEMBERS[name]]


@pytest.mark.parametrize("binds", [True, False])
def test_wrapper(binds: bool) -> None:
    """A wrapper is judged by its own parameters, not by those of the function that it wraps."""

    def right(self: object, model_id: str, runtime_context: object) -> None: ...

    def wrong(self: object, name: str, context: object) -> None: ...

    wrapper = functools.wraps(wrong)(right) if binds else functools.wraps(right)(wrong)
    problems = find_problems(with_members({"handle_runtime_context": wrapper}))
    assert list(problems) == ([] if binds else ["BC501"])


class CallableObject:
    def __call__(self) -> Any:
        raise AssertionError("called")


class Descriptor:
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        raise AssertionError("read")


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize(
    "value",
    [
        wrapped(lambda: None),
        staticmethod(wrapped(lambda: None)),
        functools.partial(print),
        functools.partialmethod(print),
        CallableObject(),
        CallableObject,
        Descriptor(),
        property(lambda self: None),
        staticmethod(type),
        len,
    ],
    ids=lambda value: type(value).__name__,
)
def test_left_to_use(name: str, value: object) -> None:
    """A wrapper, another callable or a descriptor is not judged: only a call can tell."""
    assert find_problems(with_members({name: value})) == {}


@pytest.mark.parametrize("name", CALLED)
def test_replaced_on_instances(name: str) -> None:
    """A member that a method assigns is not judged by what the class has."""
    assert find_problems(with_members({name: lambda: None, "make": set_all})) == {}
    assert find_problems(with_members({name: None, "make": set_all})) == {}
    assert find_problems(with_members({name: lambda: None, "make": read_all})) != {}


# Nothing of the class is run.


class Trap:
    """Raises at whatever it is asked for."""

    __hash__ = None  # type: ignore[assignment]  # neither is it hashed

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was read")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __bool__(self) -> bool:
        raise AssertionError("tested")

    def __call__(self, *arguments: object) -> Any:
        raise AssertionError("called")


@pytest.mark.parametrize("name", [*MEMBERS, "__init__", "anything"])
def test_trap_member(name: str) -> None:
    """No member is read, compared or called."""
    assert find_problems(with_members({name: Trap()})) == {}


def test_trap_property() -> None:
    """No property is read, not even an abstract one."""

    def getter(self: object) -> Any:
        raise AssertionError("read")

    names = ("backend_type", "is_started", "start")
    assert find_problems(with_members(dict.fromkeys(names, property(getter)))) == {}
    cls = with_members(dict.fromkeys(names, property(abc.abstractmethod(getter))))
    assert set(find_problems(cls)) == {"BC101", "BC307", "BC309"}


def test_trap_metaclass() -> None:
    """The metaclass is not asked for anything."""
    armed = False

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            assert not armed, f"{name} was read"
            return super().__getattribute__(name)

        def __instancecheck__(cls, instance: object) -> bool:
            raise AssertionError("isinstance was called")

        def __subclasscheck__(cls, subclass: type) -> bool:
            raise AssertionError("issubclass was called")

        def __eq__(cls, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # type: ignore[assignment]  # neither is it hashed

    sound = Meta("Sound", (Whole,), {})
    lacking = Meta("Lacking", (without("start"),), {})
    armed = True
    assert find_problems(sound) == {}
    assert list(find_problems(lacking)) == ["BC309"]


ANNOTATED = """\
{future}
class Annotated(Whole):
    def __init__(self, config: not_there[1 / 0] = None) -> 1 / 0: ...
    def register_config(self, config: 1 / 0) -> not_there: ...
    def start(self{more}) -> 1 / 0: ...
"""


@pytest.mark.parametrize("more", ["", ", timeout: 1 / 0"], ids=["sound", "faulty"])
def test_annotations(more: str) -> None:
    """No annotation is evaluated, as text or (from Python 3.14 on) as code."""
    future = "" if sys.version_info >= (3, 14) else "from __future__ import annotations"
    scope: dict[str, Any] = {"Whole": Whole, "__name__": __name__}
    exec(compile(ANNOTATED.format(future=future, more=more), "annotated", "exec"), scope)  # noqa: S102 - the text above
    assert list(find_problems(scope["Annotated"])) == (["BC309"] if more else [])


def test_annotations_dict() -> None:
    """The annotations of a function are not read at all."""

    class Annotations(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            raise AssertionError("read")

        def items(self) -> Any:
            raise AssertionError("read")

    def start(self: object) -> None: ...

    start.__annotations__ = Annotations()
    assert find_problems(with_members({"start": start})) == {}
