"""``mlh bundle``: a run in one file, by which others can check it and make it again."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlharness.cli.exits import ExitCode
from mlharness.cli.options import block_option, output_options
from mlharness.cli.output import Output
from mlharness.cli.run_names import known_runs, run_argument
from mlharness.cli.usage import SpellingGroup

if TYPE_CHECKING:
    from mlharness.bundling.findings import Checks
    from mlharness.bundling.packing import Packed
    from mlharness.bundling.verifying import Verified

_DEFAULT = "create"
_ALIKE = 0.75
_STATED = 6
"""Reasons for what was not recomputed that are shown without -v."""
bundle_argument = click.argument("bundle", metavar="BUNDLE", type=click.Path(path_type=Path))
data_dir_option = click.option(
    "--data-dir", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="Where the data set's files are; else DATA_DIR.",
)  # fmt: skip


class BundleGroup(SpellingGroup):
    """A group whose command :data:`_DEFAULT` need not be named: ``mlh bundle RUN``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with the default command before what names none."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names) and not self._misspelt(args[0]):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def _misspelt(self, word: str) -> bool:
        alike = difflib.get_close_matches(word, self.commands, n=1, cutoff=_ALIKE)
        return bool(alike) and not Path(word).exists()


@click.group(cls=BundleGroup)
def command() -> None:
    """Put a run into one file, or verify such a file. `mlh bundle RUN` is `mlh bundle create RUN`."""


@command.command()
@run_argument
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="Else RUN.mlhz, here.")
@click.option("--trace/--no-trace", default=True, help="Whether the trace of a traced run goes in.")
@click.option(
    "--with-files/--without-files", "files", default=None,
    help="Whether files that the manifests name by paths go in.",
)  # fmt: skip
@click.option("--lock/--no-lock", default=True, help="Whether the environment is locked; that asks the package index.")
@block_option
@output_options
def create(
    run: str, target: Path | None, trace: bool, files: bool | None, lock: bool, block: Sequence[str], output: Output
) -> None:
    """Put RUN into a bundle: manifests, plan, hashes, environment, system, LoadGen's logs, result and trace.

    Weights and data are named with their sources and hashes, and are not in it.
    """
    from mlharness.bundling.packing import Wish, default_target, pack
    from mlharness.cli.discovery import discover
    from mlharness.environments.creating import Telling
    from mlharness.errors import PluginError
    from mlharness.interrupts import interruptible

    plugins = discover(block)
    found = known_runs(output).find(run)
    try:
        with interruptible():
            packed = pack(
                found,
                target or default_target(found),
                plugins,
                Wish(trace, files, lock),
                Telling(output.note, output.detail),
            )
    except PluginError as error:
        raise plugins.explain(error) from error
    output.show(lambda: _document(packed), lambda: _print(output, packed))


def _document(packed: Packed) -> dict[str, Any]:
    return {
        "path": packed.path, "sha256": packed.sha256, "bytes": packed.path.stat().st_size, "notes": packed.notes,
        "bundle": packed.document,
    }  # fmt: skip


def _print(output: Output, packed: Packed) -> None:
    count, size = len(packed.document.members), packed.path.stat().st_size
    output.line(f"{packed.path}: {count} files, {size:,} bytes")
    output.line(f"sha256 {packed.sha256}")
    for note in packed.notes:
        output.line(f"  {note}")


@command.command()
@bundle_argument
@click.option("--trust", is_flag=True, help="Let Python of its manifests be executed, where the accuracy needs it.")
@data_dir_option
@block_option
@output_options
def verify(bundle: Path, trust: bool, data_dir: Path | None, block: Sequence[str], output: Output) -> ExitCode:
    """Recompute every figure of BUNDLE from its logs, and look for edits. The exit code is 3 when one is found."""
    from mlharness.bundling.reproducing import Permissions
    from mlharness.bundling.verifying import verify as look
    from mlharness.cli.discovery import discover
    from mlharness.cli.progress import make_watch

    found = look(bundle, discover(block), Permissions(trust, data_dir=data_dir), make_watch(output))
    output.show(lambda: document_of(found), lambda: _show(output, found))
    return ExitCode.DONE if found.checks.hold else ExitCode.FAILED


def document_of(found: Verified) -> dict[str, Any]:
    """What ``mlh bundle verify --json`` prints."""
    return {
        "holds": found.checks.hold,
        "sha256": found.sha256,
        "run": found.document.run,
        "findings": found.checks.findings,
        "recomputed": found.checks.recomputed,
        "stated": found.checks.stated,
    }


def _show(output: Output, found: Verified) -> None:
    checks = found.checks
    if checks.hold:
        output.line(f"{found.document.run.id}: holds")
    else:
        output.line(f"{found.document.run.id}: DOES NOT HOLD")
    output.line(f"sha256 {found.sha256}")
    show_findings(output, checks)
    output.line(
        f"{len(checks.recomputed)} values of the result were recomputed from the logs, {len(checks.stated)} were not:"
    )
    reasons = list(_grouped(checks))
    shown = reasons if output.verbose else reasons[:_STATED]
    for reason in shown:
        output.line(f"  {reason}")
    if len(shown) < len(reasons):
        output.line("  ... (-v shows all)")


def show_findings(output: Output, checks: Checks) -> None:
    """What does not hold, a line each."""
    for one in checks.findings:
        output.line(f"  {one.where}: {one.what}")


def _grouped(checks: Checks) -> Iterator[str]:
    """Keys that were not recomputed, by the reason; those below one key together."""
    grouped: dict[str, list[str]] = {}
    for key, reason in checks.stated.items():
        grouped.setdefault(reason, []).append(key)
    for reason, keys in grouped.items():
        names = list(dict.fromkeys(".".join(key.split(".")[:2]).partition("[")[0] for key in keys))
        yield f"{', '.join(names)}: {reason}"
