"""`examples/ray_backend.py` in the conformance kit, on a real cluster on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import pytest
from example_modules import load_example

from backend_contract import RuntimeServerContextType
from backend_contract.testing import BackendConformance

example = load_example("ray_backend")
RayBackend: Any = example.RayBackend

CONFIG = {"cpus": 1, "placements": {f"route-{number}": {} for number in range(16)}}


@pytest.fixture(scope="module", autouse=True)
def shared_cluster() -> Iterator[None]:
    """Keep one cluster running, because Ray takes seconds to start one."""
    keeper = RayBackend(CONFIG)
    keeper.start()
    yield
    keeper.stop()


class WatchedBackend(RayBackend):  # type: ignore[misc]  # loaded from a file
    """Notes the model of each call, in the context of that call."""

    backend_type = "WATCHED_RAY"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self.model: ContextVar[str | None] = ContextVar("model", default=None)

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        super().handle_runtime_context(model_id, runtime_context)
        self.model.set(model_id)


class TestRayBackend(BackendConformance):
    backend = WatchedBackend
    config = CONFIG
    metadata = (("x-route-info", "route-"),)  # the kit adds a number to each

    @pytest.fixture(autouse=True)
    def restore_acquire(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        acquire = type(example.CONNECTION).acquire

        def acquire_after_call(connection: Any, config: Any) -> None:
            if config is backend.config:  # not that of another backend
                call()
            acquire(connection, config)

        self.monkeypatch.setattr(type(example.CONNECTION), "acquire", acquire_after_call)

    def received_contexts(self, backend: Any) -> list[tuple[str, object]]:
        model = backend.model.get()
        return [] if model is None else [(model, backend._placement.get())]
