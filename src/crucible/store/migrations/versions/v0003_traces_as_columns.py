"""Events of traces as columns instead of one document each, chains of no run, and the full-text search of both.

A chain is known by its own id alone from here on. Where two runs had chains of the same id, all but the first get one
that ends in `@` and their run.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from crucible.store.migrations.trace_documents import as_columns, as_documents
from crucible.store.trace_index import make_index, remove_index

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the new tables beside the old ones, carry everything over, and drop the old ones."""
    connection = op.get_bind()
    _set_aside(connection, "fk_trace_events_trace_chains", "uq_trace_events_run_id_chain_id_event_id")
    op.create_table(
        "trace_chains",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.Column("event_count", sa.Integer(), nullable=False),
        sa.Column("metadata_json", sa.Text(), nullable=False),
        sa.Column("extra_json", sa.Text(), nullable=True),
        sa.Column("integrity_json", sa.Text(), nullable=True),
        sa.Column("archived_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_trace_chains"),
        sa.UniqueConstraint("chain_id", name="uq_trace_chains_chain_id"),
    )
    op.create_index("ix_trace_chains_run_id", "trace_chains", ["run_id"], unique=False)
    op.create_index("ix_trace_chains_created_at", "trace_chains", ["created_at"], unique=False)
    op.create_table(
        "trace_events",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("chain", _BIG_ID, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("timestamp_us", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reasoning", sa.Text(), nullable=False),
        sa.Column("alternatives_json", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double[float](), nullable=True),
        sa.Column("code_section", sa.Text(), nullable=True),
        sa.Column("spec_reference", sa.Text(), nullable=True),
        sa.Column("metadata_json", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("depends_on_json", sa.Text(), nullable=False),
        sa.Column("stage_id", sa.Text(), nullable=True),
        sa.Column("experiment_id", sa.Text(), nullable=True),
        sa.Column("extra_json", sa.Text(), nullable=True),
        sa.Column("hash", sa.Text(), nullable=True),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["chain"], ["trace_chains.id"], name="fk_trace_events_trace_chains", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_trace_events"),
        sa.UniqueConstraint("chain", "event_id", name="uq_trace_events_chain_event_id"),
    )
    make_index(connection)
    as_columns(connection)
    _drop_old()


def downgrade() -> None:
    """Go back to one document an event; descriptions, chains of no run, hashes, signatures and archives are lost."""
    connection = op.get_bind()
    remove_index(connection)
    op.drop_index("ix_trace_chains_run_id", table_name="trace_chains")
    op.drop_index("ix_trace_chains_created_at", table_name="trace_chains")
    _set_aside(connection, "fk_trace_events_trace_chains", "uq_trace_events_chain_event_id", "uq_trace_chains_chain_id")
    op.create_table(
        "trace_chains",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "chain_id", name="pk_trace_chains"),
    )
    op.create_table(
        "trace_events",
        sa.Column("id", _BIG_ID, nullable=False),
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
    as_documents(connection)
    _drop_old()


def _set_aside(connection: sa.Connection, foreign_key: str, *uniques: str) -> None:
    """Rename both tables; PostgreSQL's constraints, whose names live beside the tables', make room for the new ones."""
    if connection.dialect.name == "postgresql":
        op.drop_constraint(foreign_key, "trace_events", type_="foreignkey")
        for name in (*uniques, "pk_trace_events", "pk_trace_chains"):
            table = "trace_chains" if "trace_chains" in name else "trace_events"
            op.drop_constraint(name, table)
        sequence = connection.exec_driver_sql("SELECT to_regclass('trace_events_id_seq')").scalar()
        if sequence is not None:
            connection.exec_driver_sql("ALTER SEQUENCE trace_events_id_seq RENAME TO old_trace_events_id_seq")
        sequence = connection.exec_driver_sql("SELECT to_regclass('trace_chains_id_seq')").scalar()
        if sequence is not None:
            connection.exec_driver_sql("ALTER SEQUENCE trace_chains_id_seq RENAME TO old_trace_chains_id_seq")
    op.rename_table("trace_events", "old_trace_events")
    op.rename_table("trace_chains", "old_trace_chains")


def _drop_old() -> None:
    op.drop_table("old_trace_events")
    op.drop_table("old_trace_chains")
