"""Notifying backends of a request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backend_contract._compat import add_note, exception_group, forget_earlier_raises
from backend_contract._lifecycle.attempts import is_async
from backend_contract.errors import ContractError, class_name
from backend_contract.protocol import Backend
from backend_contract.runtime_context import RuntimeServerContextType

__all__ = ["notify"]


def notify(
    backends: Iterable[Backend], model_id: str, runtime_context: RuntimeServerContextType
) -> None:
    """Call ``handle_runtime_context(model_id, runtime_context)`` of each backend, in order.

    Every backend is notified, even if one raises. The failures are then raised together, even a
    single one, as an ``ExceptionGroup`` (below Python 3.11 that of the ``exceptiongroup``
    backport); each has a note that names its backend. ``KeyboardInterrupt`` and other
    non-``Exception`` errors propagate immediately.

    An ``async`` handler is a failure too: a :class:`ContractError` with clause BC501.

    Thread-safe, also for the same backends at the same time: no lock is acquired. Returns when the
    last backend has returned; enforcing the deadline of a request is up to the server.
    """
    failures: list[Exception] | None = None
    for backend in backends:
        untyped: Any = backend  # the result should be `None`, but may be anything
        try:
            returned = untyped.handle_runtime_context(model_id, runtime_context)
            if returned is not None and is_async(returned):
                raise _async_handler(backend)
        except Exception as failure:
            # Without the model id: one exception may be raised for thousands of them.
            add_note(failure, f"while notifying {class_name(type(backend))}")
            forget_earlier_raises()
            failures = [*(failures or ()), failure]
    if failures:
        raise exception_group(f"backends failed to handle a request for {model_id!r}", failures)


def _async_handler(backend: Backend) -> ContractError:
    from backend_contract.clauses import CLAUSES

    return ContractError(
        f"{class_name(type(backend))}.handle_runtime_context() is async, and is never awaited; "
        "define it with `def`",
        clause=CLAUSES["BC501"],
    )
