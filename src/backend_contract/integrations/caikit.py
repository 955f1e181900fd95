"""Giving a backend that inherits nothing to Caikit's runtime. Needs caikit."""

from __future__ import annotations

import importlib
from typing import Any, TypeVar

from backend_contract._names import backend_type_of, class_name
from backend_contract.errors import RegistryError
from backend_contract.protocol import Backend

try:
    _base: Any = importlib.import_module("caikit.core.module_backends.base")
    _registries: Any = importlib.import_module("caikit.core.registries")
except ModuleNotFoundError as _error:
    _needs = f"{__name__} needs Caikit: pip install caikit"
    raise ModuleNotFoundError(_needs, name=_error.name) from _error

__all__ = ["register"]

BackendClass = TypeVar("BackendClass", bound=type[Backend])


def register(cls: BackendClass) -> BackendClass:
    """Let Caikit make ``cls`` where its ``backend_priority`` names it; returns ``cls`` unchanged.

    For a class that is no subclass of Caikit's ``BackendBase``, which Caikit's own
    ``register_backend_type`` refuses. It becomes a virtual subclass of that, so that modules which
    ask find it to be one. A subclass of :class:`~backend_contract.BackendBase` may be registered
    either way. To be called where Caikit's libraries are imported, before its models are loaded.

    Raises :class:`RegistryError` where Caikit has another class of that name (it would keep that
    one and say nothing), and where the name breaks BC102 or BC103, with that clause; and
    :class:`TypeError` for what is no class.
    """
    name = backend_type_of(cls)
    types: dict[str, str] = _registries.module_backend_types()
    classes: dict[str, type] = _registries.module_backend_classes()
    present = classes.setdefault(name, cls)
    if present is not cls:
        raise RegistryError(
            f"Caikit has a backend {name!r} already: {class_name(present)}. Give "
            f"{class_name(cls)} another backend_type"
        )
    types[name] = name
    if not issubclass(cls, _base.BackendBase):
        _base.BackendBase.register(cls)
    return cls
