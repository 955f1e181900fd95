"""Contexts of real requests, for tests: from a grpcio server, and from FastAPI under uvicorn.

Each is the object that a runtime gives to a backend: the server creates it for a request that a
client sends over the loopback interface. It is valid within the ``with`` block, which holds the
request open. Thread-safe.
"""

from __future__ import annotations

import copy
import functools
import http.client
import importlib
import importlib.util
import itertools
import os
import socket
import sys
import threading
import types
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from backend_contract._conformance import real_time
from backend_contract.errors import CouldNotCheckError
from backend_contract.runtime_context import (
    GrpcContextType,
    HttpContextType,
    RuntimeServerContextType,
)

if TYPE_CHECKING:
    import grpc
    from typing_extensions import Self

Pairs: TypeAlias = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]
"""Metadata or headers: a mapping, or pairs of a key and a value, which may repeat a key."""

ContextT = TypeVar("ContextT")

AT_ONCE = 16
"""The number of requests that a server can hold open at the same time."""

NO_FORK_HANDLERS = ("GRPC_ENABLE_FORK_SUPPORT", "0")
"""An environment variable and its value, to be set before grpcio is imported.

Without it, grpcio restarts its threads in every forked child, which may abort the child or keep it
from ending (https://github.com/grpc/grpc/issues/43055). A backend that forks would be blamed.
"""

_PATIENCE = 30
"""Seconds after which a server on this machine is considered to be broken."""


@contextmanager
def grpc_context(metadata: Pairs = ()) -> Generator[GrpcContextType]:
    """Yield the ``grpc.ServicerContext`` of a call with *metadata*, which is held open.

    Keys are lower case; the value of a key that ends in ``-bin`` is ``bytes``.

    Raises :class:`~backend_contract.testing.CouldNotCheckError` if grpcio is not installed, and
    :class:`ValueError` if gRPC cannot send *metadata*.
    """
    with _GrpcServer() as server, server.request(metadata) as context:
        yield context


@contextmanager
def http_request(headers: Pairs = ()) -> Generator[HttpContextType]:
    """Yield the ``fastapi.Request`` of a request with *headers*, which is held open.

    ``bytes`` are sent unchanged, strings are encoded as Latin-1.

    Raises :class:`~backend_contract.testing.CouldNotCheckError` if FastAPI or uvicorn is not
    installed, and :class:`ValueError` if HTTP cannot carry *headers*.
    """
    with _HttpServer() as server, server.request(headers) as request:
        yield request


def meeting_at(
    context: RuntimeServerContextType, meeting: threading.Barrier
) -> RuntimeServerContextType:
    """Return a copy of *context* whose readers of metadata meet at *meeting*.

    Reading blocks until all parties read. If the barrier is broken, because a backend admits one
    reader at a time, reading does not block.
    """

    def meet() -> None:
        with suppress(threading.BrokenBarrierError):
            meeting.wait()

    real: Any = type(context)  # one of two classes, unknown to a checker

    def invocation_metadata(self: Any) -> object:
        meet()
        return real.invocation_metadata(self)

    def headers(self: Any) -> object:
        meet()
        return real.headers.fget(self)

    # Only what the real one has: a backend may tell them apart by it.
    is_grpc = hasattr(real, "invocation_metadata")
    reader: dict[str, object] = (
        {"invocation_metadata": invocation_metadata} if is_grpc else {"headers": property(headers)}
    )
    names = {name: getattr(real, name) for name in ("__module__", "__qualname__")}
    copied = copy.copy(context)
    copied.__class__ = type(real.__name__, (real,), {**names, **reader})
    return copied


class RequestServers:
    """A gRPC and an HTTP server, which run between :meth:`start` and :meth:`close`."""

    def __init__(self) -> None:
        self._servers: dict[str, _GrpcServer | _HttpServer] = {}
        self._stack = ExitStack()
        self.problems: dict[str, str] = {}
        """Why no request of a kind can be made here, by kind."""

    def start(self) -> None:
        """Start the servers whose framework is installed, unless they are running.

        If a server cannot be started, or does not answer, :attr:`problems` says why.
        """
        for kind in self.kinds:
            self._start_if_possible(kind)

    def start_one(self) -> str | None:
        """Start the first server that can be; return its kind, or ``None`` if none can."""
        return next(filter(self._start_if_possible, self.kinds), None)

    def _start_if_possible(self, kind: str) -> bool:
        if kind not in self._servers and kind not in self.problems:
            server = _GrpcServer() if kind == "grpc" else _HttpServer()
            try:
                with ExitStack() as stack:
                    stack.enter_context(server)
                    with server.request(()):
                        pass
                    self._stack.push(stack.pop_all())
                self._servers[kind] = server
            except Exception as error:  # of a socket blocker or a mocked module: anything
                self.problems[kind] = " ".join(f"{type(error).__name__}: {error}".split())
        return kind in self._servers

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of context (``grpc``, ``http``) whose framework is installed."""
        return tuple(
            kind
            for kind, modules in {"grpc": ("grpc",), "http": ("fastapi", "uvicorn")}.items()
            if all(map(_is_installed, modules))
        )

    @contextmanager
    def request(self, kind: str, metadata: Pairs = ()) -> Generator[RuntimeServerContextType]:
        """Yield the context of a request of *kind* with *metadata*, which is held open."""
        with self._servers[kind].request(metadata) as context:
            yield context

    def close(self) -> None:
        """Stop the servers and end the requests that they hold open. Idempotent."""
        self._stack.close()
        self._servers.clear()


@functools.cache
def load_frameworks() -> None:
    """Serve once, if time may be frozen later: FastAPI cannot be loaded while it is."""
    if "freezegun" in sys.modules:
        with closing(RequestServers()) as servers:
            servers.start()


class _Held(Generic[ContextT]):
    """A request that waits in its server until it is released."""

    def __init__(self) -> None:
        self.context: Future[ContextT] = Future()
        self.released = threading.Event()

    def wait(self, context: ContextT) -> None:
        """Hand out the context, and keep it valid until it is released. Called by the server."""
        self.context.set_result(context)
        self.released.wait()

    def fail(self, error: Exception) -> None:
        """Report that the request failed before it was served. Called by the client."""
        if not self.context.done():
            self.context.set_exception(error)


class _Server(Generic[ContextT]):
    """The common part of both servers: requests by number, each held open until released."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._held: dict[str, _Held[ContextT]] = {}

    @contextmanager
    def _holding(self) -> Generator[tuple[str, _Held[ContextT]]]:
        number, held = str(next(self._numbers)), _Held[ContextT]()
        self._held[number] = held
        try:
            yield number, held
        finally:
            held.released.set()
            del self._held[number]

    def _release_all(self) -> None:
        for held in list(self._held.values()):
            held.released.set()


class _GrpcServer(_Server[GrpcContextType]):
    """A grpcio server with one method, which waits."""

    _SERVICE, _METHOD = "backend_contract.Contexts", "Hold"

    def __enter__(self) -> Self:
        os.environ.setdefault(*NO_FORK_HANDLERS)
        grpc = _installed("grpc", "grpcio", extra="grpc")
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="backend-contract-grpc")
        self._server = grpc.server(self._pool)
        port = self._server.add_insecure_port("127.0.0.1:0")
        handler = grpc.unary_unary_rpc_method_handler(self._serve)
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(self._SERVICE, {self._METHOD: handler})]
        )
        self._server.start()
        # A proxy that is set in the environment is not for this machine.
        options = [("grpc.enable_http_proxy", 0)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
        return self

    def __exit__(self, *_: object) -> None:
        self._release_all()
        self._server.stop(_PATIENCE).wait(_PATIENCE)
        self._channel.close()
        self._pool.shutdown()

    def _serve(self, number: bytes, context: grpc.ServicerContext) -> bytes:
        self._held[number.decode()].wait(context)
        return b""

    @contextmanager
    def request(self, metadata: Pairs) -> Generator[GrpcContextType]:
        """Yield the context of a call with *metadata*."""
        with self._holding() as (number, held):
            call = self._channel.unary_unary(f"/{self._SERVICE}/{self._METHOD}")
            try:
                answer = call.future(number.encode(), metadata=tuple(pairs(metadata)))
            except (TypeError, ValueError) as error:
                raise ValueError(f"gRPC cannot send {metadata!r} as metadata: {error}") from None

            def report_failure(answer: Any) -> None:
                if answer.exception() is not None:
                    held.fail(ValueError(f"{metadata!r} as metadata: {answer.details()}"))

            answer.add_done_callback(report_failure)
            yield held.context.result(_PATIENCE)


class _HttpServer(_Server[HttpContextType]):
    """A FastAPI application under uvicorn, with one route, which waits."""

    def __enter__(self) -> Self:
        fastapi = _installed("fastapi", "FastAPI", extra="fastapi")
        uvicorn = _installed("uvicorn", "uvicorn", extra="fastapi")

        def hold(number: str, request: HttpContextType) -> None:
            self._held[number].wait(request)

        # As objects: FastAPI would look up their names in this module.
        hold.__annotations__.update(number=str, request=fastapi.Request)
        app = fastapi.FastAPI(openapi_url=None)
        app.add_api_route("/{number}", hold)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=AT_ONCE)
        # Or every second part of an answer waits until the client has acknowledged the first one.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        configuration = uvicorn.Config(
            app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False
        )
        self._server = uvicorn.Server(configuration)
        self._thread = threading.Thread(target=self._run, name="backend-contract-http")
        self._thread.start()
        return self

    def _run(self) -> None:
        import asyncio

        class EventLoop(asyncio.SelectorEventLoop):
            def time(self) -> float:  # or, if a test has frozen time, the server would not end
                return real_time.monotonic()

            # The types of the arguments depend on each other. uvicorn would end up to 0.2 s later.
            def call_later(self, delay: float, *args: Any, **named: Any) -> Any:  # type: ignore[override]
                return super().call_later(min(delay, 0.01), *args, **named)

        with closing(EventLoop()) as loop:
            loop.run_until_complete(self._server.serve([self._socket]))

    def __exit__(self, *_: object) -> None:
        self._release_all()
        self._server.should_exit = True
        self._thread.join(_PATIENCE)
        self._socket.close()

    @contextmanager
    def request(self, headers: Pairs) -> Generator[HttpContextType]:
        """Yield the request object of a request with *headers*."""
        host, port = self._socket.getsockname()
        with (
            self._holding() as (number, held),
            closing(http.client.HTTPConnection(host, port, timeout=_PATIENCE)) as connection,
        ):
            connection.putrequest("GET", f"/{number}", skip_accept_encoding=True)
            try:
                for name, value in pairs(headers):
                    connection.putheader(name, value)
            except ValueError as error:
                raise ValueError(f"HTTP cannot carry {headers!r} as headers: {error}") from None
            connection.endheaders()

            def read() -> None:
                status = connection.getresponse().status
                held.fail(ValueError(f"{headers!r} as headers was answered with {status}"))

            reader = threading.Thread(target=read, name="backend-contract-http-client")
            reader.start()
            try:
                yield held.context.result(_PATIENCE)
            finally:
                held.released.set()
                reader.join(_PATIENCE)


def pairs(of: Pairs) -> list[tuple[str, str | bytes]]:
    """Return metadata or headers as pairs, in their order."""
    if isinstance(of, Mapping):
        return list(cast("Mapping[str, str | bytes]", of).items())
    return list(of)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # a test has put something else in its place
        return sys.modules.get(module) is not None


def _installed(module: str, distribution: str, extra: str) -> Any:
    """Import a module of a framework. ``Any``, since the stubs lack the server's parts."""
    try:
        imported: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise CouldNotCheckError(
            f"{distribution} is not installed; install it with: "
            f"{sys.executable} -m pip install 'backend-contract[{extra}]'"
        ) from None
    if not isinstance(imported, types.ModuleType):
        raise CouldNotCheckError(f"{imported!r} has taken the place of the module {module}")
    return imported
