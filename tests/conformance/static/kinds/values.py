# Values and definitions that a checker does not see, or judges by other rules than Python; nothing
# imports this file.
#
# Comments on the lines of classes are as in `samples.py`; after an ` or `, checkers differ.

from __future__ import annotations

import contextlib
import enum
import functools
import os
import sys
import threading
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import aconfig

from backend_contract import BackendBase, BackendRegistry, LocalBackend

PREFIX = "GPU"
LOW = "gpu"
registry = BackendRegistry()


def typed() -> str:
    return "X"


def untyped(x):
    return x


def either(x: bool) -> str | None: ...


class Kind(enum.Enum):
    A = "A"

    def label(self) -> str:
        return "L"


class Sub(str): ...


class NamedByASum(LocalBackend):  # ok
    backend_type = PREFIX + "_X"


class NamedByAFormat(LocalBackend):  # ok
    backend_type = f"{PREFIX}_X"


class NamedByAMethodOfAString(LocalBackend):  # ok
    backend_type = LOW.upper()


class NamedByADecidedChoice(LocalBackend):  # ok
    backend_type = "A" if sys.version_info >= (3, 8) else 3


class NamedByAValueOfAnEnum(LocalBackend):  # ok
    backend_type = Kind.A.value


class NamedByTheEnvironment(LocalBackend):  # ok
    backend_type = os.environ["X"]


class NamedByACall(LocalBackend):  # ok
    backend_type = str(typed()).upper()


class NamedByAnEnum(LocalBackend):  # ok
    backend_type = Kind.A.name


class NamedInATuple(LocalBackend):  # ok
    a, (backend_type, b) = 1, ("X", 2)


class NamedByAWalrus(LocalBackend):  # ok
    if backend_type := "X":
        pass


class NamedInTwoSteps(LocalBackend):  # ok
    backend_type: str = "X"
    backend_type += "_Y"


class NamedTwiceTheSame(LocalBackend):  # ok
    backend_type = "X"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.backend_type = "X"


class ReadsItsName(LocalBackend):  # ok
    backend_type = "X"

    def start(self) -> None:
        self.label = self.backend_type
        self._started = True


@registry.register
class Registered(LocalBackend):  # ok
    backend_type = "X"


@functools.total_ordering
class TotallyOrdered(LocalBackend):  # ok
    backend_type = "X"

    def __lt__(self, o: object) -> bool:
        return True


class ImportsInItsBody(LocalBackend):  # ok
    try:
        import json
    except ImportError:
        json = None
    backend_type = "X"


class NamedByACast(LocalBackend):  # ok
    backend_type = typing.cast(str, untyped(3))


class NamedByASubclassOfStr(LocalBackend):  # ok
    backend_type = Sub("X")


class StartedByTruth(LocalBackend):  # ok
    is_started = False

    def start(self) -> None:
        self.is_started = bool(self.config)

    def stop(self) -> None:
        self.is_started = not True


class StartedByADeclaration(LocalBackend):  # ok
    is_started: bool = False

    def start(self) -> None:
        self.is_started = untyped(3)


class StartsByAnAlias(LocalBackend):  # ok
    backend_type = "X"

    def _open(self) -> None: ...

    start = _open


class NamedByItsModule(LocalBackend):  # ok
    backend_type = __name__.upper()


class NamedByAnotherClass(LocalBackend):  # ok
    backend_type = NamedByASum.__name__.upper()


class StartsOnThisSystem(LocalBackend):  # ok
    if os.name == "posix":

        def start(self) -> None: ...
    else:

        def start(self, x) -> int: ...


class ImportsForCheckers(LocalBackend):  # ok
    if TYPE_CHECKING:
        from threading import Lock
    backend_type = "X"


ImportsForCheckers.other = 3
for each in (StartsOnThisSystem, ImportsForCheckers):
    each.registered = True


class StartedByASetter(LocalBackend):  # ok
    @property
    def is_started(self) -> bool:
        return self._started

    @is_started.setter
    def is_started(self, v: bool) -> None:
        self._on = v

    def start(self) -> None:
        self.is_started = True


class InheritsItsName(NamedByASum):  # ok
    pass


class NamedThenDeclared(LocalBackend):  # ok
    backend_type = "X"
    backend_type: str  # noqa: PIE794


class NamedByAJoin(LocalBackend):  # ok
    backend_type = " ".join(["A"]).strip()


class MatchesInItsBody(LocalBackend):  # ok
    match sys.platform:
        case "linux":
            x = 1
    backend_type = "X"


class NamedByAnOptionalCall(LocalBackend):  # BC101 BC102b
    backend_type = either(True)


class NamedByAMemberOfAnEnum(LocalBackend):  # BC101 BC102b
    backend_type = Kind.A


class NamedByAList(LocalBackend):  # BC101 BC102b
    backend_type = ["X"]


class NamedByAnUntypedCall(LocalBackend):  # BC101u BC102u
    backend_type = untyped("X")


class NamedByALength(LocalBackend):  # BC101 BC102b
    a = backend_type = len("x")


class NamedByAStar(LocalBackend):  # BC101 BC102b
    *backend_type, b = "X", 2


class NamedByAWalrusOfAnInteger(LocalBackend):  # BC101 BC102b
    if backend_type := 3:
        pass


class NamedInLowerCase(LocalBackend):  # BC103
    backend_type = LOW


class NamedPartlyInLowerCase(LocalBackend):  # BC103
    backend_type = "x" + PREFIX


class StartedByAnEvent(LocalBackend):  # BC307
    is_started = threading.Event()


class LocksByAnInstance(LocalBackend):  # BC401
    start_lock = threading.Lock()


class HandlesByNone(LocalBackend):  # BC501
    handle_runtime_context = None


class StartsByACallOfProperty(LocalBackend):  # BC309
    def start(self) -> None: ...

    start = property(start)


class StartsByANumberHere(LocalBackend):  # BC309
    def start(self) -> None: ...

    if sys.platform != "win32":
        start = 3


class StartsByANumberSomewhere(LocalBackend):  # BC309u
    def start(self) -> None: ...

    if os.environ.get("X"):
        start = 3


class RegistersByNoneAfterwards(LocalBackend):  # BC202
    backend_type = "X"


RegistersByNoneAfterwards.register_config = None


class StartedByAnUntypedCall(LocalBackend):  # BC307u
    is_started = False

    def start(self) -> None:
        self.is_started = untyped(3)


class StartedBySetattr(LocalBackend):  # BC307
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        setattr(self, "is_started", None)


def patched(cls):
    cls.stop = None
    return cls


@patched
class StopsByNoneOfADecorator(LocalBackend):  # BC309
    pass


def patch(cls) -> None:
    cls.stop = None


class StopsByNoneOfACall(LocalBackend):  # BC309
    pass


patch(StopsByNoneOfACall)


def wraps(cls):
    class Other(cls): ...

    return Other


@wraps
class ReplacedByADecorator(LocalBackend):  # BC101u BC102u BC201u BC202u BC307u BC309u BC401u BC501u
    pass


class StopsLaterAtLast(LocalBackend):  # BC309
    def stop(self) -> None: ...
    async def stop(self) -> None: ...


class StopsByALoop(LocalBackend):  # BC309
    def stop(self) -> None: ...

    for stop in (1, 2):
        pass


class NamedAnewByStart(LocalBackend):  # BC102 BC103b
    backend_type = "X"

    def start(self) -> None:
        self.backend_type = "Y"
        self._started = True


class NamesItsSubclasses(LocalBackend):  # ok
    def __init_subclass__(cls) -> None:
        cls.backend_type = cls.__name__


class NamedByItsBase(NamesItsSubclasses):  # BC103
    pass


class StartedByAPropertyOfIntegers(LocalBackend):  # BC307
    is_started = property(lambda self: 3)


class NamedByNoGetter(LocalBackend):  # BC101 BC102b
    backend_type = property(fset=untyped)


class RegistersByAFunctionWithoutParameter(LocalBackend):  # BC202
    register_config = staticmethod(typed)


class NamedTupleOfAName(NamedTuple):  # BC102 BC103b BC201(b) BC202 BC307 BC309 BC401 BC501
    backend_type: str = "X"


class NamedByAMethodOfAnEnum(LocalBackend):  # BC101 BC102b
    backend_type = Kind.A.label


class NamedByAnIgnoredInteger(LocalBackend):  # BC101 BC102b
    backend_type: str = 3  # type: ignore[assignment, misc]


class StartsByAModule(LocalBackend):  # BC309
    import os as start


class StopsByAClass(LocalBackend):  # BC309
    class stop: ...


class NamedWithBlanks(LocalBackend):  # BC103
    backend_type = " X "


class NamedByNothing(LocalBackend):  # BC103
    backend_type = ""


class StartsByAMethodWithAnArgument(LocalBackend):  # BC309
    def start(self) -> None: ...
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.start = self._go

    def _go(self, now: int) -> None: ...


class StartedOverAProperty(LocalBackend):  # BC307
    def start(self) -> None:
        self.is_started = True


class BoundByLocals(LocalBackend):  # BC309
    locals()["start"] = 3


@dataclass
class NamedByAFactory(LocalBackend):  # BC102 BC201
    backend_type: str = field(default_factory=lambda: "X")


@dataclass(slots=True)
class NamedInASlot(LocalBackend):  # BC102 BC103b BC201
    backend_type: str = "X"


class HasNoStop(LocalBackend):  # BC309
    def stop(self) -> None: ...

    stop: object
    del stop
    if TYPE_CHECKING:

        def stop(self) -> None: ...
    else:
        stop = None


class StartedForCheckers(LocalBackend):  # BC307
    if TYPE_CHECKING:
        is_started: bool
    else:
        is_started = 0


class StartsUnderATry(LocalBackend):  # BC309u
    try:
        import nowhere

        def start(self) -> None: ...
    except ImportError:

        def start(self, wait: int) -> None: ...


class LocksUnderACondition(LocalBackend):  # BC401
    if os.environ.get("X"):
        start_lock = None
    else:

        def start_lock(self) -> int: ...


class NamedUnderACondition(LocalBackend):  # BC103u
    if os.environ.get("X"):
        backend_type = "x"
    else:
        backend_type = "X"


class NamedByACastOfANumber(LocalBackend):  # BC101 BC102b
    backend_type = typing.cast(str, 7)


class StartedByAPartial(LocalBackend):  # BC307
    backend_type = "PARTIAL"
    is_started = functools.partial(bool, 0)


class ToldByPrint(LocalBackend):  # BC501 or BC501u
    backend_type = "PRINT"
    handle_runtime_context = print


class StopsInADeadBranch(LocalBackend):  # ok
    backend_type = "DEAD"
    if False:

        def stop(self, grace: float) -> None: ...


class StopsOnAnotherSystem(LocalBackend):  # ok
    backend_type = "SYSTEM"
    if os.name == "nobody":

        def stop(self, grace: float) -> None: ...


class StartsByAPartOfTheVersion(LocalBackend):  # BC309
    backend_type = "PART"
    if sys.version_info.major == 3:

        def start(self, wait: float) -> None: ...
    else:

        def start(self) -> None: ...


class StartsByASliceOfTheVersion(LocalBackend):  # ok
    backend_type = "SLICE"
    if sys.version_info[:2] >= (3, 9):

        def start(self) -> None: ...
    else:

        def start(self, wait: float) -> None: ...


class GetterReplaced(LocalBackend):  # ok
    backend_type = "GETTER"

    @property
    def is_started(self) -> str:
        return ""

    @is_started.getter
    def is_started(self) -> bool:
        return self._started


class GetterReplacedByAString(LocalBackend):  # BC307
    backend_type = "GETTER"

    @property
    def is_started(self) -> bool:
        return self._started

    @is_started.getter
    def is_started(self) -> str:
        return ""


def returns_backend(cls: type[Backend]) -> type[Backend]:
    return cls


def forgets_to_return(cls: type[Backend]) -> None:
    print(cls)


@returns_backend
class AsBackend(LocalBackend):  # ok or BC101u BC102u BC201u BC202u BC307u BC309u BC401u BC501u
    backend_type = "DECORATED"


@forgets_to_return
class DecoratedToNone(LocalBackend):  # BC101u BC102u BC201 BC202u BC307u BC309u BC401u BC501u
    backend_type = "DECORATED"


class NestedKind(LocalBackend):  # BC101 BC102b
    class Kind(enum.Enum):
        FIRST = "FIRST"

    backend_type = Kind.FIRST  # type: ignore[assignment]


class NestedText(LocalBackend):  # ok
    class Text(str): ...

    backend_type = Text("TEXT")


# ---- names that may be others when they are read

REBOUND = "REBOUND"
KEPT = "KEPT"


def rebind() -> None:
    global REBOUND
    REBOUND = "rebound"


rebind()


class NamedByAReboundConstant(LocalBackend):  # ok
    backend_type = REBOUND.lower() + str(len(REBOUND))


class OwnNameOfTheModule(LocalBackend):  # BC104
    global backend_type
    backend_type = "MODULE"


class NamedByAConstant(LocalBackend):  # ok
    backend_type = KEPT


class OwnNameOfItsBase(NamedByAConstant):  # BC104
    pass


class Numbered(enum.Enum):
    A = "A"
    B = enum.auto()


class NamedByAMemberOfSeveralKinds(LocalBackend):  # ok or BC101u BC102u
    backend_type = Numbered.A.value


class OnInstancesOnly:
    def __get__(self, instance: object, owner: type) -> str:
        if instance is None:
            raise AttributeError
        return "X"


class OnInstances:
    def __get__(self, instance: object, owner: type) -> str:
        return "X"


class NamedOnInstancesOnly(LocalBackend):  # BC102u
    backend_type = OnInstancesOnly()


class NamedByADescriptor(LocalBackend):  # ok
    backend_type = OnInstances()


class Computes(LocalBackend):  # BC101u BC201u BC202u BC307u BC309u BC401u BC501u
    def __getattribute__(self, name: str) -> typing.Any:
        return super().__getattribute__(name)


class NamesItsClasses(type(LocalBackend)):
    @property
    def backend_type(cls) -> str:
        return "OTHER"


class Ordinary(type(LocalBackend)):
    @property
    def name(cls) -> str:
        return "OTHER"


class NamedByItsMetaclass(LocalBackend, metaclass=NamesItsClasses):  # BC102u
    backend_type = "NAMED"


class NamedDespiteItsMetaclass(LocalBackend, metaclass=Ordinary):  # ok
    backend_type = "NAMED"


class NamedByWhatIsReplaced(LocalBackend):  # ok
    label = "FIRST"
    backend_type = label
    label = "the first"  # noqa: PIE794


SOON = "SOON"


class NamedByWhatWillBeReplaced(LocalBackend):  # ok
    backend_type = SOON


SOON = "later"


class NamedByWhatWasReplaced(LocalBackend):  # BC103
    backend_type = SOON


# ---- assignments to the class in branches of the module


class NamedInABranch(LocalBackend):  # ok
    pass


if sys.platform != "none":
    NamedInABranch.backend_type = "NAMED"


class NamedInATry(LocalBackend):  # ok
    pass


try:
    NamedInATry.backend_type = "NAMED"
except AttributeError:
    raise


class NamedInEitherBranch(LocalBackend):  # ok
    pass


if os.environ.get("X"):
    NamedInEitherBranch.backend_type = "FIRST"
else:
    NamedInEitherBranch.backend_type = "SECOND"


class StopsInNoBranch(LocalBackend):  # ok
    pass


if sys.platform == "none":
    StopsInNoBranch.stop = None


class StopsInNoBranchThatRuns(LocalBackend):  # BC309
    pass


if os.environ.get("X"):
    StopsInNoBranchThatRuns.stop = None
else:
    StopsInNoBranchThatRuns.stop = 3


class StopsInSomeBranch(LocalBackend):  # BC309u
    pass


StopsInSomeBranch.stop = finish = lambda self: None
if os.environ.get("X"):
    StopsInSomeBranch.stop = None


class StopsInALoop(LocalBackend):  # BC309
    pass


for each in (StopsInALoop,):
    each.stop = None


# ---- descriptors that change the class


class NamesItsOwner:
    def __set_name__(self, owner: typing.Any, name: str) -> None:
        owner.backend_type = 3


class KeepsItsName:
    def __set_name__(self, owner: object, name: str) -> None:
        self.name = name


class NamedByAField(LocalBackend):  # BC101 BC102b
    field = NamesItsOwner()


class HasAField(LocalBackend):  # ok
    field = KeepsItsName()


# ---- functions that are written in another way


class StartsByALambda(LocalBackend):  # ok
    start = lambda self: setattr(self, "_started", True)
    start_lock = lambda self: self._start_lock
    handle_runtime_context = lambda self, model_id, runtime_context: None


class StopsByALambda(LocalBackend):  # BC309
    stop = lambda self: True


class RegistersByALambda(LocalBackend):  # BC202
    register_config = lambda self: None


class StopsByALambdaOfItsOwn(LocalBackend):  # BC309u
    def __init__(self, config: aconfig.Config | None = None, hook: typing.Any = None) -> None:
        super().__init__(config)
        self.hook = hook

    stop = lambda self: self.hook()


class StartsPartly(LocalBackend):  # ok
    def _set(self, is_on: bool, loud: bool = False) -> None:
        self._started = is_on

    start = functools.partialmethod(_set, True)
    stop = functools.partialmethod(_set, is_on=False)


class StartsPartlyWithTooLittle(LocalBackend):  # BC309
    def _set(self, is_on: bool, is_loud: bool) -> None:
        self._started = is_on

    start = functools.partialmethod(_set, True)


class StopsPartlyWithANumber(LocalBackend):  # BC309
    def _set(self, is_on: bool) -> int:
        return int(is_on)

    stop = functools.partialmethod(_set, False)


class LocksByAClass(LocalBackend):  # ok
    class start_lock:
        def __enter__(self) -> None: ...
        def __exit__(self, *error: object) -> None: ...


class LocksByAnEmptyClass(LocalBackend):  # BC401
    class start_lock: ...


class StopsByANestedClass(LocalBackend):  # BC309
    class stop: ...


class StartedByAClass(LocalBackend):  # BC307
    class is_started: ...


# ---- what is not called, and what is


class NamedByAnUncalledMethod(LocalBackend):  # BC101 BC102b
    backend_type = "x".upper


class LocksByAClassOfEvents(LocalBackend):  # BC401
    start_lock = threading.Event


class LocksByAClassOfLocks(LocalBackend):  # ok
    start_lock = threading.RLock


class LocksByNothing(LocalBackend):  # ok
    start_lock = contextlib.nullcontext


class NamedByAValueOfAStringEnum(LocalBackend):  # ok
    backend_type = Text.A.value


class Text(str, enum.Enum):
    A = "A"


class NamesNothing(type(LocalBackend)):
    @property
    def backend_type(cls) -> str:
        return "OTHER"


class NamedByItsMetaclassAlone(BackendBase, metaclass=NamesNothing):  # BC101 BC102b BC201b
    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


def generator(*_: object) -> typing.Iterator[None]:
    yield


class LocksByAGeneratorFunction(LocalBackend):  # BC401
    start_lock = generator


# ---- names that a class keeps


class Names:
    RIGHT = "RIGHT"
    WRONG = "wrong"


class NamedByAClass(LocalBackend):  # ok
    backend_type = Names.RIGHT


class MisnamedByAClass(LocalBackend):  # BC103
    backend_type = Names.WRONG
