"""The version of the tables: a cheap look at every opening, Alembic only when they are missing or old.

Two processes that open a new store at the same time wait for each other inside the migration's transaction, and the
second finds nothing left to do.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect

from crucible.errors import StoreError
from crucible.store.engine import BUSY_TIMEOUT_S, Database
from crucible.store.faults import store_faults

__all__ = ["REVISIONS", "VERSION_TABLE", "downgrade", "ensure_current", "sqlite_version", "upgrade", "use_wal"]

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
)  # oldest first; a test holds this to the files in migrations/versions
VERSION_TABLE = "crucible_version"
_LOCK_KEY = 0x6372_7563  # "cruc": PostgreSQL's advisory lock while tables are made
_READ_VERSION = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608  # a constant


def sqlite_version(file: Path) -> str | None:
    """Return the version of a SQLite store without loading anything heavy; None if it has no tables of ours yet.

    Raises:
        StoreError: The file is not a database, is damaged, or cannot be opened.
    """
    if not file.exists():
        return None
    with store_faults(str(file), "open the store"):
        connection = sqlite3.connect(file, timeout=BUSY_TIMEOUT_S)
        try:
            mode = connection.execute("PRAGMA journal_mode").fetchone()
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if VERSION_TABLE not in tables:
                _refuse_foreign(str(file), tables)
                return None
            row = connection.execute(_READ_VERSION).fetchone()
            return row[0] if row and mode == ("wal",) else None
        finally:
            connection.close()


def ensure_current(database: Database, *, version: str | None = None) -> None:
    """Bring the tables to the version of this Crucible.

    Args:
        database: The open database.
        version: What `sqlite_version` found; None: look.

    Raises:
        StoreError: The store is of a newer Crucible, or cannot be written.
    """
    if version is None and not database.is_sqlite:
        with database.reading("open the store") as connection:
            version = _version(connection)
    if version == REVISIONS[-1]:
        return
    _refuse_newer(database, version)
    if database.is_sqlite and not database.is_memory:
        use_wal(database)
    with database.writing("make the tables") as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
        version = _version(connection)  # somebody else may have been here while we waited
        _refuse_newer(database, version)
        if version != REVISIONS[-1]:
            upgrade(connection)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to `revision` inside the caller's transaction."""
    from alembic import command

    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Run the migrations down to `revision` inside the caller's transaction; what the tables held is gone."""
    from alembic import command

    command.downgrade(_config(connection), revision)


def use_wal(database: Database) -> None:
    """Switch a SQLite file to write-ahead logging, once and for all.

    Raises:
        StoreError: The file is locked for a minute, or lies where WAL cannot work.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    with store_faults(database.location, "open the store"):
        while True:
            connection = database.engine.raw_connection()
            try:
                mode = connection.cursor().execute("PRAGMA journal_mode=WAL").fetchone()[0]  # pyright: ignore[reportOptionalMemberAccess, reportOptionalSubscript]  # sqlite3's execute returns the cursor, DBAPI's need not
                break
            except sqlite3.OperationalError as error:
                busy = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)  # two switching at once: SQLite tells one of them to try again
            finally:
                connection.close()
    if mode != "wal":
        raise StoreError(
            f"{database.location}: the file system does not support SQLite's write-ahead log (it says {mode!r}); "
            "choose a local folder (--store or CRUCIBLE_STORE), or a PostgreSQL server"
        )


def _version(connection: Connection) -> str | None:
    tables = inspect(connection)
    if not tables.has_table(VERSION_TABLE):
        return None
    return connection.exec_driver_sql(_READ_VERSION).scalar()


def _refuse_newer(database: Database, version: str | None) -> None:
    if version is not None and version not in REVISIONS:
        raise StoreError(
            f"{database.location}: the store is of a newer Crucible (its tables are version {version}, this one knows "
            f"up to {REVISIONS[-1]}); upgrade with `pip install --upgrade crucible-ml`, or choose another store"
        )


def _refuse_foreign(location: str, tables: set[str]) -> None:
    if strangers := sorted(name for name in tables if not name.startswith("sqlite_")):
        raise StoreError(
            f"{location}: this is a database of something else (it holds {', '.join(strangers[:3])}); "
            "choose another folder (--store or CRUCIBLE_STORE)"
        )


def _config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")  # ConfigParser's escape
    config.set_main_option("script_location", folder)
    config.attributes["connection"] = connection
    return config
