from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import fastapi
import grpc
import grpc.aio
import pytest
import starlette.requests
import starlette.websockets
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_contract.runtime_context import (
    get_metadata,
    is_grpc_context,
    is_http_context,
    iter_metadata,
)

Call = Callable[..., Any]


def test_each_kind_of_context_is_told_from_the_other(grpc_call: Call, http_call: Call) -> None:
    def kinds(context: object) -> tuple[bool, bool]:
        return is_grpc_context(context), is_http_context(context)

    assert grpc_call(kinds) == (True, False)
    assert http_call(kinds) == (False, True)


def test_fastapis_request_is_starlettes() -> None:
    assert fastapi.Request is starlette.requests.Request


@pytest.mark.parametrize("key", ["x-route-info", "X-Route-Info", "X-ROUTE-INFO"])
def test_a_key_is_found_in_any_letter_case(grpc_call: Call, http_call: Call, key: str) -> None:
    def look(context: Any) -> str | None:
        return get_metadata(context, key)

    assert grpc_call(look, [("x-route-info", "here")]) == "here"
    assert http_call(look, [(b"X-Route-Info", b"here")]) == "here"


@pytest.mark.parametrize("key", ["absent", "x-route", "x-route-info-bin", "", "\N{SNOWMAN}"])
def test_a_key_that_was_not_sent_is_none(grpc_call: Call, http_call: Call, key: str) -> None:
    def look(context: Any) -> str | None:
        return get_metadata(context, key)

    assert grpc_call(look) is None
    assert grpc_call(look, [("x-route-info", "here")]) is None
    assert http_call(look) is None
    assert http_call(look, [(b"x-route-info", b"here")]) is None


def own(context: Any) -> list[tuple[str, str]]:
    """The pairs of the test's own, without what clients add by themselves."""
    return [(name, value) for name, value in iter_metadata(context) if name.startswith("x-")]


def test_repeated_keys_are_all_there_in_their_order_and_the_first_is_the_one(
    grpc_call: Call, http_call: Call
) -> None:
    metadata = [("x-a", "1"), ("x-b", "2"), ("x-a", "3")]
    headers = [(name.title().encode(), value.encode()) for name, value in metadata]
    assert grpc_call(own, metadata) == metadata
    assert http_call(own, headers) == metadata
    assert grpc_call(lambda context: get_metadata(context, "x-a"), metadata) == "1"
    assert http_call(lambda request: get_metadata(request, "x-a"), headers) == "1"


def test_what_a_client_adds_by_itself_is_there_too(grpc_call: Call, http_call: Call) -> None:
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
def test_binary_metadata_is_text_from_which_the_bytes_can_be_had_again(
    grpc_call: Call, sent: bytes, text: str
) -> None:
    (pair,) = grpc_call(own, [("x-data-bin", sent)])
    assert pair == ("x-data-bin", text)
    assert pair[1].encode("utf-8", "surrogateescape") == sent


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_a_grpc_client_can_send_come_back(grpc_call: Call, sent: bytes) -> None:
    value = grpc_call(lambda context: get_metadata(context, "x-bin"), [("x-bin", sent)])
    assert value.encode("utf-8", "surrogateescape") == sent


# What h11 lets through in the value of a header: anything but control characters.
header_bytes = st.lists(st.integers(0x21, 0x7E) | st.integers(0x80, 0xFF), max_size=60).map(bytes)


@given(header_bytes)
@settings(max_examples=50)
def test_any_bytes_an_http_client_can_send_read_as_fastapi_reads_them(
    http_call: Call, sent: bytes
) -> None:
    def look(request: fastapi.Request) -> tuple[str | None, str]:
        return get_metadata(request, "X-Data"), request.headers["x-data"]

    ours, theirs = http_call(look, [(b"x-data", sent)])
    assert ours == theirs
    assert ours is not None
    assert ours.encode("latin-1") == sent


def test_a_websocket_is_neither_and_the_error_says_so() -> None:
    nobody: Any = None  # to receive from, or to send to
    scope = {"type": "websocket", "headers": []}
    socket: Any = starlette.websockets.WebSocket(scope, receive=nobody, send=nobody)
    assert not is_http_context(socket)
    with pytest.raises(TypeError, match=r"got starlette\.websockets\.WebSocket; .* a WebSocket"):
        get_metadata(socket, "key")


def test_the_context_of_an_asyncio_server_is_neither_and_the_error_says_so() -> None:
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


def test_a_header_that_is_no_ascii_is_found_in_any_letter_case() -> None:
    # No server of today lets one through; Starlette would.
    headers = [(b"x-route", b"one"), ("x-\u00e9".encode("latin-1"), b"two")]
    request: fastapi.Request = fastapi.Request({"type": "http", "headers": headers})
    assert get_metadata(request, "X-\u00c9") == "two"
    assert get_metadata(request, "x-\u00e8") is None
