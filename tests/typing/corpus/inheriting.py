# Subclasses of BackendBase, `conforms` and request contexts, as an author of backends uses them.

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import aconfig
import fastapi
import grpc
from typing_extensions import assert_type

from backend_contract import (
    Backend,
    BackendBase,
    LocalBackend,
    RuntimeServerContextType,
    conforms,
)
from backend_contract.runtime_context import (
    get_metadata,
    is_grpc_context,
    is_http_context,
    iter_metadata,
)

# ---- A subclass of BackendBase defines four members


class Complete(BackendBase):
    backend_type = "COMPLETE"

    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)

    def start(self) -> None:
        super().start()

    def stop(self) -> None:
        super().stop()


class WithoutName(BackendBase):
    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class WithoutRegisterConfig(BackendBase):
    backend_type = "X"

    def start(self) -> None: ...
    def stop(self) -> None: ...


class WithoutStart(BackendBase):
    backend_type = "X"

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def stop(self) -> None: ...


class WithoutStop(BackendBase):
    backend_type: ClassVar[str] = "X"

    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...


Complete()
# It counts abstract methods, but not class variables without a value.
WithoutName()  # E ty zuban
WithoutRegisterConfig()  # E
WithoutStart()  # E
WithoutStop()  # E
BackendBase()  # E


# ---- Any subclass of it is a Backend, whatever the annotations of its configuration


class Renamed(LocalBackend):
    backend_type: ClassVar[str] = "RENAMED"


class NumberedName(BackendBase):
    backend_type = 7  # E


class NumberedAfterAll(LocalBackend):
    # It compares with the assignment in LocalBackend, not with the declaration in BackendBase.
    backend_type = 7  # E pyright


class LaterStart(LocalBackend):
    async def start(self) -> None: ...  # E


class NarrowContext(LocalBackend):
    def handle_runtime_context(  # E[narrow]
        self,
        model_id: str,
        runtime_context: fastapi.Request,  # E[narrow]
    ) -> None: ...


def serve(backend: Backend) -> str:
    with backend.start_lock():
        backend.start()
    backend.register_config(LocalBackend().config)
    return backend.backend_type


serve(Complete())
serve(LocalBackend({"key": 1}))
serve(Renamed())
LocalBackend(...)  # E
LocalBackend(7)  # E
serve(object())  # E
assert_type(LocalBackend.backend_type, str)


# ---- A structural class inherits nothing of the package


@conforms
class Structural:
    backend_type = "STRUCTURAL"
    is_started = False

    def __init__(self, config: aconfig.Config | None = None) -> None: ...

    def register_config(self, config: dict[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[None]:
        return nullcontext()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


# It does not check class decorators.
@conforms  # E[anything] pyrefly
class WithoutAnything: ...  # E[anything] pyrefly


# It does not check class decorators.
@conforms  # E[integers] pyrefly
class WithIntegers:  # E[integers] pyrefly
    backend_type = 7
    is_started = False

    def __init__(self, config: aconfig.Config | None = None) -> None: ...
    def register_config(self, config: dict[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[None]:
        return nullcontext()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class RenamedParameter:
    backend_type = "X"
    is_started = False

    def register_config(self, config: dict[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[None]:
        return nullcontext()

    def handle_runtime_context(self, model_id: str, context: RuntimeServerContextType) -> None: ...


serve(Structural())
# It compares the parameters of a Protocol by position, not by name.
serve(RenamedParameter())  # E mypy
assert_type(conforms(Structural)(), Structural)


# ---- The context of a request


def handle(context: RuntimeServerContextType) -> None:
    assert_type(get_metadata(context, "x-route-info"), str | None)
    for key, value in iter_metadata(context):
        assert_type((key, value), tuple[str, str])
    context.invocation_metadata()  # E
    if is_grpc_context(context):
        assert_type(context, grpc.ServicerContext)
        context.invocation_metadata()
    else:
        # It narrows to "Request and not ServicerContext", a type that `assert_type` cannot name.
        assert_type(context, fastapi.Request)  # ! ty
        context.headers.getlist("x-route-info")
    if is_http_context(context):
        assert_type(context, fastapi.Request)
    else:
        # It narrows to "ServicerContext and not Request", a type that `assert_type` cannot name.
        assert_type(context, grpc.ServicerContext)  # ! ty


def hand_over(context: grpc.ServicerContext, request: fastapi.Request) -> None:
    LocalBackend().handle_runtime_context("model", context)
    LocalBackend().handle_runtime_context(model_id="model", runtime_context=request)
    LocalBackend().handle_runtime_context("model", 7)  # E
    LocalBackend().handle_runtime_context("model", None)  # E
    get_metadata("no context", "key")  # E
