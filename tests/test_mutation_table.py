"""`tools/mutation`: the table of parts, and the configuration that is made from it."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "tools/mutation/configure.py"


def load_script() -> Any:
    spec = importlib.util.spec_from_file_location("configure_mutation", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


configure = load_script()
PARTS: dict[str, dict[str, Any]] = configure.read_parts()


@pytest.mark.parametrize("name", PARTS)
def test_part(name: str) -> None:
    """A part has known keys only, and every path in it exists."""
    part = PARTS[name]
    assert {"modules", "tests"} <= set(part) <= {"modules", "tests", "select", "timeout", "note"}
    paths = [ROOT / "src/backend_contract" / module for module in part["modules"]]
    paths += [ROOT / "tests" / test for test in part["tests"]]
    assert [path for path in paths if not path.exists()] == []


@pytest.mark.parametrize("name", [name for name, part in PARTS.items() if "select" in part])
def test_selection(name: str) -> None:
    """Every name in a selection is in the files that it selects from."""
    paths = [ROOT / "tests" / test for test in PARTS[name]["tests"]]
    files = [file for path in paths for file in ([path] if path.is_file() else path.glob("*.py"))]
    text = "".join(file.name + file.read_text(encoding="utf-8") for file in files)
    words = set(re.findall(r"\w+", PARTS[name]["select"])) - {"and", "not", "or"}
    assert {word for word in words if word not in text} == set()


def test_missing_path() -> None:
    """A path that does not exist is found."""
    PARTS["missing"] = {"modules": ["missing.py"], "tests": []}
    try:
        with pytest.raises(AssertionError, match=r"missing\.py"):
            test_part("missing")
    finally:
        del PARTS["missing"]


def test_no_module_twice() -> None:
    """Each module belongs to one part."""
    modules = [module for part in PARTS.values() for module in part["modules"]]
    assert sorted(modules) == sorted(set(modules))


def test_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script writes one configuration per part, with the part's modules, tests and timeout."""
    monkeypatch.chdir(tmp_path)
    configure.main(["settings", "behavioural"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "mutation-behavioural.toml",
        "mutation-settings.toml",
    ]
    written = tomllib.loads((tmp_path / "mutation-settings.toml").read_text())["cosmic-ray"]
    assert written["module-path"] == [
        "src/backend_contract/_conformance/cli/settings.py",
        "src/backend_contract/_conformance/cli/expected_violations.py",
    ]
    assert "tests/conformance/cli/test_settings.py" in written["test-command"].split()
    assert f"-k '{PARTS['settings']['select']}'" in written["test-command"]
    slow = tomllib.loads((tmp_path / "mutation-behavioural.toml").read_text())["cosmic-ray"]
    assert (written["timeout"], slow["timeout"]) == (120, 1200)


def test_all_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments, the script writes the configuration of every part."""
    monkeypatch.chdir(tmp_path)
    configure.main([])
    assert {path.name for path in tmp_path.iterdir()} == {f"mutation-{name}.toml" for name in PARTS}


def test_unknown_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown part is an error that lists the known ones."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"unknown parts: nothing; known: core, "):
        configure.main(["nothing"])
    assert list(tmp_path.iterdir()) == []
