"""Mutants of BC5xx: see ``mutants.py``."""

from __future__ import annotations

import contextlib
import queue
import re
import sqlite3
import tempfile
import threading
import unicodedata
from collections import defaultdict, deque
from contextvars import ContextVar
from pathlib import Path

from conformance.behavioural.mutants import Inheriting, Structural, violates

from backend_contract.runtime_context import get_metadata, is_grpc_context, is_http_context

# BC501


@violates("BC501")
class ReturnsKnownRoutes(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        for known, route in self.routes:
            if known == model_id:
                return route
        return super().handle_runtime_context(model_id, runtime_context)


@violates("BC501")
class ReturnsFalseWithoutRoute(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)
        return None if get_metadata(runtime_context, "x-route-info") else False


@violates("BC501")
class ReturnsItselfUntilStarted(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)
        return None if self.is_started else self


# BC504


@violates("BC504")
class FoldsModelIds(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id.lower(), runtime_context)


class ByModel(Structural):
    """Keeps the route of the last request for each model."""

    def __init__(self, config=None):
        super().__init__(config)
        self.by_model = {}

    def key_of(self, model_id):
        return model_id

    @property
    def routes(self):
        return self.by_model.items()

    @routes.setter
    def routes(self, value):
        pass

    def handle_runtime_context(self, model_id, runtime_context):
        self.by_model[self.key_of(model_id)] = get_metadata(runtime_context, "x-route-info")


@violates("BC504")
class TruncatesModelIds(ByModel):
    def key_of(self, model_id):
        return model_id[:200]


@violates("BC504")
class CutsModelIds(ByModel):
    def key_of(self, model_id):
        return model_id.split("/")[-1]


@violates("BC504")
class ReplacesSlashes(ByModel):
    def key_of(self, model_id):
        return model_id.replace("/", "_")


@violates("BC504", received_contexts=None)
class FoldsModelIdsUnseen(ByModel):
    """Is caught without a hook, by the attribute."""

    def key_of(self, model_id):
        return model_id.casefold()


@violates("BC504")
class WritesFiles(Inheriting):
    """Uses model ids as file names."""

    def __init__(self, config=None):
        super().__init__(config)
        self.directory = tempfile.TemporaryDirectory()

    def handle_runtime_context(self, model_id, runtime_context):
        Path(self.directory.name, model_id).write_text("", encoding="utf-8")
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC504")
class MatchesPatterns(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        re.compile(model_id)
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC504")
class KeepsAsciiOnly(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        (get_metadata(runtime_context, "x-route-info") or "").encode("ascii")
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC504")
class JoinsMetadata(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        if is_grpc_context(runtime_context):
            ";".join(value for _, value in runtime_context.invocation_metadata())
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC504")
class TakesOneRoute(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        if is_http_context(runtime_context):
            routes = runtime_context.headers.getlist("x-route-info")
            if len(routes) > 1:
                raise ValueError("several routes")
        super().handle_runtime_context(model_id, runtime_context)


# BC505


@violates("BC505")
class StartsOnDemand(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        if not self.is_started:
            self.start()
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC505")
class IsClosedOnceStopped(Structural):
    closed = False

    def start(self):
        super().start()
        self.closed = False

    def stop(self):
        self.closed = self.is_started
        super().stop()

    def handle_runtime_context(self, model_id, runtime_context):
        if self.closed:
            raise RuntimeError("closed")
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC505")
class StopsForRequestsWithoutRoute(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)
        if self.routes[-1][1] is None:
            self.stop()


# BC506


@violates("BC506", received_contexts=lambda backend: backend.by_model)
class KeepsTheFirstRoute(ByModel):
    def handle_runtime_context(self, model_id, runtime_context):
        route = get_metadata(runtime_context, "x-route-info")
        self.by_model.setdefault(model_id, route)


@violates("BC506", received_contexts=None)
class DropsWhenBusyUnseen(Inheriting):
    """Is caught without a hook, by the attribute."""

    busy = False

    def handle_runtime_context(self, model_id, runtime_context):
        if not self.busy:
            self.busy = True
            super().handle_runtime_context(model_id, runtime_context)
            self.busy = False


@violates("BC506", metadata={"tenant": "someone"})
class MixesUpTenants(ByModel):
    """Keeps another key than the kit's."""

    def handle_runtime_context(self, model_id, runtime_context):
        self.tenant = get_metadata(runtime_context, "tenant")
        get_metadata(runtime_context, "user-agent")
        self.by_model[model_id] = self.tenant


@violates("BC506", model_ids=["a", "b", "c", "d"])
class RemembersOneConfiguredModel(ByModel):
    """Keeps what it knows of some models only, and mixes them up."""

    def handle_runtime_context(self, model_id, runtime_context):
        if model_id in "abcd":
            self.model_id = model_id
            route = get_metadata(runtime_context, "x-route-info")
            self.by_model[self.model_id] = route


# BC507


@violates("BC507", hangs=True)
class ListensUnderItsLock(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        with self._start_lock:
            super().handle_runtime_context(model_id, runtime_context)


@violates("BC507", hangs=True)
class ListensUnderTheLockOfStart(Structural):
    """Has a second lock, which start() holds too."""

    def __init__(self, config=None):
        super().__init__(config)
        self.state = threading.RLock()

    def start(self):
        with self.state:
            super().start()

    def handle_runtime_context(self, model_id, runtime_context):
        with self.state:
            super().handle_runtime_context(model_id, runtime_context)


@violates("BC507", hangs=True)
class ListensOnceTheLockIsFree(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        with self.start_lock():
            pass
        super().handle_runtime_context(model_id, runtime_context)


# BC508


@violates("BC508")
class KeepsAllContexts(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        self.routes.append((model_id, runtime_context))


@violates("BC508", received_contexts=lambda b: [(m, c) for m, all_ in b.kept.items() for c in all_])
class KeepsHistories(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.kept = defaultdict(list)

    def handle_runtime_context(self, model_id, runtime_context):
        self.kept[model_id].append(runtime_context)


@violates("BC508")
class KeepsTheLastHundred(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.last = deque(maxlen=100)

    def handle_runtime_context(self, model_id, runtime_context):
        self.last.append(runtime_context)
        super().handle_runtime_context(model_id, runtime_context)


# Kinds that were seen in backends of others.


@violates("BC504")
class RefusesRepeatedKeys(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        if is_http_context(runtime_context):
            values = set(runtime_context.headers.getlist("x-kit"))
        else:
            values = {v for k, v in runtime_context.invocation_metadata() if k == "x-kit"}
        if len(values) > 1:
            raise ValueError("x-kit is given twice")
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC504")
class NormalisesModelIds(ByModel):
    def key_of(self, model_id):
        return unicodedata.normalize("NFKC", model_id)


@violates("BC505")
class QueuesRequestsUntilStarted(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.waiting = queue.Queue(8)

    def start(self):
        super().start()
        while not self.waiting.empty():
            self.waiting.get_nowait()

    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)
        if not self.is_started:
            self.waiting.put_nowait(model_id)


@violates("BC505")
class KeepsStartedOnceTold(Structural):
    """Its stop() returns at once, and ends what is at work when that is done: never."""

    told = False

    def handle_runtime_context(self, model_id, runtime_context):
        self.told = self.is_started
        super().handle_runtime_context(model_id, runtime_context)

    def start(self):
        super().start()
        self.told = False

    def stop(self):
        if not self.told:
            super().stop()


CURRENT: ContextVar = ContextVar("current", default=None)


@violates("BC506", received_contexts=lambda backend: [CURRENT.get()] if CURRENT.get() else [])
class SetsItsVariableForRoutes(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        route = get_metadata(runtime_context, "x-route-info")
        if route:
            CURRENT.set((model_id, route))


@violates("BC507", hangs=True)
class LocksForNewModels(ByModel):
    def handle_runtime_context(self, model_id, runtime_context):
        if model_id not in self.by_model:
            with self.lock:
                super().handle_runtime_context(model_id, runtime_context)
        else:
            super().handle_runtime_context(model_id, runtime_context)


@violates("BC507", hangs=True)
class LocksWhileStarted(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        if self.is_started:
            with self.start_lock():
                super().handle_runtime_context(model_id, runtime_context)
        else:
            super().handle_runtime_context(model_id, runtime_context)


@violates("BC505")
class StopsToLoadAModel(Structural):
    loaded = frozenset()

    def handle_runtime_context(self, model_id, runtime_context):
        if model_id not in self.loaded:
            self.loaded |= {model_id}
            self.stop()
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC505")
class StopsAfterManyRequests(Inheriting):
    """Stops itself after some requests, as if to free memory; nothing starts it again."""

    count = 0

    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)
        self.count += 1
        if self.count % 16 == 0:
            self.stop()


@violates("BC508")
class KeepsContextsUntilStarted(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.waiting = []

    def start(self):
        super().start()
        self.waiting.clear()

    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)
        if not self.is_started:
            self.waiting.append(runtime_context)


# What one request leaves for another.


@violates("BC506")
class KeepsTheRouteOfItsThread(Inheriting):
    def __init__(self, config=None):
        super().__init__(config)
        self.of_thread = threading.local()

    def handle_runtime_context(self, model_id, runtime_context):
        if not hasattr(self.of_thread, "route"):
            self.of_thread.route = get_metadata(runtime_context, "x-route-info")
        self.routes.append((model_id, self.of_thread.route))


@violates("BC506")
class FillsOneBuffer(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.buffer = {}

    def handle_runtime_context(self, model_id, runtime_context):
        self.buffer.clear()
        self.buffer["route"] = get_metadata(runtime_context, "x-route-info")
        self.routes.append((model_id, self.buffer["route"]))


@violates("BC504")
class WritesModelIdsIntoSql(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        with contextlib.closing(sqlite3.connect(":memory:")) as database:
            database.execute(f"select '{model_id}'")
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC504")
class ReadsItsLinesBack(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        (line,) = f"{model_id}\t".splitlines()
        super().handle_runtime_context(line[:-1], runtime_context)


@violates("BC504")
class LooksAtTheFirstLetter(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        route = get_metadata(runtime_context, "x-route-info")
        if route is None or route[0] != "#":
            super().handle_runtime_context(model_id, runtime_context)


@violates("BC507", hangs=True)
class LocksToReplace(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        with self.start_lock() if model_id in dict(self.routes) else contextlib.nullcontext():
            super().handle_runtime_context(model_id, runtime_context)


@violates("BC508")
class KeepsWhatHasNoRoute(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.without = []

    def handle_runtime_context(self, model_id, runtime_context):
        if get_metadata(runtime_context, "x-route-info") is None:
            self.without.append(runtime_context)
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC504")
class KeepsAsciiIds(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        name = model_id.encode("ascii", "replace").decode()
        super().handle_runtime_context(name, runtime_context)


@violates("BC507", hangs=True)
class LocksForHttpOnly(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        with self.lock if is_http_context(runtime_context) else contextlib.nullcontext():
            super().handle_runtime_context(model_id, runtime_context)


@violates("BC508")
class KeepsOneContextPerRoute(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.by_route = {}

    def handle_runtime_context(self, model_id, runtime_context):
        self.by_route[get_metadata(runtime_context, "x-route-info")] = runtime_context
        super().handle_runtime_context(model_id, runtime_context)
