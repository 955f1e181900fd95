"""The entry points that a project declares for its backends, read from its own files."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

from backend_contract._conformance.source.parsing import is_file, parse, read_file, read_toml, walk
from backend_contract.errors import CouldNotCheckError

_GROUP = "backend_contract.backends"
_TABLES = (
    ("project", "entry-points"),
    ("tool", "poetry", "plugins"),
    ("tool", "flit", "entrypoints"),
)


def declared_entry_points(directory: Path) -> list[str]:
    """Return the classes, as ``package.module:Class``, that the project in *directory* declares.

    Reads ``pyproject.toml`` (its standard table and those of Poetry and Flit), ``setup.cfg``, and
    literals in ``setup.py``. Raises :class:`CouldNotCheckError` if a file that mentions the group
    cannot be read.
    """
    readers = {
        "pyproject.toml": _in_pyproject,
        "setup.cfg": _in_setup_cfg,
        "setup.py": _in_setup_py,
    }
    found: dict[str, None] = {}
    for name, read in readers.items():
        file = directory / name
        if is_file(file) and _GROUP.encode() in read_file(file):
            found |= {value.partition("[")[0].strip(): None for value in read(file)}
    return list(found)


def _in_pyproject(file: Path) -> Iterator[str]:
    document = read_toml(file)
    for path in _TABLES:
        table: Mapping[str, object] = document
        for key in (*path, _GROUP):
            value = table.get(key)
            table = cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
        yield from map(str, table.values())


def _in_setup_cfg(file: Path) -> Iterator[str]:
    import configparser  # seldom needed

    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(read_file(file).decode("utf-8"))
    except (ValueError, configparser.Error) as error:
        reason = str(error).partition("\n")[0]
        raise CouldNotCheckError(f"{file}: cannot be read: {reason}") from None
    yield from _values(parser.get("options.entry_points", _GROUP, fallback="").splitlines())


def _in_setup_py(file: Path) -> Iterator[str]:
    for node in walk(parse(file)):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == _GROUP:
                    texts = (e.value for e in walk(value) if isinstance(e, ast.Constant))
                    yield from _values(text for text in texts if isinstance(text, str))


def _values(lines: Iterable[str]) -> Iterator[str]:
    """Yield what follows the ``=`` of each line that has one."""
    for line in lines:
        _, equals, value = line.partition("=")
        if equals:
            yield value.strip()
