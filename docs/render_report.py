"""Write ``report.svg``: the output of ``check`` on the example of ``check.md``, in color."""

from __future__ import annotations

import io
import os
import re
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console
from rich.text import Text

from backend_contract._conformance.cli.main import main

HERE = Path(__file__).parent
TARGET = "greeter.py:Greeter"


def report() -> str:
    """Return the output of the command, with its colors."""
    page = (HERE / "check.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^:caption: greeter\.py\n\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as directory, redirect_stdout(io.StringIO()) as output:
        Path(directory, "greeter.py").write_text(code, encoding="utf-8")
        os.chdir(directory)  # so that the report names the file as a user would
        try:
            status = main(["check", "--color=always", "--no-cache", TARGET])
        finally:
            os.chdir(here)
    if status != 1:
        raise SystemExit(f"the example must violate a clause, but check returned {status}")
    return output.getvalue()


def picture(text: str) -> str:
    """Return an SVG of a terminal that shows *text*."""
    with Path(os.devnull).open("w", encoding="utf-8") as null:
        console = Console(record=True, width=100, file=null, force_terminal=True)
        console.print(Text(f"$ backend-contract check {TARGET}"))
        console.print(Text.from_ansi(text.rstrip()))
    svg = console.export_svg(title="backend-contract check", unique_id="report")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # fonts from another server
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


if __name__ == "__main__":
    (HERE / "report.svg").write_text(picture(report()), encoding="utf-8")
