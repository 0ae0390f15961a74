"""Leases of runs, what artifacts were made from, reports as text, and the folders that this store made.

A run of version 0001 has no lease: it counts as expired, which matters only to a run whose process cannot be seen.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; folders of runs that are there become known."""
    op.add_column("runs", sa.Column("lease_expires_at", sa.Text(), nullable=True))
    op.create_index("ix_artifacts_sha256", "artifacts", ["sha256"], unique=False)
    op.create_table(
        "artifact_inputs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("stage_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("input_name", sa.Text(), nullable=False),
        sa.Column("input_sha256", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id", "stage_index", "name"],
            ["artifacts.run_id", "artifacts.stage_index", "artifacts.name"],
            name="fk_artifact_inputs_artifacts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "stage_index", "name", "input_name", name="pk_artifact_inputs"),
    )
    op.create_table(
        "reports",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_reports_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "name", "format", name="pk_reports"),
    )
    op.create_table(
        "workspaces",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_workspaces"),
    )
    op.execute("INSERT INTO workspaces (run_id, path, made_at) SELECT run_id, workspace, started_at FROM runs")


def downgrade() -> None:
    """Drop them, and what they hold; runs, stages and artifacts stay."""
    op.drop_table("workspaces")
    op.drop_table("reports")
    op.drop_table("artifact_inputs")
    op.drop_index("ix_artifacts_sha256", table_name="artifacts")
    op.drop_column("runs", "lease_expires_at")
