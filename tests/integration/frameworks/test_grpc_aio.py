"""Backends under a real `grpc.aio` server, beside those under a synchronous one."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest
from support import run_python

from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.integrations import grpc as synchronous
from backend_contract.integrations import grpc_aio
from backend_contract.integrations._requests import DaemonThreads
from backend_contract.runtime_context import get_metadata, is_grpc_context

TIMEOUT = 30
route_of_request: ContextVar[str | None] = ContextVar("route_of_request", default=None)


class Router(LocalBackend):
    """Keeps the route of each request in a context variable."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.peers: set[str] = set()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        assert is_grpc_context(runtime_context)
        self.told.append(model_id)
        self.peers.add(runtime_context.peer().partition(":")[0])
        route_of_request.set(get_metadata(runtime_context, "x-route"))


def seen() -> bytes:
    """Return the route that the handler of a call sees."""
    return (route_of_request.get() or "nothing").encode()


class Plain:
    """Handlers that are plain functions."""

    def once(self, request: bytes, context: Any) -> bytes:
        return seen()

    def often(self, request: bytes, context: Any) -> Iterator[bytes]:
        for _ in range(3):
            yield seen()

    def of_many(self, requests: Iterator[bytes], context: Any) -> bytes:
        return b"".join([*requests, seen()])

    def many_of_many(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield request + seen()


class Coroutines:
    """The same handlers as coroutines and async generators."""

    async def once(self, request: bytes, context: Any) -> bytes:
        await asyncio.sleep(0)
        return seen()

    async def often(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield seen()

    async def of_many(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b"".join([*[request async for request in requests], seen()])

    async def many_of_many(
        self, requests: AsyncIterator[bytes], context: Any
    ) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request + seen()


class Streams(Coroutines):
    """Handlers that read and write by the methods of the context."""

    async def often(self, request: bytes, context: Any) -> None:  # type: ignore[override]  # the other kind of handler
        for _ in range(3):
            await context.write(seen())

    async def of_many(self, requests: object, context: Any) -> bytes:
        received = []
        while (request := await context.read()) is not grpc.aio.EOF:
            received.append(request)
        return b"".join([*received, seen()])

    async def many_of_many(self, requests: object, context: Any) -> None:  # type: ignore[override]  # as above
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(request + seen())


METHODS = {
    "once": ("unary_unary", b"here"),
    "often": ("unary_stream", b"here" * 3),
    "of_many": ("stream_unary", b"abhere"),
    "many_of_many": ("stream_stream", b"aherebhere"),
}
STYLES = [Plain, Coroutines, Streams]


def handler_of(style: Any) -> grpc.GenericRpcHandler:
    handlers: dict[str, Any] = {
        method: getattr(grpc, f"{kind}_rpc_method_handler")(getattr(style, method))
        for method, (kind, _) in METHODS.items()
    }
    return grpc.method_handlers_generic_handler("test", handlers)


@asynccontextmanager
async def aio_channel(style: Any, interceptor: Any) -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server(interceptors=[interceptor])
    server.add_generic_rpc_handlers((handler_of(style),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


@contextmanager
def sync_channel(style: Any, interceptor: Any) -> Iterator[grpc.Channel]:
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[interceptor])
    server.add_generic_rpc_handlers((handler_of(style),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    server.stop(None).wait(TIMEOUT)


def metadata(route: str, model: str = "model") -> tuple[tuple[str, str], ...]:
    return (("mm-model-id", model), ("x-route", route))


async def silence() -> AsyncIterator[bytes]:
    """Send nothing: while it sends, a client of grpc.aio may lose the code of the answer."""
    await asyncio.Event().wait()
    yield b""


async def ask(
    channel: grpc.aio.Channel, method: str, given: Any = None, requests: Any = None
) -> bytes:
    """Call *method*, by default for the route `here`; return all that it answers."""
    kind, _ = METHODS[method]
    request: Any = (requests or iter([b"a", b"b"])) if kind.startswith("stream") else b"a"
    given = metadata("here") if given is None else given
    call = getattr(channel, kind)(f"/test/{method}")(request, metadata=given, timeout=TIMEOUT)
    if kind.endswith("stream"):
        return b"".join([response async for response in call])
    answer: bytes = await call
    return answer


def ask_sync(channel: grpc.Channel, method: str, given: Any) -> bytes:
    kind, _ = METHODS[method]
    request: Any = iter([b"a", b"b"]) if kind.startswith("stream") else b"a"
    answer = getattr(channel, kind)(f"/test/{method}")(request, metadata=given, timeout=TIMEOUT)
    return b"".join(answer) if kind.endswith("stream") else answer


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("style", STYLES)
def test_handlers(style: type[Any], method: str) -> None:
    """Every kind of handler sees what the backend has set, up to its last response."""
    router = Router()

    async def run() -> bytes:
        async with aio_channel(style(), grpc_aio.BackendInterceptor([router])) as channel:
            return await ask(channel, method)

    assert asyncio.run(run()) == METHODS[method][1]
    assert router.told == ["model"]
    assert router.peers == {"ipv4"}


@pytest.mark.parametrize("method", METHODS)
def test_next_call_sees_nothing(method: str) -> None:
    """A call does not see what the one before it has set, on either kind of server."""
    router = Router()

    async def run(style: Any) -> bytes:
        async with aio_channel(style, grpc_aio.BackendInterceptor([router])) as channel:
            await ask(channel, method)
            return await ask(channel, method, ())

    for style in STYLES:
        assert b"nothing" in asyncio.run(run(style()))
    with sync_channel(Plain(), synchronous.BackendInterceptor([router])) as channel:
        for _ in range(4):
            assert b"here" in ask_sync(channel, method, metadata("here"))
            assert b"nothing" in ask_sync(channel, method, ())


@pytest.mark.parametrize("method", METHODS)
def test_concurrent_calls(method: str) -> None:
    """Each of 64 concurrent calls for one model sees its own route, on either kind of server."""
    router = Router()
    routes = [f"route-{number}" for number in range(64)]

    async def run(style: Any) -> list[bytes]:
        async with aio_channel(style, grpc_aio.BackendInterceptor([router])) as channel:
            calls = (ask(channel, method, metadata(route)) for route in routes)
            return await asyncio.gather(*calls)

    wanted = [METHODS[method][1].replace(b"here", route.encode()) for route in routes]
    assert asyncio.run(run(Coroutines())) == wanted
    assert asyncio.run(run(Plain())) == wanted
    interceptor = synchronous.BackendInterceptor([router])
    with sync_channel(Plain(), interceptor) as channel, ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda route: ask_sync(channel, method, metadata(route)), routes)
        assert list(answers) == wanted


class Message(NamedTuple):
    model_name: object = None


@pytest.mark.parametrize("style", STYLES)
def test_model_id_of_message(style: type[Any]) -> None:
    """The id may be a field of the first message; no message of a stream gets lost."""
    router = Router()

    def find(message: bytes, context: grpc.ServicerContext) -> object:
        assert isinstance(context, grpc.ServicerContext)
        return 7 if message == b"a" else None

    async def run() -> list[bytes]:
        interceptor = grpc_aio.BackendInterceptor([router], find)
        async with aio_channel(style(), interceptor) as channel:
            return [await ask(channel, method) for method in METHODS]

    assert asyncio.run(run()) == [answer for _, answer in METHODS.values()]
    assert router.told == ["7"] * 4


@pytest.mark.parametrize("style", STYLES)
def test_empty_stream(style: type[Any]) -> None:
    """If the id is in the message and there is none, no backend is notified."""
    router = Router()

    async def run() -> bytes:
        interceptor = grpc_aio.BackendInterceptor([router], lambda *_: "model")
        async with aio_channel(style(), interceptor) as channel:
            call: Any = channel.stream_unary("/test/of_many")
            answer: bytes = await call(iter(()), timeout=TIMEOUT)
            return answer

    assert asyncio.run(run()) == b"nothing"
    assert router.told == []


@pytest.mark.parametrize("style", STYLES)
def test_async_model_id(style: type[Any]) -> None:
    """An `async` function cannot name the model: the call fails, and no backend is notified."""
    router = Router()

    async def find(message: bytes, context: grpc.ServicerContext) -> str:
        return "model"

    async def run() -> str | None:
        interceptor = grpc_aio.BackendInterceptor([router], find)
        async with aio_channel(style(), interceptor) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                await ask(channel, "once")
            failure: Any = caught.value
            details: str | None = failure.details()
            return details

    assert "model_id must not be async" in (asyncio.run(run()) or "")
    assert router.told == []
    gc.collect()  # pytest fails if a coroutine was never awaited


@pytest.mark.parametrize(
    ("value", "told"), [("m", ["m"]), (7, ["7"]), (b"m", ["m"]), ("", []), (None, [])]
)
def test_field_of_message(value: object, told: list[str]) -> None:
    """A field's value is passed as a `str`; if it is empty or absent, no backend is notified."""
    router = Router()
    kind: Any = grpc.unary_unary_rpc_method_handler(
        lambda request, context: seen(), lambda _: Message(value)
    )
    other: Any = grpc.unary_unary_rpc_method_handler(lambda request, context: seen())
    handler = grpc.method_handlers_generic_handler("test", {"once": kind, "other": other})
    server = grpc.server(
        ThreadPoolExecutor(2),
        interceptors=[synchronous.BackendInterceptor([router], "model_name")],
    )
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        client: Any = channel
        client.unary_unary("/test/once")(b"", timeout=TIMEOUT)
        assert router.told == told
        client.unary_unary("/test/other")(b"", timeout=TIMEOUT)  # its message has no such field
        assert router.told == told
    server.stop(None).wait(TIMEOUT)


class Denying(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        assert is_grpc_context(runtime_context)
        runtime_context.abort(grpc.StatusCode.PERMISSION_DENIED, "not this route")


class Suppressing(Denying):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        with suppress(Exception):
            super().handle_runtime_context(model_id, runtime_context)


class Failing(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        raise OSError("no route")


@pytest.mark.parametrize(
    ("backend", "code"),
    [
        (Denying, grpc.StatusCode.PERMISSION_DENIED),
        (Suppressing, grpc.StatusCode.PERMISSION_DENIED),
        (Failing, grpc.StatusCode.UNKNOWN),
    ],
)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("style", STYLES)
def test_failing_backend(
    style: type[Any], method: str, backend: type[LocalBackend], code: grpc.StatusCode
) -> None:
    """The client gets the code of `abort`, or `UNKNOWN`; the other backends are told."""
    router = Router()

    async def run() -> grpc.StatusCode:
        interceptor = grpc_aio.BackendInterceptor([backend(), router])
        async with aio_channel(style(), interceptor) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                await ask(channel, method, requests=silence())
            failure: Any = caught.value
            answered: grpc.StatusCode = failure.code()
            return answered

    assert asyncio.run(run()) is code
    assert router.told == ["model"]


async def opening() -> AsyncIterator[bytes]:
    """Send one message, and nothing more."""
    yield b"a"
    await asyncio.Event().wait()


class Raising(Router):
    """Raises *failure* for the model `bad`."""

    def __init__(self, failure: BaseException) -> None:
        super().__init__()
        self.failure = failure

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.find("", runtime_context)
        super().handle_runtime_context(model_id, runtime_context)

    def find(self, message: object, context: Any) -> str | None:
        """Return the id of the model, for an interceptor."""
        model_id = get_metadata(context, "mm-model-id")
        if model_id == "bad":
            raise self.failure
        return model_id


ODD = [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, StopIteration]


@pytest.mark.parametrize("failure", ODD)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("in_model_id", [False, True])
@pytest.mark.parametrize("style", [Plain, Coroutines])
def test_odd_exceptions(
    style: type[Any], in_model_id: bool, method: str, failure: type[BaseException]
) -> None:
    """An exception that would end a server, a thread or a stream fails one call only."""
    backend = Raising(failure())
    model_id = backend.find if in_model_id else None

    async def run() -> grpc.StatusCode:
        interceptor = grpc_aio.BackendInterceptor([backend], model_id)
        async with aio_channel(style(), interceptor) as channel:
            requests = opening() if in_model_id else silence()
            with pytest.raises(grpc.RpcError) as caught:
                await ask(channel, method, metadata("here", "bad"), requests)
            failed: Any = caught.value
            assert await ask(channel, method) == METHODS[method][1]
            code: grpc.StatusCode = failed.code()
            return code

    assert asyncio.run(run()) is grpc.StatusCode.UNKNOWN
    assert backend.told == ["model"]


@pytest.mark.parametrize("failure", ODD)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("in_model_id", [False, True])
def test_odd_exceptions_sync(in_model_id: bool, method: str, failure: type[BaseException]) -> None:
    """A synchronous server does the same."""
    backend = Raising(failure())
    interceptor = synchronous.BackendInterceptor([backend], backend.find if in_model_id else None)
    with sync_channel(Plain(), interceptor) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            ask_sync(channel, method, metadata("here", "bad"))
        failed: Any = caught.value
        assert failed.code() is grpc.StatusCode.UNKNOWN
        assert ask_sync(channel, method, metadata("here")) == METHODS[method][1]
    assert backend.told == ["model"]


@pytest.mark.parametrize("style", [Plain, Coroutines])
def test_view(style: type[Any]) -> None:
    """A backend can ask the view whatever it asks the context of a synchronous server."""
    answers: dict[str, Any] = {}

    class Curious(LocalBackend):
        def handle_runtime_context(
            self, model_id: str, runtime_context: RuntimeServerContextType
        ) -> None:
            context: Any = runtime_context
            answers["metadata"] = dict(context.invocation_metadata())["x-route"]
            answers["identities"] = context.peer_identities()
            answers["key"] = context.peer_identity_key()
            answers["auth"] = context.auth_context()
            answers["remaining"] = context.time_remaining()
            context.set_trailing_metadata((("x-told", "yes"),))
            context.send_initial_metadata((("x-first", "yes"),))
            answers["callback"] = context.add_callback(lambda: None)
            with pytest.raises(NotImplementedError, match="cancel"):
                context.cancel()

    async def run() -> tuple[Any, Any]:
        async with aio_channel(style(), grpc_aio.BackendInterceptor([Curious()])) as channel:
            client: Any = channel
            call = client.unary_unary("/test/once")(b"", metadata=metadata("here"), timeout=TIMEOUT)
            await call
            return await call.initial_metadata(), await call.trailing_metadata()

    first, last = asyncio.run(run())
    assert ("x-first", "yes") in list(first)
    assert ("x-told", "yes") in list(last)
    assert answers["metadata"] == "here"
    assert answers["remaining"] > 0
    assert answers["callback"] is True
    assert answers["identities"] is None
    assert answers["key"] is None


def test_blocking_backend() -> None:
    """A backend that waits does not block the event loop."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        entered, go_on = asyncio.Event(), asyncio.Event()

        class Waiting(LocalBackend):
            def handle_runtime_context(
                self, model_id: str, runtime_context: RuntimeServerContextType
            ) -> None:
                loop.call_soon_threadsafe(entered.set)
                asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(TIMEOUT)

        async with aio_channel(Coroutines(), grpc_aio.BackendInterceptor([Waiting()])) as channel:
            call = asyncio.ensure_future(ask(channel, "once"))
            await asyncio.wait_for(entered.wait(), TIMEOUT)
            assert not call.done()
            go_on.set()
            await asyncio.wait_for(call, TIMEOUT)

    asyncio.run(run())


HANGING = """
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc.aio

from backend_contract import LocalBackend
from backend_contract.integrations.grpc_aio import BackendInterceptor

entered = threading.Event()


class Hanging(LocalBackend):
    def handle_runtime_context(self, model_id, runtime_context):
        entered.set()
        threading.Event().wait()


async def answer(request, context):
    return request


async def main():
    server = grpc.aio.server(interceptors=[BackendInterceptor([Hanging()])])
    handlers = {"Answer": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/test/Answer")(b"", metadata=[("mm-model-id", "m")])
        await asyncio.wrap_future(pool.submit(entered.wait))
        call.cancel()
        await server.stop(None)


with ThreadPoolExecutor(1) as pool:
    asyncio.run(main())
print("left")
"""


def test_exit_with_hanging_backend() -> None:
    """A backend that never returns does not keep the process from ending."""
    run = run_python(HANGING)
    assert (run.returncode, run.stdout) == (0, "left\n"), run.stderr


def test_threads() -> None:
    """Threads are few, are used again, report failures, and end when nothing refers to them."""
    executor = DaemonThreads(2)
    entered = threading.Barrier(3)
    go_on = threading.Event()

    def call(number: int) -> threading.Thread:
        if number < 2:
            entered.wait(TIMEOUT)
            assert go_on.wait(TIMEOUT)
        return threading.current_thread()

    calls = [executor.submit(call, number) for number in range(20)]
    entered.wait(TIMEOUT)  # both threads are busy, and 18 calls wait
    go_on.set()
    threads = {future.result(TIMEOUT) for future in calls}
    assert len(threads) == 2
    assert isinstance(executor.submit(int, "x").exception(TIMEOUT), ValueError)
    assert executor.submit(call, 2).result(TIMEOUT) in threads
    del executor
    gc.collect()
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def test_dropped_interceptors() -> None:
    """Interceptors that have gone leave no threads behind."""
    before = set(threading.enumerate())

    async def serve() -> None:
        for _ in range(5):
            async with aio_channel(
                Coroutines(), grpc_aio.BackendInterceptor([Router()])
            ) as channel:
                assert await ask(channel, "once") == b"here"

    asyncio.run(serve())
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        if thread.name == "backend_contract":
            thread.join(TIMEOUT)
            assert not thread.is_alive()


def test_attributes_of_handlers() -> None:
    """A handler's own thread pool is used, and other attributes survive."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="own")

    def answer(request: bytes, context: Any) -> bytes:
        return threading.current_thread().name.encode()

    behavior: Any = answer
    behavior.experimental_thread_pool = pool
    handler: Any = grpc.unary_unary_rpc_method_handler(answer)
    interceptor = synchronous.BackendInterceptor([Router()])
    details: Any = None
    wrapped: Any = interceptor.intercept_service(lambda _: handler, details)
    assert wrapped.unary_unary.experimental_thread_pool is pool
    assert wrapped.request_deserializer is handler.request_deserializer
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[interceptor])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test", {"once": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        client: Any = channel
        name = client.unary_unary("/test/once")(b"", metadata=metadata("here"), timeout=TIMEOUT)
    server.stop(None).wait(TIMEOUT)
    assert name.startswith(b"own")


def test_authentication_comes_first() -> None:
    """A call that an earlier interceptor rejects notifies no backend."""
    router = Router()

    class Rejecting(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            async def reject(request: bytes, context: Any) -> None:
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")

            return grpc.unary_unary_rpc_method_handler(reject)

    async def run() -> grpc.StatusCode:
        server = grpc.aio.server(interceptors=[Rejecting(), grpc_aio.BackendInterceptor([router])])
        server.add_generic_rpc_handlers((handler_of(Coroutines()),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.RpcError) as caught:
                await ask(channel, "once")
        await server.stop(None)
        failure: Any = caught.value
        code: grpc.StatusCode = failure.code()
        return code

    assert asyncio.run(run()) is grpc.StatusCode.UNAUTHENTICATED
    assert router.told == []
