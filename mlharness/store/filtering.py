"""What people write to choose runs, on a command line or in a form, and the filter that it means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from mlharness.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from mlharness.store.opening import Store
    from mlharness.store.querying import Filter

SCENARIOS = ("SingleStream", "MultiStream", "Server", "Offline")
"""The plan's, which would bring NumPy with it; a test holds the two together."""
STATUSES = ("valid", "invalid", "failed", "interrupted")
"""The result's."""
OPTION = "--"
"""What messages put before the name of a field: a command line's."""
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,6})([mhdw])\Z")


def make_filter(
    *, labels: Sequence[str], since: str | None, until: str | None, prefix: str = OPTION, **same: tuple[str, ...]
) -> Filter:
    """What the words mean. Raises UserError for a time or a label that is none; ``prefix`` goes before their names."""
    from mlharness.store.querying import Filter

    pairs = [split_label(text, f"{prefix}label ") if "=" in text else (text, None) for text in labels]
    return Filter(
        labels=tuple(pairs),
        since=moment(f"{prefix}since", since) if since else None,
        until=moment(f"{prefix}until", until, end=True) if until else None,
        **same,
    )


def split_label(text: str, option: str = "--label ") -> tuple[str, str]:
    """Key and value of ``KEY=VALUE``. Raises UserError for anything else; ``option`` is what the user wrote before."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UserError(f"{option}{text!r} is no label", f"Write {option}KEY=VALUE.")
    return key, value


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


def misspelt(store: Store, wanted: Filter, prefix: str = OPTION) -> str:
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
                return f"{prefix}{column} {name}: no run has it. {did_you_mean(name, known)}"
    return ""
