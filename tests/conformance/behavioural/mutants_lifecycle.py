"""Backends that each violate one clause about starting and stopping, and no other."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from typing import ClassVar

from conformance.behavioural.mutants import (
    Inheriting,
    Structural,
    WithFlag,
    violates,
)

from backend_contract.runtime_context import get_metadata

# BC302


@violates("BC302")
class StartedInItsThreadOnly(WithFlag):
    def __init__(self, config=None):
        super().__init__(config)
        self.of_thread = threading.local()

    @property
    def is_started(self):
        return self.flag and getattr(self.of_thread, "started", False)

    def start(self):
        super().start()
        self.of_thread.started = True


FLAG = contextvars.ContextVar("FLAG", default=False)


@violates("BC302")
class StartedInItsContextOnly(WithFlag):
    @property
    def is_started(self):
        return self.flag and FLAG.get()

    def start(self):
        super().start()
        FLAG.set(True)

    def stop(self):
        super().stop()
        FLAG.set(False)


@violates("BC302")
class StartsInTheBackground(Inheriting):
    def start(self):
        if not self._started:
            threading.Thread(target=lambda: self.connect(), daemon=True).start()
            self._started = True


# BC303


@violates("BC303")
class StopsInTheBackground(Structural):
    def start(self):
        super().start()
        self.drained = threading.Event()

    def stop(self):
        if self.is_started:
            threading.Thread(target=self.drain, daemon=True).start()

    def drain(self):
        if not self.drained.wait(0.3):
            super().stop()


@violates("BC303")
class CanBeStoppedInTheMainThreadOnly(Structural):
    def stop(self):
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        super().stop()


@violates("BC303")
class StaysStarted(WithFlag):
    """And waits for its lock when it is started again."""

    def start(self):
        with self.lock:
            super().start()

    def stop(self):
        pass


# BC304


@violates("BC304")
class StopsToStart(Structural):
    def start(self):
        self.stop()
        super().start()


@violates("BC304", during_start=None)
class Reconnects(Inheriting):
    channel = None

    def start(self):
        self.close()
        self.channel = socket.socketpair()
        self._started = True

    def close(self):
        for end in self.channel or ():
            end.close()
        self.channel = None

    def stop(self):
        self._started = False
        self.close()


@violates("BC304", during_start=None)
class StartsAnotherWorker(Structural):
    """Ends the earlier one."""

    worker = None

    def start(self):
        self.stop()
        self.ended = threading.Event()
        self.worker = threading.Thread(target=self.ended.wait, daemon=True)
        self.worker.start()
        self.is_started = True

    def stop(self):
        self.is_started = False
        if self.worker is not None:
            self.ended.set()
            self.worker.join()
            self.worker = None


@violates("BC304")
class WarmsUpAgain(Structural):
    def start(self):
        self.connect()
        self.is_started = True


# BC306


@violates("BC306")
class ForgetsItsConfiguration(Structural):
    def stop(self):
        if self.is_started:
            self.config = {}
        super().stop()


@violates("BC306")
class ClosesItsRoutesForGood(Inheriting):
    closed = False

    def stop(self):
        self.closed = self.closed or self._started
        super().stop()

    def handle_runtime_context(self, model_id, runtime_context):
        if self.closed and self._started:
            raise RuntimeError("the table of routes is closed")
        super().handle_runtime_context(model_id, runtime_context)


@violates("BC306")
class StartsFourTimes(Inheriting):
    starts = 0

    def start(self):
        if not self._started:
            self.starts += 1
            if self.starts > 4:
                raise RuntimeError("no more workers")
        super().start()


# BC309


@violates("BC309")
class SaysThatItIsStarted(Structural):
    def start(self):
        if self.is_started:
            return True
        return super().start()


@violates("BC309")
class SaysThatNothingWasToStop(Inheriting):
    def stop(self):
        if not self._started:
            return False
        return super().stop()


# BC310


@violates("BC310")
class LeavesAThread(Inheriting):
    def start(self):
        if not self._started:
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        super().start()


@violates("BC310")
class LeavesAFileOpen(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.logs = []

    def start(self):
        if not self.is_started:
            self.logs.append(os.open(os.devnull, os.O_RDONLY))
        super().start()


@violates("BC310", time_limit=120)
class LeavesAProcess(Structural):
    processes = ()

    def start(self):
        if not self.is_started:
            command = [sys.executable, "-S", "-E", "-c", "import sys; sys.stdin.read()"]
            worker = subprocess.Popen(command, stdin=subprocess.PIPE)
            worker.returncode = 0  # or its destructor warns
            self.processes = (*self.processes, worker)
        super().start()


@violates("BC310")
class LeavesASocketWhenItFails(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.sockets = []

    def start(self):
        if not self.is_started:
            self.sockets.append(socket.socket().detach())
            self.connect()
            self.is_started = True

    def stop(self):
        super().stop()
        for each in self.sockets[-1:]:
            os.close(each)
        del self.sockets[-1:]


@violates("BC310")
class StartsAThreadWhenItIsStarted(Inheriting):
    def start(self):
        super().start()
        threading.Thread(target=threading.Event().wait, daemon=True).start()


# BC311


@violates("BC311")
class RunsItsOwnLoop(Inheriting):
    def start(self):
        if not self._started:
            asyncio.run(asyncio.sleep(0))
        super().start()


@violates("BC311")
class DrainsInItsOwnLoop(Structural):
    def stop(self):
        if self.is_started:
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(asyncio.sleep(0))
            finally:
                loop.close()
        super().stop()


@violates("BC311")
class RefusesARunningLoop(Structural):
    def start(self):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            super().start()
        else:
            raise RuntimeError("not in the event loop")


# BC312


@violates("BC312")
class StartedForAll(WithFlag):
    """Keeps the state of an instance on its class."""

    def start(self):
        if not self.flag:
            self.connect()
            type(self).flag = True

    def stop(self):
        type(self).flag = False


@violates("BC312")
class ConfiguredForAll(Structural):
    shared: ClassVar[dict] = {}

    def __init__(self, config=None):
        super().__init__(config)
        self.shared.update(self.config)
        self.config = self.shared

    def register_config(self, config):
        super().register_config(config)
        self.shared.update(self.config)
        self.config = self.shared


ROUTES: list = []


@violates("BC312", received_contexts=lambda backend: [*ROUTES])
class KeepsRoutesInItsModule(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        ROUTES.append((model_id, get_metadata(runtime_context, "x-route-info")))


LOCK = threading.RLock()


@violates("BC312", hangs=True)
class LockedForAll(Structural):
    def start_lock(self):
        return LOCK


@violates("BC312")
class Single(Structural):
    instance = None

    def __new__(cls, config=None):
        if cls.instance is None:
            cls.instance = super().__new__(cls)
        return cls.instance


@violates("BC312")
class StopsAllOfItsKind(Inheriting):
    running: ClassVar[list] = []

    def start(self):
        super().start()
        self.running.append(self)

    def stop(self):
        for each in self.running:
            each._started = False
        self.running.clear()


# BC313


@violates("BC313")
class ChangesTheDirectory(Inheriting):
    def start(self):
        super().start()
        os.chdir(tempfile.gettempdir())


@violates("BC313")
class SetsTheEnvironment(Structural):
    def start(self):
        super().start()
        os.environ["OMP_NUM_THREADS"] = "3"


@violates("BC313")
class HandlesSignals(Structural):
    """In the main thread, where it can."""

    def start(self):
        super().start()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR2, lambda *_: self.stop())


@violates("BC313")
class Logs(Inheriting):
    def start(self):
        super().start()
        logging.getLogger().setLevel(logging.ERROR)


@violates("BC313")
class IgnoresWarnings(Structural):
    def stop(self):
        super().stop()
        warnings.simplefilter("ignore", ImportWarning)


@violates("BC313")
class ReportsCrashes(Structural):
    def start(self):
        super().start()
        sys.excepthook = lambda *_: None


@violates("BC313")
class LimitsSockets(Inheriting):
    def start(self):
        super().start()
        socket.setdefaulttimeout(30)


# Kinds that were seen in backends of others.


@violates("BC304")
class RefusesAnotherThread(Structural):
    def start(self):
        if not self.is_started:
            super().start()
            self.starter = threading.get_ident()
        elif self.starter != threading.get_ident():
            raise RuntimeError("started by another thread")


@violates("BC304")
class ConfiguresItselfAnew(Structural):
    """A second start goes back to what the constructor got."""

    def __init__(self, config=None):
        super().__init__(config)
        self.given = self.config

    def start(self):
        if self.is_started:
            self.config = self.given
        super().start()


@violates("BC305")
class ForgetsWhenThereIsNothingToStop(Structural):
    def stop(self):
        if not self.is_started:
            self.config = {}
        super().stop()


@violates("BC306")
class ReturnsOfARestart(Inheriting):
    stopped = False

    def start(self):
        super().start()
        return self if self.stopped else None

    def stop(self):
        self.stopped = True
        super().stop()


@violates("BC313")
class HandlesSignalsOnceMade(Structural):
    """In the main thread, where it can."""

    def __init__(self, config=None):
        super().__init__(config)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR2, lambda *_: self.stop())


def end(*_):
    raise SystemExit


@violates("BC313")
class HandlesSignalsAlike(Inheriting):
    """In the main thread, where it can, and in the same way at each start."""

    def start(self):
        super().start()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR2, end)


@violates("BC313")
class IgnoresSignalsOnceMade(Structural):
    """In the main thread, where it can."""

    def __init__(self, config=None):
        super().__init__(config)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)


@violates("BC313")
class HidesWhatCannotBeRaised(Structural):
    def start(self):
        super().start()
        sys.unraisablehook = end


@violates("BC313")
class FiltersAllLogs(Inheriting):
    def start(self):
        super().start()
        logging.getLogger().addFilter(lambda record: not record.args)


@violates("BC305", hangs=True)
class WaitsForAWorkerThatIsNotThere(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.ended = threading.Event()

    def start(self):
        super().start()
        self.ended.set()  # as if it ended by itself

    def stop(self):
        self.ended.wait()
        super().stop()
        self.ended.clear()


@violates("BC313")
class SwitchesTheDirectory(Inheriting):
    """Every second start puts back what the one before it has changed."""

    before = ""

    def start(self):
        if not self.is_started:
            here, there = os.getcwd(), self.before or os.path.abspath(os.sep)
            self.before = "" if self.before else here
            os.chdir(there)
        super().start()


@violates("BC313")
class DisablesLogging(Structural):
    def start(self):
        super().start()
        logging.disable(logging.INFO)


# What shows only when something is read, or fails, more than once.


@violates("BC303")
class RemembersThatItWasStarted(WithFlag):
    """Until it is read again after another start."""

    seen = False

    @property
    def is_started(self):
        self.seen = self.seen or self.flag
        return self.seen


class Lapsing(Inheriting):
    """Is started until it has been asked a number of times."""

    times = 5
    left = 0

    @property
    def is_started(self):
        self.left -= self._started
        return self._started and self.left > 0

    def start(self):
        super().start()
        self.left = self.times


@violates("BC307")
class LapsesWhenReadOften(Lapsing):
    pass


@violates("BC307")
class LapsesWhenReadTenTimes(Lapsing):
    times = 10


@violates("BC304")
class UsesItsConnectionAgain(Inheriting):
    """A connection that it has is one that the hook does not reach."""

    def start(self):
        if not self._started:
            self.open = self.connect
        self.open()
        self._started = True


@violates("BC304")
class WarmsUpEveryTime(Structural):
    def start(self):
        if not self.is_started:
            self.engine = [self.connect]
        for warm_up in self.engine:
            warm_up()
        self.is_started = True


@violates("BC306")
class DropsContextsOnceStopped(Inheriting):
    is_closed = False

    def stop(self):
        self.is_closed = self.is_closed or self._started
        super().stop()

    def handle_runtime_context(self, model_id, runtime_context):
        if not self.is_closed:
            super().handle_runtime_context(model_id, runtime_context)


@violates("BC306")
class StoresForItsFirstEngine(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.store = self.routes.append

    def stop(self):
        if self.is_started:
            self.routes = []
        super().stop()

    def handle_runtime_context(self, model_id, runtime_context):
        self.store((model_id, get_metadata(runtime_context, "x-route-info")))


@violates("BC308")
class GivesUpAfterTwoFailures(Inheriting):
    failures = 0

    def start(self):
        if self.failures == 2:
            raise RuntimeError("failed too often")
        try:
            super().start()
        except Exception:
            self.failures += 1
            raise


@violates("BC308")
class KeepsTheLockForUnknownErrors(Structural):
    def start(self):
        self.lock.acquire()
        try:
            super().start()
        except OSError:
            self.lock.release()
            raise
        self.lock.release()


@violates("BC308")
class SwallowsWhatItDoesNotKnow(Structural):
    def start(self):
        try:
            super().start()
        except OSError:
            raise
        except Exception:
            self.is_started = False


@violates("BC308")
class TakesAFailedConnectionForOne(Structural):
    connection = None

    def start(self):
        if self.connection is None:
            self.connection = object()
            self.connect()
        self.is_started = True

    def stop(self):
        super().stop()
        self.connection = None


@violates("BC310")
class LeavesEveryOtherFileOpen(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.logs = []

    def start(self):
        if not self.is_started:
            self.connect()
            self.logs.append(os.open(os.devnull, os.O_RDONLY))
            self.is_started = True

    def stop(self):
        if self.is_started and len(self.logs) % 2:
            os.close(self.logs[-1])
        super().stop()


@violates("BC310")
class ForgetsEveryOtherThread(Inheriting):
    ended = None

    def start(self):
        super().start()
        if self.ended is None:
            self.ended = threading.Event()
            threading.Thread(target=self.ended.wait, daemon=True).start()
            self.is_old = not getattr(self, "is_old", True)

    def stop(self):
        super().stop()
        if self.ended is not None and not self.is_old:
            self.ended.set()
        self.ended = None


@violates("BC307")
class StartsAgainWhenRead(WithFlag):
    wanted = False

    @property
    def is_started(self):
        flag = self.flag
        self.flag = self.wanted
        return flag

    def start(self):
        super().start()
        self.wanted = True


@violates("BC307")
class IsNotStartedOnceItHasStopped(Inheriting):
    @property
    def is_started(self):
        return self._started or vars(self).get("engine", False)

    def stop(self):
        super().stop()
        self.engine = None


@violates("BC304")
class ForgetsItsRequestsWhenStartedAgain(Inheriting):
    def start(self):
        if self._started:
            self.routes = []
        super().start()


@violates("BC304")
class MakesItsStoreAtEveryStart(Structural):
    def start(self):
        super().start()
        self.routes.clear()
