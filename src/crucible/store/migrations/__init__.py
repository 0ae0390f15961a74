"""The migration chain: Alembic runs it, `store.schema` calls Alembic."""
