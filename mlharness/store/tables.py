"""The store's tables. :mod:`mlharness.store.migrating` makes them; a test holds its migrations against this module."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

runs = Table(
    "mlh_runs",  # the prefix is for a team's database, which may hold other tables
    metadata,
    Column("run_id", String, primary_key=True),
    Column("started", DateTime, nullable=False),  # UTC, without saying so: SQLite knows no time zones
    Column("finished", DateTime, nullable=False),
    Column("status", String, nullable=False),
    Column("rules", String, nullable=False),
    Column("scenario", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("model", String, nullable=False),
    Column("model_version", String, nullable=False),
    Column("weights", String, nullable=False),
    Column("framework", String, nullable=False),
    Column("framework_version", String),
    Column("device", String, nullable=False),
    Column("instances", Integer, nullable=False),
    Column("threads", Integer, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("dataset", String, nullable=False),
    Column("host", String, nullable=False),
    Column("cpu", String, nullable=False),
    Column("metric", String),
    Column("value", Double),
    Column("unit", String),
    Column("mean_ns", Double),
    Column("p50_ns", Double),
    Column("p90_ns", Double),
    Column("p99_ns", Double),
    Column("samples", BigInteger),
    Column("queries", BigInteger),
    Column("duration_s", Double),
    Column("accuracy_metric", String),
    Column("accuracy", Double),
    Column("accuracy_unit", String),
    Column("accuracy_passed", Boolean),
    Column("quality", String),
    Column("plan_sha256", String, nullable=False),
    Column("content_sha256", String, nullable=False),
    Column("kept_on", String, nullable=False),  # the host whose mlharness indexed the directory
    Column("root", String, nullable=False),
    Column("folder", String, nullable=False),
    Column("stamp", BigInteger, nullable=False),  # the directory's mtime in ns: other than this, it is read again
    Index("mlh_runs_started", "started"),
    Index("mlh_runs_plan_sha256", "plan_sha256"),
    Index("mlh_runs_root", "root"),
)

labels = Table(
    "mlh_labels",
    metadata,
    Column("run_id", String, ForeignKey("mlh_runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
    Index("mlh_labels_key_value", "key", "value"),
)

documents = Table(
    "mlh_documents",  # apart from the rows, which are read by the thousand
    metadata,
    Column("run_id", String, ForeignKey("mlh_runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("result", Text, nullable=False),
)

INTERNAL = ("content_sha256", "root", "folder", "stamp")
"""Columns that only the store itself uses."""
