# Constructors that attrs and pydantic generate; nothing imports this file.
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
import attr
import attrs
import fastapi
import grpc
import pydantic
import typing_extensions as te
from attrs import define
from nowhere import Hook, Unheard, unheard_call, untyped_here
from pydantic import BaseModel
from pydantic.dataclasses import dataclass as pydataclass
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


@define
class Attr(Based):  # BC201
    conf: aconfig.Config | None = None


@define
class AttrPost(Based):  # ok
    conf: aconfig.Config | None = None

    def __attrs_post_init__(self) -> None:
        super().__init__(self.conf)


@define
class AttrPre(Based):  # ok or BC201u
    conf: aconfig.Config | None = None

    def __attrs_pre_init__(self) -> None:
        super().__init__()


@attrs.define(slots=False)
class AttrDotted(Based):  # BC201
    conf: aconfig.Config | None = None


@attr.s(auto_attribs=True)
class AttrOld(Based):  # BC201
    conf: aconfig.Config | None = None


class Pydantic(BaseModel):  # BC201
    backend_type: ClassVar[str] = "X"
    conf: str = "x"
    is_started: bool = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class PydanticInit(BaseModel):  # ok
    backend_type: ClassVar[str] = "X"
    conf: str = "x"
    is_started: bool = False

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(**(config or {}))

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


@pydataclass
class PydanticData(Whole):  # ok
    conf: Optional[Dict[str, Any]] = None
    is_started: bool = False


@define
class AttrsWhole(Whole):  # ok
    conf: aconfig.Config | None = None
    is_started: bool = False


@attrs.define(slots=False)
class AttrsKw(Whole):  # BC201
    conf: aconfig.Config | None = attrs.field(default=None, kw_only=True)
    is_started: bool = False


@attrs.define(slots=False)
class AttrsDefaultOfAMethod(Whole):  # ok or BC201u
    conf: aconfig.Config | None = None
    name: str = attrs.field()
    is_started: bool = False

    @name.default
    def _default_name(self) -> str:
        return "x"
