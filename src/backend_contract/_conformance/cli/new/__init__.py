"""The command ``backend-contract new``: a backend and its tests, to start from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template

from backend_contract._conformance.formats.common import printable
from backend_contract.errors import CouldNotCheckError


def new(name: str, directory: str = ".", *, structural: bool = False) -> int:
    """Write the module *name* and its tests into *directory*, and print how to try them.

    The directory is created if it does not exist; in a package, the tests import the module
    relatively. Returns the exit status.

    Raises :class:`CouldNotCheckError`, and writes nothing, if *name* is not usable or one of the
    files exists.
    """
    _require_identifier(name)
    place = Path(directory)
    module, tests = place / f"{name}.py", place / f"test_{name}.py"
    is_in_package = (place / "__init__.py").exists()
    for file in (module, tests, place / name / "__init__.py"):
        if file.exists() or file.is_symlink():
            raise CouldNotCheckError(f"{file} exists; choose another name")
    if not is_in_package and find_spec(name) is not None:
        raise CouldNotCheckError(f"{name!r} would hide an installed module; choose another name")
    stem = "".join(word[:1].upper() + word[1:] for word in name.split("_")).removesuffix("Backend")
    values = {
        "module": f".{name}" if is_in_package else name,
        "name": name.upper(),
        "backend": f"{stem}Backend",
        "engine": f"{stem}Engine",
    }
    templates = {module: "structural" if structural else "inheriting", tests: "suite"}
    place.mkdir(parents=True, exist_ok=True)
    _write({file: _read(template).substitute(values) for file, template in templates.items()})
    print(
        f"wrote {printable(module)} and {printable(tests)}; try them:\n"
        f"  backend-contract check --run {printable(module)}:{values['backend']}\n"
        f"  pytest {printable(tests)}"
    )
    return 0


def _require_identifier(name: str) -> None:
    if not re.fullmatch(r"[a-z]\w*", name, re.ASCII | re.IGNORECASE):
        hint = "; name its folder with --directory" if "/" in name else ""
        raise CouldNotCheckError(
            f"NAME must be ASCII letters, digits and underscores, with a letter first, such as "
            f"my_backend; got {name!r}{hint}"
        )
    if name.startswith("test_") or name.endswith("_test"):
        raise CouldNotCheckError(f"pytest would collect {name!r} as tests; choose another name")
    if iskeyword(name):
        raise CouldNotCheckError(f"{name!r} is a keyword; choose another name")


def _read(template: str) -> Template:
    return Template((Path(__file__).parent / f"{template}.py.txt").read_text(encoding="utf-8"))


def _write(texts: Mapping[Path, str]) -> None:
    """Write files that do not exist; if one cannot be written, none is left."""
    created: list[Path] = []
    try:
        for file, text in texts.items():
            with file.open("x", encoding="utf-8") as stream:
                created.append(file)
                stream.write(text)
    except OSError:  # such as a full disk
        for file in created:
            file.unlink()
        raise
