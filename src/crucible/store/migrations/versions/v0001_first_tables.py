"""The first tables: experiments and runs, telemetry, traces.

A migration is history: it is not edited once released, and does not look at `store.tables`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "experiments",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column("document_json", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_experiments"),
    )
    op.create_index("ix_experiments_experiment_id", "experiments", ["experiment_id"], unique=False)
    op.create_table(
        "telemetry_events",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timestamp_ns", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("stage_index", sa.Integer(), nullable=True),
        sa.Column("span_id", sa.Text(), nullable=True),
        sa.Column("parent_span_id", sa.Text(), nullable=True),
        sa.Column("measurements_json", sa.Text(), nullable=False),
        sa.Column("metadata_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_telemetry_events"),
    )
    op.create_index("ix_telemetry_events_run_id_name", "telemetry_events", ["run_id", "name"], unique=False)
    op.create_table(
        "telemetry_series",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_telemetry_series"),
        sa.UniqueConstraint("run_id", "name", name="uq_telemetry_series_run_id_name"),
    )
    op.create_table(
        "trace_chains",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "chain_id", name="pk_trace_chains"),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column("experiment_sha256", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("provenance_json", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.Text(), nullable=True),
        sa.Column("failure_json", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner_pid", sa.BigInteger(), nullable=False),
        sa.Column("owner_host", sa.Text(), nullable=False),
        sa.Column("owner_started", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_sha256"], ["experiments.sha256"], name="fk_runs_experiments"),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
    )
    op.create_index("ix_runs_experiment_id", "runs", ["experiment_id"], unique=False)
    op.create_index("ix_runs_started_at", "runs", ["started_at"], unique=False)
    op.create_index("ix_runs_status", "runs", ["status"], unique=False)
    op.create_table(
        "telemetry_points",
        sa.Column("series_id", BIG_ID, nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Double[float](), nullable=True),
        sa.Column("timestamp_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["telemetry_series.id"], name="fk_telemetry_points_telemetry_series", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_id", "step", name="pk_telemetry_points"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trace_events",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("document_json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id", "chain_id"],
            ["trace_chains.run_id", "trace_chains.chain_id"],
            name="fk_trace_events_trace_chains",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_trace_events"),
        sa.UniqueConstraint("run_id", "chain_id", "event_id", name="uq_trace_events_run_id_chain_id_event_id"),
    )
    op.create_table(
        "artifacts",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("stage_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_artifacts_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "stage_index", "name", name="pk_artifacts"),
    )
    op.create_table(
        "context_deltas",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("stage_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("metrics_json", sa.Text(), nullable=False),
        sa.Column("outputs_json", sa.Text(), nullable=False),
        sa.Column("assigns_json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_context_deltas_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "stage_index", name="pk_context_deltas"),
    )
    op.create_table(
        "stage_records",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("stage_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("duration_ns", sa.BigInteger(), nullable=True),
        sa.Column("error_json", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_stage_records_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "stage_index", "attempt", name="pk_stage_records"),
    )


def downgrade() -> None:
    """Drop them, and what they hold."""
    op.drop_table("stage_records")
    op.drop_table("context_deltas")
    op.drop_table("artifacts")
    op.drop_table("trace_events")
    op.drop_table("telemetry_points")
    op.drop_table("runs")
    op.drop_table("trace_chains")
    op.drop_table("telemetry_series")
    op.drop_table("telemetry_events")
    op.drop_table("experiments")
