"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make runs, their labels and their documents."""
    op.create_table("mlh_runs", *what(), *measured(), *kept())
    for column in ("started", "plan_sha256", "root"):
        op.create_index(f"mlh_runs_{column}", "mlh_runs", [column])
    op.create_table(
        "mlh_labels",
        run(),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )
    op.create_index("mlh_labels_key_value", "mlh_labels", ["key", "value"])
    op.create_table("mlh_documents", run(), sa.Column("result", sa.Text, nullable=False))


def downgrade() -> None:
    """Drop all."""
    for table in ("mlh_documents", "mlh_labels", "mlh_runs"):
        op.drop_table(table)


def run() -> sa.Column[str]:
    """The run that a row belongs to."""
    return sa.Column("run_id", sa.String, sa.ForeignKey("mlh_runs.run_id", ondelete="CASCADE"), primary_key=True)


def what() -> list[sa.Column[object]]:
    """What was run."""
    return [
        sa.Column("run_id", sa.String, primary_key=True),
        sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("finished", sa.DateTime, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("rules", sa.String, nullable=False),
        sa.Column("scenario", sa.String, nullable=False),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("model_version", sa.String, nullable=False),
        sa.Column("weights", sa.String, nullable=False),
        sa.Column("framework", sa.String, nullable=False),
        sa.Column("framework_version", sa.String),
        sa.Column("device", sa.String, nullable=False),
        sa.Column("instances", sa.Integer, nullable=False),
        sa.Column("threads", sa.Integer, nullable=False),
        sa.Column("batch_size", sa.Integer, nullable=False),
        sa.Column("dataset", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("cpu", sa.String, nullable=False),
    ]


def measured() -> list[sa.Column[object]]:
    """What was found."""
    return [
        sa.Column("metric", sa.String),
        sa.Column("value", sa.Double),
        sa.Column("unit", sa.String),
        sa.Column("mean_ns", sa.Double),
        sa.Column("p50_ns", sa.Double),
        sa.Column("p90_ns", sa.Double),
        sa.Column("p99_ns", sa.Double),
        sa.Column("samples", sa.BigInteger),
        sa.Column("queries", sa.BigInteger),
        sa.Column("duration_s", sa.Double),
        sa.Column("accuracy_metric", sa.String),
        sa.Column("accuracy", sa.Double),
        sa.Column("accuracy_unit", sa.String),
        sa.Column("accuracy_passed", sa.Boolean),
        sa.Column("quality", sa.String),
    ]


def kept() -> list[sa.Column[object]]:
    """Where the run's directory is, and in which state it was indexed."""
    return [
        sa.Column("plan_sha256", sa.String, nullable=False),
        sa.Column("content_sha256", sa.String, nullable=False),
        sa.Column("kept_on", sa.String, nullable=False),
        sa.Column("root", sa.String, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("stamp", sa.BigInteger, nullable=False),
    ]
