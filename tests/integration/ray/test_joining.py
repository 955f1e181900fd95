"""`examples/ray_backend.py` on a cluster that runs already, and without any cluster."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import ray
from example_modules import EXAMPLES, load_example

from backend_contract._conformance.cli.main import main

if TYPE_CHECKING:
    from integration.ray.conftest import Cluster

example = load_example("ray_backend")


def test_join(cluster: Cluster, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent starts join a cluster once; a stop leaves the cluster, and other users, alone."""
    inits: list[str] = []
    real = ray.init

    def counting(**arguments: Any) -> Any:
        inits.append(arguments["address"])
        return real(**arguments)

    monkeypatch.setattr(ray, "init", counting)

    def finished() -> str:
        return "finished"

    backend = make({"connection": {"address": cluster.address, "timeout": 120}})
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait(60)
        backend.start()

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(start) for _ in range(8)]:
            future.result(300)
    assert inits == [cluster.address]
    assert backend.run("model", finished) == "finished"
    backend.stop()
    assert not ray.is_initialized()

    ray.init(address=cluster.address)  # by other code in this process
    try:
        twin = make()
        twin.start()
        assert twin.run("model", finished) == "finished"
        twin.stop()
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_lost_cluster(
    cluster: Cluster, make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A cluster that dies stops the backend, not the process; the backend can start again."""

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
    with example.CONNECTION._lock:  # waits for the disconnection
        assert not backend.is_started
        assert not ray.is_initialized()
    assert "is gone" in caplog.text

    with pytest.raises(ConnectionError, match="Connection refused"):
        backend.start()
    assert not backend.is_started
    backend.register_config({"connection": {"address": None}})
    backend.start()
    assert backend.run("model", finished) == "finished"


def children() -> set[str]:
    """Return the ids of the child processes of this one."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= set((task / "children").read_text().split())
    return found


def test_closed_address(make: Callable[..., Any]) -> None:
    """An address without a listener is a ConnectionError."""
    before = children()
    with socket.socket() as silent:  # bound, but not listening
        silent.bind(("127.0.0.1", 0))
        backend = make({"connection": {"address": f"127.0.0.1:{silent.getsockname()[1]}"}})
        with pytest.raises(ConnectionError, match=r"^connection\.address: .* at 127\."):
            backend.start()
    assert not backend.is_started
    assert not ray.is_initialized()
    assert children() == before


def test_silent_address(make: Callable[..., Any]) -> None:
    """An address where another program listens is a ConnectionError after the timeout."""
    before = children()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        backend = make({"connection": {"address": address, "timeout": 1}})
        with pytest.raises(ConnectionError, match=r"within 1 seconds \(connection\.timeout\)"):
            backend.start()
    assert not backend.is_started
    assert not ray.is_initialized()
    assert children() == before


def test_old_ray(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of Ray that is too old is an ImportError, with the command that upgrades it."""
    monkeypatch.setattr(ray, "__version__", "2.9.3")
    backend = make()
    with pytest.raises(ImportError, match=r"2\.9\.3: pip install 'ray>="):
        backend.start()
    assert not backend.is_started
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"conection": {}}, "conection: unknown key; did you mean 'connection'?"),
        ({"connection": "here:6379"}, "connection: expected a mapping"),
        ({"connection": {"adress": ""}}, "connection.adress: unknown key; expected one of address"),
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
        ({"local": {"gpus": 1}}, "local.gpus: unknown key; expected one of cpus, resources"),
        ({"local": {"resources": {"a": "b"}}}, "local.resources.a: expected a number"),
        ({"task": {"cpus": -1}}, "task.cpus: expected a finite number"),
        ({"task": {"cpus": float("nan")}}, "task.cpus: expected a finite number"),
        ({"task": {"max_retries": -1}}, "task.max_retries: expected a whole number, at least 0"),
        ({"task": {"timeout": float("inf")}}, "task.timeout: expected a finite number"),
        ({"placements": {"left": 1}}, "placements.left: expected a mapping"),
        ({"placements": {"left": {"a": 0}}}, "placements.left.a: expected a finite number above 0"),
    ],
)
def test_invalid_configuration(
    config: dict[str, Any], message: str, make: Callable[..., Any]
) -> None:
    """An invalid configuration is a ValueError that names the key."""
    backend = make(config)
    with pytest.raises(ValueError, match="^" + message.replace("?", r"\?")):
        backend.start()
    assert not backend.is_started
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"local": {"cpus": 2, "resources": {"left": 1}}, "placements": {"left": {"left": 1}}},
        {"connection": None, "local": None, "task": None, "placements": None},
        {"connection": {"address": "head.example:6379", "timeout": 0.5}},
        {"task": {"cpus": 0, "max_retries": 0}},
        {"models": {"registered": "by another module"}},
    ],
)
def test_valid_configuration(config: dict[str, Any]) -> None:
    """A valid configuration is accepted, empty sections and unrelated keys included."""
    assert example.Settings.read(config).timeout > 0


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    """The example passes a check with the types of Ray itself."""
    assert main(["check", f"{EXAMPLES}/ray_backend.py:RayBackend"]) == 0
    assert "9 ok (layer S" in capsys.readouterr().out
