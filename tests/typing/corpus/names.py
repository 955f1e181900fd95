# `backend_type` in every idiom.

from __future__ import annotations

from typing import ClassVar, Final

from common import Nameless

from backend_contract import Backend, BackendBase, LocalBackend

# ---- In structural classes


class Plain(Nameless):
    backend_type = "PLAIN"


class Annotated(Nameless):
    backend_type: str = "ANNOTATED"


class AsClassVar(Nameless):
    backend_type: ClassVar[str] = "CLASS_VAR"


class AsFinal(Nameless):
    backend_type: Final = "FINAL"


class AsFinalString(Nameless):
    backend_type: Final[str] = "FINAL"


class AsProperty(Nameless):
    @property
    def backend_type(self) -> str:
        return "PROPERTY"


class OnTheInstance(Nameless):
    def __init__(self) -> None:
        super().__init__()
        self.backend_type = "INSTANCE"


class Missing(Nameless): ...


class AnInteger(Nameless):
    backend_type = 7


class Bytes(Nameless):
    backend_type: bytes = b"BYTES"


class OrNone(Nameless):
    backend_type: str | None = None


class AMethod(Nameless):
    def backend_type(self) -> str:
        return "METHOD"


plain: Backend = Plain()
annotated: Backend = Annotated()
# It does not accept a class variable as the implementation of a property.
as_class_var: Backend = AsClassVar()  # ! pyright pyrefly
# It does not accept a final attribute as the implementation of a property.
as_final: Backend = AsFinal()  # ! pyright zuban
# It does not accept a final attribute as the implementation of a property.
as_final_string: Backend = AsFinalString()  # ! pyright zuban
as_property: Backend = AsProperty()
on_the_instance: Backend = OnTheInstance()
missing: Backend = Missing()  # E
an_integer: Backend = AnInteger()  # E
some_bytes: Backend = Bytes()  # E
or_none: Backend = OrNone()  # E
a_method: Backend = AMethod()  # E


# ---- In subclasses of BackendBase


class Inheriting(BackendBase):
    def register_config(self, config: object) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class InheritingPlain(Inheriting):
    backend_type = "PLAIN"


class InheritingAnnotated(Inheriting):
    backend_type: str = "ANNOTATED"  # E


class InheritingClassVar(Inheriting):
    backend_type: ClassVar[str] = "CLASS_VAR"


class InheritingFinal(Inheriting):
    # It allows a final attribute to override a class variable.
    backend_type: Final = "FINAL"  # E ty


class InheritingProperty(Inheriting):
    @property  # E[property]
    def backend_type(self) -> str:  # E[property]
        return "PROPERTY"


class InheritingOnTheInstance(Inheriting):
    def __init__(self) -> None:
        super().__init__()
        # It allows an assignment through `self` to a class variable.
        self.backend_type = "INSTANCE"  # E mypy zuban


class InheritingAnInteger(Inheriting):
    backend_type = 7  # E


class InheritingBytes(Inheriting):
    backend_type: bytes = b"BYTES"  # E


class InheritingAMethod(Inheriting):
    def backend_type(self) -> str:  # E
        return "METHOD"


serve: list[Backend] = [
    InheritingPlain(),
    InheritingAnnotated(),
    InheritingClassVar(),
    InheritingFinal(),
    LocalBackend(),
]
# It counts abstract methods, but not class variables without a value.
Inheriting()  # E ty zuban
