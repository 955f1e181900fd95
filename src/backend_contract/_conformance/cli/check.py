"""The command ``backend-contract check``."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from backend_contract._conformance.cli.streams import print_error, write_error
from backend_contract._conformance.formats import load, render
from backend_contract._conformance.formats.common import printable
from backend_contract._conformance.formats.text import wants_color
from backend_contract._conformance.results import Outcome, Report, combine_reports
from backend_contract._conformance.static.checkers import CHECKERS, Checker, not_installed
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from backend_contract._conformance.cli.selection import Selection
    from backend_contract._conformance.cli.settings import Settings
    from backend_contract._conformance.source.discovery import Found
    from backend_contract._conformance.source.environment import Environment
    from backend_contract._conformance.source.targets import Target

__all__ = [
    "ALL",
    "COULD_NOT_CHECK",
    "OK",
    "VIOLATED",
    "check",
    "format_os_error",
    "show",
]

OK, VIOLATED, COULD_NOT_CHECK = 0, 1, 2
"""The exit statuses."""

ALL = "all"
"""The name that stands for every installed checker."""


_SHOWN_LINES = 20
"""The number of lines that a target printed which are shown beside a failure."""


class Options(Protocol):
    """The arguments of the command."""

    targets: list[str]
    checker: list[str] | None
    python: str | None
    run: bool
    backend_config: Path | None
    factory: str | None
    time_limit: str | None
    exclusive: bool
    verbose: bool
    select: list[str] | None
    ignore: list[str] | None
    lenient: bool | None
    error_on_warning: bool | None
    output_format: str
    color: str
    no_cache: bool
    fix: bool
    unsafe_fixes: bool
    diff: bool


def check(options: Options) -> int:
    """Run the command, print its report, and return its exit status."""
    load(options.output_format)  # reports a missing package before anything runs
    has_fixes = False
    try:
        has_fixes = _fix(options)
        outcome = _run(options)
    except CouldNotCheckError as error:
        outcome = Outcome(problems=(str(error),))
    except OSError as error:
        outcome = Outcome(problems=(format_os_error(error),))
    if not options.diff or outcome.problems:  # a diff takes the place of the report
        show(outcome, options.output_format, options.color)
        _show_printed(outcome, options.verbose)
    for _, message in outcome.errors:
        print_error(message)
    if outcome.errors:
        return COULD_NOT_CHECK
    return VIOLATED if outcome.fails or (options.diff and has_fixes) else OK


def _fix(options: Options) -> bool:
    """Fix the targets if the options ask for it; return whether there was something to fix."""
    if not (options.fix or options.unsafe_fixes or options.diff):  # the usual case loads nothing
        return False
    from backend_contract._conformance.cli.expected_violations import mark_expected
    from backend_contract._conformance.cli.fix import fix, require_fix
    from backend_contract._conformance.cli.settings import read_settings

    require_fix(options)
    if not options.fix:
        return False
    settings = read_settings(Path.cwd(), (*CHECKERS, ALL))
    environment = _environment(options)
    found = _find(options, settings, environment).targets
    targets = [target for target in found if not isinstance(target, CouldNotCheckError)]

    def mark(reports: Sequence[Report]) -> Sequence[Report]:
        if not settings.expected_violations:
            return reports
        return mark_expected(settings, environment, found, reports, not options.targets)

    def cache_of(checker: str) -> Path | None:
        return None if options.no_cache else _cache_directory(checker)

    checkers = _choose_checkers(options.checker or settings.checkers)
    return fix(targets, settings.directory, checkers, environment, options, cache_of, mark)


def _environment(options: Options) -> Environment:
    from backend_contract._conformance.source.environment import environment_of, this_environment

    return environment_of(options.python) if options.python else this_environment()


def _run(options: Options) -> Outcome:
    from backend_contract._conformance.cli.expected_violations import (
        mark_expected,
        names_in_settings,
    )
    from backend_contract._conformance.cli.selection import select_clauses
    from backend_contract._conformance.cli.settings import read_settings

    _validate(options)
    settings = read_settings(Path.cwd(), (*CHECKERS, ALL))
    checkers = _choose_checkers(options.checker or settings.checkers)
    selection = select_clauses(
        settings.select if options.select is None else options.select,
        settings.ignore if options.ignore is None else options.ignore,
        layers="SB" if options.run else "S",
    )
    environment = _environment(options)
    search = _find(options, settings, environment)
    found = search.targets
    if options.factory is not None and len(found) != 1:
        raise CouldNotCheckError(f"--factory requires exactly one target, got {len(found)}")
    targets = [target for target in found if not isinstance(target, CouldNotCheckError)]
    reports_of, problems = _check_types(targets, checkers, options, environment)
    if options.run:
        _try_behaviour(reports_of, selection, options, environment)
    reports = [selection.filter(report) for report in _combine(found, reports_of)]
    if settings.expected_violations:
        all_targets = not options.targets
        reports = mark_expected(settings, environment, found, reports, all_targets)
    names = names_in_settings(targets, settings) if options.output_format == "baseline" else {}
    return Outcome(
        reports=reports,
        problems=tuple(problems),
        not_selected=selection.not_selected,
        names_in_settings=names,
        notes=tuple(search.notes),
        not_checked=search.not_checked,
        excluded=search.excluded,
        lenient=_choose(options.lenient, settings.lenient),
        error_on_warning=_choose(options.error_on_warning, settings.error_on_warning),
    )


def _validate(options: Options) -> None:
    """Raise :class:`CouldNotCheckError` if an option of ``--run`` is invalid, or given without."""
    given = {
        "--backend-config": options.backend_config,
        "--factory": options.factory,
        "--time-limit": options.time_limit,
        "--exclusive": options.exclusive or None,
    }
    for name, value in given.items():
        if value is not None and not options.run:
            raise CouldNotCheckError(f"{name} requires --run")
    if options.factory is not None and not re.fullmatch(r"[\w.]+:[\w.]+", options.factory):
        raise CouldNotCheckError(f"--factory: expected MODULE:FUNCTION, got {options.factory!r}")
    if options.time_limit is not None:
        _time_limit(options)


def _time_limit(options: Options) -> float:
    """Return the seconds that ``--time-limit`` gives, or the default."""
    if options.time_limit is None:
        from backend_contract._conformance.behavioural.run import DEFAULT_TIME_LIMIT

        return DEFAULT_TIME_LIMIT
    with suppress(ValueError):
        seconds = float(options.time_limit)
        if 0 < seconds < math.inf:
            return seconds
    raise CouldNotCheckError(f"--time-limit: expected seconds above 0, got {options.time_limit!r}")


def _choose(option: bool | None, setting: bool) -> bool:
    """Return the option of the command line if it is given, otherwise the setting."""
    return setting if option is None else option


def _find(options: Options, settings: Settings, environment: Environment) -> Found:
    """Return the targets of the command line, or else those of the settings."""
    from backend_contract._conformance.source.discovery import search

    project = settings.project
    if options.targets:
        return search(options.targets, environment, Path.cwd(), project)
    found = search(settings.targets, environment, settings.directory, project, whole_project=True)
    if settings.targets or found.targets:
        return found
    raise CouldNotCheckError(
        "no targets; name one, such as src, path/to/file.py or package.module:Class, or list "
        "`targets` in [tool.backend-contract] of pyproject.toml"
    )


def _choose_checkers(names: Sequence[str]) -> list[Checker]:
    """Return the named checkers, each once; the default one if none is named."""
    if ALL in names:
        installed = [checker for checker in CHECKERS.values() if checker.is_installed]
        if not installed:
            raise not_installed("a type checker", "backend-contract[check]")
        return installed
    return [CHECKERS[name] for name in dict.fromkeys(names or [next(iter(CHECKERS))])]


def _check_types(
    targets: Sequence[Target],
    checkers: Sequence[Checker],
    options: Options,
    environment: Environment,
) -> tuple[dict[Target, list[Report]], list[str]]:
    """Return the reports of each target, one per checker, and the errors of unusable checkers."""
    from backend_contract._conformance.cli.progress import show_progress
    from backend_contract._conformance.static.checkers.subprocesses import side_by_side
    from backend_contract._conformance.static.checking import check as check_types

    reports_of: dict[Target, list[Report]] = {target: [] for target in targets}
    how_many = f"{len(reports_of)} target{'' if len(reports_of) == 1 else 's'}"
    running = [checker.name for checker in checkers]

    def check_by(checker: Checker) -> list[Report] | CouldNotCheckError:
        try:
            cache = None if options.no_cache else _cache_directory(checker.name)
            return check_types(list(reports_of), checker, cache, environment)
        except CouldNotCheckError as error:
            return error
        finally:
            running.remove(checker.name)

    with show_progress(lambda: f"{', '.join(running)}: checking {how_many}"):
        results = side_by_side([partial(check_by, checker) for checker in checkers])
    problems: list[str] = []
    for reports in results:  # in the order of the checkers, whichever ended first
        if isinstance(reports, CouldNotCheckError):
            problems.append(str(reports))
            continue
        for target, report in zip(reports_of, reports, strict=True):
            reports_of[target].append(report)
    return reports_of, problems


def _try_behaviour(
    reports_of: dict[Target, list[Report]],
    selection: Selection,
    options: Options,
    environment: Environment,
) -> None:
    """Add a report of layer B to those of each target."""
    from backend_contract._conformance.cli.progress import show_progress
    from backend_contract._conformance.cli.sandbox import RunOptions, try_target

    given = RunOptions(
        config=options.backend_config,
        factory=options.factory,
        time_limit=_time_limit(options),
        exclusive=options.exclusive,
    )
    steps = ["its import"]
    for target, reports in reports_of.items():
        with show_progress(partial(_describe_step, target, steps)):
            report = try_target(target, environment, given, selection.selected, steps.append)
            reports.append(report)


def _describe_step(target: Target, steps: Sequence[str]) -> str:
    return f"running {target.text}: {steps[-1]}"


def _combine(
    found: Sequence[Target | CouldNotCheckError], reports_of: dict[Target, list[Report]]
) -> list[Report]:
    """Return one report per target or error, in their order."""
    reports: list[Report] = []
    for target in found:
        if isinstance(target, CouldNotCheckError):
            reports.append(Report(target="", error=str(target)))
        elif reports_of[target]:
            reports.append(combine_reports(reports_of[target]))
    return reports


def show(outcome: Outcome, output_format: str, color: str) -> None:
    """Print *outcome* to standard output."""
    lines = render(outcome, output_format, wants_color(color))
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _show_printed(outcome: Outcome, verbose: bool) -> None:
    """Show what a target printed on standard error: its end if it fails, all if *verbose*."""
    for report in outcome.reports:
        lines = report.printed.splitlines()
        fails = report.error is not None or any(map(outcome.is_failure, report.findings))
        if not lines or not (verbose or fails):
            continue
        sys.stdout.flush()
        more = 0 if verbose else max(len(lines) - _SHOWN_LINES, 0)
        hint = f" ({more} earlier lines: --verbose)" if more else ""
        write_error(f"{printable(report.target)} printed{hint}:\n")
        for line in lines[more:]:
            write_error(f"  {printable(line)}\n")


def _cache_directory(checker: str) -> Path:
    try:
        import platformdirs
    except ModuleNotFoundError:
        raise not_installed("platformdirs", "backend-contract[check]") from None
    cache = platformdirs.user_cache_path("backend-contract") / checker
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CouldNotCheckError(
            f"cannot create the cache {cache}: {error.strerror}; use --no-cache"
        ) from None
    return cache


def format_os_error(error: OSError) -> str:
    """Return the file and the reason of an ``OSError`` on one line."""
    return f"{error.filename or 'this command'}: {error.strerror or error}"
