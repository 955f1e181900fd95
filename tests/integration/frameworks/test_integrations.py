"""The integrations with frameworks, in a real grpcio server and in FastAPI under uvicorn."""

from __future__ import annotations

import asyncio
import http.client
import importlib
import inspect
import json
import os
import queue
import re
import socket
import sys
import threading
import typing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import ModuleType, SimpleNamespace
from typing import Any

import fastapi
import grpc
import grpc.aio
import pytest
import uvicorn
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from backend_contract import LocalBackend, RuntimeServerContextType, running_async
from backend_contract.integrations import grpc_aio
from backend_contract.integrations._readiness import Readiness, Watchers
from backend_contract.integrations.fastapi import health_router, lifespan, notify_backends
from backend_contract.integrations.grpc import BackendInterceptor, add_health
from backend_contract.runtime_context import get_metadata

TIMEOUT = 30


class Recorder(LocalBackend):
    """Records models and routes of the requests it is notified of, and may then fail."""

    def __init__(self, failure: Callable[[Any], None] | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.requests: list[tuple[str, str | None]] = []
        self.threads: set[int] = set()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.threads.add(threading.get_ident())
        self.requests.append((model_id, get_metadata(runtime_context, "x-route-info")))
        if self.failure is not None:
            self.failure(runtime_context)


class Hanging(LocalBackend):
    """Blocks on requests for the model `slow` until `go_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if model_id == "slow":
            self.entered.set()
            assert self.go_on.wait(TIMEOUT)


def fail(context: object) -> None:
    raise OSError("no route")


MODULES = [
    importlib.import_module(f"backend_contract.integrations.{n}")
    for n in ("grpc", "grpc_aio", "fastapi")
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_public_names(module: ModuleType) -> None:
    """Everything public is exported and documented, and its annotations resolve."""
    public = {
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
        and (inspect.isclass(value) or inspect.isfunction(value))
        and not name.startswith("_")
    }
    assert public <= set(module.__all__)
    for name in module.__all__:
        value = getattr(module, name)
        assert value.__doc__
        typing.get_type_hints(value.__init__ if inspect.isclass(value) else value)


@pytest.mark.parametrize("module", ["grpc", "fastapi"])
def test_missing_framework(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If its framework is missing, importing an integration says which extra to install."""
    name = f"backend_contract.integrations.{module}"
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)  # as if not installed
    with pytest.raises(
        ModuleNotFoundError, match=re.escape(f"backend-contract[{module}]")
    ) as caught:
        importlib.import_module(name)
    assert caught.value.name == module


# gRPC


class Answers:
    """A handler of each kind, which records the requests."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    def once(self, request: str, context: grpc.ServicerContext) -> str:
        self.requests.append(request)
        return request.upper()

    def often(self, request: str, context: grpc.ServicerContext) -> Iterator[str]:
        yield from self.once(request, context)

    def of_many(self, requests: Iterator[str], context: grpc.ServicerContext) -> str:
        return self.once("".join(requests), context)

    def many_of_many(self, requests: Iterator[str], context: grpc.ServicerContext) -> Iterator[str]:
        for request in requests:
            yield self.once(request, context)

    @staticmethod
    def later(
        request: str, context: grpc.ServicerContext, callback: Callable[[str | None], None]
    ) -> None:
        """Answer without occupying a thread, as the health service of grpcio does."""
        callback(request.title())
        callback(None)


@contextmanager
def grpc_server(interceptor: BackendInterceptor, answers: Answers) -> Iterator[grpc.Channel]:
    later: Any = answers.later
    later.experimental_non_blocking = True
    handlers: dict[str, Any] = {
        "Once": grpc.unary_unary_rpc_method_handler(answers.once, bytes.decode, str.encode),
        "Often": grpc.unary_stream_rpc_method_handler(answers.often, bytes.decode, str.encode),
        "OfMany": grpc.stream_unary_rpc_method_handler(answers.of_many, bytes.decode, str.encode),
        "ManyOfMany": grpc.stream_stream_rpc_method_handler(
            answers.many_of_many, bytes.decode, str.encode
        ),
        "Later": grpc.unary_stream_rpc_method_handler(later, bytes.decode, str.encode),
    }
    server = grpc.server(ThreadPoolExecutor(4), interceptors=[interceptor])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    server.stop(None).wait(TIMEOUT)


MODEL = (("mm-model-id", "model"), ("x-route-info", "here"))


def call(channel: grpc.Channel, method: str, metadata: Any = MODEL) -> str:
    path = f"/test/{method}"
    letters = iter([b"a", b"b"])
    calls: dict[str, tuple[Callable[[str], Any], object]] = {
        "Once": (channel.unary_unary, b"ab"),
        "Often": (channel.unary_stream, b"ab"),
        "Later": (channel.unary_stream, b"ab"),
        "OfMany": (channel.stream_unary, letters),
        "ManyOfMany": (channel.stream_stream, letters),
        "Nothing": (channel.unary_unary, b""),
    }
    kind, request = calls[method]
    answer = kind(path)(request, metadata=metadata, timeout=TIMEOUT)
    return (answer if isinstance(answer, bytes) else b"".join(answer)).decode()


METHODS = {"Once": "AB", "Often": "AB", "OfMany": "AB", "ManyOfMany": "AB", "Later": "Ab"}


@pytest.mark.parametrize("method", METHODS)
def test_grpc_notification(method: str) -> None:
    """Every kind of call notifies all backends, unless it is for no model."""
    first, second = Recorder(), Recorder()
    with grpc_server(BackendInterceptor(iter([first, second])), Answers()) as channel:
        assert call(channel, method) == METHODS[method]
        assert first.requests == second.requests == [("model", "here")]
        assert call(channel, method, ()) == METHODS[method]  # for no model
        assert first.requests == [("model", "here")]


def test_grpc_unknown_kind_of_handler() -> None:
    """A handler of an unknown kind is returned unchanged."""
    kinds = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
    handler: Any = SimpleNamespace(**dict.fromkeys(kinds))
    details: Any = None
    assert BackendInterceptor([Recorder()]).intercept_service(lambda _: handler, details) is handler


def test_grpc_model_id() -> None:
    """A function may take the model's id from anything in the context."""

    def first_part_of_the_route(message: object, context: grpc.ServicerContext) -> str | None:
        route = get_metadata(context, "x-route-info")
        return route and route.partition("/")[0]

    backend = Recorder()
    with grpc_server(BackendInterceptor([backend], first_part_of_the_route), Answers()) as channel:
        call(channel, "Once", [("x-route-info", "other/place"), ("mm-model-id", "model")])
        call(channel, "Once", [("mm-model-id", "model")])
    assert backend.requests == [("other", "other/place")]


@pytest.mark.parametrize("model_id", [5, b"model", ["model"], object()])
def test_invalid_model_id(model_id: Any) -> None:
    """A *model_id* of any other type is a `TypeError`, before there is a request."""
    integrations: list[Callable[..., object]]
    integrations = [BackendInterceptor, grpc_aio.BackendInterceptor, notify_backends]
    for integrate in integrations:
        with pytest.raises(TypeError, match="model_id must be a function"):
            integrate([Recorder()], model_id)
    with pytest.raises(TypeError, match="model_id must be a function, got 'model_name'"):
        notify_backends([Recorder()], "model_name")  # type: ignore[arg-type]  # as of gRPC


@pytest.mark.parametrize("method", METHODS)
def test_grpc_failing_backend(method: str, caplog: pytest.LogCaptureFixture) -> None:
    """If a backend raises, the others are notified, and the call fails unanswered."""
    answers, failing, other = Answers(), Recorder(fail), Recorder()
    with grpc_server(BackendInterceptor([failing, other]), answers) as channel:
        with pytest.raises(grpc.RpcError) as error:
            call(channel, method)
        assert error.value.code() is grpc.StatusCode.UNKNOWN
        assert "a request for 'model'" in str(error.value.details())
        assert other.requests == [("model", "here")]
        assert answers.requests == []
        assert call(channel, method, ()) == METHODS[method]
    assert "OSError: no route" in caplog.text


def test_grpc_abort() -> None:
    """The client receives the status with which a backend aborts the call."""

    def deny(context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not this route")

    other = Recorder()
    with grpc_server(BackendInterceptor([Recorder(deny), other]), Answers()) as channel:
        with pytest.raises(grpc.RpcError) as error:
            call(channel, "Once")
        code = error.value.code()
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert other.requests == [("model", "here")]


def test_grpc_unserved_method() -> None:
    """A method without a handler stays unimplemented and notifies no backend."""
    backend = Recorder()
    with grpc_server(BackendInterceptor([backend]), Answers()) as channel:
        with pytest.raises(grpc.RpcError) as error:
            call(channel, "Nothing")
        code = error.value.code()
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert backend.requests == []


def test_grpc_blocking_backend() -> None:
    """A backend that blocks delays only its own call."""
    hanging, other = Hanging(), Recorder()
    serving = grpc_server(BackendInterceptor([hanging, other]), Answers())
    with serving as channel, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(call, channel, "Once", (("mm-model-id", "slow"),))
        assert hanging.entered.wait(TIMEOUT)
        for _ in range(8):
            assert call(channel, "Once") == "AB"
        assert not slow.done()
        hanging.go_on.set()
        assert slow.result(TIMEOUT) == "AB"
    assert other.requests == [("model", "here")] * 8 + [("slow", None)]


def test_grpc_asyncio_server() -> None:
    """A grpc.aio server rejects the interceptor."""
    interceptor: Any = BackendInterceptor([])

    async def make() -> None:
        with pytest.raises(ValueError, match="Interceptor"):
            grpc.aio.server(interceptors=[interceptor])

    asyncio.run(make())


# HTTP


@contextmanager
def http_server(app: fastapi.FastAPI) -> Iterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    listening.close()


def get(port: int, path: str, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request(
            "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if response.status == 200 else body
    finally:
        connection.close()


def application(dependency: Callable[..., Any]) -> fastapi.FastAPI:
    app = fastapi.FastAPI(dependencies=[fastapi.Depends(dependency)])

    @app.get("/models/{model_id}")
    async def by_path(model_id: str) -> int:
        return threading.get_ident()

    @app.get("/")
    async def root() -> int:
        return threading.get_ident()

    return app


def test_http_notification() -> None:
    """Requests notify all backends off the event loop, unless they are for no model."""
    first, second = Recorder(), Recorder()
    with http_server(application(notify_backends(iter([first, second])))) as port:
        status, event_loop = get(port, "/models/model", X_Route_Info="here")
        assert (status, first.requests) == (200, [("model", "here")])
        assert get(port, "/", MM_Model_Id="other")[0] == 200
        assert get(port, "/")[0] == 200  # for no model
    assert first.requests == second.requests == [("model", "here"), ("other", None)]
    assert event_loop not in first.threads


def test_http_model_id() -> None:
    """Any FastAPI dependency may provide the model's id."""

    def from_query(model: str | None = None) -> str | None:
        return model

    backend = Recorder()
    with http_server(application(notify_backends([backend], from_query))) as port:
        assert get(port, "/?model=other")[0] == 200
        assert get(port, "/models/model")[0] == 200
    assert backend.requests == [("other", None)]


def test_http_failing_backend() -> None:
    """If a backend raises, the others are notified, and the request fails."""
    other = Recorder()
    with http_server(application(notify_backends([Recorder(fail), other]))) as port:
        assert get(port, "/models/model")[0] == 500
        assert other.requests == [("model", None)]
        assert get(port, "/")[0] == 200


def test_http_failure_is_not_its_own_cause() -> None:
    """The exception that a handler receives is not its own cause."""
    app = application(notify_backends([Recorder(fail)]))
    handled: list[Exception] = []

    @app.exception_handler(Exception)
    async def handle(request: object, failure: Exception) -> fastapi.Response:
        handled.append(failure)
        return fastapi.Response(status_code=503)

    with http_server(app) as port:
        assert get(port, "/models/model")[0] == 503
    assert [failure.__cause__ for failure in handled] == [None]


def test_http_blocking_backend() -> None:
    """A backend that blocks delays only its own request."""
    hanging = Hanging()
    with (
        http_server(application(notify_backends([hanging]))) as port,
        ThreadPoolExecutor(1) as pool,
    ):
        slow = pool.submit(get, port, "/models/slow")
        assert hanging.entered.wait(TIMEOUT)
        for _ in range(8):
            assert get(port, "/models/fast")[0] == 200
        assert not slow.done()
        hanging.go_on.set()
        assert slow.result(TIMEOUT)[0] == 200


route_of_request: ContextVar[str | None] = ContextVar("route_of_request", default=None)


class Router(LocalBackend):
    """Keeps the route of each request in a context variable."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.told.append(model_id)
        route_of_request.set(get_metadata(runtime_context, "x-route-info"))


def routed(dependency: Callable[..., Any]) -> fastapi.FastAPI:
    """Return an application whose endpoints answer the route that they see."""
    app = fastapi.FastAPI(dependencies=[fastapi.Depends(dependency)])

    @app.get("/sync/{model_id}")
    def synchronous(model_id: str) -> str | None:
        return route_of_request.get()

    @app.get("/async/{model_id}")
    async def asynchronous(model_id: str) -> str | None:
        await asyncio.sleep(0)
        return route_of_request.get()

    @app.get("/parts/{model_id}")
    def parts(model_id: str) -> StreamingResponse:
        def generate() -> Iterator[str]:
            yield "["
            for _ in range(3):
                yield f"{json.dumps(route_of_request.get())}, "
            yield "null]"

        return StreamingResponse(generate())

    @app.get("/")
    def no_model() -> str | None:
        return route_of_request.get()

    @app.get("/number/{model_id:int}")
    def number(model_id: int) -> int:
        return model_id

    @app.websocket("/socket/{model_id}")
    async def socket(websocket: fastapi.WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("served")
        await websocket.close()

    return app


def test_http_request_scope() -> None:
    """Endpoints see what the backend has set for their request; the next request does not."""
    with http_server(routed(notify_backends([Router()]))) as port:
        for path in ("/sync/m", "/async/m"):
            assert get(port, path, X_Route_Info="here") == (200, "here")
        assert get(port, "/parts/m", X_Route_Info="here") == (200, ["here"] * 3 + [None])
        for _ in range(50):  # more than there are threads
            assert get(port, "/") == (200, None)


@pytest.mark.parametrize("path", ["/sync/m", "/async/m", "/parts/m"])
def test_http_concurrent_requests(path: str) -> None:
    """Each of 64 concurrent requests for one model sees its own route."""
    routes = [f"route-{number}" for number in range(64)]
    with http_server(routed(notify_backends([Router()]))) as port, ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda route: get(port, path, X_Route_Info=route)[1], routes)
        seen = [answer[0] if isinstance(answer, list) else answer for answer in answers]
    assert seen == routes


def test_http_typed_path_parameter() -> None:
    """The id is told as `str`, also if the path parameter is a number."""
    router = Router()
    with http_server(routed(notify_backends([router]))) as port:
        assert get(port, "/number/7") == (200, 7)
        assert get(port, "/", MM_Model_Id="")[0] == 200
    assert router.told == ["7"]


def test_http_websocket() -> None:
    """A WebSocket is served without notifying any backend."""
    router = Router()
    client = TestClient(routed(notify_backends([router])))
    with client.websocket_connect("/socket/m") as socket:
        assert socket.receive_text() == "served"
    assert router.told == []


def test_http_mounted_application() -> None:
    """The dependency of a mounted application notifies of that application's requests."""
    router = Router()
    outer = fastapi.FastAPI()
    outer.mount("/v1", routed(notify_backends([router])))
    with http_server(outer) as port:
        assert get(port, "/v1/sync/m", X_Route_Info="here") == (200, "here")
    assert router.told == ["m"]


def test_http_dependency_given_twice() -> None:
    """However often it is given, a backend is told once of a request for a model."""
    router = Router()
    app = fastapi.FastAPI(dependencies=[fastapi.Depends(notify_backends([router]))])
    again = fastapi.Depends(notify_backends([router]))

    @app.get("/models/{model_id}", dependencies=[again])
    def answer(model_id: str) -> str | None:
        return route_of_request.get()

    with http_server(app) as port:
        assert get(port, "/models/m", X_Route_Info="here") == (200, "here")
        assert get(port, "/models/m", X_Route_Info="there") == (200, "there")
    assert router.told == ["m", "m"]


def test_http_exception_of_backend() -> None:
    """The first `HTTPException` among the failures becomes the response."""

    def deny(context: object) -> None:
        raise fastapi.HTTPException(403, "not this route", {"X-Why": "route"})

    other = Recorder()
    backends = [Recorder(fail), Recorder(deny), other]
    with http_server(application(notify_backends(backends))) as port:
        status, body = get(port, "/models/model")
        assert (status, json.loads(body)) == (403, {"detail": "not this route"})
    assert other.requests == [("model", None)]


def test_http_busy_endpoints() -> None:
    """Endpoints that occupy all threads do not keep backends from being notified."""
    go_on = threading.Event()
    busy = threading.Semaphore(0)
    backend = Recorder()
    app = application(notify_backends([backend]))

    @app.get("/busy")
    def occupy() -> int:
        busy.release()
        assert go_on.wait(TIMEOUT)
        return 0

    with http_server(app) as port, ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(get, port, "/busy") for _ in range(40)]
        for _ in range(40):
            assert busy.acquire(timeout=TIMEOUT)
        assert get(port, "/models/model")[0] == 200
        go_on.set()
        assert [request.result(TIMEOUT)[0] for request in waiting] == [200] * 40
    assert backend.requests == [("model", None)]


def test_http_waiting_backends() -> None:
    """Backends that wait do not keep the threads of endpoints."""
    hanging = Hanging()
    app = fastapi.FastAPI()
    depends = fastapi.Depends(notify_backends([hanging]))

    @app.get("/models/{model_id}", dependencies=[depends])
    def waits(model_id: str) -> int:
        return 0

    @app.get("/other")
    def other() -> int:
        return 1

    with http_server(app) as port, ThreadPoolExecutor(41) as pool:
        slow = [pool.submit(get, port, "/models/slow") for _ in range(41)]
        assert hanging.entered.wait(TIMEOUT)
        assert get(port, "/other") == (200, 1)
        hanging.go_on.set()
        assert all(request.result(TIMEOUT)[0] == 200 for request in slow)


# Health


class Stuck(LocalBackend):
    """Blocks readers of `is_started` until `go_on` is set."""

    go_on = threading.Event()

    @property
    def is_started(self) -> bool:
        self.go_on.wait(TIMEOUT)
        return True


def test_http_health() -> None:
    """Ready if there is a backend and all are started; live in any case."""
    first, second = LocalBackend(), LocalBackend()
    app = fastapi.FastAPI()
    app.include_router(health_router([first, second]))
    with http_server(app) as port:
        first.start()
        assert get(port, "/health/ready")[0] == 503
        second.start()
        assert get(port, "/health/ready") == (200, {"status": "ready"})
        second.stop()
        assert get(port, "/health/ready")[0] == 503
        assert get(port, "/health/live")[0] == 200


@pytest.mark.parametrize("backends", [[], [Stuck()]])
def test_http_not_ready(backends: list[LocalBackend]) -> None:
    """Without a backend, or with one that does not answer, a server is not ready."""
    Stuck.go_on.clear()
    app = fastapi.FastAPI()
    app.include_router(health_router(backends))
    with http_server(app) as port:
        assert get(port, "/health/ready")[0] == 503
    Stuck.go_on.set()


def check_health(address: str, service: str = "") -> str:
    health_pb2: Any = importlib.import_module("grpc_health.v1.health_pb2")
    health_pb2_grpc: Any = importlib.import_module("grpc_health.v1.health_pb2_grpc")
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        status = stub.Check(request, timeout=TIMEOUT).status
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(status))


def test_grpc_health() -> None:
    """Serving if all backends are started, and there is one; a health check notifies none."""
    backend = Recorder()
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[BackendInterceptor([backend])])
    add_health(server, [backend])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    address = f"127.0.0.1:{port}"
    assert check_health(address) == "NOT_SERVING"
    backend.start()
    assert check_health(address) == "SERVING"
    with pytest.raises(grpc.RpcError) as caught:
        check_health(address, "another.Service")
    failure: Any = caught.value
    assert failure.code() is grpc.StatusCode.NOT_FOUND
    server.stop(None).wait(TIMEOUT)
    assert backend.requests == []


def test_grpc_aio_health() -> None:
    """A `grpc.aio` server answers health checks too."""
    backend = LocalBackend()

    async def run() -> list[str]:
        server = grpc.aio.server()
        add_health(server, [backend])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        address = f"127.0.0.1:{port}"
        messages: Any = importlib.import_module("grpc_health.v1.health_pb2")
        services: Any = importlib.import_module("grpc_health.v1.health_pb2_grpc")
        name = messages.HealthCheckResponse.ServingStatus.Name
        async with grpc.aio.insecure_channel(address) as channel:
            check = services.HealthStub(channel).Check
            answers = [(await check(messages.HealthCheckRequest(), timeout=TIMEOUT)).status]
            backend.start()
            answers.append((await check(messages.HealthCheckRequest(), timeout=TIMEOUT)).status)
        await server.stop(None)
        return [str(name(answer)) for answer in answers]

    assert asyncio.run(run()) == ["NOT_SERVING", "SERVING"]


class Hiding(grpc.ServerInterceptor):
    """Puts plain functions in place of handlers, as interceptors for metrics do."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)
        if not handler.unary_stream:
            return handler

        def answer(request: Any, context: Any) -> Any:
            return handler.unary_stream(request, context)

        return grpc.unary_stream_rpc_method_handler(
            answer, handler.request_deserializer, handler.response_serializer
        )


@contextmanager
def without_new_threads() -> Iterator[None]:
    """Fail if threads of the package that the block starts do not end after it."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name == "backend_contract":
            while thread.ident is None:  # `join` refuses one that is about to start
                os.sched_yield()
            thread.join(TIMEOUT)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    ("interceptor", "threads"), [(BackendInterceptor([Recorder()]), 1), (Hiding(), 4)]
)
def test_grpc_watch(interceptor: grpc.ServerInterceptor, threads: int) -> None:
    """A watcher is told the status and each change, in no thread of the server's own."""
    messages: Any = importlib.import_module("grpc_health.v1.health_pb2")
    services: Any = importlib.import_module("grpc_health.v1.health_pb2_grpc")
    backend = LocalBackend()
    server = grpc.server(ThreadPoolExecutor(threads), interceptors=[interceptor])
    add_health(server, [backend])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    status = messages.HealthCheckResponse
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, without_new_threads():
        watch = services.HealthStub(channel).Watch
        request = messages.HealthCheckRequest()
        first, second = (watch(request, timeout=TIMEOUT) for _ in range(2))
        assert [next(first).status, next(second).status] == 2 * [status.NOT_SERVING]
        backend.start()
        assert [next(first).status, next(second).status] == 2 * [status.SERVING]
        first.cancel()
        backend.stop()
        assert next(second).status == status.NOT_SERVING
        unknown = watch(messages.HealthCheckRequest(service="another"), timeout=TIMEOUT)
        assert next(unknown).status == status.SERVICE_UNKNOWN
        assert check_health(f"127.0.0.1:{port}") == "NOT_SERVING"
        second.cancel()
        unknown.cancel()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, without_new_threads():
        last = services.HealthStub(channel).Watch(request, timeout=TIMEOUT)
        assert next(last).status == status.NOT_SERVING
        assert server.stop(None).wait(TIMEOUT)
        with pytest.raises(grpc.RpcError):
            next(last)


def test_grpc_aio_watch() -> None:
    """A `grpc.aio` server tells watchers the status and each change too."""
    messages: Any = importlib.import_module("grpc_health.v1.health_pb2")
    services: Any = importlib.import_module("grpc_health.v1.health_pb2_grpc")
    status = messages.HealthCheckResponse
    backend = LocalBackend()

    async def run() -> None:
        server = grpc.aio.server()
        add_health(server, [backend])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            watch = services.HealthStub(channel).Watch
            request = messages.HealthCheckRequest()
            first, second = (watch(request, timeout=TIMEOUT) for _ in range(2))
            for each in (first, second):
                assert (await each.read()).status == status.NOT_SERVING
            first.cancel()
            backend.start()
            assert (await second.read()).status == status.SERVING
            unknown = watch(messages.HealthCheckRequest(service="another"), timeout=TIMEOUT)
            assert (await unknown.read()).status == status.SERVICE_UNKNOWN
            await server.stop(None)
            for each in (second, unknown):
                with pytest.raises(grpc.RpcError):
                    await each.read()

    with without_new_threads():
        asyncio.run(run())


def test_watcher_leaves_while_others_are_told() -> None:
    """A watcher can leave while one is told: grpcio would otherwise deadlock."""
    watchers = Watchers(Readiness([]))
    left: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def tell(is_ready: bool) -> None:
        leaving = threading.Thread(target=watchers.remove, args=(tell,), daemon=True)
        leaving.start()
        leaving.join(TIMEOUT)
        left.put(not leaving.is_alive())

    with without_new_threads():
        watchers.add(tell)
        assert left.get(timeout=2 * TIMEOUT)


def test_missing_health_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without grpcio-health-checking, the error says what to install."""
    monkeypatch.setitem(sys.modules, "grpc_health.v1.health_pb2", None)
    with pytest.raises(ModuleNotFoundError, match="pip install grpcio-health-checking"):
        add_health(grpc.server(ThreadPoolExecutor(1)), [])


# Lifespan


def test_http_lifespan() -> None:
    """Backends run as long as the application."""
    backend = LocalBackend()
    app = fastapi.FastAPI(lifespan=lifespan(backend))

    @app.get("/")
    async def root() -> bool:
        return backend.is_started

    assert not backend.is_started
    with http_server(app) as port:
        assert get(port, "/") == (200, True)
    assert not backend.is_started


def test_http_nested_lifespan() -> None:
    """`lifespan` yields None, and does not disturb a `running_async` inside it."""
    backend = LocalBackend()

    async def run() -> None:
        async with lifespan(backend)(None) as state:
            assert state is None  # Starlette treats any other value as application state
            assert backend.is_started
            async with running_async(backend) as given:
                assert given == (backend,)
            assert backend.is_started

    asyncio.run(run())
    assert not backend.is_started


def test_http_failing_start() -> None:
    """If a backend fails to start, so does the application, and earlier backends are stopped."""

    class Down(LocalBackend):
        def start(self) -> None:
            raise OSError("down")

    earlier = LocalBackend()
    app = fastapi.FastAPI(lifespan=lifespan(earlier, Down()))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", port=0))
    with suppress(SystemExit):  # which uvicorn raises if the lifespan fails
        server.run()
    assert not server.started
    assert not earlier.is_started
