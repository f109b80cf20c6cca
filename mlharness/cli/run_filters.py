"""Options that choose runs; :mod:`mlharness.store.filtering` knows what their words mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from mlharness.cli.options import complete_frameworks
from mlharness.store.filtering import SCENARIOS, STATUSES

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--model", "models", multiple=True, metavar="NAME", help="Of this model; * and ? stand for others."),
    click.option(
        "--framework", "frameworks", multiple=True, metavar="NAME[==VERSION]", shell_complete=complete_frameworks,
        help="On this framework.",
    ),
    click.option("--host", "hosts", multiple=True, metavar="NAME", help="Measured on this host."),
    click.option(
        "--status", "statuses", multiple=True, type=click.Choice(STATUSES, case_sensitive=False),
        help="With this verdict.",
    ),
    click.option(
        "--scenario", "scenarios", multiple=True, type=click.Choice(SCENARIOS, case_sensitive=False),
        help="Of this scenario.",
    ),
    click.option("--label", "labels", multiple=True, metavar="K[=V]", help="With this label; with every one given."),
    click.option("--since", metavar="TIME", help="Started at this time (UTC) or later; 7d, 12h, 30m: so long ago."),
    click.option("--until", metavar="TIME", help="Started before this time; a date includes its day."),
)  # fmt: skip
"""Each but the last two can be given more than once: any of the values will do."""


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command receives them by name, for :func:`~mlharness.store.filtering.make_filter`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
