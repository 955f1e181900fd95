"""Contexts of real requests: content, lifetime, and errors without a framework."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import fastapi
import grpc
import pytest

from backend_contract._conformance import request_servers
from backend_contract._conformance.request_servers import (
    RequestServers,
    meeting_at,
    pairs,
)
from backend_contract.errors import CouldNotCheckError
from backend_contract.runtime_context import get_metadata, is_grpc_context, is_http_context
from backend_contract.testing import grpc_context, http_request

both = pytest.mark.parametrize("context", [grpc_context, http_request], ids=["grpc", "http"])


def values(context: Any, key: str) -> list[Any]:
    if is_grpc_context(context):
        return [value for name, value in context.invocation_metadata() or () if name == key]
    headers: Any = context.headers
    return [value.decode("latin-1") for name, value in headers.raw if name == key.encode()]


@both
@pytest.mark.parametrize("kind", [dict, list, iter], ids=["a mapping", "pairs", "an iterator"])
def test_carries_metadata(context: Any, kind: Any) -> None:
    """A request carries its metadata, given in any form."""
    with context(kind([("x-a", "1"), ("x-b", "2")])) as made:
        assert (get_metadata(made, "x-a"), get_metadata(made, "x-b")) == ("1", "2")


@both
def test_repeated_key(context: Any) -> None:
    """A request may repeat a key, or carry nothing."""
    with context([("x-a", "1"), ("x-a", "2")]) as made:
        assert values(made, "x-a") == ["1", "2"]
    with context() as made:
        assert values(made, "x-a") == []


def test_bytes() -> None:
    """Bytes are sent unchanged."""
    with grpc_context({"x-bin": b"\xff\x00"}) as context:
        assert values(context, "x-bin") == [b"\xff\x00"]
    with http_request([("x-a", b"\xff"), ("x-b", "\u00ff")]) as request:
        assert values(request, "x-a") == values(request, "x-b") == ["\u00ff"]
        assert values(request, "accept-encoding") == []  # no needless header is added


def test_no_access_log(caplog: pytest.LogCaptureFixture) -> None:
    """A request leaves no line in the access log."""
    caplog.set_level(logging.INFO)
    with http_request():
        pass
    assert [record.name for record in caplog.records if "access" in record.name] == []


def test_real_types() -> None:
    """A context is an instance of the framework's own class."""
    with grpc_context() as context:
        assert isinstance(context, grpc.ServicerContext)
    with http_request() as request:
        assert isinstance(request, fastapi.Request)


def sockets() -> Iterator[socket.socket]:
    """Yield a copy of each socket that this process has open."""
    for number in os.listdir("/proc/self/fd"):
        try:
            copied = socket.socket(fileno=os.dup(int(number)))
        except OSError:  # not a socket, or the list itself
            continue
        with copied:
            yield copied


@pytest.mark.skipif(sys.platform != "linux", reason="lists open sockets in /proc")
def test_small_answers_are_sent_at_once() -> None:
    """The server's end of a connection has TCP_NODELAY: no answer waits for an acknowledgement."""
    with http_request() as request:
        server, client = tuple(request.scope["server"]), tuple(request.scope["client"])
        delays = [
            each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for each in sockets()
            if each.family == socket.AF_INET and each.getsockname() == server
            if each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0
            if each.getpeername() == client
        ]
    assert len(delays) == 1
    assert delays[0]


def test_held_open() -> None:
    """A call is active until the block is left."""
    ended = threading.Event()
    with grpc_context() as context:
        context.add_callback(ended.set)
        assert context.is_active()
        assert not ended.is_set()
    assert ended.wait(60)


@both
def test_no_threads_left(context: Any) -> None:
    """A request leaves no thread running."""
    before = set(threading.enumerate())
    with context():
        pass
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("context", "given", "problem"),
    [
        (grpc_context, {"x-a": 3}, r"gRPC cannot send {'x-a': 3} as metadata: "),
        (grpc_context, {"X-A": "1"}, r"{'X-A': '1'}.* as metadata: .+"),
        (http_request, {"x-a": "1\r\n2"}, r"HTTP cannot carry {'x-a': '1.*'} as headers: "),
        (http_request, {"x-a": "1\x002"}, r"{'x-a': .*} as headers was answered with 400"),
    ],
    ids=["a number", "upper case", "two lines", "a control character"],
)
def test_invalid_metadata(context: Any, given: Any, problem: str) -> None:
    """Metadata that cannot be sent is a ValueError."""
    with pytest.raises(ValueError, match=problem), context(given):
        raise AssertionError("no context was expected")


def test_requests_at_once() -> None:
    """A server holds the promised number of requests open."""
    servers = RequestServers()
    servers.start()
    with ExitStack() as stack:
        stack.callback(servers.close)
        for kind in servers.kinds:
            requests = [
                stack.enter_context(servers.request(kind, [("x-a", str(number))]))
                for number in range(request_servers.AT_ONCE)
            ]
            assert [values(request, "x-a") for request in requests] == [
                [str(number)] for number in range(request_servers.AT_ONCE)
            ]
    assert request_servers.AT_ONCE > 8  # the number of concurrent callers for BC506


def test_start_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Servers are started once, and again after they were closed."""
    made: list[str] = []

    class Server:
        def __enter__(self) -> None:
            made.append(f"started {type(self).__name__}")

        def __exit__(self, *error: object) -> None:
            made.append(f"closed {type(self).__name__}")

        @contextmanager
        def request(self, metadata: Any) -> Iterator[None]:
            yield

    class Grpc(Server):
        pass

    class Http(Server):
        pass

    monkeypatch.setattr(request_servers, "_GrpcServer", Grpc)
    monkeypatch.setattr(request_servers, "_HttpServer", Http)
    servers = RequestServers()
    servers.start()
    servers.start()
    assert made == ["started Grpc", "started Http"]
    servers.close()
    assert made[2:] == ["closed Http", "closed Grpc"]
    servers.start()
    assert made[4:] == made[:2]
    servers.close()


def test_server_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that cannot be started is a problem of its kind alone."""

    def blocked(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("sockets are\nblocked")

    monkeypatch.setattr(socket, "create_server", blocked)
    servers = RequestServers()
    servers.start()
    assert servers.kinds == ("grpc", "http")
    assert servers.problems == {"http": "RuntimeError: sockets are blocked"}
    with servers.request("grpc", [("x-a", "1")]) as context:
        assert values(context, "x-a") == ["1"]
    servers.close()


def test_mocked_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that a test has replaced is a problem of its kind alone."""
    monkeypatch.setitem(sys.modules, "grpc", MagicMock())
    servers = RequestServers()
    servers.start()
    assert servers.kinds == ("grpc", "http")
    assert list(servers.problems) == ["grpc"]
    servers.close()


def test_short_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn, which sleeps for 0.1 s while it ends, is not let sleep for longer than 0.01 s."""
    real, delays = asyncio.SelectorEventLoop.call_later, list[float]()

    def call_later(loop: Any, delay: float, *arguments: Any, **named: Any) -> Any:
        if threading.current_thread().name == "backend-contract-http":  # not a loop of other tests
            delays.append(delay)
        return real(loop, delay, *arguments, **named)

    monkeypatch.setattr(asyncio.BaseEventLoop, "call_later", call_later)
    servers = RequestServers()
    servers.start()
    with servers.request("http"):  # by then it has slept
        pass
    servers.close()
    assert delays
    assert max(delays) <= 0.01


def test_close_releases_requests() -> None:
    """Closing releases the requests that are held open."""
    servers = RequestServers()
    servers.start()
    holding = [servers.request(kind) for kind in servers.kinds]
    for request in holding:
        request.__enter__()
    servers.close()
    for request in holding:
        request.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("missing", "kinds"),
    [
        ((), ("grpc", "http")),
        (("grpc",), ("http",)),
        (("fastapi",), ("grpc",)),
        (("uvicorn",), ("grpc",)),
        (("grpc", "uvicorn"), ()),
    ],
    ids=" ".join,
)
def test_kinds(
    missing: tuple[str, ...], kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kinds are those with an installed framework."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else find(name)
    )
    assert RequestServers().kinds == kinds


@pytest.mark.parametrize(
    ("context", "module", "problem"),
    [
        (grpc_context, "grpc", r"grpcio is not installed; .* 'backend-contract\[grpc\]'"),
        (http_request, "fastapi", r"FastAPI is not installed; .* 'backend-contract\[fastapi\]'"),
        (http_request, "uvicorn", r"uvicorn is not installed; .* 'backend-contract\[fastapi\]'"),
    ],
)
def test_missing_framework(
    context: Any, module: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing framework is an error that names the extra."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CouldNotCheckError, match=problem), context():
        raise AssertionError("no context was expected")


@pytest.mark.parametrize("lacking", ["a_part_of_grpc", "what_grpc_needs"])
def test_broken_framework(lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import error inside a framework propagates unchanged."""
    (tmp_path / "grpc.py").write_text(f"import {lacking}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "grpc")
    with pytest.raises(ModuleNotFoundError, match=f"'{lacking}'"), grpc_context():
        raise AssertionError("no context was expected")


# Concurrent readers of metadata.


def read_grpc(context: Any) -> Any:
    return dict(context.invocation_metadata())["x-a"]


def read_http(context: Any) -> Any:
    return context.headers["x-a"]


@pytest.mark.parametrize(
    ("context", "read", "is_its_kind"),
    [(grpc_context, read_grpc, is_grpc_context), (http_request, read_http, is_http_context)],
    ids=["grpc", "http"],
)
def test_meeting(
    context: Any, read: Callable[[Any], Any], is_its_kind: Callable[[Any], bool]
) -> None:
    """Readers of metadata wait for each other, until the meeting is aborted."""
    met: list[int] = []
    meeting = threading.Barrier(2, action=lambda: met.append(1))
    with context({"x-a": "1"}) as made, ThreadPoolExecutor(2) as pool:
        at_the_meeting = meeting_at(made, meeting)
        assert is_its_kind(at_the_meeting)
        for reader in ("invocation_metadata", "headers"):  # by which a backend may tell them apart
            assert hasattr(type(at_the_meeting), reader) is hasattr(type(made), reader)
        assert type(made) is not type(at_the_meeting)
        assert list(pool.map(read, [at_the_meeting] * 2)) == ["1", "1"]
        assert met == [1]
        assert read(made) == "1"  # the original context does not block
        meeting.abort()
        assert read(at_the_meeting) == "1"


def test_pairs() -> None:
    """Pairs keep their order."""
    assert pairs({"b": "1", "a": "2"}) == [("b", "1"), ("a", "2")]
    assert pairs(iter([("b", "1"), ("b", "2")])) == [("b", "1"), ("b", "2")]
