"""One run of the kit: its subject, and what the trials of its clauses share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from backend_contract._conformance import real_time
from backend_contract._conformance.behavioural.outcomes import StopTrial
from backend_contract._conformance.behavioural.process_state import Settings, settings
from backend_contract._conformance.request_servers import Pairs, RequestServers
from backend_contract.protocol import Backend, ConfigType

DEFAULT_TIME_LIMIT = 300.0
"""Seconds that the first start may take."""

LEAST_LIMIT = 10.0
"""Seconds that every later call may take at least, unless the time limit is below."""

_TIMES_THE_FIRST = 5
"""How many times as long as the first start a later call may take."""

ROUTE = "x-route-info"
"""The key by which Caikit's clients choose a route. The kit's requests carry it."""

USUAL_METADATA = ((ROUTE, "somewhere"),)
"""The metadata of a request, unless the author gives another."""

_COMMAND_LINE = {
    "config": "--backend-config",
    "make_backend": "--factory",
    "time_limit": "--time-limit",
}

Received = Mapping[str, object] | Iterable[tuple[str, object]]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A backend class or factory, with the options for trying it; see ``check_backend``."""

    make: Callable[[], Backend]
    config: Mapping[str, Any] | None = None
    metadata: Pairs = USUAL_METADATA
    time_limit: float = DEFAULT_TIME_LIMIT
    exclusive: bool = False
    shares: bool = True
    """Whether what ``make`` gives outlives a trial, so that clauses may share a backend."""
    on_command_line: bool = False
    """Whether the options are those of the command, for messages that name one."""
    # Any: each hook takes the class that its author wrote
    merged_config: Callable[[Any], Mapping[str, Any] | None] | None = None
    during_start: Callable[[Any, Callable[[], None]], object] | None = None
    received_contexts: Callable[[Any], Received | None] | None = None
    model_ids: Sequence[str] | None = None
    """The ids that requests are made for, unless any will do."""

    @property
    def cls(self) -> type[Backend] | None:
        """The class, unless a factory creates the backends."""
        return self.make if isinstance(self.make, type) else None

    @property
    def sample(self) -> Mapping[str, Any]:
        """A configuration that is valid for the class: empty, unless the author gives one."""
        return self.config or {}

    def name_of(self, option: str) -> str:
        """Return the name by which the author gives *option*, for a message."""
        return _COMMAND_LINE[option] if self.on_command_line else option

    def create(self, *arguments: object) -> Backend:
        """Call the class, by default with the sample configuration, or the factory."""
        if self.cls is not None and self.config is not None and not arguments:
            arguments = (configuration(self.config),)
        make: Callable[..., Backend] = self.make
        return make(*arguments)


def configuration(of: Mapping[str, Any]) -> ConfigType:
    """Return an ``aconfig.Config`` that shares no part with *of*."""
    import copy

    import aconfig

    return aconfig.Config(copy.deepcopy(dict(of)), override_env_vars=False)


class Pace:
    """How long a call may take: what the first creation and the first start took decides."""

    def __init__(self, time_limit: float, name: str = "time_limit") -> None:
        """*name* is how the author calls the *time_limit*."""
        self.time_limit = time_limit
        self._name = name
        self._slowest = 0.0
        self._measured: set[str] = set()

    @contextmanager
    def measured(self, what: str) -> Generator[None]:
        """Measure the block, unless one called *what* has been: only the first one counts."""
        since = real_time.monotonic()
        yield  # one that raises says nothing about how long one takes
        if what not in self._measured:
            self._measured.add(what)
            self._slowest = max(self._slowest, real_time.monotonic() - since)

    def limit_of(self, what: str) -> float:
        """Return the seconds that a call may take; *what* is its name if it is measured."""
        if what in ("create", "start") and what not in self._measured:
            return self.time_limit
        return min(self.time_limit, max(LEAST_LIMIT, _TIMES_THE_FIRST * self._slowest))

    def explain(self, limit: float) -> str:
        """Return what decided *limit*, for a message."""
        if limit == self.time_limit:
            return self._name
        least = f"{LEAST_LIMIT:g}, or five times the first start"
        return f"{least}; {self._name} is {self.time_limit:g}"


@dataclass(kw_only=True)
class Run:
    """What the trials of one subject share. Not thread-safe."""

    subject: Subject
    servers: RequestServers
    holds: Callable[[str], bool]
    """Whether the clause of an id is decided, and ok."""
    before_call: Callable[[str], None] = lambda what: None
    """Receives the description of each call of a member before it is made."""
    seen: list[Backend] = field(default_factory=list[Backend])
    """Every backend that was created."""
    shared: Backend | None = None
    """The backend that clauses share, started or stopped."""
    records: dict[str, Any] = field(default_factory=dict[str, Any])
    """What several clauses judge, by name: each was observed once."""
    observed: dict[str, StopTrial] = field(default_factory=dict[str, StopTrial])
    """Violations that were seen on the way, by the id of their clause."""
    running: dict[int, int] = field(default_factory=dict[int, int])
    """The ids of the backends that were started, and not stopped since; and of the threads."""
    skipped_hooks: set[str] = field(default_factory=set[str])
    """The names of the hooks that have skipped what they are needed for."""
    has_started: bool = False
    """Whether any start has succeeded."""
    start_hangs: bool = False
    """Whether the first start did not return in time: no trial waits for another."""
    lock_kept_by: str = ""
    """The clause that a kept lock violates: no trial waits for a start then."""
    settings: list[Settings] = field(default_factory=lambda: [settings()])
    """How the process was configured before it all, after the first start and the first stop."""

    threads_before: frozenset[threading.Thread] = field(
        default_factory=lambda: frozenset(threading.enumerate())
    )
    """The threads that ran before anything of the subject did."""

    def __post_init__(self) -> None:
        self.pace = Pace(self.subject.time_limit, self.subject.name_of("time_limit"))

    def note_start(self, backend: Backend) -> None:
        """Note that *backend* has been started, as a rule in this thread."""
        self.has_started = True
        self.running[id(backend)] = threading.get_ident()
        if len(self.settings) == 1:
            self.settings.append(settings())

    def note_stop(self, backend: Backend) -> None:
        """Note that *backend* has been stopped."""
        self.running.pop(id(backend), None)
        if len(self.settings) == 2:
            self.settings.append(settings())
