"""The conformance kit: tries on a backend, clause by clause, whether it keeps the contract.

With pytest, a suite is three lines; :class:`BackendConformance` says what else it can be given::

    from backend_contract.testing import BackendConformance

    class TestMine(BackendConformance):
        backend = Mine

Without pytest, :func:`check_backend` returns the same findings. :func:`grpc_context` and
:func:`http_request` give contexts of real requests to tests of one's own; they need the extras
``grpc`` and ``fastapi``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from backend_contract.clauses import CLAUSES, Clause
from backend_contract.conformance.contexts import Pairs, grpc_context, http_request
from backend_contract.conformance.failure import failure
from backend_contract.conformance.kit import Kit, check_backend
from backend_contract.conformance.trial import TIME_LIMIT, USUAL_METADATA, Subject
from backend_contract.conformance.verdicts import CouldNotCheckError, Finding, Report, Verdict
from backend_contract.protocol import Backend

__all__ = [
    "BackendConformance",
    "Finding",
    "Report",
    "Verdict",
    "check_backend",
    "grpc_context",
    "http_request",
]


class BackendConformance:
    """A pytest suite with a test for every clause of layers R and B, whose id is the clause's.

    A subclass gives ``backend``, or defines ``make_backend``. A clause that is violated fails, or
    warns (:class:`FutureWarning`) in the minor release that it is new in; one that is unchecked,
    blocked by another, or not applicable is skipped, and says why. A run in which no clause of a
    suite was decided fails. Works with pytest 7 and newer, and with xdist.
    """

    __test__: ClassVar[bool] = False  # of this class alone: see __init_subclass__

    backend: ClassVar[type[Backend] | None] = None
    """The class. BC201 and the constructor's half of BC205 need it."""

    config: ClassVar[Mapping[str, Any] | None] = None
    """A configuration that is valid for ``backend``, where an empty one is not."""

    metadata: ClassVar[Pairs] = USUAL_METADATA
    """What a usual client sends with a request: metadata over gRPC, headers over HTTP."""

    time_limit: ClassVar[float] = TIME_LIMIT
    """Seconds after which a call of a member is taken to hang."""

    expected_violations: ClassVar[Mapping[str, str]] = {}
    """Clauses that are known to be broken, by id, each with the reason. One that holds fails."""

    def make_backend(self) -> Backend:
        """A new backend, not started: for a class that is made in a way of its own."""
        raise NotImplementedError

    # Each hook may declare its backend as the class it tests: hence Any.

    def merged_config(self, backend: Any) -> Mapping[str, Any] | None:
        """The configuration as it was merged (BC204). ``None``: that cannot be seen."""
        del backend
        return None

    def during_start(self, backend: Any, call: Callable[[], None]) -> None:
        """Arrange that ``backend.start()`` calls ``call()`` in the middle of its work.

        There, ``call`` raises a :class:`ConnectionError` (BC308), or takes long (BC405).
        """

    def received_contexts(
        self, backend: Any
    ) -> Mapping[str, object] | Iterable[tuple[str, object]] | None:
        """What arrived, as pairs of a model id and its context, or the ``x-route-info`` in it.

        By it BC506 is decided. ``None``: that cannot be seen.
        """
        del backend
        return None

    # What follows is for pytest.

    _kit: ClassVar[Kit | None] = None

    def __init_subclass__(cls) -> None:
        if "__test__" not in cls.__dict__:
            cls.__test__ = True
        cls._kit = None

    def pytest_generate_tests(self, metafunc: Any) -> None:  # pytest.Metafunc, if it is installed
        """One test a clause."""
        for clause, reason in self.expected_violations.items():
            if clause not in CLAUSES:
                raise _misused(self, f"expected_violations: there is no clause {clause!r}")
            if not reason.strip():
                raise _misused(self, f"expected_violations: {clause} needs a reason")
        if "clause" in metafunc.fixturenames:
            metafunc.parametrize("clause", CLAUSES.values(), ids=list(CLAUSES))

    def test_clause(self, clause: Clause, record_property: Callable[[str, object], None]) -> None:
        """The clause holds."""
        import pytest

        verdict, name = "not tried", type(self).__name__
        try:
            finding = self._finding(clause)
            verdict = finding.verdict.value
            expected = self.expected_violations.get(clause.id)
            if expected is not None and finding.verdict is Verdict.VIOLATED:
                verdict = "expected violation"
                pytest.xfail(expected)
            if expected is not None:
                pytest.fail(
                    f"{clause.id} is expected to be violated ({expected}), and is {verdict}: take "
                    "it out of expected_violations",
                    pytrace=False,
                )
            if finding.verdict is Verdict.VIOLATED:
                text = failure(finding, self._the_kit().name, self.config)
                if not finding.only_warns:
                    pytest.fail(text, pytrace=False)
                warnings.warn(text, FutureWarning, stacklevel=1)
                return
            if finding.verdict is not Verdict.OK:
                pytest.skip(f"{verdict}: {'; '.join(finding.because)}")
        finally:
            record_property("backend-contract", f"{name} {clause.id} {verdict}")

    def _finding(self, clause: Clause) -> Finding:
        import pytest

        try:
            return self._the_kit().finding(clause)
        except (CouldNotCheckError, TypeError, ValueError, pytest.UsageError) as error:
            problem = str(error)
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
            raise _misused(self, "give it a backend class as `backend`, or define `make_backend`")
        return Subject(
            make,
            self.config,
            self.metadata,
            self.time_limit,
            hook("merged_config"),
            hook("during_start"),
            hook("received_contexts"),
        )

    @classmethod
    def teardown_class(cls) -> None:
        """End the servers that the requests were made to."""
        if cls._kit is not None:
            cls._kit.close()
            cls._kit = None


def _misused(suite: BackendConformance, problem: str) -> Exception:
    import pytest

    return pytest.UsageError(f"{type(suite).__name__}: {problem}")
