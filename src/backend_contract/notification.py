"""Notifying backends of a request."""

from __future__ import annotations

from collections.abc import Iterable

from backend_contract._compat import add_note, exception_group
from backend_contract.errors import class_name
from backend_contract.protocol import Backend
from backend_contract.runtime_context import RuntimeServerContextType

__all__ = ["notify"]


def notify(
    backends: Iterable[Backend], model_id: str, runtime_context: RuntimeServerContextType
) -> None:
    """Call ``handle_runtime_context(model_id, runtime_context)`` of each backend, in order.

    Every backend is told, even if one raises. The failures are then raised together, even a single
    one, as an ``ExceptionGroup`` (below Python 3.11 that of the ``exceptiongroup`` backport); each
    has a note that names its backend. ``KeyboardInterrupt`` and other non-``Exception`` errors
    propagate immediately.

    Thread-safe, also for the same backends at the same time: no lock is acquired. Returns when the
    last backend has returned; enforcing the deadline of a request is up to the server.
    """
    failures: list[Exception] | None = None
    for backend in backends:
        try:
            backend.handle_runtime_context(model_id, runtime_context)
        except Exception as failure:
            add_note(failure, f"while notifying {class_name(type(backend))} of {model_id!r}")
            failures = [*(failures or ()), failure]
    if failures:
        raise exception_group(f"backends failed to handle a request for {model_id!r}", failures)
