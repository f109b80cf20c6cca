"""Brings a store's tables to the form that this mlharness knows, by Alembic's migrations in ``migrations/versions``."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from mlharness.errors import StoreError

HEAD = "0001"
"""The newest migration: a store that has it is used as it is, and Alembic is not even imported."""
VERSION_TABLE = "mlh_version"
_FOLDER = Path(__file__).parent / "migrations"


def revision_of(connection: Connection) -> str | None:
    """The newest migration that the store has seen; None for an empty database."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608  # our own constant
    return found


def upgrade(connection: Connection, name: str) -> None:
    """Run the migrations that are missing, within the connection's transaction.

    Raises:
        StoreError: the store has seen a migration that this mlharness does not know.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))  # "%" begins an interpolation
    found = revision_of(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"the store {name} was made by a newer mlharness (its tables are {found}, those of this one {HEAD})",
            "Upgrade mlharness, or choose another store with MLH_STORE.",
        )
    command.upgrade(config, "head")
