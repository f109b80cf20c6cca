"""``mlh doctor``: what would spoil a figure on this host, what cannot run, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlharness.cli.exits import ProblemsError
from mlharness.cli.options import block_option, output_options
from mlharness.cli.output import Output

if TYPE_CHECKING:
    from mlharness.doctor import Check


@click.command()
@block_option
@output_options
def command(block: Sequence[str], output: Output) -> None:
    """Check this host, plugins and frameworks before a run.

    Each row is ok, warn or bad; what is not ok comes with its remedy. The exit code is 2 when nothing can run.
    """
    from mlharness.cli.discovery import discover
    from mlharness.doctor import examine, nothing_runs

    checks = examine(discover(block), block)
    if not output.json:
        _print(output, checks)
    document = {"checks": [_row(check) for check in checks]}
    if nothing_runs(checks):
        first = next(check for check in checks if check.blocking)
        raise ProblemsError(f"nothing can run: {first.check}: {first.finding}", first.remedy, document)
    output.show(lambda: document, lambda: None)


def _row(check: Check) -> dict[str, str]:
    return {"check": check.check, "finding": check.finding, "status": check.status, "remedy": check.remedy}


def _print(output: Output, checks: Sequence[Check]) -> None:
    rows = [[check.check, check.status, check.finding, check.remedy] for check in checks]
    output.table(("CHECK", "STATUS", "FINDING", "REMEDY"), rows)
