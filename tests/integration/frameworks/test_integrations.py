"""The ready parts for servers, in a real grpcio server and in FastAPI under uvicorn."""

from __future__ import annotations

import asyncio
import http.client
import importlib
import inspect
import json
import re
import socket
import sys
import threading
import typing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import ModuleType, SimpleNamespace
from typing import Any

import fastapi
import grpc
import grpc.aio
import pytest
import uvicorn

from backend_contract import LocalBackend, RuntimeServerContextType, running_async
from backend_contract.integrations.fastapi import lifespan, notify_backends
from backend_contract.integrations.grpc import BackendInterceptor
from backend_contract.runtime_context import get_metadata

WAIT = 30  # seconds after which a test that hangs is given up


class Told(LocalBackend):
    """Knows which models it was told of, with which route."""

    def __init__(self, failure: Callable[[Any], None] | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.told: list[tuple[str, str | None]] = []
        self.threads: set[int] = set()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.threads.add(threading.get_ident())
        self.told.append((model_id, get_metadata(runtime_context, "x-route-info")))
        if self.failure is not None:
            self.failure(runtime_context)


class Hanging(LocalBackend):
    """Does not return from being told of the model `slow` before the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if model_id == "slow":
            self.entered.set()
            assert self.go_on.wait(WAIT)


def fail(context: object) -> None:
    raise OSError("no route")


MODULES = [
    importlib.import_module(f"backend_contract.integrations.{n}") for n in ("grpc", "fastapi")
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_what_is_exported_is_documented_and_its_hints_resolve(module: ModuleType) -> None:
    public = {
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
        and (inspect.isclass(value) or inspect.isfunction(value))
        and not name.startswith("_")
    }
    assert public == set(module.__all__)
    for name in public:
        value = getattr(module, name)
        assert value.__doc__
        typing.get_type_hints(value.__init__ if inspect.isclass(value) else value)


@pytest.mark.parametrize(
    ("module", "needs"),
    [
        ("grpc", "needs grpcio: pip install 'backend-contract[grpc]'"),
        ("fastapi", "needs FastAPI: pip install 'backend-contract[fastapi]'"),
    ],
)
def test_without_its_framework_the_error_names_the_extra(
    module: str, needs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"backend_contract.integrations.{module}"
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)  # as if not installed
    with pytest.raises(ModuleNotFoundError, match=re.escape(f"{name} {needs}")) as caught:
        importlib.import_module(name)
    assert caught.value.name == module


# gRPC


class Answers:
    """A handler of each kind, and what they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def once(self, request: str, context: grpc.ServicerContext) -> str:
        self.asked.append(request)
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
        """As the health service of grpcio answers: without keeping a thread."""
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
    server.stop(None).wait(WAIT)


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
    answer = kind(path)(request, metadata=metadata, timeout=WAIT)
    return (answer if isinstance(answer, bytes) else b"".join(answer)).decode()


METHODS = {"Once": "AB", "Often": "AB", "OfMany": "AB", "ManyOfMany": "AB", "Later": "Ab"}


@pytest.mark.parametrize("method", METHODS)
def test_grpc_backends_are_told_before_a_call_is_answered(method: str) -> None:
    first, second = Told(), Told()
    with grpc_server(BackendInterceptor(iter([first, second])), Answers()) as channel:
        assert call(channel, method) == METHODS[method]
        assert first.told == second.told == [("model", "here")]
        assert call(channel, method, ()) == METHODS[method]  # for no model
        assert first.told == [("model", "here")]


def test_grpc_a_handler_of_no_kind_that_is_known_stays_as_it_is() -> None:
    kinds = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
    handler: Any = SimpleNamespace(**dict.fromkeys(kinds))
    details: Any = None
    assert BackendInterceptor([Told()]).intercept_service(lambda _: handler, details) is handler


def test_grpc_the_model_may_be_taken_from_anything_a_context_has() -> None:
    def first_part_of_the_route(context: grpc.ServicerContext) -> str | None:
        route = get_metadata(context, "x-route-info")
        return route and route.partition("/")[0]

    backend = Told()
    with grpc_server(BackendInterceptor([backend], first_part_of_the_route), Answers()) as channel:
        call(channel, "Once", [("x-route-info", "other/place"), ("mm-model-id", "model")])
        call(channel, "Once", [("mm-model-id", "model")])
    assert backend.told == [("other", "other/place")]


@pytest.mark.parametrize("method", METHODS)
def test_grpc_a_backend_that_raises_fails_the_call_when_all_are_told(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    answers, failing, other = Answers(), Told(fail), Told()
    with grpc_server(BackendInterceptor([failing, other]), answers) as channel:
        with pytest.raises(grpc.RpcError) as error:
            call(channel, method)
        assert error.value.code() is grpc.StatusCode.UNKNOWN
        assert "told about a request for 'model'" in str(error.value.details())
        assert other.told == [("model", "here")]
        assert answers.asked == []
        assert call(channel, method, ()) == METHODS[method]
    assert "OSError: no route" in caplog.text


def test_grpc_the_status_a_backend_aborts_with_arrives() -> None:
    def deny(context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not this route")

    other = Told()
    with grpc_server(BackendInterceptor([Told(deny), other]), Answers()) as channel:
        with pytest.raises(grpc.RpcError) as error:
            call(channel, "Once")
        code = error.value.code()
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert other.told == [("model", "here")]


def test_grpc_a_method_that_nobody_serves_stays_unimplemented() -> None:
    backend = Told()
    with grpc_server(BackendInterceptor([backend]), Answers()) as channel:
        with pytest.raises(grpc.RpcError) as error:
            call(channel, "Nothing")
        code = error.value.code()
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert backend.told == []


def test_grpc_a_backend_that_hangs_holds_up_its_own_call_only() -> None:
    hanging, other = Hanging(), Told()
    serving = grpc_server(BackendInterceptor([hanging, other]), Answers())
    with serving as channel, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(call, channel, "Once", (("mm-model-id", "slow"),))
        assert hanging.entered.wait(WAIT)
        for _ in range(8):
            assert call(channel, "Once") == "AB"
        assert not slow.done()
        hanging.go_on.set()
        assert slow.result(WAIT) == "AB"
    assert other.told == [("model", "here")] * 8 + [("slow", None)]


def test_grpc_a_server_for_asyncio_refuses_the_interceptor() -> None:
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
    thread.join(WAIT)
    assert not thread.is_alive()
    listening.close()


def get(port: int, path: str, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
    try:
        connection.request(
            "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if response.status == 200 else body
    finally:
        connection.close()


def application(dependency: Callable[..., None]) -> fastapi.FastAPI:
    app = fastapi.FastAPI(dependencies=[fastapi.Depends(dependency)])

    @app.get("/models/{model_id}")
    async def by_path(model_id: str) -> int:
        return threading.get_ident()

    @app.get("/")
    async def root() -> int:
        return threading.get_ident()

    return app


def test_http_backends_are_told_off_the_event_loop() -> None:
    first, second = Told(), Told()
    with http_server(application(notify_backends(iter([first, second])))) as port:
        status, event_loop = get(port, "/models/model", X_Route_Info="here")
        assert (status, first.told) == (200, [("model", "here")])
        assert get(port, "/", MM_Model_Id="other")[0] == 200
        assert get(port, "/")[0] == 200  # for no model
    assert first.told == second.told == [("model", "here"), ("other", None)]
    assert event_loop not in first.threads


def test_http_the_model_may_come_from_any_dependency() -> None:
    def of_the_query(model: str | None = None) -> str | None:
        return model

    backend = Told()
    with http_server(application(notify_backends([backend], of_the_query))) as port:
        assert get(port, "/?model=other")[0] == 200
        assert get(port, "/models/model")[0] == 200
    assert backend.told == [("other", None)]


def test_http_a_backend_that_raises_fails_the_request_when_all_are_told() -> None:
    other = Told()
    with http_server(application(notify_backends([Told(fail), other]))) as port:
        assert get(port, "/models/model")[0] == 500
        assert other.told == [("model", None)]
        assert get(port, "/")[0] == 200


def test_http_a_backend_that_hangs_holds_up_its_own_request_only() -> None:
    hanging = Hanging()
    with (
        http_server(application(notify_backends([hanging]))) as port,
        ThreadPoolExecutor(1) as pool,
    ):
        slow = pool.submit(get, port, "/models/slow")
        assert hanging.entered.wait(WAIT)
        for _ in range(8):
            assert get(port, "/models/fast")[0] == 200
        assert not slow.done()
        hanging.go_on.set()
        assert slow.result(WAIT)[0] == 200


def test_http_backends_run_as_long_as_the_application() -> None:
    backend = LocalBackend()
    app = fastapi.FastAPI(lifespan=lifespan(backend))

    @app.get("/")
    async def root() -> bool:
        return backend.is_started

    assert not backend.is_started
    with http_server(app) as port:
        assert get(port, "/") == (200, True)
    assert not backend.is_started


def test_http_running_async_within_a_lifespan_of_ones_own() -> None:
    backend = LocalBackend()

    async def run() -> None:
        async with lifespan(backend)(None) as state:
            assert state is None  # or Starlette would take it for the state of the application
            assert backend.is_started
            async with running_async(backend) as given:
                assert given == (backend,)
            assert backend.is_started

    asyncio.run(run())
    assert not backend.is_started


def test_http_an_application_whose_backend_fails_to_start_does_not_start() -> None:
    class Down(LocalBackend):
        def start(self) -> None:
            raise OSError("down")

    earlier = LocalBackend()
    app = fastapi.FastAPI(lifespan=lifespan(earlier, Down()))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", port=0))
    with suppress(SystemExit):  # uvicorn's own way to say that it did not work out
        server.run()
    assert not server.started
    assert not earlier.is_started
