"""`runtime_context` on the contexts of real gRPC calls and HTTP requests."""

from __future__ import annotations

import asyncio
from typing import Any

import fastapi
import grpc
import grpc.aio
import pytest
import starlette.requests
import starlette.websockets
from hypothesis import given, settings
from hypothesis import strategies as st
from request_contexts import GrpcCaller, HttpCaller

from backend_contract.runtime_context import (
    get_metadata,
    is_grpc_context,
    is_http_context,
    iter_metadata,
)


def test_kinds_of_context(grpc_call: GrpcCaller, http_call: HttpCaller) -> None:
    """Each predicate accepts contexts of its protocol only."""

    def kinds(context: object) -> tuple[bool, bool]:
        return is_grpc_context(context), is_http_context(context)

    assert grpc_call(kinds) == (True, False)
    assert http_call(kinds) == (False, True)


def test_fastapi_request_is_starlettes() -> None:
    """FastAPI's `Request` is Starlette's class, which `is_http_context` looks up."""
    assert fastapi.Request is starlette.requests.Request


@pytest.mark.parametrize("key", ["x-route-info", "X-Route-Info", "X-ROUTE-INFO"])
def test_letter_case(grpc_call: GrpcCaller, http_call: HttpCaller, key: str) -> None:
    """Keys are found in any letter case."""

    def look(context: Any) -> str | None:
        return get_metadata(context, key)

    assert grpc_call(look, [("x-route-info", "here")]) == "here"
    assert http_call(look, [(b"X-Route-Info", b"here")]) == "here"


@pytest.mark.parametrize("key", ["absent", "x-route", "x-route-info-bin", "", "\N{SNOWMAN}"])
def test_absent_key(grpc_call: GrpcCaller, http_call: HttpCaller, key: str) -> None:
    """A key that was not sent yields None, even if another one starts alike."""

    def look(context: Any) -> str | None:
        return get_metadata(context, key)

    assert grpc_call(look) is None
    assert grpc_call(look, [("x-route-info", "here")]) is None
    assert http_call(look) is None
    assert http_call(look, [(b"x-route-info", b"here")]) is None


def sent_by_test(context: Any) -> list[tuple[str, str]]:
    """Return the pairs that the test sent, without those that clients add."""
    return [(name, value) for name, value in iter_metadata(context) if name.startswith("x-")]


def test_repeated_keys(grpc_call: GrpcCaller, http_call: HttpCaller) -> None:
    """Repeated keys keep their order, and `get_metadata` returns the first value."""
    metadata = [("x-a", "1"), ("x-b", "2"), ("x-a", "3")]
    headers = [(name.title().encode(), value.encode()) for name, value in metadata]
    assert grpc_call(sent_by_test, metadata) == metadata
    assert http_call(sent_by_test, headers) == metadata
    assert grpc_call(lambda context: get_metadata(context, "x-a"), metadata) == "1"
    assert http_call(lambda request: get_metadata(request, "x-a"), headers) == "1"


def test_keys_of_clients(grpc_call: GrpcCaller, http_call: HttpCaller) -> None:
    """Keys that clients add themselves are included."""
    assert "user-agent" in grpc_call(lambda context: dict(iter_metadata(context)))
    assert http_call(lambda request: dict(iter_metadata(request)))["host"] == "localhost"


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"plain", "plain"),
        ("Größe \N{SNOWMAN}".encode(), "Größe \N{SNOWMAN}"),
        (b"\xff\x00\xfe", "\udcff\x00\udcfe"),
        (b"", ""),
    ],
)
def test_binary_metadata(grpc_call: GrpcCaller, sent: bytes, text: str) -> None:
    """Binary metadata is decoded as UTF-8, with surrogate escapes that restore the bytes."""
    (pair,) = grpc_call(sent_by_test, [("x-data-bin", sent)])
    assert pair == ("x-data-bin", text)
    assert pair[1].encode("utf-8", "surrogateescape") == sent


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_binary_metadata(grpc_call: GrpcCaller, sent: bytes) -> None:
    """All bytes that a gRPC client can send can be restored."""
    value = grpc_call(lambda context: get_metadata(context, "x-bin"), [("x-bin", sent)])
    assert value.encode("utf-8", "surrogateescape") == sent


# h11 accepts anything but control characters in the value of a header.
header_bytes = st.lists(st.integers(0x21, 0x7E) | st.integers(0x80, 0xFF), max_size=60).map(bytes)


@given(header_bytes)
@settings(max_examples=50)
def test_any_header_value(http_call: HttpCaller, sent: bytes) -> None:
    """All bytes that an HTTP client can send are decoded as FastAPI decodes them."""

    def look(request: fastapi.Request) -> tuple[str | None, str]:
        return get_metadata(request, "X-Data"), request.headers["x-data"]

    ours, fastapis = http_call(look, [(b"x-data", sent)])
    assert ours == fastapis
    assert ours is not None
    assert ours.encode("latin-1") == sent


def test_websocket() -> None:
    """A WebSocket is not an HTTP context; the error names it."""
    unused: Any = None
    scope = {"type": "websocket", "headers": []}
    websocket: Any = starlette.websockets.WebSocket(scope, receive=unused, send=unused)
    assert not is_http_context(websocket)
    with pytest.raises(TypeError, match=r"got starlette\.websockets\.WebSocket; .* a WebSocket"):
        get_metadata(websocket, "key")


def test_asyncio_context() -> None:
    """The context of a grpc.aio server is not a gRPC context; the error names it."""

    async def call() -> tuple[bool, str]:
        seen: list[tuple[bool, str]] = []

        async def handle(request: bytes, context: Any) -> bytes:
            with pytest.raises(TypeError) as error:
                iter_metadata(context)
            seen.append((is_grpc_context(context), str(error.value)))
            return b""

        server = grpc.aio.server()
        port = server.add_insecure_port("localhost:0")
        handler: Any = grpc.unary_unary_rpc_method_handler(handle)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test", {"Call": handler}),)
        )
        await server.start()
        async with grpc.aio.insecure_channel(f"localhost:{port}") as channel:
            call: Any = channel.unary_unary("/test/Call")
            await call(b"", timeout=30)
        await server.stop(None)
        return seen[0]

    is_context, message = asyncio.run(call())
    assert not is_context
    assert "got grpc._cython.cygrpc._ServicerContext; a grpc.aio context" in message


def test_non_ascii_key() -> None:
    """Non-ASCII keys are found in any letter case, too."""
    # Today's servers reject them; Starlette does not.
    headers = [(b"x-route", b"one"), ("x-\u00e9".encode("latin-1"), b"two")]
    request: fastapi.Request = fastapi.Request({"type": "http", "headers": headers})
    assert get_metadata(request, "X-\u00c9") == "two"
    assert get_metadata(request, "x-\u00e8") is None
