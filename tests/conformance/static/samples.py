# Classes with known verdicts; nothing imports this file.
#
# The comment on the line of a class names the clauses that do not hold: violated ones, or with a
# letter `u` unchecked and `b` blocked ones. `ok` means that every clause holds.

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Final, Generic, NoReturn, Optional, Protocol, TypeVar, final

import aconfig
import fastapi
import grpc
from nowhere import Unheard, Unseen

from backend_contract import (
    Backend,
    BackendBase,
    LocalBackend,
    RuntimeServerContextType,
    conforms,
)

T = TypeVar("T")


class Whole:  # ok
    backend_type = "WHOLE"

    def __init__(self, config: aconfig.Config | None = None) -> None:
        self.is_started = False

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def start_lock(self) -> AbstractContextManager[object]: ...
    def handle_runtime_context(
        self, model_id: str, runtime_context: RuntimeServerContextType
    ) -> None: ...


class Nameless(BackendBase):  # BC101 BC102b BC201b
    def register_config(self, config: Mapping[str, Any]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


# ---- BC101, BC102: backend_type, in structural classes


class NameAnnotated(Whole):  # ok
    backend_type: str = "X"


class NameAsClassVar(Whole):  # ok
    backend_type: ClassVar[str] = "X"


class NameAsFinal(Whole):  # ok
    backend_type: Final = "X"


class NameAsProperty(Whole):  # BC102
    @property
    def backend_type(self) -> str: ...


class NameOfAnInstance:  # BC102 BC201 BC202 BC307 BC309 BC401 BC501
    def __init__(self) -> None:
        self.backend_type = "X"


class NameDeclared:  # BC101 BC102b BC201 BC202 BC307 BC309 BC401 BC501
    backend_type: str


class NameDeclaredAndGivenToTheInstance:  # BC102 BC201 BC202 BC307 BC309 BC401 BC501
    backend_type: str

    def __init__(self) -> None:
        self.backend_type = "X"


class NameAsMethod(Whole):  # BC101 BC102b
    def backend_type(self) -> str: ...


class NameOfIntegers(Whole):  # BC101 BC102b
    backend_type: int = 1


class NameOfBytes(Whole):  # BC101 BC102b
    backend_type: bytes = b"X"


class NameOrNone(Whole):  # BC101 BC102b BC103b
    backend_type: str | None = "X"


class NameOfAny(Whole):  # BC101u BC102u
    backend_type: Any = "X"


class NameOfAnyInPart(Whole):  # BC101u BC102u
    backend_type: str | Any = "X"


class NameOfNothing(Whole):  # BC101 BC102b
    backend_type: str = None


class NameOfAnotherType(Whole):  # BC101 BC102b
    backend_type: str = 7


class NameGivenAfterwards(Nameless):  # BC201
    backend_type: ClassVar[str]


NameGivenAfterwards.backend_type = "X"


class NameGivenWithAnother(Whole):  # ok
    backend_type: str
    backend_type, version = "X", 1


class NameOfAnUnknownType(Whole):  # BC101u BC102u
    backend_type: Unheard = "X"


# ---- BC101, BC102: backend_type, in subclasses of BackendBase


class InheritsAndNames(Nameless):  # ok
    backend_type = "X"


class InheritsAndNamesAsClassVar(Nameless):  # ok
    backend_type: ClassVar[str] = "X"


class InheritsAndNamesAsFinal(Nameless):  # ok
    backend_type: Final = "X"


class InheritsAndNamesByAnInteger(Nameless):  # BC101 BC102b
    backend_type = 1


class InheritsAndDeclares(Nameless):  # BC101 BC102b BC201b
    backend_type: str


class InheritsAndNamesTheInstance(Nameless):  # BC102 BC201
    def __init__(self, config: aconfig.Config | None = None) -> None:
        super().__init__(config)
        self.backend_type = "X"


class InheritsNothingElse(BackendBase):  # BC101 BC102b BC201b BC202 BC309
    pass


class InheritsAll(LocalBackend):  # ok
    pass


class InheritsTheProtocolAlone(Backend):  # BC101 BC102b BC201 BC202 BC307 BC309 BC401 BC501
    pass


class NamedInLowerCase(Whole):  # BC103
    backend_type = "whole"


# ---- BC104: a name of its own


class NoOwnName(LocalBackend):  # BC104
    pass


class NoOwnNameOfAStructuralBase(Whole):  # BC104
    def start(self) -> None: ...


class RepeatedOwnName(Whole):  # BC104
    backend_type = "WHOLE"


class OwnName(Whole):  # ok
    backend_type = "OWN"


class NoOwnNameBelowOne(OwnName):  # BC104
    pass


class GenericWithoutOwnName(Whole, Generic[T]):  # BC104
    pass


class OwnNameBelowAGenericOne(GenericWithoutOwnName[int]):  # ok
    backend_type = "OWN"


class NoOwnNameBelowAGenericOne(GenericWithoutOwnName[int]):  # BC104
    pass


class NamedMixin:  # BC201 BC202 BC307 BC309 BC401 BC501
    backend_type = "MIXED"


class OwnNameOfAMixin(NamedMixin, LocalBackend):  # ok
    pass


class NamedAndAbstract(BackendBase):  # BC201
    backend_type = "ABSTRACT"

    def register_config(self, config: aconfig.Config) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    @abstractmethod
    def connect(self) -> None: ...


class OwnNameOfAnAbstractBase(NamedAndAbstract):  # ok
    def connect(self) -> None: ...


class OwnNameUnderACondition(Whole):  # BC104u
    backend_type = "WHOLE" if threading.active_count() else "OWN"


# ---- BC201: the constructor


class MadeOfAnything(Whole):  # ok
    def __init__(self, *anything: object) -> None:
        self.is_started = False


class MadeWithMoreDefaults(Whole):  # ok
    def __init__(self, c: Optional[Dict] = None, *, workers: int = 1) -> None:
        self.is_started = False


class MadeOfNothing(Whole):  # BC201
    def __init__(self) -> None: ...


class MadeOfAConfigOnly(Whole):  # BC201
    def __init__(self, config: aconfig.Config) -> None: ...


class MadeOfNoNone(Whole):  # BC201
    def __init__(self, config: dict[str, Any] = {}) -> None: ...


class MadeByKeyword(Whole):  # BC201
    def __init__(self, *, config: aconfig.Config | None = None) -> None: ...


class MadeWithOneMore(Whole):  # BC201
    def __init__(self, config: aconfig.Config | None, workers: int) -> None: ...


class MadeOfIntegers(Whole):  # BC201
    def __init__(self, config: int | None = None) -> None: ...


class MadeOfAny(Whole):  # BC201u
    def __init__(self, config: Any = None) -> None: ...


class MadeOfAnyInPart(Whole):  # BC201u
    def __init__(self, config: int | Unheard = None) -> None: ...


class MadeOfObjects(Whole):  # ok
    def __init__(self, config: object = None) -> None: ...


class MadeOfObjectsOrNone(Whole):  # ok
    def __init__(self, config: object | None = None) -> None: ...


class MadeWithoutAnnotations(Whole):  # BC201u
    def __init__(self, config=None):
        self.is_started = False


class MadeWithOneMoreWithoutAnnotations(Whole):  # BC201 BC307
    def __init__(self, config, workers):
        pass


class NeverMade(Whole, ABC):  # BC201
    @abstractmethod
    def of_no_clause(self) -> None: ...


class NeverMadeAndAbstract(Whole, ABC):  # BC201 BC309
    @abstractmethod
    def of_no_clause(self) -> None: ...
    @abstractmethod
    def start(self) -> None: ...


class NoMoreThanAProtocol(Whole, Protocol):  # BC201
    ...


# ---- BC202: register_config


class RegistersADict(Whole):  # ok
    def register_config(self, config: dict[str, Any]) -> None: ...


class RegistersADictOfTyping(Whole):  # ok
    def register_config(self, config: Dict) -> None: ...


class RegistersAMapping(Whole):  # ok
    def register_config(self, overrides: Mapping[str, Any]) -> None: ...


class RegistersAnObject(Whole):  # ok
    def register_config(self, config: object) -> None: ...


class RegistersAnyNumber(Whole):  # ok
    def register_config(self, *configs: object) -> None: ...


class RegistersWithADefault(Whole):  # ok
    def register_config(self, config: object, overwrite: bool = True) -> None: ...


class RegistersNothingEver(Whole):  # ok
    def register_config(self, config: object) -> NoReturn:
        raise NotImplementedError


class RegistersWithoutParameter(Whole):  # BC202
    def register_config(self) -> None: ...


class RegistersIntegers(Whole):  # BC202
    def register_config(self, config: int) -> None: ...


class RegistersWithOneMore(Whole):  # BC202
    def register_config(self, config: object, overwrite: bool) -> None: ...


class RegistersByKeyword(Whole):  # BC202
    def register_config(self, *, config: object) -> None: ...


class RegistersAndAnswers(Whole):  # BC202
    def register_config(self, config: object) -> bool: ...


class RegistersLater(Whole):  # BC202
    async def register_config(self, config: object) -> None: ...


class RegistersByNoMethod(Whole):  # BC202
    register_config = None


class RegistersAbstractly(Whole, ABC):  # BC201b BC202
    @abstractmethod
    def register_config(self, config: object) -> None: ...


class RegistersAny(Whole):  # BC202u
    def register_config(self, config: Any) -> None: ...


class RegistersAnUnknownType(Whole):  # BC202u
    def register_config(self, config: Unheard) -> None: ...


class RegistersAnyInPart(Whole):  # BC202u
    def register_config(self, config: int | Any) -> None: ...


class RegistersAndAnswersAnyInPart(Whole):  # BC202u
    def register_config(self, config: object) -> Any | None: ...


class RegistersAndAnswersAny(Whole):  # BC202u
    def register_config(self, config: object) -> Any: ...


class RegistersWithoutAnnotations(Whole):  # BC202u
    def register_config(self, config):
        pass


class RegistersWithOneMoreWithoutAnnotations(Whole):  # BC202
    def register_config(self, config, overwrite):
        pass


# ---- BC307: is_started


class StartedByDeclaration(Whole):  # ok
    is_started: bool = False


class StartedByProperty(Whole):  # ok
    @property
    def is_started(self) -> bool: ...
    @is_started.setter
    def is_started(self, value: bool) -> None: ...


class StartedByPropertyWithoutSetter(Whole):  # BC201
    @property
    def is_started(self) -> bool: ...


class StartedByMethod(Whole):  # BC307
    def is_started(self) -> bool: ...


class StartedLater(Whole):  # BC201 BC307
    @property
    async def is_started(self) -> bool: ...


class StartedByInteger(Whole):  # BC307
    is_started: int = 0


class StartedOrNone(Whole):  # BC307
    is_started: bool | None = None


class StartedByAnyInPart(Whole):  # BC307u
    is_started: bool | Any = False


class StartedByNothing(Nameless):  # BC101 BC102b BC201b
    started: bool


class StartedByDeclarationAlone:  # BC101 BC102b BC201 BC202 BC307 BC309 BC401 BC501
    is_started: bool


class StartedByAny(Whole):  # BC307u
    is_started: Any = False


class StartedWithoutAnnotation(Whole):  # BC307u
    @property
    def is_started(self):
        return False

    @is_started.setter
    def is_started(self, value): ...


# ---- BC309: start and stop


class StartsWithADefault(Whole):  # ok
    def start(self, wait: bool = True) -> None: ...


class StartsByClass(Whole):  # ok
    @classmethod
    def start(cls) -> None: ...


class StartsWithAnArgument(Whole):  # BC309
    def start(self, wait: bool) -> None: ...


class StopsWithAnArgument(Whole):  # BC309
    def stop(self, wait: bool) -> None: ...


class StartsLater(Whole):  # BC309
    async def start(self) -> None: ...


class StopsLaterWithoutAnnotation(Whole):  # BC309
    async def stop(self):
        pass


class StartsAndAnswers(Whole):  # BC309
    def start(self) -> bool: ...


class StartsByGenerator(Whole):  # BC309
    def start(self) -> Iterator[None]:
        yield


class StartsByProperty(Whole):  # BC309
    @property
    def start(self) -> None: ...


class StopsAbstractly(Whole, ABC):  # BC201b BC309
    @abstractmethod
    def stop(self) -> None: ...


class StartsWithoutAnnotation(Whole):  # BC309u
    def start(self):
        pass


class StopsWithAnyInPart(Whole):  # BC309u
    def stop(self) -> Any | None: ...


class StartsAsAThread(Whole, threading.Thread):  # ok
    pass


class StartsAsAThreadFirst(threading.Thread, Whole):  # BC201 BC307u
    ...


class StopsWithAny(Whole):  # BC309u
    def stop(self) -> Any: ...


# ---- BC401: start_lock


class LocksByALock(Whole):  # ok
    def start_lock(self) -> threading.Lock: ...


class LocksByAGenerator(Whole):  # ok
    @contextmanager
    def start_lock(self) -> Iterator[None]:
        yield


class LocksByAnUnannotatedGenerator(Whole):  # ok
    @contextmanager
    def start_lock(self):
        yield


class LocksByNothing(Whole):  # BC401
    def start_lock(self) -> None: ...


class LocksByABareGenerator(Whole):  # BC401
    def start_lock(self) -> Iterator[None]:
        yield


class LocksLater(Whole):  # BC401
    async def start_lock(self) -> AbstractContextManager[object]: ...


class LocksByProperty(Whole):  # BC401
    @property
    def start_lock(self) -> AbstractContextManager[object]: ...


class LocksWithAnArgument(Whole):  # BC401
    def start_lock(self, wait: int) -> AbstractContextManager[object]: ...


class LocksWithoutAnnotation(Whole):  # BC401u
    def start_lock(self):
        return threading.RLock()


class LocksByAnyInPart(Whole):  # BC401u
    def start_lock(self) -> threading.Lock | Any: ...


class LocksByAny(Whole):  # BC401u
    def start_lock(self) -> Any: ...


# ---- BC501: handle_runtime_context


class HandlesObjects(Whole):  # ok
    def handle_runtime_context(self, model_id: object, runtime_context: object) -> None: ...


class HandlesTheUnion(Whole):  # ok
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext | fastapi.Request
    ) -> None: ...


class HandlesWithADefault(Whole):  # ok
    def handle_runtime_context(
        self, model_id: str, runtime_context: object, more: int = 0
    ) -> None: ...


class HandlesAnything(Whole):  # ok
    def handle_runtime_context(self, *args: object, **kwargs: object) -> None: ...


class HandlesUnderAnotherName(Whole):  # BC501
    def handle_runtime_context(self, model_id: str, context: object) -> None: ...


class HandlesAModelUnderAnotherName(Whole):  # BC501
    def handle_runtime_context(self, model: str, runtime_context: object) -> None: ...


class HandlesByPositionOnly(Whole):  # BC501
    def handle_runtime_context(self, model_id: str, runtime_context: object, /) -> None: ...


class HandlesByKeywordOnly(Whole):  # BC501
    def handle_runtime_context(self, *, model_id: str, runtime_context: object) -> None: ...


class HandlesInAnotherOrder(Whole):  # BC501
    def handle_runtime_context(self, runtime_context: object, model_id: str) -> None: ...


class HandlesNoContext(Whole):  # BC501
    def handle_runtime_context(self, model_id: str) -> None: ...


class HandlesOneMore(Whole):  # BC501
    def handle_runtime_context(self, model_id: str, runtime_context: object, more: int) -> None: ...


class HandlesIntegers(Whole):  # BC501
    def handle_runtime_context(self, model_id: int, runtime_context: object) -> None: ...


class HandlesHttpOnly(Whole):  # BC501
    def handle_runtime_context(self, model_id: str, runtime_context: fastapi.Request) -> None: ...


class HandlesGrpcOnly(Whole):  # BC501
    def handle_runtime_context(
        self, model_id: str, runtime_context: grpc.ServicerContext
    ) -> None: ...


class HandlesAndAnswers(Whole):  # BC501
    def handle_runtime_context(self, model_id: str, runtime_context: object) -> bool: ...


class HandlesLater(Whole):  # BC501
    async def handle_runtime_context(self, model_id: str, runtime_context: object) -> None: ...


class HandlesAny(Whole):  # BC501u
    def handle_runtime_context(self, model_id: str, runtime_context: Any) -> None: ...


class HandlesAnyInPart(Whole):  # BC501u
    def handle_runtime_context(self, model_id: str, runtime_context: int | Unheard) -> None: ...


class HandlesStatically(Whole):  # BC501u
    @staticmethod
    def handle_runtime_context(model_id: str, runtime_context) -> None: ...


class HandlesAnyModel(Whole):  # BC501u
    def handle_runtime_context(self, model_id: Any, runtime_context: object) -> None: ...


class HandlesAnUnknownType(Whole):  # BC501u
    def handle_runtime_context(self, model_id: str, runtime_context: Unheard) -> None: ...


class HandlesAndAnswersAny(Whole):  # BC501u
    def handle_runtime_context(self, model_id: str, runtime_context: object) -> Any: ...


class HandlesWithoutAnnotation(Whole):  # BC501u
    def handle_runtime_context(self, model_id: str, runtime_context) -> None: ...


# ---- Classes as a whole


class Empty:  # BC101 BC102b BC201 BC202 BC307 BC309 BC401 BC501
    pass


class OfAnUnknownBase(Unheard):  # BC101u BC102u BC201u BC202u BC307u BC309u BC401u BC501u
    pass


class UnknownFirst(Unheard, Whole):  # BC101u BC102u BC201u BC202u BC307u BC309u BC401u BC501u
    ...


class OfTwo(Unheard, Whole, Unseen):  # BC101u BC102u BC201u BC202u BC307u BC309u BC401u BC501u
    ...


class OfAnUnknownBaseLast(Whole, Unheard):  # BC307u
    ...


class OfAnUnknownBaseThatGivesAll(Unheard, Whole):  # BC201u BC202u BC307u BC401u BC501u
    backend_type = "X"

    def start(self) -> None: ...
    def stop(self) -> None: ...


@conforms
class Declared(Whole):  # ok
    pass


@final
class Last(Whole):  # ok
    pass


class OfAParameter(Generic[T], Whole):  # ok
    pass


class OfTwoBases(LocalBackend, Whole):  # ok
    pass


class Outer:  # BC101 BC102b BC201 BC202 BC307 BC309 BC401 BC501
    class Inner(Whole): ...


@dataclass
class OfFields(Whole):  # ok
    config: aconfig.Config | None = None
    is_started: bool = False


@dataclass
class OfARequiredField(Whole):  # BC201 BC307
    config: aconfig.Config


@dataclass
class NamedByAField(Nameless):  # BC102 BC201
    backend_type: str
