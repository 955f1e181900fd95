"""What this process holds and how it is configured: what a backend may leave behind."""

from __future__ import annotations

import locale
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from backend_contract._conformance.request_servers import NO_FORK_HANDLERS

THREADS_OF_THE_KIT = "backend-contract"
"""How the names of the kit's own threads begin."""

Resources = Mapping[str, frozenset[str]]
"""What the process holds, by kind, each with a description that no other of its kind has."""

Settings = Mapping[str, object]
"""How the process is configured, by the name of the setting, as messages show it."""

_PROCESS = Path("/proc/self")
_OF_OTHERS = {"PYTEST_CURRENT_TEST", NO_FORK_HANDLERS[0]}
_HANDLER = "the handler of "
_VARIABLE = "the environment variable "
_HOOKS = ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook"))


def can_see_files() -> bool:
    """Return whether the platform tells which files and child processes a process has."""
    return (_PROCESS / "fd").is_dir()


def resources() -> Resources:
    """Return the threads, child processes, sockets and other open files of this process."""
    sockets, files = _descriptors()
    return {
        "threads": frozenset(
            f"{thread.name!r} ({thread.ident})"
            for thread in threading.enumerate()
            if not thread.name.startswith(THREADS_OF_THE_KIT)
        ),
        "child processes": _children(),
        "sockets": sockets,
        "open files": files,
    }


def _descriptors() -> tuple[frozenset[str], frozenset[str]]:
    found: set[str] = set()
    if can_see_files():
        for link in (_PROCESS / "fd").iterdir():
            with suppress(OSError):  # that of the directory itself, which is closed again
                found.add(f"{link.name} ({link.readlink()})")
    sockets = {each for each in found if "socket:" in each}
    return frozenset(sockets), frozenset(found - sockets)


def _children() -> frozenset[str]:
    found: set[str] = set()
    if can_see_files():
        for file in _PROCESS.glob("task/*/children"):
            try:
                found.update(file.read_text().split())
            except OSError:  # a thread that has ended, whose children are those of another now
                return _children()
    return frozenset(found)


def settings() -> Settings:
    """Return the settings of this process that a backend has to leave alone."""
    root = logging.getLogger()
    return {
        "the working directory": _working_directory(),
        "the default time-out of sockets": socket.getdefaulttimeout(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the level of logging.disable": root.manager.disable,
        **{_VARIABLE + name: text for name, text in os.environ.items() if name not in _OF_OTHERS},
        **{_HANDLER + each.name: signal.getsignal(each) for each in signal.Signals},
        **{f"{module.__name__}.{name}": getattr(module, name) for module, name in _HOOKS},
        "the warning filters": tuple(warnings.filters),
        "the handlers of the root logger": tuple(root.handlers),
        "the filters of the root logger": tuple(root.filters),
        "the level of the root logger": root.level,
    }


def _working_directory() -> str | None:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # it has been removed
        return None


def undo(before: Settings, *after: Settings) -> None:
    """Put back what differs from *before* and is now as it was in one of the states *after*.

    Hooks and filters stay as they are, and signal handlers in any thread but the main one.
    """
    now = settings()
    for name in {*before}.union(*after):
        is_value = name in _SET or name.startswith((_VARIABLE, _HANDLER))
        value = now.get(name)
        if is_value and value != before.get(name) and any(value == s.get(name) for s in after):
            with suppress(OSError, ValueError, locale.Error):
                _put(name, before.get(name))


def _put(name: str, value: object) -> None:
    if name in _SET:
        _SET[name](value)
    elif name.startswith(_HANDLER):
        handler: Any = value
        if handler is not None:  # otherwise it was not set from Python
            signal.signal(signal.Signals[name.removeprefix(_HANDLER)], handler)
    elif value is None:
        os.environ.pop(name.removeprefix(_VARIABLE), None)
    else:
        os.environ[name.removeprefix(_VARIABLE)] = str(value)


_SET: Mapping[str, Callable[..., object]] = {
    "the working directory": os.chdir,
    "the default time-out of sockets": socket.setdefaulttimeout,
    "the locale": partial(locale.setlocale, locale.LC_ALL),
    "the level of logging.disable": logging.disable,
}


class _Marker(Warning):
    """The category of a filter, by which the kit sees that another one was put before it."""


@contextmanager
def marked_settings() -> Generator[None]:
    """Change the hooks, the root logger and the warning filters, in ways that change nothing.

    So a setting that a backend makes again at each start differs from what was there before.
    """
    root, level = logging.getLogger(), logging.getLogger().level
    handler, warning_filter = logging.NullHandler(), ("ignore", None, _Marker, None, 0)
    hooks = [(*each, getattr(*each), partial(getattr(*each))) for each in _HOOKS]
    for module, name, _, hook in hooks:
        setattr(module, name, hook)
    marked_level = max(level - 1, 1)
    root.addHandler(handler)
    root.setLevel(marked_level)
    filters = cast("list[object]", warnings.filters)
    filters.insert(0, warning_filter)
    try:
        yield
    finally:
        for module, name, before, hook in hooks:
            if getattr(module, name) is hook:
                setattr(module, name, before)
        root.removeHandler(handler)
        if root.level == marked_level:
            root.setLevel(level)
        with suppress(ValueError):
            filters.remove(warning_filter)
