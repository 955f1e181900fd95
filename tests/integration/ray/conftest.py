"""Real Ray clusters on this machine, with a token that only this test run knows."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from example_modules import load_example

__all__ = ["example", "grpc_call", "http_call", "make"]

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
