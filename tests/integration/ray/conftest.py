"""Real Ray clusters on this machine, with a token that only this test run knows."""

from __future__ import annotations

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
from typing import Any

import pytest
from example_modules import load_example

__all__ = ["Cluster", "cluster", "example", "grpc_call", "http_call", "make"]

# Before Ray and grpc are imported. Ray listens on the machine's address, where the token keeps
# others out; by default, it reports its usage over the network.
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # see the example: the kit runs grpcio servers
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # avoids a warning of Ray

from request_contexts import grpc_call, http_call  # imports grpc

example = load_example("ray_backend")


@pytest.fixture
def make() -> Iterator[Callable[..., Any]]:
    """Create backends, and stop them after the test."""
    made: list[Any] = []

    def make(config: dict[str, Any] | None = None) -> Any:
        made.append(example.RayBackend(config))
        return made[-1]

    yield make
    for backend in made:
        backend.stop()


class Cluster:
    """A cluster started in another process, by the command that users start one with."""

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
        output = []
        for line in self.command.stdout:
            output.append(line)
            if "Ray runtime started" in line:
                return
        self.end()
        raise AssertionError("".join(output))

    def processes(self) -> list[int]:
        """Return the ids of this cluster's processes: their arguments contain its directory."""
        found = []
        for arguments in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                is_ours = self.files in arguments.read_text(errors="replace")
            except OSError:  # the process has ended
                continue
            if is_ours:
                found.append(int(arguments.parent.name))
        return found

    def end(self) -> None:
        """Kill all processes at once, as a power failure does."""
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
