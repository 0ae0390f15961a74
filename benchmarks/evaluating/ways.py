"""Ways to keep measurements so that they survive `kill -9`: the one that Crucible takes, and those that it does not."""

import io
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

BATCH = 16

Lines = list[bytes]


def lines(count: int) -> Iterator[Lines]:
    """Yield so many lines of a record, a batch at a time."""
    from benchmarks import evaluating
    from crucible.data.evaluating.line import Line, encode_line
    from crucible.ir import Scored

    batch: Lines = []
    for i in range(count):
        text = evaluating.answer(i)
        scores = {"exact_match": Scored(1.0)}
        batch.append(encode_line(Line(str(i), i, f"{i:016x}", evaluating.question(i), text, text, "stop", scores)))
        if len(batch) == BATCH or i == count - 1:
            yield batch
            batch = []


def encoded(_place: Path, count: int) -> None:
    """Only encode them."""
    for _ in lines(count):
        pass


def written_by_batch(place: Path, count: int) -> None:
    """One write(2) a batch."""
    with _appending(place) as file:
        for batch in lines(count):
            file.write(b"".join(batch))
        os.fsync(file.fileno())


def written_one_by_one(place: Path, count: int) -> None:
    """One write(2) an item."""
    with _appending(place) as file:
        for batch in lines(count):
            for line in batch:
                file.write(line)
        os.fsync(file.fileno())


def written_by_a_thread(place: Path, count: int) -> None:
    """A thread writes what a queue hands to it."""
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    with _appending(place) as file:

        def write() -> None:
            while (data := waiting.get()) is not None:
                file.write(data)

        thread = threading.Thread(target=write)
        thread.start()
        for batch in lines(count):
            waiting.put(b"".join(batch))
        waiting.put(None)
        thread.join()
        os.fsync(file.fileno())


def committed_by_batch(place: Path, count: int) -> None:
    """One transaction of SQLite a batch."""
    _committed(place, count, 1)


def committed_by_thousand(place: Path, count: int) -> None:
    """One transaction of SQLite for 64 batches: those of the last moments would be lost."""
    _committed(place, count, 64)


WAYS: dict[str, Callable[[Path, int], None]] = {
    "encoding alone": encoded,
    "one write(2) a batch of 16": written_by_batch,
    "one write(2) an item": written_one_by_one,
    "a thread, one write(2) a batch of 16": written_by_a_thread,
    "SQLite (WAL, synchronous=NORMAL), a commit a batch of 16": committed_by_batch,
    "SQLite (WAL, synchronous=NORMAL), a commit per 1,024": committed_by_thousand,
}


def _appending(place: Path) -> io.FileIO:
    return place.open("ab", buffering=0)


def _committed(place: Path, count: int, batches: int) -> None:
    connection = sqlite3.connect(place, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE m (n INTEGER, repeat INTEGER, line BLOB, PRIMARY KEY (n, repeat)) WITHOUT ROWID")
    rows: list[tuple[int, int, bytes]] = []
    number = 0

    def commit() -> None:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO m VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
        rows.clear()

    for index, batch in enumerate(lines(count), start=1):
        for line in batch:
            rows.append((number, 0, line))
            number += 1
        if index % batches == 0:
            commit()
    commit()
    connection.close()
