"""``mlh runs``: the runs that were made, in a table; one of them; labels, removal, and the way in and out."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlharness.cli.exits import ProblemsError
from mlharness.cli.options import output_options
from mlharness.cli.output import Output
from mlharness.cli.run_filters import filter_options
from mlharness.cli.run_names import complete_runs, known_runs, run_argument
from mlharness.cli.summaries import Made, summarised, summary_option
from mlharness.cli.usage import SpellingGroup
from mlharness.errors import UserError
from mlharness.store.filtering import make_filter, misspelt, split_label

if TYPE_CHECKING:
    from mlharness.runs import Run
    from mlharness.store.index import Indexed

LIMIT = 50
"""How many runs are listed when the user does not say."""
_PATH = click.Path(path_type=Path)
_FOLDERS = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(cls=SpellingGroup, invoke_without_command=True)
@filter_options
@click.option("--limit", type=click.IntRange(0), default=LIMIT, show_default=True, help="List so many; 0 for all.")
@output_options
@click.pass_context
def command(context: click.Context, /, limit: int, output: Output, **chosen: Any) -> None:
    """List runs, the latest first, or do something with some.

    RUN is @last, @-2 (the one before the last), a run id, the beginning of one, or the path of a run directory.
    """
    if context.invoked_subcommand is not None:
        return
    from mlharness.cli.run_table import NEEDED, show_runs
    from mlharness.store.querying import Filter, count_runs, list_runs

    wanted, store = make_filter(**chosen), known_runs(output).store
    rows = list_runs(store, wanted, limit or None, () if output.json else NEEDED)
    if not rows and not output.json:
        none = "No runs yet: mlh bench MODEL makes one." if wanted == Filter() else "No run matches."
        output.note(" ".join(filter(None, (none, misspelt(store, wanted)))))
        return
    show_runs(output, rows, count_runs(store, wanted) if len(rows) == limit else len(rows))


@command.command()
@run_argument
@summary_option
@output_options
def show(run: str, summaries: Sequence[str], output: Output) -> None:
    """Show the result of RUN, as mlh bench printed it; with --json, its document."""
    with summarised(summaries, shlex.join(("mlh", "runs", "show", run)), output) as summary:
        found = known_runs(output).find(run)
        summary.runs.append(Made(found.result))
        _show(found, output)


def _show(found: Run, output: Output) -> None:
    from mlharness.cli.summary import show_result

    output.show(lambda: found.result, lambda: show_result(output, found.result, found.directory))
    if not output.json and found.result["labels"]:
        output.line("labels  " + ", ".join(f"{key}={value}" for key, value in found.result["labels"].items()))
    if not found.here:
        output.note(f"This is what the store knows; the run directory is {found.whereabouts}.")


@command.command()
@run_argument
@click.argument("given", metavar="K=V...", nargs=-1)
@click.option("--remove", "removed", multiple=True, metavar="K", help="Remove this label; can be repeated.")
@output_options
def label(run: str, given: Sequence[str], removed: Sequence[str], output: Output) -> None:
    """Set labels of RUN, or remove some. They are kept in labels.json of the run directory."""
    from mlharness.store.index import index
    from mlharness.store.labelling import change_labels

    if not given and not removed:
        raise UserError("there is no label to set or remove", "Write: mlh runs label RUN KEY=VALUE")
    runs = known_runs(output)
    found = runs.find(run)
    labels = change_labels(found.files(), dict(split_label(text, "") for text in given), removed)
    index(runs.store, [found.directory])
    words = ", ".join(f"{key}={value}" for key, value in labels.items()) or "no labels"
    output.show(lambda: {"run_id": found.run_id, "labels": labels}, lambda: output.line(f"{found.run_id}: {words}"))


@command.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@output_options
def rm(runs: Sequence[str], yes: bool, output: Output) -> None:
    """Remove runs: their directories with all files, and what the store has of them."""
    from mlharness.store.index import forget
    from mlharness.store.removing import remove_directory

    known = known_runs(output)
    store, found = known.store, known.find_all(runs)
    if not yes and not _agreed(found, output):
        return
    for run in found:
        if run.here:
            remove_directory(run.directory)
        forget(store, [run.run_id])
        if not run.here:
            output.note(f"{run.run_id}: only the store's entry; the run directory is {run.whereabouts}.")
    ids = [run.run_id for run in found]
    output.show(lambda: {"removed": ids}, lambda: output.note(f"Removed: {', '.join(ids)}"))


@command.command("index")
@click.argument("roots", metavar="[ROOT...]", nargs=-1, type=_FOLDERS)
@output_options
def index_runs(roots: Sequence[Path], output: Output) -> None:
    """Make the store anew from run directories, and forget those that are gone.

    ROOT is a folder of run directories. Without one: where mlh bench keeps runs, and every other that the store knows.
    """
    from mlharness.paths import runs_dir
    from mlharness.store.index import rebuild, roots_of
    from mlharness.store.opening import open_store

    store = open_store()
    _tell(rebuild(store, roots or [runs_dir(), *roots_of(store)]), output, "indexed")


@command.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=_FOLDERS)
@click.option("--in-place", is_flag=True, help="Copy nothing: leave them where they are.")
@output_options
def import_runs(paths: Sequence[Path], in_place: bool, output: Output) -> None:
    """Bring runs from elsewhere: PATH is a run directory, or a folder of some.

    Each is checked and copied to where mlh bench keeps runs. What is wrong with one does not stop the others.
    """
    from mlharness.paths import runs_dir
    from mlharness.store import importing

    found = importing.import_runs(known_runs(output).store, paths, runs_dir(), copy=not in_place)
    _tell(found, output, "imported")


@command.command()
@filter_options
@click.option("--format", "form", type=click.Choice(("csv", "parquet")), help="Else by the file's suffix, or CSV.")
@click.option("-o", "--output", "target", type=_PATH, metavar="FILE", help="Write it here; else CSV to stdout.")
@output_options
def export(form: str | None, target: Path | None, output: Output, **chosen: Any) -> None:
    """Write runs as a table, one row each: CSV or Parquet."""
    from mlharness.store import exporting
    from mlharness.store.querying import list_runs

    form, wanted = exporting.format_of(target, form), make_filter(**chosen)
    if target is None and output.json:
        raise UserError("--json: the rows would go to stdout as well", "Name a file: -o runs.csv")
    rows = list_runs(known_runs(output).store, wanted)
    if target is None:
        exporting.write_csv(rows, sys.stdout)
        return
    exporting.export(rows, target, form)
    output.show(
        lambda: {"file": target, "format": form, "runs": len(rows)},
        lambda: output.note(f"{_count(len(rows), 'run')} in {target}"),
    )


def _agreed(found: Sequence[Run], output: Output) -> bool:
    """What the user answers. Raises UserError where nobody can be asked."""
    if output.json or not sys.stdin.isatty():
        raise UserError("nobody can be asked whether to remove these runs", "Give --yes.")
    for run in found:
        output.note(f"{run.run_id}  {run.whereabouts}")
    return click.confirm(f"Remove {_count(len(found), 'run')} with all files?", err=True)


def _tell(found: Indexed, output: Output, verb: str) -> None:
    """What became of run directories. Raises ProblemsError when there is something wrong with one."""
    counts = {
        verb: [*found.added, *found.updated],
        "unchanged": found.unchanged,
        "known by another copy": found.known,
        "forgotten": found.forgotten,
        "incomplete": [str(path) for path in found.incomplete],
    }
    problems = [
        {"directory": str(one.directory), "message": one.message, "remedy": one.remedy} for one in found.problems
    ]
    document = {**{name.replace(" ", "_"): runs for name, runs in counts.items()}, "problems": problems}
    for name, runs in counts.items():
        for run in runs:
            output.detail(f"{name}: {run}")
    output.note(", ".join(f"{len(runs):,} {name}" for name, runs in counts.items() if runs) or "No runs.")
    if problems:
        for problem in problems:
            output.line(f"{problem['message']}\n  {problem['remedy']}".rstrip())
        raise ProblemsError(
            f"{_count(len(problems), 'run directory', 'run directories')} could not be {verb}",
            "Mend what the lines above name." if not output.json else "See problems.",
            document,
        )
    output.show(lambda: document, lambda: None)


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
