"""The command ``backend-contract check``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from backend_contract._conformance.cli.streams import print_error, show_progress, write_error
from backend_contract._conformance.formats import load, render
from backend_contract._conformance.formats.common import number, printable
from backend_contract._conformance.formats.text import wants_color
from backend_contract._conformance.results import Outcome, Report, combine_reports
from backend_contract._conformance.static.checkers import CHECKERS, Checker, not_installed
from backend_contract.errors import CouldNotCheckError

if TYPE_CHECKING:
    from backend_contract._conformance.cli.settings import Selection, Settings
    from backend_contract._conformance.source.discovery import Found
    from backend_contract._conformance.source.environment import Environment
    from backend_contract._conformance.source.targets import Target

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
    time_limit: float | None
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
    outcome, has_fixes = _carry_out(options)
    if not options.diff or outcome.problems:  # a diff takes the place of the report
        show(outcome, options.output_format, options.color)
        _show_printed(outcome, options.verbose)
    for _, message in outcome.errors:
        print_error(message)
    if outcome.errors:
        return COULD_NOT_CHECK
    return VIOLATED if outcome.fails or (options.diff and has_fixes) else OK


def _carry_out(options: Options) -> tuple[Outcome, bool]:
    """Return the outcome of a run, and whether there was something to fix."""
    try:
        _validate(options)
        run = _prepare(options)
        has_fixes = options.fix and _fix(run)
        return _check(run), has_fixes
    except CouldNotCheckError as error:
        return Outcome(problems=(str(error),)), False
    except OSError as error:
        problem = f"{error.filename or 'this command'}: {error.strerror or error}"
        return Outcome(problems=(problem,)), False


class _Run(NamedTuple):
    """The options of a run, completed by the settings of the project."""

    options: Options
    settings: Settings
    checkers: list[Checker]
    selection: Selection
    environment: Environment


def _prepare(options: Options) -> _Run:
    from backend_contract._conformance.cli.settings import read_settings, select_clauses
    from backend_contract._conformance.source.environment import environment_of, this_environment

    settings = read_settings(Path.cwd(), (*CHECKERS, ALL))
    checkers = _choose_checkers(options.checker or settings.checkers)
    selection = select_clauses(
        settings.select if options.select is None else options.select,
        settings.ignore if options.ignore is None else options.ignore,
        layers="SB" if options.run else "S",
    )
    environment = environment_of(options.python) if options.python else this_environment()
    return _Run(options, settings, checkers, selection, environment)


def _fix(run: _Run) -> bool:
    """Fix the targets; return whether there was something to fix."""
    from backend_contract._conformance.cli.expected_violations import mark, mark_expected
    from backend_contract._conformance.cli.fix import fix

    options, found = run.options, _find(run).targets
    spared = dict.fromkeys(run.selection.not_selected, "not selected")

    def spare(reports: Sequence[Report]) -> Sequence[Report]:
        reports = [mark(report, spared) for report in reports]
        return mark_expected(run.settings, run.environment, found, reports, not options.targets)

    return fix(
        _without_errors(found),
        run.settings.directory,
        run.checkers,
        run.environment,
        partial(_cache_of, options),
        spare,
        unsafe=options.unsafe_fixes,
        diff=options.diff,
        # A diff, and the formats for programs, are alone on standard output.
        is_alone=options.diff or options.output_format != "full",
    )


def _without_errors(found: Sequence[Target | CouldNotCheckError]) -> list[Target]:
    return [each for each in found if not isinstance(each, CouldNotCheckError)]


def _check(run: _Run) -> Outcome:
    from backend_contract._conformance.cli.expected_violations import (
        mark_expected,
        names_in_settings,
    )

    options, settings, selection = run.options, run.settings, run.selection
    search = _find(run)
    found = search.targets
    if options.factory is not None and len(found) != 1:
        raise CouldNotCheckError(f"--factory requires exactly one target, got {len(found)}")
    targets = _without_errors(found)
    reports_of, problems = _check_types(targets, run)
    if options.run:
        _try_behaviour(reports_of, run)
    reports = [selection.filter(report) for report in _combine(found, reports_of)]
    reports = mark_expected(settings, run.environment, found, reports, not options.targets)
    return Outcome(
        reports=[report for report in reports if report.findings or report.error is not None],
        problems=tuple(problems),
        not_selected=selection.not_selected,
        names_in_settings=names_in_settings(targets, settings),
        notes=(*search.notes, *_notes_alone(reports)),
        not_checked=search.not_checked,
        excluded=search.excluded,
        lenient=_choose(options.lenient, settings.lenient),
        error_on_warning=_choose(options.error_on_warning, settings.error_on_warning),
    )


def _notes_alone(reports: Sequence[Report]) -> Iterator[str]:
    """Yield the notes of the targets that have no finding, which no format shows."""
    for report in reports:
        if not report.findings and report.error is None:
            yield from (f"{report.target}: {note}" for note in report.notes)


def _validate(options: Options) -> None:
    """Raise :class:`CouldNotCheckError` if an option is invalid, or lacks the one it requires."""
    of_run = {
        "--backend-config": options.backend_config,
        "--factory": options.factory,
        "--time-limit": options.time_limit,
        "--exclusive": options.exclusive,
    }
    of_fix = {"--unsafe-fixes": options.unsafe_fixes, "--diff": options.diff}
    for required, is_given, others in (
        ("--run", options.run, of_run),
        ("--fix", options.fix, of_fix),
    ):
        for name, value in others.items():
            if value not in (None, False) and not is_given:
                raise CouldNotCheckError(f"{name} requires {required}")
    if options.diff and options.output_format != "full":
        raise CouldNotCheckError("--diff prints a diff, not a report; omit --output-format")


def _choose(option: bool | None, setting: bool) -> bool:
    return setting if option is None else option


def _find(run: _Run) -> Found:
    from backend_contract._conformance.source.discovery import search

    settings, environment = run.settings, run.environment
    if run.options.targets:
        return search(run.options.targets, environment, Path.cwd(), settings)
    here = settings.directory
    found = search(settings.targets, environment, here, settings, whole_project=True)
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
    targets: Sequence[Target], run: _Run
) -> tuple[dict[Target, list[Report]], list[str]]:
    """Return the reports of each target, one per checker, and the errors of unusable checkers."""
    from backend_contract._conformance.static.checkers.subprocesses import side_by_side
    from backend_contract._conformance.static.checking import check as check_types

    reports_of: dict[Target, list[Report]] = {target: [] for target in targets}
    how_many = number(len(reports_of), "target")
    running = [checker.name for checker in run.checkers]

    def check_by(checker: Checker) -> list[Report] | CouldNotCheckError:
        try:
            cache = _cache_of(run.options, checker.name)
            return check_types(list(reports_of), checker, cache, run.environment)
        except CouldNotCheckError as error:
            return error
        finally:
            running.remove(checker.name)

    with show_progress(lambda: f"{', '.join(running)}: checking {how_many}"):
        results = side_by_side([partial(check_by, checker) for checker in run.checkers])
    problems: list[str] = []
    for reports in results:  # in the order of the checkers, whichever ended first
        if isinstance(reports, CouldNotCheckError):
            problems.append(str(reports))
            continue
        for target, report in zip(reports_of, reports, strict=True):
            reports_of[target].append(report)
    return reports_of, problems


def _try_behaviour(reports_of: dict[Target, list[Report]], run: _Run) -> None:
    from backend_contract._conformance.behavioural.run import DEFAULT_TIME_LIMIT
    from backend_contract._conformance.cli.sandbox import RunOptions, try_target

    options = run.options
    given = RunOptions(
        config=options.backend_config,
        factory=options.factory,
        time_limit=options.time_limit or DEFAULT_TIME_LIMIT,
        exclusive=options.exclusive,
    )
    clauses, steps = run.selection.selected, ["its import"]
    for target, reports in reports_of.items():
        with show_progress(partial(_describe_step, target, steps)):
            reports.append(try_target(target, run.environment, given, clauses, steps.append))


def _describe_step(target: Target, steps: Sequence[str]) -> str:
    return f"running {target.text}: {steps[-1]}"


def _combine(
    found: Sequence[Target | CouldNotCheckError], reports_of: dict[Target, list[Report]]
) -> list[Report]:
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


def _cache_of(options: Options, checker: str) -> Path | None:
    """Return the directory that a checker may use as its cache, if any."""
    if options.no_cache:
        return None
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
