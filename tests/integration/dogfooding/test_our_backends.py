"""The conformance kit on this package's own backends and examples, as a user runs it.

``nox -s frameworks`` copies this file to an empty directory, with the examples beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from structural_backend import EchoBackend
from text_generation_backend import TextGenerationBackend

from backend_contract import LocalBackend
from backend_contract.testing import BackendConformance


class WithWorkToDo(BackendConformance):
    """For backends whose ``start`` cannot fail: the hook gives them some work."""

    __test__ = False

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        class Working(type(backend)):  # type: ignore[misc]  # a dynamic base
            def start(self) -> None:
                call()
                super().start()

        backend.__class__ = Working


class TestLocalBackend(WithWorkToDo):
    backend = LocalBackend


class TestEchoBackend(WithWorkToDo):
    backend = EchoBackend

    def received_contexts(self, backend: Any) -> Mapping[str, object]:
        callers: Mapping[str, object] = backend.callers
        return callers


@pytest.fixture(scope="module", autouse=True)
def generation_server() -> Iterator[None]:
    server = grpc.server(ThreadPoolExecutor(2))
    connection = {"address": f"localhost:{server.add_insecure_port('localhost:0')}", "timeout": 60}
    server.start()
    TestTextGenerationBackend.config = {
        "connection": connection,
        "routes": {f"route-{number}": connection for number in range(16)},
    }
    yield
    server.stop(None).wait(30)


class TestTextGenerationBackend(BackendConformance):
    backend = TextGenerationBackend

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        test = backend._test

        def call_and_test(*arguments: object) -> None:
            call()
            test(*arguments)

        backend._test = call_and_test

    def received_contexts(self, backend: Any) -> Mapping[str, object]:
        routes: Mapping[str, object] = backend._route_of
        return routes
