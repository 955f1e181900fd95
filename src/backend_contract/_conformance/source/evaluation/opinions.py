"""Opinions on the members of a class, wherever their values are given.

A type checker believes the declaration of a base, picks one of two definitions by its own rules,
and does not see what statements outside of the class body assign. There the source decides, or
nothing does.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from backend_contract._conformance.results import Verdict
from backend_contract._conformance.source.classes import CONSTRUCTORS, ClassSource
from backend_contract._conformance.source.construction.factories import metaclass_of
from backend_contract._conformance.source.evaluation.assignments import (
    Assigned,
    Value,
    is_property,
    to_class,
    to_instance,
    values_of,
)
from backend_contract._conformance.source.evaluation.bodies import kinds_returned
from backend_contract._conformance.source.evaluation.fields import why_not_on_class
from backend_contract._conformance.source.evaluation.fitness import (
    ATTRIBUTES,
    FITS,
    Opinion,
    all_of,
    fits_attribute,
    fits_function,
    fits_method,
    fits_overloads,
    fits_results,
    misfit,
    one_of,
    unknown,
)
from backend_contract._conformance.source.evaluation.inference import (
    kinds_of,
    kinds_of_annotation,
    read_kinds,
    result_of,
)
from backend_contract._conformance.source.evaluation.kinds import Context, inside, is_enumeration
from backend_contract._conformance.source.evaluation.names import with_names_of_instances
from backend_contract._conformance.source.evaluation.stub_files import stub_opinion
from backend_contract._conformance.source.parsing import Function, decorator_names, unparse
from backend_contract._conformance.source.signatures import is_overloaded

LAST_COUNTS = ("pyright", "pyrefly", "ty")
"""Checkers that take the last one of several methods, as Python does."""


@lru_cache(maxsize=2**14)
def opinion_on(
    source: ClassSource, member: str, checker: str, *, on_class: bool = False
) -> Opinion | None:
    """Return what the source tells of a member; ``None`` if the checker knows it better.

    *on_class*: as it reads on the class, instead of on an instance.
    """
    return _Member(source, member, checker, on_class).opinion()


def why_computed(source: ClassSource, member: str) -> str | None:
    """Return which method may give another value of *member* than the class body."""
    return _why_computed(source.known_lineage, member, "__getattribute__")


def _why_computed(holders: Sequence[ClassSource], member: str, *names: str) -> str | None:
    for cls in holders:
        for name in names:
            if name in cls.in_body:
                return f"`{name}` of `{cls.node.name}` may give another `{member}`"
    return None


class _Member(NamedTuple):
    """A member of a class, as it reads on an instance or on the class."""

    source: ClassSource
    name: str
    checker: str
    on_class: bool

    def opinion(self) -> Opinion | None:
        """Return what the source tells; ``None`` if the checker knows it better."""
        if self.on_class and (reason := why_not_on_class(self.source, self.name)) is not None:
            return misfit(reason)
        reason = self._why_open() or self._why_computed()
        if reason is not None:
            return unknown(reason)
        values, is_open = values_of(self.source, self.name)
        if is_open:
            return None
        declared = stub_opinion(self.source, self.name)
        if declared is not None:
            return declared
        return self._by_values(values, to_instance(self.source, self.name))

    def _why_open(self) -> str | None:
        for each in to_class(self.source, self.name):
            if each.member is None:
                return f"{each.why} may change `{self.name}`"
        lineage = self.source.known_lineage
        if any(cls.scope.is_open for cls in lineage if not cls.module.is_ours):
            return (
                f"a class body that calls `locals`, `vars`, `exec` or `eval` may give `{self.name}`"
            )
        return None

    def _why_computed(self) -> str | None:
        if not self.on_class:
            return why_computed(self.source, self.name)
        found = metaclass_of(self.source)
        metaclass = found and found[1].class_named(found[0])
        holders = metaclass.known_lineage if metaclass else ()
        return _why_computed(holders, self.name, "__getattribute__", self.name)

    def _by_values(self, values: Sequence[Value | None], on_self: list[Assigned]) -> Opinion | None:
        """Return the opinion by the *values* of class bodies and those given to instances."""
        if is_property(values):
            on_self = [each for each in on_self if each.member == self.name]
            if on_self and not self.on_class and not self._has_setter(values):
                return self._assigned_without_setter(on_self)
            on_self = []
        computed = next((each for each in on_self if each.member is None), None)
        if computed is not None:
            return unknown(f"{computed.why} may change `{self.name}`")
        afterwards = to_class(self.source, self.name)
        if not afterwards and self._is_plain():
            body = self._by_plain_value(values[0])
        else:
            body = self._by_definitions(values, afterwards)
        if self.on_class:
            return with_names_of_instances(self.source, self.name, body, on_self, values)
        return self._with_instance(body, on_self, values)

    # ---- properties

    def _has_setter(self, values: Sequence[Value | None]) -> bool:
        return len(values) != 1 or values[0] is None or self.name in values[0].cls.with_setter

    def _assigned_without_setter(self, on_self: Sequence[Assigned]) -> Opinion | None:
        """Return the opinion on assignments to a property without a setter, which raise.

        A constructor that raises breaks another clause.
        """
        for each in on_self:
            opinion = self._fits_assigned(each, is_bound=True)
            if opinion.verdict is Verdict.VIOLATED:
                return opinion
            function = each.at.function
            if not (isinstance(function, Function) and function.name in CONSTRUCTORS):
                reason = f"`self.{self.name}` is assigned, and the property has no setter"
                return misfit(reason, each.statement, each.at.module)
        return None

    # ---- class bodies with one definition

    def _is_plain(self) -> bool:
        """Return whether every checker sees the definition that Python takes."""
        for cls in self.source.known_lineage:
            reached = cls.scope.reached.get(self.name, [])
            if reached != self._reached_by_checkers(cls) or len(reached) > 1:
                return False
            if reached:
                return None not in cls.scope.bindings[self.name] and not _is_in_locals(reached[0])
            if self.name in cls.unreachable:
                return False
        return True

    def _reached_by_checkers(self, cls: ClassSource) -> Sequence[ast.stmt]:
        return cls.scope_for_checkers.reached.get(self.name, [])

    def _by_plain_value(self, value: Value | None) -> Opinion | None:
        """Return the opinion on a single value, or ``None`` if the checker infers its type."""
        if value is None:
            return None
        statement = value.binding.statement
        if _is_class_property(statement):
            return unknown("Python 3.13 has no `classmethod` of a `property`")
        if isinstance(statement, Function) and is_overloaded(self.source, self.name):
            return fits_overloads(self.name, statement, value.cls.module)
        if isinstance(statement, Function | ast.ClassDef):
            return None
        opinion = self._fits_value(value)
        if isinstance(statement, ast.AnnAssign):
            if not self._is_declared_right(statement.annotation, value.cls):
                return opinion if opinion.verdict is Verdict.VIOLATED else None
            if opinion.verdict is Verdict.UNCHECKED:
                return FITS
        if opinion.verdict is Verdict.OK:
            return None if is_enumeration(self.source) else opinion
        is_left_to_checker = opinion.verdict is Verdict.UNCHECKED and self._is_inferred(value)
        return None if is_left_to_checker else opinion

    def _is_declared_right(self, annotation: ast.expr, cls: ClassSource) -> bool:
        declared = kinds_of_annotation(annotation, inside(cls))
        return self.name in ATTRIBUTES and fits_attribute(self.name, declared, "") == FITS

    def _is_inferred(self, value: Value) -> bool:
        """Return whether a checker infers the type of a value, and believes no declaration."""
        expression = value.binding.value
        kinds = kinds_of(expression, inside(value.cls)) if expression else ()
        if kinds is not None and all(isinstance(each.function, Function) for each in kinds):
            return True
        lineage = self.source.known_lineage
        above = lineage[lineage.index(value.cls) + 1 :]
        is_declared_above = any(self.name in each.in_body for each in above)
        return not isinstance(expression, ast.Lambda) and not is_declared_above

    # ---- several definitions, or one outside of the body

    def _by_definitions(
        self, values: Sequence[Value | None], afterwards: Sequence[Assigned]
    ) -> Opinion | None:
        opinions = [self._fits_value(value) for value in values]
        for assigned in afterwards:
            opinion = self._fits_assigned(assigned, is_bound=False)
            if assigned.is_deletion:
                opinion = unknown(f"`{self.name}` is deleted after the class body")
            opinions = [opinion] if assigned.is_certain else [*opinions, opinion]
        opinion = one_of(opinions)
        if opinion.verdict is Verdict.UNCHECKED and not afterwards:
            return None if self._is_seen(values) else opinion
        return opinion

    def _is_seen(self, values: Sequence[Value | None]) -> bool:
        """Return whether the checker takes the method that counts in spite of another one."""
        if len(values) != 1 or values[0] is None:
            return False
        cls = values[0].cls
        reached = cls.scope.reached.get(self.name, [])
        if reached != self._reached_by_checkers(cls):
            return False
        if not all(isinstance(each, Function) and not _is_getter(each) for each in reached):
            return False
        return len(reached) == 1 or self.checker in LAST_COUNTS

    # ---- instances

    def _with_instance(
        self,
        body: Opinion | None,
        on_self: Sequence[Assigned],
        values: Sequence[Value | None],
    ) -> Opinion | None:
        given = [each for each in on_self if not each.is_deletion]
        is_new = values == [None]  # no class body gives it
        is_decided = body is not None and body.verdict is Verdict.VIOLATED and not is_new
        if not given or is_decided:
            return body
        worst = all_of([self._fits_assigned(each, is_bound=True) for each in given])
        if worst.verdict is Verdict.VIOLATED:
            return worst
        if worst.verdict is Verdict.UNCHECKED:
            is_left_to_checker = self._is_typed(given, is_new)
        else:
            is_left_to_checker = self.name in ATTRIBUTES or not is_new
        if not is_left_to_checker:
            return worst
        return None if is_new else body

    def _is_typed(self, given: Sequence[Assigned], is_new: bool) -> bool:
        """Return whether a checker has a type to compare the assigned values with."""
        is_annotated = any(isinstance(each.statement, ast.AnnAssign) for each in given) or any(
            isinstance(cls.in_body.get(self.name), ast.AnnAssign)
            for cls in self.source.known_lineage
        )
        return is_annotated or (len(given) == 1 and is_new and self.name in ATTRIBUTES)

    # ---- single values

    def _fits_value(self, value: Value | None) -> Opinion:
        if value is None:
            return misfit(f"the class has no `{self.name}` when it runs")
        opinion = self._fits_binding(value)
        return opinion._replace(statement=value.binding.statement, module=value.cls.module)

    def _fits_binding(self, value: Value) -> Opinion:
        statement, expression = value.binding
        at = inside(value.cls, target=self.source)
        if isinstance(statement, Function) and expression is None:
            return self._fits_function(statement, at)
        if isinstance(statement, ast.Import):
            return misfit(f"`{self.name}` is a module")
        if expression is None:
            return unknown(f"cannot follow how `{self.name}` is bound")
        return self._fits_expression(expression, at)

    def _fits_function(self, function: Function, at: Context) -> Opinion:
        names = decorator_names(function)
        if any("abstract" in name for name in names):
            return misfit(f"`{self.name}` is abstract, and the class does not define it")
        if at.module.is_ours and not self.on_class:
            return FITS
        if self.name not in ATTRIBUTES:
            return fits_function(self.name, function, at)
        if not names:
            return misfit(f"`{self.name}` is a method")
        if len(names) > 1 or names.isdisjoint({"property", "cached_property", "getter"}):
            return unknown(f"cannot follow the decorators of `{self.name}`")
        if self.on_class:
            return misfit(f"`{self.name}` is a property, which the class lacks")
        return fits_attribute(self.name, result_of(function, at), f"def {self.name}")

    def _fits_assigned(self, assigned: Assigned, *, is_bound: bool) -> Opinion:
        if assigned.value is None:
            opinion = unknown(f"cannot follow what is assigned to `{self.name}`")
        else:
            opinion = self._fits_expression(assigned.value, assigned.at, is_bound=is_bound)
        return opinion._replace(statement=assigned.statement, module=assigned.at.module)

    def _fits_expression(self, value: ast.expr, at: Context, *, is_bound: bool = False) -> Opinion:
        """*is_bound*: nothing is bound when the member is read, since an instance has it."""
        kinds, written = kinds_of(value, at), unparse(value)
        if self.name in ATTRIBUTES:
            kinds = kinds if is_bound else read_kinds(kinds, at, on_class=self.on_class)
            return fits_attribute(self.name, kinds, written)
        opinion = fits_method(self.name, kinds, written, at, is_bound=is_bound)
        if isinstance(value, ast.Lambda) and opinion.verdict is Verdict.UNCHECKED:
            returned = kinds_returned(value.body, at._replace(function=value))
            return fits_results(self.name, returned)
        return opinion


def _is_in_locals(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(each, ast.Subscript) for each in statement.targets
    )


def _is_class_property(statement: ast.stmt) -> bool:
    names = decorator_names(statement) if isinstance(statement, Function) else set[str]()
    return {"classmethod", "property"} <= names and "abstractmethod" not in names


def _is_getter(function: Function) -> bool:
    """Return whether a function replaces the getter of a property: checkers take the first one."""
    return "getter" in decorator_names(function)
