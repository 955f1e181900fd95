"""`examples/ray_backend.py` on a cluster that it starts."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import ray
import ray.cloudpickle
import ray.exceptions
from example_modules import load_example
from request_contexts import GrpcCaller, HttpCaller

from backend_contract import Backend

example = load_example("ray_backend")

LOCAL = {
    "cpus": 2,
    "resources": {"left": 1, "right": 1},
    "max_retries": 2,
    "placements": {"left": {"left": 1}, "right": {"right": 1}},
}


def shout(text: str) -> tuple[str, dict[str, float]]:
    """A minimal model. It is sent by value, because workers cannot import the tests."""
    import ray

    return text.upper(), ray.get_runtime_context().get_assigned_resources()


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    """A started backend, shared by the tests, which leave it unchanged."""
    here = sys.modules[__name__]
    ray.cloudpickle.register_pickle_by_value(here)
    backend = example.RayBackend(LOCAL)
    backend.start()
    yield backend
    backend.stop()
    assert not ray.is_initialized()
    ray.cloudpickle.unregister_pickle_by_value(here)


def test_start(started: Any) -> None:
    """The cluster has the configured CPUs and runs functions."""
    assert started.is_started
    assert ray.cluster_resources()["CPU"] == 2
    assert started.run("model", shout, "text") == ("TEXT", {"CPU": 1.0})
    assert isinstance(started, Backend)


def test_repeated_start(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a started backend does not connect again."""
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("connected again"))
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(started.start) for _ in range(8)]:
            future.result(60)
    assert started.is_started


def test_start_under_lock(started: Any) -> None:
    """`start` may be called while holding the start lock."""
    with started.start_lock():
        started.start()
        assert started.is_started


def test_exception_of_model(started: Any) -> None:
    """An exception of the function propagates; the next call succeeds."""

    def fail() -> None:
        raise LookupError("no such word")

    with pytest.raises(LookupError, match="no such word"):
        started.run("model", fail)
    assert started.run("model", shout, "text")[0] == "TEXT"


def assigned(backend: Any, context: Any = None) -> dict[str, float]:
    """Run a task in a request of its own, with *context*; return the resources it reserved."""

    def serve() -> dict[str, float]:
        if context is not None:
            backend.handle_runtime_context("model", context)
        resources: dict[str, float] = backend.run("model", shout, "")[1]
        return resources

    return contextvars.copy_context().run(serve)


def test_placement(started: Any, grpc_call: GrpcCaller, http_call: HttpCaller) -> None:
    """The placement that a request names applies to the tasks of that request only."""

    def run(context: Any) -> dict[str, float]:
        return assigned(started, context)

    assert grpc_call(run, [("x-route-info", "left")]) == {"CPU": 1.0, "left": 1.0}
    assert http_call(run, [(b"X-Route-Info", b"right")]) == {"CPU": 1.0, "right": 1.0}
    assert grpc_call(run) == {"CPU": 1.0}
    assert assigned(started) == {"CPU": 1.0}


def test_placement_is_not_inherited(
    started: Any, grpc_call: GrpcCaller, http_call: HttpCaller
) -> None:
    """A request without a placement on the same thread does not take that of an earlier one."""

    def run(context: Any) -> dict[str, float]:
        started.handle_runtime_context("model", left)
        return assigned(started, context)

    left = grpc_call(lambda context: context, [("x-route-info", "left")])
    assert http_call(run) == {"CPU": 1.0}


def test_unknown_placement(
    started: Any, grpc_call: GrpcCaller, caplog: pytest.LogCaptureFixture
) -> None:
    """An unknown placement is logged and ignored."""

    def run(context: Any) -> dict[str, float]:
        return assigned(started, context)

    assert grpc_call(run, [("x-route-info", "nowhere")]) == {"CPU": 1.0}
    assert "no placement 'nowhere' for model 'model'" in caplog.text


class Witness:
    """An actor outside the tasks that tells the test which processes have run them, and when."""

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.arrived = asyncio.Event()

    async def arrive(self, pid: int) -> int:
        self.pids.append(pid)
        self.arrived.set()
        return len(self.pids)

    async def first(self) -> int:
        await self.arrived.wait()
        return self.pids[0]

    async def never(self) -> None:
        await asyncio.Event().wait()

    async def all(self) -> list[int]:
        return self.pids


def call_witness() -> Any:
    actor: Any = ray.remote(Witness)
    return actor.options(num_cpus=0, max_concurrency=8).remote()


def held(witness: Any, attempts: int) -> str:
    """Report to the witness, and block in the first ``attempts`` attempts."""
    import os

    import ray

    if ray.get(witness.arrive.remote(os.getpid())) <= attempts:
        ray.get(witness.never.remote())
    return "finished"


def test_killed_worker(started: Any) -> None:
    """A task whose worker process is killed finishes in another one."""
    witness = call_witness()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(started.run, "model", held, witness, 1)
        killed = ray.get(witness.first.remote(), timeout=60)
        os.kill(killed, signal.SIGKILL)
        assert running.result(120) == "finished"
    first, second = ray.get(witness.all.remote(), timeout=60)
    assert first == killed != second
    assert started.is_started
    assert started.run("model", shout, "text")[0] == "TEXT"


def test_killed_worker_without_retries(started: Any) -> None:
    """Without retries, a task fails with its worker process; the next task succeeds."""
    witness = call_witness()
    twin = example.RayBackend(LOCAL | {"max_retries": 0})
    twin.start()
    try:
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(twin.run, "model", held, witness, 1)
            os.kill(ray.get(witness.first.remote(), timeout=60), signal.SIGKILL)
            with pytest.raises(ray.exceptions.WorkerCrashedError):
                running.result(120)
        assert len(ray.get(witness.all.remote(), timeout=60)) == 1
        assert twin.run("model", shout, "text")[0] == "TEXT"
    finally:
        twin.stop()


def test_shared_cluster(started: Any) -> None:
    """A second backend shares the cluster; stopping it leaves the cluster to the first."""
    twin = example.RayBackend(LOCAL)
    twin.start()
    assert twin.run("model", shout, "text")[0] == "TEXT"
    twin.stop()
    twin.stop()
    assert not twin.is_started
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        twin.run("model", shout, "text")
    assert started.is_started
    assert started.run("model", shout, "text")[0] == "TEXT"


def test_second_address(started: Any) -> None:
    """A second backend with another address is a ValueError and does not disturb the first."""
    elsewhere = example.RayBackend({"address": "127.0.0.1:1"})
    with pytest.raises(ValueError, match=r"^address: .* already connected"):
        elsewhere.start()
    assert not elsewhere.is_started
    assert started.run("model", shout, "text")[0] == "TEXT"
