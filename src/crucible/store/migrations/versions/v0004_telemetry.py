"""Telemetry experiments, what enrichment finds as columns of events, and points as segments of columns.

Events of earlier versions are not enriched; their event id is their number. Going back, segments become rows again.
"""

from __future__ import annotations

import math
from typing import Any

import sqlalchemy as sa
from alembic import op

from crucible.store.segment import COLUMNS, Segment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ADDED = ("correlation_id", "condition", "latency_ms", "cost_usd", "success", "fields_json", "event_id")


def upgrade() -> None:
    """Add them."""
    op.add_column("telemetry_events", sa.Column("event_id", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("telemetry_events", sa.Column("correlation_id", sa.Text(), nullable=True))
    op.add_column("telemetry_events", sa.Column("condition", sa.Text(), nullable=True))
    op.add_column("telemetry_events", sa.Column("latency_ms", sa.Double[float](), nullable=True))
    op.add_column("telemetry_events", sa.Column("cost_usd", sa.Double[float](), nullable=True))
    op.add_column("telemetry_events", sa.Column("success", sa.SmallInteger(), nullable=True))
    op.add_column("telemetry_events", sa.Column("fields_json", sa.Text(), nullable=True))
    op.execute("UPDATE telemetry_events SET event_id = id")
    op.create_index(
        "ix_telemetry_events_run_id_timestamp_ns", "telemetry_events", ["run_id", "timestamp_ns"], unique=False
    )
    op.create_table(
        "telemetry_segments",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("series_id", _BIG_ID, nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("written_ns", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("finite", sa.BigInteger(), nullable=False),
        sa.Column("first_step", sa.BigInteger(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("stride", sa.BigInteger(), nullable=True),
        sa.Column("mean", sa.Double[float](), nullable=True),
        sa.Column("m2", sa.Double[float](), nullable=True),
        sa.Column("min", sa.Double[float](), nullable=True),
        sa.Column("min_step", sa.BigInteger(), nullable=True),
        sa.Column("max", sa.Double[float](), nullable=True),
        sa.Column("max_step", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.Double[float](), nullable=True),
        sa.Column("steps", sa.LargeBinary(), nullable=True),
        sa.Column("points", sa.LargeBinary(), nullable=False),
        sa.Column("timestamps", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"],
            ["telemetry_series.id"],
            name="fk_telemetry_segments_telemetry_series",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_telemetry_segments"),
    )
    op.create_index("ix_telemetry_segments_series_id", "telemetry_segments", ["series_id"], unique=False)
    op.create_table(
        "telemetry_experiments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hypothesis", sa.Text(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("stopped_at", sa.Text(), nullable=True),
        sa.Column("paused_at", sa.Text(), nullable=True),
        sa.Column("pause_count", sa.Integer(), nullable=False),
        sa.Column("paused_ns", sa.BigInteger(), nullable=False),
        sa.Column("sample_size", sa.BigInteger(), nullable=True),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("dropped_json", sa.Text(), nullable=False),
        sa.Column("problems_json", sa.Text(), nullable=False),
        sa.Column("tags_json", sa.Text(), nullable=False),
        sa.Column("metadata_json", sa.Text(), nullable=False),
        sa.Column("settings_json", sa.Text(), nullable=False),
        sa.Column("owner_pid", sa.BigInteger(), nullable=False),
        sa.Column("owner_host", sa.Text(), nullable=False),
        sa.Column("owner_started", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_telemetry_experiments"),
    )
    op.create_index("ix_telemetry_experiments_status", "telemetry_experiments", ["status"], unique=False)
    op.create_index("ix_telemetry_experiments_started_at", "telemetry_experiments", ["started_at"], unique=False)


def downgrade() -> None:
    """Drop them; points of segments become rows, what enrichment found and what experiments were about is lost."""
    _as_rows(op.get_bind())
    op.drop_table("telemetry_experiments")
    op.drop_table("telemetry_segments")
    op.drop_index("ix_telemetry_events_run_id_timestamp_ns", "telemetry_events")
    for name in _ADDED:
        op.drop_column("telemetry_events", name)


def _as_rows(connection: sa.Connection) -> None:
    """Put the points of all segments below the rows that are newer."""
    columns = ", ".join(COLUMNS)
    query = f"SELECT series_id, {columns} FROM telemetry_segments ORDER BY id DESC"  # noqa: S608  # our own names
    insert = sa.text(
        "INSERT INTO telemetry_points (series_id, step, value, timestamp_ns) VALUES (:series, :step, :value, :at)"
        " ON CONFLICT (series_id, step) DO NOTHING"
    )
    for series_id, *row in connection.exec_driver_sql(query).all():
        points = Segment(*row).points()
        rows: list[dict[str, Any]] = [
            {"series": series_id, "step": step, "value": None if math.isnan(value) else value, "at": at}
            for step, value, at in zip(points.steps, points.values, points.timestamps_ns, strict=True)
        ]
        connection.execute(insert, rows)
