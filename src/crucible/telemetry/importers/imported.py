"""What an importer hands out: runs, and in batches their points and events; plain data that knows no store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from crucible.store import StoredEvent
from crucible.telemetry.importers.problem import Problems

__all__ = ["BATCH", "ImportedPoint", "ImportedRun", "ImportedRuns", "Source"]

Source = Literal["mlflow", "tensorboard", "wandb", "predecessor", "crucible"]
"""Whose history it is."""

BATCH = 10_000
"""How many points or events a batch has."""


class ImportedPoint(msgspec.Struct, frozen=True, gc=False):
    """One value of a series.

    Args:
        series: Its name, at most 1,000 characters.
        step: Where on its axis; within 64 bits.
        value: Any float: NaN and infinities too.
        timestamp_ns: Wall clock, nanoseconds since 1970-01-01 UTC; 0 where the source has no usable time.
    """

    series: str
    step: int
    value: float
    timestamp_ns: int


class ImportedRun(msgspec.Struct, kw_only=True, eq=False):
    """A run that somebody else recorded. `points` and `events` read its files each time they are called.

    Args:
        source: Whose it is.
        source_id: Its id there, as its folder or file says it; not unique among sources, and not safe as a file name.
        name: Its name there, or its folder's or file's.
        fingerprint: 64 hex digits that its content gives: an unchanged copy has the same wherever it lies and whatever
            its file is called, one that has grown or was changed has another. Of files with one run it covers the first
            and last 64 KiB and the size of each, of files that several share every line of the run.
        path: Where it was found.
        params: What it was configured with; text where the source keeps text.
        tags: What it was labelled with.
        metadata: What else is known of it, such as `experiment`, `hypothesis`, `condition`, `summary`.
        status: In the source's own word in lower case, such as `finished`; None where it does not say.
        is_deleted: Whether the source holds it for deleted.
        started_at: ISO 8601 UTC; None where unknown.
        finished_at: ISO 8601 UTC; None where unknown.
        problems: What could not be read, so far.
        skipped: What was understood and not taken over, by kind, as the last full reading counted it.
    """

    source: Source
    source_id: str
    name: str
    fingerprint: str
    path: Path
    params: dict[str, Any] = {}
    tags: dict[str, str] = {}
    metadata: dict[str, Any] = {}
    status: str | None = None
    is_deleted: bool = False
    started_at: str | None = None
    finished_at: str | None = None
    problems: Problems = msgspec.field(default_factory=Problems)
    skipped: dict[str, int] = {}

    def points(self, batch: int = BATCH) -> Iterator[list[ImportedPoint]]:
        """Yield its points, one series after the other by step; of a repeated step the last value.

        A run's points are gathered before the first batch, 24 bytes each.

        Args:
            batch: Points in a batch, at least 1.

        Raises:
            StoreError: A file is gone or cannot be read.
        """
        del batch
        yield from ()

    def events(self, batch: int = BATCH) -> Iterator[list[StoredEvent]]:
        """Yield its events in the source's order; none for sources that have only numbers.

        Their `run_id` is the source's.

        Args:
            batch: Events in a batch, at least 1.

        Raises:
            StoreError: A file is gone or cannot be read.
        """
        del batch
        yield from ()


class ImportedRuns(Iterator[ImportedRun]):
    """The runs of a path, found one after the other; `problems` holds what belongs to none of them."""

    def __init__(self, runs: Iterator[ImportedRun], problems: Problems) -> None:
        self._runs = runs
        self.problems = problems

    def __next__(self) -> ImportedRun:
        return next(self._runs)
