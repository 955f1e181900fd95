"""`examples/ray_backend.py` in the conformance kit, on a real cluster on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from example_modules import load_example

from backend_contract.testing import BackendConformance

example = load_example("ray_backend")

CONFIG = {"cpus": 1, "placements": {f"route-{number}": {} for number in range(16)}}


@pytest.fixture(scope="module", autouse=True)
def shared_cluster() -> Iterator[None]:
    """Keep one cluster running, because Ray takes seconds to start one."""
    keeper = example.RayBackend(CONFIG)
    keeper.start()
    yield
    keeper.stop()


class TestRayBackend(BackendConformance):
    backend = example.RayBackend
    config = CONFIG

    @pytest.fixture(autouse=True)
    def restore_acquire(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        acquire = type(example.CONNECTION).acquire

        def acquire_after_call(connection: Any, config: Any) -> None:
            call()
            acquire(connection, config)

        self.monkeypatch.setattr(type(example.CONNECTION), "acquire", acquire_after_call)

    def received_contexts(self, backend: Any) -> Any:
        return backend._placement.get()
