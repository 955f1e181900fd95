"""The command line: ``backend-contract check``, ``clauses`` and ``explain``."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from backend_contract.clauses import CLAUSES
from backend_contract.conformance.checkers import CHECKERS, Checker, not_installed
from backend_contract.conformance.verdicts import CouldNotCheckError

__all__ = ["main"]

OK, VIOLATED, COULD_NOT_CHECK, INTERRUPTED = 0, 1, 2, 130
"""The exit statuses."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments`` (default: those of the process); return its exit status.

    0: nothing is violated; 1: something is; 2: something could not be checked, whatever else.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may hold what cannot be printed
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except CouldNotCheckError as error:
        return _complain(error)
    except BrokenPipeError:  # `| head` has read enough; the interpreter must not flush again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT_CHECK
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:  # the current directory is gone, or the disk is full
        return _complain(f"{error.filename or 'this command'}: {error.strerror or error}")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="backend-contract",
        description="Say, clause by clause, whether a class is a backend a runtime can use.",
    )
    parser.add_argument(
        "--version", action=_PrintVersion, nargs=0, help="print the version of the package"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    check = commands.add_parser(
        "check",
        help="check classes, without importing them",
        description="Check classes against every clause that types can show. Nothing is imported.",
        epilog="Exit status: 0 nothing violated, 1 something violated, 2 could not check.",
    )
    check.set_defaults(run=_check)
    check.add_argument(
        "targets",
        nargs="+",
        metavar="TARGET",
        help="package.module:Class or path/to/file.py:Class",
    )
    check.add_argument(
        "--checker",
        choices=CHECKERS,
        default=next(iter(CHECKERS)),
        help="the type checker that decides (default: %(default)s)",
    )
    check.add_argument(
        "--strict", action="store_true", help="let unchecked clauses fail, as violated ones do"
    )
    check.add_argument(
        "--output-format",
        choices=("full", "concise"),
        default="full",
        help="a block a target, or a line a finding (default: %(default)s)",
    )
    check.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="auto: on a terminal, unless NO_COLOR is set (default: %(default)s)",
    )
    check.add_argument(
        "--no-cache", action="store_true", help="keep nothing in the user's cache directory"
    )

    clauses = commands.add_parser("clauses", help="list the clauses of the contract")
    clauses.set_defaults(run=_clauses)

    explain = commands.add_parser(
        "explain", help="print one clause, with its why, a bad example and a good one"
    )
    explain.set_defaults(run=_explain)
    explain.add_argument("clause", metavar="CLAUSE", help="its id, such as BC501")
    return parser


class _PrintVersion(argparse.Action):
    """Looks the version up only when it is asked for, which costs more than most commands."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"backend-contract {version('backend-contract')}")
        parser.exit()


def _check(options: argparse.Namespace) -> int:
    checker = CHECKERS[options.checker]
    decided_by = f"{checker.name} {checker.version()}"
    checker.load()  # which goes on while the rest of the command is imported, and targets are found
    try:
        return _check_with(checker, decided_by, options)
    finally:
        checker.unload()


def _check_with(checker: Checker, decided_by: str, options: argparse.Namespace) -> int:
    from backend_contract.conformance.report import FORMATS, wants_color
    from backend_contract.conformance.static import check
    from backend_contract.conformance.targets import Target, find_targets
    from backend_contract.conformance.verdicts import Report, Verdict

    cache = None if options.no_cache else _cache(checker.name)
    found = find_targets(options.targets)
    checked = iter(check([t for t in found if isinstance(t, Target)], checker, cache))
    reports = [
        next(checked) if isinstance(target, Target) else Report(text, error=str(target))
        for text, target in zip(options.targets, found, strict=True)
    ]
    lines = FORMATS[options.output_format](reports, decided_by, wants_color(options.color))
    sys.stdout.writelines(f"{line}\n" for line in lines)

    errors = [report.error for report in reports if report.error is not None]
    for error in errors:
        _complain(error)
    failing = {Verdict.VIOLATED, Verdict.UNCHECKED} if options.strict else {Verdict.VIOLATED}
    verdicts = {finding.verdict for report in reports for finding in report.findings}
    if errors:
        return COULD_NOT_CHECK
    return VIOLATED if verdicts & failing else OK


def _cache(checker: str) -> Path:
    """The directory where a checker keeps what it knows from one run to the next."""
    try:
        import platformdirs
    except ModuleNotFoundError:
        raise not_installed("platformdirs") from None
    cache = platformdirs.user_cache_path("backend-contract") / checker
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CouldNotCheckError(
            f"no cache can be kept in {cache}: {error.strerror}; use --no-cache to do without"
        ) from None
    return cache


def _clauses(_: argparse.Namespace) -> int:
    for clause in CLAUSES.values():
        print(f"{clause.id}  {clause.layers:3}  {clause.text}")
    print("\nLayers: S type checkers, R inspection of the class at run time, B behaviour.")
    return OK


def _explain(options: argparse.Namespace) -> int:
    import textwrap

    clause = CLAUSES.get(options.clause.upper())
    if clause is None:
        raise CouldNotCheckError(
            f"no clause {options.clause!r}; `backend-contract clauses` lists them"
        )
    print(textwrap.fill(f"{clause.id}: {clause.text}", 80))
    for label, text in (
        ("Why", clause.why),
        ("Fix", clause.fix),
        ("Expected", clause.expected),
        ("Layers", " ".join(clause.layers)),
        ("Needs", " ".join(clause.requires) or "no other clause"),
    ):
        print(
            textwrap.fill(text, 80, initial_indent=f"{label + ':':10}", subsequent_indent=" " * 10)
        )
    for label, example in (("Bad", clause.bad), ("Good", clause.good)):
        print(f"\n{label}:\n\n{textwrap.indent(example, '    ')}", end="")
    return OK


def _complain(problem: object) -> int:
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(problem))
    print(f"backend-contract: error: {line}", file=sys.stderr)
    return COULD_NOT_CHECK
