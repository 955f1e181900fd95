"""Unusual backends that keep the contract."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import contextvars
import copy
import dataclasses
import functools
import itertools
import logging
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import aconfig
from conformance.behavioural.mutants import HOOKS, Inheriting, Structural, merge, named

from backend_contract import BackendBase
from backend_contract.runtime_context import get_metadata, is_http_context

UNUSUAL: list[tuple[type, dict[str, Any], set[str]]] = []
"""A backend, the options for the kit, and the clauses that are undecided for lack of a hook."""

NO_HOOKS = {"BC308", "BC405", "BC506"}


def conforms(undecided=frozenset(), **given):
    def add(cls):
        UNUSUAL.append((named(cls), given, set(undecided)))
        return cls

    return add


@conforms(**HOOKS)
class WithSlots:
    __slots__ = ("_lock", "config", "connect", "is_started", "routes")

    backend_type = "SLOTS"

    def __init__(self, config=None):
        self.config = copy.deepcopy(dict(config or {}))
        self._lock = threading.RLock()
        self.is_started = False
        self.routes = []
        self.connect = lambda: None

    def register_config(self, config):
        self.config = merge(self.config, config)

    def start(self):
        if not self.is_started:
            self.connect()
            self.is_started = True

    def stop(self):
        self.is_started = False

    def start_lock(self):
        return self._lock

    def handle_runtime_context(self, model_id, runtime_context):
        self.routes.append((model_id, get_metadata(runtime_context, "x-route-info")))


class NameFromClass:
    def __get__(self, instance, owner):
        return owner.__name__.upper()


class Counting(type):
    """Counts the instances of its classes."""

    made = 0

    def __call__(cls, *arguments, **named):
        cls.made += 1
        return super().__call__(*arguments, **named)


@conforms(**HOOKS)
class WithMetaclass(Structural, metaclass=Counting):
    pass


@conforms(**HOOKS)
class WithComputedName(Structural):
    backend_type = NameFromClass()


@conforms(
    merged_config=lambda proxy: proxy.backend.config,
    during_start=lambda proxy, call: setattr(proxy.backend, "connect", call),
    received_contexts=lambda proxy: proxy.backend.routes,
)
class Proxy:
    """Delegates everything but its name."""

    backend_type = "PROXY"

    def __init__(self, config=None):
        self.backend = Structural(config)

    def __getattr__(self, name):
        return getattr(self.backend, name)


@conforms(**HOOKS)
@dataclasses.dataclass
class WithFields:
    config: Any = None
    is_started: bool = False
    routes: list = dataclasses.field(default_factory=list)
    lock: Any = dataclasses.field(default_factory=threading.RLock, repr=False)
    backend_type = "DATACLASS"

    def __post_init__(self):
        self.config = copy.deepcopy(dict(self.config or {}))

    register_config = Structural.register_config
    connect = Structural.connect
    start = Structural.start
    stop = Structural.stop
    start_lock = Structural.start_lock
    handle_runtime_context = Structural.handle_runtime_context


class Gate:
    """A lock by composition, which knows the thread inside."""

    def __init__(self):
        self._lock = threading.RLock()
        self.inside = None

    def __enter__(self):
        self._lock.acquire()
        self.inside = threading.current_thread()
        return self

    def __exit__(self, *error):
        self.inside = None
        self._lock.release()


@conforms(**HOOKS)
class WithGate(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.lock = Gate()


def serve(pipe):
    for message in iter(pipe.recv, None):
        pipe.send(message)


@conforms(time_limit=120, **HOOKS)  # a process takes its time to start
class WithProcess(Inheriting):
    """Runs in a child process."""

    process = None

    def start(self):
        with self.start_lock():
            if not self.is_started:
                self.connect()
                context = multiprocessing.get_context("spawn")
                self.pipe, theirs = context.Pipe()
                self.process = context.Process(target=serve, args=(theirs,), daemon=True)
                self.process.start()
                theirs.close()
                self.pipe.send("ready")
                self.pipe.recv()
                self._started = True

    def stop(self):
        with self.start_lock():
            self._started = False
            if self.process is not None:
                self.pipe.send(None)
                self.process.join()
                self.pipe.close()
                self.process.close()
                self.process = None


@conforms(undecided={"BC308", "BC405"}, **HOOKS | {"during_start": None})
class StartsLazily(Structural):
    """Does its work on first use; start() only sets the flag."""

    def connect(self):
        raise ConnectionError("not used yet")

    def start(self):
        self.is_started = True


@conforms(**HOOKS | {"merged_config": None})
class WithFrozenConfiguration(BackendBase):
    """Its configuration is immutable."""

    backend_type = "FROZEN"

    def __init__(self, config=None):
        super().__init__(config)
        self.config = aconfig.aconfig.ImmutableAttributeAccessDict(self.config)
        self.routes = []

    def connect(self):
        pass

    def register_config(self, config):
        super().register_config(config)
        # Not an ImmutableConfig, in which environment variables always replace values.
        self.config = aconfig.aconfig.ImmutableAttributeAccessDict(self.config)

    start = Inheriting.start

    def stop(self):
        self._started = False

    handle_runtime_context = Inheriting.handle_runtime_context


class Middle(Inheriting):
    backend_type = "MIDDLE"

    def start(self):
        super().start()


@conforms(**HOOKS)
class SubclassOfASubclass(Middle):
    backend_type = "BOTTOM"

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)

    def stop(self):
        super().stop()


@conforms(**HOOKS)
class ListensOneByOne(Inheriting):
    """Reads metadata under a lock."""

    def __init__(self, config=None):
        super().__init__(config)
        self.listening = threading.Lock()

    def handle_runtime_context(self, model_id, runtime_context):
        with self.listening:
            super().handle_runtime_context(model_id, runtime_context)


@conforms(**HOOKS)
class StartsUnderItsLock(Inheriting):
    def start(self):
        with self.start_lock():
            if not self.is_started:
                super().start()

    def stop(self):
        with self.start_lock():
            super().stop()


@conforms(**HOOKS)
class LocksByGenerator(Structural):
    @contextlib.contextmanager
    def start_lock(self):
        with self.lock:
            yield self


@conforms(undecided={"BC204", "BC206"}, **HOOKS)
class ConfiguredWhenMade(Structural):
    def register_config(self, config):
        raise NotImplementedError


@conforms(
    undecided={"BC204", "BC206"}, config={"address": "here"}, **HOOKS | {"merged_config": None}
)
class KnowsItsKeys(Structural):
    """Rejects an empty configuration and unknown keys."""

    def __init__(self, config=None):
        if not config:
            raise ValueError("address is missing")
        super().__init__({})
        self.register_config(config)
        self.secret, self.config = self.config, None

    def register_config(self, config):
        unknown = set(config) - {"address"}
        if unknown:
            raise ValueError(f"unknown: {unknown}")
        self.secret = dict(config)
        if self.config is not None:
            self.config = dict(config)


@conforms(undecided=NO_HOOKS)
class ImportsNothing:
    """Like `examples/structural_backend.py`, which fits no hook."""

    backend_type = "NOTHING"
    is_started = False

    def __init__(self, config=None, *, workers=1):
        self.config, self.lock, self.last = dict(config or {}), threading.Lock(), None

    def register_config(self, more, /):
        self.config = merge(self.config, more)

    def start(self, wait=True):
        self.is_started = True

    def stop(self, *reasons):
        self.is_started = False

    def start_lock(self):
        return self.lock

    def handle_runtime_context(self, model_id, runtime_context, **more):
        self.last = model_id


@conforms(**HOOKS)
class MergesWhenRead(Structural):
    """Keeps copies of what was registered, and merges them when they are read."""

    def __init__(self, config=None):
        self.given = [copy.deepcopy(dict(config or {}))]
        super().__init__(config)

    @property
    def config(self):
        return functools.reduce(merge, self.given)

    @config.setter
    def config(self, value):
        pass

    def register_config(self, config):
        self.given.append(copy.deepcopy(dict(config)))


class AbstractWithName(BackendBase):
    backend_type = "ABSTRACT"

    def register_config(self, config):
        super().register_config(config)

    start = Inheriting.start

    def stop(self):
        self._started = False

    def __init__(self, config=None):
        super().__init__(config)
        self.routes = []

    @abc.abstractmethod
    def connect(self):
        pass

    handle_runtime_context = Inheriting.handle_runtime_context


@conforms(**HOOKS)
class NamedByItsAbstractBase(AbstractWithName):
    backend_type = AbstractWithName.backend_type

    def connect(self):
        pass


@conforms(**HOOKS)
class NotesRoutesPerRequest(Structural):
    """Keeps nothing on the instance."""

    current = contextvars.ContextVar("current", default=())

    @property
    def routes(self):
        return self.current.get()

    @routes.setter
    def routes(self, value):
        pass

    def handle_runtime_context(self, model_id, runtime_context):
        self.current.set([(model_id, get_metadata(runtime_context, "x-route-info"))])


class ByModel(Structural):
    """Keeps the last context of each model."""

    def __init__(self, config=None):
        super().__init__(config)
        self.by_model = {}

    @property
    def routes(self):
        return dict(self.by_model).items()

    @routes.setter
    def routes(self, value):
        pass

    def handle_runtime_context(self, model_id, runtime_context):
        self.by_model[model_id] = runtime_context


conforms(**HOOKS)(ByModel)


@conforms(**HOOKS | {"received_contexts": None})
class ByModelUnseen(ByModel):
    """Shows by its attribute what it keeps."""


@conforms(**HOOKS)
class KeepsAFewModels(ByModel):
    def __init__(self, config=None):
        super().__init__(config)
        self.guard = threading.Lock()

    def handle_runtime_context(self, model_id, runtime_context):
        with self.guard:
            self.by_model[model_id] = get_metadata(runtime_context, "x-route-info")
            while len(self.by_model) > 3:
                del self.by_model[next(iter(self.by_model))]


@conforms(**HOOKS)
class KeepsTheLastRequest(ByModel):
    last = ("", None)

    @property
    def routes(self):
        return [self.last]

    @routes.setter
    def routes(self, value):
        pass

    def handle_runtime_context(self, model_id, runtime_context):
        self.last = model_id, get_metadata(runtime_context, "x-route-info")


@conforms(model_ids=["a", "b", "c"], **HOOKS)
class KnowsSomeModels(ByModel):
    def handle_runtime_context(self, model_id, runtime_context):
        if model_id in ("a", "b", "c"):
            super().handle_runtime_context(model_id, runtime_context)


@conforms(**HOOKS)
class QuotesModelIds(ByModel):
    def handle_runtime_context(self, model_id, runtime_context):
        name = urllib.parse.quote(model_id, safe="").replace(".", "%2E")
        super().handle_runtime_context(name, runtime_context)


@conforms(metadata={"x-route-info": "server:8033", "tenant": "a"}, **HOOKS)
class ReadsPorts(ByModel):
    """Rejects routes that are none."""

    def handle_runtime_context(self, model_id, runtime_context):
        int((get_metadata(runtime_context, "x-route-info") or ":0").split(":")[1])
        self.by_model[model_id] = get_metadata(runtime_context, "tenant")


@conforms(**HOOKS)
class WritesInAnotherThread(Structural):
    """Keeps requests in a thread of its own, a moment later."""

    def __init__(self, config=None):
        super().__init__(config)
        self.pool = ThreadPoolExecutor(1)

    def handle_runtime_context(self, model_id, runtime_context):
        route = get_metadata(runtime_context, "x-route-info")
        self.pool.submit(time.sleep, 0.01)
        self.pool.submit(self.routes.append, (model_id, route))


@conforms(**HOOKS)
class LocksByQueue(Structural):
    @contextlib.contextmanager
    def start_lock(self):
        if getattr(self.inside, "count", 0) == 0:
            self.tokens.get()
        self.inside.count = getattr(self.inside, "count", 0) + 1
        try:
            yield
        finally:
            self.inside.count -= 1
            if self.inside.count == 0:
                self.tokens.put(None)

    def __init__(self, config=None):
        super().__init__(config)
        self.inside = threading.local()
        self.tokens = queue.Queue()
        self.tokens.put(None)


RUNNING: list = []


@conforms(**HOOKS)
class OneAProcess(Inheriting):
    """Refuses to start beside another one."""

    def start(self):
        if not self._started:
            if RUNNING:
                raise RuntimeError("another backend uses the device")
            super().start()
            RUNNING.append(self)

    def stop(self):
        super().stop()
        if self in RUNNING:
            RUNNING.remove(self)


DEVICE = threading.Semaphore()


@conforms(exclusive=True, **HOOKS)
class WaitsForTheDevice(Structural):
    """Blocks until no other one is started."""

    def start(self):
        if not self.is_started:
            DEVICE.acquire()
            try:
                super().start()
            except BaseException:
                DEVICE.release()
                raise

    def stop(self):
        if self.is_started:
            DEVICE.release()
        super().stop()


@conforms(**HOOKS)
class KeepsItsMetricsThread(Inheriting):
    """One thread for good, and a cache of what has been loaded once."""

    cache: ClassVar[dict] = {}
    metrics = None

    def start(self):
        if self.metrics is None:
            self.metrics = threading.Thread(target=threading.Event().wait, daemon=True)
            self.metrics.start()
        self.cache.setdefault("weights", [1, 2, 3])
        super().start()


@conforms(**HOOKS)
class ReleasesLate(Structural):
    """Its thread ends some time after stop() has returned."""

    def start(self):
        if not self.is_started:
            super().start()
            self.ended = threading.Event()
            threading.Thread(target=self.work, args=(self.ended,), daemon=True).start()

    def work(self, ended):
        ended.wait()
        threading.Event().wait(0.3)

    def stop(self):
        if self.is_started:
            self.ended.set()
        super().stop()


@conforms(**HOOKS)
class PutsTheEnvironmentBack(Inheriting):
    def start(self):
        if not self._started:
            self.before = os.environ.get("OMP_NUM_THREADS"), os.getcwd()
            os.environ["OMP_NUM_THREADS"] = "3"
            os.chdir("/")
            super().start()

    def stop(self):
        if self._started:
            del os.environ["OMP_NUM_THREADS"]
            if self.before[0] is not None:
                os.environ["OMP_NUM_THREADS"] = self.before[0]
            os.chdir(self.before[1])
        super().stop()


@conforms(**HOOKS)
class HasItsOwnLoop(Structural):
    """Runs coroutines in a thread of its own."""

    loop = None

    def start(self):
        if not self.is_started:
            self.loop = asyncio.new_event_loop()
            self.thread = threading.Thread(target=self.loop.run_forever)
            self.thread.start()
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop).result()
            try:
                super().start()
            except BaseException:
                self.close()
                raise

    def stop(self):
        super().stop()
        self.close()

    def close(self):
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
            self.loop.close()
            self.loop = None


@conforms(**HOOKS)
class HandlesSignalsInTheMainThread(Inheriting):
    """Puts back in stop() what start() has set, each in the main thread only."""

    before = None

    def start(self):
        if not self._started and threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGUSR1, lambda *_: None)
        super().start()

    def stop(self):
        if self.before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR1, self.before)
            self.before = None
        super().stop()


@conforms(**HOOKS)
class ReloadsItsConfiguration(Structural):
    """Has no configuration while it is stopped."""

    def __init__(self, config=None):
        super().__init__(config)
        self.saved = self.config

    def register_config(self, config):
        super().register_config(config)
        self.saved = self.config

    def start(self):
        if not self.is_started:
            super().start()
            self.config = self.saved

    def stop(self):
        if self.is_started:
            self.config = {}
        super().stop()


@conforms(**HOOKS)
class NotesItsPortInItsConfiguration(Structural):
    def start(self):
        if not self.is_started:
            super().start()
            nested = [key for key, value in self.config.items() if isinstance(value, dict)]
            self.config = merge(self.config, {key: {"port": 8085} for key in nested})


@conforms(**HOOKS)
class IsEqualToAllAndFalse(Structural):
    """Only one can be started at a time."""

    started: ClassVar[list[Any]] = []

    def __eq__(self, other):
        return type(other) is type(self)

    def __len__(self):
        return 0

    __hash__ = None

    def start(self):
        if not self.is_started:
            if self.started:
                raise RuntimeError("another one is started")
            super().start()
            self.started.append(self)

    def stop(self):
        if self.is_started:
            self.started.clear()
        super().stop()


@conforms(**HOOKS)
class HasWhatCannotBeRead(Structural):
    """Attributes that end never, or can be read once: the kit leaves them alone."""

    def __init__(self, config=None):
        super().__init__(config)
        self.ports = itertools.count(8033)
        self.numbers = iter(range(3))

    def handle_runtime_context(self, model_id, runtime_context):
        next(self.ports)
        super().handle_runtime_context(model_id, runtime_context)

    def stop(self):
        super().stop()
        assert len(list(self.numbers)) in (0, 3)


READERS = {
    "Request": lambda request: request.headers.get("x-route-info"),
    "_Context": lambda context: dict(context.invocation_metadata()).get("x-route-info"),
}


@conforms(**HOOKS)
class ReadsByTheNameOfTheClass(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        self.routes.append((model_id, READERS[type(runtime_context).__name__](runtime_context)))


@conforms(**HOOKS)
class ReadsByTheVeryClass(Structural):
    readers: ClassVar[dict] = {}

    def handle_runtime_context(self, model_id, runtime_context):
        cls = type(runtime_context)
        if cls.__module__ not in ("grpc._server", "starlette.requests"):
            raise TypeError(cls)
        self.readers.setdefault(cls.__name__, cls)
        if self.readers[cls.__name__] is not cls:
            raise TypeError("another class of this name")
        super().handle_runtime_context(model_id, runtime_context)


class NamesItsSubclasses:
    """Has no name itself."""

    __init__ = Structural.__init__
    register_config = Structural.register_config
    connect, start, stop = Structural.connect, Structural.start, Structural.stop
    start_lock = Structural.start_lock
    handle_runtime_context = Structural.handle_runtime_context

    def __init_subclass__(cls):
        cls.backend_type = cls.__name__.upper()


@conforms(**HOOKS)
class NamedByItsBase(NamesItsSubclasses):
    pass


@conforms({"BC204", "BC206"}, **{**HOOKS, "merged_config": lambda backend: None})
class KeepsItsConfigurationElsewhere(BackendBase):
    """Inherits the names of the base, and nothing else."""

    backend_type = "ELSEWHERE"

    def __init__(self, config=None):
        self.settings = Structural(config)
        self.is_started_now, self.lock, self.routes = False, threading.RLock(), []

    is_started = property(lambda self: self.is_started_now)
    connect = Structural.connect

    def register_config(self, config):
        self.settings.register_config(config)

    def start(self):
        if not self.is_started_now:
            self.connect()
            self.is_started_now = True

    def stop(self):
        self.is_started_now = False

    def start_lock(self):
        return self.lock

    handle_runtime_context = Structural.handle_runtime_context


@conforms(**HOOKS)
class FreesMemoryAfterManyRequests(Structural):
    """Gets a new session now and then, and stays started; is quiet while it starts."""

    def connect(self):
        self.session = object()

    def start(self):
        before = logging.root.manager.disable
        logging.disable(logging.INFO)
        try:
            super().start()
        finally:
            logging.disable(before)

    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)
        if len(self.routes) % 16 == 0:
            self.session = object()


@conforms(**HOOKS)
class KeepsTheLastContextUntilStarted(Structural):
    waiting = None

    def start(self):
        super().start()
        self.waiting = None

    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)
        if not self.is_started:
            self.waiting = runtime_context


@conforms(**HOOKS)
class ChecksAndSetsUnderAMutex(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.mutex, self.owner, self.depth = threading.Lock(), None, 0

    def take(self, me):
        with self.mutex:
            if self.owner in (None, me):
                self.owner = me
                self.depth += 1
            return self.owner == me

    def give_back(self):
        with self.mutex:
            self.depth -= 1
            if not self.depth:
                self.owner = None

    @contextlib.contextmanager
    def start_lock(self):
        while not self.take(threading.get_ident()):
            time.sleep(0.002)
        try:
            yield
        finally:
            self.give_back()


@conforms(**HOOKS)
class HandsOutTickets(Structural):
    """Whose lock is fair, and not re-entrant."""

    def __init__(self, config=None):
        super().__init__(config)
        self.turn, self.given, self.serving = threading.Condition(), 0, 0

    @contextlib.contextmanager
    def start_lock(self):
        with self.turn:
            mine = self.given
            self.given += 1
            self.turn.wait_for(lambda: self.serving == mine)
        try:
            yield
        finally:
            with self.turn:
                self.serving += 1
                self.turn.notify_all()


@conforms(**HOOKS)
class NotesFailuresUnderTheLock(Inheriting):
    failed: BaseException | None = None

    @contextlib.contextmanager
    def start_lock(self):
        with self._start_lock:
            try:
                yield
            except BaseException as error:
                self.failed = error
                raise


@conforms(**HOOKS)
class GivesUpForAWhile(Inheriting):
    """After three failures in a row."""

    failures, until = 0, 0.0

    def start(self):
        if time.monotonic() < self.until:
            raise RuntimeError("failed too often")
        try:
            super().start()
        except Exception:
            self.failures += 1
            if self.failures == 3:
                self.failures, self.until = 0, time.monotonic() + 60
            raise
        self.failures = 0


@conforms(**HOOKS)
class UsesItsLastConnection(Structural):
    """A stop keeps it, as a pool does; a start that finds one only asks whether it is alive."""

    engine: Any = None

    def start(self):
        if not self.is_started:
            self.engine = self.engine or object()
            self.connect()
            self.is_started = True


@conforms(**{**HOOKS, "received_contexts": lambda backend: vars(backend.of_thread).items()})
class KeepsRoutesPerThread(Inheriting):
    def __init__(self, config=None):
        super().__init__(config)
        self.of_thread = threading.local()

    def handle_runtime_context(self, model_id, runtime_context):
        vars(self.of_thread)[model_id] = get_metadata(runtime_context, "x-route-info")


@conforms(**{**HOOKS, "received_contexts": lambda backend: backend.by_model.items()})
class ReplacesItsTableUnderALock(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.by_model, self.mutex = {}, threading.RLock()

    def handle_runtime_context(self, model_id, runtime_context):
        with self.mutex:
            by_model = dict(self.by_model)
            route = get_metadata(runtime_context, "x-route-info")
            by_model[model_id] = route
            self.by_model = by_model


@conforms({"BC506"}, **{**HOOKS, "received_contexts": lambda backend: backend.pending.items()})
class HandsItsContextsToTheEngine(Structural):
    """Keeps them until it is started; the engine cannot be asked."""

    def __init__(self, config=None):
        super().__init__(config)
        self.pending, self.told = {}, 0

    def start(self):
        super().start()
        self.told += len(self.pending)
        self.pending.clear()

    def handle_runtime_context(self, model_id, runtime_context):
        if self.is_started:
            self.told += 1
        else:
            self.pending[model_id] = get_metadata(runtime_context, "x-route-info")


@conforms(**HOOKS)
class KeepsItsLastThreeLogs(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.logs = []

    def start(self):
        if not self.is_started:
            self.connect()
            self.logs.append(os.open(os.devnull, os.O_RDONLY))
            for log in self.logs[:-3]:
                os.close(log)
            del self.logs[:-3]
            self.is_started = True


@conforms(**HOOKS)
class OpensAnotherLogAtItsThirdStart(Structural):
    starts, logs = 0, ()

    def start(self):
        if not self.is_started:
            self.connect()
            self.starts += 1
            if self.starts in (1, 3, 4):
                self.logs = (*self.logs, os.open(os.devnull, os.O_RDONLY))
            self.is_started = True


@conforms(**HOOKS)
class LoadsItsStoreAtEveryStart(Structural):
    def start(self):
        super().start()
        self.routes = list(self.routes)


@conforms({"BC506"}, **{**HOOKS, "metadata": {"x-address": "here:80"}, "received_contexts": None})
class NeedsAPort(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        _, _, port = (get_metadata(runtime_context, "x-address") or ":80").rpartition(":")
        self.port = int(port)


@conforms(**HOOKS)
class RaisesInItsOwnLock(Structural):
    """Nests two managers that are generators, through which each error has to pass."""

    @contextlib.contextmanager
    def held(self):
        with self.lock:
            yield

    @contextlib.contextmanager
    def start_lock(self):
        with self.held():
            yield


@conforms(**HOOKS)
class ConnectsUntilItHasOnce(Structural):
    """Stays connected when it is stopped."""

    is_connected = False

    def start(self):
        if not self.is_connected:
            self.connect()
            self.is_connected = True
        self.is_started = True


@conforms(**{**HOOKS, "during_start": lambda b, call: b.calls.append(call)})
class MakesEachCallOnce(Structural):
    """Its hook is for one start."""

    def __init__(self, config=None):
        super().__init__(config)
        self.calls = []

    def start(self):
        if not self.is_started:
            while self.calls:
                self.calls.pop()()
            self.is_started = True


@conforms(**HOOKS)
class PutsBackWhatItChanges(Structural):
    before = None

    def start(self):
        if not self.is_started:
            self.connect()
            self.before = sys.unraisablehook
            sys.unraisablehook = lambda _: None
            logging.getLogger().addFilter(bool)
            self.is_started = True

    def stop(self):
        if self.is_started:
            logging.getLogger().removeFilter(bool)
            sys.unraisablehook = self.before
        super().stop()


@conforms(**HOOKS)
class LocksRoutesOfHttpOnly(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.of_routes = threading.Lock()

    def handle_runtime_context(self, model_id, runtime_context):
        with self.of_routes if is_http_context(runtime_context) else contextlib.nullcontext():
            super().handle_runtime_context(model_id, runtime_context)


@conforms(**HOOKS)
class KeepsOneContextOfARoute(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.last = {}

    def handle_runtime_context(self, model_id, runtime_context):
        route = get_metadata(runtime_context, "x-route-info")
        self.last[model_id] = {route: runtime_context}
        super().handle_runtime_context(model_id, runtime_context)
