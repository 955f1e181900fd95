"""The code of a page of the documentation, run as its reader would: from top to bottom."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Block(NamedTuple):
    """What stands between two fences."""

    language: str
    caption: str | None
    text: str
    line: int


FENCE = re.compile(
    r"^(?P<fence>`{3,})(?:\{code-block\} )?(?P<language>\w+)\n"
    r"(?::caption: (?P<caption>\S+)\n\n)?(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
NOT_CODE = {"raw", "image", "container", "toctree", "literalinclude", "clauses", "eval-rst"}


def blocks(page: str) -> Iterator[Block]:
    for match in FENCE.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        yield Block(match["language"], match["caption"], match["text"], line)


def run_page(path: Path, place: Path) -> int:
    """Run all there is on the page at ``path`` in the directory ``place``; how much that was.

    A block of Python with a caption becomes that file, any other is executed, all of a page in one
    namespace; a console block is typed in, and has to print what is shown. Raises
    :class:`AssertionError` that names the page and line of what is not so.
    """
    names: dict[str, object] = {"__name__": path.stem}
    count = 0
    sys.path.insert(0, str(place))
    try:
        for block in blocks(path.read_text(encoding="utf-8")):
            try:
                run_block(block, names, place)
            except BaseException as error:
                raise AssertionError(f"{path.name}:{block.line}: {error!r}") from error
            count += 1
    finally:
        sys.path.remove(str(place))
        for file in place.glob("*.py"):
            sys.modules.pop(file.stem, None)
    return count


def run_block(block: Block, names: dict[str, object], place: Path) -> None:
    match block.language:
        case "python" if block.caption:
            compile(block.text, block.caption, "exec")
            (place / block.caption).write_text(block.text, encoding="utf-8")
            importlib.invalidate_caches()
        case "python":
            exec(compile(block.text, "the page", "exec"), names)  # noqa: S102 - it is our own text
        case "console":
            run_console(block.text, place)
        case "toml":
            assert tomllib.loads(block.text)
        case "yaml":
            assert yaml.safe_load(block.text)
        case other:
            raise AssertionError(f"nothing is known of how to check a block of {other!r}")


def run_console(text: str, place: Path) -> None:
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], "a console block opens with a command: '$ ...'"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        command = lines[start][2:].split()
        if command[:2] == ["pip", "install"]:  # the environment has it
            continue
        if command[0] == "backend-contract":
            command[:1] = ["python", "-m", "backend_contract"]
        assert command[0] == "python", f"nothing is known of the command {command[0]!r}"
        run = subprocess.run(
            [sys.executable, *command[1:]],
            cwd=place,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert run.stderr == "", run.stderr
        shown = without_versions("\n".join(lines[start + 1 : end]))
        if command[1:3] == ["-m", "pytest"]:
            assert run.returncode == 0, run.stdout  # what pytest prints is its own affair
        else:
            assert run.returncode == (" violated" in shown), run.stdout
            assert without_versions(run.stdout) == shown


def without_versions(text: str) -> str:
    return re.sub(r"by mypy [\d.]+", "by mypy", text).strip()
