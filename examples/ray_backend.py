"""A backend that runs models as Ray tasks, on a cluster that it joins or starts.

Requires Ray to run, but not to be checked. Configuration, all optional::

    connection:
      address: 10.0.0.1:6379  # the cluster to join; by default, one is started on this machine
      timeout: 30             # seconds to wait for the cluster
      check_interval: 5       # seconds between checks that the cluster is alive
    local:                    # the cluster to start if `connection.address` is missing
      cpus: 2                 # default: all CPUs
      resources: {fast: 1}    # custom resources
    task:
      cpus: 1                 # CPUs that each task reserves; may be a fraction
      max_retries: 3          # retries of a task whose worker process died
      timeout: 600            # seconds after which a task is cancelled
    placements:               # resources that requests may ask for with `x-route-info`
      fast: {fast: 1}         # each task of this route reserves them

Ray has one connection per process, which all backends share: the first one to start connects, the
last one to stop disconnects. If other code in the process has initialized Ray, that connection is
used and not closed.

To start a cluster, Ray forks this process. If a grpcio server runs in it, set
``GRPC_ENABLE_FORK_SUPPORT=0`` before importing grpc: otherwise grpcio restarts its threads in the
forked process, which may abort it (https://github.com/grpc/grpc/issues/43055).
"""

from __future__ import annotations

import difflib
import functools
import importlib
import logging
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import aconfig

from backend_contract import BackendBase, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

if TYPE_CHECKING:
    from types import ModuleType

    import ray

ROUTE_KEY = "x-route-info"
OLDEST_RAY = (2, 60)  # the oldest tested version
REMEMBERED = 1000  # models with a placement: clients can make up any number of ids
CHECKS_BEFORE_LOST = 2  # few: Ray exits the process when its cluster is gone for 60 seconds

log = logging.getLogger(__name__)
T = TypeVar("T")


class RayBackend(BackendBase):
    """Joins or starts a Ray cluster in ``start``, and runs functions on it as tasks."""

    backend_type = "RAY"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__(config)
        self._settings: Settings | None = None
        self._routes: dict[str, str] = {}
        self._routes_lock = threading.Lock()

    def register_config(self, config: aconfig.Config) -> None:
        """Merge ``config``, which takes effect at the next ``start``."""
        super().register_config(config)

    def start(self) -> None:
        """Join the cluster at ``connection.address``, or start one on this machine.

        Raises :class:`ValueError`, naming the key, if the configuration is invalid;
        :class:`ImportError` if Ray is missing or too old; and :class:`ConnectionError` if no
        cluster answers within ``connection.timeout`` seconds. A failed start can be retried.
        """
        with self.start_lock():
            if not self.is_started:
                settings = Settings.read(self.config)
                CONNECTION.hold(self, settings)

    def stop(self) -> None:
        """Leave the cluster; shut it down if it was started here and no other backend uses it."""
        with self.start_lock():
            CONNECTION.release(self)

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        """Store the placement that the request names; a request without one changes nothing.

        The last :data:`REMEMBERED` models with a placement are remembered.
        """
        route = get_metadata(runtime_context, ROUTE_KEY)
        if route is None:
            return
        if route in (self.config.get("placements") or {}):
            with self._routes_lock:
                self._routes.pop(model_id, None)
                self._routes[model_id] = route  # as the last one
                if len(self._routes) > REMEMBERED:
                    del self._routes[next(iter(self._routes))]
        else:  # one client's mistake must not fail the requests of others
            log.warning("%s: no placement %r for model %r", self.backend_type, route, model_id)

    def submit(
        self, model_id: str, function: Callable[..., T], *arguments: Any
    ) -> ray.ObjectRef[T]:
        """Run ``function`` on the cluster, with the placement of the model's last request.

        Returns immediately. Raises :class:`RuntimeError` if not started, and
        :class:`ConnectionError` if the cluster is gone. The function and its arguments are sent to
        the worker: the modules that they import must be installed there.
        """
        settings = self._current_settings()
        with CONNECTION.use(CONNECTION.session):
            return self._submit(settings, model_id, function, arguments)

    def run(self, model_id: str, function: Callable[..., T], *arguments: Any) -> T:
        """Run ``function`` on the cluster and return its result; its exceptions propagate.

        Raises :class:`TimeoutError` after ``task.timeout`` seconds, with the task cancelled;
        :class:`ConnectionError` if the cluster is lost, or left by ``stop``; and whatever
        ``submit`` raises. A task whose worker process dies is retried ``task.max_retries`` times.
        """
        settings = self._current_settings()
        import ray

        session = CONNECTION.session
        with CONNECTION.use(session):
            reference = self._submit(settings, model_id, function, arguments)
        deadline = time.monotonic() + settings.task_timeout
        while (left := deadline - time.monotonic()) > 0:
            with CONNECTION.use(session):  # for a second at a time: stop() waits for the block
                if ray.wait([reference], timeout=min(left, 1.0))[0]:
                    result: T = ray.get(reference)
                    return result
        with CONNECTION.use(session):
            ray.cancel(reference, force=True)
        raise TimeoutError(
            f"task.timeout: {model_id!r} did not finish within {settings.task_timeout:g} seconds; "
            f"if it never began, no node has {settings.task_cpus:g} free CPUs (task.cpus) and the "
            "resources of its placement"
        )

    def _current_settings(self) -> Settings:
        settings = self._settings
        if settings is None or not self.is_started:
            raise RuntimeError(f"{self.backend_type} is not started: call start() first")
        return settings

    def _submit(
        self, settings: Settings, model_id: str, function: Callable[..., T], arguments: Any
    ) -> ray.ObjectRef[T]:
        route = self._routes.get(model_id, "")
        reference: ray.ObjectRef[T] = (
            _as_task(function)
            .options(
                name=model_id,
                num_cpus=settings.task_cpus,
                max_retries=settings.max_retries,
                resources=settings.placements.get(route),
            )
            .remote(*arguments)
        )
        return reference


@dataclass(frozen=True)
class Settings:
    """The validated configuration."""

    address: str | None
    timeout: float
    check_interval: float
    local_cpus: int | None
    local_resources: dict[str, float]
    task_cpus: float
    max_retries: int
    task_timeout: float
    placements: dict[str, dict[str, float]]

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Settings:
        """Return the settings of ``config``.

        Raises :class:`ValueError`, naming the key, if a key or a value is invalid.
        """
        _reject_misspelt_sections(config)
        connection = _section(config, "connection", ("address", "timeout", "check_interval"))
        local = _section(config, "local", ("cpus", "resources"))
        task = _section(config, "task", ("cpus", "max_retries", "timeout"))
        cpus = local.get("cpus")
        return cls(
            address=_address(connection.get("address")),
            timeout=_number(connection, "connection.timeout", 30, above=0),
            check_interval=_number(connection, "connection.check_interval", 5, above=0),
            local_cpus=None if cpus is None else _whole(local, "local.cpus", 1, least=1),
            local_resources=_resources(local.get("resources"), "local.resources"),
            task_cpus=_number(task, "task.cpus", 1, above=-1e-9),
            max_retries=_whole(task, "task.max_retries", 3, least=0),
            task_timeout=_number(task, "task.timeout", 600, above=0),
            placements={
                name: _resources(resources, f"placements.{name}")
                for name, resources in _section(config, "placements").items()
            },
        )


def _reject_misspelt_sections(config: Mapping[str, Any]) -> None:
    # Other modules may register further keys: only one that is almost right is an error.
    sections = ("connection", "local", "task", "placements")
    for key in config:
        if key not in sections and (near := difflib.get_close_matches(key, sections, 1, 0.8)):
            raise ValueError(f"{key}: unknown key; did you mean {near[0]!r}?")


def _address(value: object) -> str | None:
    if value is None:
        return None
    match = isinstance(value, str) and re.fullmatch(r"[^:/\s]+:(\d{1,5})", value)
    if not match or not 0 < int(match[1]) < 65536:
        raise ValueError(
            "connection.address: expected the host:port of a cluster's head, such as "
            f"'10.0.0.1:6379', got {value!r}"
        )
    return match[0]


def _section(
    config: Mapping[str, Any], name: str, keys: tuple[str, ...] | None = None
) -> Mapping[str, Any]:
    section = config.get(name)
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise ValueError(f"{name}: expected a mapping, got {section!r}")
    for key in section:
        if keys is not None and key not in keys:
            raise ValueError(f"{name}.{key}: unknown key; expected one of {', '.join(keys)}")
    return section


def _number(section: Mapping[str, Any], key: str, default: float, *, above: float) -> float:
    value = section.get(key.rpartition(".")[2], default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key}: expected a number, got {value!r}")
    if not above < value or math.isinf(value):
        raise ValueError(f"{key}: expected a finite number above {max(above, 0):g}, got {value!r}")
    return value


def _whole(section: Mapping[str, Any], key: str, default: int, *, least: int) -> int:
    value = section.get(key.rpartition(".")[2], default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{key}: expected a whole number, at least {least}, got {value!r}")
    return value


def _resources(value: object, key: str) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{key}: expected a mapping from resources to amounts, got {value!r}")
    return {name: _number(value, f"{key}.{name}", 0, above=0) for name in value}


class Connection:
    """The connection of this process to Ray, and the backends that hold it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # acquired while holding a start lock, never the reverse
        self._holders: list[RayBackend] = []
        self._is_ours = False
        self._wanted: str | None = None
        self._calls = 0
        self._idle = threading.Condition()
        self.session = Session("", ended=True)

    def hold(self, backend: RayBackend, settings: Settings) -> None:
        """Connect if this process is not connected yet, and mark ``backend`` as started."""
        ray = _import_ray()
        with self._lock:
            if self._holders or ray.is_initialized():
                self._share(ray, settings)
            else:
                _connect(ray, settings)
                self._is_ours = True
                self._wanted = settings.address
            if not self._holders:
                self.session = Session(ray.get_runtime_context().gcs_address)
                watch = threading.Thread(
                    target=self._watch, args=(self.session, settings), name="watch Ray", daemon=True
                )
                watch.start()
            self._holders.append(backend)
            backend._settings = settings
            backend._started = True

    def _share(self, ray: ModuleType, settings: Settings) -> None:
        used = ray.get_runtime_context().gcs_address
        if self._is_ours:
            fits = settings.address in (self._wanted, used)
        else:  # the code that initialized Ray has chosen the cluster
            fits = settings.address in (None, used)
        if not fits:
            raise ValueError(
                f"connection.address: this process is already connected to Ray at {used}, and Ray "
                f"has one connection per process; got {settings.address!r}: use the same address, "
                "or stop the other backends first"
            )

    def release(self, backend: RayBackend) -> None:
        """Mark ``backend`` as stopped, and disconnect if it was the last one."""
        with self._lock:
            backend._started = False
            backend._settings = None
            if backend in self._holders:
                self._holders.remove(backend)
                if not self._holders:
                    self._disconnect()

    @contextmanager
    def use(self, session: Session) -> Iterator[None]:
        """Keep the connection while the block calls Ray, which would otherwise make another one.

        Raises :class:`ConnectionError` if ``session`` has ended or its cluster is gone: Ray exits a
        process that calls a cluster which is gone.
        """
        with self._idle:
            if session.ended.is_set():
                raise ConnectionError(
                    "the Ray cluster was lost or left: call start() of the backend again"
                )
            self._calls += 1
        try:
            if not session.answers():
                raise ConnectionError(f"the Ray cluster at {session.address} does not answer")
            yield
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()

    def _disconnect(self) -> None:
        with self._idle:
            self.session.ended.set()
            if not self._idle.wait_for(lambda: self._calls == 0, timeout=10):
                log.warning("RAY: disconnecting while calls to Ray are in progress")
        if self._is_ours:
            import ray

            self._is_ours = False
            ray.shutdown()

    def _watch(self, session: Session, settings: Settings) -> None:
        """Stop all backends when their cluster is gone, before Ray exits the process."""
        missed = 0
        while not session.ended.wait(settings.check_interval):
            missed = 0 if session.is_alive() else missed + 1
            if missed < CHECKS_BEFORE_LOST:
                continue
            with self._lock:
                if not session.ended.is_set():
                    log.error("RAY: the cluster at %s is gone: start again", session.address)
                    for backend in self._holders:
                        backend._started = False
                    self._holders.clear()
                    self._disconnect()


class Session:
    """The period from connecting to a cluster until it is left or lost."""

    def __init__(self, address: str, *, ended: bool = False) -> None:
        self.address = address
        self.ended = threading.Event()
        if ended:
            self.ended.set()

    def answers(self) -> bool:
        """Return whether a process listens at the address of the cluster's head."""
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            return False
        return True

    def is_alive(self) -> bool:
        """Return whether the head answers and considers this process's node alive."""
        if not self.answers():
            return False
        import ray

        here = ray.get_runtime_context().get_node_id()
        nodes: Callable[[], list[dict[str, Any]]] = ray.nodes
        return any(node["Alive"] for node in nodes() if node["NodeID"] == here)


CONNECTION = Connection()


def _import_ray() -> ModuleType:
    wanted = ".".join(map(str, OLDEST_RAY))
    try:
        module: ModuleType = importlib.import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ModuleNotFoundError(
            f"RayBackend requires Ray: pip install 'ray>={wanted}'",
            name="ray",
        ) from None
    if tuple(map(int, module.__version__.split(".")[:2])) < OLDEST_RAY:
        raise ImportError(
            f"RayBackend requires Ray {wanted}, got {module.__version__}: "
            f"pip install 'ray>={wanted}'",
            name="ray",
        )
    return module


def _connect(ray: ModuleType, settings: Settings) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if settings.address is not None:
            _probe(settings.address, settings.timeout)
            ray.init(address=settings.address)
        else:
            ray.init(
                address="local",  # overrides RAY_ADDRESS
                num_cpus=settings.local_cpus,
                resources=settings.local_resources or None,
                include_dashboard=False,
            )
    except BaseException:
        ray.shutdown()
        raise
    finally:
        # Ray installs its own handler; that of a server has to stay.
        if callable(handler) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _probe(address: str, timeout: float) -> None:
    """Raise :class:`ConnectionError` unless a cluster can be joined at ``address``.

    ``ray.init`` waits for minutes if the cluster does not answer, and cannot be interrupted. A
    separate process, which can be killed, tries it first.
    """
    problem = f"connection.address: cannot join a Ray cluster at {address}"
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout).close()
    except OSError as error:
        raise ConnectionError(f"{problem}: {error.strerror or error}") from None
    join = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False)"
    with subprocess.Popen(
        [sys.executable, "-c", join, address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            _, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise ConnectionError(
                f"{problem}: no answer within {timeout:g} seconds (connection.timeout)"
            ) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        lines = errors.strip().splitlines() or [f"exit status {process.returncode}"]
        raise ConnectionError(f"{problem}: {lines[-1]}")


@functools.lru_cache(maxsize=256)  # Ray sends a function to the cluster once per remote function
def _as_task(function: Callable[..., object]) -> Any:
    import ray

    return ray.remote(function)
