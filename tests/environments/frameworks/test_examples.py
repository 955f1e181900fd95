"""The examples keep every clause: in the eyes of five checkers, and when they are tried."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from backend_contract.conformance.checkers import CHECKERS
from backend_contract.conformance.command import main
from backend_contract.testing import BackendConformance

EXAMPLES = Path(__file__).parents[3] / "examples"


def load(name: str) -> Any:
    sys.path.insert(0, str(EXAMPLES))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EXAMPLES))


@pytest.mark.parametrize(
    "target",
    [
        "structural_backend.py:EchoBackend",
        "text_generation_backend.py:TextGenerationBackend",
        "ray_backend.py:RayBackend",
    ],
)
def test_five_checkers_say_that_an_example_keeps_every_clause(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--strict", "--checker", "all", f"{EXAMPLES}/{target}"]) == 0
    shown = capsys.readouterr().out
    assert "8 ok (layer S" in shown
    for checker in CHECKERS.values():
        assert f"{checker.name} {checker.version()}" in shown


Echo = load("structural_backend").EchoBackend
TextGeneration = load("text_generation_backend").TextGenerationBackend


class TestEchoBackend(BackendConformance):
    backend = Echo

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        class Working(type(backend)):  # type: ignore[misc]  # the class of an example
            def start(self) -> None:
                call()
                super().start()

        backend.__class__ = Working

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
    backend = TextGeneration

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        test = backend._test

        def call_and_test(*arguments: object) -> None:
            call()
            test(*arguments)

        backend._test = call_and_test

    def received_contexts(self, backend: Any) -> Mapping[str, object]:
        routes: Mapping[str, object] = backend._route_of
        return routes
