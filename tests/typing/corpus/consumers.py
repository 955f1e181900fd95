# Code that uses backends without knowing their class.

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import aconfig
import fastapi
import grpc
from common import Whole, WithoutStop
from typing_extensions import assert_type

from backend_contract import Backend, BackendBase, LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import is_grpc_context, is_http_context


def serve(backend: Backend, config: aconfig.Config) -> str:
    backend.register_config(config)
    with backend.start_lock():
        if not backend.is_started:
            backend.start()
    assert_type(backend.backend_type, str)
    assert_type(backend.is_started, bool)
    return backend.backend_type


def misuse(backend: Backend) -> None:
    backend.register_config()  # E
    backend.register_config(7)  # E
    backend.start(True)  # E
    backend.restart()  # E
    backend.backend_type = "OTHER"  # E
    backend.is_started = True  # E
    backend.handle_runtime_context("model")  # E
    backend.handle_runtime_context("model", 7)  # E
    with backend.is_started:  # E
        pass


def stop_all(backends: Iterable[Backend]) -> None:
    for backend in backends:
        backend.stop()


def make(kind: type[Backend], config: aconfig.Config) -> Backend:
    return kind()


def make_by(factory: Callable[[], Backend]) -> Backend:
    return factory()


def names(kinds: Sequence[type[BackendBase]]) -> list[str]:
    return [kind.backend_type for kind in kinds]


def of_a_request(backend: Backend, context: grpc.ServicerContext, request: fastapi.Request) -> None:
    backend.handle_runtime_context("model", context)
    backend.handle_runtime_context(model_id="model", runtime_context=request)


def dispatch(context: RuntimeServerContextType) -> None:
    if is_grpc_context(context):
        assert_type(context, grpc.ServicerContext)
        context.headers  # E
    else:
        context.headers.getlist("x-route-info")
        context.invocation_metadata()  # E
    if is_http_context(context):
        context.headers.getlist("x-route-info")
        context.invocation_metadata()  # E
    else:
        context.invocation_metadata()
        context.headers  # E


serve(LocalBackend(), LocalBackend().config)
serve(Whole(), LocalBackend().config)
serve(WithoutStop(), LocalBackend().config)  # E
serve(LocalBackend, LocalBackend().config)  # E
serve(None, LocalBackend().config)  # E
stop_all([LocalBackend(), Whole()])
stop_all([LocalBackend(), WithoutStop()])  # E
make(LocalBackend, LocalBackend().config)
make(Whole, LocalBackend().config)
make(WithoutStop, LocalBackend().config)  # E
make_by(LocalBackend)
make_by(Whole)
make_by(WithoutStop)  # E
names([LocalBackend])
names([Whole])  # E
