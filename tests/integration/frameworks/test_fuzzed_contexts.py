"""Whatever a client may send: nothing raises, and no header is taken for another."""

from __future__ import annotations

import socket
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, StreamEnded, StreamReset
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_contract.runtime_context import get_metadata, iter_metadata

Caller = Any  # GrpcCaller or HttpCaller, of the conftest beside this file

LETTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)

Look = dict[str, Any]


def look(context: Any) -> Look:
    """All that can be asked of a context, for what it has and for what is close to it."""
    pairs = list(iter_metadata(context))
    near = {text for name, _ in pairs for text in (name, name.upper(), name + "x", name[:-1])}
    return {"pairs": pairs, "found": {name: get_metadata(context, name) for name in near}}


def as_they_are(seen: Look) -> list[tuple[str, str]]:
    """The pairs, of which every key has to find the first of its own and of no other."""
    pairs: list[tuple[str, str]] = seen["pairs"]
    assert all(name == name.lower() for name, _ in pairs)
    for name, value in seen["found"].items():
        assert value == next((v for n, v in pairs if n == name.lower()), None), name
    return pairs


names = st.text(LETTERS, max_size=4).map("x".__add__)
header_values = st.lists(
    st.integers(0x21, 0x7E) | st.integers(0x80, 0xFF), min_size=1, max_size=8
).map(bytes)


@given(st.lists(st.tuples(names, header_values), max_size=8))
@settings(max_examples=100)
def test_headers_are_what_was_sent(http_call: Caller, headers: list[tuple[str, bytes]]) -> None:
    seen = http_call(look, [(name.encode(), value) for name, value in headers])
    pairs = as_they_are(seen)
    sent = [(name.lower(), value.decode("latin-1")) for name, value in headers]
    assert [pair for pair in pairs if pair[0] not in ("host", "connection")] == sent


def seen_of_raw_headers(http_call: Caller, lines: list[bytes]) -> tuple[list[Look], bytes]:
    """What the server's side saw of a request with these lines, and what it answered."""
    http_call.look, http_call.seen[:] = look, []
    request = b"\r\n".join([b"GET / HTTP/1.1", b"host: localhost", b"connection: close", *lines])
    with socket.create_connection(("127.0.0.1", http_call.port), timeout=30) as connection:
        try:
            connection.sendall(request + b"\r\n\r\n")
            answer = connection.makefile("rb").read()
        except ConnectionError:
            answer = b""
    seen, http_call.seen[:] = list(http_call.seen), []
    return seen, answer


header_lines = st.binary(max_size=40) | st.tuples(names, header_values).map(
    lambda pair: pair[0].encode() + b":" + pair[1]
)


@given(st.lists(header_lines, max_size=6))
@settings(max_examples=150)
def test_raw_bytes_in_place_of_headers_raise_nothing(http_call: Caller, lines: list[bytes]) -> None:
    seen, answer = seen_of_raw_headers(http_call, lines)
    assert len(seen) == answer.startswith(b"HTTP/1.1 200")  # or the server has refused it
    for one in seen:
        assert isinstance(one, dict), one
        as_they_are(one)


grpc_names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", max_size=4).map("x".__add__)
text_pairs = st.tuples(
    grpc_names.filter(lambda name: not name.endswith("-bin")), st.text(VISIBLE, max_size=8)
)
binary_pairs = st.tuples(grpc_names.map(lambda name: name + "-bin"), st.binary(max_size=8))


@given(st.lists(text_pairs | binary_pairs, max_size=8))
@settings(max_examples=100)
def test_metadata_is_what_was_sent(
    grpc_call: Caller, metadata: list[tuple[str, str | bytes]]
) -> None:
    pairs = as_they_are(grpc_call(look, metadata))
    sent = [
        (name, value if isinstance(value, str) else value.decode("utf-8", "surrogateescape"))
        for name, value in metadata
    ]
    assert [pair for pair in pairs if pair[0].startswith("x")] == sent


raw_headers = st.tuples(
    st.binary(min_size=1, max_size=8) | names.map(str.encode) | grpc_names.map(str.encode),
    st.binary(max_size=12),
)


def seen_of_raw_metadata(grpc_call: Caller, headers: list[tuple[bytes, bytes]]) -> list[Look]:
    """What the server's side saw of a call that no gRPC client would make."""
    grpc_call.look, grpc_call.seen[:] = look, []
    unchecked = H2Configuration(
        header_encoding=None,
        validate_inbound_headers=False,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    http2 = H2Connection(unchecked)
    http2.initiate_connection()
    host, _, port = grpc_call.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        request = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/test/Call"),
            (b":authority", b"localhost"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
        ]
        http2.send_headers(1, request + headers)
        http2.send_data(1, b"\0\0\0\0\0", end_stream=True)
        over = False
        while not over:
            connection.sendall(http2.data_to_send())
            received = connection.recv(65536)
            over = not received or any(
                isinstance(event, (StreamEnded, StreamReset, ConnectionTerminated))
                for event in http2.receive_data(received)
            )
    seen, grpc_call.seen[:] = list(grpc_call.seen), []
    return seen


@given(st.lists(raw_headers, max_size=6))
@settings(max_examples=50)
def test_raw_bytes_in_place_of_metadata_raise_nothing(
    grpc_call: Caller, headers: list[tuple[bytes, bytes]]
) -> None:
    for seen in seen_of_raw_metadata(grpc_call, headers):
        assert isinstance(seen, dict), seen
        as_they_are(seen)


def test_raw_requests_do_arrive(grpc_call: Caller, http_call: Caller) -> None:
    """Or what is shown of them above would be nothing."""
    (seen,), answer = seen_of_raw_headers(http_call, [b"X-Raw:\xff"])
    assert ("x-raw", "\xff") in seen["pairs"]
    assert answer.startswith(b"HTTP/1.1 200")
    (seen,) = seen_of_raw_metadata(grpc_call, [(b"x-raw", b"value"), (b"x-bin", b"/w")])
    assert [pair for pair in seen["pairs"] if pair[0].startswith("x")] == [
        ("x-raw", "value"),
        ("x-bin", "\udcff"),
    ]
