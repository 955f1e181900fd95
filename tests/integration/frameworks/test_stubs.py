"""The stubs in typings/ say what is true of the installed packages, and all that is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
STUBBED = ["aconfig", "fastapi", "grpc", "starlette.requests", "starlette.datastructures"]


def mypy(
    *arguments: str, cwd: Path, stubs: Path = ROOT / "typings"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={**os.environ, "MYPYPATH": str(stubs)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("module", STUBBED)
def test_the_stubs_are_true(module: str, tmp_path: Path) -> None:
    run = mypy("mypy.stubtest", "--ignore-missing-stub", module, cwd=tmp_path)
    assert run.returncode == 0, run.stdout
    assert "no issues found" in run.stdout


def test_a_stub_that_is_not_true_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "grpc").mkdir()
    text = (ROOT / "typings/grpc/__init__.pyi").read_text()
    (tmp_path / "grpc/__init__.pyi").write_text(text.replace("details: str)", "message: str)"))
    run = mypy("mypy.stubtest", "--ignore-missing-stub", "grpc", cwd=tmp_path, stubs=tmp_path)
    assert run.returncode == 1
    assert 'parameter "message"' in run.stdout


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


@pytest.mark.parametrize("frameworks", ["by our stubs", "by their own types"])
def test_what_a_backend_needs_is_there_in_the_stubs_as_in_the_packages(
    frameworks: str, tmp_path: Path
) -> None:
    stubs = ROOT / "typings"
    if frameworks == "by their own types":
        stubs = tmp_path / "stubs"
        shutil.copytree(ROOT / "typings/aconfig", stubs / "aconfig")
    (tmp_path / "needed.py").write_text(NEEDED)
    run = mypy("mypy", "--strict", "--no-incremental", "needed.py", cwd=tmp_path, stubs=stubs)
    assert (run.returncode, run.stdout) == (0, "Success: no issues found in 1 source file\n")


def test_what_is_not_there_would_be_missed(tmp_path: Path) -> None:
    (tmp_path / "needed.py").write_text(
        "import fastapi\n\ndef f(request: fastapi.Request) -> None:\n    request.haeders\n"
    )
    run = mypy("mypy", "--strict", "--no-incremental", "needed.py", cwd=tmp_path)
    assert run.returncode == 1
    assert "needed.py:4: error:" in run.stdout
