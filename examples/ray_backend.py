"""A backend that runs models as Ray tasks, on a cluster that it joins or starts.

Requires Ray to run, but not to be checked. Configuration, all optional::

    address: 10.0.0.1:6379    # the cluster to join; by default, one is started on this machine
    cpus: 2                   # CPUs of the cluster that is started; default: all
    resources: {fast: 1}      # custom resources of the cluster that is started
    max_retries: 3            # retries of a task whose worker process or node died
    placements:               # resources that requests may ask for with `x-route-info`
      fast: {fast: 1}         # each task of such a request reserves them

Ray has one connection per process. The point of this example is :class:`Connection`: all backends
share it, the first one to start connects, the last one to stop disconnects. If other code in the
process has initialized Ray, that connection is used and not closed.

Ray ends a process whose cluster does not answer for a minute. To start a cluster, it forks this
process. If a grpcio server runs in it, set ``GRPC_ENABLE_FORK_SUPPORT=0`` before importing grpc:
otherwise grpcio restarts its threads in the forked process, which may abort it
(https://github.com/grpc/grpc/issues/43055).
"""

from __future__ import annotations

import functools
import importlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any, TypeVar

import aconfig

from backend_contract import BackendBase, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

ROUTE_KEY = "x-route-info"
CONNECT_TIMEOUT = 5  # seconds

log = logging.getLogger(__name__)
T = TypeVar("T")


class RayBackend(BackendBase):
    """Joins or starts a Ray cluster in ``start``, and runs functions on it as tasks."""

    backend_type = "RAY"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._placement: ContextVar[str | None] = ContextVar("placement", default=None)

    def register_config(self, config: aconfig.Config) -> None:
        """Merge ``config``, which takes effect at the next ``start``."""
        super().register_config(config)

    def start(self) -> None:
        """Join the cluster at ``address``, or start one on this machine.

        Raises :class:`ModuleNotFoundError` if Ray is missing, and :class:`ConnectionError` if
        nothing listens at ``address``. A failed start can be retried.
        """
        with self.start_lock():
            if not self.is_started:
                CONNECTION.acquire(self.config)
                self._started = True

    def stop(self) -> None:
        """Leave the cluster; shut it down if it was started here and no other backend uses it."""
        with self.start_lock():
            if self.is_started:
                self._started = False
                CONNECTION.release()

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Let the tasks of this request reserve the placement that it names, if it names one."""
        route = get_metadata(runtime_context, ROUTE_KEY)
        if route is not None and route not in (self.config.get("placements") or {}):
            # One client's mistake must not fail the requests of others.
            log.warning("%s: no placement %r for model %r", self.backend_type, route, model_id)
            route = None
        self._placement.set(route)

    def run(self, model_id: str, function: Callable[..., T], *arguments: Any) -> T:
        """Run ``function`` on the cluster and return its result; its exceptions propagate.

        The function and its arguments are sent to a worker, where the modules that they import
        must be installed. A task whose worker process or node dies is retried ``max_retries``
        times. Raises :class:`RuntimeError` if the backend is not started.
        """
        if not self.is_started:
            raise RuntimeError(f"{self.backend_type} is not started: call start() first")
        import ray

        placement = self._placement.get()
        reference = (
            _as_task(function)
            .options(
                name=model_id,
                max_retries=self.config.get("max_retries", 3),
                resources=self.config["placements"][placement] if placement else None,
            )
            .remote(*arguments)
        )
        result: T = ray.get(reference)
        return result


class Connection:
    """The connection of this process to Ray, and how many backends use it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # acquired while holding a start lock, never the reverse
        self._users = 0
        self._is_ours = False
        self._address: str | None = None

    def acquire(self, config: Mapping[str, Any]) -> None:
        """Connect if this process is not connected yet, and count a user."""
        ray = _import_ray()
        with self._lock:
            address = config.get("address")
            if not ray.is_initialized():
                _connect(ray, config)
                self._is_ours, self._address = True, address
            elif address not in (self._address, ray.get_runtime_context().gcs_address):
                raise ValueError(
                    "address: this process is already connected to Ray, and Ray has one "
                    f"connection per process; got {address!r}: use the same address, or stop the "
                    "other backends first"
                )
            self._users += 1

    def release(self) -> None:
        """Count a user less, and disconnect after the last one, unless other code connected."""
        with self._lock:
            self._users -= 1
            if not self._users and self._is_ours:
                self._is_ours, self._address = False, None
                _import_ray().shutdown()


CONNECTION = Connection()


def _connect(ray: ModuleType, config: Mapping[str, Any]) -> None:
    address = config.get("address")
    with _handler_kept(signal.SIGTERM):
        if address is None:  # "local" overrides RAY_ADDRESS
            ray.init(
                "local",
                num_cpus=config.get("cpus"),
                resources=config.get("resources"),
                include_dashboard=False,
            )
            return
        host, _, port = address.rpartition(":")
        try:  # ray.init would wait for minutes
            socket.create_connection((host, int(port)), CONNECT_TIMEOUT).close()
        except (OSError, ValueError) as error:
            raise ConnectionError(f"address: no Ray cluster at {address!r}: {error}") from None
        ray.init(address)


@contextmanager
def _handler_kept(number: int) -> Generator[None]:
    """Put a signal handler back that Ray replaces: that of a server has to stay."""
    handler = signal.getsignal(number)
    try:
        yield
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, handler)


@functools.lru_cache(maxsize=256)  # Ray sends a function to the cluster once per remote function
def _as_task(function: Callable[..., object]) -> Any:
    return _import_ray().remote(function)


def _import_ray() -> ModuleType:
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ModuleNotFoundError(
            "RayBackend requires Ray: pip install 'ray>=2.60'", name="ray"
        ) from None
