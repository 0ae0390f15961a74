"""The bare loop with a writer thread: the caller appends, and every 50 ms a thread writes what waits."""

import threading
from collections.abc import Callable
from pathlib import Path

from benchmarks.scalars import sqlite

INTERVAL_S = 0.05


class Threaded(sqlite.Bare):
    """Writes on a thread of its own."""

    def __init__(self, path: Path, scalars: int) -> None:
        super().__init__(path, scalars)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._write_on)
        self.thread.start()
        self.log: Callable[[int, float], None] = self.add

    def _write_on(self) -> None:
        while not self.ending.wait(INTERVAL_S):
            self.write()

    def finish(self) -> None:
        self.ending.set()
        self.thread.join()
        super().finish()


if __name__ == "__main__":
    sqlite.report(Threaded, "deque, a thread that writes every 50 ms, WAL, synchronous=NORMAL, WITHOUT ROWID")
