"""The command ``backend-contract stubs``: stubs for the type checkers of a project."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from backend_contract._conformance.formats.common import printable
from backend_contract._conformance.source.environment import environment_of, this_environment
from backend_contract._conformance.static.stubs import STUBBED, find_untyped, read_stubs
from backend_contract.errors import CouldNotCheckError

_MARKER = "# Written by `backend-contract stubs`, "
_NOTICE = """\
# A later run replaces or removes this file, unless it was edited. Names that it does not describe
# are `Any`. Types of the whole package: pip install 'backend-contract[types]'
# fmt: off
# ruff: noqa
"""
_ANY_OTHER_NAME = """
from typing import Any as _Any

def __getattr__(name: str) -> _Any: ...
"""
# pyrefly and ty cannot import this module beside a stub of grpc unless it has its own file.
_UNDESCRIBED = {"grpc": ("grpc/experimental/__init__.pyi",)}

_SETTINGS = """
With these settings in pyproject.toml, type checkers read {directory}:

# mypy, and zuban, which reads the same setting
[tool.mypy]
mypy_path = {path}

{pyright}

# pyrefly; if the command line names files, add --config pyproject.toml
[tool.pyrefly]
search-path = [{path}]

[tool.ty.environment]
extra-paths = [{path}]
"""
_FOREIGN, _EDITED = "it is not from this command", "it was edited"
_PYRIGHT_DEFAULT = "# pyright reads typings by default"
_PYRIGHT = "[tool.pyright]\nstubPath = {path}"


class _Changes(NamedTuple):
    """The changes of a run; paths are relative to the directory of the stubs."""

    done: dict[str, str]
    """``wrote`` or ``removed``, by path."""
    kept: dict[str, str]
    """Why a file was not replaced, by path."""


def stubs(directory: str, python: str | None = None) -> int:
    """Write the stubs that an environment lacks, and print the settings of each checker.

    *python* is the interpreter of the environment, by default this one. A file that differs is not
    replaced, unless an earlier run wrote it and it was not edited since. Such files are removed if
    they are not needed any more. Returns the exit status.
    """
    place = _existing_or_new(directory)
    environment = environment_of(python) if python else this_environment()
    untyped = find_untyped(environment)
    changes = _update(place, {path: text for name in untyped for path, text in _files(name)})
    for path, what in changes.done.items():
        print(f"{what} {printable(place / path)}")
    for path, reason in changes.kept.items():
        print(f"kept {printable(place / path)}: {reason}", file=sys.stderr)
    typed = [name for name in STUBBED if name not in untyped]
    if typed:
        print(f"typed in this environment: {', '.join(typed)}")
    if untyped:
        print(f"stubs in {printable(place)}: {', '.join(untyped)}")
        print(_settings(place), end="")
    return 0


def _existing_or_new(text: str) -> Path:
    if not text or "\0" in text:
        raise CouldNotCheckError(f"{text!r} is not the name of a directory")
    directory = Path(text)
    if (directory.exists() or directory.is_symlink()) and not directory.is_dir():
        raise CouldNotCheckError(f"{text} is not a directory; name another one, such as typings")
    return directory


def _files(name: str) -> Iterator[tuple[str, str]]:
    """Yield path and text of each file that is written for a package."""
    for path, text in read_stubs(name).items():
        others = "" if "\ndef __getattr__(" in text else _ANY_OTHER_NAME
        yield path, _with_marker(f"{_NOTICE}\n{text}{others}")
    for path in _UNDESCRIBED.get(name, ()):
        yield path, _with_marker(f"{_NOTICE}{_ANY_OTHER_NAME}")


def _with_marker(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{_MARKER}{digest}.\n{text}"


def _is_unedited(text: str) -> bool:
    """Return whether an earlier run, of any version, wrote this very text."""
    return text == _with_marker(text.partition("\n")[2])


def _update(directory: Path, wanted: Mapping[str, str]) -> _Changes:
    changes = _Changes({}, {})
    for path, text in wanted.items():
        owner = _other_stub(directory, path)
        if owner is None:
            _write_unless_different(directory, path, text, changes)
        else:
            changes.kept[owner] = _FOREIGN
    for name in STUBBED:
        for file in sorted((directory / name).rglob("*.pyi")):
            path = file.relative_to(directory).as_posix()
            if path not in wanted:
                _remove_unless_edited(directory, path, changes)
    return changes


def _other_stub(directory: Path, path: str) -> str | None:
    """Return the file of the user that describes the same package as *path*, if there is one."""
    package = path.partition("/")[0]
    for candidate in (f"{package}.pyi", f"{package}/__init__.pyi"):
        text = _read(directory / candidate)
        if text is not None and not text.startswith(_MARKER):
            return candidate
    return None


def _write_unless_different(directory: Path, path: str, text: str, changes: _Changes) -> None:
    present = _read(directory / path)
    if present == text:
        return
    if present is None or _is_unedited(present):
        _write(directory / path, text)
        changes.done[path] = "wrote"
    else:
        changes.kept[path] = _EDITED if present.startswith(_MARKER) else _FOREIGN


def _remove_unless_edited(directory: Path, path: str, changes: _Changes) -> None:
    file = directory / path
    text = _read(file) or ""
    if _is_unedited(text):
        file.unlink()
        _remove_empty(file.parent, directory)
        changes.done[path] = "removed"
    elif text.startswith(_MARKER):
        changes.kept[path] = _EDITED


def _read(file: Path) -> str | None:
    if not file.exists() and not file.is_symlink():
        return None
    if not file.is_file():
        raise CouldNotCheckError(
            f"{file} is not a regular file; remove it, or name another DIRECTORY"
        )
    return file.read_text(encoding="utf-8", errors="replace")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError:
        file.unlink(missing_ok=True)  # half a file could not be told from an edited one
        raise


def _remove_empty(folder: Path, directory: Path) -> None:
    while folder != directory and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _settings(directory: Path) -> str:
    here = Path.cwd()
    if directory.is_absolute() and directory.is_relative_to(here):
        directory = directory.relative_to(here)
    # A string of JSON is one of TOML, but for a character that terminals interpret.
    path = json.dumps(directory.as_posix()).replace("\x7f", "\\u007f")
    pyright = _PYRIGHT_DEFAULT if directory == Path("typings") else _PYRIGHT.format(path=path)
    return _SETTINGS.format(directory=printable(directory), path=path, pyright=pyright)
