"""The clauses of the contract: the one table from which everything else is derived.

Reports, messages, ``explain``, test ids and the documentation take their words from here. An id is
never reused. This module imports nothing of the package, so that anything may import it.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

__all__ = ["CLAUSES", "Clause", "in_layer"]


class Clause(NamedTuple):
    """One rule a backend keeps, and what somebody needs to know who has broken it.

    A clause is immutable and compares by value. Code in its fields is complete: ``bad`` and
    ``good`` each define a class ``Mine`` and import what they use.
    """

    id: str
    """``BCnnn``; the hundreds group clauses by member."""

    text: str
    """The rule, in one sentence. Names of code stand in backticks."""

    why: str
    """What goes wrong in a runtime when the rule is broken."""

    fix: str
    """What to do about it."""

    expected: str
    """The shape of the member (or of the use) that keeps the rule, as code."""

    layers: str
    """Who can decide it: ``S`` type checkers, ``R`` inspection of the class, ``B`` behaviour."""

    members: tuple[str, ...]
    """The members of a backend it speaks of, the first one first to be looked at."""

    requires: tuple[str, ...]
    """Ids of the clauses that must hold before this one can be decided at all."""

    bad: str
    """A backend that breaks this clause and no other."""

    good: str
    """The same backend, mended."""

    fails_from: str = "0.1"
    """The minor release from which a violation fails; those before it only warn of one.

    So a clause that is new, or stricter than before, names the release after the one it comes with.
    """

    @property
    def only_warns(self) -> bool:
        """Whether this release of the package is one before ``fails_from``."""
        return _this_release() < _minor(self.fails_from)


@cache
def _this_release() -> tuple[int, ...]:
    from importlib.metadata import version  # seldom needed, and costs much

    return _minor(version("backend-contract"))


def _minor(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")[:2]))


def in_layer(layer: str) -> tuple[Clause, ...]:
    """The clauses that ``layer`` (``"S"``, ``"R"`` or ``"B"``) has a say in, in order of id."""
    return tuple(clause for clause in CLAUSES.values() if layer in clause.layers)


_TABLE = (
    Clause(
        id="BC101",
        text="`backend_type` is a `str` on an instance",
        why="The runtime files a backend, its configuration and its log lines under this name.",
        fix='Give the class a string: `backend_type = "MINE"`.',
        expected='backend_type = "MINE"',
        layers="SRB",
        members=("backend_type",),
        requires=(),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    backend_type = 7
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    backend_type = "MINE"
""",
    ),
    Clause(
        id="BC102",
        text="`backend_type` reads the same on the class as on an instance",
        why="A registry needs the name before any instance exists.",
        fix="Assign it in the class body; not in `__init__`, and not as a property.",
        expected='backend_type = "MINE"',
        layers="SRB",
        members=("backend_type",),
        requires=("BC101",),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    @property
    def backend_type(self) -> str:
        return "MINE"
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    backend_type = "MINE"
""",
    ),
    Clause(
        id="BC103",
        text="`backend_type` is non-empty and upper case",
        why="Names are compared as they are written: `Ray` and `RAY` would be two backends.",
        fix="Write it in upper case.",
        expected='backend_type = "MINE"',
        layers="RB",
        members=("backend_type",),
        requires=("BC102",),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    backend_type = "Mine"
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    backend_type = "MINE"
""",
    ),
    Clause(
        id="BC201",
        text="the class can be called with no argument, with `None` and with exactly one "
        "positional `aconfig.Config` (further parameters have defaults)",
        why="The runtime makes every backend in this way, knowing nothing but its configuration.",
        fix="Take one optional configuration first; give every further parameter a default.",
        expected="def __init__(self, config: aconfig.Config | None = None) -> None",
        layers="SRB",
        members=("__init__",),
        requires=(),
        bad="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None, workers: int) -> None:
        super().__init__(config)
        self.workers = workers
""",
        good="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None, workers: int = 1) -> None:
        super().__init__(config)
        self.workers = workers
""",
    ),
    Clause(
        id="BC202",
        text="`register_config` can be called with exactly one positional `aconfig.Config` (the "
        "parameter's name is free) and returns `None`",
        why="Modules register what they need with backends they know nothing else about.",
        fix="Define it with one parameter that takes a configuration, and return nothing.",
        expected="def register_config(self, config: aconfig.Config) -> None",
        layers="SRB",
        members=("register_config",),
        requires=(),
        bad="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def register_config(self, config: aconfig.Config, overwrite: bool) -> None:
        super().register_config(config)
""",
        good="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def register_config(self, config: aconfig.Config, overwrite: bool = True) -> None:
        super().register_config(config)
""",
    ),
    Clause(
        id="BC203",
        text="`register_config` can be called again and again before `start` (after it: not "
        "promised); a backend without dynamic configuration raises `NotImplementedError` every "
        "time",
        why="Each module of a model may register something before the backend is started.",
        fix="Accept every call, or raise `NotImplementedError` in every call.",
        expected="def register_config(self, config: aconfig.Config) -> None",
        layers="B",
        members=("register_config",),
        requires=("BC202",),
        bad="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def register_config(self, config: aconfig.Config) -> None:
        if self.config:
            raise RuntimeError("already configured")
        super().register_config(config)
""",
        good="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)
""",
    ),
    Clause(
        id="BC204",
        text="a registration adds to the constructor's configuration and to earlier ones: mappings "
        "merge, other values (lists too) are replaced, later values win, untouched keys stay",
        why="Modules that do not know of each other share one backend; none may undo another.",
        fix="Call `super().register_config(config)`, which merges.",
        expected="super().register_config(config)",
        layers="B",
        members=("register_config",),
        requires=("BC203",),
        bad="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def register_config(self, config: aconfig.Config) -> None:
        self.config = aconfig.Config(config, override_env_vars=False)
""",
        good="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def register_config(self, config: aconfig.Config) -> None:
        super().register_config(config)
""",
    ),
    Clause(
        id="BC205",
        text="neither the constructor nor any `register_config`, then or later, changes a mapping "
        "the caller gave",
        why="The same mapping configures the next backend, or is the runtime's own configuration.",
        fix="Copy what was given before changing it; replace `self.config`, never merge in place.",
        expected="super().register_config(config)",
        layers="B",
        members=("register_config", "__init__"),
        requires=("BC201",),
        bad="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.config.setdefault("workers", 1)
""",
        good="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.workers = self.config.get("workers", 1)
""",
    ),
    Clause(
        id="BC301",
        text="a new backend is not started",
        why="The runtime decides when connections are opened and processes are made.",
        fix="Move the work from `__init__` to `start`.",
        expected="backend.is_started is False",
        layers="B",
        members=("__init__", "is_started"),
        requires=("BC201", "BC307"),
        bad="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.start()
""",
        good="""\
import aconfig
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
""",
    ),
    Clause(
        id="BC302",
        text="after `start()` returns, `is_started` is `True`",
        why="Whoever sees it not started starts it again, or refuses to use it.",
        fix="Let `start` set it last: `self._started = True` in a `BackendBase`.",
        expected="backend.start(); backend.is_started is True",
        layers="B",
        members=("start", "is_started"),
        requires=("BC301", "BC307", "BC309"),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def start(self) -> None:
        self.connections = [object()]
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def start(self) -> None:
        self.connections = [object()]
        self._started = True
""",
    ),
    Clause(
        id="BC303",
        text="after `stop()` returns, `is_started` is `False`",
        why="A stopped backend that says it is started is used, and fails, request by request.",
        fix="Let `stop` clear it: `self._started = False` in a `BackendBase`.",
        expected="backend.stop(); backend.is_started is False",
        layers="B",
        members=("stop", "is_started"),
        requires=("BC302",),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def stop(self) -> None:
        self.connections = []
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def stop(self) -> None:
        self._started = False
        self.connections = []
""",
    ),
    Clause(
        id="BC304",
        text="`start()` on a started backend does no harm",
        why="Several modules may start the same backend; a second start must not break the first.",
        fix="Return at once when `self.is_started`.",
        expected="if self.is_started: return",
        layers="B",
        members=("start",),
        requires=("BC302",),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def start(self) -> None:
        if self.is_started:
            raise RuntimeError("already started")
        super().start()
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def start(self) -> None:
        if self.is_started:
            return
        super().start()
""",
    ),
    Clause(
        id="BC305",
        text="`stop()` on a backend that is not started does no harm",
        why="At the end a runtime stops all it has, whether or not it came to starting them.",
        fix="Make `stop` return quietly when there is nothing to stop.",
        expected="if not self.is_started: return",
        layers="B",
        members=("stop",),
        requires=("BC301", "BC307", "BC309"),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def stop(self) -> None:
        if not self.is_started:
            raise RuntimeError("not started")
        super().stop()
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def stop(self) -> None:
        if not self.is_started:
            return
        super().stop()
""",
    ),
    Clause(
        id="BC306",
        text="a stopped backend can be started again",
        why="A runtime restarts a backend to recover it, or to give it a new configuration.",
        fix="Let `start` make everything that `stop` took away.",
        expected="def start(self) -> None",
        layers="B",
        members=("start", "stop"),
        requires=("BC302", "BC303"),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    used = False

    def start(self) -> None:
        if self.used and not self.is_started:
            raise RuntimeError("make a new one")
        self.used = True
        super().start()
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    starts = 0

    def start(self) -> None:
        if not self.is_started:
            self.starts += 1
        super().start()
""",
    ),
    Clause(
        id="BC307",
        text="`is_started` is a `bool`, not a method, and reading it changes nothing",
        why="A method is always true, so a runtime would use a backend that was never started.",
        fix="Define it as a property over the state, or as an attribute.",
        expected="@property def is_started(self) -> bool",
        layers="SRB",
        members=("is_started",),
        requires=(),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def is_started(self) -> bool:
        return self._started
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    @property
    def is_started(self) -> bool:
        return self._started
""",
    ),
    Clause(
        id="BC308",
        text="a `start()` that raises leaves `is_started` `False`, and a later `start()` can "
        "succeed",
        why="A server that is down for a minute must not cost a restart of the runtime.",
        fix="Let `start` set it last (`self._started = True` in a `BackendBase`), and take back "
        "what a failed start had begun.",
        expected="start() raises; backend.is_started is False",
        layers="B",
        members=("start", "is_started"),
        requires=("BC302",),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        try:
            self.connect()
        finally:
            self._started = True
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        self.connect()
        self._started = True
""",
    ),
    Clause(
        id="BC309",
        text="`start` and `stop` can be called without arguments and return `None`",
        why="The runtime starts and stops every backend in the same way; `async` is never awaited.",
        fix="Define both as plain methods without parameters; take the rest from `self.config`.",
        expected="def start(self) -> None, def stop(self) -> None",
        layers="SRB",
        members=("start", "stop"),
        requires=(),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    async def start(self) -> None:
        self._started = True
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def start(self) -> None:
        self._started = True
""",
    ),
    Clause(
        id="BC401",
        text="`start_lock()` returns a context manager",
        why="The runtime holds it while it decides whether to start the backend.",
        fix="Define it as a method that returns a lock, or as a `@contextmanager`.",
        expected="def start_lock(self) -> AbstractContextManager[object]",
        layers="SRB",
        members=("start_lock",),
        requires=(),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def start_lock(self) -> bool:
        return self._start_lock.acquire()
""",
        good="""\
from contextlib import AbstractContextManager
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock
""",
    ),
    Clause(
        id="BC402",
        text="while one thread is inside `start_lock()`, no other enters, whichever call returned "
        "its context manager",
        why="Two requests that arrive together would start the backend twice.",
        fix="Make one lock an instance, in `__init__`, and always return that one.",
        expected="return self._start_lock",
        layers="B",
        members=("start_lock",),
        requires=("BC401",),
        bad="""\
import threading
from contextlib import AbstractContextManager
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def start_lock(self) -> AbstractContextManager[object]:
        return threading.RLock()
""",
        good="""\
from contextlib import AbstractContextManager
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def start_lock(self) -> AbstractContextManager[object]:
        return self._start_lock
""",
    ),
    Clause(
        id="BC403",
        text="the start lock is free again when the body raises",
        why="One failed start would otherwise stop every later one for ever.",
        fix="Release it in `finally`, or return the lock itself.",
        expected="with self._start_lock: yield",
        layers="B",
        members=("start_lock",),
        requires=("BC401",),
        bad="""\
from collections.abc import Iterator
from contextlib import contextmanager
from backend_contract import LocalBackend

class Mine(LocalBackend):
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        self._start_lock.acquire()
        yield
        self._start_lock.release()
""",
        good="""\
from collections.abc import Iterator
from contextlib import contextmanager
from backend_contract import LocalBackend

class Mine(LocalBackend):
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        with self._start_lock:
            yield
""",
    ),
    Clause(
        id="BC404",
        text="`start`, `stop` and `is_started` work while the caller holds the start lock",
        why="A runtime looks, and then starts, under the lock; waiting for itself, it hangs.",
        fix="Use a re-entrant lock (`threading.RLock`), or do not take it in `start` and `stop`.",
        expected="self._start_lock = threading.RLock()",
        layers="B",
        members=("start", "stop", "is_started", "start_lock"),
        requires=("BC302", "BC303", "BC401"),
        bad="""\
import threading
import aconfig
from contextlib import AbstractContextManager
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.lock = threading.Lock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def start(self) -> None:
        with self.lock:
            super().start()
""",
        good="""\
import threading
import aconfig
from contextlib import AbstractContextManager
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.lock = threading.RLock()

    def start_lock(self) -> AbstractContextManager[object]:
        return self.lock

    def start(self) -> None:
        with self.lock:
            super().start()
""",
    ),
    Clause(
        id="BC405",
        text="`is_started` is not `True` in any thread before `start()` has done its work: whoever "
        "reads `True` without the lock may use the backend",
        why="The fast path of every request reads it without a lock.",
        fix="Let `start` set it last: `self._started = True` in a `BackendBase`.",
        expected="during start(): backend.is_started is False",
        layers="B",
        members=("start", "is_started"),
        requires=("BC302",),
        bad="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        self._started = True
        try:
            self.connect()
        except OSError:
            self._started = False
            raise
""",
        good="""\
from backend_contract import LocalBackend

class Mine(LocalBackend):
    def connect(self) -> None: ...

    def start(self) -> None:
        self.connect()
        self._started = True
""",
    ),
    Clause(
        id="BC501",
        text="`handle_runtime_context(model_id, runtime_context)` can be called by position and by "
        "those two keywords, with either kind of context, and returns `None`",
        why="A runtime may answer over gRPC and over HTTP, and call it either way.",
        fix="Define it with both names, and let it take all of `RuntimeServerContextType`.",
        expected="def handle_runtime_context(self, model_id: str, "
        "runtime_context: RuntimeServerContextType) -> None",
        layers="SRB",
        members=("handle_runtime_context",),
        requires=(),
        bad="""\
from backend_contract import LocalBackend, RuntimeServerContextType

class Mine(LocalBackend):
    def handle_runtime_context(self, model_id: str, context: RuntimeServerContextType) -> None:
        self.last_model = model_id
""",
        good="""\
from backend_contract import LocalBackend, RuntimeServerContextType

class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.last_model = model_id
""",
    ),
    Clause(
        id="BC502",
        text="`handle_runtime_context` accepts a context from a real gRPC server",
        why="A request that arrives over gRPC would fail before the model is even found.",
        fix="Read it with `get_metadata`, which knows both kinds of context.",
        expected="get_metadata(runtime_context, key)",
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC501",),
        bad="""\
from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import is_grpc_context

class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if is_grpc_context(runtime_context):
            raise TypeError("HTTP only")
""",
        good="""\
from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.route = get_metadata(runtime_context, "x-route-info")
""",
    ),
    Clause(
        id="BC503",
        text="`handle_runtime_context` accepts a request from a real FastAPI application",
        why="A request that arrives over HTTP would fail before the model is even found.",
        fix="Read it with `get_metadata`, which knows both kinds of context.",
        expected="get_metadata(runtime_context, key)",
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC501",),
        bad="""\
from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import is_http_context

class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if is_http_context(runtime_context):
            raise TypeError("gRPC only")
""",
        good="""\
from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.route = get_metadata(runtime_context, "x-route-info")
""",
    ),
    Clause(
        id="BC504",
        text="`handle_runtime_context` accepts a context whose client sent no metadata of its own, "
        "and a model id it has never seen",
        why="Most clients send nothing special, and the first request for a model is always new.",
        fix="Treat what is missing as missing: `get_metadata` returns `None` for it.",
        expected="get_metadata(runtime_context, key)",
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC501",),
        bad="""\
from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if get_metadata(runtime_context, "x-route-info") is None:
            raise KeyError("x-route-info")
""",
        good="""\
from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.route = get_metadata(runtime_context, "x-route-info") or "default"
""",
    ),
    Clause(
        id="BC505",
        text="`handle_runtime_context` may be called before `start`",
        why="The context is told before the model is found and loaded, and starting may be lazy.",
        fix="Only remember what the request said; use it when the model is loaded.",
        expected="def handle_runtime_context(self, model_id: str, "
        "runtime_context: RuntimeServerContextType) -> None",
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC301", "BC501"),
        bad="""\
from backend_contract import LocalBackend, RuntimeServerContextType

class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        if not self.is_started:
            raise RuntimeError("not started")
""",
        good="""\
from backend_contract import LocalBackend, RuntimeServerContextType

class Mine(LocalBackend):
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.last_model = model_id
""",
    ),
    Clause(
        id="BC506",
        text="concurrent calls of `handle_runtime_context` for different models all return, and "
        "each pair arrives once",
        why="Servers answer on many threads; a request must not be given another one's route.",
        fix="Keep what belongs to a model under its id, or guard what is shared with a lock.",
        expected="self.contexts[model_id] = runtime_context",
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC501",),
        bad="""\
import aconfig
from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.model_id = model_id
        self.route = get_metadata(runtime_context, "x-route-info")
        self.contexts[self.model_id] = self.route
""",
        good="""\
import aconfig
from backend_contract import LocalBackend, RuntimeServerContextType
from backend_contract.runtime_context import get_metadata

class Mine(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.contexts: dict[str, str | None] = {}

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.contexts[model_id] = get_metadata(runtime_context, "x-route-info")
""",
    ),
)

CLAUSES: dict[str, Clause] = {clause.id: clause for clause in _TABLE}
"""Every clause by its id, in order of id. To be read, never changed."""
