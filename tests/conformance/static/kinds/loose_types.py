# Types that accept everything, and decorators; nothing imports this file.
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
from collections.abc import Callable, Hashable, Iterator, Mapping
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


# --- never
class StartNoReturn(Whole):  # BC309
    def start(self) -> NoReturn:
        raise SystemExit(1)


class StartNever(Based):  # BC309
    def start(self) -> Never:
        while True:
            pass


class StartAliasNever(Whole):  # BC309
    def start(self) -> Nope:
        raise SystemExit(1)


class StartNeverQuoted(Whole):  # BC309
    def stop(self) -> "NoReturn":
        raise SystemExit(1)


class StopNever(Based):  # BC309
    def stop(self) -> Never:
        raise NotImplementedError


class HandleNever(Based):  # BC501
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> Never:
        raise NotImplementedError


class LockNever(Based):  # BC401
    def start_lock(self) -> NoReturn:
        raise NotImplementedError


class StartedNever(Whole):  # BC201 BC307
    @property
    def is_started(self) -> NoReturn:
        raise NotImplementedError


class StartedNeverBased(Based):  # BC307
    @property
    def is_started(self) -> Never:
        raise NotImplementedError


class NameNever(Whole):  # BC101 BC102b
    @property
    def backend_type(self) -> NoReturn:
        raise NotImplementedError


class InitNever(Whole):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> NoReturn:
        raise RuntimeError("abstract")


class InitNeverBased(Based):  # BC201
    def __init__(self, config: aconfig.Config | None = None) -> Never:
        raise RuntimeError("abstract")


class NewNever(Whole):  # BC201
    def __new__(cls, config: aconfig.Config | None = None) -> NoReturn:
        raise RuntimeError("abstract")


class RegisterNever(Based):  # ok
    def register_config(self, config: Mapping[str, Any]) -> NoReturn:
        raise NotImplementedError("static")


class RegisterNever2(Based):  # ok
    def register_config(self, config: Mapping[str, Any]) -> Never:
        """No dynamic configuration."""
        message = f"no {config}"
        raise NotImplementedError(message)


class RegisterRaises(Based):  # ok
    def register_config(self, config: Mapping[str, Any]) -> None:
        raise NotImplementedError("static")


class RegisterNeverOther(Based):  # BC202
    def register_config(self, config: Mapping[str, Any]) -> NoReturn:
        raise RuntimeError("static")


class RegisterNeverExit(Whole):  # BC202 or BC202u
    def register_config(self, config: Mapping[str, Any]) -> NoReturn:
        raise SystemExit


class StartCallableNever(Whole):  # BC309
    start: Callable[[], NoReturn]

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.start = lambda: exit()


class ParamNever(Whole):  # BC202
    def register_config(self, config: NoReturn) -> None: ...


class ParamNever2(Whole):  # BC501
    def handle_runtime_context(self, model_id: str, runtime_context: Never) -> None: ...


class InitParamNever(Whole):  # BC201
    def __init__(self, config: Never = ...) -> None: ...


# --- type variables
class StartTypeVar(Whole):  # BC309u
    def start(self) -> T:
        return cast(Any, None)


class StopTypeVarBased(Based):  # BC309u
    def stop(self) -> T:
        return cast(Any, None)


class StartMaybeTypeVar(Whole):  # BC309u
    def start(self) -> T | None: ...


class RegisterTypeVar(Whole):  # BC202u
    def register_config(self, config: Mapping[str, Any]) -> T: ...


class RegisterSame(Whole):  # BC202
    def register_config(self, config: M) -> M:
        return config


class RegisterTypeVarParam(Whole):  # ok
    def register_config(self, config: T) -> None: ...


class RegisterBound(Whole):  # ok
    def register_config(self, config: M) -> None: ...


class RegisterBoundInt(Whole):  # BC202
    def register_config(self, config: IntOrBytes) -> None: ...


class HandleTypeVarReturn(Whole):  # BC501u
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> T: ...


class HandleTypeVarParam(Whole):  # ok
    def handle_runtime_context(self, model_id: str, runtime_context: T) -> None: ...


class HandleConstrained(Whole):  # ok
    def handle_runtime_context(self, model_id: str, runtime_context: C) -> None: ...


class HandleReturnsIt(Whole):  # BC501
    def handle_runtime_context(self, model_id: str, runtime_context: T) -> T:
        return runtime_context


class LockTypeVar(Whole):  # BC401u
    def start_lock(self) -> T: ...


class StartedTypeVar(Whole):  # BC201 BC307u or BC201 BC307
    @property
    def is_started(self) -> T: ...


class NameTypeVar(Whole):  # BC101u BC102 or BC101u BC102u or BC101 BC102b or BC101 BC102b
    @property
    def backend_type(self) -> T: ...


class InitTypeVar(Whole):  # ok
    def __init__(self, config: T = None) -> None:
        self.is_started = False


class OfT(Generic[T], Whole):  # BC309u
    def start(self) -> T: ...


class OfTValue(Generic[T], Whole):  # BC307u
    is_started: T


class OfInt(OfT[int]):  # BC309
    pass


class OfNone(OfT[None]):  # ok
    pass


class OfBool(Generic[T], Whole):  # BC309
    def stop(self) -> list[T] | T: ...


# --- Any inside
class NameMaybeAny(Whole):  # BC101 BC102b BC103b
    backend_type: MaybeAny = "X"


class NameAnything(Whole):  # BC101u BC102u
    backend_type: Anything = "X"


class NameClassVarAny(Whole):  # BC101u BC102u
    backend_type: ClassVar[Any] = "X"


class NameFinalAny(Based):  # BC101u BC102u
    backend_type: Final[Any] = "X"


class NameAnnotatedAny(Whole):  # BC101u BC102u
    backend_type: Annotated[Any, 1] = "X"


class NameUnionAnyQuoted(Whole):  # BC101u BC102u
    backend_type: "Union[str, Any]" = "X"


class StartedUnion(Whole):  # BC307u
    is_started: Union[bool, Any] = False


class StartedPropAny(Whole):  # BC201 BC307u
    @property
    def is_started(self) -> bool | Any: ...


class StartCallableAny(Whole):  # BC309u
    start: Callable[..., Any]

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.start = print


class StartBareCallable(Whole):  # BC309u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.start: Callable = print


class StartCallableEllipsis(Whole):  # BC309u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.start: Callable[..., None] = print


class StartCallable(Whole):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.start: Callable[[], None] = print


class StartCallableReturnsAny(Whole):  # BC309u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.start: Callable[[], Any] = print


class StartPropertyCallable(Whole):  # ok
    @property
    def start(self) -> Callable[[], None]: ...


class StartPropertyCallableAny(Whole):  # BC309u
    @property
    def start(self) -> Callable[..., Any]: ...


class RegisterCallableAny(Whole):  # BC202u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.register_config: Callable[[Any], None] = print


class RegisterCallableMapping(Whole):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.register_config: Callable[[Mapping[str, Any]], None] = print


class RegisterCallableEllipsis(Whole):  # BC202u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.register_config: Callable[..., None] = print


class HandleCallable(Whole):  # BC501
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.handle_runtime_context: Callable[[str, RuntimeServerContextType], None] = print


class HandleCallableEllipsis(Whole):  # BC501 or BC501u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.handle_runtime_context: Callable[..., None] = print


class LockAnyCM(Whole):  # ok
    def start_lock(self) -> AbstractContextManager[Any]: ...


class LockCallableEllipsis(Whole):  # BC401u
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.start_lock: Callable[..., threading.Lock] = threading.Lock


class LockCallable(Whole):  # ok
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False
        self.start_lock: Callable[[], AbstractContextManager[object]] = threading.Lock


class StartAnyArgs(Whole):  # ok
    def start(self, *args: Any, **kwargs: Any) -> None: ...


class StartUnannotatedArgs(Whole):  # ok
    def start(self, *args, **kwargs) -> None: ...


class HandleAnyArgs(Whole):  # BC501u
    def handle_runtime_context(self, *args: Any, **kwargs: Any) -> None: ...


class HandleObjectArgs(Whole):  # ok
    def handle_runtime_context(self, *args: object, **kwargs: object) -> None: ...


class InitAnyArgs(Based):  # BC201u or ok
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class GetAttr:  # BC101u BC102 BC201 BC202u BC307u BC309u BC401u BC501u
    def __getattr__(self, name: str) -> Any: ...


class GetAttrWhole(Whole):  # ok
    def __getattr__(self, name: str) -> Any: ...


class ReturnsDictAny(Whole):  # BC309
    def start(self) -> dict[str, Any]: ...


class ReturnsCallable(Whole):  # BC309
    def start(self) -> Callable[..., Any]: ...


class HandlesUnionAny(Whole):  # BC501u
    def handle_runtime_context(
        self, model_id: str, runtime_context: Union[fastapi.Request, Any]
    ) -> None: ...


class HandlesMaybeAny(Whole):  # BC501u
    def handle_runtime_context(self, model_id: str, runtime_context: MaybeAny) -> None: ...


class HandlesAnythingAlias(Whole):  # BC501u
    def handle_runtime_context(self, model_id: str, runtime_context: Anything) -> None: ...


class RegistersMaybeAny(Whole):  # BC202u
    def register_config(self, config: MaybeAny) -> None: ...


class StartsMaybeAny(Whole):  # BC309u
    def start(self) -> MaybeAny: ...


class StartsOptionalAny(Whole):  # BC309u
    def start(self) -> Optional[Any]: ...


class StartsAnnotatedAny(Whole):  # BC309u
    def start(self) -> Annotated[Any, "x"]: ...


# --- decorators
def untyped(f):
    return f


def loose(f: Callable[..., Any]) -> Any:
    return f


def half(f: Callable[..., Any]) -> Callable[..., Any]:
    return f


def keeps(f: T) -> T:
    return f


def logged(f: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(f)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return f(*args, **kwargs)

    return call


def with_args(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return logged


def untyped_wraps(f):
    @functools.wraps(f)
    def call(*args, **kwargs):
        return f(*args, **kwargs)

    return call


def factory(name: str):
    def deco(f):
        return f

    return deco


def adds(f: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, str, P], R]: ...


class UntypedDeco:
    def __init__(self, f):
        self.f = f

    def __get__(self, instance, owner):
        return self.f


class StartUntyped(Whole):  # BC309u
    @untyped
    def start(self) -> None: ...


class StartUntypedBased(Based):  # BC309u
    @untyped
    def start(self) -> None: ...


class StartUntypedWraps(Based):  # BC309u
    @untyped_wraps
    def start(self) -> None: ...


class StartFactory(Based):  # BC309u
    @factory("x")
    def start(self) -> None: ...


class StartLoose(Whole):  # BC309u
    @loose
    def start(self) -> None: ...


class StartHalf(Whole):  # BC309u
    @half
    def start(self) -> None: ...


class StartKeeps(Whole):  # ok
    @keeps
    def start(self) -> None: ...


class StartLogged(Whole):  # ok
    @logged
    def start(self) -> None: ...


class StartWithArgs(Whole):  # ok
    @with_args("x")
    def start(self) -> None: ...


class StartUnfound(Whole):  # BC309u
    @untyped_here
    def start(self) -> None: ...


class StartUnfoundFactory(Based):  # BC309u
    @untyped_here(1)
    def start(self) -> None: ...


class StartAdds(Whole):  # BC309
    @adds
    def start(self) -> None: ...


class StartLambdaDeco(Based):  # BC309u
    @(lambda f: f)
    def start(self) -> None: ...


class StartUntypedClassDeco(Based):  # BC309u
    @UntypedDeco
    def start(self) -> None: ...


class RegisterUntyped(Based):  # BC202u
    @untyped
    def register_config(self, config: Mapping[str, Any]) -> None: ...


class HandleUntyped(Based):  # BC501u
    @untyped
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class HandleLogged(Based):  # ok
    @logged
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class LockUntyped(Based):  # BC401u
    @untyped
    def start_lock(self) -> threading.Lock: ...


class LockCached(Whole):  # ok
    @functools.lru_cache
    def start_lock(self) -> AbstractContextManager[object]: ...


class StartCached(Whole):  # ok or BC309u
    @functools.cache
    def start(self) -> None: ...


class StartedUntyped(Based):  # BC307u
    @untyped
    def is_started(self) -> bool: ...


class StartedUntypedProperty(Based):  # BC307u
    @property
    @untyped
    def is_started(self) -> bool: ...


class InitUntyped(Whole):  # BC201u
    @untyped
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False


class InitLogged(Whole):  # ok
    @logged
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False


class InitLoggedBased(Based):  # ok
    @logged
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)


if TYPE_CHECKING:
    from nowhere import Stranger

JSON = Dict[str, Any]

Ctx: TypeAlias = "grpc.ServicerContext | fastapi.Request"

AnyAlias: TypeAlias = Any

U = TypeVar("U", bound="Whole")

S = TypeVar("S", bound="SelfTyped")

N = TypeVar("N", None, int)

NB = TypeVar("NB", bound=None)


# never, more forms
class NeverClassmethod(Whole):  # BC309
    @classmethod
    def start(cls) -> NoReturn:
        raise RuntimeError


class NeverStatic(Whole):  # BC309
    @staticmethod
    def stop() -> NoReturn:
        raise RuntimeError


class NeverUnion(Whole):  # ok
    def start(self) -> NoReturn | None:
        return None


class NeverTyping(Whole):  # BC309
    def start(self) -> t.NoReturn:
        raise RuntimeError


class NeverGenerator(Whole):  # BC401
    @contextmanager
    def start_lock(self) -> NoReturn:
        raise RuntimeError


class NeverInherited(NeverTyping):  # BC309
    pass


class NeverRegisterStub(Whole):  # BC202u
    def register_config(self, config: aconfig.Config) -> NoReturn: ...


class NeverRegisterConditional(Whole):  # BC202u or BC202 or ok
    def register_config(self, config: aconfig.Config) -> NoReturn:
        if config:
            raise NotImplementedError("dynamic")
        raise ValueError("empty")


class MyNotImplemented(NotImplementedError):
    pass


class NeverRegisterSub(Whole):  # ok or BC202u
    def register_config(self, config: aconfig.Config) -> NoReturn:
        raise MyNotImplemented("dynamic")


class NeverRegisterWrongParam(Whole):  # BC202
    def register_config(self, config: int) -> NoReturn:
        raise NotImplementedError


class NeverRegisterNoParam(Whole):  # BC202
    def register_config(self) -> NoReturn:
        raise NotImplementedError


class RaisesUnannotated(Whole):  # BC202u
    def register_config(self, config):
        raise NotImplementedError


class StartRaises(Whole):  # ok
    def start(self) -> None:
        raise RuntimeError("engine")


class NeverFromBase(Whole):  # BC309
    def start(self) -> Never: ...


# parameters
class ParamSequence(Whole):  # BC202
    def register_config(self, config: list[Any]) -> None: ...


class ParamJson(Whole):  # ok
    def register_config(self, config: JSON) -> None: ...


class ParamCtx(Whole):  # ok
    def handle_runtime_context(self, model_id: str, runtime_context: Ctx) -> None: ...


class ParamStranger(Whole):  # BC501u
    def handle_runtime_context(self, model_id: str, runtime_context: "Stranger") -> None: ...


class ParamAnyAlias(Whole):  # BC501u
    def handle_runtime_context(self, model_id: str, runtime_context: AnyAlias) -> None: ...


class ParamKwargs(Whole):  # BC501
    def handle_runtime_context(self, model_id: str, **kwargs: Any) -> None: ...


class ParamKwOnlyContext(Whole):  # BC501
    def handle_runtime_context(self, model_id: str, *, runtime_context: object) -> None: ...


class ParamDefault(Whole):  # ok
    def handle_runtime_context(
        self, model_id: str = "", runtime_context: object = None
    ) -> None: ...


class ParamAnyModelUnion(Whole):  # BC501u
    def handle_runtime_context(self, model_id: str | Any, runtime_context: object) -> None: ...


class ParamConstrainedStr(Whole):  # ok
    def handle_runtime_context(self, model_id: t.AnyStr, runtime_context: object) -> None: ...


class ParamType(Whole):  # BC202
    def register_config(self, config: Type[Any]) -> None: ...


class ParamCallable(Whole):  # BC202
    def register_config(self, config: Callable[..., Any]) -> None: ...


class ParamOptionalAny(Whole):  # BC202u
    def register_config(self, config: Optional[Any]) -> None: ...


class ParamLiteral(Whole):  # BC501
    def handle_runtime_context(self, model_id: Literal["a"], runtime_context: object) -> None: ...


# results
class ResultCoroutine(Whole):  # BC309
    def start(self) -> Coroutine[Any, Any, None]: ...


class ResultAwaitable(Whole):  # BC309
    def start(self) -> Awaitable[None]: ...


class ResultObject(Whole):  # BC309
    def start(self) -> object: ...


class ResultLiteral(Whole):  # ok
    def start(self) -> Literal[None]: ...


class ResultConstrained(Whole):  # BC309u or BC309 or ok
    def start(self) -> N: ...


class ResultAnnotated(Whole):  # ok
    def start(self) -> Annotated[None, "x"]: ...


class ResultBoundSelf(Whole):  # BC309
    def start(self: U) -> U:
        return self


class ResultListT(Whole):  # BC309
    def start(self) -> list[T]: ...


class ResultLockObject(Whole):  # BC401
    def start_lock(self) -> object: ...


class ResultLockUnion(Whole):  # ok
    def start_lock(self) -> threading.Lock | nullcontext[None]: ...


class ResultLockOptional(Whole):  # BC401
    def start_lock(self) -> threading.Lock | None: ...


class ResultLockExit(Whole):  # ok
    def start_lock(self) -> ExitStack: ...


class ResultLockAsync(Whole):  # BC401
    def start_lock(self) -> contextlib.AbstractAsyncContextManager[None]: ...


class FlagLiteral(Whole):  # ok
    is_started: Literal[False] = False


class FlagCallable(Whole):  # BC201 BC307
    @property
    def is_started(self) -> Callable[[], bool]: ...


class FlagT(Generic[T], Whole):  # BC201 BC307u
    @property
    def is_started(self) -> T: ...


class NameLiteral(Whole):  # ok
    backend_type: Literal["X"] = "X"


class NameAnyStr(Whole):  # BC101 BC102b BC103b
    backend_type: bytes | str = "X"


# decorators
def plain(f: Callable[P, R]) -> Callable[P, R]: ...


def typed_any(f: Callable[..., T]) -> Callable[..., T]: ...


def generic(f: R) -> R: ...


class DecoClass:
    def __init__(self, f: Callable[..., Any]) -> None: ...
    def __call__(self) -> None: ...


class DecoClassWithArgs:
    def __init__(self, n: int) -> None: ...
    def __call__(self, f: R) -> R: ...


class DecoStacked(Whole):  # ok
    @plain
    @generic
    def start(self) -> None: ...


class DecoStackedHalf(Whole):  # BC309u
    @plain
    @typed_any
    def start(self) -> None: ...


class DecoWithArgs(Whole):  # ok
    @DecoClassWithArgs(3)
    def start(self) -> None: ...


class DecoInstance(Whole):  # ok
    @DecoClass
    def start(self) -> None: ...


class DecoNested(Whole):  # BC309u
    def _deco(f):
        return f

    @_deco
    def start(self) -> None: ...


class DecoNestedTyped(Whole):  # ok
    def _deco(f: R) -> R:
        return f

    @_deco
    def start(self) -> None: ...


class DecoContextDecorator(Whole):  # ok
    class quiet(ContextDecorator):
        def __enter__(self) -> None: ...
        def __exit__(self, *a: object) -> None: ...

    @quiet()
    def start(self) -> None: ...


class DecoSuppress(Whole):  # ok or BC309u
    @nullcontext()
    def start(self) -> None: ...


class DecoRegister(Whole):  # ok or BC309
    @t.no_type_check
    def of_no_clause(self) -> None: ...


class DecoNoTypeCheck(Whole):  # BC309u
    @t.no_type_check
    def start(self) -> None: ...


class DecoSetter(Whole):  # ok
    @property
    def is_started(self) -> bool:
        return False

    @is_started.setter
    def is_started(self, value: bool) -> None: ...


class DecoSetterWrong(Whole):  # BC307
    @property
    def is_started(self) -> int:
        return 0

    @is_started.setter
    def is_started(self, value: int) -> None: ...


class DecoDispatch(Whole):  # BC501u or BC501 or ok
    @singledispatchmethod
    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None: ...


class DecoPropertyCall(Whole):  # ok
    def _get(self) -> bool: ...

    is_started = property(_get)


class AliasOfProperty(Whole):  # ok
    @property
    def is_running(self) -> bool: ...

    is_started = is_running


class AliasOfOtherProperty(Whole):  # BC307
    @property
    def state(self) -> str: ...

    is_started = state


class AcceptsHashable(Whole):  # ok
    def handle_runtime_context(
        self, model_id: Hashable | None, runtime_context: object
    ) -> None: ...


class StartYields(Whole):  # BC309
    def start(self) -> None:  # type: ignore[misc]
        yield


class StopYieldsAsynchronously(Whole):  # BC309
    async def stop(self) -> None:  # type: ignore[misc]
        yield


class FlagYields(Whole):  # BC201 BC307
    @property
    def is_started(self) -> bool:  # type: ignore[misc]
        yield True


class LockYields(Whole):  # BC401
    def start_lock(self) -> AbstractContextManager[None]:  # type: ignore[misc]
        yield


class InnerFunctionYields(Whole):  # ok
    def start(self) -> None:
        def steps() -> Iterator[int]:
            yield 1

        for _ in steps():
            pass


class CallbackGiven:  # ok
    backend_type = "CALLBACK"
    stop: Callable[[], None]

    def __init__(
        self, config: aconfig.Config | None = None, on_stop: Callable[[], None] = print
    ) -> None:
        self.is_started = False
        self.stop = on_stop

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class CallbackWithResult(CallbackGiven):  # BC309 or BC309u
    stop: Callable[[], int]  # type: ignore[assignment]


class LockOrAnyInQuotes(LocalBackend):  # BC401u
    def start_lock(self) -> "AbstractContextManager[object] | Any":
        return self._start_lock


class LockInQuotes(LocalBackend):  # ok
    def start_lock(self) -> "AbstractContextManager[object]":
        return self._start_lock
