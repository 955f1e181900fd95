"""Parts of a request: its model id, threads for backends that wait, values that end with it."""

from __future__ import annotations

import contextvars
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import ParamSpec, TypeVar

ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")
Calls = queue.SimpleQueue[Callable[[], None] | None]


class DaemonThreads(Executor):
    """An executor that needs no shutdown: its threads end with it, or with the process.

    Calls in a :class:`~concurrent.futures.ThreadPoolExecutor` would keep the process alive.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._calls: Calls = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        weakref.finalize(self, self._calls.put, None)

    def submit(
        self,
        fn: Callable[ParametersT, ResultT],
        /,
        *args: ParametersT.args,
        **kwargs: ParametersT.kwargs,
    ) -> Future[ResultT]:
        """Call *fn* in a thread; at most a number of calls at a time, others wait."""
        future: Future[ResultT] = Future()
        self._calls.put(partial(_carry_out, future, partial(fn, *args, **kwargs)))
        if self._count < self._most and not self._idle.acquire(blocking=False):
            self._count += 1
            arguments = (self._calls, self._idle)
            threading.Thread(
                target=_work, args=arguments, name="backend_contract", daemon=True
            ).start()
        return future


def _work(calls: Calls, idle: threading.Semaphore) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # what it refers to must not live until the next one
        idle.release()
    calls.put(None)  # for the next thread


def _carry_out(future: Future[ResultT], call: Callable[[], ResultT]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as failure:
            future.set_exception(failure)
            del future, call  # the failure refers to this frame


def as_model_id(value: object) -> str | None:
    """Return the model id that *value* stands for; ``None`` if it is ``None`` or empty."""
    if value is None or value == "" or value == b"":
        return None
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def restore(context: contextvars.Context) -> None:
    """Set the variables of the current context to the values that they have in *context*."""
    for variable, value in context.items():
        if variable.get(context) is not value:  # `context` as a default that no value is
            variable.set(value)
