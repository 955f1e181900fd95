"""Mutants of BC4xx: see ``mutants.py``."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

from conformance.behavioural.mutants import (
    Inheriting,
    Structural,
    WithFlag,
    WithPlainLock,
    violates,
)

# BC401


@violates("BC401")
class UsesItsLockThatIsNone(Inheriting):
    """Forgot @contextmanager, so that no other member works either."""

    def start_lock(self):
        with self._start_lock:
            yield

    def start(self):
        with self.start_lock():
            super().start()

    def stop(self):
        with self.start_lock():
            super().stop()


@violates("BC401")
class MakesItsLockWhenStarted(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        del self.lock

    def start(self):
        self.lock = threading.RLock()
        super().start()

    def stop(self):
        with self.lock:
            super().stop()


# BC402


@violates("BC402")
class RenewsItsLockWhenConfigured(Structural):
    def register_config(self, config):
        super().register_config(config)
        self.lock = threading.RLock()


@violates("BC402")
class MakesItsLockWhenAsked(Structural):
    """Two first callers have a lock each."""

    def __init__(self, config=None):
        super().__init__(config)
        del self.lock

    def start_lock(self):
        if not hasattr(self, "lock"):
            self.lock = threading.RLock()
        return self.lock


@violates("BC402")
class RenewsItsLockWhenStarted(Inheriting):
    def start(self):
        super().start()
        self._start_lock = threading.RLock()


@violates("BC402")
class RenewsItsLockWhenStopped(Structural):
    def stop(self):
        super().stop()
        self.lock = threading.RLock()


class LockThatLooksFirst:
    taken = False

    def __enter__(self):
        while self.taken:
            time.sleep(0.001)
        self.taken = True

    def __exit__(self, *error):
        self.taken = False


@violates("BC402")
class ChecksThenSets(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.lock = LockThatLooksFirst()


@violates("BC402")
class GivesUpAfterAWhile(Inheriting):
    @contextlib.contextmanager
    def start_lock(self):
        locked = self._start_lock.acquire(timeout=0.5)
        try:
            yield
        finally:
            if locked:
                self._start_lock.release()


# BC403


@violates("BC403", hangs=True)
class KeepsTheLockOnInterrupts(Inheriting):
    @contextlib.contextmanager
    def start_lock(self):
        self._start_lock.acquire()
        try:
            yield
        except Exception:
            self._start_lock.release()
            raise
        self._start_lock.release()


@violates("BC403")
class SwallowsSomeErrors(Structural):
    @contextlib.contextmanager
    def start_lock(self):
        with self.lock, contextlib.suppress(TimeoutError):
            yield


@violates("BC403")
class ReplacesErrors(Structural):
    @contextlib.contextmanager
    def start_lock(self):
        with self.lock:
            try:
                yield
            except ValueError as error:
                raise RuntimeError("under the lock") from error


@violates("BC403", hangs=True)
class KeepsTheLockWhenStopped(Inheriting):
    def stop(self):
        if self.is_started:
            self._start_lock.acquire()
        super().stop()


@violates("BC403", hangs=True)
class KeepsTheLockWhenConfigured(Structural):
    def register_config(self, config):
        self.lock.acquire()
        super().register_config(config)


@violates("BC403", hangs=True)
class KeepsTheLockOfTheFirstRequest(Structural):
    asked = False

    def handle_runtime_context(self, model_id, runtime_context):
        if not self.asked:
            self.asked = True
            self.lock.acquire()
        super().handle_runtime_context(model_id, runtime_context)


# BC404


@violates("BC404", hangs=True)
class LocksAgainToRegister(WithPlainLock):
    def register_config(self, config):
        with self.lock:
            super().register_config(config)


# BC405


@violates("BC405")
class StartedBeforeItReconnects(Structural):
    """Sets the flag too early, but not the first time."""

    worked = False

    def start(self):
        if self.is_started:
            return
        self.is_started = self.worked
        try:
            self.connect()
        except OSError:
            self.is_started = False
            raise
        self.is_started = self.worked = True


# BC406


@violates("BC406", hangs=True)
class LooksUnderItsLock(Inheriting):
    """Reading `is_started` blocks until a running start() is done."""

    @property
    def is_started(self):
        with self._start_lock:
            return self._started


@violates("BC406", hangs=True)
class LooksUnderTheLockOfStart(WithFlag):
    """Has a second lock, which start() holds too."""

    def __init__(self, config=None):
        super().__init__(config)
        self.state = threading.RLock()

    @property
    def is_started(self):
        with self.state:
            return self.flag

    def start(self):
        with self.state:
            super().start()


@violates("BC406", hangs=True)
class LooksUnderItsLockOnceStarted(WithFlag):
    @property
    def is_started(self):
        if not self.flag:
            return False
        with self.lock:
            return self.flag


# Kinds that were seen in backends of others.


@violates("BC402")
class WakesAllAndLooksOnce(Structural):
    """Two threads that wait for a third one are both let in."""

    def __init__(self, config=None):
        super().__init__(config)
        self.changed, self.owner, self.depth = threading.Condition(), None, 0

    @contextlib.contextmanager
    def start_lock(self):
        me = threading.get_ident()
        with self.changed:
            if self.owner not in (None, me):
                self.changed.wait(30)
            self.owner, self.depth = me, self.depth + 1
        try:
            yield
        finally:
            with self.changed:
                self.depth -= 1
                if not self.depth:
                    self.owner = None
                    self.changed.notify_all()


@violates("BC402")
class WaitsWithoutTheLock(Structural):
    """Lets go of the lock while it starts, however often its caller has taken it."""

    def start(self):
        if self.is_started:
            return
        depth = 0
        while self.lock._is_owned():
            self.lock.release()
            depth += 1
        try:
            super().start()
        finally:
            for _ in range(depth):
                self.lock.acquire()


@violates("BC403", hangs=True)
class KeepsTheLockWhenItRefuses(Structural):
    def register_config(self, config):
        self.lock.acquire()
        if "by_the_conformance_kit" in config:
            raise ValueError("unknown key")
        super().register_config(config)
        self.lock.release()


@violates("BC403", hangs=True)
class KeepsTheLockWhenStoppedTwice(Structural):
    stopped = False

    def stop(self):
        if self.stopped and not self.is_started:
            self.lock.acquire()
        self.stopped = self.is_started
        super().stop()


@violates("BC402")
class LeavesTheLockOfItsCaller(Structural):
    """Counts no entries: to leave once is to leave."""

    def __init__(self, config=None):
        super().__init__(config)
        self.changed, self.owner = threading.Condition(), None

    @contextlib.contextmanager
    def start_lock(self):
        with self.changed:
            self.changed.wait_for(lambda: self.owner in (None, threading.get_ident()))
            self.owner = threading.get_ident()
        try:
            yield
        finally:
            with self.changed:
                self.owner = None
                self.changed.notify()

    def start(self):
        with self.start_lock():
            super().start()


@violates("BC402")
class RenewsItsLockWhenTold(Inheriting):
    def handle_runtime_context(self, model_id, runtime_context):
        super().handle_runtime_context(model_id, runtime_context)
        self._start_lock = threading.RLock()


@violates("BC402")
class FreesTheLockOfItsCaller(WithPlainLock):
    """Its stop() frees a lock that it has not taken, and that its caller cannot free then."""

    def stop(self):
        super().stop()
        if self.lock.locked():
            self.lock.release()


@violates("BC403", hangs=True)
class KeepsTheLockToSayThatItIsStatic(Structural):
    def register_config(self, config):
        self.lock.acquire()
        raise NotImplementedError


# What shows only between two steps of one line, or after a failure.


@violates("BC402")
class ChecksAndSetsInOneLine(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.owner, self.depth = None, 0

    @contextlib.contextmanager
    def start_lock(self):
        me = threading.get_ident()
        while True:
            self.owner = me if self.owner in (None, me) else self.owner
            if self.owner == me:
                break
            time.sleep(0.002)
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
            if not self.depth:
                self.owner = None


@violates("BC402")
class MakesItsLockInOneLine(Inheriting):
    own = None

    def start_lock(self):
        self.own = self.own or threading.RLock()
        return self.own


@violates("BC402")
class MakesItsLockInATable(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.locks = {}

    def start_lock(self):
        self.locks["start"] = self.locks.get("start") or threading.RLock()
        return self.locks["start"]


@violates("BC402")
class RenewsItsLockAfterAFailure(Inheriting):
    @contextlib.contextmanager
    def start_lock(self):
        with self._start_lock:
            try:
                yield
            except Exception:
                self._start_lock = threading.RLock()
                raise


@violates("BC402")
class ThrowsAwayAPoisonedLock(Structural):
    @contextlib.contextmanager
    def start_lock(self):
        lock, done = self.lock, False
        try:
            with lock:
                yield
                done = True
        finally:
            if not done and self.lock is lock:
                self.lock = threading.RLock()


@violates("BC403")
class KeepsTheLockForSomeModels(Structural):
    def handle_runtime_context(self, model_id, runtime_context):
        is_held = self.lock.acquire(blocking=False)
        super().handle_runtime_context(model_id, runtime_context)
        if is_held and model_id.isascii():
            self.lock.release()


@violates("BC403")
class KeepsTheLockForNoMapping(Inheriting):
    def register_config(self, config):
        self._start_lock.acquire()
        super().register_config(config)
        self._start_lock.release()


@violates("BC402")
class HasALockPerKeys(Structural):
    def __init__(self, config=None):
        super().__init__(config)
        self.locks = {}

    def start_lock(self):
        return self.locks.setdefault(frozenset(self.config), threading.RLock())


@violates("BC402")
class LocksItsConfiguration(Inheriting):
    """Which each registration replaces."""

    def start_lock(self):
        return vars(self.config).setdefault("_lock", threading.RLock())


class Suppressing(contextlib.AbstractContextManager):
    """Suppresses some errors, as `contextlib.suppress` does."""

    def __init__(self, lock, *errors):
        self.lock, self.errors = lock, errors

    def __enter__(self):
        self.lock.acquire()

    def __exit__(self, kind, error, traceback):
        self.lock.release()
        return isinstance(error, self.errors)


@violates("BC403")
class SuppressesMissingKeys(Structural):
    def start_lock(self):
        return Suppressing(self.lock, KeyError)


@violates("BC403")
class SuppressesMissingFiles(Inheriting):
    def start_lock(self):
        return Suppressing(self._start_lock, FileNotFoundError, ImportError)


@violates("BC403")
class SuppressesCancellation(Structural):
    def start_lock(self):
        return Suppressing(self.lock, asyncio.CancelledError)
