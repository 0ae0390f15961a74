"""The model registry: versions with their stages, tags, lineage, files, scores, and what was done to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "model_versions",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("precedence", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("source_key", sa.Text(), nullable=True),
        sa.Column("artifact_uri", sa.Text(), nullable=True),
        sa.Column("tree_sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("metrics_json", sa.Text(), nullable=False),
        sa.Column("origin_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model_versions"),
        sa.UniqueConstraint("model", "precedence", name="uq_model_versions_model_precedence"),
        sa.UniqueConstraint("model", "source_key", name="uq_model_versions_model_source_key"),
    )
    op.create_index("ix_model_versions_run_id", "model_versions", ["run_id"], unique=False)
    op.create_index("ix_model_versions_tree_sha256", "model_versions", ["tree_sha256"], unique=False)
    op.create_table(
        "model_tags",
        sa.Column("version_id", _BIG_ID, nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.id"], name="fk_model_tags_model_versions", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "tag", name="pk_model_tags"),
    )
    op.create_table(
        "model_parents",
        sa.Column("version_id", _BIG_ID, nullable=False),
        sa.Column("relation", sa.String(length=32), nullable=False),
        sa.Column("parent_id", _BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.id"], name="fk_model_parents_version", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["model_versions.id"], name="fk_model_parents_parent"),
        sa.PrimaryKeyConstraint("version_id", "relation", "parent_id", name="pk_model_parents"),
    )
    op.create_index("ix_model_parents_parent_id", "model_parents", ["parent_id"], unique=False)
    op.create_table(
        "model_files",
        sa.Column("tree_sha256", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tree_sha256", "path", name="pk_model_files"),
    )
    op.create_index("ix_model_files_sha256", "model_files", ["sha256"], unique=False)
    op.create_table(
        "model_scores",
        sa.Column("version_id", _BIG_ID, nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("asked_sha256", sa.Text(), nullable=False),
        sa.Column("is_share", sa.SmallInteger(), nullable=False),
        sa.Column("recorded_at", sa.Text(), nullable=False),
        sa.Column("items_json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["model_versions.id"], name="fk_model_scores_model_versions", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", "metric", name="pk_model_scores"),
    )
    op.create_table(
        "model_changes",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("from_stage", sa.String(length=16), nullable=True),
        sa.Column("to_stage", sa.String(length=16), nullable=True),
        sa.Column("forced", sa.SmallInteger(), nullable=False),
        sa.Column("evidence_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model_changes"),
    )
    op.create_index("ix_model_changes_model_version", "model_changes", ["model", "version"], unique=False)


def downgrade() -> None:
    """Drop them, and what they hold; the kept files of models stay on the disk."""
    for name in ("changes", "scores", "files", "parents", "tags", "versions"):
        op.drop_table(f"model_{name}")
