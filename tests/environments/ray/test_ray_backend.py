"""The example on real Ray."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import ray
import ray.exceptions

from backend_contract import Backend
from backend_contract.conformance.command import main

if TYPE_CHECKING:
    from conftest import Cluster

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
    ray_by_value = sys.modules[__name__]
    import ray.cloudpickle as pickle

    pickle.register_pickle_by_value(ray_by_value)
    backend = example.RayBackend(LOCAL)
    backend.start()
    yield backend
    backend.stop()
    assert not ray.is_initialized()
    pickle.unregister_pickle_by_value(ray_by_value)


# ---- on a cluster of its own


def test_it_starts_a_cluster_with_the_cpus_of_the_configuration(started: Any) -> None:
    assert isinstance(started, Backend)
    assert started.is_started
    assert ray.cluster_resources()["CPU"] == 2
    assert started.run("model", where, "text") == ("TEXT", {"CPU": 1.0})


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


@ray.remote(num_cpus=0, max_concurrency=8)
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


def held(witness: Any, attempts: int) -> str:
    """Says that it runs, and does not return in the first ``attempts`` attempts."""
    import os

    import ray

    if ray.get(witness.arrive.remote(os.getpid())) <= attempts:
        ray.get(witness.never.remote())
    return "finished"


def test_a_task_whose_worker_is_killed_finishes_on_another(started: Any) -> None:
    witness: Any = Witness.remote()  # type: ignore[attr-defined]  # what the decorator adds
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
    witness: Any = Witness.remote()  # type: ignore[attr-defined]  # what the decorator adds
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
    witness: Any = Witness.remote()  # type: ignore[attr-defined]  # what the decorator adds
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


# ---- on somebody else's cluster


def test_it_joins_a_cluster_and_leaves_it_running(
    cluster: Cluster, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    inits: list[str] = []
    real = ray.init

    def counting(**arguments: Any) -> Any:
        inits.append(arguments["address"])
        return real(**arguments)

    monkeypatch.setattr(ray, "init", counting)

    def finished() -> str:
        return "finished"

    backend = make({"connection": {"address": cluster.address, "timeout": 120}})
    everybody = threading.Barrier(8)

    def start() -> None:
        everybody.wait(60)
        backend.start()

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(start) for _ in range(8)]:
            future.result(300)
    assert inits == [cluster.address]
    assert backend.run("model", finished) == "finished"
    backend.stop()
    assert not ray.is_initialized()

    ray.init(address=cluster.address)  # it is there still; and what else joins it is left alone
    try:
        twin = make()
        twin.start()
        assert twin.run("model", finished) == "finished"
        twin.stop()
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_a_cluster_that_dies_stops_the_backend_and_not_the_process(
    cluster: Cluster, make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    def finished() -> str:
        return "finished"

    connection = {"address": cluster.address, "timeout": 120, "check_interval": 0.5}
    backend = make({"connection": connection, "local": {"cpus": 1}})
    backend.start()
    assert backend.run("model", finished) == "finished"
    ended = example.CONNECTION.session.ended
    cluster.end()
    with pytest.raises((ConnectionError, RuntimeError)):
        backend.run("model", finished)
    assert ended.wait(120)
    with example.CONNECTION._lock:  # until it is disconnected
        assert not backend.is_started
        assert not ray.is_initialized()
    assert f"the cluster at {cluster.address} is gone" in caplog.text or "is gone" in caplog.text

    with pytest.raises(ConnectionError, match="Connection refused"):
        backend.start()
    assert not backend.is_started
    backend.register_config({"connection": {"address": None}})
    backend.start()
    assert backend.run("model", finished) == "finished"


# ---- on nothing


def children() -> set[str]:
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= set((task / "children").read_text().split())
    return found


def test_an_address_nobody_listens_on(make: Callable[..., Any]) -> None:
    before = children()
    with socket.socket() as taken:  # and nobody listens on it
        taken.bind(("127.0.0.1", 0))
        backend = make({"connection": {"address": f"127.0.0.1:{taken.getsockname()[1]}"}})
        with pytest.raises(ConnectionError, match=r"^connection\.address: no Ray cluster at 127"):
            backend.start()
    assert not backend.is_started
    assert not ray.is_initialized()
    assert children() == before


def test_an_address_where_something_else_listens(make: Callable[..., Any]) -> None:
    before = children()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        backend = make({"connection": {"address": address, "timeout": 5}})
        with pytest.raises(ConnectionError, match=r"in 5 seconds \(connection\.timeout\)"):
            backend.start()
    assert not backend.is_started
    assert not ray.is_initialized()
    assert children() == before


def test_a_ray_that_is_too_old(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "__version__", "2.9.3")
    backend = make()
    with pytest.raises(ImportError, match=r"Ray 2\.9\.3 is too old .* pip install 'ray>="):
        backend.start()
    assert not backend.is_started
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"conection": {}}, "conection: no such key; did you mean 'connection'?"),
        ({"connection": "here:6379"}, "connection: expected a mapping"),
        ({"connection": {"adress": ""}}, "connection.adress: no such key; expected one of address"),
        ({"connection": {"address": 6379}}, "connection.address: expected the host:port"),
        ({"connection": {"address": "head"}}, "connection.address: expected the host:port"),
        ({"connection": {"address": "head:0"}}, "connection.address: expected the host:port"),
        ({"connection": {"address": "head:65536"}}, "connection.address: expected the host:port"),
        ({"connection": {"address": "ray://a:1"}}, "connection.address: expected the host:port"),
        ({"connection": {"timeout": "5"}}, "connection.timeout: expected a number"),
        ({"connection": {"timeout": 0}}, "connection.timeout: expected a finite number above 0"),
        ({"connection": {"check_interval": -1}}, "connection.check_interval: expected a finite"),
        ({"local": {"cpus": 0}}, "local.cpus: expected a whole number, at least 1"),
        ({"local": {"cpus": True}}, "local.cpus: expected a whole number, at least 1"),
        ({"local": {"cpus": 1.5}}, "local.cpus: expected a whole number, at least 1"),
        ({"local": {"gpus": 1}}, "local.gpus: no such key; expected one of cpus, resources"),
        ({"local": {"resources": {"a": "b"}}}, "local.resources.a: expected a number"),
        ({"task": {"cpus": -1}}, "task.cpus: expected a finite number"),
        ({"task": {"cpus": float("nan")}}, "task.cpus: expected a finite number"),
        ({"task": {"max_retries": -1}}, "task.max_retries: expected a whole number, at least 0"),
        ({"task": {"timeout": float("inf")}}, "task.timeout: expected a finite number"),
        ({"placements": {"left": 1}}, "placements.left: expected a mapping"),
        ({"placements": {"left": {"a": 0}}}, "placements.left.a: expected a finite number above 0"),
    ],
)
def test_a_mistake_in_the_configuration_is_named_by_its_key(
    config: dict[str, Any], message: str, make: Callable[..., Any]
) -> None:
    backend = make(config)
    with pytest.raises(ValueError, match="^" + message.replace("?", r"\?")):
        backend.start()
    assert not backend.is_started
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    "config",
    [
        {},
        LOCAL,
        {"connection": None, "local": None, "task": None, "placements": None},
        {"connection": {"address": "head.example:6379", "timeout": 0.5}},
        {"task": {"cpus": 0, "max_retries": 0}},
        {"models": {"somebody": "else's"}},
    ],
)
def test_a_right_configuration_is_read(config: dict[str, Any]) -> None:
    assert example.Settings.read(config).timeout > 0


def test_the_example_is_checked_on_rays_own_types(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[3] / "examples/ray_backend.py"
    assert main(["check", "--strict", f"{path}:RayBackend"]) == 0
    assert "8 ok (layer S" in capsys.readouterr().out
