"""Options that choose runs, and what their words mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import click

from mlharness.cli.options import complete_frameworks, split_label
from mlharness.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from mlharness.store.opening import Store
    from mlharness.store.querying import Filter

SCENARIOS = ("SingleStream", "MultiStream", "Server", "Offline")
"""The plan's, which would bring NumPy with it; a test holds the two together."""
STATUSES = ("valid", "invalid", "failed", "interrupted")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,6})([mhdw])\Z")

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
    """Add the options; the command receives them by name, for :func:`make_filter`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def make_filter(*, labels: Sequence[str], since: str | None, until: str | None, **same: tuple[str, ...]) -> Filter:
    """What the options mean. Raises UserError for a time that is none."""
    from mlharness.store.querying import Filter

    pairs = [split_label(text) if "=" in text else (text, None) for text in labels]
    return Filter(
        labels=tuple(pairs),
        since=moment("--since", since) if since else None,
        until=moment("--until", until, end=True) if until else None,
        **same,
    )


def moment(option: str, text: str, end: bool = False) -> datetime:
    """A time in UTC, without a zone: ISO 8601, or how long ago. ``end``: a date means the end of its day.

    Raises:
        UserError: it is neither.
    """
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    try:
        if ago := _AGO.match(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        # Python 3.10 does not know Z
        found = datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", text.strip()))
        if found.tzinfo is not None:
            found = found.astimezone(timezone.utc).replace(tzinfo=None)
        return found + timedelta(days=1) if end and re.fullmatch(r"[\d-]+", text) else found
    except (ValueError, OverflowError) as error:
        raise UserError(
            f"{option} {text!r} is no time", "Write 2026-11-26, 2026-11-26T14:30, or how long ago: 7d, 12h, 30m."
        ) from error


def misspelt(store: Store, wanted: Filter) -> str:
    """For a filter that no run matches: the name in it that no run has, with the likely right one; mostly empty."""
    from mlharness.store.querying import values_of

    asked: Mapping[str, tuple[str, ...]] = {
        "model": wanted.models,
        "framework": tuple(name.partition("==")[0] for name in wanted.frameworks),
        "host": wanted.hosts,
    }
    for column, names in asked.items():
        known = values_of(store, column) if names else []
        for name in names:
            if "*" not in name and "?" not in name and name.lower() not in map(str.lower, known):
                return f"--{column} {name}: no run has it. {did_you_mean(name, known)}"
    return ""
