"""``mlh trust``: whose Python may run, and how to withdraw that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlharness.cli.options import output_options
from mlharness.cli.output import Output
from mlharness.cli.usage import SpellingGroup

if TYPE_CHECKING:
    from mlharness.manifest.trust import TrustStore


@click.group(cls=SpellingGroup)
def command() -> None:
    """List or withdraw the trust that `--trust` gave to the Python of manifests and model code."""


@command.command("list")
@output_options
def list_trusted(output: Output) -> None:
    """List what is trusted: the hash of its content, and what it was called when it was trusted."""
    rows = [_row(entry) for entry in _store().entries()]
    if not rows and not output.json:
        output.note("Nothing is trusted but what installed plugins and mlharness ship.")
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    output.show(
        lambda: {"trusted": rows},
        lambda: output.table([key.upper() for key in columns], [[str(row[key]) for key in columns] for row in rows]),
    )


@command.command()
@click.argument("prefix", metavar="PREFIX")
@output_options
def revoke(prefix: str, output: Output) -> None:
    """Withdraw the trust in what has a hash beginning with PREFIX."""
    revoked = _row(_store().revoke(prefix))
    output.show(lambda: {"revoked": revoked}, lambda: output.note(f"Revoked: {' '.join(map(str, revoked.values()))}"))


def _store() -> TrustStore:
    from mlharness.manifest.trust import user_trust

    return user_trust()


def _row(entry: Any) -> dict[str, Any]:
    """An entry's fields by name."""
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}
