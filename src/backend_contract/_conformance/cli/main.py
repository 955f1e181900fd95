"""The command ``backend-contract``: its parser, and the commands ``clauses`` and ``explain``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from backend_contract._conformance.cli.check import (
    ALL,
    COULD_NOT_CHECK,
    OK,
    check,
    show,
)
from backend_contract._conformance.cli.streams import (
    discard,
    open_streams,
    print_error,
    write_error,
)
from backend_contract._conformance.formats import DOCUMENTS, FORMATS
from backend_contract._conformance.formats.common import printable
from backend_contract._conformance.results import Outcome
from backend_contract._conformance.static.checkers import CHECKERS
from backend_contract.clauses import CLAUSES
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

__all__ = ["main"]

INTERRUPTED = 130
"""The exit status after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (default: those of the process); return its exit status.

    0: no violation that fails the run; 1: at least one; 2: a target could not be checked.
    """
    open_streams()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        status = _run(given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough
        discard(sys.stdout)
        return COULD_NOT_CHECK
    except OSError as error:  # such as a full disk
        discard(sys.stdout)
        print_error(f"{error.filename or 'standard output'}: {error.strerror or error}")
        return COULD_NOT_CHECK
    return status


def _run(given: Sequence[str]) -> int:
    try:
        options = _parser().parse_args(given)
        status: int = options.command(options)
    except SystemExit:  # it has printed help or the version
        return OK
    except _UsageError as error:
        _print_usage_error(error, given)
        return COULD_NOT_CHECK
    except CouldNotCheckError as error:
        print_error(error)
        return COULD_NOT_CHECK
    return status


class _UsageError(Exception):
    """Raised when the command line is invalid; has the usage, and the problem."""


class _Parser(argparse.ArgumentParser):
    """A parser that raises its errors, which some formats have to contain."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(self.format_usage(), f"{self.prog}: error: ", message)

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; the base class ignores a failure."""
        print(self.format_help(), end="", file=file)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="backend-contract",
        description="Check that a class works as a backend of a Caikit-style model server.",
    )
    parser.add_argument(
        "--version", action=_PrintVersion, nargs=0, help="print the version of the package"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_new(
        commands.add_parser(
            "new",
            help="write a backend and its tests",
            description="Write NAME.py, a backend that runs, and test_NAME.py, its tests, to start "
            "from. No file is overwritten.",
        )
    )
    _add_check(
        commands.add_parser(
            "check",
            usage="%(prog)s [OPTION ...] [TARGET ...]",
            help="check classes",
            description="Check classes against the contract. Without --run, type checkers read "
            "the classes (layer S), and no target is imported.",
            epilog="Exit status: 0 all clauses hold, 1 violated or unchecked, 2 could not check.",
        )
    )
    clauses = commands.add_parser(
        "clauses",
        help="list the clauses of the contract",
        description="List the clauses of the contract: id, level, layers and text.",
    )
    clauses.set_defaults(command=_clauses)
    explain = commands.add_parser(
        "explain",
        help="explain one clause",
        description="Print one clause: why it exists, how to fix a violation, and two examples.",
    )
    explain.set_defaults(command=_explain)
    explain.add_argument("clause", metavar="CLAUSE", help="id of the clause, such as BC501")
    _add_stubs(
        commands.add_parser(
            "stubs",
            help="write stubs for your type checkers",
            description="Write stubs of aconfig, gRPC and FastAPI, as far as the environment has "
            "no types for them, and print the settings with which type checkers read them. A file "
            "that differs is kept.",
        )
    )
    return parser


def _add_new(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_new)
    parser.add_argument("name", metavar="NAME", help="name of the module, such as my_backend")
    parser.add_argument(
        "--structural", action="store_true", help="write a class that inherits nothing"
    )
    parser.add_argument(
        "--directory",
        default=".",
        metavar="DIR",
        help="where to write them (default: the current directory)",
    )


def _add_stubs(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_stubs)
    parser.add_argument(
        "directory",
        nargs="?",
        default="typings",
        metavar="DIRECTORY",
        help="where to write them (default: %(default)s, which pyright reads by itself)",
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="interpreter of the environment (default: that of this command)",
    )


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=check)
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="package.module:Class, path/to/file.py:Class, or a file, directory or package to "
        "search for backends (default: the targets in pyproject.toml)",
    )
    parser.add_argument(
        "--checker",
        type=_checker_names,
        action="extend",
        metavar="NAME",
        help=f"type checkers to run, comma-separated: {', '.join(CHECKERS)}, or `{ALL}` for every "
        f"installed one (default: {next(iter(CHECKERS))})",
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="interpreter of the environment to check (default: that of this command)",
    )
    parser.add_argument(
        "--run",
        action="store_true",
        help="also import each target, in a separate process, and try its behaviour (layer B)",
    )
    parser.add_argument(
        "--backend-config",
        type=Path,
        metavar="FILE",
        help="YAML file with the configuration that the class needs; requires --run",
    )
    parser.add_argument(
        "--factory",
        metavar="MODULE:FUNCTION",
        help="function that returns a new backend of the one target; requires --run",
    )
    parser.add_argument(
        "--time-limit",
        metavar="SECONDS",
        help="how long the first start may take (default: 300); requires --run",
    )
    parser.add_argument(
        "--exclusive",
        action="store_true",
        help="never start two backends at a time; requires --run",
    )
    parser.add_argument(
        "--verbose",
        "-v",
        action="store_true",
        help="show everything that the targets print, not only beside a failure",
    )
    for name, verb in (("select", "check only"), ("ignore", "do not check")):
        parser.add_argument(
            f"--{name}",
            type=lambda text: text.split(","),
            action="extend",
            metavar="IDS",
            help=f"{verb} these clauses: ids or prefixes, comma-separated",
        )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="first write missing annotations",
    )
    parser.add_argument(
        "--unsafe-fixes",
        action="store_true",
        help="with --fix: edits that may change behaviour",
    )
    parser.add_argument(
        "--diff",
        action="store_true",
        help="with --fix: print a diff, write nothing",
    )
    parser.add_argument(
        "--lenient", action=argparse.BooleanOptionalAction, help="pass unchecked clauses"
    )
    parser.add_argument(
        "--error-on-warning",
        action=argparse.BooleanOptionalAction,
        help="fail on SHOULD clauses as on MUST clauses",
    )
    parser.add_argument(
        "--output-format",
        choices=FORMATS,
        default=FORMATS[0],
        metavar="FORMAT",
        help="full: grouped by target; concise: one line per finding; json, github, sarif, "
        "junit: for other programs; markdown, html: a page; baseline: expected violations for "
        "pyproject.toml (default: %(default)s)",
    )
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        metavar="WHEN",
        help="always, never, or auto: on a terminal unless NO_COLOR is set (default: %(default)s)",
    )
    parser.add_argument("--no-cache", action="store_true", help="do not use the cache directory")


class _PrintVersion(argparse.Action):
    """The action that prints the version, which is looked up on request because that is slow."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"backend-contract {version('backend-contract')}")
        parser.exit()


def _checker_names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in (*CHECKERS, ALL):
            raise argparse.ArgumentTypeError(
                f"unknown checker {name!r}; expected {', '.join(CHECKERS)} or {ALL}"
            )
    return names


def _clauses(_: argparse.Namespace) -> int:
    for clause in CLAUSES.values():
        print(f"{clause.id}  {clause.level.value:6}  {clause.layers:2}  {clause.text}")
    print(
        "\nA violation of MUST fails; one of SHOULD is a warning."
        "\nLayers: S static, by type checkers and the source; B behavioural, by running the class."
    )
    return OK


def _explain(options: argparse.Namespace) -> int:
    import textwrap

    clause = CLAUSES.get(options.clause.upper())
    if clause is None:
        raise CouldNotCheckError(
            f"unknown clause {options.clause!r}; `backend-contract clauses` lists them"
        )
    print(textwrap.fill(f"{clause.id}: {clause.text}", 80))
    for label, text in (
        ("Level", clause.level.value),
        ("Why", clause.why),
        ("Fix", clause.fix),
        ("Expected", clause.expected),
        ("Layers", " ".join(clause.layers)),
        ("Requires", " ".join(clause.requires) or "no other clause"),
    ):
        print(
            textwrap.fill(text, 80, initial_indent=f"{label + ':':10}", subsequent_indent=" " * 10)
        )
    for label, example in (("Bad", clause.bad), ("Good", clause.good)):
        print(f"\n{label}:\n\n{textwrap.indent(example, '    ')}", end="")
    return OK


def _new(options: argparse.Namespace) -> int:
    from backend_contract._conformance.cli.new import new

    return new(options.name, options.directory, structural=options.structural)


def _stubs(options: argparse.Namespace) -> int:
    from backend_contract._conformance.cli.stubs import stubs

    return stubs(options.directory, options.python)


def _print_usage_error(error: _UsageError, given: Sequence[str]) -> None:
    """Print the error, and a valid document if *given* asks for one."""
    usage, start, problem = error.args
    write_error(f"{usage}{start}{printable(problem)}\n")
    words = " ".join(given).replace("=", " ").split()
    for name in DOCUMENTS:
        if ("--output-format", name) in pairwise(words):
            show(Outcome(problems=(problem,)), name, "never")
            break
