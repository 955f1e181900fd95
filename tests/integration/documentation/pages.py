"""The code of a page of the documentation, run as a reader would: from top to bottom."""

from __future__ import annotations

import importlib
import re
import shutil
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
    """The text between two fences."""

    language: str
    caption: str | None
    text: str
    line: int


FENCE = re.compile(
    r"^(?P<fence>`{3,})(?:\{code-block\} )?(?P<language>\w+)\n"
    r"(?::caption: (?P<caption>\S+)\n\n)?(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)


def blocks(page: str) -> Iterator[Block]:
    for match in FENCE.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        yield Block(match["language"], match["caption"], match["text"], line)


def write_python(path: Path, directory: Path) -> list[str]:
    """Write the Python code of the page at *path* into files, and return their names.

    Blocks without a caption go into one file, as they are executed in one namespace. What the
    command `new` writes is written, but its name is not returned.
    """
    texts: dict[str, str] = {}
    for block in blocks(path.read_text(encoding="utf-8")):
        if block.text.startswith("$ backend-contract new "):
            run_console(block.text, directory)
        if block.language == "python":
            name = block.caption or "code_of_the_page.py"
            texts[name] = texts.get(name, "") + block.text
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return [*texts]


def run_page(path: Path, directory: Path) -> int:
    """Run the page at *path* in *directory*, and return the number of blocks.

    A Python block with a caption is written into that file; the others are executed, all of a page
    in one namespace. A command in a console block has to print the lines below it; `...` stands for
    any other lines. A difference is applied to the file as it was before the first one. Raises
    :class:`AssertionError` with the page and the line of the first block that fails.
    """
    names: dict[str, object] = {"__name__": path.stem}
    count = 0
    sys.path.insert(0, str(directory))
    try:
        for block in blocks(path.read_text(encoding="utf-8")):
            try:
                run_block(block, names, directory)
            except BaseException as error:
                raise AssertionError(f"{path.name}:{block.line}: {error!r}") from error
            count += 1
    finally:
        sys.path.remove(str(directory))
        for file in directory.glob("*.py"):
            sys.modules.pop(file.stem, None)
    return count


def run_block(block: Block, names: dict[str, object], directory: Path) -> None:
    match block.language:
        case "python" if block.caption:
            compile(block.text, block.caption, "exec")
            (directory / block.caption).write_text(block.text, encoding="utf-8")
            importlib.invalidate_caches()
        case "python":
            exec(compile(block.text, "the page", "exec"), names)  # noqa: S102 - it is our own text
        case "console":
            run_console(block.text, directory)
        case "diff" if block.caption:
            apply_difference(block.text, directory / block.caption)
        case "toml":
            assert tomllib.loads(block.text)
        case "yaml":
            assert yaml.safe_load(block.text)
        case other:
            raise AssertionError(f"unknown language {other!r}")


def apply_difference(text: str, file: Path) -> None:
    """Replace lines of a file; a line of `@@` separates two places."""
    original = file.with_suffix(".original")
    if not original.exists():
        shutil.copy(file, original)
    changed = original.read_text(encoding="utf-8")
    for place in text.split("@@\n"):
        lines = [line or " " for line in place.splitlines()]
        before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
        assert changed.count(before) == 1, f"expected once in {file.name}: {before}"
        after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
        changed = changed.replace(before, after)
    file.write_text(changed, encoding="utf-8")


def run_console(text: str, directory: Path) -> None:
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], "a console block starts with a command: '$ ...'"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        command = lines[start][2:].split()
        if command[:2] == ["pip", "install"]:  # the environment contains it
            continue
        if command[0] == "backend-contract":
            command[:1] = ["python", "-m", "backend_contract"]
        assert command[0] == "python", f"unknown command {command[0]!r}"
        run = subprocess.run(
            [sys.executable, *command[1:]],
            cwd=directory,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert run.stderr == "", run.stderr
        shown = without_versions("\n".join(lines[start + 1 : end]))
        fails = " violated" in shown or " unchecked" in shown
        assert run.returncode == fails, run.stdout
        if shown or command[1:3] != ["-m", "pytest"]:  # pytest's output need not be shown
            assert is_shown(without_versions(run.stdout), shown), run.stdout


def is_shown(output: str, shown: str) -> bool:
    """Return whether *shown* is *output*, some lines of which may be left out for `...`."""
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == "..." else re.escape(f"{line}\n")
        for line in shown.splitlines()
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in output.splitlines())) is not None


def without_versions(text: str) -> str:
    return re.sub(r"by mypy [\d.]+", "by mypy", text).strip()
