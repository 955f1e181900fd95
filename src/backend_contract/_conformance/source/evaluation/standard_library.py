"""The kinds of what the standard library defines, by its full name."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Mapping

from backend_contract._conformance.source.evaluation.kinds import (
    Kind,
    Kinds,
    is_string,
    known,
    union,
)

_METHODS = {
    "str": {
        "str": """
            capitalize casefold center expandtabs format format_map join ljust lower lstrip
            removeprefix removesuffix replace rjust rstrip strip swapcase title translate upper
            zfill
        """,
        "list": "split rsplit splitlines",
        "tuple": "partition rpartition",
        "int": "count find index rfind rindex",
        "bool": "startswith endswith isupper islower isalpha isdigit isidentifier",
        "bytes": "encode",
    },
    "dict": {
        "dict": "copy",
        "dict_items": "items",
        "dict_keys": "keys",
        "dict_values": "values",
        "NoneType": "clear update",
    },
    "list": {
        "list": "copy",
        "int": "count index",
        "NoneType": "append clear extend insert remove reverse sort",
    },
    "set": {
        "set": "copy difference intersection symmetric_difference union",
        "bool": "isdisjoint issubset issuperset",
        "NoneType": "add clear discard remove update",
    },
    "contextvars.ContextVar": {"contextvars.Token": "set", "NoneType": "reset"},
    "concurrent.futures.ThreadPoolExecutor": {
        "concurrent.futures.Future": "submit",
        "NoneType": "shutdown",
    },
    "subprocess.Popen": {"int": "wait", "NoneType": "kill send_signal terminate"},
    "threading.": {
        "bool": "__enter__ acquire is_alive is_set locked wait",
        "NoneType": "clear join notify notify_all release run set start",
    },
}
_RESULTS = {
    cls: {name: kind for kind, names in kinds.items() for name in names.split()}
    for cls, kinds in _METHODS.items()
}
"""The kind of the result of each method, by class; ``threading.`` stands for all its classes."""
STRING_METHODS = _RESULTS["str"]
"""The kind of the result, by the method of a string."""

_FUNCTIONS = {
    "str": """
        builtins.repr builtins.ascii builtins.chr builtins.format builtins.hex builtins.oct
        builtins.bin builtins.input os.getcwd os.path.basename os.path.join socket.gethostname
        textwrap.dedent re.sub json.dumps sys.intern platform.node platform.system
        platform.machine platform.release platform.python_version
    """,
    "int": "builtins.len builtins.ord builtins.hash builtins.id os.getpid enum.auto",
    "bool": """
        builtins.isinstance builtins.issubclass builtins.callable builtins.all builtins.any
        builtins.hasattr os.path.exists os.path.isfile os.path.isdir
    """,
    "list": "builtins.sorted",
    "NoneType": "builtins.print builtins.setattr",
    "io.IOBase": "builtins.open",
    "str NoneType": "os.getenv os.environ.get shutil.which",
    "int NoneType": "os.cpu_count",
    "float": "time.time time.monotonic",
    "importlib.machinery.ModuleSpec NoneType": "importlib.util.find_spec",
}
FUNCTIONS = {name: kinds.split() for kinds, names in _FUNCTIONS.items() for name in names.split()}
"""The kinds of the result, by the full name of a function."""

RETURNING_ANYTHING = {
    "ast.literal_eval", "builtins.eval", "json.load", "json.loads", "pickle.load", "pickle.loads",
}  # fmt: skip
"""Functions that may return whatever their argument says."""

WRAPPERS = {
    "builtins.property": "property",
    "functools.cached_property": "cached_property",
    "builtins.staticmethod": "staticmethod",
    "builtins.classmethod": "function",
}
"""Builtin classes that make a member of a function, and the kind of that member."""

_CLASSES = {"contextlib.nullcontext", "functools.partial"}
"""Classes with the names of functions."""
_ANYTHING = {"collections.abc.Callable", "collections.abc.Hashable"}
"""Classes of values of any kind."""

_STANDARD_MODULES = {
    "asyncio", "collections", "concurrent", "contextlib", "contextvars", "datetime", "decimal",
    "fractions", "io", "ipaddress", "itertools", "logging", "multiprocessing", "pathlib", "queue",
    "random", "socket", "string", "subprocess", "tempfile", "threading", "types", "uuid", "weakref",
}  # fmt: skip


def of_standard_name(name: str) -> Kinds:
    """Return the kind of a function, class or constant."""
    module, _, last = name.rpartition(".")
    modules = {"builtins": builtins, "os": os, "sys": sys}
    value = getattr(modules[module], last, None) if module in modules else None
    if module == "builtins" and callable(value):
        return known("type" if isinstance(value, type) else "builtin_function_or_method")
    if value is not None and not callable(value):
        return known(type(value).__name__)
    return known(f"type[{name}]") if of_standard_class(name) else None


def of_standard_class(name: str) -> Kinds:
    """Return the kind of an instance, if *name* is a class."""
    module, _, last = name.rpartition(".")
    if module == "builtins":
        cls = getattr(builtins, last, None)
        is_known = isinstance(cls, type) and last not in ("super", "type") and name not in WRAPPERS
    elif name in _CLASSES:
        is_known = True
    else:
        is_like_class = last[:1].isupper() and not last.isupper() and name not in _ANYTHING
        is_known = is_like_class and module.partition(".")[0] in _STANDARD_MODULES
    return known(last if module == "builtins" else name) if is_known else None


def of_standard_method(kinds: Kinds, name: str) -> Kinds:
    """Return the kind of the result of a method, if these are kinds of the standard library."""
    if not kinds:
        return None
    results = [_methods_of(kind).get(name) for kind in kinds]
    return union(known(each) if each else None for each in results)


def _methods_of(kind: Kind) -> Mapping[str, str]:
    if is_string(kind):
        return STRING_METHODS
    if kind.cls is not None:
        return {}
    return _RESULTS.get("threading." if kind.name.startswith("threading.") else kind.name, {})
