# Sound classes that checkers judge differently; nothing imports this file.
#
# Comments on the lines of classes are as in `samples.py`; after an ` or `, checkers differ.

from __future__ import annotations

import contextlib
import enum
import functools
import sys
import threading
import typing as t
from abc import ABC, abstractmethod
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


registry = BackendRegistry()


# overloads
class Overloads(Based):  # ok
    @overload
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext
    ) -> None: ...
    @overload
    def handle_runtime_context(self, model_id: str, runtime_context: fastapi.Request) -> None: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        pass


class OverloadsAny(Whole):  # ok
    @overload
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext
    ) -> None: ...
    @overload
    def handle_runtime_context(self, model_id: str, runtime_context: fastapi.Request) -> None: ...
    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
        pass


class OverloadsUnannotated(Whole):  # ok
    @t.overload
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext
    ) -> None: ...
    @t.overload
    def handle_runtime_context(self, model_id: str, runtime_context: fastapi.Request) -> None: ...
    def handle_runtime_context(self, model_id, runtime_context):
        pass


class OverloadsHalf(Whole):  # BC501
    @overload
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext
    ) -> None: ...
    @overload
    def handle_runtime_context(self, model_id: str, runtime_context: int) -> None: ...
    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
        pass


class OverloadsReturn(Whole):  # BC501
    @overload
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext
    ) -> None: ...
    @overload
    def handle_runtime_context(self, model_id: str, runtime_context: fastapi.Request) -> int: ...
    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> Any:
        pass


class OverloadsAnyHalf(Whole):  # BC501u
    @overload
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext
    ) -> None: ...
    @overload
    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None: ...
    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None:
        pass


class OverloadsNames(Whole):  # BC501
    @overload
    def handle_runtime_context(self, model_id: str, ctx: grpc.ServicerContext) -> None: ...
    @overload
    def handle_runtime_context(self, model_id: str, ctx: fastapi.Request) -> None: ...
    def handle_runtime_context(self, model_id: str, ctx: Any) -> None:
        pass


class OverloadedInit(Based):  # ok
    @overload
    def __init__(self) -> None: ...
    @overload
    def __init__(self, config: aconfig.Config | None) -> None: ...
    def __init__(self, config: Any = None) -> None:
        super().__init__(config)


class OverloadedInitHalf(Based):  # BC201
    @overload
    def __init__(self) -> None: ...
    @overload
    def __init__(self, config: aconfig.Config) -> None: ...
    def __init__(self, config: Any = None) -> None:
        super().__init__(config)


class OverloadedRegister(Based):  # ok
    @overload
    def register_config(self, config: aconfig.Config) -> None: ...
    @overload
    def register_config(self, config: dict[str, Any]) -> None: ...
    def register_config(self, config: Any) -> None: ...


class ConstrainedBased(Based):  # ok
    def handle_runtime_context(self, model_id: str, runtime_context: C) -> None: ...


# dataclass transforms
@dataclass_transform()
def model(cls: type[T]) -> type[T]:
    return cls


@dataclass_transform()
class ModelBase:
    def __init_subclass__(cls, *, frozen: bool = False) -> None: ...


class ModelMeta(type):
    pass


@dataclass_transform()
class TransformMeta(type):
    pass


class MetaModelBase(metaclass=TransformMeta):
    pass


@model
class Modelled(Whole):  # ok or BC201u
    conf: aconfig.Config | None = None
    is_started: bool = False


@model
class ModelledRequired(Whole):  # BC201
    conf: aconfig.Config


class OfModelBase(ModelBase, frozen=False):  # ok or BC201u
    conf: aconfig.Config | None = None
    is_started: bool = False
    backend_type: ClassVar[str] = "X"

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class OfMetaModel(MetaModelBase):  # ok or BC201u
    conf: aconfig.Config | None = None
    is_started: bool = False
    backend_type: ClassVar[str] = "X"

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


@dataclass
class DataStarted(Whole):  # ok
    config: aconfig.Config | None = None
    is_started: bool = False


@dataclass
class DataFactory(Whole):  # ok
    config: aconfig.Config | None = None
    names: list[str] = field(default_factory=list)
    is_started: bool = field(default=False, init=False)


@dataclass(kw_only=True)
class DataKw(Whole):  # BC201
    config: aconfig.Config | None = None
    is_started: bool = False


# generics
class GenBased(Based, Generic[T]):  # ok
    engine: T

    def use(self, engine: T) -> None:
        self.engine = engine


K = TypeVar("K", bound=Mapping[str, Any])


class Configured(Generic[K]):
    def register_config(self, config: K) -> None: ...


class OfConfigured(Configured[aconfig.Config], Whole):  # ok
    pass


class OfConfiguredMapping(Configured[Mapping[str, Any]], Whole):  # ok
    pass


class ProtoGen(Protocol[T]):
    def use(self, x: T) -> None: ...


class WithProto(Based, ProtoGen[int]):  # ok
    def use(self, x: int) -> None: ...


# __init_subclass__
class Registering(BackendBase):
    def __init_subclass__(cls, *, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)


class RegisteringWhole:
    names: ClassVar[list[str]] = []

    def __init_subclass__(cls, name: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.names.append(name)


class Keyworded(Registering, name="x"):  # ok
    backend_type = "X"

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class KeywordedWhole(RegisteringWhole, Whole, name="y"):  # ok
    pass


class KeywordedChild(KeywordedWhole, name="z"):  # ok
    pass


class KeywordedBroken(RegisteringWhole, Whole, name="y"):  # BC309
    def start(self, now: bool) -> None: ...


class Required(BackendBase):
    def __init_subclass__(cls, name: str) -> None:
        super().__init_subclass__()


class RequiredWhole(Required, name="z"):  # ok
    backend_type = "X"

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


# guarded base
try:
    from nowhere_at_all import FastBase
except ImportError:
    FastBase = object

try:
    from backend_contract import BackendBase as GuardedBase
except ImportError:
    GuardedBase = object

try:
    import nowhere_module
    from nowhere_module import Mixin as GuardedMixin
except ImportError:

    class GuardedMixin:
        x = 1


try:
    from threading import Thread as T1
except ImportError:
    T1 = object

try:
    from backend_contract import LocalBackend as GuardedLocal
except ModuleNotFoundError:

    class GuardedLocal:
        pass


class OfGuarded(GuardedBase):  # ok
    backend_type = "X"

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class OfGuardedLocal(GuardedLocal):  # ok
    backend_type = "X"


# protocol bases
class Explicit(Backend):  # ok
    backend_type = "X"
    is_started = False

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class ExplicitAnnotated(Backend):  # ok
    backend_type: str = "X"
    is_started: bool = False

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class ExplicitClassVar(Backend):  # ok
    backend_type: ClassVar[str] = "X"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self._on = False

    @property
    def is_started(self) -> bool:
        return self._on

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class ExplicitInitOnly(Backend):  # BC201 or BC307 or BC201 BC307
    backend_type = "X"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class ExplicitWhole(Whole, Backend):  # ok
    is_started = False


class ExplicitChild(Explicit):  # ok
    pass


class ExplicitNoHandle(Backend):  # BC201b BC501
    backend_type = "X"
    is_started = False

    def __init__(self, config: aconfig.Config | None = None) -> None: ...
    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...


# second bases
class Second(LocalBackend, grpc.UnaryStreamClientInterceptor):  # ok
    backend_type = "MINE"

    def intercept_unary_stream(self, continuation, client_call_details, request):
        return continuation(client_call_details, request)


class SecondServer(LocalBackend, grpc.ServerInterceptor):  # ok
    backend_type = "MINE"

    def intercept_service(self, continuation, handler_call_details):
        return continuation(handler_call_details)


class SecondBased(Based, grpc.ServerInterceptor):  # ok
    def intercept_service(self, continuation, handler_call_details):
        return continuation(handler_call_details)


class SecondBroken(LocalBackend, grpc.ServerInterceptor):  # BC309
    backend_type = "MINE"

    def start(self, x: int) -> None: ...
    def intercept_service(self, continuation, handler_call_details): ...


# paramspec & wraps & contextmanager
def timed(f: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(f)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        return f(*args, **kwargs)

    return inner


class timed_class(Generic[P, R]):
    def __init__(self, f: Callable[P, R]) -> None: ...
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...


def retried(times: int = 3) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


class Timed(Based):  # ok
    @timed
    def start(self) -> None: ...
    @retried(times=4)
    def stop(self) -> None: ...
    @timed
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...
    @timed
    def register_config(self, config: Mapping[str, Any]) -> None: ...


class TimedWhole(Whole):  # ok
    @timed
    def start(self) -> None: ...
    @timed
    def start_lock(self) -> AbstractContextManager[object]: ...


class TimedBroken(Whole):  # BC309
    @timed
    def start(self, now: int) -> None: ...


class TimedReturn(Whole):  # BC309
    @timed
    def start(self) -> int: ...


class Managed(Based):  # ok
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        yield


class ManagedDotted(Whole):  # ok
    @contextlib.contextmanager
    def start_lock(self) -> t.Generator[None, None, None]:
        yield


class ManagedTimed(Whole):  # ok
    @timed
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        yield


class ManagedUnannotated(Based):  # ok or BC401u
    @contextmanager
    def start_lock(self):
        yield


class ManagedAny(Based):  # ok
    @contextmanager
    def start_lock(self) -> Iterator[Any]:
        yield


class ManagedAsync(Based):  # BC401
    @contextlib.asynccontextmanager
    async def start_lock(self) -> t.AsyncIterator[None]:
        yield


class LocksSelf(Whole):  # ok
    def start_lock(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None: ...


class StartsSelf(Whole):  # BC309
    def start(self) -> Self:
        return self


class Overriding(Based):  # ok
    @override
    def start(self) -> None: ...
    @override
    def stop(self) -> None: ...
    @property
    @override
    def is_started(self) -> bool:
        return True


class Finals(Based):  # ok
    backend_type: Final = "X"

    @final
    def start(self) -> None: ...


class FinalStr(Whole):  # ok
    backend_type: Final[str] = "X"


class Parametrised(Whole):  # ok
    start_lock = threading.Lock


class MethodAlias(Whole):  # ok
    def go(self) -> None: ...

    start = go
    stop = go


class PartialMethod(Whole):  # ok or BC309u
    def _go(self, on: bool) -> None: ...

    start = functools.partialmethod(_go, True)
    stop = functools.partialmethod(_go, False)


class Static(Whole):  # ok
    @staticmethod
    def start() -> None: ...
    @classmethod
    def stop(cls) -> None: ...


class LambdaStart(Whole):  # ok or BC309u
    start = lambda self: None


@registry.register
class Registered(Based):  # ok
    pass


@conforms
@final
class Conforming(Based):  # ok
    pass


class Slotted:  # ok
    __slots__ = ("is_started", "lock")
    backend_type = "X"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.lock = threading.RLock()

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class Lazy(Based):  # ok
    @functools.cached_property
    def engine(self) -> int:
        return 1


class LazyLock(Whole):  # ok
    @functools.cached_property
    def _lock(self) -> threading.RLock:
        return threading.RLock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self._lock


class OptionalRegister(Based):  # ok
    def register_config(self, config: Mapping[str, Any] | None) -> None: ...


class DictInit(Based):  # ok
    def __init__(self, config: Dict[str, Any] | None = None, *, workers: int = 1) -> None:
        super().__init__(config)


class DelegatingInit(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config=config)
        self._setup()

    def _setup(self) -> None:
        self.x = 1


class WithEvent(Based):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self._event = threading.Event()

    @property
    def is_started(self) -> bool:
        return self._event.is_set()

    def start(self) -> None:
        self._event.set()


class EnumState(Based):  # ok
    class State(enum.Enum):
        OFF = 0
        ON = 1

    _state = State.OFF

    @property
    def is_started(self) -> bool:
        return self._state is self.State.ON


class LazyFlag(Whole):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        pass

    @property
    def is_started(self) -> bool:
        return getattr(self, "_on", False)


class HasFlag(Whole):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        pass

    @property
    def is_started(self) -> bool:
        return hasattr(self, "_on") and self._on


class TryFlag(Whole):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        pass

    @property
    def is_started(self) -> bool:
        try:
            return self._on
        except AttributeError:
            return False
