"""``mlh sweep``: many models on many systems, resumed where it was stopped."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from mlharness.cli.exits import ExitCode
from mlharness.cli.options import allow_http_option, block_option, output_options
from mlharness.cli.output import Output
from mlharness.cli.summaries import Found, summarised, summary_option
from mlharness.errors import Interrupted, UserError

if TYPE_CHECKING:
    from mlharness.plugins import Plugins
    from mlharness.sweeping.cells import Cell
    from mlharness.sweeping.directory import SweepDirectory
    from mlharness.sweeping.document import Sweep
    from mlharness.sweeping.estimating import Estimator
    from mlharness.sweeping.journal import Entry
    from mlharness.sweeping.order import Unit
    from mlharness.sweeping.running import Bench, Hearing, Permissions, Result

LONG_S = 3600.0
"""A sweep that should take longer asks first, where somebody can be asked."""
_LATEST = ""
"""``--resume`` without a directory."""


@click.command("sweep")
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--dry-run", is_flag=True, help="Print the cells and how long they should take, run nothing.")
@click.option(
    "--resume",
    metavar="[DIR]",
    is_flag=False,
    flag_value=_LATEST,
    help="Go on with the sweep in DIR; without DIR, with the latest unfinished one of FILE.",
)
@click.option("--output", "root", type=click.Path(path_type=Path), help="Folder for sweep directories.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before a sweep of more than an hour.")
@click.option("--trust", is_flag=True, help="Let the manifests' Python be executed, now and later.")
@allow_http_option
@summary_option
@block_option
@output_options
def command(
    file: str | None, dry_run: bool, resume: str | None, root: Path | None, yes: bool, trust: bool, allow_http: bool,
    summaries: Sequence[str], block: Sequence[str], output: Output,
) -> ExitCode:  # fmt: skip
    """Measure many models on many systems.

    FILE is a sweep: a path, or the name of one that a plugin ships. A cell that fails is recorded and passed over.
    """
    from mlharness.sweeping.running import Permissions

    written = shlex.join(("mlh", "sweep", *([file] if file else []), *(["--resume"] if resume is not None else [])))
    with summarised(summaries, written, output, dry_run) as found:
        return _sweep(file, dry_run, resume, root, yes, Permissions(trust, allow_http), block, output, found)


def _sweep(
    file: str | None, dry_run: bool, resume: str | None, root: Path | None, yes: bool, allowed: Permissions,
    block: Sequence[str], output: Output, found: Found,
) -> ExitCode:  # fmt: skip
    from mlharness.cli.discovery import discover
    from mlharness.paths import sweeps_dir
    from mlharness.sweeping.directory import begin
    from mlharness.sweeping.estimating import from_store
    from mlharness.sweeping.running import Bench

    plugins = discover(block)
    runner = Bench(plugins, allowed, tuple(block))
    sweep, directory = _wanted(file, resume, root or sweeps_dir(), plugins)
    estimator = from_store()
    if dry_run:
        return _plan(sweep, directory, runner, estimator, output)
    if directory is None:
        if not (yes or _agreed(sweep, estimator, output)):
            return ExitCode.DONE
        directory = begin(root or sweeps_dir(), sweep)
    output.note(f"sweep: {directory.path}")
    _run(directory, runner, estimator, output, found)
    return _finish(directory, output, found)


def _wanted(
    file: str | None, resume: str | None, root: Path, plugins: Plugins
) -> tuple[Sweep, SweepDirectory | None]:  # fmt: skip
    """The sweep, and its directory when it is to be resumed. Raises UserError."""
    from mlharness.errors import PluginError
    from mlharness.sweeping.directory import find_unfinished, open_sweep
    from mlharness.sweeping.document import find_sweep, read_sweep

    if file is None:
        if not resume:
            raise UserError("which sweep?", "Give the FILE of a sweep, or --resume DIR.")
        directory = open_sweep(Path(resume))
        return directory.sweep, directory
    try:
        sweep = read_sweep(find_sweep(file, plugins.catalog))
    except PluginError as error:
        raise plugins.explain(error) from error
    if resume is None:
        return sweep, None
    directory = find_unfinished(root, sweep) if resume == _LATEST else open_sweep(Path(resume))
    if directory.sweep.sha256 != sweep.sha256:
        raise UserError(
            f"{file} asks for another sweep than the one in {resume}", f"Leave it out: mlh sweep --resume {resume}"
        )
    return directory.sweep, directory


def _agreed(sweep: Sweep, estimator: Estimator, output: Output) -> bool:
    """What the user answers about a long sweep; yes where nobody can be asked, or it is short."""
    seconds = sum(map(estimator.seconds, sweep.cells)) * sweep.repetitions
    count = len(sweep.cells) * sweep.repetitions
    output.note(f"{_count(count, 'run')}, about {duration(seconds)} ({estimator.basis})")
    asked = seconds > LONG_S and not output.json and sys.stdin.isatty()
    return click.confirm("Begin?", default=True, err=True) if asked else True


def _plan(
    sweep: Sweep, directory: SweepDirectory | None, runner: Bench, estimator: Estimator, output: Output
) -> ExitCode:
    """Print the cells, how long each should take, and those that cannot run here."""
    from dataclasses import asdict

    from mlharness.sweeping.order import schedule

    left = schedule(sweep) if directory is None else directory.left()
    runs = {cell.id: sum(unit.cell.id == cell.id for unit in left) for cell in sweep.cells}
    wrong = _obstacles(sweep, runner)
    seconds = sum(estimator.seconds(unit.cell) for unit in left if not wrong[unit.cell.id])
    cells = [
        {"cell": cell.id, **asdict(cell), "runs": runs[cell.id], "seconds": estimator.seconds(cell),
         "obstacle": wrong[cell.id]}
        for cell in sweep.cells
    ]  # fmt: skip
    document = {"name": sweep.name, "runs": len(left), "seconds": seconds, "basis": estimator.basis, "cells": cells}

    def people() -> None:
        from mlharness.cli.sweep_table import show_plan

        show_plan(output, document)
        able = sum(not wrong[unit.cell.id] for unit in left)
        output.line(f"{_count(able, 'run')}, about {duration(seconds)} ({estimator.basis})")

    output.show(lambda: document, people)
    return ExitCode.DONE


def _obstacles(sweep: Sweep, runner: Bench) -> dict[str, str]:
    """Why each cell cannot run, by its id; empty when it can. Batch size and instances are no reason for that."""
    from dataclasses import replace

    found: dict[str, str] = {}
    for cell in sweep.cells:
        alike = replace(cell, batch_size=None, instances=None)
        if alike.id not in found:
            found[alike.id] = _obstacle(alike, sweep, runner)
        found[cell.id] = found[alike.id]
    return found


def _obstacle(cell: Cell, sweep: Sweep, runner: Bench) -> str:
    """Why a cell cannot run, as far as it shows before anything is fetched; empty when it can."""
    try:
        runner.request(cell, sweep.base, sweep.base, {}).plan_without_fetching()
    except UserError as error:
        return error.message
    return ""


def _run(
    directory: SweepDirectory, runner: Bench, estimator: Estimator, output: Output, found: Found
) -> None:  # fmt: skip
    """Make what is left. Raises Interrupted, which says how to go on; UserError for a full disk, which does, too."""
    from mlharness.sweeping.running import run_all

    again = f"Go on with: mlh sweep --resume {directory.path}"

    def shown(place: SweepDirectory, unit: Unit, earlier: Sequence[Result]) -> Result:
        return _shown(place, unit, earlier, runner, output)

    try:
        run_all(directory, shown, _hearing(directory, estimator, output, found))
    except KeyboardInterrupt:
        left = len(directory.left())
        raise Interrupted(f"interrupted; {_count(left, 'run')} left", again) from None
    except UserError as error:
        raise type(error)(error.message, f"{error.remedy} {again}".strip()) from error


def _shown(
    directory: SweepDirectory, unit: Unit, earlier: Sequence[Result], runner: Bench, output: Output
) -> Result:  # fmt: skip
    """Make a run, with its progress."""
    from mlharness.cli.progress import make_observer

    observer = make_observer(output)
    manager = runner.plugins.manager
    manager.register(observer)
    try:
        return runner(directory, unit, earlier)
    finally:
        observer.close()
        manager.unregister(observer)


def _hearing(directory: SweepDirectory, estimator: Estimator, output: Output, found: Found) -> Hearing:
    """Tells of each run before and after it, and how much time is left: what was estimated, by what the runs took."""
    from mlharness.sweeping.running import Hearing
    from mlharness.sweeping.table import table_of

    begun, made = monotonic(), list[float]()

    def before(unit: Unit, number: int, total: int) -> None:
        expected = sum(estimator.seconds(one.cell) for one in directory.left())
        if made:
            expected *= (monotonic() - begun) / sum(made)
        again = f", repetition {unit.repetition}" if directory.sweep.repetitions > 1 else ""
        output.note(f"run {number} of {total}: {unit.cell}{again}; about {duration(expected)} left")

    def after(unit: Unit, entry: Entry) -> None:
        if entry.run_id:
            made.append(estimator.seconds(unit.cell))
        output.note(f"  {entry.status}: {entry.message}" if entry.message else f"  {entry.status}")

    def adopted(run_ids: Sequence[str]) -> None:
        # From here on the sweep is ours, and its journal could be read.
        found.table = functools.cache(functools.partial(table_of, directory))
        for run_id in run_ids:
            output.detail(f"had ended: {run_id}")

    return Hearing(before, after, adopted)


def _finish(directory: SweepDirectory, output: Output, found: Found) -> ExitCode:
    """Write table and plots, print them, and say how the sweep ended."""
    from mlharness.sweeping.drawing import INSTALL, can_draw, write_table

    table, files = write_table(directory)
    found.table = lambda: table

    def people() -> None:
        from mlharness.cli.sweep_table import show_table

        show_table(output, table)
        output.line(f"table: {directory.path / 'table.json'}")
        for file in files:
            output.line(f"plot: {file}")
        if files and not can_draw():
            output.note(INSTALL)

    output.show(lambda: {**table, "directory": directory.path, "plots": files}, people)
    return exit_code_of(table)


def exit_code_of(table: dict[str, Any]) -> ExitCode:
    """DONE when every cell has a valid run: otherwise what stands for the worst of them."""
    from mlharness.sweeping.table import could_run, has_figures

    rows = table["rows"]
    if any("bug" in row["counts"] for row in rows):
        return ExitCode.BUG
    if not could_run(table):
        return ExitCode.INPUT
    if not all(map(has_figures, rows)):
        return ExitCode.FAILED
    missed = any(row["accuracy"] and row["accuracy"]["passed"] is False for row in rows)
    return ExitCode.ACCURACY if missed else ExitCode.DONE


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
