"""Alembic's entry: runs the migrations on the connection, and inside the transaction, that `store.schema` hands in."""

from alembic import context

from crucible.store.schema import VERSION_TABLE
from crucible.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
