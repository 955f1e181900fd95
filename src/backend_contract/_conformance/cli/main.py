"""The command ``backend-contract``: its parser, and the commands ``clauses`` and ``explain``."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from backend_contract._conformance.cli.check import (
    ALL,
    COULD_NOT_CHECK,
    OK,
    check,
    show,
)
from backend_contract._conformance.cli.streams import discard, print_error, write_error
from backend_contract._conformance.formats import DOCUMENTS, FORMATS
from backend_contract._conformance.formats.common import printable
from backend_contract._conformance.results import Outcome
from backend_contract._conformance.static.checkers import CHECKERS, not_installed
from backend_contract.clauses import CLAUSES
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

INTERRUPTED = 130
"""The exit status after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (default: those of the process); return its exit status.

    0: no violation that fails the run; 1: at least one; 2: a target could not be checked.
    """
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
    if not given:
        build_parser().print_help()
        return COULD_NOT_CHECK  # a script that lost its arguments has checked nothing
    try:
        options = build_parser().parse_args(given)
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

    def __init__(self, **options: Any) -> None:  # those of the base class
        formatter = partial(argparse.RawDescriptionHelpFormatter, max_help_position=29)
        super().__init__(formatter_class=formatter, **options)

    def complete_paths(self, completions: Mapping[str, object]) -> None:
        """Mark the arguments whose values are paths; *completions* are by metavar."""
        for action in self._actions:
            if action.nargs == argparse.PARSER:  # its choices are the parsers of the commands
                for parser in cast("dict[str, _Parser]", action.choices).values():
                    parser.complete_paths(completions)
            elif isinstance(action.metavar, str) and action.metavar in completions:
                vars(action)["complete"] = completions[action.metavar]  # shtab looks for it

    # The base class overloads it.
    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Any = None, namespace: Any = None
    ) -> Any:
        """Parse *args*; report unknown ones with the usage of the command that they follow."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}; see {self.prog} --help")
        return options, unknown

    def error(self, message: str) -> NoReturn:
        raise _UsageError(self.format_usage(), f"{self.prog}: error: ", message)

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; the base class ignores a failure."""
        print(self.format_help(), end="", file=file)


def build_parser() -> _Parser:
    """Return the parser; parsed options have a function ``command``, which takes them."""
    parser = _Parser(
        prog="backend-contract",
        description="Check that a class works as a backend of a Caikit-style model server.",
        epilog="Example: backend-contract new mine\n"
        "         backend-contract check --run mine.py:MineBackend",
    )
    parser.add_argument(
        "-V", "--version", action=_PrintVersion, nargs=0, help="print the version and exit"
    )
    parser.add_argument(
        "--print-completion",
        action=_PrintCompletion,
        choices=("bash", "fish", "tcsh", "zsh"),
        metavar="SHELL",
        help="print a completion script for bash, fish, tcsh or zsh, and exit",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_new(commands)
    _add_check(commands)
    _add_clauses(commands)
    _add_explain(commands)
    _add_stubs(commands)
    return parser


def _add_new(commands: Any) -> None:  # Any: argparse has no public name for its type
    parser: argparse.ArgumentParser = commands.add_parser(
        "new",
        help="write a backend and its tests, to start from",
        description="Write NAME.py, a backend that runs, and test_NAME.py, its tests.\n"
        "No file is overwritten.",
        epilog="Example: backend-contract new my_backend --directory src",
    )
    parser.set_defaults(command=_new)
    parser.add_argument("name", metavar="NAME", help="name of the module, such as my_backend")
    parser.add_argument(
        "--structural", action="store_true", help="write a class that inherits nothing"
    )
    parser.add_argument(
        "--directory",
        default=".",
        metavar="DIRECTORY",
        help="where to write them (default: the current directory)",
    )


def _add_clauses(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "clauses",
        help="list the clauses of the contract",
        description="List the clauses of the contract: id, level, layers and text.",
        epilog="Example: backend-contract clauses",
    )
    parser.set_defaults(command=_clauses)


def _add_explain(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help="explain one clause",
        description="Print one clause: why it exists, how to fix a violation, and two examples.",
        epilog="Example: backend-contract explain BC501",
    )
    parser.set_defaults(command=_explain)
    parser.add_argument("clause", metavar="CLAUSE", help="id of the clause, such as BC501")


def _add_stubs(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "stubs",
        help="write stubs for your type checkers",
        description="Write stubs of aconfig, gRPC and FastAPI, as far as the environment has no\n"
        "types for them, and print the settings with which type checkers read them.\n"
        "A file that differs is kept.",
        epilog="Example: backend-contract stubs typings",
    )
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


def _add_check(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        usage="%(prog)s [OPTION ...] [TARGET ...]",
        help="check classes against the contract",
        description="Check classes against the contract; default: the targets in pyproject.toml.\n"
        "Type checkers read them (layer S); without --run, none is imported.",
        epilog="Example: backend-contract check --run mine.py:MineBackend\n"
        "Exit status: 0 all clauses hold, 1 violated or unchecked, 2 could not check.",
    )
    parser.set_defaults(command=check)
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="package.module:Class, path/to/file.py:Class, or a file, directory or package to "
        "search",
    )
    parser.add_argument(
        "--checker",
        type=_checker_names,
        action="extend",
        metavar="NAME[,...]",
        help=f"{', '.join(CHECKERS)}, {ALL}".replace(",", " (default),", 1),
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="interpreter to check for (default: this one)",
    )
    for name, word in (("select", "only"), ("ignore", "without")):
        parser.add_argument(
            f"--{name}",
            type=lambda text: text.split(","),
            action="extend",
            metavar="IDS",
            help=f"{word} these clauses: ids or prefixes",
        )
    parser.add_argument("--no-cache", action="store_true", help="do not use the cache directory")
    _add_run(parser.add_argument_group("behaviour (layer B); the others require --run"))
    _add_fixes(parser.add_argument_group("fixes"))
    _add_report(parser.add_argument_group("report"))


def _add_run(run: Any) -> None:
    run.add_argument(
        "--run", action="store_true", help="import and try each target, in a separate process"
    )
    run.add_argument(
        "--backend-config",
        type=Path,
        metavar="FILE",
        help="YAML file with the backend's configuration",
    )
    run.add_argument(
        "--factory",
        type=_factory,
        metavar="MODULE:FUNCTION",
        help="function that returns a new backend of the target",
    )
    run.add_argument(
        "--time-limit",
        type=_seconds,
        metavar="SECONDS",
        help="how long the first start may take (default: 300)",
    )
    run.add_argument("--exclusive", action="store_true", help="never start two backends at a time")


def _add_fixes(fixes: Any) -> None:
    fixes.add_argument("--fix", action="store_true", help="first write missing annotations")
    fixes.add_argument(
        "--unsafe-fixes",
        action="store_true",
        help="with --fix: also edits that may change behaviour",
    )
    fixes.add_argument(
        "--diff", action="store_true", help="with --fix: print a diff, write nothing"
    )


def _add_report(report: Any) -> None:
    report.add_argument(
        "--verbose", "-v", action="store_true", help="show everything that the targets print"
    )
    for name, text in (
        ("lenient", "let unchecked clauses pass"),
        ("error-on-warning", "let SHOULD clauses fail too"),
    ):
        report.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, help=text)
    report.add_argument(
        "--output-format",
        choices=FORMATS,
        default=FORMATS[0],
        metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: %(default)s)",
    )
    report.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        metavar="WHEN",
        help="always, never or auto (default: %(default)s)",
    )


class _PrintVersion(argparse.Action):
    """The action that prints the version, which is looked up on request because that is slow."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"backend-contract {version('backend-contract')}")
        parser.exit()


class _PrintCompletion(argparse.Action):
    """The action that prints a completion script."""

    def __call__(
        self, parser: argparse.ArgumentParser, _: object, shell: object, __: object = None
    ) -> None:
        try:
            import shtab
        except ImportError:
            raise not_installed("shtab", "backend-contract[check]") from None
        assert isinstance(parser, _Parser)
        files, folders = shtab.FILE, shtab.DIRECTORY
        parser.complete_paths({"TARGET": files, "FILE": files, "PATH": files, "DIRECTORY": folders})
        print(shtab.complete(parser, str(shell)), end="")
        parser.exit()


def _checker_names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in (*CHECKERS, ALL):
            raise argparse.ArgumentTypeError(
                f"unknown checker {name!r}; expected {', '.join(CHECKERS)} or {ALL}"
            )
    return names


def _factory(text: str) -> str:
    if not re.fullmatch(r"[\w.]+:[\w.]+", text):
        raise argparse.ArgumentTypeError(f"expected MODULE:FUNCTION, got {text!r}")
    return text


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")


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
