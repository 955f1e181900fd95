"""The conformance kit on this package's own backends and examples, as a user runs it.

``nox -s kit`` copies this file to an empty directory, with the examples beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from structural_backend import EchoBackend
from text_generation_backend import TextGenerationBackend

from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.testing import BackendConformance


class WithWorkToDo(BackendConformance):
    """For backends whose ``start`` cannot fail: the hook gives them some work."""

    __test__ = False

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        class Working(type(backend)):  # type: ignore[misc]  # a dynamic base
            def start(self) -> None:
                if not self.is_started:
                    call()
                super().start()

        backend.__class__ = Working


class TestLocalBackend(WithWorkToDo):
    backend = LocalBackend


class TestEchoBackend(WithWorkToDo):
    backend = EchoBackend

    def received_contexts(self, backend: Any) -> Mapping[str, object]:
        return dict(backend.callers)


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


class WatchedBackend(TextGenerationBackend):
    """Notes the route that each call has set, in the context of that call."""

    backend_type = "WATCHED"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self.routes: dict[str, str] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        super().handle_runtime_context(model_id, runtime_context)
        if (route := self._route.get()) is not None:
            self.routes[route[0]] = route[1]


class TestTextGenerationBackend(BackendConformance):
    backend = WatchedBackend

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        test = backend._test

        def call_and_test(*arguments: object) -> None:
            call()
            test(*arguments)

        backend._test = call_and_test

    def received_contexts(self, backend: Any) -> Mapping[str, object]:
        routes: Mapping[str, object] = backend.routes
        return routes
