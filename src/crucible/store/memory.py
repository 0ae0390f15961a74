"""A store in the memory of this process: SQLite as everywhere, with nothing on the disk but the files of runs.

One connection serves everybody, one at a time; what it held is gone when it is closed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from crucible.store.engine import Database
from crucible.store.faults import store_faults
from crucible.store.writer import Writer

__all__ = ["MEMORY", "memory_database"]

MEMORY = ":memory:"
"""What opens a store in memory."""


class _MemoryWriter(Writer):
    """Writes on the one connection that there is."""

    def __init__(self, engine: Engine, lock: threading.RLock) -> None:
        super().__init__(engine, MEMORY)
        self._all = lock

    @contextlib.contextmanager
    def transaction(self, doing: str) -> Generator[Any]:
        """Open a transaction and hand out its cursor; see `Writer.transaction`."""
        with store_faults(MEMORY, doing), self._all:
            pooled: Any = self._engine.raw_connection()
            connection = pooled.dbapi_connection
            cursor = connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            finally:
                pooled.close()

    def close(self) -> None:
        """Do nothing: the connection is the engine's."""


class _MemoryDatabase(Database):
    """A database in memory; whoever uses it waits for who does."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, MEMORY)
        self._all = threading.RLock()
        self.writer = _MemoryWriter(engine, self._all)

    @property
    def is_memory(self) -> bool:
        """Whether it is in the memory of this process alone: it is."""
        return True

    @contextlib.contextmanager
    def reading(self, doing: str) -> Generator[Connection]:
        """Open a read transaction; see `Database.reading`."""
        with self._all, super().reading(doing) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, doing: str, *, synced: bool = True) -> Generator[Connection]:
        """Open a write transaction; see `Database.writing`."""
        with self._all, super().writing(doing, synced=synced) as connection:
            yield connection

    def forget_in_child(self) -> None:
        """Keep the copy that a forked child has; its parent no longer sees what is written into it."""
        self._all = threading.RLock()
        self.writer = _MemoryWriter(self.engine, self._all)


def memory_database() -> Database:
    """Return a new database in memory, without tables."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return _MemoryDatabase(engine)


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
