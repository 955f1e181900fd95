"""Write ``report.svg``: what ``check`` prints on the README's example of a violation, in colour."""

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
    """The output of the command, with its colours."""
    readme = (HERE.parent / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    (greeter,) = [block for block in blocks if "class Greeter(" in block]
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as place, redirect_stdout(io.StringIO()) as out:
        Path(place, "greeter.py").write_text(greeter, encoding="utf-8")
        os.chdir(place)  # the report names the file as a user would
        try:
            status = main(["check", "--color=always", "--no-cache", TARGET])
        finally:
            os.chdir(here)
    if status != 1:
        raise SystemExit(f"the example is there to be violated, and check returned {status}")
    return out.getvalue()


def picture(text: str) -> str:
    """A terminal that shows ``text``."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=100, file=nowhere, force_terminal=True)
        console.print(Text(f"$ backend-contract check {TARGET}"))
        console.print(Text.from_ansi(text.rstrip()))
    svg = console.export_svg(title="backend-contract check", unique_id="report")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # fonts from another's server
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


if __name__ == "__main__":
    (HERE / "report.svg").write_text(picture(report()), encoding="utf-8")
