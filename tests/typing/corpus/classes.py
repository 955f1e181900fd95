# Classes of every kind, correct and wrong: generic, dataclass, final, nested, mixed, inherited.

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, final

import aconfig
from common import (
    Nameless,
    Rest,
    Whole,
    WithHandleRuntimeContext,
    WithName,
    WithStart,
    WithStartLock,
)
from typing_extensions import Self, dataclass_transform, override

from backend_contract import Backend, BackendBase, LocalBackend, conforms

T = TypeVar("T")
Class = TypeVar("Class")

# ---- Generic


class Pool(LocalBackend, Generic[T]):
    backend_type = "POOL"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.members: list[T] = []


class StructuralPool(Whole, Generic[T]):
    members: list[T]


class PoolThatStartsOne(Whole, Generic[T]):
    def start(self, member: T) -> None: ...  # E


pool: Backend = Pool[int]()
structural_pool: Backend = StructuralPool[int]()
pool_that_starts_one: Backend = PoolThatStartsOne[int]()  # E


# ---- Dataclasses


@dataclass
class OfFields(Whole):
    config: aconfig.Config | None = None
    workers: int = 1
    models: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Frozen:
    backend_type: str = "FROZEN"
    is_started: bool = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> Rest:  # is not a context manager
        return Rest()

    def handle_runtime_context(self, model_id: str, runtime_context: object) -> None: ...


@dataclass
class WithANumber(Nameless):
    backend_type: int = 7


@dataclass_transform()
def define(cls: type[Class]) -> type[Class]:
    """Like `attrs.define`."""
    return cls


@define
class Defined(Whole):
    config: aconfig.Config | None = None
    workers: int = 1


of_fields: Backend = OfFields()
frozen: Backend = Frozen()  # E
with_a_number: Backend = WithANumber()  # E
defined: Backend = Defined(None, 2)


# ---- Final, nested, under conforms


@final
@conforms
class Last(LocalBackend):
    @override
    def start(self) -> None:
        super().start()

    @override
    def begin(self) -> None: ...  # E


class Runtime:
    @conforms
    class Nested(Whole): ...

    # It does not check class decorators.
    @conforms  # E[nested] pyrefly
    class NestedAndWrong(Rest): ...  # E[nested] pyrefly

    backend: Backend = Nested()


last: Backend = Last()
nested: Backend = Runtime.Nested()
nested_and_wrong: Backend = Runtime.NestedAndWrong()  # E


# ---- Mixins, and a third class


class Counting:
    starts = 0

    def count(self) -> None:
        self.starts += 1


class Mixed(Counting, LocalBackend):
    def start(self) -> None:
        self.count()
        super().start()


class MixedInLast(LocalBackend, Counting): ...


class StopsWithACode:
    def stop(self) -> int:
        return 0


class MixedWrongly(StopsWithACode, LocalBackend): ...  # E


class MixedWronglyOnItsOwn(StopsWithACode, WithName, WithStart, WithStartLock): ...


class Child(Mixed):
    backend_type = "CHILD"


class GrandChild(Child):
    def start(self) -> int:  # E
        return 1


class Fluent(LocalBackend):
    def configured(self, config: aconfig.Config) -> Self:
        self.register_config(config)
        return self


mixed: Backend = Mixed()
mixed_in_last: Backend = MixedInLast()
mixed_wrongly_on_its_own: Backend = MixedWronglyOnItsOwn()  # E
child: Backend = Child()
fluent: Backend = Fluent().configured(aconfig.Config({"workers": 1}))


# ---- Through a further Protocol


class Counted(Backend, Protocol):
    starts: int


class CountedBackend(LocalBackend):
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.starts = 0


# It does not accept a class variable as the implementation of a property.
counted: Counted = CountedBackend()  # ! pyrefly
not_counted: Counted = LocalBackend()  # E
as_backend: Backend = counted


# ---- Abstract


class Half(BackendBase):
    def start(self) -> None: ...
    def stop(self) -> None: ...


Half()  # E


class OnlyHandling(WithHandleRuntimeContext): ...


only_handling: Backend = OnlyHandling()  # E
