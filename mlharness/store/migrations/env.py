"""Alembic runs this for every migration; the connection, in a transaction of its own, comes from ``migrating.py``."""

from __future__ import annotations

from alembic import context

from mlharness.store.migrating import VERSION_TABLE
from mlharness.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
