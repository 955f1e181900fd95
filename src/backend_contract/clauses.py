"""The clauses of the contract: the one table from which everything else is derived.

Reports, messages, ``explain``, test ids and the documentation take their words from here. Ids are
never reused. This module imports nothing of the package, so any module may import it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["CLAUSES", "Clause", "Level", "in_layer"]


class Level(enum.Enum):
    """How binding a clause is, after RFC 2119."""

    MUST = "MUST"
    """A violation fails."""
    SHOULD = "SHOULD"
    """A violation is a warning."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Clause:
    """One rule that a backend keeps, and what its author needs to know after breaking it.

    Immutable; compares by value.
    """

    id: str
    """``BCnnn``; the hundreds group clauses by member."""
    level: Level = Level.MUST
    text: str
    """The rule, in one sentence. Code is in backticks."""
    why: str
    """What goes wrong in a runtime if the rule is broken."""
    fix: str
    """How to fix a violation."""
    expected: str
    """The shape of the member, or of its use, that keeps the rule, as code."""
    layers: str
    """The layers that can decide it: ``S``, static, and ``B``, behavioural."""
    members: tuple[str, ...]
    """The members of a backend that the rule is about, the most important one first."""
    requires: tuple[str, ...] = ()
    """Ids of the clauses that must hold before this one can be decided."""

    def __repr__(self) -> str:
        return f"<Clause {self.id}>"

    def __str__(self) -> str:
        return f"{self.id}: {self.text}"

    @property
    def bad(self) -> str:
        """The source of a class ``Mine`` that violates this clause and no other."""
        return _read_example("bad", self.id)

    @property
    def good(self) -> str:
        """The source of the same class, fixed."""
        return _read_example("good", self.id)


def _read_example(kind: str, clause: str) -> str:
    from backend_contract._examples import read_example  # seldom needed

    return read_example(kind, clause)


def in_layer(layer: str) -> tuple[Clause, ...]:
    """Return the clauses that *layer* (``"S"`` or ``"B"``) can decide, in order of id."""
    return tuple(clause for clause in CLAUSES.values() if layer in clause.layers)


_HANDLER = (
    "def handle_runtime_context(self, model_id: str, "
    "runtime_context: RuntimeServerContextType) -> None"
)

_TABLE = (
    Clause(
        id="BC101",
        text="`backend_type` is a `str` on an instance",
        why="The runtime uses this name for a backend, its configuration and its log lines.",
        fix='Give the class a string: `backend_type = "MINE"`.',
        expected='backend_type = "MINE"',
        layers="SB",
        members=("backend_type",),
    ),
    Clause(
        id="BC102",
        text="`backend_type` reads the same on the class as on an instance",
        why="A registry needs the name before any instance exists.",
        fix="Assign it in the class body, not in `__init__` and not as a property.",
        expected='backend_type = "MINE"',
        layers="SB",
        members=("backend_type",),
        requires=("BC101",),
    ),
    Clause(
        id="BC103",
        text="`backend_type` is non-empty, upper case and without surrounding whitespace",
        why="Names are compared as they are written: `Ray` and `RAY` would be two backends.",
        fix="Write it in upper case, without surrounding whitespace.",
        expected='backend_type = "MINE"',
        layers="SB",
        members=("backend_type",),
        requires=("BC102",),
    ),
    Clause(
        id="BC104",
        level=Level.SHOULD,
        text="a class that inherits from a named backend defines its own name",
        why="Two classes of one name shadow each other in a registry.",
        fix='Give the class its own string: `backend_type = "MINE"`.',
        expected='backend_type = "MINE"',
        layers="SB",
        members=("backend_type",),
        requires=("BC102",),
    ),
    Clause(
        id="BC201",
        text="the class can be called with no argument, with `None` and with exactly one "
        "positional `aconfig.Config` (further parameters have defaults), and every member of the "
        "new backend can be read",
        why="The runtime creates every backend in this way; all it has is a configuration.",
        fix="Take one optional configuration first, and give every further parameter a default.",
        expected="def __init__(self, config: aconfig.Config | None = None) -> None",
        layers="SB",
        members=("__init__",),
    ),
    Clause(
        id="BC202",
        text="`register_config` can be called with exactly one positional `aconfig.Config` (the "
        "parameter's name is free) and returns `None`, every time",
        why="Modules register settings with a backend that they know nothing else about.",
        fix="Define it with one parameter that takes a configuration, and return nothing.",
        expected="def register_config(self, config: aconfig.Config) -> None",
        layers="SB",
        members=("register_config",),
    ),
    Clause(
        id="BC203",
        text="`register_config` can be called repeatedly before `start` (after it: not promised); "
        "a backend without dynamic configuration raises `NotImplementedError` every time",
        why="Each module of a model may register settings before the backend is started.",
        fix="Accept every call, or raise `NotImplementedError` in every call.",
        expected="def register_config(self, config: aconfig.Config) -> None",
        layers="B",
        members=("register_config",),
        requires=("BC202",),
    ),
    Clause(
        id="BC204",
        text="a registration adds to the constructor's configuration and to earlier ones: mappings "
        'merge at every depth, other values (lists, `None`, `0`, `""`, `{}` over a scalar) are '
        "replaced, later values win, untouched keys stay, keys stay as they are written, and no "
        "environment variable replaces a value",
        why="Independent modules share one backend; none may undo the settings of another.",
        fix="Merge it into a copy of the earlier configuration, and keep the copy, as the "
        "`register_config` of `BackendBase` does.",
        expected="self.config = merge(self.config, copy.deepcopy(config))",
        layers="B",
        members=("register_config",),
        requires=("BC203",),
    ),
    Clause(
        id="BC205",
        text="neither the constructor nor any `register_config`, then or later, changes a mapping "
        "the caller gave",
        why="The same mapping may configure the next backend, or be the runtime's own settings.",
        fix="Copy the mapping before changing it; replace `self.config`, never merge in place.",
        expected="self.config = merge(self.config, copy.deepcopy(config))",
        layers="B",
        members=("register_config", "__init__"),
        requires=("BC201",),
    ),
    Clause(
        id="BC206",
        level=Level.SHOULD,
        text="changes that a caller makes to a mapping after `register_config` has returned do not "
        "reach the backend",
        why="A caller may fill the same mapping with the settings of the next backend.",
        fix="Store a deep copy of the mapping, not the mapping or a part of it, as the "
        "`register_config` of `BackendBase` does.",
        expected="self.config = merge(self.config, copy.deepcopy(config))",
        layers="B",
        members=("register_config",),
        requires=("BC204", "BC205"),
    ),
    Clause(
        id="BC301",
        text="a new backend is not started",
        why="The runtime decides when connections are opened and processes are created.",
        fix="Move the work from `__init__` to `start`.",
        expected="backend.is_started is False",
        layers="B",
        members=("__init__", "is_started"),
        requires=("BC201", "BC307"),
    ),
    Clause(
        id="BC302",
        text="when `start()` returns, its work is done and `is_started` is `True`, in every thread",
        why="A runtime that reads `False` starts the backend again, or refuses to use it.",
        fix="Do the work before `start` returns, then set the flag: `self._started = True` in a "
        "`BackendBase`.",
        expected="backend.start(); backend.is_started is True",
        layers="B",
        members=("start", "is_started"),
        requires=("BC301", "BC307", "BC309"),
    ),
    Clause(
        id="BC303",
        text="when `stop()` returns, `is_started` is `False`, in every thread",
        why="A stopped backend that claims to be started is used, and fails request by request.",
        fix="Clear the flag in `stop`: `self._started = False` in a `BackendBase`.",
        expected="backend.stop(); backend.is_started is False",
        layers="B",
        members=("stop", "is_started"),
        requires=("BC302",),
    ),
    Clause(
        id="BC304",
        text="`start()` on a started backend does no harm: it does not do its work again, and "
        "leaves nothing locked",
        why="Several modules may start the same backend; a second start must not break the first.",
        fix="Return at once if `self.is_started`.",
        expected="if self.is_started: return",
        layers="B",
        members=("start",),
        requires=("BC302",),
    ),
    Clause(
        id="BC305",
        text="`stop()` on a backend that is not started does no harm",
        why="On shutdown a runtime stops every backend, started or not.",
        fix="Make `stop` return without an error if there is nothing to stop.",
        expected="if not self.is_started: return",
        layers="B",
        members=("stop",),
        requires=("BC301", "BC307", "BC309"),
    ),
    Clause(
        id="BC306",
        text="a stopped backend can be started again, any number of times, and then does what it "
        "did: it has its configuration and accepts contexts",
        why="A runtime restarts a backend to recover it, or to apply a new configuration.",
        fix="Create in `start` everything that `stop` releases, and keep the configuration.",
        expected="def start(self) -> None",
        layers="B",
        members=("start", "stop"),
        requires=("BC302", "BC303"),
    ),
    Clause(
        id="BC307",
        text="`is_started` is a `bool`, not a method, and reading it changes nothing",
        why="A method is always true, so a runtime would use a backend that was never started.",
        fix="Define it as a property over the state, or as an attribute.",
        expected="@property def is_started(self) -> bool",
        layers="SB",
        members=("is_started",),
    ),
    Clause(
        id="BC308",
        text="a `start()` that raises leaves `is_started` `False` and the lock free, and a later "
        "`start()` can succeed",
        why="A server that is down for a minute must not force a restart of the runtime.",
        fix="Set the flag last in `start` (`self._started = True` in a `BackendBase`), and undo "
        "what a failed start has begun.",
        expected="start() raises; backend.is_started is False",
        layers="B",
        members=("start", "is_started"),
        requires=("BC302",),
    ),
    Clause(
        id="BC309",
        text="`start` and `stop` can be called without arguments and return `None`, every time",
        why="The runtime starts and stops every backend in the same way and never awaits.",
        fix="Define both as plain methods without parameters; read settings from `self.config`.",
        expected="def start(self) -> None, def stop(self) -> None",
        layers="SB",
        members=("start", "stop"),
    ),
    Clause(
        id="BC310",
        level=Level.SHOULD,
        text="`stop()` releases what `start()` took: threads, child processes, open files and "
        "sockets do not add up over starts, nor over failed or second starts",
        why="A runtime restarts a backend for months; what adds up exhausts the machine.",
        fix="Close, join or terminate all that `start` created, in `stop` and if `start` fails.",
        expected="def stop(self) -> None",
        layers="B",
        members=("stop", "start"),
        requires=("BC306",),
    ),
    Clause(
        id="BC311",
        level=Level.SHOULD,
        text="`start()` and `stop()` can be called in a thread whose event loop is running",
        why="An asynchronous server starts its backends in the thread of its event loop.",
        fix="Run coroutines in a separate thread: `asyncio.run` fails beside a running loop.",
        expected="thread_pool.submit(asyncio.run, work()).result()",
        layers="B",
        members=("start", "stop"),
        requires=("BC302", "BC303"),
    ),
    Clause(
        id="BC312",
        text="each call of the class creates a new backend, and nothing that one backend is "
        "given, receives or does shows in another",
        why="A runtime may hold two backends of one class, such as one per server.",
        fix="Create all state in `__init__`: none on the class, in the module or in a default.",
        expected="self.contexts = {}",
        layers="B",
        members=("__init__", "register_config", "start", "stop"),
        requires=("BC201",),
    ),
    Clause(
        id="BC313",
        level=Level.SHOULD,
        text="constructor, `start()` and `stop()` leave the process as it was: working directory, "
        "environment, signal handlers, exception hooks, warning filters, the root logger's "
        "configuration, socket default time-out, locale",
        why="The process belongs to the runtime, and other backends share it.",
        fix="Pass settings to what needs them, or let `stop` restore what `start` has changed.",
        expected="subprocess.Popen(command, cwd=directory, env=environment)",
        layers="B",
        members=("start", "stop", "__init__"),
        requires=("BC306",),
    ),
    Clause(
        id="BC401",
        text="`start_lock()` returns a context manager, a new or reusable one every time",
        why="The runtime holds it while it decides whether to start the backend.",
        fix="Define it as a method that returns a lock, or as a `@contextmanager`.",
        expected="def start_lock(self) -> AbstractContextManager[object]",
        layers="SB",
        members=("start_lock",),
    ),
    Clause(
        id="BC402",
        text="while one thread is inside `start_lock()`, no other enters, whichever call returned "
        "its context manager, during the whole life of the instance",
        why="Two requests that arrive together would start the backend twice.",
        fix="Create one lock per instance, in `__init__`, and always return that one.",
        expected="return self._start_lock",
        layers="B",
        members=("start_lock",),
        requires=("BC401",),
    ),
    Clause(
        id="BC403",
        text="the start lock is free again when the body raises (`KeyboardInterrupt` too), the "
        "error propagates, and the lock is free after every member has returned or raised",
        why="Otherwise one failed start would block every later one forever.",
        fix="Release it in `finally`, or return the lock itself.",
        expected="with self._start_lock: yield",
        layers="B",
        members=("start_lock", "start", "stop", "register_config", "handle_runtime_context"),
        requires=("BC401",),
    ),
    Clause(
        id="BC404",
        text="`register_config`, `start`, `stop` and `is_started` work while the caller holds the "
        "start lock",
        why="A runtime checks and starts under the lock; taking it again in `start` deadlocks.",
        fix="Use a re-entrant lock (`threading.RLock`), or do not take it in these members.",
        expected="self._start_lock = threading.RLock()",
        layers="B",
        members=("start", "stop", "register_config", "is_started", "start_lock"),
        requires=("BC302", "BC303", "BC401"),
    ),
    Clause(
        id="BC405",
        text="`is_started` is not `True` in any thread before `start()` has done its work: a "
        "caller that reads `True` without the lock may use the backend",
        why="The fast path of every request reads it without a lock.",
        fix="Set the flag last in `start`: `self._started = True` in a `BackendBase`.",
        expected="during start(): backend.is_started is False",
        layers="B",
        members=("start", "is_started"),
        requires=("BC302",),
    ),
    Clause(
        id="BC406",
        level=Level.SHOULD,
        text="`is_started` answers at once, also while another thread holds the start lock or is "
        "inside `start()`",
        why="Readiness probes read it; one that waits for a slow start fails the probe.",
        fix="Return the flag without taking the lock.",
        expected="@property def is_started(self) -> bool: return self._started",
        layers="B",
        members=("is_started", "start_lock"),
        requires=("BC403", "BC404"),
    ),
    Clause(
        id="BC501",
        text="`handle_runtime_context(model_id, runtime_context)` can be called by position and by "
        "those two keywords, with either kind of context, and returns `None`, every time",
        why="A runtime may serve gRPC and HTTP, and may call the method either way.",
        fix="Define it with both names, and accept all of `RuntimeServerContextType`.",
        expected=_HANDLER,
        layers="SB",
        members=("handle_runtime_context",),
    ),
    Clause(
        id="BC502",
        text="`handle_runtime_context` accepts a context from a real gRPC server",
        why="A request that arrives over gRPC would fail before the model is even found.",
        fix="Read it with `get_metadata`, which supports both kinds of context.",
        expected="get_metadata(runtime_context, key)",
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC501",),
    ),
    Clause(
        id="BC503",
        text="`handle_runtime_context` accepts a request from a real FastAPI application",
        why="A request that arrives over HTTP would fail before the model is even found.",
        fix="Read it with `get_metadata`, which supports both kinds of context.",
        expected="get_metadata(runtime_context, key)",
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC501",),
    ),
    Clause(
        id="BC504",
        text="`handle_runtime_context` accepts every model id (slashes, any letter case, "
        "non-ASCII, a thousand characters) and all metadata a client can send: none, repeated "
        "keys, `-bin` bytes, Latin-1 headers",
        why="A client chooses both; a request that the backend rejects is never answered.",
        fix="Use the model id as a key only, and a default for missing metadata: `get_metadata` "
        "accepts all that a client can send, and returns `None` for a key that is missing.",
        expected="get_metadata(runtime_context, key)",
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC501",),
    ),
    Clause(
        id="BC505",
        text="`handle_runtime_context` may be called before `start` and after `stop`, and starts "
        "and stops nothing",
        why="The backend receives the context before the model is found; the runtime starts it.",
        fix="Only store what the request says; use it when the model is loaded.",
        expected=_HANDLER,
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC301", "BC501"),
    ),
    Clause(
        id="BC506",
        text="concurrent calls of `handle_runtime_context` for different models all return, each "
        "context arrives once and for its own model id, and of two calls for one model the later "
        "one counts",
        why="Servers use many threads; a request must not get the route of another.",
        fix="Store per-model state under the model id, or guard shared state with a lock.",
        expected="self.contexts[model_id] = runtime_context",
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC501",),
    ),
    Clause(
        id="BC507",
        level=Level.SHOULD,
        text="`handle_runtime_context` does not wait for the start lock",
        why="Requests for other models go on while a backend starts, which may take minutes.",
        fix="Guard its state with a separate lock, not with the start lock.",
        expected="with self._contexts_lock: self.contexts[model_id] = runtime_context",
        layers="B",
        members=("handle_runtime_context", "start_lock"),
        requires=("BC403", "BC505"),
    ),
    Clause(
        id="BC508",
        level=Level.SHOULD,
        text="the backend keeps no context of a request that is over, except the last one of each "
        "model",
        why="A context is valid while its request is answered, and holds its connection and body.",
        fix="Copy what is needed out of the context, and replace it under its model id.",
        expected="self.routes[model_id] = get_metadata(runtime_context, key)",
        layers="B",
        members=("handle_runtime_context",),
        requires=("BC501",),
    ),
)

CLAUSES: dict[str, Clause] = {clause.id: clause for clause in _TABLE}
"""Every clause by its id, in order of id. Read-only by convention."""
