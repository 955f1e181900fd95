"""A library for Caikit's runtime: one task, and a module that uses a backend for it."""

# No `from __future__ import annotations`: Caikit reads annotations as objects.

from typing import Any

from caikit.core import DataObjectBase, ModuleBase, TaskBase, dataobject, module, task

from backend_contract import ensure_started

MODULE_ID = "7c2d1c0e-5a0c-4a7e-9d53-0d5f6b0b2a11"

LOADED_BY: list[Any] = []
"""The backends with which Caikit loaded models."""


@dataobject("tiny.data")
class Text(DataObjectBase):  # type: ignore[misc]  # Caikit has no types
    text: str


@task(required_parameters={"sample": Text}, output_type=Text)
class EchoTask(TaskBase):  # type: ignore[misc]  # as above
    pass


@module(MODULE_ID, "Echo", "0.0.1", task=EchoTask)
class EchoModule(ModuleBase):  # type: ignore[misc]  # as above
    def run(self, sample: Text) -> Text:
        return Text(text=sample.text.upper())

    @classmethod
    def load(cls, model_path: Any, load_backend: Any = None) -> "EchoModule":
        raise AssertionError("the module of the backend has priority")


@module(
    base_module=EchoModule,
    backend_type="INHERITS",
    backend_config_override={"inner": {"workers": 2}},
)
class EchoByBackend(EchoModule):
    backend: Any = None

    @classmethod
    def load(cls, model_path: Any, load_backend: Any = None) -> "EchoByBackend":
        loaded = cls()
        loaded.backend = ensure_started(load_backend)
        LOADED_BY.append(load_backend)
        return loaded

    def run(self, sample: Text) -> Text:
        return Text(text=f"{sample.text.upper()} by {self.backend.backend_type}")
