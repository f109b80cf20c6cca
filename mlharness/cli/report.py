"""``mlh report``: one HTML file about a run, a sweep, or a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from mlharness.cli.options import output_options
from mlharness.cli.output import Output
from mlharness.cli.run_names import complete_runs, known_runs
from mlharness.errors import UserError

COMPARISON = "comparison.html"
"""Where the page of a comparison goes, in the current folder: it has no directory of its own."""
_FILE = click.Path(dir_okay=False, path_type=Path)


class Page(NamedTuple):
    """A page and where it goes by itself."""

    kind: str
    text: str
    place: Path


@click.command("report")
@click.argument("names", metavar="RUN|SWEEP|A B...", nargs=-1, required=True, shell_complete=complete_runs)
@click.option("-o", "--output", "target", type=_FILE, metavar="FILE", help="Write the page here.")
@click.option("--open", "opened", is_flag=True, help="Show it in the browser.")
@click.option("--anyway", is_flag=True, help="With several names: rank an unfair pair, too; the page says so.")
@output_options
def command(names: Sequence[str], target: Path | None, opened: bool, anyway: bool, output: Output) -> None:
    """Make a page of a run, a sweep or a comparison: one HTML file that needs no network.

    One name is a run (also one that failed or never ended) or a sweep; the page goes into its directory, as
    report.html. Several are compared, A against each of the others, named as for mlh compare; that page goes into the
    current folder, as comparison.html.
    """
    if anyway and len(names) == 1:
        raise UserError("--anyway is for a comparison", "Name two runs, or two groups of runs.")
    page = _of_comparison(names, anyway, output) if len(names) > 1 else _of_one(names[0], output)
    from mlharness.reporting.page import write_page

    path = write_page((target or page.place).absolute(), page.text)
    document = {"kind": page.kind, "report": path, "bytes": path.stat().st_size}
    output.show(lambda: document, lambda: output.line(str(path)))
    if opened and click.launch(path.as_uri()) != 0:
        output.note("No browser could be started: open the file yourself.")


def _of_one(name: str, output: Output) -> Page:
    """The page of a run or of a sweep. Raises UserError when it is neither."""
    sweep = _sweep_of(name)
    if sweep is not None:
        from mlharness.reporting.sweep import sweep_page
        from mlharness.sweeping.directory import open_sweep

        return Page("sweep", sweep_page(open_sweep(sweep)), sweep / _report())
    from mlharness.reporting.run import run_page

    begun = Path(name)
    directory = begun if _begun(begun) else known_runs(output).find(name).files()
    return Page("run", run_page(directory), directory / _report())


def _sweep_of(name: str) -> Path | None:
    """The directory of a sweep, by its path or its name; None for anything else."""
    from mlharness.paths import sweeps_dir
    from mlharness.sweeping.directory import SWEEP

    places = (Path(name), *(() if "/" in name else (sweeps_dir() / name,)))
    try:
        return next((place for place in places if (place / SWEEP).is_file()), None)
    except (OSError, ValueError):  # what cannot be a path is no sweep
        return None


def _begun(path: Path) -> bool:
    """Whether this is the directory of a run that has at least begun."""
    from mlharness.rundir import PLAN

    try:
        return (path / PLAN).is_file()
    except (OSError, ValueError):
        return False


def _of_comparison(names: Sequence[str], anyway: bool, output: Output) -> Page:
    """The page of a comparison. Raises UserError when there is nothing to compare."""
    from mlharness.comparing.comparison import compare_groups
    from mlharness.comparing.selecting import select_runs
    from mlharness.reporting.comparison import comparison_page

    runs = known_runs(output)
    document = compare_groups([select_runs(runs, name) for name in names], anyway)
    for comparison in document["comparisons"]:
        if not comparison["ranked"]:
            why = "; ".join(comparison["unfair"]) or "a side has no valid run"
            output.note(f"{comparison['b']} is not ranked against {comparison['a']}: {why}")
    return Page("comparison", comparison_page(document), Path(COMPARISON))


def _report() -> str:
    from mlharness.reporting.run import REPORT

    return REPORT
