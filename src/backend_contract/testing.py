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

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from backend_contract._conformance.behavioural.run import DEFAULT_TIME_LIMIT, USUAL_METADATA
from backend_contract._conformance.kit import check_backend
from backend_contract._conformance.pytest_suite import SuiteTest, collects, request_fixtures
from backend_contract._conformance.pytest_summary import register_summary
from backend_contract._conformance.request_servers import (
    Pairs,
    grpc_context,
    http_request,
    load_frameworks,
)
from backend_contract._conformance.results import Finding, Report, Source, Verdict
from backend_contract.clauses import Clause, in_layer
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


class _Collected:
    """The attribute by which pytest collects suites whatever their names are."""

    def __get__(self, instance: object, owner: type) -> bool:
        if owner is not BackendConformance and not collects(owner):
            raise AttributeError("__test__")  # its name decides, as that of any class
        return owner is not BackendConformance


class BackendConformance:
    """A pytest suite with one test per clause of layer B, identified by the clause's id.

    A subclass gives ``backend`` or ``make_backend``. Whatever it gives may be an attribute, a
    method, a property or a pytest fixture of that name, in the class, the module or a
    ``conftest.py``, of any scope, parametrized or not; or a fixture sets it on ``self``. Clauses
    share a started backend unless the suite uses a fixture of scope ``function``: then each test
    starts its own.

    A violated clause of level MUST fails; one of level SHOULD passes, with a warning in the
    summary. A clause that is unchecked, blocked by another or not applicable, or that needs a hook
    or an extra, is skipped, with the reason. If a factory or a hook skips a test, as
    ``pytest.skip`` does, the test is skipped. If no backend can be started, BC302 fails. If all
    clauses of a suite run and none is decided, its last test fails. Works with pytest 7 and newer,
    and with xdist.
    """

    __test__: ClassVar[Any] = _Collected()

    backend: type[Backend] | Callable[..., Any] | None = None
    """The class. BC201 and the constructor's half of BC205 need it."""

    config: Mapping[str, Any] | Callable[..., Any] | None = None
    """A configuration that is valid for ``backend``, if an empty one is not."""

    metadata: Pairs | Callable[..., Any] = USUAL_METADATA
    """What a usual client sends with a request: metadata over gRPC, headers over HTTP."""

    model_ids: Sequence[str] | Callable[..., Any] | None = None
    """The ids that requests are made for, if the backend keeps contexts of some models only."""

    time_limit: float | Callable[..., Any] = DEFAULT_TIME_LIMIT
    """Seconds that the first start may take; see :func:`check_backend`."""

    exclusive: bool | Callable[..., Any] = False
    """Whether no two backends can be started at a time, as with a device or a port."""

    expected_violations: Mapping[str, str] | Callable[..., Any] = MappingProxyType({})
    """Reasons by id of clauses known to be violated or unchecked. If one is ok, its test fails."""

    strict: bool | Callable[..., Any] = False
    """Whether warnings, unchecked clauses and those that need a hook or an extra fail."""

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
        """Return what was received (BC504, BC506), or ``None`` if it cannot be seen.

        The result is pairs of a model id and its context, or a value of that context's metadata.
        Called in the thread and the ``contextvars`` context of each call, right after it.
        """
        del backend
        return None

    # What follows is for pytest.

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _require_own_tests(cls)
        if "__test__" not in cls.__dict__:
            cls.__test__ = _Collected()  # a base that is not collected may have set it

    def pytest_generate_tests(self, metafunc: Any) -> None:  # pytest.Metafunc, if it is installed
        """Generate one test per clause, with the parameters of the fixtures that it requests."""
        _require_own_tests(type(self))
        register_summary(metafunc.config)
        if "clause" in metafunc.fixturenames:
            _reject_expected_failure(metafunc)
            request_fixtures(metafunc, self, BackendConformance)
            load_frameworks()
            clauses = in_layer("B")
            metafunc.parametrize("clause", clauses, ids=[clause.id for clause in clauses])

    def test_clause(self, clause: Clause, request: Any) -> None:  # pytest.FixtureRequest
        """The clause holds."""
        SuiteTest(self, BackendConformance, clause, request).run()


def _require_own_tests(suite: type[BackendConformance]) -> None:
    for name in ("test_clause", "pytest_generate_tests"):
        if getattr(suite, name) is not getattr(BackendConformance, name):
            raise TypeError(f"{suite.__name__}: must not override {name}; use another name")


def _reject_expected_failure(metafunc: Any) -> None:
    import pytest

    if metafunc.definition.get_closest_marker("xfail") is not None:
        raise pytest.UsageError(
            f"{metafunc.cls.__name__}: the mark xfail hides violations; use expected_violations"
        )


def pytest_configure(config: Any) -> None:  # pytest.Config, if it is installed
    """Print the summary at the end; called if this module is loaded as a plugin."""
    register_summary(config)
