"""Real Ray: clusters of this machine, with a token of the test run's own."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# Before Ray is imported anywhere. Ray listens on the machine's address, so nobody else may come in;
# and it reports its use over the network unless it is told not to.
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # as the example says: the kit's servers are grpcio's
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # or it warns that this will change

ROOT = Path(__file__).parents[3]


def load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


example = load(ROOT / "examples/ray_backend.py", "ray_backend")
_contexts = load(ROOT / "tests/integration/frameworks/conftest.py", "real_contexts")
grpc_call, http_call = _contexts.grpc_call, _contexts.http_call


@pytest.fixture
def make() -> Iterator[Callable[..., Any]]:
    """Makes backends, and stops them at the end, whatever the test has come to."""
    made: list[Any] = []

    def make(config: dict[str, Any] | None = None) -> Any:
        made.append(example.RayBackend(config))
        return made[-1]

    yield make
    for backend in made:
        backend.stop()


class Cluster:
    """A cluster that was started by somebody else, with the command that users start one with."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.files = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # a socket's path is short
        self.command = subprocess.Popen(
            [
                Path(sys.executable).with_name("ray"),
                "start",
                "--head",
                "--block",
                "--node-ip-address=127.0.0.1",
                f"--port={self.address.rpartition(':')[2]}",
                "--num-cpus=2",
                "--include-dashboard=false",
                "--object-store-memory=100000000",
                f"--temp-dir={self.files}",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.command.stdout is not None
        said = []
        for line in self.command.stdout:
            said.append(line)
            if "Ray runtime started" in line:
                return
        self.end()
        raise AssertionError("".join(said))

    def processes(self) -> list[int]:
        """The ids of the processes of this cluster alone: its directory is in their arguments."""
        found = []
        for arguments in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                mine = self.files in arguments.read_text(errors="replace")
            except OSError:  # it has ended meanwhile
                continue
            if mine:
                found.append(int(arguments.parent.name))
        return found

    def end(self) -> None:
        """Kill it, as a machine that is switched off does."""
        while pids := [pid for pid in self.processes() if pid != self.command.pid]:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        self.command.kill()
        self.command.communicate(timeout=30)
        shutil.rmtree(self.files, ignore_errors=True)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.end()
