"""The stubs in `typings/` agree with the installed packages, and have all that is needed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STUBBED = ["aconfig", "fastapi", "grpc", "starlette.requests", "starlette.datastructures"]


def mypy(*arguments: str, cwd: Path, stubs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={**os.environ, "MYPYPATH": str(stubs)},
        capture_output=True,
        text=True,
        check=False,
    )


def stubtest(*modules: str, cwd: Path, stubs: Path = ROOT / "typings") -> tuple[int, str]:
    """Run stubtest, and return its exit status and output."""
    run = mypy("mypy.stubtest", *modules, cwd=cwd, stubs=stubs)
    return run.returncode, run.stdout


@pytest.mark.exhaustive  # the newest releases do not support every Python
def test_stubs(tmp_path: Path) -> None:
    """The stubs agree with the newest releases of the packages."""
    status, output = stubtest("--ignore-missing-stub", *STUBBED, cwd=tmp_path)
    assert status == 0, output
    assert "no issues found" in output


@pytest.mark.exhaustive
def test_stub_package(tmp_path: Path) -> None:
    """The stub package of aconfig describes all of alchemy-config."""
    status, output = stubtest("aconfig", cwd=tmp_path)
    assert status == 0, output
    assert "no issues found in 2 modules" in output


def test_stub_package_is_needed() -> None:
    """alchemy-config ships no types: once it does, remove the stub package, which hides them."""
    spec = importlib.util.find_spec("aconfig")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    for directory in map(Path, spec.submodule_search_locations):
        assert {path.name for path in directory.iterdir()} >= {"aconfig.py"}
        assert [path for path in directory.rglob("*") if path.suffix in (".pyi", ".typed")] == []


@pytest.mark.exhaustive
def test_wrong_stub(tmp_path: Path) -> None:
    """A stub that does not agree would be seen."""
    (tmp_path / "grpc").mkdir()
    text = (ROOT / "typings/grpc/__init__.pyi").read_text()
    (tmp_path / "grpc/__init__.pyi").write_text(text.replace("details: str)", "message: str)"))
    status, output = stubtest("--ignore-missing-stub", "grpc", cwd=tmp_path, stubs=tmp_path)
    assert status == 1
    assert 'parameter "message"' in output


NEEDED = """\
import aconfig
import fastapi
import grpc

def on_config(config: aconfig.Config) -> None:
    aconfig.Config({"key": 1}, override_env_vars=False)
    aconfig.Config.from_yaml("backends.yaml")
    config.key.inner
    config["key"]
    aconfig.ImmutableConfig(config)
    aconfig.AttributeAccessDict({}).key

def on_grpc(context: grpc.ServicerContext) -> None:
    for key, value in context.invocation_metadata():
        key.lower()
        if isinstance(value, bytes):
            value.decode()
    context.peer()
    context.time_remaining()
    context.is_active()
    context.set_trailing_metadata((("key", "value"),))
    context.set_code(grpc.StatusCode.UNAVAILABLE)
    context.add_callback(lambda: None)
    context.abort(grpc.StatusCode.NOT_FOUND, "no such model")

def on_http(request: fastapi.Request) -> None:
    request.headers["x-route-info"]
    request.headers.getlist("x-route-info")
    request.headers.raw
    request.query_params.get("route")
    request.path_params["model"]
    request.cookies.get("session")
    request.state.route = "here"
    request.url.path
    request.method
    request["app"]
    if request.client is not None:
        request.client.host

async def on_body(request: fastapi.Request) -> None:
    await request.body()
    await request.json()
"""


WRONG = """
def on_wrong(request: fastapi.Request) -> None:
    request.haeders
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("types", ["bundled stubs", "own types"])
def test_needed_names(types: str, tmp_path: Path) -> None:
    """Everything a backend needs is in the stubs as in the packages; a misspelled name is not."""
    stubs = ROOT / "typings"
    if types == "own types":
        stubs = tmp_path / "stubs"
        shutil.copytree(ROOT / "typings/aconfig", stubs / "aconfig")
    (tmp_path / "needed.py").write_text(NEEDED + WRONG)
    run = mypy("mypy", "--strict", "--no-incremental", "needed.py", cwd=tmp_path, stubs=stubs)
    assert run.returncode == 1
    (error, summary) = run.stdout.splitlines()
    line = len((NEEDED + WRONG).splitlines())
    assert error.startswith(f"needed.py:{line}: error:")
    assert summary == "Found 1 error in 1 file (checked 1 source file)"
