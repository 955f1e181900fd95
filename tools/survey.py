"""Write ``docs/survey.md``: which clauses the backends on PyPI keep, and what ``--fix`` brings.

Run it by ``nox -s survey``, which needs PyPI; the page is never edited by hand. Each distribution
is installed in an environment of its own, with the versions of the day.
"""

from __future__ import annotations

import ast
import datetime
import json
import shutil
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "survey.md"

DISTRIBUTIONS = ("caikit", "caikit-tgis-backend", "caikit-nlp", "caikit-nlp-client")
"""What on PyPI depends on Caikit or is Caikit; those without a backend are named on the page."""

MEMBERS = {
    *("backend_type", "is_started", "register_config", "start", "stop", "start_lock"),
    "handle_runtime_context",
}

CELLS = {"ok": "✓", "violated": "✗", "unchecked": "?", "not applicable": "n/a"}
"""The verdicts as the matrix shows them; the others stay empty."""


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    """The results for one class."""

    target: str
    distribution: str
    version: str
    findings: list[dict[str, Any]]
    error: str
    fixed: list[dict[str, Any]]
    """The findings on a copy after ``--fix``; those of layer S only."""


def find_backends(package: Path) -> Iterator[tuple[Path, str]]:
    """Yield file and name of each class that has a ``backend_type`` and the shape of a backend."""
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and _is_backend(node):
                yield file, node.name


def _is_backend(node: ast.ClassDef) -> bool:
    names: set[str] = set()
    for statement in node.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case _:
                pass
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    if "backend_type" not in names or bases & {"ABC", "Protocol"}:
        return False
    return "BackendBase" in bases or len(names & MEMBERS) >= 5


def survey(distribution: str, wheel: str, work: Path) -> Iterator[Surveyed]:
    """Install *distribution* and check its backends."""
    scanned = work / f"{distribution}-scanned"
    install = ("-m", "pip", "install", "-q")
    scan = (sys.executable, *install, "--no-deps", "--target", str(scanned), distribution)
    subprocess.run(scan, check=True)
    found = list(find_backends(scanned))
    if not found:
        return
    directory = work / distribution
    venv.create(directory, with_pip=True)
    python = str(directory / "bin" / "python")
    extras = f"backend-contract[check,fix,grpc,fastapi] @ file://{wheel}"
    subprocess.run([python, *install, distribution, extras], check=True)
    code = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    version = subprocess.check_output([python, "-c", code, distribution], text=True).strip()
    for file, name in found:
        module = ".".join(file.relative_to(scanned).with_suffix("").parts)
        report = check(python, f"{module}:{name}", work, "--run")
        yield Surveyed(
            target=f"{module}:{name}",
            distribution=distribution,
            version=version,
            findings=findings_of(report),
            error="; ".join(error["message"] for error in report["errors"]),
            fixed=fixed(python, scanned, module, name),
        )


def check(python: str, target: str, directory: Path, *options: str) -> dict[str, Any]:
    """Return the JSON report of ``backend-contract check``."""
    command = [python, "-m", "backend_contract", "check", "--output-format", "json"]
    done = subprocess.run(
        [*command, *options, target], cwd=directory, stdout=subprocess.PIPE, check=False
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def findings_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the findings on all targets of a JSON report."""
    return [finding for each in report["reports"] for finding in each["findings"]]


def fixed(python: str, scanned: Path, module: str, name: str) -> list[dict[str, Any]]:
    """Return the findings of layer S on a copy of the package, fixed."""
    package = module.partition(".")[0]
    with tempfile.TemporaryDirectory() as project:
        shutil.copytree(scanned / package, Path(project, package))
        Path(project, "pyproject.toml").write_text("[project]\nname = 'copy'\nversion = '0'\n")
        file = f"{module.replace('.', '/')}.py:{name}"
        command = [python, "-m", "backend_contract", "check", "--fix", file]
        subprocess.run(command, cwd=project, stdout=subprocess.DEVNULL, check=False)
        return findings_of(check(python, file, Path(project)))


INTRODUCTION = """\
<!-- Written by `nox -s survey`. -->

# Backends on PyPI

The backends that PyPI has for Caikit's interface, unmodified, as they were on {today}: ✓ the clause
holds, ✗ it is violated, ? it is unchecked. A cell is empty if another clause blocks this one, or if
it needs a test suite or an engine that is not available.

Searched without finding a backend: {without}.
"""


def page(surveyed: list[Surveyed], today: str) -> str:
    """Return the text of the page."""
    without = sorted({*DISTRIBUTIONS} - {each.distribution for each in surveyed})
    introduction = INTRODUCTION.format(today=today, without=", ".join(without))
    sections = (line for each in surveyed for line in section(each))
    return "\n".join([introduction, *matrix(surveyed), "", *sections])


def matrix(surveyed: list[Surveyed]) -> Iterator[str]:
    """Yield the lines of the table: clauses by backends."""
    names = [f"`{each.target.rpartition(':')[2]}`" for each in surveyed]
    yield f"| clause | {' | '.join(names)} |"
    yield "|---" * (len(surveyed) + 1) + "|"
    verdicts = [{f["clause"]: f["verdict"] for f in each.findings} for each in surveyed]
    for clause in sorted({clause for each in verdicts for clause in each}):
        cells = (CELLS.get(each.get(clause, ""), "") for each in verdicts)
        yield f"| [{clause}](contract.md#{clause.lower()}) | {' | '.join(cells)} |"


def section(each: Surveyed) -> Iterator[str]:
    """Yield the lines on one backend."""
    yield f"## `{each.target}`"
    yield ""
    yield f"{each.distribution} {each.version}: {count(each.findings)}."
    if each.error:
        yield f"Of layer B, what needs a started backend is missing: {each.error}."
    yield f"Layer S after `--fix`: {count(each.fixed)}."
    yield ""
    for finding in each.findings:
        if finding["verdict"] in ("violated", "unchecked"):
            reasons = "; ".join(filter(None, [finding["found"], *finding["because"]]))
            yield f"- {finding['clause']} {finding['verdict']}: {reasons}"
    yield ""


def count(findings: list[dict[str, Any]]) -> str:
    """Return the number of findings per verdict, the most frequent one first."""
    counts = Counter(finding["verdict"] for finding in findings)
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())


def main() -> None:
    """Write the page; the argument is the wheel of this package."""
    with tempfile.TemporaryDirectory() as work:
        found = [each for name in DISTRIBUTIONS for each in survey(name, sys.argv[1], Path(work))]
    PAGE.write_text(page(found, datetime.datetime.now(datetime.timezone.utc).date().isoformat()))


if __name__ == "__main__":
    main()
