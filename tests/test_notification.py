from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backend_contract import LocalBackend, RuntimeServerContextType, notify

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

CONTEXT: Any = object()  # whatever the server has: nobody looks at it here


class Told(LocalBackend):
    def __init__(self, failure: BaseException | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.told: list[tuple[str, object]] = []

    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None:
        self.told.append((model_id, runtime_context))
        if self.failure is not None:
            raise self.failure


def test_each_backend_is_told_in_order() -> None:
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


def test_nobody_to_be_told_is_fine() -> None:
    notify([], "model", CONTEXT)


@pytest.mark.parametrize("failing", [(0,), (2,), (0, 1, 2)], ids=str)
def test_all_are_told_and_all_failures_are_raised_together(failing: Sequence[int]) -> None:
    failures = [OSError(str(number)) if number in failing else None for number in range(3)]
    backends = [Told(failure) for failure in failures]
    with pytest.raises(ExceptionGroup, match="told about a request for 'model'") as caught:
        notify(backends, "model", CONTEXT)
    assert list(caught.value.exceptions) == [failure for failure in failures if failure]
    assert all(backend.told == [("model", CONTEXT)] for backend in backends)


def test_what_is_printed_says_which_backend_failed() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        notify([Told(), Told(OSError("no route"))], "model", CONTEXT)
    printed = "".join(traceback.format_exception(caught.value))
    assert "OSError: no route" in printed
    assert f"while {__name__}.Told was told about 'model'" in printed


def test_a_failure_that_is_raised_again_and_again_does_not_grow() -> None:
    failure = OSError("always the same object")
    for _ in range(3):
        with pytest.raises(ExceptionGroup):
            notify([Told(failure)], "model", CONTEXT)
    assert len(failure.__notes__) == 1  # type: ignore[attr-defined,unused-ignore]  # from 3.11 on


def test_an_interruption_is_no_failure_of_a_backend() -> None:
    interrupted, later = Told(KeyboardInterrupt()), Told()
    with pytest.raises(KeyboardInterrupt):
        notify([interrupted, later], "model", CONTEXT)
    assert later.told == []


def test_a_backend_that_hangs_holds_up_its_own_request_only() -> None:
    hanging, go_on = threading.Event(), threading.Event()

    class Hanging(Told):
        def handle_runtime_context(
            self, model_id: str, runtime_context: RuntimeServerContextType
        ) -> None:
            if model_id == "slow":
                hanging.set()
                assert go_on.wait(30)
            super().handle_runtime_context(model_id, runtime_context)

    backends = [Hanging(), Told()]
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(notify, backends, "slow", CONTEXT)
        assert hanging.wait(30)
        notify(backends, "fast", CONTEXT)
        assert not slow.done()
        go_on.set()
        slow.result(30)
    assert [backend.told for backend in backends] == [[("fast", CONTEXT), ("slow", CONTEXT)]] * 2


def test_concurrent_requests_are_all_told_once() -> None:
    backends = [Told(), Told()]
    models = [f"model-{number}" for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda model: notify(backends, model, CONTEXT), models))
    for backend in backends:
        assert sorted(model for model, _ in backend.told) == sorted(models)
