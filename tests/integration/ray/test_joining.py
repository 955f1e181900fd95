"""`examples/ray_backend.py` on a cluster that runs already, and without any cluster."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import ray
import ray.cloudpickle
from example_modules import EXAMPLES, load_example
from ray.cluster_utils import Cluster

from backend_contract._conformance.cli.main import main

example = load_example("ray_backend")

TWO_PLACES = {"max_retries": 2, "placements": {"spare": {"spare": 1}}}


def finished() -> str:
    return "finished"


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster of one node, without CPUs for tasks."""
    here = sys.modules[__name__]
    ray.cloudpickle.register_pickle_by_value(here)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    yield cluster
    ray.shutdown()
    cluster.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(here)


def test_join(cluster: Any, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent starts join a cluster once; a stop leaves the cluster, and other users, alone."""
    inits: list[str] = []
    real = ray.init

    def counting(address: str, **arguments: Any) -> Any:
        inits.append(address)
        return real(address, **arguments)

    monkeypatch.setattr(ray, "init", counting)
    backend = make({"address": cluster.address})
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

    real(cluster.address)  # by other code in this process
    twin = make()
    twin.start()
    assert twin.run("model", finished) == "finished"
    twin.stop()
    assert ray.is_initialized()


def arrive(directory: str) -> str:
    """Note the node of this task; never end in the first attempt."""
    import threading
    from pathlib import Path

    import ray

    node: str = ray.get_runtime_context().get_node_id()
    Path(directory, node).touch()
    if len(list(Path(directory).iterdir())) == 1:
        threading.Event().wait()
    return node


def test_killed_node(cluster: Any, make: Callable[..., Any], tmp_path: Path) -> None:
    """A task whose node is killed while it runs finishes on another node."""
    nodes = [cluster.add_node(num_cpus=1, resources={"spare": 1}) for _ in range(2)]
    cluster.wait_for_nodes()
    backend = make({"address": cluster.address, **TWO_PLACES})
    backend.start()
    backend._placement.set("spare")
    directory = tmp_path / "attempts"
    directory.mkdir()
    with ThreadPoolExecutor(1, initializer=backend._placement.set, initargs=("spare",)) as pool:
        running = pool.submit(backend.run, "model", arrive, str(directory))
        while not (arrived := list(directory.iterdir())):
            assert not running.done(), running.exception()
        (killed,) = (node for node in nodes if node.node_id == arrived[0].name)
        cluster.remove_node(killed, allow_graceful=False)
        assert running.result(300) != killed.node_id
    assert len(list(directory.iterdir())) == 2
    assert backend.is_started
    assert backend.run("model", finished) == "finished"


def children() -> set[str]:
    """Return the ids of the child processes of this one."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            after_name = (process / "stat").read_text().rpartition(")")[2].split()
            if int(after_name[1]) == os.getpid():
                found.add(process.name)
    return found


def test_closed_address(make: Callable[..., Any]) -> None:
    """An address without a listener is a ConnectionError."""
    before = children()
    with socket.socket() as silent:  # bound, but not listening
        silent.bind(("127.0.0.1", 0))
        backend = make({"address": f"127.0.0.1:{silent.getsockname()[1]}", "cpus": 1})
        with pytest.raises(ConnectionError, match=r"^address: no Ray cluster at '127\."):
            backend.start()
    assert not backend.is_started
    assert not ray.is_initialized()
    assert children() == before


@pytest.mark.parametrize("address", ["head", "head:port", ""])
def test_invalid_address(make: Callable[..., Any], address: str) -> None:
    """An invalid address is a ConnectionError that shows it."""
    backend = make({"address": address})
    with pytest.raises(ConnectionError, match=f"^address: no Ray cluster at '{address}'"):
        backend.start()
    assert not backend.is_started


def test_signal_handler_stays(make: Callable[..., Any]) -> None:
    """Ray's handler for SIGTERM does not take the place of the server's."""
    before = signal.getsignal(signal.SIGTERM)
    backend = make({"cpus": 1})
    backend.start()
    assert signal.getsignal(signal.SIGTERM) is before


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    """The example passes a check with the types of Ray itself."""
    assert main(["check", f"{EXAMPLES}/ray_backend.py:RayBackend"]) == 0
    assert " ok (layer S" in capsys.readouterr().out
