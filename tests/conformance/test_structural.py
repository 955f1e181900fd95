"""What a class shows at run time: each kind of member, right, wrong and undecided."""

from __future__ import annotations

import abc
import contextlib
import functools
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NoReturn,
    Optional,
    Protocol,
    TypeVar,
    Union,
)

import aconfig
import pytest

from backend_contract import RuntimeServerContextType
from backend_contract.conformance.structural import inspect_class, place, signature_of
from backend_contract.conformance.verdicts import Finding, Verdict
from backend_contract.protocol import ConfigType

T = TypeVar("T")
Members = dict[str, Any]
VAR_POSITIONAL = inspect.Parameter.VAR_POSITIONAL
NAMES = {  # that classes made from text may use, beside those of this module
    "aconfig": aconfig,
    "Annotated": Annotated,
    "Mapping": Mapping,
    "NoReturn": NoReturn,
    "Optional": Optional,
    "Union": Union,
}
OK, VIOLATED, UNCHECKED = Verdict.OK, Verdict.VIOLATED, Verdict.UNCHECKED


def without_address(value: object) -> str:
    """An id that is the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


class Whole:
    """Shows everything, and all of it right."""

    backend_type = "WHOLE"
    is_started = False

    def __init__(self, config: ConfigType | None = None) -> None: ...

    def register_config(self, config: ConfigType) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    @contextlib.contextmanager
    def start_lock(self) -> Iterator[None]:
        yield

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


def without(*names: str) -> type:
    """A class that has all members of ``Whole`` but these."""
    kept = {
        name: value
        for name, value in vars(Whole).items()
        if name not in (*names, "__dict__", "__weakref__")
    }
    return type("Lacking", (), kept)


def with_members(members: Mapping[str, Any], base: type = Whole) -> type:
    return type("Mine", (base,), {"__module__": __name__, **members})


def finding(cls: type, clause: str) -> Finding:
    (found,) = (finding for finding in inspect_class(cls) if finding.clause.id == clause)
    return found


def told(cls: type, clause: str) -> tuple[Verdict, str]:
    found = finding(cls, clause)
    return found.verdict, "; ".join(found.because)


def test_a_class_that_shows_everything_is_right_in_every_clause() -> None:
    findings = inspect_class(Whole)
    assert [f.clause.id for f in findings] == sorted(f.clause.id for f in findings)
    assert {f.clause.id for f in findings if f.verdict is OK} == {
        *("BC101", "BC102", "BC103", "BC201", "BC202", "BC307", "BC309", "BC401", "BC501")
    }
    assert all((f.found, f.because, f.layer) == ("", (), "R") for f in findings)
    assert inspect_class(Whole) is findings  # a class is inspected once


def test_a_class_that_shows_nothing_is_wrong_wherever_it_can_be() -> None:
    class Nothing: ...

    nothing_gives = "nothing gives `{}` to an instance".format
    verdicts = {f.clause.id: (f.verdict.value, f.found, f.because) for f in inspect_class(Nothing)}
    assert verdicts == {
        "BC101": ("violated", "no `backend_type`", (nothing_gives("backend_type"),)),
        "BC102": ("blocked", "", ("BC101",)),
        "BC103": ("blocked", "", ("BC102",)),
        "BC201": (
            "violated",
            "__init__, a wrapper_descriptor",
            ("with None: too many positional arguments",),
        ),
        "BC202": ("violated", "no `register_config`", ("the class has no `register_config`",)),
        "BC307": ("violated", "no `is_started`", (nothing_gives("is_started"),)),
        "BC309": ("violated", "no `start`", ("the class has no `start`",)),
        "BC401": ("violated", "no `start_lock`", ("the class has no `start_lock`",)),
        "BC501": (
            "violated",
            "no `handle_runtime_context`",
            ("the class has no `handle_runtime_context`",),
        ),
    }


class Text(str):
    __slots__ = ()


class Descriptor:
    def __get__(self, instance: object, owner: type | None = None) -> str:
        raise AssertionError("nobody reads it")


class NeverEqual:
    """As arrays are, of which nobody can ask whether they are equal to something."""

    __hash__ = None  # type: ignore[assignment]  # arrays have none either

    def __repr__(self) -> str:
        return "NeverEqual()"

    def __eq__(self, other: object) -> bool:
        raise AssertionError("nobody compares it")


class Equal(type):
    """A class of classes that say they are equal to anything."""

    def __eq__(cls, other: object) -> bool:
        return True

    __hash__ = type.__hash__


class EqualToAll(Generic[T], metaclass=Equal): ...


def annotated(returns: object) -> property:
    """A property whose getter is annotated with this, as it is or as text."""

    def getter(self: object) -> Any:
        raise AssertionError("nobody reads it")

    getter.__annotations__ = {} if returns is None else {"return": returns}
    return property(getter)


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def other(*arguments: object) -> Any:
        return function(*arguments)

    return other


def sets_name(self: Any) -> None:
    self.backend_type = "MINE"


def sets_started(self: Any) -> None:
    self.is_started = False


def reads_both(self: Any) -> object:
    is_started = self.is_started
    self.a = self.zone = is_started
    backend_type: object = self.backend_type
    return backend_type


def answers(self: object, name: str) -> Any:
    raise AssertionError("nobody asks")


def sliced(self: object, name: str) -> Any:
    return object.__getattribute__(self, name)


# Members that are values.


@pytest.mark.parametrize(
    ("clause", "member", "right", "wrong", "kind"),
    [("BC101", "backend_type", str, int, "a str"), ("BC307", "is_started", bool, str, "a bool")],
)
def test_what_a_property_is_declared_to_return_decides(
    clause: str, member: str, right: type, wrong: type, kind: str
) -> None:
    def of(value: object) -> tuple[Verdict, str]:
        return told(with_members({member: value}), clause)

    undecided = (UNCHECKED, f"the type of `{member}` cannot be told")
    assert of(annotated(right)) == (OK, "")
    assert of(annotated(right.__name__)) == (OK, "")
    declared = (VIOLATED, f"`{member}` is declared as {wrong.__name__}")
    assert of(annotated(wrong)) == of(annotated(wrong.__name__)) == declared
    assert of(annotated("'" + right.__name__ + "'")) == (OK, "")
    assert of(annotated(None)) == undecided
    assert of(annotated(Any)) == undecided
    assert of(annotated("not_there")) == undecided
    assert of(annotated("1 / 0")) == undecided
    assert of(annotated(T)) == undecided
    assert of(annotated(EqualToAll)) == undecided
    assert of(annotated(Literal["UP", 7, 8])) == (
        VIOLATED,
        f"`{member}` may be {'UP' if right is bool else 7!r}",
    )
    assert of(annotated(Literal[True] if right is bool else Literal["UP"])) == (OK, "")
    assert of(3) == (VIOLATED, f"`{member}` is an int, not {kind}")
    assert of(NeverEqual()) == (VIOLATED, f"`{member}` is a NeverEqual, not {kind}")
    assert of([]) == (VIOLATED, f"`{member}` is a list, not {kind}")
    assert of(Descriptor) == (VIOLATED, f"`{member}` is a type, not {kind}")
    assert of(Descriptor()) == (UNCHECKED, f"`{member}` is computed by a Descriptor")
    hidden = (UNCHECKED, f"what the property `{member}` returns cannot be told")
    assert of(property(functools.partial(reads_both))) == hidden
    assert of(property(wrapped(reads_both))) == hidden
    for method in (reads_both, staticmethod(reads_both), classmethod(reads_both)):
        assert of(method) == (VIOLATED, f"`{member}` is a method")
    assert of(property(abc.abstractmethod(lambda self: True))) == (
        VIOLATED,
        f"`{member}` is abstract, and the class does not define it",
    )


def test_a_subclass_of_what_is_expected_is_fine() -> None:
    assert told(with_members({"backend_type": annotated(Text)}), "BC101") == (OK, "")
    assert told(with_members({"backend_type": Text("MINE")}), "BC101") == (OK, "")


@pytest.mark.parametrize(
    ("clause", "member", "setter"),
    [("BC101", "backend_type", sets_name), ("BC307", "is_started", sets_started)],
)
def test_a_value_that_only_an_instance_has_is_undecided(
    clause: str, member: str, setter: Callable[..., None]
) -> None:
    lacking = without(member)
    on_instances = (UNCHECKED, f"`{member}` is set on instances")
    nowhere = (VIOLATED, f"nothing gives `{member}` to an instance")
    by_getattr = (UNCHECKED, "`__getattr__` may give an instance one")
    assert told(with_members({"make": setter}, lacking), clause) == on_instances
    assert told(with_members({}, with_members({"make": setter}, lacking)), clause) == on_instances
    assert told(with_members({"make": reads_both}, lacking), clause) == nowhere
    assert told(with_members({"__getattr__": answers}, lacking), clause) == by_getattr
    assert told(with_members({"__getattribute__": sliced}, lacking), clause) == by_getattr
    slotted = type("Slotted", (lacking,), {"__slots__": (member,)})
    assert told(slotted, clause) == on_instances
    assert finding(slotted, clause).found == f"{member}, a slot"
    both = (UNCHECKED, f"`{member}` is set on instances as well")
    assert told(with_members({member: 3, "make": setter}), clause) == both


def test_a_flag_that_is_kept_for_ever_is_no_flag() -> None:
    kept = with_members({"is_started": functools.cached_property(lambda self: False)})
    assert told(kept, "BC307") == (
        VIOLATED,
        "a cached_property keeps its first value, whatever happens after",
    )


def test_a_name_has_to_be_there_on_the_class() -> None:
    def of(base: type = Whole, **members: object) -> tuple[Verdict, str]:
        return told(with_members(members, base), "BC102")

    lacking = without("backend_type")
    assert of(make=sets_name) == (
        UNCHECKED,
        "a method assigns `backend_type` as well; an instance has to be made",
    )
    assert of(make=reads_both) == (OK, "")
    nothing = (VIOLATED, "nothing gives `backend_type` to the class itself")
    assert of(lacking, make=sets_name) == nothing
    assert of(lacking, make=sets_name, __getattr__=answers) == nothing
    assert of(lacking, __getattr__=answers) == (
        UNCHECKED,
        "`__getattr__` may give an instance one",
    )
    assert of(backend_type=annotated(str)) == (VIOLATED, "on the class it reads as a property")
    assert of(backend_type=functools.cached_property(reads_both)) == (
        VIOLATED,
        "on the class it reads as a cached_property",
    )
    assert of(backend_type=Descriptor()) == (UNCHECKED, "it is computed by a Descriptor")
    assert of(backend_type=NeverEqual(), make=sets_name) == (
        VIOLATED,
        "on the class it reads as a NeverEqual",
    )
    assert of(backend_type=3, make=sets_name) == (VIOLATED, "on the class it reads as an int")
    slotted = type("Slotted", (lacking,), {"__slots__": ("backend_type",)})
    assert told(slotted, "BC102") == (VIOLATED, "on the class it reads as a member_descriptor")


def test_a_name_that_a_metaclass_gives_is_not_read() -> None:
    class Meta(type):
        @property
        def backend_type(cls) -> str:
            raise AssertionError("nobody reads it")

    class Other(type):
        backend_type = NeverEqual()

    others = Other("Named", (without("backend_type"),), {"make": sets_name})
    assert told(others, "BC102")[0] is UNCHECKED
    named = Meta("Named", (without("backend_type"),), {"make": sets_name})
    assert told(named, "BC102") == (
        UNCHECKED,
        "its metaclass gives the class a `backend_type`, which is not read here",
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("A-1", (OK, "")),
        ("", (VIOLATED, "it is ''")),
        ("  ", (VIOLATED, "it is '  '")),
        ("Mine", (VIOLATED, "it is 'Mine'")),
        ("mine", (VIOLATED, "it is 'mine'")),
        ("ÿ", (VIOLATED, "it is 'ÿ'")),  # whose upper case comes after it
        (Descriptor(), (UNCHECKED, "`backend_type` is no constant of the class")),
    ],
    ids=without_address,
)
def test_a_name_is_upper_case(name: object, expected: tuple[Verdict, str]) -> None:
    assert told(with_members({"backend_type": name}), "BC103") == expected


# The constructor.


def constructor(code: str) -> tuple[Verdict, str]:
    """What is told of a class whose constructor has these parameters."""
    names = {**NAMES, **globals()}
    exec(f"class Mine(Whole):\n    def __init__(self{code}): ...", names)  # noqa: S102 - our own
    return told(names["Mine"], "BC201")


@pytest.mark.parametrize(
    ("parameters", "verdict", "because"),
    [
        (", config: ConfigType | None = None", OK, ""),
        (", config: Mapping[str, Any] = {}, more=3", OK, ""),
        (", *arguments: object", OK, ""),
        (", config=None", UNCHECKED, "what `config` of `__init__` takes cannot be told"),
        (", config: int = 3", VIOLATED, "`config` is declared to take something else"),
        (", *arguments: int", VIOLATED, "`arguments` is declared to take something else"),
        (", config: ConfigType", VIOLATED, "without arguments: missing a required argument: "),
        ("", VIOLATED, "with None: too many positional arguments"),
        (", *, config=None", VIOLATED, "with None: too many positional arguments"),
        (", config: ConfigType = None, *, port", VIOLATED, "without arguments: missing a"),
    ],
)
def test_a_constructor(parameters: str, verdict: Verdict, because: str) -> None:
    actual, said = constructor(parameters)
    assert actual is verdict
    assert said.startswith(because)
    assert bool(said) is bool(because)


def test_a_class_of_which_there_are_no_instances() -> None:
    open_method = abc.abstractmethod(reads_both)
    extra = abc.ABCMeta("Open", (Whole,), dict.fromkeys(["probe", "query"], open_method))
    assert told(extra, "BC201") == (
        VIOLATED,
        "`probe` is abstract, so that no instance can be made",
    )
    of_the_contract = abc.ABCMeta("Open", (Whole,), {"start": open_method})
    assert told(of_the_contract, "BC201") == (OK, "")  # which is said of that member
    assert told(of_the_contract, "BC309") == (
        VIOLATED,
        "`start` is abstract, and the class does not define it",
    )

    class Declared(Protocol):
        backend_type: ClassVar[str] = "DECLARED"

    assert told(Declared, "BC201") == (
        VIOLATED,
        "the class is a Protocol, of which there are no instances",
    )
    assert finding(Declared, "BC201").found == finding(Declared, "BC201").found
    assert told(with_members({"__signature__": 3}), "BC201") == (
        UNCHECKED,
        "how the class is called cannot be told",
    )


def test_a_class_may_be_made_by_new_alone() -> None:
    class Made(without("__init__")):  # type: ignore[misc]  # it is made in a function
        def __new__(cls, config: ConfigType | None = None) -> Any: ...

    assert told(Made, "BC201") == (OK, "")

    class Initialised(Made):
        __signature__ = inspect.Signature([inspect.Parameter("more", VAR_POSITIONAL)])

        def __init__(self) -> None: ...

    assert told(Initialised, "BC201") == (OK, "")


# Members that are methods.


def method(code: str, clause: str, member: str, decorator: str = "") -> tuple[Verdict, str]:
    """What is told of a method with these parameters and this return type."""
    names = {**NAMES, **globals()}
    source = f"class Mine(Whole):\n    {decorator}\n    def {member}{code}: ..."
    exec(source, names)  # noqa: S102 - our own
    return told(names["Mine"], clause)


ELSE = "is declared to take something else"
UNTOLD = "takes cannot be told"


@pytest.mark.parametrize(
    ("code", "verdict", "because"),
    [
        ("(self, other: ConfigType) -> None", OK, ""),
        ("(self, config: aconfig.Config) -> None", OK, ""),
        ("(self, config: 'aconfig.Config') -> 'None'", OK, ""),
        ("(self, config: dict[str, Any], more=3) -> None", OK, ""),
        ("(self, config: Mapping[str, Any], /) -> None", OK, ""),
        ("(self, config: Optional[dict]) -> None", OK, ""),
        ("(self, config: int | dict) -> None", OK, ""),
        ("(self, config: Annotated[dict, 'merged']) -> None", OK, ""),
        ("(self, config: Union[int, Annotated[dict, 'merged']]) -> None", OK, ""),
        ("(self, config: object) -> NoReturn", OK, ""),
        ("(self, config: object) -> Annotated[None, 'at once']", OK, ""),
        ("(self, config: int | object) -> type(None)", OK, ""),
        ("(self, *configs: dict) -> None", OK, ""),
        ("(self, *configs: dict, more: int = 3) -> None", OK, ""),
        ("(*everything: object) -> None", OK, ""),
        ("(self, config: EqualToAll) -> None", UNCHECKED, "what `config` of `register_config`"),
        ("(self, *configs: int, a: dict = {}, b: dict = {}) -> None", VIOLATED, "`configs` is"),
        ("() -> None", VIOLATED, "called: too many positional arguments"),
        ("(self, config: int) -> None", VIOLATED, f"`config` {ELSE}"),
        ("(self, config: type(None)) -> None", VIOLATED, f"`config` {ELSE}"),
        ("(self, config: Optional[int]) -> None", VIOLATED, f"`config` {ELSE}"),
        ("(self, config: int | str) -> None", VIOLATED, f"`config` {ELSE}"),
        ("(self, config: Annotated[int, 3]) -> None", VIOLATED, f"`config` {ELSE}"),
        ("(self, *configs: int) -> None", VIOLATED, f"`configs` {ELSE}"),
        ("(self, *configs: int, more: dict = {}) -> None", VIOLATED, f"`configs` {ELSE}"),
        ("(self, config) -> None", UNCHECKED, f"what `config` of `register_config` {UNTOLD}"),
        ("(self, config: Any) -> None", UNCHECKED, f"what `config` of `register_config` {UNTOLD}"),
        ("(self, config: T) -> None", UNCHECKED, f"what `config` of `register_config` {UNTOLD}"),
        ("(self, config: int | T) -> None", UNCHECKED, "what `config` of `register_config`"),
        ("(self, config: SupportsKeys) -> None", UNCHECKED, "what `config` of `register_config`"),
        ("(self, config: gone) -> None", UNCHECKED, "what `config` of `register_config` takes"),
        ("(self, config: Literal[3]) -> None", UNCHECKED, "what `config` of `register_config`"),
        ("(self, config: dict) -> int", VIOLATED, "`register_config` is declared to return some"),
        ("(self, config: dict) -> Any", UNCHECKED, "what `register_config` returns cannot be told"),
        ("(self, config: dict) -> T", UNCHECKED, "what `register_config` returns cannot be told"),
        ("(self, config: dict)", UNCHECKED, "what `register_config` returns cannot be told"),
        ("(self, config) -> int", VIOLATED, "`register_config` is declared to return something"),
        ("(self) -> None", VIOLATED, "called: too many positional arguments"),
        ("(self, *, config: dict) -> None", VIOLATED, "called: too many positional arguments"),
        ("(self, config: dict, port: int) -> None", VIOLATED, "called: missing a required arg"),
        ("(self, config: dict, *, port: int) -> None", VIOLATED, "called: missing a required"),
    ],
)
def test_a_method_that_takes_a_configuration(code: str, verdict: Verdict, because: str) -> None:
    actual, said = method(code, "BC202", "register_config")
    assert actual is verdict, said
    assert said.startswith(because)
    assert bool(said) is bool(because)


class SupportsKeys(Protocol):
    def keys(self) -> Any: ...


class CallsNothing:
    def __call__(self) -> None: ...


@pytest.mark.parametrize("member", ["start", "stop"])
def test_a_method_of_every_kind(member: str) -> None:
    def of(value: object) -> tuple[Verdict, str]:
        return told(with_members({member: value}), "BC309")

    def right(self: object) -> None: ...

    async def later(self: object) -> None: ...

    async def later_and_later(self: object) -> Any:
        yield

    def bit_by_bit(self: object) -> Any:
        yield

    def takes_nothing() -> None: ...

    def needs_more(self: object, timeout: float) -> None: ...

    def needs_a_name(self: object, *, timeout: float) -> None: ...

    def may_have_more(self: object, timeout: float = 3, *, at: str = "once") -> None: ...

    def positional(self: object, /) -> None: ...

    untold = f"what `{member}` takes and returns cannot be told"
    assert of(right) == of(may_have_more) == of(positional) == (OK, "")
    assert of(staticmethod(takes_nothing)) == of(classmethod(right)) == (OK, "")
    assert of(staticmethod(right)) == (
        VIOLATED,
        "called: missing a required argument: 'self'",
    )
    nothing: Any = takes_nothing  # as a class method it is given the class
    wrongs: list[object] = [needs_more, needs_a_name, takes_nothing, classmethod(nothing)]
    for wrong in wrongs:
        verdict, because = of(wrong)
        assert verdict is VIOLATED
        assert because.startswith("called: ")
    assert of(later) == (VIOLATED, f"`{member}` is async, and is never awaited")
    assert of(later_and_later) == (
        VIOLATED,
        f"`{member}` is an async generator, and is never iterated over",
    )
    assert of(bit_by_bit) == (
        VIOLATED,
        f"`{member}` is a generator, and is never iterated over",
    )
    assert of(NeverEqual()) == (VIOLATED, "it is a NeverEqual, which cannot be called")
    assert of(3) == (VIOLATED, "it is an int, which cannot be called")
    assert of(Descriptor()) == (UNCHECKED, "it is a Descriptor, which is not read here")
    assert of(annotated(int)) == (UNCHECKED, "it is a property, which is not read here")
    assert of(CallsNothing()) == of(CallsNothing) == (UNCHECKED, untold)
    assert of(staticmethod(type)) == (UNCHECKED, f"how `{member}` is called cannot be told")
    assert of(wrapped(right)) == (
        UNCHECKED,
        f"`{member}` is wrapped, and shows the annotations of another",
    )
    assert of(contextlib.contextmanager(bit_by_bit))[0] is UNCHECKED
    assert of(contextlib.asynccontextmanager(later_and_later)) == (
        VIOLATED,
        f"`{member}` returns an async context manager",
    )


def test_what_is_wrapped_shows_the_annotations_of_another() -> None:
    because = "`{}` is wrapped, and shows the annotations of another".format
    for member, clause in (("register_config", "BC202"), ("__init__", "BC201")):
        cls = with_members({member: wrapped(vars(Whole)[member])})
        assert told(cls, clause) == (UNCHECKED, because(member))


def test_of_several_members_the_worst_counts() -> None:
    def undeclared(self): ...  # type: ignore[no-untyped-def]  # that is what it is about

    def wrong(self: object) -> int:
        return 3

    told_of = with_members({"start": undeclared, "stop": wrong})
    assert told(told_of, "BC309") == (VIOLATED, "`stop` is declared to return something else")
    assert finding(told_of, "BC309").found == "def stop(self: 'object') -> 'int'"
    told_of = with_members({"stop": undeclared})
    assert told(told_of, "BC309") == (UNCHECKED, "what `stop` returns cannot be told")
    assert finding(told_of, "BC309").found == "def stop(self)"


def sets_start(self: Any) -> None:
    self.start = self.stop


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"make": sets_start}, (UNCHECKED, "`start` is set on instances")),
        ({"__getattr__": answers}, (UNCHECKED, "`__getattr__` may give an instance one")),
        ({"make": lambda self: self.start()}, (VIOLATED, "the class has no `start`")),
    ],
    ids=["set", "computed", "read"],
)
def test_a_method_that_no_class_has(members: Members, expected: tuple[Verdict, str]) -> None:
    assert told(with_members(members, without("start")), "BC309") == expected


class EntersOnly:
    def __enter__(self) -> None: ...


class ExitsOnly:
    def __exit__(self, *_: object) -> None: ...


class EntersAndExits(EntersOnly, ExitsOnly): ...


@pytest.mark.parametrize(
    ("returns", "verdict"),
    [
        ("contextlib.AbstractContextManager[object]", OK),
        ("contextlib.ExitStack", OK),
        ("EntersOnly", VIOLATED),
        ("ExitsOnly", VIOLATED),
        ("int", VIOLATED),
        ("Any", UNCHECKED),
        ("None", UNCHECKED),
        ("gone", UNCHECKED),
        ("contextlib.ExitStack | EntersAndExits", OK),
        ("Union[contextlib.ExitStack, EntersAndExits]", OK),
        ("Annotated[contextlib.ExitStack, 'of one']", OK),
        ("contextlib.ExitStack | int", VIOLATED),
        ("EqualToAll[int]", UNCHECKED),
        ("contextlib.ExitStack | T", UNCHECKED),
        ("T | int", VIOLATED),
    ],
)
def test_a_lock_is_a_context_manager(returns: str, verdict: Verdict) -> None:
    actual, because = method(f"(self) -> {returns!r}", "BC401", "start_lock")
    assert actual is verdict
    assert (
        because
        == {
            OK: "",
            VIOLATED: "`start_lock` is declared to return something else",
            UNCHECKED: "what `start_lock` returns cannot be told",
        }[verdict]
    )


def test_a_lock_that_lacks_its_decorator() -> None:
    def start_lock(self: object) -> Any:
        yield

    mend = "decorate it with contextlib.contextmanager"
    assert told(with_members({"start_lock": start_lock}), "BC401") == (
        VIOLATED,
        f"`start_lock` is a generator, and is never iterated over; {mend}",
    )
    managed = contextlib.contextmanager(start_lock)
    assert told(with_members({"start_lock": managed}), "BC401") == (OK, "")


def test_a_lock_takes_what_is_under_its_decorator() -> None:
    @contextlib.contextmanager
    def waits(self: object, timeout: float) -> Iterator[None]:
        yield

    assert told(with_members({"start_lock": waits}), "BC401") == (
        VIOLATED,
        "called: missing a required argument: 'timeout'",
    )
    assert told(with_members({"start_lock": wrapped(waits)}), "BC401") == (
        UNCHECKED,
        "`start_lock` is wrapped, and shows the annotations of another",
    )


REQUEST = "called with model_id and runtime_context: "


@pytest.mark.parametrize(
    ("parameters", "verdict", "because"),
    [
        ("model_id: str, runtime_context: RuntimeServerContextType", OK, ""),
        ("model_id: object, runtime_context: object", OK, ""),
        ("model_id: str, runtime_context: object, more: int = 3", OK, ""),
        ("*values: object, **named: object", OK, ""),
        ("model_id: int, runtime_context: object", VIOLATED, f"`model_id` {ELSE}"),
        ("model_id: str, context: object", VIOLATED, REQUEST),
        ("model: str, runtime_context: object", VIOLATED, REQUEST),
        ("model_id: str, the_context: object", VIOLATED, REQUEST),
        ("runtime_context: int, model_id: str", VIOLATED, f"`runtime_context` {ELSE}"),
        ("model_id: str, runtime_context: object, /", VIOLATED, REQUEST),
        ("*, model_id: str, runtime_context: object", VIOLATED, "called: too many positional"),
        ("model_id: str, runtime_context: object, route: str", VIOLATED, "called: missing a"),
        ("model_id: str", VIOLATED, "called: too many positional"),
        ("model_id: str, runtime_context: object, *, route: str", VIOLATED, "called: missing a"),
        ("model_id: str, runtime_context: Any", UNCHECKED, "what `runtime_context` of"),
    ],
)
def test_a_method_that_is_told_of_a_request(
    parameters: str, verdict: Verdict, because: str
) -> None:
    actual, said = method(f"(self, {parameters}) -> None", "BC501", "handle_runtime_context")
    assert actual is verdict, said
    assert said.startswith(because)
    assert bool(said) is (verdict is not OK)


class ServicerContext: ...


class Request: ...


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Stands in for the frameworks, of which layer R knows no more than their classes' names."""

    def load(grpc: bool, starlette: bool) -> None:
        for wanted, name, cls in (
            (grpc, "grpc", ServicerContext),
            (starlette, "starlette.requests", Request),
        ):
            monkeypatch.delitem(sys.modules, name, raising=False)
            if wanted:
                module = types.ModuleType(name)
                setattr(module, cls.__name__, cls)
                monkeypatch.setitem(sys.modules, name, module)

    return load


@pytest.mark.parametrize(
    ("hint", "neither", "one", "both"),
    [
        ("RuntimeServerContextType", OK, OK, OK),
        ("object", OK, OK, OK),
        ("ServicerContext | Request", UNCHECKED, UNCHECKED, OK),
        ("ServicerContext", UNCHECKED, UNCHECKED, VIOLATED),
        ("Request", UNCHECKED, VIOLATED, VIOLATED),
        ("int", UNCHECKED, VIOLATED, VIOLATED),
        ("ServicerContext | T", UNCHECKED, UNCHECKED, UNCHECKED),
    ],
)
def test_both_kinds_of_context_have_to_be_taken(
    hint: str, neither: Verdict, one: Verdict, both: Verdict, loaded: Callable[..., None]
) -> None:
    for frameworks, expected in (
        ((False, False), neither),
        ((True, False), one),
        ((True, True), both),
    ):
        loaded(*frameworks)
        code = f"(self, model_id: str, runtime_context: {hint}) -> None"
        assert method(code, "BC501", "handle_runtime_context")[0] is expected, frameworks


@pytest.mark.parametrize("module", [None, types.ModuleType("grpc")])
def test_a_framework_whose_import_is_prevented_or_under_way_has_no_class_yet(
    module: types.ModuleType | None,
    loaded: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded(grpc=False, starlette=True)
    monkeypatch.setitem(sys.modules, "grpc", module)
    code = "(self, model_id: str, runtime_context: {}) -> None"
    for hint, expected in (("Request", UNCHECKED), ("int", VIOLATED)):
        assert method(code.format(hint), "BC501", "handle_runtime_context")[0] is expected


def test_another_alias_of_a_configuration_is_no_context(loaded: Callable[..., None]) -> None:
    loaded(grpc=True, starlette=True)
    code = "(self, model_id: str, runtime_context: ConfigType) -> None"
    assert method(code, "BC501", "handle_runtime_context")[0] is VIOLATED
    code = "(self, model_id: ConfigType, runtime_context: object) -> None"
    assert method(code, "BC501", "handle_runtime_context")[0] is VIOLATED


# How what was found is described, and where it is.


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (annotated("'Kind'"), "@property def start(self) -> 'Kind'"),
        (annotated(int), "@property def start(self) -> int"),
        (annotated(None), "@property def start(self)"),
        (annotated(NeverEqual()), "@property def start(self) -> NeverEqual()"),
        (property(None), "@property def start(self)"),
        (staticmethod(lambda timeout: None), "@staticmethod def start(timeout)"),
        (classmethod(lambda cls, timeout: None), "@classmethod def start(cls, timeout)"),
        (staticmethod(type), "@staticmethod def start(...)"),
        (lambda self, timeout: None, "def start(self, timeout)"),
        (3, "start = 3"),
        (None, "start = None"),
        ("text", "start = 'text'"),
        ([], "start, a list"),
        (Exception(), "start, an Exception"),
        (ExitsOnly(), "start, an ExitsOnly"),
        (Whole.__dict__["__dict__"], "start, a slot"),
    ],
    ids=without_address,
)
def test_what_was_found_is_described(value: object, words: str) -> None:
    assert finding(with_members({"start": value}), "BC309").found == words


def test_what_is_wrapped_is_described_as_it_is_called() -> None:
    found = finding(with_members({"start": wrapped(reads_both)}), "BC309").found
    assert found.startswith("def start(*arguments")


def test_what_is_async_is_said_to_be() -> None:
    async def start(self, timeout): ...  # type: ignore[no-untyped-def]  # that is what it is about

    assert finding(with_members({"start": start}), "BC309").found == (
        "async def start(self, timeout)"
    )


class PlacedLonger: ...


class Placed:
    backend_type = "PLACED"

    def start(self) -> None: ...

    @property
    def is_started(self) -> bool:
        raise AssertionError("nobody reads it")

    @classmethod
    def stop(cls) -> None: ...


class PlacedBelow(Placed): ...


HERE = Path(__file__)
LINES = HERE.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("cls", "member", "line"),
    [
        (Placed, "start", "    def start(self) -> None: ..."),
        (Placed, "is_started", "    @property"),
        (Placed, "stop", "    @classmethod"),
        (Placed, "backend_type", "class Placed:"),
        (Placed, "start_lock", "class Placed:"),
        (PlacedBelow, "start", "class PlacedBelow(Placed): ..."),
    ],
)
def test_a_member_is_placed_where_the_class_has_it(cls: type, member: str, line: str) -> None:
    path, number = place(cls, member)
    assert path == HERE
    assert LINES[number - 1] == line
    assert number > LINES.index("class PlacedLonger: ...")


def test_a_class_without_a_source_is_on_the_first_line() -> None:
    made = type("Made", (), {"__module__": "no.such.module"})
    assert place(made, "start") == (Path("<no.such.module>"), 1)
    here = type("MadeHere", (), {"__module__": __name__})
    assert place(here, "start") == (HERE, 1)


def test_the_signature_is_that_of_the_function_itself() -> None:
    signature = signature_of(wrapped(reads_both))
    assert signature is not None
    assert list(signature.parameters) == ["arguments"]
    assert signature_of(type) is None
