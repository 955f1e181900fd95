# `BackendFactory`: what `conforms` and a registry accept, return and find, and what they reject.

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Dict, Generic, TypeVar, overload

import aconfig
import fastapi
import grpc
from common import Stateless, Whole, WithoutHandleRuntimeContext, WithoutRegisterConfig, WithoutStop
from typing_extensions import Self, assert_type

from backend_contract import (
    Backend,
    BackendBase,
    BackendFactory,
    BackendRegistry,
    LocalBackend,
    RuntimeServerContextType,
    conforms,
)

T = TypeVar("T")
registry = BackendRegistry()


# ---- Constructors


class TakesConfig(Whole):
    def __init__(self, config: aconfig.Config | None = None) -> None: ...


class TakesMapping(Whole):
    def __init__(self, config: Mapping[str, Any] | None = None) -> None: ...


class TakesDict(Whole):
    def __init__(self, config: Dict[str, Any] | None = None) -> None: ...


class TakesAnything(Whole):
    def __init__(self, *args: object, **kwargs: object) -> None: ...


class TakesMore(Whole):
    def __init__(self, config: object = None, workers: int = 1, *, wait: bool = True) -> None: ...


class TakesOtherName(Whole):
    def __init__(self, settings: aconfig.Config | None = None) -> None: ...


class NeedsConfig(Whole):
    def __init__(self, config: aconfig.Config | None) -> None: ...


class NeedsSecond(Whole):
    def __init__(self, config: aconfig.Config | None, workers: int) -> None: ...


class NeedsKeyword(Whole):
    def __init__(self, config: aconfig.Config | None = None, *, workers: int) -> None: ...


class TakesNothing(Whole):
    def __init__(self) -> None: ...


class TakesKeyword(Whole):
    def __init__(self, *, config: aconfig.Config | None = None) -> None: ...


class TakesNoNone(Whole):
    def __init__(self, config: aconfig.Config = aconfig.Config({})) -> None: ...


class TakesNumber(Whole):
    def __init__(self, config: int | None = None) -> None: ...


@dataclass
class Fields(Whole):
    config: aconfig.Config | None = None
    workers: int = 1


@dataclass
class FieldsWithoutDefault(Whole):
    config: aconfig.Config | None
    workers: int


class Created(Whole):
    def __new__(cls, config: aconfig.Config | None = None) -> Self:
        return super().__new__(cls)


class CreatedFromTwo(Whole):
    def __new__(cls, config: aconfig.Config | None, workers: int) -> Self:
        return super().__new__(cls)


class Pool(Whole, Generic[T]):
    def __init__(self, config: aconfig.Config | None = None) -> None: ...


takes_config: BackendFactory = TakesConfig
takes_mapping: BackendFactory = TakesMapping
takes_dict: BackendFactory = TakesDict
takes_anything: BackendFactory = TakesAnything
takes_more: BackendFactory = TakesMore
takes_other_name: BackendFactory = TakesOtherName
fields: BackendFactory = Fields
pool: BackendFactory = Pool[int]
# It does not accept a class that defines `__new__` as a callable Protocol.
created: BackendFactory = Created  # ! pyrefly
created_from_two: BackendFactory = CreatedFromTwo  # E
needs_config: BackendFactory = NeedsConfig  # E
needs_second: BackendFactory = NeedsSecond  # E
needs_keyword: BackendFactory = NeedsKeyword  # E
takes_nothing: BackendFactory = TakesNothing  # E
takes_keyword: BackendFactory = TakesKeyword  # E
takes_no_none: BackendFactory = TakesNoNone  # E
takes_number: BackendFactory = TakesNumber  # E
fields_without_default: BackendFactory = FieldsWithoutDefault  # E

conforms(TakesConfig)
conforms(TakesMapping)
conforms(TakesDict)
conforms(TakesAnything)
conforms(TakesMore)
conforms(TakesOtherName)
conforms(Fields)
conforms(Pool)
conforms(NeedsConfig)  # E
conforms(NeedsSecond)  # E
conforms(NeedsKeyword)  # E
conforms(TakesNothing)  # E
conforms(TakesKeyword)  # E
conforms(TakesNoNone)  # E
conforms(TakesNumber)  # E
conforms(FieldsWithoutDefault)  # E

registry.register(TakesConfig)
registry.register(TakesMapping)
registry.register(Fields)
registry.register(Pool)
registry.register(NeedsConfig)  # E
registry.register(NeedsSecond)  # E
registry.register(TakesNothing)  # E
registry.register(TakesNumber)  # E


# ---- The same in subclasses of BackendBase


class Inherits(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None, workers: int = 1) -> None:
        super().__init__(config)


class InheritsAndNeedsSecond(LocalBackend):
    def __init__(self, config: aconfig.Config | None, workers: int) -> None:
        super().__init__(config)


class InheritsAndTakesNothing(LocalBackend):
    def __init__(self) -> None:
        super().__init__(None)


local: BackendFactory = LocalBackend
inherits: BackendFactory = Inherits
# It lets any class whose metaclass is ABCMeta pass for a callable Protocol.
inherits_and_needs_second: BackendFactory = InheritsAndNeedsSecond  # E pyrefly
# It lets any class whose metaclass is ABCMeta pass for a callable Protocol.
inherits_and_takes_nothing: BackendFactory = InheritsAndTakesNothing  # E pyrefly
conforms(LocalBackend)
conforms(Inherits)
# It lets any class whose metaclass is ABCMeta pass for a callable Protocol.
conforms(InheritsAndNeedsSecond)  # E pyrefly
# It lets any class whose metaclass is ABCMeta pass for a callable Protocol.
conforms(InheritsAndTakesNothing)  # E pyrefly
registry.register(LocalBackend)
registry.register(Inherits)
# It lets any class whose metaclass is ABCMeta pass for a callable Protocol.
registry.register(InheritsAndNeedsSecond)  # E pyrefly
# It lets any class whose metaclass is ABCMeta pass for a callable Protocol.
registry.register(InheritsAndTakesNothing)  # E pyrefly


# ---- Instances that are not backends


class Numbered(WithoutRegisterConfig):
    def register_config(self, config: int) -> None: ...


class HandlesNumbers(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: str, runtime_context: int) -> None: ...


class HandlesGrpc(WithoutHandleRuntimeContext):
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext
    ) -> None: ...


class HandlesHttp(WithoutHandleRuntimeContext):
    def handle_runtime_context(self, model_id: str, runtime_context: fastapi.Request) -> None: ...


class HandlesBoth(WithoutHandleRuntimeContext):
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext | fastapi.Request
    ) -> None: ...


class HandlesEach(WithoutHandleRuntimeContext):
    @overload
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext
    ) -> None: ...
    @overload
    def handle_runtime_context(self, model_id: str, runtime_context: fastapi.Request) -> None: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


# It looks for one overload that accepts both kinds of context.
handles_each: Backend = HandlesEach()  # ! pyright pyrefly ty zuban
numbered: BackendFactory = Numbered  # E
handles_numbers: BackendFactory = HandlesNumbers  # E
handles_grpc: BackendFactory = HandlesGrpc  # E
handles_http: BackendFactory = HandlesHttp  # E
handles_both: BackendFactory = HandlesBoth
without_stop: BackendFactory = WithoutStop  # E
an_instance: BackendFactory = Whole()  # E
conforms(Numbered)  # E
conforms(HandlesNumbers)  # E
conforms(HandlesGrpc)  # E
conforms(HandlesHttp)  # E
conforms(HandlesBoth)
conforms(WithoutStop)  # E
conforms(Whole())  # E
conforms(object)  # E
conforms(7)  # E
registry.register(Numbered)  # E
registry.register(HandlesNumbers)  # E
registry.register(HandlesGrpc)  # E
registry.register(HandlesHttp)  # E
registry.register(HandlesBoth)
registry.register(WithoutStop)  # E


# ---- As decorators


@conforms
class Conforming(Whole):
    workers = 1


@registry.register
class Registered(LocalBackend):
    backend_type = "REGISTERED"
    workers = 1


@registry.register
@conforms
@dataclass
class Decorated(Whole):
    config: aconfig.Config | None = None


# It does not check class decorators.
@conforms  # E[numbers] pyrefly
class ConformsToNumbers(WithoutRegisterConfig):  # E[numbers] pyrefly
    def register_config(self, config: int) -> None: ...


# It does not check class decorators.
@conforms  # E[contexts] pyrefly
class ConformsWithNumbers(WithoutHandleRuntimeContext):  # E[contexts] pyrefly
    def handle_runtime_context(self, model_id: str, runtime_context: int) -> None: ...


# It does not check class decorators.
@conforms  # E[second] pyrefly
class ConformsWithSecond(Whole):  # E[second] pyrefly
    def __init__(self, config: aconfig.Config | None, workers: int) -> None: ...


# It does not check class decorators.
@conforms  # E[base] pyrefly
class ConformsAndInherits(LocalBackend):  # E[base] pyrefly
    def __init__(self, config: aconfig.Config | None, workers: int) -> None:
        super().__init__(config)


# It does not check class decorators.
@registry.register  # E[registered] pyrefly
class RegisteredNumbers(WithoutRegisterConfig):  # E[registered] pyrefly
    def register_config(self, config: int) -> None: ...


# It does not check class decorators.
@registry.register  # E[told] pyrefly
class RegisteredWithNumbers(WithoutHandleRuntimeContext):  # E[told] pyrefly
    def handle_runtime_context(self, model_id: str, runtime_context: int) -> None: ...


# It does not check class decorators.
@registry.register  # E[two] pyrefly
class RegisteredWithSecond(LocalBackend):  # E[two] pyrefly
    def __init__(self, config: aconfig.Config | None, workers: int) -> None:
        super().__init__(config)


class Outer:
    @conforms
    class Inner(Whole): ...

    @registry.register
    class InnerLocal(LocalBackend):
        backend_type = "INNER"


class Stateful(Stateless):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False


# It looks at a decorated class before it infers attributes that are assigned without annotation.
@conforms  # ! zuban
class Inferred(Stateless):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False


@conforms
class Declared(Stateless):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started: bool = False


conforms(Stateful)
stateful: Backend = Stateful()


# ---- Their types are kept


def kept() -> None:
    assert_type(Conforming(), Conforming)
    assert_type(Conforming.workers, int)
    assert_type(Registered().workers, int)
    assert_type(Registered({"key": 1}).config, aconfig.Config)
    assert_type(Registered.backend_type, str)
    assert_type(Decorated(), Decorated)
    assert_type(conforms(Whole)(), Whole)
    assert_type(registry.register(LocalBackend)(), LocalBackend)
    assert_type(Outer.Inner(), Outer.Inner)
    Conforming().missing  # E
    Registered().missing  # E
    Registered(7)  # E
    Decorated(7)  # E


class SubclassOfConforming(Conforming):
    def start(self) -> int:  # E
        return 1


# ---- What a registry finds


def find(config: aconfig.Config) -> Backend:
    factory = registry.get("NAME")
    assert_type(factory, BackendFactory)
    assert_type(factory(), Backend)
    assert_type(factory(None), Backend)
    assert_type(registry.get("NAME")(config), Backend)
    assert_type(registry.create("NAME", {"key": 1}), Backend)
    factory(7)  # E
    factory("config")  # E
    factory(config, 7)  # E
    factory(settings=config)  # E
    factory().restart()  # E
    registry.get(7)  # E
    return registry.get("NAME")(aconfig.Config({"key": 1}))


def make_by(factory: BackendFactory) -> Backend:
    return factory()


def make(config: aconfig.Config | None = None) -> LocalBackend:
    return LocalBackend(config)


def make_two(config: aconfig.Config | None, workers: int) -> LocalBackend:
    return LocalBackend(config)


def register_all(kinds: Sequence[BackendFactory], bases: Sequence[type[BackendBase]]) -> None:
    for kind in kinds:
        registry.register(kind)
    for base in bases:
        registry.register(base)


register_all([LocalBackend, Whole], [LocalBackend])
register_all([LocalBackend, WithoutStop], [])  # E
make_by(LocalBackend)
make_by(registry.get("NAME"))
make_by(make)
make_by(functools.partial(TakesMore, workers=2))
make_by(lambda config=None: LocalBackend(config))
make_by(make_two)  # E
make_by(LocalBackend())  # E
make_by(dict)  # E


# ---- A configuration


def configuration(backend: LocalBackend, base: BackendBase) -> None:
    assert_type(backend.config, aconfig.Config)
    assert_type(base.config, aconfig.Config)
    backend.config.timeout.seconds
    backend.config["timeout"]
    backend.config.update({"key": 1})
    backend.register_config(backend.config)
    backend.register_config(aconfig.Config({"key": 1}, override_env_vars=False))
    backend.register_config(aconfig.ImmutableConfig({"key": 1}))
    backend.register_config(7)  # E
    backend.register_config(None)  # E
    backend.register_config()  # E
    base.register_config("config")  # E
    backend.config[7]  # E
    backend.config = 7  # E
    aconfig.Config(7)  # E
    aconfig.Configuration  # E


# ---- Overrides of `register_config`, with each annotation that is found in the field


class OverridesWithConfig(LocalBackend):
    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)


class OverridesWithPlainDict(LocalBackend):
    def register_config(self, config: dict[str, Any]) -> None: ...


class OverridesWithDict(LocalBackend):
    def register_config(self, config: Dict[str, Any]) -> None: ...


class OverridesWithMapping(LocalBackend):
    def register_config(self, config: Mapping[str, Any]) -> None: ...


class OverridesWithNumber(LocalBackend):
    def register_config(self, config: int) -> None: ...  # E


class OverridesWithList(LocalBackend):
    def register_config(self, config: list[str]) -> None: ...  # E


class OverridesWithImmutable(LocalBackend):
    def register_config(self, config: aconfig.ImmutableConfig) -> None: ...  # E


class Base(BackendBase):
    backend_type = "BASE"

    def start(self) -> None: ...
    def stop(self) -> None: ...


class DefinesWithConfig(Base):
    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)


class DefinesWithPlainDict(Base):
    def register_config(self, config: dict[str, Any]) -> None: ...


class DefinesWithDict(Base):
    def register_config(self, config: Dict[str, Any]) -> None: ...


class DefinesWithMapping(Base):
    def register_config(self, config: Mapping[str, Any]) -> None: ...


class DefinesWithNumber(Base):
    def register_config(self, config: int) -> None: ...  # E


class DefinesWithContext(Base):
    def register_config(self, config: RuntimeServerContextType) -> None: ...  # E


class HandlesNumber(Base):
    def handle_runtime_context(self, model_id: str, runtime_context: int) -> None: ...  # E


class HandlesNumberLocally(LocalBackend):
    def handle_runtime_context(self, model_id: str, runtime_context: int) -> None: ...  # E


class ListsProtocol(Backend):
    def register_config(self, config: int) -> None: ...  # E


structural_with_config: Backend = TakesConfig()
structural_with_number: Backend = Numbered()  # E
structural_with_numbers: Backend = HandlesNumbers()  # E
structural_with_grpc: Backend = HandlesGrpc()  # E
structural_with_http: Backend = HandlesHttp()  # E
structural_with_both: Backend = HandlesBoth()


# ---- The halves of the union


def halves(context: RuntimeServerContextType) -> None:
    whole: grpc.ServicerContext | fastapi.Request = context
    grpc_half: grpc.ServicerContext = context  # E
    http_half: fastapi.Request = context  # E
    number: int = context  # E
    if isinstance(context, fastapi.Request):
        context.headers["x-route-info"]
    else:
        context.invocation_metadata()
