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
    "frameworks",
    "soak",
    "caikit",
    "distribution",
    "readme",
]
nox.options.error_on_missing_interpreters = False  # they are named at the end as skipped

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
FRAMEWORKS = ["grpcio", "types-grpcio", "fastapi", "uvicorn"]
TESTING = ["pytest>=8.0", "pytest-xdist>=3.5", "hypothesis>=6.100"]


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
    install(session, "pyright[nodejs]==1.1.414")
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
    else:
        session.run("pytest", "tests")
        session.run("pytest", "tests/environments/bare")


@nox.session
def frameworks(session: nox.Session) -> None:
    """What needs real gRPC and FastAPI: contexts of real requests, true stubs, the tests' types."""
    install(session, *TESTING, *FRAMEWORKS, "pyright[nodejs]==1.1.414", "nox")
    session.run("mypy", "--config-file=tests/mypy.ini")
    session.run("pytest", *(session.posargs or ["tests/environments/frameworks", "tests/typing"]))


@nox.session
def soak(session: nox.Session) -> None:
    """The kit blames no good backend, and catches every race held open; `-- --runs 1000`."""
    install(session, *FRAMEWORKS, "typeguard")
    session.run("python", "benchmarks/kit.py", *session.posargs)


@nox.session
def caikit(session: nox.Session) -> None:
    """Caikit's own backends, from PyPI."""
    install(session, *TESTING, *FRAMEWORKS, "caikit==0.29.*")
    session.run("pytest", *(session.posargs or ["tests/environments/caikit"]))


@nox.session
def distribution(session: nox.Session) -> None:
    """The wheel and the source distribution: what they carry, and that they work alone."""
    session.env["PYTHONPATH"] = ""
    session.install("build", "twine", "check-wheel-contents")
    output = Path(session.create_tmp(), "dist")
    for stale in output.glob("*"):
        stale.unlink()
    session.run("python", "-m", "build", "--outdir", str(output), ".")
    (wheel,), (source,) = output.glob("*.whl"), output.glob("*.tar.gz")
    session.run("twine", "check", "--strict", str(wheel), str(source))
    session.run("check-wheel-contents", str(wheel))
    session.install(f"backend-contract[check] @ {wheel.resolve().as_uri()}")
    session.chdir(session.create_tmp())
    session.run("backend-contract", "check", "--strict", "backend_contract:LocalBackend")


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
def benchmarks(session: nox.Session) -> None:
    """Print the figures, each as a ratio to something else in the same run."""
    install(session, "caikit==0.29.*")
    session.run("python", "benchmarks/run.py", *session.posargs)


def python(session: nox.Session) -> str:
    """The interpreter of the session's environment."""
    return str(Path(session.bin, "python"))
