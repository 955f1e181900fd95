"""A ``BackendConformance`` suite in a pytest run: its options, its kits and its tests.

pytest is imported when a test runs, not with this module.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from backend_contract._conformance.behavioural.run import Subject
from backend_contract._conformance.behavioural.trial import is_skip
from backend_contract._conformance.kit import Kit
from backend_contract._conformance.pytest_summary import (
    DECIDED,
    IN_HALF,
    PROPERTY,
    UNDECIDED,
    failure_message,
)
from backend_contract._conformance.results import Finding, Verdict
from backend_contract.clauses import CLAUSES, Clause, in_layer
from backend_contract.errors import CouldNotCheckError

_MAKERS = ("make_backend", "backend")
_HOOKS = ("merged_config", "during_start", "received_contexts")
_FOR_KIT = ("config", "metadata", "model_ids", "time_limit", "exclusive")
_GIVEN = (*_MAKERS, *_HOOKS, *_FOR_KIT, "expected_violations", "strict")
"""The options and hooks of a suite: attributes, methods, properties or fixtures."""

_KITS = "_backend_contract_kits"
"""The attribute of a node of pytest that holds its kits, by parameters."""


def collects(cls: type) -> bool:
    """Return whether a suite is collected whatever its name is; otherwise its name decides."""
    is_generic = bool(getattr(cls, "__parameters__", None))
    return not (is_generic or inspect.isabstract(cls))


def request_fixtures(metafunc: Any, suite: object, base: type) -> None:
    """Let the test of *metafunc* request the fixtures that give what *suite* does not.

    Call it before pytest parametrizes the test. pytest has a mark for this, ``usefixtures``, but
    reads it before a suite can know which fixtures its module and its ``conftest.py`` define.
    """
    import pytest

    definition = metafunc.definition
    names = _names_for_fixtures(suite, base)
    definition.add_marker(pytest.mark.usefixtures(*names))
    manager = definition.session._fixturemanager
    wanted = manager.getfixtureinfo(definition, definition.obj, definition.cls)
    missing = {*names} - _by_fixture(wanted, definition, names)
    info = definition._fixtureinfo
    info.name2fixturedefs.update(wanted.name2fixturedefs)
    info.names_closure[:] = [name for name in wanted.names_closure if name not in missing]
    initial = tuple(name for name in wanted.initialnames if name not in missing)
    object.__setattr__(info, "initialnames", initial)  # it is frozen


class SuiteTest:
    """The test of one clause, with its own instance of the suite and its fixtures."""

    def __init__(self, suite: Any, base: Any, clause: Clause, request: Any) -> None:
        """*base* has the defaults; *request* is pytest's ``FixtureRequest``."""
        self._suite, self._base = suite, base
        self._clause = clause
        self._result = "not tried"
        self._request = request
        self._node: Any = request.node
        names = _names_for_fixtures(suite, base)
        self._fixtures = _by_fixture(self._node._fixtureinfo, self._node, names)

    def run(self) -> None:
        """Pass, fail or skip the test by the verdict on its clause, and record the result."""
        import pytest

        try:
            self._judge()
        except (pytest.skip.Exception, pytest.xfail.Exception):
            if self._result == "not tried":  # the author ends the test so
                self._result = "skipped"
            raise
        finally:
            self._record()

    def _record(self) -> None:
        # Not by `record_property`, which warns if there is a JUnit report. A test may be rerun.
        properties = self._node.user_properties
        properties[:] = [pair for pair in properties if pair[0] != PROPERTY]
        name = type(self._suite).__name__
        properties.append((PROPERTY, f"{name} {self._clause.id} {self._result}"))

    def _judge(self) -> None:
        clause = self._clause
        suite: Any = self._suite.__class__
        if suite.pytest_generate_tests is not self._base.pytest_generate_tests:
            _fail(f"{suite.__name__}: must not override pytest_generate_tests")
        expected = self._expected_violations().get(clause.id)
        finding = self._finding(clause)
        self._result = _result(finding, expected)
        self._require(finding, expected)
        if self._kit().hook_for_half(finding):
            self._result = IN_HALF
        if self._result not in DECIDED:
            if self._is_last_of_all() and not self._decides_any():
                _fail(f"{clause.id} is {self._result}, and no other clause was decided either")
            _skip(_with_reasons(self._result, finding))

    def _require(self, finding: Finding, expected: str | None) -> None:
        """Fail, or expect to fail, unless the result is acceptable."""
        import pytest

        clause, kit = finding.clause, self._kit()
        failing = ("violated", "warning", *UNDECIDED) if self._given("strict") else ("violated",)
        if self._result == "expected violation":
            pytest.xfail(expected or "")
        if kit.could_not_start is not None and clause.id == "BC302":
            self._result = "could not start"
            _fail(f"{kit.name}: {kit.could_not_start}")
        if expected is not None and self._result == "ok":
            _fail(
                f"{clause.id} is expected to be violated ({expected}), but is ok; remove it from "
                "expected_violations"
            )
        if self._result not in failing:
            return
        if self._result in UNDECIDED:
            problem = _with_reasons(self._result, finding)
            _fail(f"{clause.id} is undecided, and the suite is strict: {problem}")
        _fail(failure_message(finding, kit.name, kit.subject.config, self._fixtures_of_author()))

    def _finding(self, clause: Clause) -> Finding:
        kit = self._kit()
        try:
            return kit.finding(clause)
        except (CouldNotCheckError, ValueError) as error:
            problem = str(error)
        except Exception as error:
            if is_skip(error):  # that of unittest, which pytest knows in its own tests only
                _skip(str(error))
            raise
        _fail(f"{clause.id} could not be checked: {problem}")

    def _decides_any(self) -> bool:
        return any(_result(self._finding(clause)) in DECIDED for clause in in_layer("B"))

    def _is_last_of_all(self) -> bool:
        """Whether this is the last test of a suite of which all tests were selected."""
        key = self._key(self._node)
        clauses = {
            item: item.callspec.params["clause"]
            for item in self._request.session.items
            if item.parent is self._node.parent
            and "clause" in getattr(getattr(item, "callspec", None), "params", ())
            and self._key(item) == key
        }
        return [*clauses][-1] is self._node and {*clauses.values()} == {*in_layer("B")}

    # The kit.

    @staticmethod
    def _key(node: Any) -> str:
        """Return what tells the parameters of a test, those of its fixtures, from others."""
        name: str = node.name
        return name.replace(node.callspec.params["clause"].id, "", 1)

    def _kit(self) -> Kit:
        """Return the kit of this test: shared by its suite and parameters, or new."""
        shares = not self._has_function_fixtures()
        node: Any = self._node.parent if shares else self._node
        kits: dict[str, Kit] = node.__dict__.setdefault(_KITS, {})
        key = self._key(self._node)
        if key not in kits:
            kits[key] = self._new_kit(shares=shares)
            self._add_finalizers(node, partial(_close, kits, key))
        return kits[key]

    def _new_kit(self, *, shares: bool) -> Kit:
        subject = self._subject(shares=shares)
        try:
            return Kit(subject)
        except (TypeError, ValueError) as error:
            problem = str(error)
        _fail(f"{self._clause.id} could not be checked: {problem}")

    def _add_finalizers(self, node: Any, close: Callable[[], None]) -> None:
        """Call *close* before the end of *node*, and of each fixture that outlives a test."""
        node.addfinalizer(close)
        for definitions in self._node._fixtureinfo.name2fixturedefs.values():
            for definition in definitions:
                outlives = definition.scope != "function" and not _is_of_plugin(definition)
                if outlives and definition.cached_result is not None:
                    definition.addfinalizer(close)

    def _has_function_fixtures(self) -> bool:
        """Whether a fixture of the author is set up anew for each test."""
        used = {name for mark in self._node.iter_markers(name="usefixtures") for name in mark.args}
        return any(
            definition.scope == "function" and (name in used or not _is_of_plugin(definition))
            for name, definitions in self._node._fixtureinfo.name2fixturedefs.items()
            for definition in definitions[-1:]
        )

    def _fixtures_of_author(self) -> list[str]:
        return [
            name
            for name, definitions in self._node._fixtureinfo.name2fixturedefs.items()
            if not _is_of_plugin(definitions[-1])
        ]

    def _subject(self, *, shares: bool) -> Subject:
        make = self._hook("make_backend") or self._backend()
        if make is None:
            _fail("set `backend` to a backend class, or define `make_backend`")
        options: dict[str, Any] = {name: self._given(name) for name in _FOR_KIT}
        hooks = {name: self._hook(name) for name in _HOOKS}
        return Subject(make=make, shares=shares, **options, **hooks)

    # What the suite gives.

    def _expected_violations(self) -> Mapping[str, str]:
        expected: Mapping[str, str] = self._given("expected_violations")
        for clause, reason in expected.items():
            if clause not in CLAUSES:
                _fail(f"expected_violations: there is no clause {clause!r}")
            if not reason.strip():
                _fail(f"expected_violations: {clause} requires a reason")
        return expected

    def _backend(self) -> Any:
        given = self._value("backend")
        if not inspect.ismethod(given):
            return given
        returned = given()
        return returned if returned is None or isinstance(returned, type) else given

    def _given(self, name: str) -> Any:
        """Return an option, whether an attribute, a property, a method or a fixture gives it."""
        value = self._value(name)
        return value() if inspect.isroutine(value) else value

    def _hook(self, name: str) -> Any:
        given = name in self._fixtures or _is_in_class(self._suite, self._base, name)
        return self._value(name) if given else None

    def _value(self, name: str) -> Any:
        if name in self._fixtures:
            return self._request.getfixturevalue(name)
        return getattr(self._suite, name)


def _names_for_fixtures(suite: object, base: type) -> list[str]:
    """Return what a fixture may give: what the class does not, unless by a fixture.

    If the class has a maker, a fixture outside of it does not give another.
    """
    in_class = [name for name in _GIVEN if _is_in_class(suite, base, name)]
    has_maker = any(name in in_class for name in _MAKERS)
    return [
        name
        for name in _GIVEN
        if _is_fixture(inspect.getattr_static(suite, name))
        or not (name in in_class or (has_maker and name in _MAKERS))
    ]


def _is_in_class(suite: object, base: type, name: str) -> bool:
    """Whether the class, or a fixture that has set it on the instance, gives an attribute."""
    return inspect.getattr_static(suite, name) is not inspect.getattr_static(base, name)


def _is_fixture(value: object) -> bool:
    marked = inspect.isfunction(value) and hasattr(value, "_pytestfixturefunction")  # before 8.4
    return marked or type(value).__name__ == "FixtureFunctionDefinition"


def _by_fixture(info: Any, node: Any, names: Iterable[str]) -> set[str]:
    """Return those of *names* that a fixture of the author or a ``parametrize`` mark gives."""
    marked: set[str] = set()
    for mark in node.iter_markers(name="parametrize"):
        given = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        marked.update(map(str.strip, given.split(",")) if isinstance(given, str) else given)
    defined = {
        name
        for name in names
        if name in info.name2fixturedefs and not _is_of_plugin(info.name2fixturedefs[name][-1])
    }
    return defined | marked.intersection(names)


def _is_of_plugin(definition: Any) -> bool:
    """Whether a fixture is of an installed plugin or of pytest, not of the author of a suite."""
    code = getattr(inspect.unwrap(definition.func), "__code__", None)
    installed = code is not None and "site-packages" in Path(code.co_filename).parts
    return installed and not definition.argname.startswith("_xunit_setup")


def _close(kits: dict[str, Kit], key: str) -> None:
    kit = kits.pop(key, None)
    if kit is not None:
        kit.close()


def _result(finding: Finding, expected: str | None = None) -> str:
    """Return the result of a test: a verdict, or a milder form of a violation."""
    if finding.verdict in (Verdict.VIOLATED, Verdict.UNCHECKED) and expected is not None:
        return "expected violation"
    if finding.verdict is Verdict.BLOCKED:
        return f"blocked by {finding.because[0]}"
    return "warning" if finding.is_warning else finding.verdict.value


def _with_reasons(result: str, finding: Finding) -> str:
    reasons = () if finding.verdict is Verdict.BLOCKED else finding.because
    return f"{result}: {'; '.join(reasons)}" if reasons else result


def _fail(message: str) -> NoReturn:
    import pytest

    pytest.fail(message, pytrace=False)


def _skip(message: str) -> NoReturn:
    import pytest

    pytest.skip(message)
