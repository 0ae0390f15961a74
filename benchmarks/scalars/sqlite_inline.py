"""The bare loop: rows collect in a list, and each 1,000 are written by the caller."""

from benchmarks.scalars import sqlite


class Inline(sqlite.Bare):
    """Writes on the caller's thread."""

    def log(self, step: int, number: float) -> None:
        self.add(step, number)
        if len(self.rows) >= sqlite.BATCH:
            self.write()


if __name__ == "__main__":
    sqlite.report(Inline, "executemany of 1,000 rows on the caller's thread, WAL, synchronous=NORMAL, WITHOUT ROWID")
