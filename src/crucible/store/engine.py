"""The connection to the database: SQLite in WAL mode or PostgreSQL, behind two doors, `reading` and `writing`.

A third door, `writer`, is for the many small writes of a run under way.

A writer on SQLite begins with BEGIN IMMEDIATE and waits its turn, so two processes in one folder never see "database is
locked" and never lose a row. State changes are committed with synchronous=FULL (fsync), the rest with NORMAL, which
survives the death of the process but maybe not a power loss.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite

from crucible.errors import require
from crucible.store.faults import store_faults
from crucible.store.writer import Writer

__all__ = ["BUSY_TIMEOUT_S", "Database", "postgres_engine", "sqlite_engine"]

BUSY_TIMEOUT_S = 60.0
_MODE = "crucible_mode"
_SNAPSHOT: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_CHECKPOINT_PAGES = 4_000  # 16 MB of log before SQLite copies it into the file, which costs two fsyncs


class Database:
    """An open database.

    Args:
        engine: Made by `sqlite_engine` or `postgres_engine`.
        location: How messages name it: the file, or the URL without its password.
    """

    def __init__(self, engine: Engine, location: str) -> None:
        self.engine = engine
        self.location = location
        self.writer = Writer(engine, location)
        _opened.add(self)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; otherwise it is PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    @property
    def is_memory(self) -> bool:
        """Whether it is in the memory of this process alone."""
        return False

    @contextlib.contextmanager
    def reading(self, doing: str) -> Generator[Connection]:
        """Open a read transaction: one consistent view, nothing is written.

        Args:
            doing: What is tried, for the message, such as `list runs`.

        Raises:
            StoreError: The database cannot be read.
        """
        with store_faults(self.location, doing), self.engine.connect() as plain:
            # SQLite reads what was there at the first look; PostgreSQL does only where it is asked to
            connection = plain if self.is_sqlite else plain.execution_options(**_SNAPSHOT)
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def writing(self, doing: str, *, synced: bool = True) -> Generator[Connection]:
        """Open a write transaction: all of it or nothing is kept, and it is kept when the block has ended.

        Args:
            doing: What is tried, for the message, such as `save a stage's end`.
            synced: Whether it must also survive a power loss (fsync).

        Raises:
            StoreError: It could not be written.
        """
        with store_faults(self.location, doing), self.engine.connect() as plain:
            connection = plain.execution_options(**{_MODE: "FULL" if synced else "NORMAL"})
            with connection.begin():
                yield connection

    def upsert(self, table: Table, keys: Sequence[str], replaced: Sequence[str] | None = None) -> Any:
        """Return an INSERT into `table` that replaces columns of a row that is there.

        Args:
            table: Where to.
            keys: Columns by which a row is known.
            replaced: What is replaced; None: all other columns.
        """
        insert = sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
        if replaced is None:
            replaced = [column.name for column in table.columns if column.name not in keys and not column.primary_key]
        changed = {name: insert.excluded[name] for name in replaced}
        return insert.on_conflict_do_update(index_elements=list(keys), set_=changed)

    def insert_text(self, table: Table, keys: Sequence[str] = (), *, replace: bool = True) -> str:
        """Return an INSERT of whole rows as text in the driver's own style, for the cursors of `writer`.

        Args:
            table: Where to; a row is its columns in order, without an `id` that the database counts itself.
            keys: Where these exist, the other columns are replaced; none: that is an error.
            replace: False: where the keys exist, the row that is there stays.
        """
        columns = [column.name for column in table.columns if column.name != "id"]
        text = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  # our own names
        if keys:
            changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
            text += f" ON CONFLICT ({', '.join(keys)}) DO {f'UPDATE SET {changed}' if replace else 'NOTHING'}"
        return self.text(text)

    def text(self, statement: str) -> str:
        """Return a statement with `?` for its values in the driver's own style; it must hold no other `?` or `%`."""
        return statement if self.is_sqlite else statement.replace("?", "%s")

    def forget_in_child(self) -> None:
        """Leave the connections to the parent: what a forked child does."""
        self.writer.abandon()
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close every connection."""
        self.writer.close()
        self.engine.dispose()


def sqlite_engine(file: Path) -> Engine:
    """Return an engine on a SQLite file; its folder must exist."""
    url = URL.create("sqlite", database=str(file))
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def postgres_engine(url: URL) -> Engine:
    """Return an engine on a PostgreSQL server.

    Raises:
        MissingExtra: psycopg is not installed.
    """
    require("psycopg", extra="postgres", feature="a store on PostgreSQL")
    url = url.set(drivername="postgresql+psycopg").update_query_dict({"connect_timeout": "10"} | dict(url.query))
    return create_engine(url, pool_pre_ping=True)


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin, not by the driver's guesses
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")


def _begin(connection: Connection) -> None:
    mode = connection.get_execution_options().get(_MODE)
    if mode is None:
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql(f"PRAGMA synchronous={mode}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


_opened: weakref.WeakSet[Database] = weakref.WeakSet()


def _forget_in_child() -> None:
    """Make a forked child open its own connections: SQLite's and libpq's do not survive a fork."""
    for database in list(_opened):
        database.forget_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
