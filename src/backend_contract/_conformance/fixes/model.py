"""The vocabulary of fixes: edits, new imports and refusals."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path


class CannotFixError(Exception):
    """Raised if a finding cannot be fixed; the message gives the reason."""


class EditKind(enum.Enum):
    """The kinds of edits, described. Only the first three leave the behaviour as it is."""

    PARAMETER = "`{0.member}`: annotated `{0.name}: {0.text}`"
    RESULT = "`{0.member}`: annotated `-> {0.text}`"
    ATTRIBUTE = "annotated `self.{0.name}: {0.text}`"
    RENAME = "`{0.member}`: renamed `{0.name}` to `{0.text}`"
    DEFAULT = "`{0.member}`: `{0.name}` defaults to `None`"
    SUPER = "`{0.member}`: calls `super().__init__({0.text})`"
    UPPER_CASE = "`{0.member}`: written in upper case"
    SYNCHRONOUS = "`{0.member}`: `def` instead of `async def`"


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
        return self.kind.value.format(self)


@dataclass(frozen=True)
class Refusal:
    """A finding, or a part of it, that no edit fixes, and the reason."""

    path: Path
    line: int
    clause: str
    reason: str
