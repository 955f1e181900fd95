"""The annotation to write for one part of a member, spelled for the module that it stands in."""

from __future__ import annotations

import ast
import builtins
import re
from typing import NamedTuple

from backend_contract._conformance.fixes.model import CannotFixError, NewImport
from backend_contract._conformance.fixes.spelling import ModuleNames, Spelling, names_of_class
from backend_contract._conformance.source.classes import ClassSource
from backend_contract._conformance.source.members import EXPECTED_ANNOTATIONS
from backend_contract._conformance.source.parsing import Function, positional_of

_ORIGINS = {
    "AbstractContextManager": "contextlib",
    "Any": "typing",
    "Iterator": "collections.abc",
    "Mapping": "collections.abc",
    "RuntimeServerContextType": "backend_contract",
}
_NAME = r"[A-Za-z_][\w.]*"


class Annotation(NamedTuple):
    """An annotation as code, and the imports that it needs."""

    text: str
    imports: tuple[NewImport, ...] = ()


class Place(NamedTuple):
    """The place of an annotation."""

    owner: ClassSource
    line: int
    names: ModuleNames

    @property
    def hidden(self) -> set[str]:
        """The names that mean something else in the class."""
        return names_of_class(self.owner.node)


def spell_part(
    member: str, number: int, default: ast.expr | None, place: Place
) -> Annotation | None:
    """Return the annotation of a parameter of *member*; ``None`` if *default* does not fit it."""
    text = EXPECTED_ANNOTATIONS[member, f"parameter {number}"].text
    if member == "register_config" and _overrides_mapping(place.owner):
        text = "Mapping[str, Any]"
    if default is not None:
        value = default.value if isinstance(default, ast.Constant) else ...
        if value is None and not accepts_none(text):
            text += " | None"
        elif value is not None and not (isinstance(value, str) and text == "str"):
            return None
    return spell_text(text, place)


def spell_text(text: str, place: Place) -> Annotation:
    """Return *text*, with each name as the module spells it.

    Raises :class:`CannotFixError` if a name means something else there.
    """
    spellings = {name: _spell_name(name, place) for name in re.findall(_NAME, text)}
    text = re.sub(_NAME, lambda name: spellings[name[0]].text, text)
    text = _with_optional(text, place)
    is_for_types = any(each.is_for_types for each in spellings.values())
    if is_for_types and not place.names.defers_annotations:
        text = f'"{text}"'
    return Annotation(text, tuple(new for each in spellings.values() for new in each.imports))


def _spell_name(dotted: str, place: Place) -> Spelling:
    first, _, attribute = dotted.partition(".")
    spelling: Spelling | None = Spelling(first)
    if first in _ORIGINS or attribute:
        module, name = _ORIGINS.get(first, first), attribute or first
        spelling = place.names.spell(
            module, name, place.line, place.hidden, qualified=bool(attribute)
        )
    elif hasattr(builtins, first) and not place.names.is_free(first, place.hidden):
        spelling = None
    if spelling is None:
        raise CannotFixError(f"`{first}` means something else in this module")
    return spelling


def _with_optional(text: str, place: Place) -> str:
    """Return ``X | None`` as ``Optional[X]`` if the module writes it so."""
    inner = text.removesuffix(" | None")
    name = place.names.reuse_early("typing", "Optional", place.line, place.hidden)
    return f"{name}[{inner}]" if name and inner != text else text


def optional(annotation: ast.expr, place: Place) -> Annotation:
    """Return *annotation* with ``None`` added, unless it has it."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        text = annotation.value
        return Annotation(repr(text if accepts_none(text) else f"{text} | None").replace("'", '"'))
    text = ast.unparse(annotation)
    return Annotation(text if accepts_none(text) else _with_optional(f"{text} | None", place))


def accepts_none(text: str) -> bool:
    """Return whether an annotation seems to include ``None``."""
    return re.search(r"\b(None|Optional|Any|object)\b", text) is not None


def _overrides_mapping(owner: ClassSource) -> bool:
    """Return whether a base class takes any mapping, which an override may not narrow."""
    for source in owner.known_lineage[1:]:
        function = source.in_body.get("register_config")
        if isinstance(function, Function):
            parameters = positional_of(function.args)[1:]
            annotated = parameters[0].annotation if parameters else None
            return annotated is not None and "Mapping" in ast.unparse(annotated)
    return False
