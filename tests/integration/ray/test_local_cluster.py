"""The example on a Ray cluster of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import ray
import ray.cloudpickle
import ray.exceptions

from backend_contract import Backend

example: Any = sys.modules["ray_backend"]

LOCAL = {
    "local": {"cpus": 2, "resources": {"left": 1, "right": 1}},
    "task": {"max_retries": 2, "timeout": 120},
    "placements": {"left": {"left": 1}, "right": {"right": 1}},
    "connection": {"check_interval": 0.5},
}


def where(text: str) -> tuple[str, dict[str, float]]:
    """A model, as small as one can be. It is sent by value: workers cannot import the tests."""
    import ray

    return text.upper(), ray.get_runtime_context().get_assigned_resources()


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    """A backend on a cluster of its own, for the tests that leave it as it is."""
    here = sys.modules[__name__]
    ray.cloudpickle.register_pickle_by_value(here)
    backend = example.RayBackend(LOCAL)
    backend.start()
    yield backend
    backend.stop()
    assert not ray.is_initialized()
    ray.cloudpickle.unregister_pickle_by_value(here)


def test_it_starts_a_cluster_with_the_cpus_of_the_configuration(started: Any) -> None:
    assert started.is_started
    assert ray.cluster_resources()["CPU"] == 2
    assert started.run("model", where, "text") == ("TEXT", {"CPU": 1.0})
    assert isinstance(started, Backend)


def test_a_started_backend_is_not_started_again(
    started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("connected again"))
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(started.start) for _ in range(8)]:
            future.result(60)
    assert started.is_started


def test_start_works_while_its_caller_holds_the_lock(started: Any) -> None:
    with started.start_lock():
        started.start()
        assert started.is_started


def test_what_a_model_raises_is_raised(started: Any) -> None:
    def fail() -> None:
        raise LookupError("no such word")

    with pytest.raises(LookupError, match="no such word"):
        started.run("model", fail)
    assert started.run("model", where, "text")[0] == "TEXT"


def test_a_request_places_the_tasks_of_its_model_and_of_no_other(
    started: Any, grpc_call: Callable[..., Any], http_call: Callable[..., Any]
) -> None:
    def tell(model: str) -> Callable[[Any], None]:
        return lambda context: started.handle_runtime_context(model, context)

    grpc_call(tell("one"), [("x-route-info", "left")])
    http_call(tell("two"), [(b"X-Route-Info", b"right")])
    assert started.run("one", where, "")[1] == {"CPU": 1.0, "left": 1.0}
    assert started.run("two", where, "")[1] == {"CPU": 1.0, "right": 1.0}
    assert started.run("three", where, "")[1] == {"CPU": 1.0}
    grpc_call(tell("one"))  # a request that does not say changes nothing
    assert started.run("one", where, "")[1] == {"CPU": 1.0, "left": 1.0}


def test_a_request_for_a_placement_that_is_not_there_changes_nothing(
    started: Any, grpc_call: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    def tell(context: Any) -> None:
        started.handle_runtime_context("lost", context)

    grpc_call(tell, [("x-route-info", "nowhere")])
    assert started.run("lost", where, "")[1] == {"CPU": 1.0}
    assert "no placement 'nowhere' for model 'lost'" in caplog.text


class Witness:
    """Stands outside the tasks: says to the test what they have come to, and when."""

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
    """Says that it runs, and does not return in the first ``attempts`` attempts."""
    import os

    import ray

    if ray.get(witness.arrive.remote(os.getpid())) <= attempts:
        ray.get(witness.never.remote())
    return "finished"


def test_a_task_whose_worker_is_killed_finishes_on_another(started: Any) -> None:
    witness = call_witness()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(started.run, "model", held, witness, 1)
        killed = ray.get(witness.first.remote(), timeout=60)
        os.kill(killed, signal.SIGKILL)
        assert running.result(120) == "finished"
    first, second = ray.get(witness.all.remote(), timeout=60)
    assert first == killed != second
    assert started.is_started
    assert started.run("model", where, "text")[0] == "TEXT"


def test_a_task_that_may_not_be_repeated_fails_with_its_worker_and_the_next_one_does_not(
    started: Any,
) -> None:
    witness = call_witness()
    twin = example.RayBackend(LOCAL | {"task": {"max_retries": 0}})
    twin.start()
    try:
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(twin.run, "model", held, witness, 1)
            os.kill(ray.get(witness.first.remote(), timeout=60), signal.SIGKILL)
            with pytest.raises(ray.exceptions.WorkerCrashedError):
                running.result(120)
        assert len(ray.get(witness.all.remote(), timeout=60)) == 1
        assert twin.run("model", where, "text")[0] == "TEXT"
    finally:
        twin.stop()


def test_a_task_is_given_up_after_its_time(started: Any) -> None:
    witness = call_witness()
    twin = example.RayBackend(LOCAL | {"task": {"timeout": 0.1, "cpus": 2}})
    twin.start()
    try:
        with pytest.raises(TimeoutError, match=r"^task\.timeout: 'model' has not finished"):
            twin.run("model", held, witness, 9)
    finally:
        twin.stop()
    assert started.run("model", where, "text")[0] == "TEXT"  # its CPUs are free again


def test_a_second_backend_shares_the_cluster_and_leaves_it_to_the_first(started: Any) -> None:
    twin = example.RayBackend(LOCAL)
    twin.start()
    assert twin.run("model", where, "text")[0] == "TEXT"
    twin.stop()
    twin.stop()
    assert not twin.is_started
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        twin.run("model", where, "text")
    assert started.is_started
    assert started.run("model", where, "text")[0] == "TEXT"


def test_a_second_backend_cannot_go_elsewhere(started: Any) -> None:
    elsewhere = example.RayBackend({"connection": {"address": "127.0.0.1:1"}})
    with pytest.raises(ValueError, match=r"^connection\.address: this process is connected to"):
        elsewhere.start()
    assert not elsewhere.is_started
    assert started.run("model", where, "text")[0] == "TEXT"
