"""`runtime_context` on arbitrary requests: nothing raises, and keys are never confused."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, StreamEnded, StreamReset
from hypothesis import given, settings
from hypothesis import strategies as st
from request_contexts import GrpcCaller, HttpCaller

from backend_contract.runtime_context import get_metadata, iter_metadata

LETTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)

Pairs = list[tuple[str, str]]


def read_all(context: Any) -> Pairs:
    """Return all pairs, after comparing them with `get_metadata` for every key and similar ones."""
    pairs = list(iter_metadata(context))
    assert all(name == name.lower() for name, _ in pairs)
    keys = {text for name, _ in pairs for text in (name, name.upper(), name + "x", name[:-1])}
    for key in keys:
        first = next((value for name, value in pairs if name == key.lower()), None)
        assert get_metadata(context, key) == first, key
    return pairs


names = st.text(LETTERS, max_size=4).map("x".__add__)
header_values = st.lists(
    st.integers(0x21, 0x7E) | st.integers(0x80, 0xFF), min_size=1, max_size=8
).map(bytes)


@pytest.mark.exhaustive
@given(st.lists(st.tuples(names, header_values), max_size=8))
@settings(max_examples=100)
def test_headers(http_call: HttpCaller, headers: list[tuple[str, bytes]]) -> None:
    """Valid headers arrive as sent."""
    pairs = http_call(read_all, [(name.encode(), value) for name, value in headers])
    sent = [(name.lower(), value.decode("latin-1")) for name, value in headers]
    assert [pair for pair in pairs if pair[0] not in ("host", "connection")] == sent


header_lines = st.binary(max_size=40) | st.tuples(names, header_values).map(
    lambda pair: pair[0].encode() + b":" + pair[1]
)


@given(st.lists(header_lines, max_size=6))
@settings(max_examples=150)
def test_raw_headers(http_call: HttpCaller, lines: list[bytes]) -> None:
    """Arbitrary bytes in place of headers raise nothing, unless the server rejects them first."""
    http_call.expect(read_all)
    answer = http_call.send(lines)
    assert len(http_call.results()) == answer.startswith(b"HTTP/1.1 200")


def test_raw_header_arrives(http_call: HttpCaller) -> None:
    """A valid header that is sent in the same way reaches the function under test."""
    http_call.expect(read_all)
    assert http_call.send([b"X-Raw:\xff"]).startswith(b"HTTP/1.1 200")
    (pairs,) = http_call.results()
    assert ("x-raw", "\xff") in pairs


grpc_names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", max_size=4).map("x".__add__)
text_pairs = st.tuples(
    grpc_names.filter(lambda name: not name.endswith("-bin")), st.text(VISIBLE, max_size=8)
)
binary_pairs = st.tuples(grpc_names.map(lambda name: name + "-bin"), st.binary(max_size=8))


@pytest.mark.exhaustive
@given(st.lists(text_pairs | binary_pairs, max_size=8))
@settings(max_examples=100)
def test_metadata(grpc_call: GrpcCaller, metadata: list[tuple[str, str | bytes]]) -> None:
    """Valid metadata arrives as sent."""
    pairs = grpc_call(read_all, metadata)
    sent = [
        (name, value if isinstance(value, str) else value.decode("utf-8", "surrogateescape"))
        for name, value in metadata
    ]
    assert [pair for pair in pairs if pair[0].startswith("x")] == sent


raw_headers = st.tuples(
    st.binary(min_size=1, max_size=8) | names.map(str.encode) | grpc_names.map(str.encode),
    st.binary(max_size=12),
)


@given(st.lists(raw_headers, max_size=6))
@settings(max_examples=100)
def test_raw_metadata(grpc_call: GrpcCaller, headers: list[tuple[bytes, bytes]]) -> None:
    """Arbitrary bytes in place of metadata raise nothing."""
    send_raw_metadata(grpc_call, headers)


def test_raw_metadata_arrives(grpc_call: GrpcCaller) -> None:
    """Valid metadata that is sent in the same way reaches the function under test."""
    (pairs,) = send_raw_metadata(grpc_call, [(b"x-raw", b"value"), (b"x-bin", b"/w")])
    assert [pair for pair in pairs if pair[0].startswith("x")] == [
        ("x-raw", "value"),
        ("x-bin", "\udcff"),
    ]


def send_raw_metadata(caller: GrpcCaller, headers: Sequence[tuple[bytes, bytes]]) -> list[Pairs]:
    """Make a call with headers that gRPC clients refuse to send; return the pairs received."""
    caller.expect(read_all)
    unchecked = H2Configuration(
        header_encoding=None,
        validate_inbound_headers=False,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    http2 = H2Connection(unchecked)
    http2.initiate_connection()
    with socket.create_connection(("127.0.0.1", caller.port), timeout=30) as connection:
        request = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/test/Call"),
            (b":authority", b"localhost"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
        ]
        http2.send_headers(1, [*request, *headers])
        http2.send_data(1, b"\0\0\0\0\0", end_stream=True)
        is_over = False
        while not is_over:
            connection.sendall(http2.data_to_send())
            received = connection.recv(65536)
            is_over = not received or any(
                isinstance(event, (StreamEnded, StreamReset, ConnectionTerminated))
                for event in http2.receive_data(received)
            )
    return caller.results()
