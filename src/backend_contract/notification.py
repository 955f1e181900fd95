"""Telling backends what a request was made with."""

from __future__ import annotations

from collections.abc import Iterable

from backend_contract._exceptions import add_note, grouped
from backend_contract._names import class_name
from backend_contract.protocol import Backend
from backend_contract.runtime_context import RuntimeServerContextType

__all__ = ["notify"]


def notify(
    backends: Iterable[Backend], model_id: str, runtime_context: RuntimeServerContextType
) -> None:
    """Call ``handle_runtime_context(model_id, runtime_context)`` of each backend, in order.

    One that raises does not keep the others from being told. When all are, the failures are raised
    together, as an ``ExceptionGroup`` also where it is only one (below Python 3.11 that of the
    ``exceptiongroup`` backport); each has a note that says which backend. What is no ``Exception``
    (Ctrl-C, say) ends the call at once.

    Takes no lock and may be called from any thread, for the same backends at the same time. It
    returns when the last backend has: the time limit of a request is the server's to keep.
    """
    failures: list[Exception] | None = None
    for backend in backends:
        try:
            backend.handle_runtime_context(model_id, runtime_context)
        except Exception as failure:
            add_note(failure, f"while {class_name(type(backend))} was told about {model_id!r}")
            failures = [*(failures or ()), failure]
    if failures:
        raise grouped(f"backends failed to be told about a request for {model_id!r}", failures)
