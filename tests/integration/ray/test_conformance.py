"""`examples/ray_backend.py` in the conformance kit, on a real cluster on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from example_modules import load_example

from backend_contract.testing import BackendConformance

example = load_example("ray_backend")

CPUS = {"local": {"cpus": 1}}
CONFIG = {**CPUS, "placements": {f"route-{number}": {} for number in range(16)}}


@pytest.fixture(scope="module", autouse=True)
def shared_cluster() -> Iterator[None]:
    """Keep one cluster running, because every clause starts backends and Ray takes seconds."""
    keeper = example.RayBackend(CPUS)
    keeper.start()
    yield
    keeper.stop()


class TestRayBackend(BackendConformance):
    backend = example.RayBackend
    config = CONFIG
    time_limit = 60

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        connection = example.CONNECTION

        def share(*arguments: object) -> None:
            call()
            type(connection)._share(connection, *arguments)

        connection._share = share

    def received_contexts(self, backend: Any) -> Mapping[str, object]:
        routes: Mapping[str, object] = backend._routes
        return routes

    @classmethod
    def teardown_class(cls) -> None:
        vars(example.CONNECTION).pop("_share", None)
        super().teardown_class()
