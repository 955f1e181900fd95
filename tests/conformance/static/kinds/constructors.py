# Constructors, and what they leave out; nothing imports this file.
#
# Comments on the lines of classes are as in `samples.py`; after an ` or `, checkers differ.

from __future__ import annotations

import contextlib
import enum
import functools
import sys
import threading
import typing as t
from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    ContextDecorator,
    ExitStack,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass, field
from functools import partial, singledispatchmethod, wraps
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Awaitable,
    ClassVar,
    Coroutine,
    Dict,
    Final,
    Generator,
    Generic,
    Literal,
    NamedTuple,
    NoReturn,
    Optional,
    Protocol,
    Type,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    final,
    overload,
)

import aconfig
import fastapi
import grpc
import typing_extensions as te
from nowhere import Hook, Unheard, unheard_call, untyped_here
from typing_extensions import Concatenate, Never, ParamSpec, Self, dataclass_transform, override

from backend_contract import (
    Backend,
    BackendBase,
    BackendRegistry,
    LocalBackend,
    RuntimeServerContextType,
    conforms,
    is_grpc_context,
)

T = TypeVar("T")
B = TypeVar("B", bound=bool)
M = TypeVar("M", bound=Mapping[str, Any])
C = TypeVar("C", grpc.ServicerContext, fastapi.Request)
IntOrBytes = TypeVar("IntOrBytes", int, bytes)
P = ParamSpec("P")
R = TypeVar("R")
Anything = Any
MaybeAny = Optional[Any]
Nope = NoReturn


class Whole:  # ok
    backend_type = "WHOLE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class Based(BackendBase):  # ok
    backend_type = "BASED"

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class Plain(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.mine = config


class PlainPass(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        pass


class PlainStub(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None: ...


class CannotInheritBool(bool, Based):  # BC201
    pass


class CannotInheritNone(Based, type(None)):  # BC201
    pass


class InheritsADict(Based, dict):  # ok
    pass


class ReadOnlyState(Based):  # BC201
    @property
    def _started(self) -> bool:
        return True


class StateWithASetter(Based):  # ok
    @property
    def _started(self) -> bool:
        return True

    @_started.setter
    def _started(self, value: bool) -> None: ...


class LocalPlain(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.workers = 1


class Calls(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.mine = 1


class CallsLong(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super(CallsLong, self).__init__(config)


class CallsByName(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        Based.__init__(self, config)


class CallsByBase(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        BackendBase.__init__(self, config)


class CallsObject(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        object.__init__(self)


class CallsPast(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super(BackendBase, self).__init__()


class CallsOther(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init_subclass__()


class CallsNothing(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__


class CallsSuperOnly(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super()


class CallsInIf(Based):  # BC201 or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if config is not None:
            super().__init__(config)


class CallsInBoth(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if config is not None:
            super().__init__(config)
        else:
            super().__init__()


class CallsInTry(Based):  # ok or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        try:
            super().__init__(config)
        except TypeError:
            super().__init__()


class CallsInWith(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        with threading.Lock():
            super().__init__(config)


class CallsInFinally(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        try:
            self.x = 1
        finally:
            super().__init__(config)


class CallsAfterReturn(Based):  # BC201 or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        return
        super().__init__(config)


class CallsAfterEarlyReturn(Based):  # BC201 or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if config is None:
            return
        super().__init__(config)


class CallsAfterRaise(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if config is not None and "x" in config:
            raise ValueError(config)
        super().__init__(config)


class CallsInLoop(Based):  # BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        for _ in config or ():
            super().__init__(config)


class CallsInNested(Based):  # BC201 or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        def later() -> None:
            BackendBase.__init__(self, config)


class CallsByHelper(Based):  # ok or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self._prepare(config)

    def _prepare(self, config: aconfig.Config | None) -> None:
        super().__init__(config)


class CallsByEmptyHelper(Based):  # BC201 or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self._prepare(config)

    def _prepare(self, config: aconfig.Config | None) -> None:
        self.x = config


class CallsByUnknown(Based):  # BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        unheard_call(self, config)


class CallsAlias(Based):  # ok or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        parent = super()
        parent.__init__(config)


class CallsBound(Based):  # ok or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        init = super().__init__
        init(config)


class CallsMro(Based):  # ok or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        for base in type(self).__mro__[1:]:
            base.__init__(self, config)


class IfTrue(Based):  # ok or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if True:
            super().__init__(config)


# mixins
class StopsChain:
    def __init__(self, config: object = None) -> None:
        self.x = 1


class PassesChain:
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


class PassesAnyChain:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class NoInit:
    x = 1


class WithStopper(StopsChain, Based):  # BC201
    pass


class WithPasser(PassesChain, Based):  # ok
    pass


class WithAnyPasser(PassesAnyChain, Based):  # ok or BC201u
    pass


class WithNoInit(NoInit, Based):  # ok
    pass


class StopperLast(Based, StopsChain):  # ok
    pass


class CallsIntoStopper(StopsChain, Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


class CallsPastStopper(StopsChain, Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        StopsChain.__init__(self, config)
        Based.__init__(self, config)


class CallsOnlyStopper(StopsChain, Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        StopsChain.__init__(self, config)


class CallsFromStopper(StopsChain, Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super(StopsChain, self).__init__(config)


class Inherits(Plain):  # BC201
    pass


class InheritsCalls(Plain):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


class Repairs(Plain):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        BackendBase.__init__(self, config)


class Threaded(threading.Thread, Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        threading.Thread.__init__(self)


class ThreadedSuper(Based, threading.Thread):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


class WithHook(Hook, Based):  # BC101u BC102u BC201u BC202u BC307u BC309u BC401u BC501u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


# dataclasses
@dataclass
class Data(Based):  # BC201
    workers: int = 1


@dataclass
class DataConfig(Based):  # BC201
    config: aconfig.Config | None = None


@dataclass
class DataPost(Based):  # ok
    conf: aconfig.Config | None = None

    def __post_init__(self) -> None:
        super().__init__(self.conf)


@dataclass
class DataPostWithout(Based):  # BC201
    conf: aconfig.Config | None = None

    def __post_init__(self) -> None:
        self.x = 1


@dataclass(init=False)
class DataNoInit(Based):  # ok
    workers: int = 1


@dataclass
class DataOwnInit(Based):  # ok
    workers: int = 1

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


@dataclass
class DataEmpty(Based):  # BC201
    pass


class InheritsData(DataPost):  # ok
    pass


class InheritsDataBad(DataConfig):  # BC201
    pass


# complete without it
class Complete(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.config = config or aconfig.Config({})
        self._started = False
        self._start_lock = threading.RLock()


class CompleteOwn(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self._running = False
        self._lock = threading.RLock()

    @property
    def is_started(self) -> bool:
        return self._running

    def start_lock(self) -> AbstractContextManager[object]:
        return self._lock


class CompleteAttribute(Based):  # ok
    is_started = False

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self._lock = threading.RLock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self._lock


class HalfStarted(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self._running = False

    @property
    def is_started(self) -> bool:
        return self._running


class HalfLock(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self._lock = threading.RLock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self._lock


class HalfFlag(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self._started = False


class ClassFlag(Based):  # ok or BC201
    _started = False
    _start_lock = threading.RLock()

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.config = config


class LocalOwn(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self._running = False
        self._lock = threading.RLock()

    @property
    def is_started(self) -> bool:
        return self._running

    def start_lock(self) -> AbstractContextManager[object]:
        return self._lock


# __new__
class NewOther(Based):  # BC201
    def __new__(cls, config: aconfig.Config | None = None) -> int:
        return 1


class NewOtherWhole(Whole):  # BC201
    def __new__(cls, config: aconfig.Config | None = None) -> str:
        return "x"


class NewSelf(Based):  # ok
    def __new__(cls, config: aconfig.Config | None = None) -> Self:
        return super().__new__(cls)


class NewNamed(Based):  # ok
    def __new__(cls, config: aconfig.Config | None = None) -> NewNamed:
        return super().__new__(cls)


class NewAny(Based):  # BC201u
    def __new__(cls, config: aconfig.Config | None = None) -> Any:
        return super().__new__(cls)


class NewUnannotated(Based):  # ok or BC201u
    def __new__(cls, config=None):
        return super().__new__(cls)


class NewUnannotatedOther(Based):  # BC201 or BC201u
    def __new__(cls, config=None):
        return object()


class NewNone(Based):  # BC201
    def __new__(cls, config: aconfig.Config | None = None) -> None:
        return None


class NewOtherBackend(Based):  # ok or BC201u
    def __new__(cls, config: aconfig.Config | None = None) -> LocalBackend:
        return LocalBackend(config)


class NewObject(Whole):  # BC201
    def __new__(cls, config: aconfig.Config | None = None) -> object:
        return object()


class NewLies(Based):  # BC201 or BC201u
    def __new__(cls, config: aconfig.Config | None = None) -> Self:
        return 3


class NewNoArgs(Based):  # BC201
    def __new__(cls) -> Self:
        return super().__new__(cls)


class NewUnion(Based):  # BC201 or BC201u
    def __new__(cls, config: aconfig.Config | None = None) -> Self | int:
        return 1


# metaclass
class MetaOther(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> int:
        return 1


class MetaUntyped(type):
    def __call__(cls, *args, **kwargs):
        return 1


class MetaAny(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs)


class MetaPlain(type):
    x = 1


class MetaNever(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("static")


class MetaABC(type(BackendBase)):
    def __call__(cls, *args: Any, **kwargs: Any) -> int:
        return 1


class MetaSingleton(type):
    _instances: ClassVar[dict[type, object]] = {}

    def __call__(cls, *args, **kwargs):
        if cls not in cls._instances:
            cls._instances[cls] = super().__call__(*args, **kwargs)
        return cls._instances[cls]


class ByMetaOther(Whole, metaclass=MetaOther):  # BC201
    pass


class ByMetaUntyped(Whole, metaclass=MetaUntyped):  # BC201
    pass


class ByMetaAny(Whole, metaclass=MetaAny):  # BC201u or ok
    pass


class ByMetaPlain(Whole, metaclass=MetaPlain):  # ok
    pass


class ByMetaNever(Whole, metaclass=MetaNever):  # BC201
    pass


class ByMetaSingleton(Whole, metaclass=MetaSingleton):  # BC201u
    pass


class InheritsMeta(ByMetaOther):  # BC201
    pass


class ByMetaUnfound(
    Whole, metaclass=Unheard
):  # BC201u or BC102u BC201u or BC307u BC201u or BC201u BC307u
    pass


class ABCMetaCall(type(Backend)):
    def __call__(cls, *args: Any, **kwargs: Any) -> int:
        return 1


# can never be made
class Further(Based):  # BC201
    @abstractmethod
    def more(self) -> None: ...


class AProtocol(Backend, Protocol):  # BC101 BC102b BC201 BC202 BC307 BC309 BC401 BC501
    pass


class AnEnum(enum.Enum):  # BC101 BC102b BC103b BC201 BC307
    A = 1
    backend_type = "X"
    is_started = False

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class Raises(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        raise NotImplementedError


class RaisesType(Whole):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        raise TypeError("not instantiable")


class RaisesInNew(Whole):  # BC201
    def __new__(cls, config: aconfig.Config | None = None) -> Self:
        raise TypeError("static class")


class RaisesForNone(Whole):  # ok or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        if config is None:
            raise ValueError("a configuration is needed")


class ExtraRequired(Based):  # BC201
    def __init__(self, config: aconfig.Config, workers: int) -> None:
        super().__init__(config)


class AsyncInit(Based):  # BC201
    async def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


class GeneratorInit(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> Iterator[None]:
        super().__init__(config)
        yield


class ReturnsInit(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> int:
        super().__init__(config)
        return 1


# constructors more
class MultiPath(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        match config:
            case None:
                super().__init__({})
            case _:
                super().__init__(config)


class MultiPathHole(Based):  # BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        match config:
            case None:
                super().__init__({})


class InBoolOp(Based):  # BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        config and super().__init__(config)


class InTernary(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config) if config else super().__init__()


class InSuppress(Based):  # BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        with suppress(TypeError):
            super().__init__(config)


class InTryPass(Based):  # BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        try:
            super().__init__(config)
        except TypeError:
            pass


class InTryRaise(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        try:
            super().__init__(config)
        except TypeError as error:
            raise ValueError from error


class ReturnsSuper(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        return super().__init__(config)


class InAssign(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        _ = super().__init__(config)


class InLambda(Based):  # BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.init = lambda: BackendBase.__init__(self, config)


class ByPartial(Based):  # BC201u or ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        partial(BackendBase.__init__, self)(config)


class ByGetattr(Based):  # BC201u or ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        getattr(super(), "__init__")(config)


class ByClassAttr(Based):  # ok or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super(__class__, self).__init__(config)


class BySelfClass(Based):  # ok or BC201u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.__class__.__mro__[1].__init__(self, config)


class ByUpdate(Based):  # BC201u or ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.__dict__.update(_started=False, _start_lock=threading.RLock(), config=config)


class BySetattr(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        setattr(self, "_started", False)
        setattr(self, "_start_lock", threading.RLock())
        object.__setattr__(self, "config", config)


def prepare(backend: Based, config: aconfig.Config | None) -> None:
    backend._started = False
    backend._start_lock = threading.RLock()


def prepare_nothing(backend: Based) -> None:
    print(backend)


class ByFunction(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        prepare(self, config)


class ByEmptyFunction(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        prepare_nothing(self)


class ByProperty(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.is_started = False


class BySettableProperty(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.is_started = False

    @property
    def is_started(self) -> bool:
        return self._started

    @is_started.setter
    def is_started(self, value: bool) -> None:
        self._started = value


class NewSets(Based):  # ok
    def __new__(cls, config: aconfig.Config | None = None) -> Self:
        self = super().__new__(cls)
        self._started = False
        self._start_lock = threading.RLock()
        return self

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.config = config


class NewCached(Based):  # ok
    _instance: ClassVar[Optional[NewCached]] = None

    def __new__(cls, config: aconfig.Config | None = None) -> Self:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance


class NewUntypedCached(Based):  # BC201u
    _instance = None

    def __new__(cls, config=None):
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance


class NewFromBase(NewUntypedCached):  # BC201u
    pass


class NewLocal(Based):  # BC201u or BC201
    def __new__(cls, config: aconfig.Config | None = None):
        return LocalBackend(config)


class NewDict(Based):  # BC201
    def __new__(cls, config: aconfig.Config | None = None) -> dict[str, int]:
        return {"a": 1}


class NewT(Based):  # ok
    def __new__(cls: type[T], config: aconfig.Config | None = None) -> T:
        return object.__new__(cls)


class NewConditional(Based):  # BC201
    def __new__(cls, config: aconfig.Config | None = None) -> Self:
        if config is None:
            return None
        return super().__new__(cls)


class DataBase(Based):  # ok
    @dataclass
    class Options:
        a: int = 1


@dataclass
class DataSuper(Based):  # ok
    conf: aconfig.Config | None = None

    def __post_init__(self) -> None:
        BackendBase.__init__(self, self.conf)


@dataclass
class DataInherited(DataSuper):  # ok
    more: int = 0


@dataclass
class DataInheritedBad(Based):  # BC201
    conf: aconfig.Config | None = None
    _more: int = 0


@dataclass
class DataState(Based):  # ok
    config: aconfig.Config | None = None
    _started: bool = False
    _start_lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass(frozen=True)
class DataFrozen(Whole):  # ok
    config: aconfig.Config | None = None
    is_started: bool = False


class WholeChild(Whole):  # BC201 BC307
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.mine = 1


class WholeChildCalls(Whole):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


class WholeChildSets(Whole):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = True


class Structural:  # BC201
    backend_type = "X"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.config = config

    @property
    def is_started(self) -> bool:
        return self._running

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None:
        self._running = True

    def stop(self) -> None:
        self._running = False

    def start_lock(self) -> AbstractContextManager[object]:
        return threading.RLock()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class StructuralSlots:  # ok
    __slots__ = ("_running",)
    backend_type = "X"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.stop()

    @property
    def is_started(self) -> bool:
        return self._running

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None:
        self._running = True

    def stop(self) -> None:
        self._running = False

    def start_lock(self) -> AbstractContextManager[object]:
        return threading.RLock()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class Meta1(type(Backend)):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        return made


class Meta2(type):
    def __call__(cls: type[T], *args: Any, **kwargs: Any) -> T:
        return type.__call__(cls, *args, **kwargs)


class Meta3(type):
    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        return super().__new__(mcs, name, bases, namespace)


class OfMeta1(Whole, metaclass=Meta1):  # ok or BC201u
    pass


class OfMeta2(Whole, metaclass=Meta2):  # ok or BC201u
    pass


class OfMeta3(Whole, metaclass=Meta3):  # ok
    pass


class StructuralWithoutFlag:  # BC201 BC307
    backend_type = "FLAG"

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class FlagOnlyInStart(StructuralWithoutFlag):  # BC201 BC307
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.url = "http://localhost"

    def start(self) -> None:
        self.is_started = True


class FlagInAHelperNobodyCalls(StructuralWithoutFlag):  # BC201 BC307
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.url = "http://localhost"

    def reset(self) -> None:
        self.is_started = False


class FlagInAHelper(FlagInAHelperNobodyCalls):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.reset()


class FlagOnlyWithConfiguration(StructuralWithoutFlag):  # BC201 BC307
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if config:
            self.is_started = False


class FlagInBothBranches(StructuralWithoutFlag):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        if config:
            self.is_started = False
        else:
            self.is_started = False


class FlagBehindAnImport(StructuralWithoutFlag):  # BC201u BC307u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        try:
            import nobody_has_this

            self.is_started = False
        except ImportError:
            self.url = "http://localhost"


class FlagDeleted(StructuralWithoutFlag):  # BC201u BC307u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        del self.is_started


class Exits(LocalBackend):  # BC201
    backend_type = "EXITS"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        sys.exit(3)


class ExitsByALocalImport(LocalBackend):  # BC201
    backend_type = "EXITS"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        import os as system

        if config:
            exit()
        else:
            system._exit(3)


class ExitsSometimes(LocalBackend):  # ok
    backend_type = "SOMETIMES"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        if not sys.argv:
            sys.exit(1)


class Closeable(Protocol):  # BC101 BC102b BC201 BC202 BC307 BC309 BC401 BC501
    def close(self) -> None: ...


class InheritsTheBodyOfAProtocol(LocalBackend, Closeable):  # ok
    backend_type = "CLOSEABLE"


class AbstractWithoutItsMetaclass(Whole):  # ok
    @abstractmethod
    def close(self) -> None: ...


class AbstractWithItsMetaclass(Whole, ABC):  # BC201
    @abstractmethod
    def close(self) -> None: ...


class PassesToObject:  # BC201
    backend_type = "OBJECT"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)  # type: ignore[call-arg]
        self.is_started = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class InheritsPassesToObject(PassesToObject):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


class PassesToObjectOrNot(Whole):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        try:
            super().__init__(config, 1)  # type: ignore[call-arg]
        except TypeError:
            super().__init__(config)


class PassesNothingToObject(Whole):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__()


class PassesTooMuch(LocalBackend):  # BC201
    backend_type = "MUCH"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__("MUCH", config)  # type: ignore[call-arg]


class PassesOtherName(LocalBackend):  # BC201
    backend_type = "NAME"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(settings=config)  # type: ignore[call-arg]


class Passing:
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)  # type: ignore[call-arg]


class PassesToTheNext(Passing, LocalBackend):  # ok
    backend_type = "NEXT"


class TwoConstructors(LocalBackend):  # BC201u
    backend_type = "TWO"
    if sys.argv:

        def __init__(self, config: aconfig.Config | None = None) -> None:
            super().__init__(config)

    else:

        def __init__(self, config: aconfig.Config | None = None) -> None:
            self.only = 1


class TwoSoundConstructors(LocalBackend):  # ok
    backend_type = "TWO"
    if sys.argv:

        def __init__(self, config: aconfig.Config | None = None) -> None:
            super().__init__(config)

    else:

        def __init__(self, config: aconfig.Config | None = None) -> None:
            super().__init__()


class SlotForgotten:  # BC201 or BC201 BC307
    __slots__ = ("config",)
    backend_type = "SLOTS"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.config = config
        self.is_started = False  # type: ignore[misc]

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class SlotGiven(SlotForgotten):  # ok or BC307
    __slots__ = ("is_started",)
    is_started: bool


class SlotsAndDict(SlotForgotten):  # ok or BC307
    __slots__ = ("__dict__",)


@dataclass(frozen=True)
class FrozenCalls(LocalBackend):  # BC201
    backend_type = "FROZEN"
    settings: aconfig.Config | None = None

    def __post_init__(self) -> None:
        super().__init__(self.settings)


@dataclass(frozen=True)
class FrozenSets(LocalBackend):  # ok
    backend_type = "FROZEN"
    settings: aconfig.Config | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", self.settings)
        object.__setattr__(self, "_started", False)
        object.__setattr__(self, "_start_lock", threading.RLock())


class NeverMade(Whole):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        raise TypeError


class InheritsNeverMade(NeverMade):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


def initialize(self: BackendBase, config: aconfig.Config | None = None) -> None:
    BackendBase.__init__(self, config)


class TakesAFunction(LocalBackend):  # BC201u
    backend_type = "FUNCTION"
    __init__ = initialize


class GivesConstructors:
    def __init_subclass__(cls) -> None:
        cls.__init__ = lambda self, *args: None  # type: ignore[method-assign]


class GetsAConstructor(GivesConstructors): ...


class PassesToAGivenConstructor(GetsAConstructor):  # ok or BC201u
    backend_type = "GIVEN"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)  # type: ignore[call-arg]
        self.is_started = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class InheritsFrozen(FrozenSets):  # ok
    backend_type = "THAWED"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        BackendBase.__init__(self, config)


class SetsAProperty(Whole):  # ok
    @property
    def is_started(self) -> bool:
        return self._up

    @is_started.setter
    def is_started(self, value: bool) -> None:
        self._up = value


class SetsAnotherProperty(Whole):  # BC201
    @property
    def is_started(self) -> bool:
        return self._up

    @is_started.setter
    def is_started(self, value: bool) -> None:
        self._down = not value


class SetsAPropertyByName(SetsAProperty):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        setattr(self, "is_started", False)  # noqa: B010


class Stores:
    def __set__(self, instance: Any, value: bool) -> None:
        setattr(instance, "_on", value)  # noqa: B010


class SetsADescriptor(Whole):  # ok or BC201u
    switch = Stores()

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.switch = False

    @property
    def is_started(self) -> bool:
        return self._on


# ---- class statements that raise


class OwnMeta(ABCMeta): ...


class PlainMeta(type): ...


class DerivedMeta(type(LocalBackend)): ...


class HasOwnMeta(LocalBackend, metaclass=OwnMeta):  # BC201
    pass


class HasPlainMeta(LocalBackend, metaclass=PlainMeta):  # BC201
    pass


class HasDerivedMeta(LocalBackend, metaclass=DerivedMeta):  # ok
    pass


class HasABCMeta(LocalBackend, ABC, metaclass=ABCMeta):  # ok
    pass


class GenericAtTheEnd(LocalBackend, Generic[T]):  # ok
    pass


class GenericAtTheFront(
    Generic[T], LocalBackend
):  # BC201 or BC201 BC202u BC307u BC309u BC401u BC501u
    pass


class GenericBeforeItself(Generic[T], GenericAtTheEnd[T]):  # ok
    pass


class DerivedFirst(GenericAtTheEnd[int], LocalBackend):  # ok
    pass


class ObjectLast(LocalBackend, object):  # ok
    pass


# ---- arguments and attributes that constructors reject


class PassesANumber(LocalBackend):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(3)


class PassesNone(LocalBackend):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(None)


class RefusesToAssign(LocalBackend):  # BC201u
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class WatchesAssignments(LocalBackend):  # ok
    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)


@dataclass
class FieldWithoutAValue(LocalBackend):  # BC201
    config: aconfig.Config | None = None
    running: bool = field(init=False)

    def __post_init__(self) -> None:
        super().__init__(self.config)

    @property
    def is_started(self) -> bool:
        return self.running


@dataclass
class FieldWithAValue(LocalBackend):  # ok
    config: aconfig.Config | None = None
    running: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        super().__init__(self.config)

    @property
    def is_started(self) -> bool:
        return self.running


def _start(self: BackendBase) -> None: ...


def starts_later(cls: Type[T]) -> Type[T]:
    cls.start = _start
    return cls


class Unfinished(BackendBase):
    backend_type = "UNFINISHED"

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def stop(self) -> None: ...


class StartsTooLate(Unfinished):  # BC201
    backend_type = "LATE"


StartsTooLate.start = _start


class NamedTooLate(BackendBase):  # BC201
    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


setattr(NamedTooLate, "backend_type", "LATE")


@starts_later
class StartsByADecorator(Unfinished):  # BC201
    backend_type = "LATE"


@dataclass
@starts_later
class StartsBelowDataclass(Unfinished):  # ok or BC201u
    backend_type: ClassVar[str] = "LATE"
    config: aconfig.Config | None = None

    def __post_init__(self) -> None:
        super().__init__(self.config)


class NamedInItsConstructor(BackendBase):  # BC102 BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.backend_type = "LATE"

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class NamedInAnIf(BackendBase):  # BC102 BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        if config is None:
            self.backend_type = "LATE"

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class InheritsALateStart(StartsTooLate):  # ok
    backend_type = "INHERITS"


class ReplacesItsStart(Based):  # ok
    backend_type = "REPLACES"


ReplacesItsStart.start = _start
