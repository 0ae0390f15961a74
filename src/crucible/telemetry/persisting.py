"""Writing batches once, however often the database server goes away meanwhile, as long as it comes back in time.

A batch that the database refuses for what is in it is written in halves, down to the one that is at fault.
"""

from __future__ import annotations

import sqlite3
import sys
import time

from crucible.errors import StoreError, StoreUnavailable
from crucible.store import EventRow, Store, encode, event_row
from crucible.telemetry.intake import Rows

__all__ = ["Persister"]

_RETRY_S = 0.1
_LONGEST_RETRY_S = 2.0
_FAULTY = (
    OverflowError,
    TypeError,
    ValueError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.IntegrityError,
)


class Persister:
    """Writes the batches of one recorder.

    Args:
        store: Where to.
        patience_s: How long a server that went away is waited for.
        experiment_id: The telemetry experiment that must go on for anything to be written; None for a run.
    """

    def __init__(self, store: Store, patience_s: float, experiment_id: str | None) -> None:
        self._store = store
        self._patience_s = patience_s
        self._experiment_id = experiment_id
        self._batches = 0

    def write(self, rows: Rows, origin: int) -> None:
        """Make a batch durable.

        Args:
            rows: The batch; what was at fault in it is replaced by that it was.
            origin: Tells this recorder from others.

        Raises:
            StoreUnavailable: The server did not come back in time.
            StoreError: It could not be written.
        """
        try:
            self._write_once(rows, origin)
        except Exception as error:
            if not _is_of_data(error) or not (rows.events or rows.points):
                raise
            self._write_parts(rows, origin)

    def _write_parts(self, rows: Rows, origin: int) -> None:
        events, points = rows.events, rows.points
        if len(events) + len(points) > 1:
            middle, half = (len(events), 0) if events and points else (len(events) // 2, len(points) // 2)
            first = Rows(events=events[:middle], points=points[:half], replaced=rows.replaced)
            second = Rows(events=events[middle:], points=points[half:])
            self.write(first, origin)
            self.write(second, origin)
            rows.events, rows.points = first.events + second.events, first.points + second.points
        elif events:
            rows.events = [_malformed(events[0])]
            self._write_once(rows, origin)
        else:
            rows.points = []  # a point has nothing that could be kept of it

    def _write_once(self, rows: Rows, origin: int) -> None:
        self._batches += 1
        number = (origin & 0x7FFF_FFFF) << 32 | self._batches & 0xFFFF_FFFF
        again, pause_s, deadline = False, _RETRY_S, 0.0
        while True:
            try:
                self._store.telemetry.write_events(
                    rows.events,
                    rows.points,
                    replaced=rows.replaced,
                    batch=number,
                    again=again,
                    experiment_id=self._experiment_id,
                )
            except StoreUnavailable:
                now = time.monotonic()
                deadline = deadline or now + self._patience_s
                if now >= deadline:
                    raise
            else:
                return
            again = True
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_RETRY_S)


def _is_of_data(error: Exception) -> bool:
    """Return whether the database refused what was to be written, and not that anything was."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    driver = sys.modules.get("psycopg")
    refused = () if driver is None else (driver.DataError, driver.IntegrityError, driver.ProgrammingError)
    return isinstance(cause, (*_FAULTY, *refused))


def _malformed(row: EventRow) -> EventRow:
    """Return the row that says of an event that it could not be kept as it was."""
    what = encode({"malformed": "the database refused it as it was"})
    return event_row(row[0], row[1], row[2], event_id=row[9], fields_json=what)
