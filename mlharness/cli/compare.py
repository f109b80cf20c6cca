"""``mlh compare``: is B faster than A, by how much, and is the question fair?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mlharness.cli.exits import ExitCode
from mlharness.cli.options import output_options
from mlharness.cli.output import Output


@click.command("compare")
@click.argument("runs", metavar="A B [C ...]", nargs=-1)
@click.option("--runs", "root", type=click.Path(path_type=Path), metavar="DIR", help="Folder of run directories.")
@click.option("--anyway", is_flag=True, help="Rank an unfair pair, too; the result says so.")
@click.option(
    "--fail-if", "conditions", multiple=True, metavar="[METRIC:]slower:X%",
    help="Exit with 3 when B is seen to be slower (or faster) by so much; repeatable.",
)  # fmt: skip
@click.option("--format", "form", type=click.Choice(("table", "markdown")), default="table", show_default=True,
              help="For a terminal, or for a page.")  # fmt: skip
@output_options
def command(
    runs: Sequence[str], root: Path | None, anyway: bool, conditions: Sequence[str], form: str, output: Output
) -> ExitCode:
    """Compare runs, or groups of repeated runs: A against each of the others.

    A run is its name or the beginning of it, its directory, or @last, @-2 and so on. A group is several joined by
    commas, a pattern in quotes, label:KEY=VALUE, series:RUN (all runs of that --repeat, or of that side of --against)
    or plan:RUN (all runs of that plan on that host).
    """
    from mlharness.cli.comparison import report
    from mlharness.comparing.selecting import Shelf
    from mlharness.comparing.verdict import parse_condition
    from mlharness.errors import UserError
    from mlharness.paths import runs_dir

    wanted = [parse_condition(text) for text in conditions]
    if len(runs) < 2:
        raise UserError("there is nothing to compare", "Name two runs, or two groups of runs: mlh compare @-2 @last.")
    shelf = Shelf(root or runs_dir())
    return report(output, [shelf.select(text) for text in runs], anyway, wanted, form == "markdown")
