"""The command line: ``backend-contract check``, ``clauses`` and ``explain``."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from backend_contract.clauses import CLAUSES
from backend_contract.conformance.checkers import CHECKERS, Checker, not_installed
from backend_contract.conformance.report import FORMATS, printable, wants_color
from backend_contract.conformance.verdicts import (
    CouldNotCheckError,
    Outcome,
    Report,
    combine_reports,
)

if TYPE_CHECKING:
    from backend_contract.conformance.environment import Environment
    from backend_contract.conformance.targets import Target

__all__ = ["main"]

OK, VIOLATED, COULD_NOT_CHECK, INTERRUPTED = 0, 1, 2, 130
"""The exit statuses."""

ALL = "all"
"""What stands for every checker that is installed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments`` (default: those of the process); return its exit status.

    0: nothing is violated; 1: something is; 2: something could not be checked, whatever else.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may hold what cannot be printed
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = _parser().parse_args(given)
        status: int = options.command(options)
        sys.stdout.flush()
    except _UsageError as error:
        return _complain_of_usage(error, given)
    except CouldNotCheckError as error:
        return _complain(error)
    except BrokenPipeError:  # `| head` has read enough; the interpreter must not flush again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT_CHECK
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:  # the current directory is gone, or the disk is full
        return _complain(_said(error))
    return status


class _UsageError(Exception):
    """The command was called in a way that it does not know."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are raised, for the formats that must be valid on every path."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(f"{self.format_usage()}{self.prog}: error: {message}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="backend-contract",
        description="Say, clause by clause, whether a class is a backend a runtime can use.",
    )
    parser.add_argument(
        "--version", action=_PrintVersion, nargs=0, help="print the version of the package"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    check = commands.add_parser(
        "check",
        help="check classes",
        description="Check classes against every clause that types can show. No target is imported "
        "or run, unless --runtime or --run says so.",
        epilog="Exit status: 0 nothing violated, 1 something violated, 2 could not check.",
    )
    check.set_defaults(command=_check)
    check.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="package.module:Class, path/to/file.py:Class, or a file, directory or package with "
        "backends in it (default: those in pyproject.toml)",
    )
    check.add_argument(
        "--checker",
        type=_checker_names,
        action="extend",
        metavar="NAME",
        help=f"who decides: {', '.join(CHECKERS)}, several with commas between them, or all that "
        f"are installed (default: {next(iter(CHECKERS))})",
    )
    check.add_argument(
        "--python",
        metavar="PATH",
        help="the interpreter of the environment that is checked (default: that of this command)",
    )
    check.add_argument(
        "--runtime",
        action="store_true",
        help="import the targets as well, each in a process of its own, and inspect them (layer R)",
    )
    check.add_argument(
        "--run",
        action="store_true",
        help="make instances as well, and try how they behave (layer B); implies --runtime",
    )
    check.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="with --run: a YAML file with the configuration that the class needs",
    )
    check.add_argument(
        "--strict",
        action=argparse.BooleanOptionalAction,
        help="let unchecked clauses fail, as violated ones do",
    )
    check.add_argument(
        "--output-format",
        choices=FORMATS,
        default=next(iter(FORMATS)),
        help="full: a block a target; concise: a line a finding; or a format for other programs "
        "(default: %(default)s)",
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
    clauses.set_defaults(command=_clauses)

    explain = commands.add_parser(
        "explain", help="print one clause, with its why, a bad example and a good one"
    )
    explain.set_defaults(command=_explain)
    explain.add_argument("clause", metavar="CLAUSE", help="its id, such as BC501")
    return parser


class _PrintVersion(argparse.Action):
    """Looks the version up only when it is asked for, which costs more than most commands."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"backend-contract {version('backend-contract')}")
        parser.exit()


def _checker_names(text: str) -> list[str]:
    """What ``--checker`` names, of which ``all`` is one."""
    names = text.split(",")
    for name in names:
        if name not in (*CHECKERS, ALL):
            raise argparse.ArgumentTypeError(
                f"no checker {name!r}; expected {', '.join(CHECKERS)} or {ALL}"
            )
    return names


def _check(options: argparse.Namespace) -> int:
    try:
        with _ended_properly():
            outcome = _outcome(options)
    except CouldNotCheckError as error:
        outcome = Outcome(problems=(str(error),))
    except OSError as error:
        outcome = Outcome(problems=(_said(error),))
    _show(outcome, options.output_format, options.color)
    for _, message in outcome.errors:
        _complain(message)
    if outcome.errors:
        return COULD_NOT_CHECK
    return VIOLATED if outcome.fails else OK


def _outcome(options: argparse.Namespace) -> Outcome:
    """What comes of a check: its settings, its targets, and what each checker says of them."""
    from backend_contract.conformance.settings import read_settings

    if options.config is not None and not options.run:
        raise CouldNotCheckError("--config is for --run, which is not given: add it, or leave both")
    settings = read_settings(Path.cwd(), (*CHECKERS, ALL))
    checkers = _chosen(options.checker or settings.checkers)
    checkers[0].load()  # which goes on while the rest is imported, and targets are found
    try:
        from backend_contract.conformance.environment import environment_of, this_environment
        from backend_contract.conformance.expectations import expecting
        from backend_contract.conformance.targets import find_targets

        environment = environment_of(options.python) if options.python else this_environment()
        here = Path.cwd() if options.targets else settings.directory
        texts = options.targets or settings.targets
        if not texts:
            raise CouldNotCheckError(
                "there is nothing to check: name a target, as package.module:Class or "
                "path/to/file.py:Class, or list `targets` in [tool.backend-contract] of "
                "pyproject.toml"
            )
        targets = find_targets(texts, environment, here)
        reports, problems = _decide(targets, checkers, options, environment)
        if settings.expected_violations:
            everything = not options.targets
            reports = expecting(settings, environment, targets, reports, everything)
    finally:
        checkers[0].unload()
    strict = settings.strict if options.strict is None else options.strict
    return Outcome(reports, problems, strict)


def _chosen(names: Sequence[str]) -> list[Checker]:
    """The checkers of those names, each once; without names, the default one."""
    if ALL in names:
        installed = [checker for checker in CHECKERS.values() if checker.is_installed]
        if not installed:
            raise not_installed("no checker", "backend-contract[check]")
        return installed
    return [CHECKERS[name] for name in dict.fromkeys(names or [next(iter(CHECKERS))])]


def _decide(
    targets: Sequence[Target | CouldNotCheckError],
    checkers: Sequence[Checker],
    options: argparse.Namespace,
    environment: Environment,
) -> tuple[list[Report], tuple[str, ...]]:
    """A report a target, of all checkers together, and why any of them could not be relied on."""
    from backend_contract.conformance.progress import showing
    from backend_contract.conformance.static import check
    from backend_contract.conformance.targets import Target

    of_target: dict[Target, list[Report]] = {
        target: [] for target in targets if isinstance(target, Target)
    }
    problems: list[str] = []
    for number, checker in enumerate(checkers, start=1):
        cache = None if options.no_cache else _cache(checker.name)
        which = f" ({number} of {len(checkers)})" if len(checkers) > 1 else ""
        try:
            with showing(f"{checker.name}{which} checks {len(of_target)} target(s)"):
                reports = check(list(of_target), checker, cache, environment)
        except CouldNotCheckError as error:
            problems.append(str(error))
            continue
        for target, report in zip(of_target, reports, strict=True):
            of_target[target].append(report)
    if options.runtime or options.run:
        from backend_contract.conformance import runtime

        for target, found in of_target.items():
            with showing(f"{target.text} is {'tried' if options.run else 'inspected'}"):
                found.append(runtime.check(target, environment, options.run, options.config))
    return [
        Report("", error=str(target))
        if not isinstance(target, Target)
        else combine_reports(of_target[target])
        for target in targets
        if not isinstance(target, Target) or of_target[target]
    ], tuple(problems)


def _show(outcome: Outcome, output_format: str, color: str) -> None:
    lines = FORMATS[output_format](outcome, wants_color(color))
    sys.stdout.writelines(f"{line}\n" for line in lines)


@contextmanager
def _ended_properly() -> Generator[None, None, None]:
    """Let a signal that ends the process end what it has started first, and tidy up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:  # nohup, for one, has SIGHUP ignored
            signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _cache(checker: str) -> Path:
    """The directory where a checker keeps what it knows from one run to the next."""
    try:
        import platformdirs
    except ModuleNotFoundError:
        raise not_installed("platformdirs", "backend-contract[check]") from None
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
        *((("New", f"only warns until version {clause.fails_from}"),) if clause.only_warns else ()),
    ):
        print(
            textwrap.fill(text, 80, initial_indent=f"{label + ':':10}", subsequent_indent=" " * 10)
        )
    for label, example in (("Bad", clause.bad), ("Good", clause.good)):
        print(f"\n{label}:\n\n{textwrap.indent(example, '    ')}", end="")
    return OK


def _complain(problem: object) -> int:
    print(f"backend-contract: error: {printable(problem)}", file=sys.stderr)
    return COULD_NOT_CHECK


def _complain_of_usage(error: _UsageError, given: Sequence[str]) -> int:
    """Say what was wrong with ``given``, also in the format that it asks for."""
    print(error, file=sys.stderr)
    asked = " ".join(given).replace("=", " ").split()
    for name in ("json", "sarif"):
        if ["--output-format", name] in (asked[i : i + 2] for i in range(len(asked))):
            _show(Outcome(problems=(str(error).rpartition(": error: ")[2],)), name, "never")
            break
    return COULD_NOT_CHECK


def _said(error: OSError) -> str:
    return f"{error.filename or 'this command'}: {error.strerror or error}"
