"""The example on a real gRPC server."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

ROOT = Path(__file__).parents[3]


def load_example() -> Any:
    path = ROOT / "examples/text_generation_backend.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TextGenerationBackend = load_example().TextGenerationBackend


@pytest.fixture
def server_address() -> Iterator[str]:
    """A server that answers with the prompt turned round, and the route of the request."""

    def generate(request: bytes, context: grpc.ServicerContext) -> bytes:
        route = str(dict(context.invocation_metadata()).get("x-route-info", "nowhere"))
        return request[::-1] + b" by " + route.encode()

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(generate)
    server = grpc.server(ThreadPoolExecutor(4))
    port = server.add_insecure_port("localhost:0")
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("model", {"Generate": handler})]
    )
    server.start()
    yield f"localhost:{port}"
    server.stop(None).wait(30)


def test_it_generates_on_a_real_server_by_the_route_of_the_request(
    server_address: str, grpc_call: Callable[..., Any]
) -> None:
    backend = TextGenerationBackend({"connection": {"address": server_address, "timeout": 60}})
    assert not backend.is_started
    backend.start()
    assert backend.is_started
    assert backend.generate("model", "abc") == "cba by nowhere"

    def tell(context: grpc.ServicerContext) -> None:
        backend.handle_runtime_context("model", context)

    grpc_call(tell, [("x-route-info", "here")])
    assert backend.generate("model", "abc") == "cba by here"
    grpc_call(tell)  # a request that does not say changes nothing
    assert backend.generate("model", "abc") == "cba by here"
    backend.stop()
    assert not backend.is_started
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        backend.generate("model", "abc")


def test_it_opens_one_channel_however_many_threads_start_it(
    server_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = grpc.insecure_channel

    def counting(address: str) -> grpc.Channel:
        opened.append(address)
        return real(address)

    monkeypatch.setattr(grpc, "insecure_channel", counting)
    backend = TextGenerationBackend({"connection": {"address": server_address, "timeout": 60}})
    everybody = threading.Barrier(8)

    def start() -> None:
        everybody.wait(30)
        backend.start()

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(start) for _ in range(8)]:
            future.result(60)
    assert opened == [server_address]
    backend.stop()
    backend.stop()


def test_a_server_that_is_down_fails_the_start_and_not_the_next_one(server_address: str) -> None:
    with socket.socket() as taken:  # and nobody listens on it
        taken.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{taken.getsockname()[1]}"
        backend = TextGenerationBackend({"connection": {"address": nowhere, "timeout": 0.2}})
        with pytest.raises(grpc.FutureTimeoutError):
            backend.start()
    assert not backend.is_started
    backend.register_config({"connection": {"address": server_address, "timeout": 30}})
    backend.start()
    assert backend.generate("model", "abc") == "cba by nowhere"
    backend.stop()
