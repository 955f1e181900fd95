"""Suites in real pytest runs, as an author meets them: no conftest, and warnings are errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import mostly_exhaustive

HERE = Path(__file__).parent

SUITE = """\
import pytest
from backend_contract.testing import BackendConformance
from conformance.behavioural.mutants import HOOKS, Structural, ForgetsThatItStopped

class TestMine(BackendConformance):
    backend = {backend}
    {more}
"""

TWO_WORKERS = ("-p", "xdist", "-n", "2")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run pytest on a suite for *backend* with *more* in its body."""

    def run(backend: str, more: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_mine.py").write_text(SUITE.format(backend=backend, more=more))
        return run_pytest(tmp_path, *arguments)

    return run


def run_pytest(
    path: Path, *arguments: str, autoload: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run pytest, unless *autoload* without plugins of other packages, which take most time."""
    (path / "pytest.ini").write_text("[pytest]\n")  # a separate project, wherever *path* is
    variables = {"PYTHONPATH": str(HERE), "COLUMNS": "200"}
    if not autoload:
        variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments],
        cwd=path,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_sound_suite(run: Run) -> None:
    """A sound backend passes, and the summary counts the clauses."""
    done = run("Structural", "", "-v")
    assert done.returncode == 0, done.stdout
    assert "test_mine.py::TestMine::test_clause[BC302] PASSED" in done.stdout
    assert (
        "test_mine.py::TestMine: 35 of 37 clauses exercised, 4 of them only half, 2 needs a suite"
        in done.stdout
    )


def test_failure(run: Run) -> None:
    """A failure shows everything needed to fix it."""
    done = run("ForgetsThatItStopped", "", "-k", "BC303")
    assert done.returncode == 1
    for words in (
        "BC303 violated: ",
        "expected  backend.stop(); backend.is_started is False",
        "found     is_started is True after stop() returned",
        "mutants.py:",
        "fix       ",
        "from conformance.behavioural.mutants import ForgetsThatItStopped",
        "make = ForgetsThatItStopped",
        "assert backend.is_started is False",
    ):
        assert words in done.stdout


@pytest.mark.exhaustive
def test_reproduction_config(run: Run) -> None:
    """The reproduction contains the sample configuration."""
    done = run("ForgetsThatItStopped", 'config = {"workers": 2}', "-k", "BC303")
    assert "config = aconfig.Config({'workers': 2}, override_env_vars=False)" in done.stdout
    assert "make = lambda *given: ForgetsThatItStopped(*(given or (config,)))" in done.stdout


@pytest.mark.exhaustive
def test_reproduction_factory(run: Run) -> None:
    """The reproduction calls the `make_backend` of the suite."""
    factory = "def make_backend(self):\n        return ForgetsThatItStopped()"
    done = run("None", factory, "-k", "BC303")
    assert "from test_mine import TestMine" in done.stdout
    assert "suite = TestMine()" in done.stdout
    assert "make = suite.make_backend" in done.stdout


KNOWN = 'expected_violations = {"BC303": "known to the author"}'


def test_expected_violation(run: Run) -> None:
    """An expected violation is an expected failure."""
    done = run("ForgetsThatItStopped", KNOWN, "-k", "BC303")
    assert done.returncode == 0, done.stdout
    assert "1 xfailed" in done.stdout
    assert "1 expected violation" in done.stdout


@pytest.mark.exhaustive
def test_stale_expected_violation(run: Run) -> None:
    """An expected violation that does not occur fails."""
    done = run("Structural", KNOWN, "-k", "BC303")
    assert done.returncode == 1
    assert "BC303 is expected to be violated (known to the author), but is ok" in done.stdout


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("pytestmark = pytest.mark.xfail", "use expected_violations"),
        ('pytestmark = pytest.mark.parametrize("clause", [])', "duplicate"),
        ("def test_clause(self, clause, request): pass", "must not override test_clause"),
    ],
    ids=["xfail", "parametrization", "test"],
)
def test_misuse(run: Run, more: str, problem: str) -> None:
    """A suite that would be green whatever its backend does is a collection error."""
    done = run("ForgetsThatItStopped", more)
    assert done.returncode not in (0, 1)
    assert problem in done.stdout + done.stderr


def test_hidden_violation(run: Run) -> None:
    """A violation that a mark hides when the test runs is named."""
    more = "@pytest.fixture(autouse=True)\n"
    more += "    def hide(self, request): request.applymarker(pytest.mark.xfail)"
    done = run("ForgetsThatItStopped", more, "-k", "BC303")
    assert "1 xfailed" in done.stdout
    assert "TestMine: BC303 is violated, which a mark xfail hides" in done.stdout


UNREACHABLE = """\
    def make_backend(self):
        class Unreachable(Structural):
            def connect(self):
                raise ConnectionError("no engine")
        return Unreachable()
"""


@pytest.mark.parametrize(
    "autouse",
    mostly_exhaustive([("",), ("@pytest.fixture(autouse=True)",)], 1),
)
def test_could_not_start(run: Run, autouse: str) -> None:
    """If no backend can be started, BC302 fails, and what needs it is blocked."""
    more = f"{autouse}\n    def engine(self): pass\n\n{UNREACHABLE}"
    done = run("None", more, "-k", "BC302 or BC303 or BC404")
    assert done.returncode == 1
    assert "1 failed, 2 skipped" in done.stdout
    assert "could not start here: start() raised ConnectionError: no engine" in done.stdout
    assert "0 of 3 clauses exercised, 1 could not start, 2 clauses blocked by BC302" in done.stdout


SHOULD = """\
import dataclasses
from backend_contract.clauses import CLAUSES, Level
CLAUSES["BC303"] = dataclasses.replace(CLAUSES["BC303"], level=Level.SHOULD)
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "arguments",
    mostly_exhaustive([((),), ((*TWO_WORKERS, "-p", "backend_contract.testing"),)], 1),
)
def test_should(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A violated clause of level SHOULD passes, with a property and a line in the summary."""
    (tmp_path / "conftest.py").write_text(SHOULD)
    done = run("ForgetsThatItStopped", "", "-k", "BC303", "--junit-xml=report.xml", *arguments)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "WARNING test_mine.py::TestMine: BC303" in done.stdout
    assert 'value="TestMine BC303 warning"' in (tmp_path / "report.xml").read_text()


# A suite in which no clause is decided: its factory returns one instance, again and again.
ONE_INSTANCE = """\
from backend_contract import LocalBackend
from backend_contract.testing import BackendConformance

class Mine(LocalBackend):
    backend_type = "MINE"

ONLY = Mine()

class TestMine(BackendConformance):
    def make_backend(self):
        return ONLY

class TestSound(BackendConformance):
    backend = Mine
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "arguments",
    [(), TWO_WORKERS],
    ids=["one process", "two workers"],
)
def test_nothing_decided(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A complete suite in which nothing is decided fails in its last test, in a worker too."""
    (tmp_path / "test_mine.py").write_text(ONE_INSTANCE)
    done = run_pytest(tmp_path, *arguments)
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout
    assert "FAILED test_mine.py::TestMine::test_clause[BC508]" in done.stdout
    assert "no other clause was decided" in done.stdout


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "TestMine and BC508"),
        ("-k", "TestMine and not BC101"),
        ("--deselect", "test_mine.py::TestMine::test_clause[BC101]"),
        ("test_mine.py::TestMine::test_clause[BC508]",),
        (*TWO_WORKERS, "-k", "TestMine and BC5"),
    ],
    ids=["one", "all but one", "deselected", "a shard", "two workers"],
)
def test_part_undecided(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A part of a suite may decide nothing."""
    (tmp_path / "test_mine.py").write_text(ONE_INSTANCE)
    done = run_pytest(tmp_path, *arguments)
    assert done.returncode == 0, done.stdout
    assert "skipped" in done.stdout


@pytest.mark.exhaustive
def test_one_skipped_clause(run: Run) -> None:
    """A single clause that needs a hook is skipped, and the run passes."""
    done = run("Structural", "", "-k", "BC405")
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "1 needs a suite" in done.stdout


STRICT = "strict = True"


def test_strict(run: Run) -> None:
    """In a strict suite a clause that needs a hook fails; one that is decided does not."""
    done = run("Structural", STRICT, "-k", "BC405 or BC302")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "BC405 is undecided, and the suite is strict: needs a suite" in done.stdout


FORMS = """\
import pytest
from backend_contract.testing import BackendConformance
from conformance.behavioural.mutants import Structural, ForgetsThatItStopped

BOTH = [Structural, ForgetsThatItStopped]

class TestMark(BackendConformance):
    pytestmark = pytest.mark.parametrize("backend", BOTH)

class TestAutouse(BackendConformance):
    @pytest.fixture(autouse=True, params=BOTH)
    def choose(self, request):
        self.backend = request.param

class TestEach(BackendConformance):
    @pytest.fixture(params=BOTH)
    def make_backend(self, request):
        return lambda: request.param()

class TestOptions(BackendConformance):
    backend = ForgetsThatItStopped

    @pytest.fixture
    def expected_violations(self):
        return {"BC303": "known"}
"""

CONFTEST = """\
import pytest
from conformance.behavioural.mutants import Structural, ForgetsThatItStopped

@pytest.fixture(scope="session", params=[Structural, ForgetsThatItStopped])
def chosen(request):
    return request.param
"""

MODULE = """\
import pytest
from backend_contract.testing import BackendConformance

@pytest.fixture(scope="module")
def backend(chosen):
    return chosen

class TestModule(BackendConformance):
    pass
"""


@pytest.mark.exhaustive
def test_fixtures(tmp_path: Path) -> None:
    """A fixture of any place and scope gives the backend, for each of its parameters."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_mine.py").write_text(FORMS)
    (tmp_path / "test_module.py").write_text(MODULE)
    done = run_pytest(tmp_path, "-k", "BC302 or BC303")
    assert done.returncode == 1, done.stdout
    assert "4 failed, 13 passed" in done.stdout
    assert "1 xfailed" in done.stdout
    for suite in ("TestModule", "TestMark", "TestAutouse", "TestEach"):
        counts = "2 of 2 clauses exercised, 1 of them only half"
        assert f"{suite}[Structural]: {counts}\n" in done.stdout
        assert f"{suite}[ForgetsThatItStopped]: {counts}, 1 violated\n" in done.stdout


ENGINES = """\
import pytest
from backend_contract.testing import BackendConformance
from conformance.behavioural.mutants import Structural

STARTS = []

class Engine:
    serving = True
    backends = ()

class Client(Structural):
    def start(self):
        assert self.engine.serving
        if not self.is_started:
            STARTS.append(self.engine)
        super().start()

@pytest.fixture(scope="module", params=["first", "second"])
def engine(request):
    engine = Engine()
    engine.backends = []
    yield engine
    assert not [backend for backend in engine.backends if backend.is_started]
    engine.serving = False

@pytest.fixture{scope}
def make_backend(engine):
    def make():
        backend = Client()
        backend.engine = engine
        engine.backends.append(backend)
        return backend
    return make

class TestClient(BackendConformance):
    pass

def test_starts():
    shares = len(STARTS) < 2 * 25
    assert shares is {shares}
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "scope",
    ["(scope='module')", ""],
    ids=["shared", "each"],
)
def test_engines(tmp_path: Path, scope: str) -> None:
    """Clauses share a backend unless a fixture is set up per test; none outlives its fixtures."""
    code = ENGINES.replace("{scope}", scope).replace("{shares}", repr(bool(scope)))
    (tmp_path / "test_mine.py").write_text(code)
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    for engine in ("first", "second"):
        assert f"TestClient[{engine}]: 33 of 37 clauses exercised" in done.stdout


MIXIN = """\
from typing import Generic, TypeVar
from backend_contract.testing import BackendConformance
from conformance.behavioural.mutants import ForgetsThatItStopped

T = TypeVar("T")

class Mixin:
    def __init_subclass__(cls):
        pass

    @classmethod
    def teardown_class(cls):
        pass

class Suite(BackendConformance, Generic[T]):
    cls: type[T]

    def make_backend(self):
        return self.cls()

class TestGeneric(Mixin, Suite[ForgetsThatItStopped]):
    cls = ForgetsThatItStopped
"""


@pytest.mark.exhaustive
def test_generic_suite_with_mixin(tmp_path: Path) -> None:
    """A generic suite is tried when it is complete, whatever the other bases override."""
    (tmp_path / "test_mine.py").write_text(MIXIN)
    done = run_pytest(tmp_path, "-k", "BC303 or BC502")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout


PLUGINS = {
    "randomly": ("pytest_randomly", "-p", "pytest_randomly"),
    "rerunfailures": ("pytest_rerunfailures", "-p", "pytest_rerunfailures", "--reruns=1"),
    "timeout": ("pytest_timeout", "-p", "pytest_timeout", "--timeout=100"),
    "socket": ("pytest_socket", "-p", "pytest_socket", "--allow-hosts=127.0.0.1"),
    "freezegun": ("freezegun",),
    "time-machine": ("time_machine",),
    "xdist": ("xdist", *TWO_WORKERS),
}

WITH_PLUGINS = """\
import contextlib, pytest
from backend_contract.testing import BackendConformance
from conformance.behavioural.mutants import Structural, ForgetsThatItStopped

{module}

@pytest.fixture(scope="session", autouse=True)
def frozen():
    with {freeze}:
        yield

class TestShared(BackendConformance):
    @pytest.fixture(scope="class", params=[Structural, ForgetsThatItStopped])
    @classmethod
    def backend(cls, request):
        return request.param

class TestEach(BackendConformance):
    @pytest.fixture(params=[Structural, ForgetsThatItStopped])
    def backend(self, request):
        return request.param
"""

FREEZE = {
    "freezegun": ("import freezegun", "freezegun.freeze_time('2020-01-01')"),
    "time-machine": ("import time_machine", "time_machine.travel(0, tick=False)"),
}


SOUND = "35 of 37 clauses exercised, 4 of them only half, 2 needs a suite"
VIOLATED = (
    "29 of 37 clauses exercised, 3 of them only half, 1 violated, 2 needs a suite, "
    "6 clauses blocked by BC303"
)


@pytest.mark.exhaustive
@pytest.mark.parametrize("plugin", PLUGINS)
def test_plugins(tmp_path: Path, plugin: str) -> None:
    """No plugin changes a verdict or a count."""
    required, *arguments = PLUGINS[plugin]
    pytest.importorskip(required)
    module, freeze = FREEZE.get(plugin, ("", "contextlib.nullcontext()"))
    code = WITH_PLUGINS.format(module=module, freeze=freeze)
    (tmp_path / "test_mine.py").write_text(code)
    done = run_pytest(tmp_path, *arguments, "-p", "backend_contract.testing", "--junit-xml=r.xml")
    assert done.returncode == 1, done.stdout
    found = sorted(line for line in done.stdout.splitlines() if "clauses exercised" in line)
    assert found == [
        f"test_mine.py::{suite}[{backend}]: {counts}"
        for suite in ("TestEach", "TestShared")
        for backend, counts in (("ForgetsThatItStopped", VIOLATED), ("Structural", SOUND))
    ]


SKIPS = """\
import unittest
import pytest
from backend_contract import LocalBackend
from backend_contract.testing import BackendConformance

class TestFactory(BackendConformance):
    def make_backend(self):
        {skip}

class TestHook(BackendConformance):
    backend = LocalBackend
    def during_start(self, backend, call):
        {skip}

@pytest.mark.skip("not here")
class TestMarked(BackendConformance):
    backend = LocalBackend
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "skip",
    mostly_exhaustive(
        [
            ('pytest.skip("the reason")',),
            ('raise unittest.SkipTest("the reason")',),
            ('pytest.importorskip("nowhere", reason="the reason")',),
        ],
        1,
    ),
)
def test_skips(tmp_path: Path, skip: str) -> None:
    """A skip of the author's, in a factory or a hook, skips the test; each suite is named."""
    (tmp_path / "test_mine.py").write_text(SKIPS.format(skip=skip))
    done = run_pytest(tmp_path, "-rs", "-k", "BC302 or BC304 or BC308 or BC310 or BC405 or BC507")
    assert done.returncode == 0, done.stdout
    assert "14 skipped" in done.stdout
    assert "the reason" in done.stdout
    for line in (
        "TestFactory: 0 of 6 clauses exercised, 6 skipped",
        "TestHook: 4 of 6 clauses exercised, 3 of them only half, 2 skipped",
        "TestMarked: 0 of 6 clauses exercised, 6 skipped",
    ):
        assert f"test_mine.py::{line}" in done.stdout


SKIPPING_HOOK = """\
import pytest
from backend_contract.testing import BackendConformance
from conformance.behavioural.mutants import HOOKS, Structural

class TestMine(BackendConformance):
    backend = Structural
    locals().update({{name: staticmethod(hook) for name, hook in HOOKS.items()}})

    def {hook}(self, *arguments):
        pytest.skip("not here")
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("hook", "exercised"),
    mostly_exhaustive(
        [
            ("during_start", "7 of 9 clauses exercised, 3 of them only half, 2 skipped"),
            ("merged_config", "7 of 9 clauses exercised, 2 skipped"),
            ("received_contexts", "8 of 9 clauses exercised, 1 of them only half, 1 skipped"),
        ],
        1,
    ),
)
def test_hook_skips(tmp_path: Path, hook: str, exercised: str) -> None:
    """A hook that skips leaves out what it is needed for, and nothing else."""
    code = SKIPPING_HOOK.format(hook=hook)
    (tmp_path / "test_mine.py").write_text(code)
    clauses = ("BC204", "BC206", "BC302", "BC304", "BC308", "BC310", "BC312", "BC405", "BC506")
    done = run_pytest(tmp_path, "-k", " or ".join(clauses))
    assert done.returncode == 0, done.stdout
    assert f"TestMine: {exercised}" in done.stdout


@pytest.mark.exhaustive
def test_two_workers(run: Run) -> None:
    """The controller of xdist prints the summary if it loads the module as a plugin."""
    done = run("Structural", "", *TWO_WORKERS, "-p", "backend_contract.testing")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(f"{SOUND}\n") == 1


@pytest.mark.exhaustive
def test_two_workers_without_plugin(run: Run) -> None:
    """Without the plugin the summary is missing, and violations still fail."""
    done = run("ForgetsThatItStopped", "", *TWO_WORKERS)
    assert done.returncode == 1
    assert "FAILED test_mine.py::TestMine::test_clause[BC303]" in done.stdout
    assert "clauses exercised" not in done.stdout


@pytest.mark.exhaustive
def test_run_without_suite(tmp_path: Path) -> None:
    """A run without a suite imports nothing of this package."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_other():\n"
        "    assert not [name for name in sys.modules if name.startswith('backend_contract')]\n"
    )
    done = run_pytest(tmp_path, autoload=True)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "backend-contract" not in done.stdout
