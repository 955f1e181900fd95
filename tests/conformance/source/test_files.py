"""Files that a user names: regular ones of bounded size are read, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend_contract._conformance.source.parsing import read_file
from backend_contract.errors import CouldNotCheckError


def test_regular(tmp_path: Path) -> None:
    """A file is read up to the limit, also by way of a link; a larger one is not."""
    (tmp_path / "file").write_bytes(b"1234")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link", limit=4) == b"1234"
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(CouldNotCheckError, match="file: longer than 4 bytes"):
        read_file(tmp_path / "file", limit=4)


@pytest.mark.parametrize("kind", ["pipe", "endless", "directory", "loop", "dangling", "long"])
def test_rejected(kind: str, tmp_path: Path) -> None:
    """Anything else is one line with the name, and is not waited for."""
    path = tmp_path / ("x" * 5000 if kind == "long" else "named")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind != "long":
        path.symlink_to({"endless": "/dev/zero", "loop": str(path)}.get(kind, "nowhere"))
    with pytest.raises(CouldNotCheckError) as raised:
        read_file(path, "the settings")
    assert str(raised.value).startswith("the settings: ")
    assert "\n" not in str(raised.value)
