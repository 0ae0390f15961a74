"""What an open store is put together from, for the repositories that work with several parts of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from crucible.store.engine import Database
from crucible.store.fence import Fence
from crucible.store.run_rows import RunRows, moment_text
from crucible.store.telemetry import TelemetryRepository
from crucible.store.traces import TraceRepository

__all__ = ["LEASE_S", "PartOfRuns", "Parts"]

LEASE_S = 60.0


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts of an open store.

    Args:
        database: The open database.
        fence: Which runs are this process's to write.
        telemetry: What happened in runs.
        traces: Why it happened.
        artifacts_dir: Folder of the files that runs make.
        clock: Returns the current time, aware.
        lease_s: How long a run counts as living after the last sign of life, where its process cannot be seen; seconds.
    """

    database: Database
    fence: Fence
    telemetry: TelemetryRepository
    traces: TraceRepository
    artifacts_dir: Path
    clock: Callable[[], datetime]
    lease_s: float = LEASE_S

    def now(self) -> str:
        """Return the current time as it lies in the database."""
        return moment_text(self.clock())

    def lease_end(self) -> str:
        """Return when a lease that is given or renewed now ends."""
        return moment_text(self.clock() + timedelta(seconds=self.lease_s))

    def run_rows(self, connection: Connection) -> RunRows:
        """Return the rows of runs as a transaction sees them."""
        return RunRows(connection, self.database.location, self.clock())

    @contextlib.contextmanager
    def reading_runs(self, doing: str) -> Generator[tuple[Connection, RunRows]]:
        """Open a read transaction with the rows of runs; see `Database.reading`."""
        with self.database.reading(doing) as connection:
            yield connection, self.run_rows(connection)


class PartOfRuns:
    """One side of the run repository: writing, reading, ownership or removal.

    Args:
        parts: The open store's parts.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._database = parts.database
