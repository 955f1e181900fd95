"""The vocabulary of fixes: edits, new imports and refusals."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path


class CannotFixError(Exception):
    """Raised if a finding cannot be fixed; the message gives the reason."""


class EditKind(enum.Enum):
    """The kinds of edits. Only the first three leave the behaviour as it is."""

    PARAMETER = "parameter"
    """The annotation of a parameter."""
    RESULT = "result"
    """The return annotation."""
    ATTRIBUTE = "attribute"
    """The annotation of an assignment to an attribute of ``self``."""
    RENAME = "rename"
    """The name of a parameter, with its uses."""
    DEFAULT = "default"
    """The default ``None`` of a parameter."""
    SUPER = "super"
    """A call of the base class's constructor."""
    UPPER_CASE = "upper case"
    """The case of a literal."""
    SYNCHRONOUS = "synchronous"
    """``def`` instead of ``async def``."""


@dataclass(frozen=True)
class NewImport:
    """An import that an annotation needs."""

    module: str
    name: str = ""
    """The name to import from *module*; empty to import the module itself."""
    for_types: bool = False
    """Whether the import belongs below ``if TYPE_CHECKING:``."""


@dataclass(frozen=True)
class Edit:
    """One change of one statement."""

    path: Path
    line: int
    """The line of the ``def``, or of the assignment."""
    owner: int
    """The number of the class in its module, which no edit changes."""
    member: str
    clause: str
    """The id of the clause whose finding asks for it."""
    kind: EditKind
    name: str = ""
    """The parameter, or the attribute of ``self``."""
    text: str = ""
    """The annotation, the new name, or the arguments of the call."""
    imports: tuple[NewImport, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """The identity of the change, independent of lines added above it."""
        return (self.path, self.owner, self.member, self.kind, self.name, self.text)

    def __str__(self) -> str:
        return {
            EditKind.PARAMETER: f"`{self.member}`: annotated `{self.name}: {self.text}`",
            EditKind.RESULT: f"`{self.member}`: annotated `-> {self.text}`",
            EditKind.ATTRIBUTE: f"annotated `self.{self.name}: {self.text}`",
            EditKind.RENAME: f"`{self.member}`: renamed `{self.name}` to `{self.text}`",
            EditKind.DEFAULT: f"`{self.member}`: `{self.name}` defaults to `None`",
            EditKind.SUPER: f"`{self.member}`: calls `super().__init__({self.text})`",
            EditKind.UPPER_CASE: f"`{self.member}`: written in upper case",
            EditKind.SYNCHRONOUS: f"`{self.member}`: `def` instead of `async def`",
        }[self.kind]


@dataclass(frozen=True)
class Refusal:
    """A finding, or a part of it, that no edit fixes, and the reason."""

    path: Path
    line: int
    clause: str
    reason: str
