from __future__ import annotations

import gc
import sys
import threading
import traceback
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import WAIT, notes_of

from backend_contract import ContractError, LocalBackend, RuntimeServerContextType, notify

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

CONTEXT: Any = object()  # `notify` does not look at it


class Notified(LocalBackend):
    """Records what it receives, then raises *failure*, if any."""

    def __init__(self, failure: BaseException | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.received: list[tuple[str, object]] = []

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.received.append((model_id, runtime_context))
        if self.failure is not None:
            raise self.failure


def test_order() -> None:
    """Backends are notified in order, and may come from any iterable."""
    order: list[int] = []

    class Ordered(LocalBackend):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def handle_runtime_context(self, model_id: str, runtime_context: object) -> None:
            assert (model_id, runtime_context) == ("model", CONTEXT)
            order.append(self.number)

    notify((Ordered(number) for number in range(3)), "model", CONTEXT)
    assert order == [0, 1, 2]


def test_no_backends() -> None:
    """Notifying no backend does nothing."""
    notify([], "model", CONTEXT)


@pytest.mark.parametrize("failing", [(0,), (2,), (0, 1, 2)], ids=str)
def test_failures(failing: Sequence[int]) -> None:
    """Every backend is notified, and all failures are raised as one group."""
    failures = [OSError(str(number)) if number in failing else None for number in range(3)]
    backends = [Notified(failure) for failure in failures]
    with pytest.raises(ExceptionGroup, match="failed to handle a request for 'model'") as caught:
        notify(backends, "model", CONTEXT)
    assert list(caught.value.exceptions) == [failure for failure in failures if failure]
    assert all(backend.received == [("model", CONTEXT)] for backend in backends)


def test_traceback_names_backend() -> None:
    """The printed traceback shows the failure and names its backend."""
    with pytest.raises(ExceptionGroup) as caught:
        notify([Notified(), Notified(OSError("no route"))], "model", CONTEXT)
    printed = "".join(traceback.format_exception(caught.value))
    assert "OSError: no route" in printed
    assert f"while notifying {__name__}.Notified" in printed


def test_repeated_failure() -> None:
    """An exception object that is raised repeatedly gets one note."""
    failure = OSError("always the same object")
    for _ in range(3):
        with pytest.raises(ExceptionGroup):
            notify([Notified(failure)], "model", CONTEXT)
    assert len(notes_of(failure)) == 1


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), SystemExit(3)])
def test_interruption(failure: BaseException) -> None:
    """A non-`Exception` error propagates immediately."""
    interrupted, later = Notified(failure), Notified()
    with pytest.raises(type(failure)) as caught:
        notify([interrupted, later], "model", CONTEXT)
    assert caught.value is failure
    assert later.received == []


def test_hanging_backend() -> None:
    """A backend that hangs blocks only its own request."""
    hanging, go_on = threading.Event(), threading.Event()

    class Hanging(Notified):
        def handle_runtime_context(
            self, model_id: str, runtime_context: RuntimeServerContextType
        ) -> None:
            if model_id == "slow":
                hanging.set()
                assert go_on.wait(WAIT)
            super().handle_runtime_context(model_id, runtime_context)

    backends = [Hanging(), Notified()]
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(notify, backends, "slow", CONTEXT)
        assert hanging.wait(WAIT)
        notify(backends, "fast", CONTEXT)
        assert not slow.done()
        go_on.set()
        slow.result(WAIT)
    received = [backend.received for backend in backends]
    assert received == [[("fast", CONTEXT), ("slow", CONTEXT)]] * 2


def test_no_lock() -> None:
    """Notifying does not acquire the start lock."""
    backend = Notified()
    with backend.start_lock(), ThreadPoolExecutor(1) as pool:
        pool.submit(notify, [backend], "model", CONTEXT).result(WAIT)
    assert backend.received == [("model", CONTEXT)]


def test_concurrent_requests() -> None:
    """Each backend is notified of each of many concurrent requests once."""
    backends = [Notified(), Notified()]
    models = [f"model-{number}" for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda model: notify(backends, model, CONTEXT), models))
    for backend in backends:
        assert sorted(model for model, _ in backend.received) == sorted(models)


def test_async_handler() -> None:
    """An `async` handler is a failure with clause BC501, and its coroutine causes no warning."""

    class Async(Notified):
        async def handle_runtime_context(  # type: ignore[override]  # wrong on purpose
            self, model_id: str, runtime_context: object
        ) -> None: ...

    told = Notified()
    with pytest.raises(ExceptionGroup) as caught:
        notify([Async(), told], "model", CONTEXT)
    (failure,) = caught.value.exceptions
    assert isinstance(failure, ContractError)
    assert failure.clause is not None
    assert failure.clause.id == "BC501"
    assert told.received


def test_odd_return_value() -> None:
    """A returned value that answers every attribute is not taken for a coroutine."""

    class AnswersAll:
        def __getattr__(self, name: str) -> object:
            return lambda: pytest.fail(f"{name} was called")

    class Fluent(Notified):
        def handle_runtime_context(self, model_id: str, runtime_context: object) -> Any:
            return AnswersAll()

    notify([Fluent()], "model", CONTEXT)


def test_one_failure_for_many_models() -> None:
    """An exception that is raised for every model id does not grow."""
    failure = OSError("no route")
    for number in range(1000):
        with pytest.raises(ExceptionGroup):
            notify([Notified(failure)], f"model {number}", CONTEXT)
    assert len(notes_of(failure)) == 1


def test_reused_exception_keeps_no_contexts() -> None:
    """An exception that is raised again and again refers to the last call only."""

    class Context: ...

    backend = Notified(OSError("down"))
    contexts: list[Any] = [Context() for _ in range(3)]
    left = [weakref.ref(context) for context in contexts]
    while contexts:
        with pytest.raises(ExceptionGroup):
            notify([backend], "model", contexts.pop())
        backend.received.clear()
    gc.collect()
    assert [context() is not None for context in left] == [True, False, False]
    assert backend.failure is not None
    raised_in = [entry.name for entry in traceback.extract_tb(backend.failure.__traceback__)]
    assert raised_in == ["notify", "handle_runtime_context"]
