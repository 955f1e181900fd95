"""The conformance kit: tries, clause by clause, whether a backend keeps the contract.

With pytest, a suite is three lines; see :class:`BackendConformance` for its options::

    from backend_contract.testing import BackendConformance

    class TestMine(BackendConformance):
        backend = Mine

Without pytest, :func:`check_backend` returns the same findings. For tests of your own,
:func:`grpc_context` and :func:`http_request` return contexts of real requests; they require the
extras ``grpc`` and ``fastapi``.

A run with a suite ends with a summary. Under pytest-xdist, the process that prints it collects no
tests; load this module there with ``-p backend_contract.testing``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NoReturn

from backend_contract._conformance.behavioural.run import (
    DEFAULT_TIME_LIMIT,
    USUAL_METADATA,
    Subject,
)
from backend_contract._conformance.behavioural.trial import is_skip
from backend_contract._conformance.kit import Kit, check_backend
from backend_contract._conformance.pytest_summary import (
    DECIDED,
    PROPERTY,
    UNDECIDED,
    failure_message,
    register_summary,
)
from backend_contract._conformance.request_servers import (
    Pairs,
    grpc_context,
    http_request,
)
from backend_contract._conformance.results import Finding, Report, Source, Verdict
from backend_contract.clauses import CLAUSES, Clause, in_layer
from backend_contract.errors import CouldNotCheckError
from backend_contract.protocol import Backend

__all__ = [
    "BackendConformance",
    "Clause",
    "CouldNotCheckError",
    "Finding",
    "Pairs",
    "Report",
    "Source",
    "Verdict",
    "check_backend",
    "grpc_context",
    "http_request",
]


class BackendConformance:
    """A pytest suite with one test per clause of layer B, identified by the clause's id.

    A subclass sets ``backend``, or defines ``make_backend``. A violated clause of level MUST fails;
    one of level SHOULD passes, with a warning in the summary. A clause that is unchecked, blocked
    by another or not applicable, or that needs a hook or an extra, is skipped, with the reason. If
    a factory or a hook skips a test, as ``pytest.skip`` does, the test is skipped. If all clauses
    of a suite run and none is decided, its last test fails. Works with pytest 7 and newer, and with
    xdist.
    """

    __test__: ClassVar[bool] = False  # of this class alone: see __init_subclass__

    backend: ClassVar[type[Backend] | None] = None
    """The class. BC201 and the constructor's half of BC205 need it."""

    config: ClassVar[Mapping[str, Any] | None] = None
    """A configuration that is valid for ``backend``, if an empty one is not."""

    metadata: ClassVar[Pairs] = USUAL_METADATA
    """What a usual client sends with a request: metadata over gRPC, headers over HTTP."""

    time_limit: ClassVar[float] = DEFAULT_TIME_LIMIT
    """Seconds after which a call of a member is considered to hang."""

    expected_violations: ClassVar[Mapping[str, str]] = {}
    """Clauses known to be violated or unchecked: reasons by clause id. One that is ok fails."""

    strict: ClassVar[bool] = False
    """Whether unchecked clauses fail, those that need a hook or an extra, and warnings."""

    def make_backend(self) -> Backend:
        """Return a new, not started backend. Define it if the class needs a custom constructor."""
        raise NotImplementedError

    # Each hook may declare its backend as the class it tests: hence Any.

    def merged_config(self, backend: Any) -> Mapping[str, Any] | None:
        """Return the merged configuration (BC204), or ``None`` if it cannot be seen."""
        del backend
        return None

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        """Arrange that ``backend.start()`` calls ``call()`` in the middle of its work.

        There, ``call`` raises a :class:`ConnectionError` (BC308), or takes long (BC405).
        """

    def received_contexts(
        self, backend: Any
    ) -> Mapping[str, object] | Iterable[tuple[str, object]] | None:
        """Return what was received (BC506), or ``None`` if it cannot be seen.

        Pairs of a model id and its context, or the ``x-route-info`` in it.
        """
        del backend
        return None

    # What follows is for pytest.

    _kit: ClassVar[Kit | None] = None

    def __init_subclass__(cls) -> None:
        for name in ("test_clause", "pytest_generate_tests"):
            if getattr(cls, name) is not getattr(BackendConformance, name):
                raise TypeError(f"{cls.__name__}: must not override {name}; use another name")
        if "__test__" not in cls.__dict__:
            cls.__test__ = True
        cls._kit = None

    def pytest_generate_tests(self, metafunc: Any) -> None:  # pytest.Metafunc, if it is installed
        """Generate one test per clause."""
        for clause, reason in self.expected_violations.items():
            if clause not in CLAUSES:
                raise _usage_error(self, f"expected_violations: there is no clause {clause!r}")
            if not reason.strip():
                raise _usage_error(self, f"expected_violations: {clause} requires a reason")
        register_summary(metafunc.config)
        if "clause" in metafunc.fixturenames:
            clauses = in_layer("B")
            metafunc.parametrize("clause", clauses, ids=[clause.id for clause in clauses])

    def test_clause(self, clause: Clause, request: Any) -> None:  # pytest.FixtureRequest
        """The clause holds."""
        import pytest

        result = "not tried"
        try:
            finding = self._finding(clause)
            expected = self.expected_violations.get(clause.id)
            result = _result(finding, expected)
            self._require(result, finding, expected)
            if result not in DECIDED:
                if _is_last_of_all(request) and not self._decides_any():
                    _fail(f"{clause.id} is {result}, and no other clause was decided either")
                _skip(f"{result}: {'; '.join(finding.because)}")
        except pytest.skip.Exception:
            if result == "not tried":  # the author skips it
                result = "skipped"
            raise
        finally:
            # Not by `record_property`, which warns if there is a JUnit report.
            value = f"{type(self).__name__} {clause.id} {result}"
            request.node.user_properties.append((PROPERTY, value))

    def _require(self, result: str, finding: Finding, expected: str | None) -> None:
        """Fail, or expect to fail, unless the result is acceptable."""
        import pytest

        if result == "expected violation":
            pytest.xfail(expected or "")
        if expected is not None and result == "ok":
            _fail(
                f"{finding.clause.id} is expected to be violated ({expected}), but is {result}; "
                "remove it from expected_violations"
            )
        if result == "violated" or (self.strict and result == "warning"):
            _fail(failure_message(finding, self._the_kit().name, self.config))
        if self.strict and result in UNDECIDED:
            reasons = "; ".join(finding.because)
            _fail(f"{finding.clause.id} is undecided, and the suite is strict: {result}: {reasons}")

    def _decides_any(self) -> bool:
        return any(_result(self._finding(clause)) in DECIDED for clause in in_layer("B"))

    def _finding(self, clause: Clause) -> Finding:
        import pytest

        try:
            return self._the_kit().finding(clause)
        except (CouldNotCheckError, TypeError, ValueError, pytest.UsageError) as error:
            problem = str(error)
        except Exception as error:
            if is_skip(error):  # that of unittest, which pytest knows in its own tests only
                _skip(str(error))
            raise
        pytest.fail(f"{clause.id} could not be checked: {problem}", pytrace=False)

    def _the_kit(self) -> Kit:
        cls = type(self)
        if cls._kit is None:
            cls._kit = Kit(self._subject())
        return cls._kit

    def _subject(self) -> Subject:
        def hook(name: str) -> Any:  # Any: one of three signatures
            given = getattr(type(self), name) is not getattr(BackendConformance, name)
            return getattr(self, name) if given else None

        make = hook("make_backend") or self.backend
        if make is None:
            raise _usage_error(self, "set `backend` to a backend class, or define `make_backend`")
        return Subject(
            make=make,
            config=self.config,
            metadata=self.metadata,
            time_limit=self.time_limit,
            merged_config=hook("merged_config"),
            during_start=hook("during_start"),
            received_contexts=hook("received_contexts"),
        )

    @classmethod
    def teardown_class(cls) -> None:
        """Stop the servers that the requests were made to."""
        if cls._kit is not None:
            cls._kit.close()
            cls._kit = None


def pytest_configure(config: Any) -> None:  # pytest.Config, if it is installed
    """Print the summary at the end; called if this module is loaded as a plugin."""
    register_summary(config)


def _result(finding: Finding, expected: str | None = None) -> str:
    """Return the result of a test: a verdict, or a milder form of a violation."""
    if finding.verdict in (Verdict.VIOLATED, Verdict.UNCHECKED) and expected is not None:
        return "expected violation"
    return "warning" if finding.is_warning else finding.verdict.value


def _is_last_of_all(request: Any) -> bool:
    """Whether this is the last test of a suite of which all tests were selected."""
    clauses = {
        item: item.callspec.params["clause"]
        for item in request.session.items
        if item.parent is request.node.parent
        and "clause" in getattr(getattr(item, "callspec", None), "params", ())
    }
    return [*clauses][-1] is request.node and {*clauses.values()} == {*in_layer("B")}


def _fail(message: str) -> NoReturn:
    import pytest

    pytest.fail(message, pytrace=False)


def _skip(message: str) -> NoReturn:
    import pytest

    pytest.skip(message)


def _usage_error(suite: BackendConformance, problem: str) -> Exception:
    import pytest

    return pytest.UsageError(f"{type(suite).__name__}: {problem}")
