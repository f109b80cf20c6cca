"""``mlh compare``: is B faster than A, by how much, and is the question fair?"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from mlharness.cli.exits import ExitCode
from mlharness.cli.options import output_options
from mlharness.cli.output import Output
from mlharness.cli.run_names import complete_runs, known_runs
from mlharness.cli.summaries import summarised, summary_option


@click.command("compare")
@click.argument("names", metavar="A B [C ...]", nargs=-1, shell_complete=complete_runs)
@click.option("--anyway", is_flag=True, help="Rank an unfair pair, too; the result says so.")
@click.option(
    "--fail-if", "conditions", multiple=True, metavar="[METRIC:]slower:X%",
    help="Exit with 3 when B is seen to be slower (or faster) by so much; repeatable.",
)  # fmt: skip
@click.option("--format", "form", type=click.Choice(("table", "markdown")), default="table", show_default=True,
              help="For a terminal, or for a page.")  # fmt: skip
@summary_option
@output_options
def command(
    names: Sequence[str], anyway: bool, conditions: Sequence[str], form: str, summaries: Sequence[str], output: Output
) -> ExitCode:
    """Compare runs, or groups of repeated runs: A against each of the others.

    A run is its name or the beginning of it, its directory, or @last, @-2 and so on. A group is several joined by
    commas, a pattern in quotes, label:KEY=VALUE, series:RUN (all runs of that --repeat, or of that side of --against)
    or plan:RUN (all runs of that plan on that host).
    """
    from mlharness.cli.comparison import report
    from mlharness.comparing.selecting import select_runs
    from mlharness.comparing.verdict import parse_condition
    from mlharness.errors import UserError

    with summarised(summaries, shlex.join(("mlh", "compare", *names)), output) as found:
        wanted = [parse_condition(text) for text in conditions]
        if len(names) < 2:
            remedy = "Name two runs, or two groups of runs: mlh compare @-2 @last."
            raise UserError("there is nothing to compare", remedy)
        runs = known_runs(output)
        groups = [select_runs(runs, name) for name in names]
        return report(output, groups, anyway, wanted, found, form == "markdown")
