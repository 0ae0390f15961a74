"""The kept connection: the many small writes of a run under way, one after the other, past the expression layer.

One connection with one lock, opened at the first write, so that a transaction costs what the database itself costs.
What it commits survives the death of this process; a power loss, or a crash of a PostgreSQL server, may take the last
moments. State changes of runs do not go through here but through `Database.writing`, which is synced.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator
from typing import Any

from sqlalchemy import Engine

from crucible.store.faults import store_faults

__all__ = ["Writer"]

_TRUSTED_S = 5.0  # a server's connection that lay idle for longer is asked whether it lives
_abandoned: list[Any] = []  # a forked child must neither use nor close what its parent opened


class Writer:
    """Writes small transactions on a connection of its own; safe to call from several threads.

    Args:
        engine: Opens the connection.
        location: How messages name the database.
    """

    def __init__(self, engine: Engine, location: str) -> None:
        self._engine = engine
        self._location = location
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._lock = threading.Lock()
        self._connection: Any = None
        self._used_at_s = 0.0

    @contextlib.contextmanager
    def transaction(self, doing: str) -> Generator[Any]:
        """Open a transaction and hand out its DBAPI cursor: all of it or nothing is kept.

        Args:
            doing: What is tried, for the message, such as `save a stage's end`.

        Raises:
            StoreError: It could not be written.
        """
        with store_faults(self._location, doing), self._lock:
            try:
                cursor = self._begin()
                yield cursor
                self._connection.dbapi_connection.commit()
            except BaseException:
                self._drop()  # undoes what is open; after an error the connection is not trusted again
                raise
            self._used_at_s = time.monotonic()

    def close(self) -> None:
        """Close the connection, waiting for a transaction under way; the next one opens another."""
        with self._lock:
            self._drop()

    def abandon(self) -> None:
        """Forget the connection without touching it: what a forked child does with that of its parent."""
        self._lock = threading.Lock()  # the parent's may have been held by a thread that does not exist here
        _abandoned.append(self._connection)
        self._connection = None

    def _begin(self) -> Any:
        if self._connection is not None and not self._is_usable():
            self._drop()
        if self._connection is None:
            self._connection = self._open()
        cursor = self._connection.dbapi_connection.cursor()
        if self._is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        return cursor

    def _open(self) -> Any:
        connection: Any = self._engine.raw_connection()
        connection.detach()  # it stays with us, out of the pool
        cursor = connection.dbapi_connection.cursor()
        if self._is_sqlite:
            cursor.execute("PRAGMA synchronous=NORMAL")
        else:
            cursor.execute("SET synchronous_commit = off")
            connection.dbapi_connection.commit()
        return connection

    def _is_usable(self) -> bool:
        if self._is_sqlite or time.monotonic() - self._used_at_s < _TRUSTED_S:
            return True
        try:
            self._connection.dbapi_connection.cursor().execute("SELECT 1")
        except Exception:  # noqa: BLE001  # whatever is wrong with it, another one is opened
            return False
        return True

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # what is broken cannot be closed; the first error is the one to tell
                with contextlib.suppress(Exception):
                    connection.dbapi_connection.rollback()  # a statement that somebody holds keeps SQLite's lock else
                connection.dbapi_connection.close()  # the pool would complain aloud of a server that is gone
