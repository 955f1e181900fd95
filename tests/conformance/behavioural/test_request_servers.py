"""Contexts of real requests: what they carry, how long they last, and what happens without."""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fastapi
import grpc
import pytest

from backend_contract._conformance.behavioural import request_servers as contexts
from backend_contract._conformance.behavioural.request_servers import (
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
def test_a_request_carries_what_it_was_made_with(context: Any, kind: Any) -> None:
    with context(kind([("x-a", "1"), ("x-b", "2")])) as made:
        assert (get_metadata(made, "x-a"), get_metadata(made, "x-b")) == ("1", "2")


@both
def test_a_request_may_repeat_a_key_and_carry_nothing(context: Any) -> None:
    with context([("x-a", "1"), ("x-a", "2")]) as made:
        assert values(made, "x-a") == ["1", "2"]
    with context() as made:
        assert values(made, "x-a") == []


def test_bytes_are_sent_as_they_are() -> None:
    with grpc_context({"x-bin": b"\xff\x00"}) as context:
        assert values(context, "x-bin") == [b"\xff\x00"]
    with http_request([("x-a", b"\xff"), ("x-b", "\u00ff")]) as request:
        assert values(request, "x-a") == values(request, "x-b") == ["\u00ff"]
        assert values(request, "accept-encoding") == []  # nothing is added that needs not be


def test_a_request_is_not_in_its_authors_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with http_request():
        pass
    assert [record.name for record in caplog.records if "access" in record.name] == []


def test_a_context_is_what_the_server_made() -> None:
    with grpc_context() as context:
        assert isinstance(context, grpc.ServicerContext)
    with http_request() as request:
        assert isinstance(request, fastapi.Request)


def test_a_call_is_held_open_until_the_block_is_left() -> None:
    ended = threading.Event()
    with grpc_context() as context:
        context.add_callback(ended.set)
        assert context.is_active()
        assert not ended.is_set()
    assert ended.wait(60)


@both
def test_nothing_is_left_of_a_request(context: Any) -> None:
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
def test_what_a_request_cannot_carry_is_refused(context: Any, given: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem), context(given):
        raise AssertionError("there is none")


def test_as_many_requests_as_are_promised_are_held_open_at_the_same_time() -> None:
    servers = RequestServers()
    servers.start()
    with ExitStack() as stack:
        stack.callback(servers.close)
        for kind in servers.kinds:
            requests = [
                stack.enter_context(servers.request(kind, [("x-a", str(number))]))
                for number in range(contexts.AT_ONCE)
            ]
            assert [values(request, "x-a") for request in requests] == [
                [str(number)] for number in range(contexts.AT_ONCE)
            ]
    assert contexts.AT_ONCE > 8  # as many as call at once for BC506


def test_servers_are_started_once_and_again_after_they_were_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []

    class Server:
        def __enter__(self) -> None:
            made.append(f"started {type(self).__name__}")

        def __exit__(self, *error: object) -> None:
            made.append(f"closed {type(self).__name__}")

    class Grpc(Server):
        pass

    class Http(Server):
        pass

    monkeypatch.setattr(contexts, "_GrpcServer", Grpc)
    monkeypatch.setattr(contexts, "_HttpServer", Http)
    servers = RequestServers()
    servers.start()
    servers.start()
    assert made == ["started Grpc", "started Http"]
    servers.close()
    assert made[2:] == ["closed Http", "closed Grpc"]
    servers.start()
    assert made[4:] == made[:2]
    servers.close()


def test_a_server_that_is_closed_lets_go_of_its_requests() -> None:
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
def test_the_kinds_are_those_whose_framework_is_installed(
    missing: tuple[str, ...], kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_what_is_not_installed_is_named(
    context: Any, module: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CouldNotCheckError, match=problem), context():
        raise AssertionError("there is none")


@pytest.mark.parametrize("lacking", ["a_part_of_grpc", "what_grpc_needs"])
def test_what_a_framework_itself_lacks_is_its_own_affair(
    lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grpc.py").write_text(f"import {lacking}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "grpc")
    with pytest.raises(ModuleNotFoundError, match=f"'{lacking}'"), grpc_context():
        raise AssertionError("there is none")


# Threads that read metadata at the same time.


def read_grpc(context: Any) -> Any:
    return dict(context.invocation_metadata())["x-a"]


def read_http(context: Any) -> Any:
    return context.headers["x-a"]


@pytest.mark.parametrize(
    ("context", "read", "is_its_kind"),
    [(grpc_context, read_grpc, is_grpc_context), (http_request, read_http, is_http_context)],
    ids=["grpc", "http"],
)
def test_who_reads_first_waits_for_all_others(
    context: Any, read: Callable[[Any], Any], is_its_kind: Callable[[Any], bool]
) -> None:
    met: list[int] = []
    meeting = threading.Barrier(2, action=lambda: met.append(1))
    with context({"x-a": "1"}) as made, ThreadPoolExecutor(2) as pool:
        at_the_meeting = meeting_at(made, meeting)
        assert is_its_kind(at_the_meeting)
        assert type(made) is not type(at_the_meeting)
        assert list(pool.map(read, [at_the_meeting] * 2)) == ["1", "1"]
        assert met == [1]
        assert read(made) == "1"  # who reads the one it was made of waits for nobody
        meeting.abort()
        assert read(at_the_meeting) == "1"


def test_pairs_keep_their_order() -> None:
    assert pairs({"b": "1", "a": "2"}) == [("b", "1"), ("a", "2")]
    assert pairs(iter([("b", "1"), ("b", "2")])) == [("b", "1"), ("b", "2")]
