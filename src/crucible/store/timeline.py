"""What happened when in a run: starts, attempts at stages, spans of its telemetry and its end, by the clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, select

from crucible.pipeline.records import StageRecord
from crucible.store import tables
from crucible.store.codec import decode
from crucible.store.records import StoredRun
from crucible.store.stage_rows import StageRows

__all__ = ["TimelineEntry", "timeline"]

_events = tables.telemetry_events
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RUN_STARTS = "crucible_framework.pipeline.start"
_ENDINGS = (".stop", ".exception")


class TimelineEntry(msgspec.Struct, frozen=True):
    """One moment of a run.

    Args:
        kind: What it is; `event` for the spans of telemetry.
        name: The stage, the event, or the experiment.
        offset_ns: Nanoseconds since the run started; None where nobody wrote down when.
        duration_ns: How long what ends here took; None for a beginning, and where it is not known.
        status: How the run or the stage stands after it; empty for events and beginnings.
        index: The stage's place, from 0; None for what concerns the whole run.
        attempt: Which attempt at the stage, or at the run.
        detail: Why it failed, was skipped or cancelled.
    """

    kind: Literal["run_started", "run_resumed", "stage_started", "stage_ended", "run_ended", "event"]
    name: str
    offset_ns: int | None
    duration_ns: int | None = None
    status: str = ""
    index: int | None = None
    attempt: int | None = None
    detail: str = ""


def timeline(connection: Connection, run: StoredRun, *, spans: bool) -> Sequence[TimelineEntry]:
    """Return the entries of a run in the order in which they happened.

    The end of a stage whose process died has no time: it comes before the run went on, else last.

    Args:
        connection: Inside a transaction.
        run: The run.
        spans: Also the ends of the spans of its telemetry, other than those of the run and its stages.
    """
    started_ns = _nanoseconds(run.started_at) or 0
    entries = [
        TimelineEntry("run_started", run.experiment_id, 0, attempt=1),
        *_resumes(connection, run, started_ns),
        *(entry for record in StageRows(connection, run.run_id).load() for entry in _stage(record, started_ns)),
        *(_spans(connection, run, started_ns) if spans else ()),
    ]
    places = _places(entries)
    entries = [entry for _, entry in sorted(zip(places, entries, strict=True), key=lambda pair: pair[0])]
    return [*entries, *_end(run, started_ns)]


def _places(entries: Sequence[TimelineEntry]) -> list[tuple[float, bool]]:
    """Return what each entry is sorted by; the latest that an end without a time can have been is what came next."""
    begun = [
        ((entry.index, entry.attempt), entry.offset_ns)
        for entry in entries
        if entry.kind in ("stage_started", "run_resumed") and entry.offset_ns is not None
    ]
    begins = dict(begun)
    places: list[tuple[float, bool]] = []
    for entry in entries:
        if entry.offset_ns is not None:
            places.append((entry.offset_ns, True))
            continue
        own = begins.get((entry.index, entry.attempt))
        later = [at for (index, _), at in begun if own is not None and at > own and index in (None, entry.index)]
        places.append((min(later, default=math.inf), False))
    return places


def _resumes(connection: Connection, run: StoredRun, started_ns: int) -> Iterator[TimelineEntry]:
    """Yield the later starts of a run, which its telemetry saw."""
    query = select(_events.c.timestamp_ns).where(_events.c.run_id == run.run_id, _events.c.name == _RUN_STARTS)
    starts = connection.scalars(query.order_by(_events.c.id)).all()
    for attempt, moment_ns in enumerate(starts[1:], 2):
        yield TimelineEntry("run_resumed", run.experiment_id, moment_ns - started_ns, attempt=attempt)


def _stage(record: StageRecord, started_ns: int) -> Iterator[TimelineEntry]:
    moment_ns = _nanoseconds(record.started_at)
    offset_ns = None if moment_ns is None else moment_ns - started_ns
    which: dict[str, Any] = {"index": record.index, "attempt": record.attempt}
    detail = f"{record.error.type}: {record.error.message}" if record.error else record.reason or ""
    if record.status == "skipped" and not record.error:  # it never began
        yield TimelineEntry("stage_ended", record.name, offset_ns, status=record.status, detail=detail, **which)
        return
    yield TimelineEntry("stage_started", record.name, offset_ns, **which)
    if record.status == "running":
        return
    took_ns = record.duration_ns or None  # of a stage whose process died, nobody knows when it ended
    ended_ns = None if offset_ns is None or took_ns is None else offset_ns + took_ns
    yield TimelineEntry("stage_ended", record.name, ended_ns, took_ns, record.status, detail=detail, **which)


def _spans(connection: Connection, run: StoredRun, started_ns: int) -> Iterator[TimelineEntry]:
    query = select(_events).where(_events.c.run_id == run.run_id, _events.c.span_id.is_not(None))
    for row in connection.execute(query.order_by(_events.c.id)):
        if row.name.endswith(_ENDINGS) and not row.name.startswith("crucible_framework."):
            took_ns = decode(row.measurements_json).get("duration_ns")
            error = decode(row.metadata_json).get("error", "") if row.name.endswith(".exception") else ""
            offset_ns = row.timestamp_ns - started_ns
            yield TimelineEntry("event", row.name, offset_ns, took_ns, index=row.stage_index, detail=str(error))


def _end(run: StoredRun, started_ns: int) -> Iterator[TimelineEntry]:
    if run.status == "running":
        return
    moment_ns = None if run.finished_at is None else _nanoseconds(run.finished_at)
    offset_ns = None if moment_ns is None else moment_ns - started_ns
    detail = f"{run.failure.type}: {run.failure.message}" if run.failure else ""
    yield TimelineEntry(
        "run_ended", run.experiment_id, offset_ns, offset_ns, run.status, attempt=run.attempt, detail=detail
    )


def _nanoseconds(text: str) -> int | None:
    """Return a stored time in nanoseconds since 1970; None if nobody wrote it down."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) * 1000
