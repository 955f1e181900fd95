"""Files that fixes may change, and how they are replaced."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from backend_contract.errors import CouldNotCheckError

_NOT_PROJECT = {"site-packages", "dist-packages", "node_modules"}


def refuse(path: Path, directory: Path) -> str | None:
    """Return why *path* must not be changed in the project of *directory*; ``None`` if it may.

    Links are followed: a file of the project may be a link to one outside.
    """
    real, project = path.resolve(), directory.resolve()
    if not real.is_relative_to(project):
        return f"is not below {project}, the directory of the project"
    for parent in real.parents:
        if parent == project:
            break
        if parent.name in _NOT_PROJECT or (parent / "pyvenv.cfg").is_file():
            return f"is installed in {parent}"
    return None


def replace_files(contents: Mapping[Path, bytes], before: Mapping[Path, bytes]) -> None:
    """Replace each file by its new content; *before* are the contents that were read.

    Each file is replaced at once, so that it has either content at any time. All new files are
    written before the first is replaced. Raises :class:`CouldNotCheckError` if one cannot be.
    """
    new: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            real = path.resolve()
            _require_unchanged(real, before[path])
            new[real] = _write_beside(real, content)
        for real, temporary in new.items():
            temporary.replace(real)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CouldNotCheckError(f"{error.filename}: cannot be fixed: {reason}") from None
    finally:
        for temporary in new.values():
            with suppress(OSError):
                temporary.unlink()


def _require_unchanged(path: Path, content: bytes) -> None:
    if path.read_bytes() != content:
        raise CouldNotCheckError(f"{path}: changed while it was checked; run again")
    if not os.access(path, os.W_OK) or not path.stat().st_mode & 0o222:  # root may write anything
        raise CouldNotCheckError(f"{path}: cannot be fixed: it is read-only")


def _write_beside(path: Path, content: bytes) -> Path:
    """Write a temporary file beside *path*, with its mode and owner."""
    handle, name = tempfile.mkstemp(prefix=".fix-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        status = path.stat()
        Path(name).chmod(stat.S_IMODE(status.st_mode))
        if hasattr(os, "chown") and status.st_uid != os.geteuid():
            with suppress(PermissionError):
                os.chown(name, status.st_uid, status.st_gid)
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def copy_root(root: Path, copy: Path, contents: Mapping[Path, bytes]) -> None:
    """Make *copy* look like *root*, but with *contents*; nothing else is copied, only linked."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    below = {
        path.relative_to(folder).parts: text
        for folder in (root, root.resolve())
        for path, text in contents.items()
        if path.is_relative_to(folder)
    }
    _link(root.resolve(), copy, below)


def _link(folder: Path, copy: Path, contents: Mapping[tuple[str, ...], bytes]) -> None:
    for entry in os.scandir(folder):
        inside = {parts[1:]: text for parts, text in contents.items() if parts[0] == entry.name}
        if () in inside:
            (copy / entry.name).write_bytes(inside[()])
        elif inside:
            (copy / entry.name).mkdir()
            _link(folder / entry.name, copy / entry.name, inside)
        else:
            (copy / entry.name).symlink_to(Path(folder, entry.name).absolute())
