"""What the bare loops share: the table, the rows, the reader. They do nothing that a product does.

The caller looks up the series' id and reads the wall clock, since the row that is kept needs both.
"""

import sqlite3
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from benchmarks import scalars

BATCH = 1_000
_TABLE = (
    "CREATE TABLE points (series INTEGER NOT NULL, step INTEGER NOT NULL, value REAL, timestamp_ns INTEGER NOT NULL,"
    " PRIMARY KEY (series, step)) WITHOUT ROWID"
)


class Bare:
    """One file, one connection, one table."""

    def __init__(self, path: Path, scalars_a_call: int) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")
        self.connection.execute(_TABLE)
        self.names = scalars.names(scalars_a_call)
        self.ids = {name: index for index, name in enumerate(self.names)}
        self.rows: deque[tuple[int, int, float, int]] = deque()

    def add(self, step: int, number: float) -> None:
        """Keep the rows of one call in memory."""
        for name in self.names:
            self.rows.append((self.ids[name], step, number, time.time_ns()))

    def write(self) -> None:
        """Write what waits now."""
        rows = [self.rows.popleft() for _ in range(len(self.rows))]
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany("INSERT INTO points VALUES (?, ?, ?, ?)", rows)
        self.connection.execute("COMMIT")

    def finish(self) -> None:
        self.write()

    def close(self) -> None:
        self.connection.close()

    def count(self) -> int:
        return self._ask("SELECT count(*) FROM points")[0][0]

    def points(self) -> list[tuple[int, float]]:
        return self._ask("SELECT step, value FROM points WHERE series = 0 ORDER BY step")

    def _ask(self, query: str) -> list[tuple]:
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


def report(kind: Callable[[Path, int], Bare], note: str) -> None:
    """Measure one of the loops, one and ten scalars a call."""
    with tempfile.TemporaryDirectory() as folder:

        def opened(count: int) -> Bare:
            return kind(Path(folder) / f"{time.monotonic_ns()}.db", count)

        one = scalars.Way("one a call", lambda: opened(1), 100_000, place=Path(folder), note=note, points=100_000)
        ten = scalars.Way("ten a call", lambda: opened(10), 10_000, 10, place=Path(folder), note=note)
        scalars.report([one, ten], sqlite3.sqlite_version)
