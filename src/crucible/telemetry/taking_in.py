"""Bringing into a store what was recorded elsewhere: archives of ours, and histories of other trackers.

An experiment comes whole or not at all. Its id says what it is: the same history brought in twice is found to be there.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import StoreError
from crucible.store import ABSENT, EventRow, ExperimentInfo, PointRow, Store, StoredEvent, encode, event_row, storable
from crucible.store.owner import current_owner
from crucible.telemetry.archive import archived_experiments, read_archive, read_info, read_jsonl_archive, read_points
from crucible.telemetry.importers import ImportedRun, read

__all__ = ["Imported", "import_runs", "restore", "row_of"]

_BATCH = 5_000
_FACTS = ("wall_ns", "active_ns")  # computed from the others
_FILLING = "is_brought_in"


class Imported(msgspec.Struct, frozen=True):
    """What was brought in.

    Args:
        info: The experiment that it became; None for one that was there already.
        source: Whose it was, such as `mlflow`, with its id there.
        events: Events.
        points: Points.
        skipped: What was understood and not taken over, by kind.
        problems: What could not be read.
    """

    info: ExperimentInfo | None
    source: str
    events: int
    points: int
    skipped: dict[str, int]
    problems: tuple[str, ...]


def restore(path: str | Path, store: Store) -> list[ExperimentInfo]:
    """Bring archived experiments back: those of a folder of Parquet, or the one of a file of JSON lines.

    Args:
        path: What `archive` wrote.
        store: Where to.

    Raises:
        StoreError: A file is damaged or missing, or the store has an experiment of that id, or data that was kept of
            one; earlier ones stay.
    """
    path = Path(path)
    if path.is_file():
        archive = read_jsonl_archive(path)
        return [_restored(store, archive.info, archive.records(), archive.points())]
    return [
        _restored(store, read_info(path, each), read_archive(path, each), read_points(path, each))
        for each in archived_experiments(path)
    ]


def import_runs(path: str | Path, store: Store, *, replace: bool = False) -> Iterator[Imported]:
    """Bring in the runs of an MLflow file store, TensorBoard event files, W&B-style or Crucible's own JSON lines.

    Args:
        path: A folder or a file; what it is, is seen from its content.
        store: Where to; each run becomes a telemetry experiment that is stopped.
        replace: Whether a run whose history has changed since it was brought in, such as one that has grown, is brought
            in anew; what else was recorded of it goes.

    Yields:
        What became of each run; last, where something belongs to no run and could not be read, an entry of no run.

    Raises:
        SpecError: There is nothing there that can be brought in.
        StoreError: The path cannot be read, or the store cannot be written.
    """
    runs = read(path)
    for run in runs:
        yield _imported(store, run, replace=replace)
    if left := tuple(str(problem) for problem in runs.problems):
        yield Imported(None, str(path), 0, 0, {}, left)


def row_of(record: StoredEvent, run_id: str) -> EventRow:
    """Return the row of an event that comes from elsewhere."""
    success = record.success
    return event_row(
        run_id,
        storable(record.name),
        record.timestamp_ns,
        event_id=_number(record.event_id),
        stage=storable(record.stage or ABSENT),
        stage_index=ABSENT if record.stage_index is None else record.stage_index,
        span_id=storable(record.span_id or ABSENT),
        parent_span_id=storable(record.parent_span_id or ABSENT),
        correlation_id=storable(record.correlation_id or ABSENT),
        condition=storable(record.condition or ABSENT),
        latency_ms=ABSENT if record.latency_ms is None else record.latency_ms,
        cost_usd=ABSENT if record.cost_usd is None else record.cost_usd,
        success=ABSENT if success is None else int(success),
        measurements_json=encode(record.measurements),
        metadata_json=encode(record.metadata),
        fields_json=encode(record.fields) if record.fields else ABSENT,
    )


def _number(event_id: str) -> int:
    """Return an event's id as the database holds it; of a foreign one, a number made of it."""
    with contextlib.suppress(ValueError):
        number = int(event_id, 16)
        if 0 <= number < 2**63:
            return number
    return int.from_bytes(hashlib.sha256(event_id.encode("utf-8", "replace")).digest()[:8]) >> 1


def _restored(
    store: Store, info: dict[str, Any], records: Iterable[StoredEvent], points: Iterable[tuple[str, int, float, int]]
) -> ExperimentInfo:
    known = {name: value for name, value in info.items() if name not in _FACTS}
    try:
        found = msgspec.convert(known, ExperimentInfo, strict=False)
    except msgspec.ValidationError as error:
        raise StoreError(
            f"the archive of {info.get('id')} is not of a telemetry experiment ({error}); read it in place instead"
        ) from error
    with _whole(store, found):
        _fill(store, found.id, records, points)
    return store.telemetry.experiments.get(found.id)


def _imported(store: Store, run: ImportedRun, *, replace: bool) -> Imported:
    source = f"{run.source} {run.source_id}"
    digest = hashlib.sha256(f"{source} {run.name}".encode("utf-8", "replace")).hexdigest()[:16]
    known = store.telemetry.experiments.find(digest)
    if known is not None and not (known.is_orphaned and known.settings.get(_FILLING)):
        if known.metadata.get("imported_from", {}).get("fingerprint") == run.fingerprint:
            return Imported(None, source, 0, 0, {}, ())
        if not replace:
            what = f"{run.name}: its history has changed since it was brought in as {digest}, which was left as it is"
            return Imported(None, source, 0, 0, {}, (f"{what}; replace=True (--replace) brings it in anew",))
        store.telemetry.experiments.remove(digest)
        store.telemetry.forget(digest)
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    info = ExperimentInfo(
        id=digest,
        name=run.name,
        status="stopped",
        started_at=_instant(run.started_at) or now,
        stopped_at=_instant(run.finished_at) or _instant(run.started_at) or now,
        condition=str(run.metadata.get("condition") or "default"),
        tags=tuple(f"{key}={value}" for key, value in run.tags.items()),
        metadata={
            **run.metadata,
            "imported_from": {
                "source": run.source,
                "id": run.source_id,
                "status": run.status,
                "params": run.params,
                "fingerprint": run.fingerprint,
            },
        },
        owner=current_owner(),
    )
    with _whole(store, info):
        points = ((each.series, each.step, each.value, each.timestamp_ns) for batch in run.points() for each in batch)
        counts = _fill(store, info.id, (event for batch in run.events() for event in batch), points)
    store.telemetry.experiments.count(info.id, sum(counts), {})
    info = store.telemetry.experiments.get(info.id)
    problems = tuple(str(problem) for problem in run.problems)
    return Imported(info, source, *counts, dict(run.skipped), problems)


def _instant(text: str | None) -> str | None:
    """Return a time as the store has it; None for what is no time."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


@contextlib.contextmanager
def _whole(store: Store, info: ExperimentInfo) -> Generator[None]:
    """Keep an experiment that is filled inside the block, unless the block raises.

    While it is filled it counts as running, in this process: one whose process was killed meanwhile is begun anew.

    Raises:
        StoreError: There is one of this id, or data that was kept of one.
    """
    telemetry = store.telemetry
    known = telemetry.experiments.find(info.id)
    if known is not None and known.is_orphaned and known.settings.get(_FILLING):
        telemetry.experiments.remove(info.id)
        telemetry.forget(info.id)
    elif known is None and (telemetry.event_counts(info.id) or telemetry.series(info.id)):
        raise StoreError(
            f"there is data of an experiment {info.id}, kept when that was removed, so it is not brought in again"
        )
    telemetry.experiments.add(
        msgspec.structs.replace(
            info, status="running", stopped_at=None, owner=current_owner(), settings={**info.settings, _FILLING: True}
        )
    )
    try:
        yield
        telemetry.experiments.replace(info)
    except BaseException:
        with contextlib.suppress(StoreError):  # the first error is the one to tell
            telemetry.experiments.remove(info.id)
            telemetry.forget(info.id)
        raise


def _fill(
    store: Store, run_id: str, records: Iterable[StoredEvent], points: Iterable[tuple[str, int, float, int]]
) -> tuple[int, int]:
    """Write events and points; return how many there were."""
    events = count = 0
    rows: list[EventRow] = []
    for record in records:
        rows.append(row_of(record, run_id))
        events += 1
        if len(rows) == _BATCH:
            store.telemetry.write_events(rows)
            rows = []
    waiting: list[PointRow] = []
    for series, step, value, timestamp_ns in points:
        waiting.append((run_id, series, step, value, timestamp_ns))
        count += 1
        if len(waiting) == 4 * _BATCH:
            store.telemetry.write_events((), waiting)
            waiting = []
    store.telemetry.write_events(rows, waiting)
    store.telemetry.close_series(run_id)
    return events, count
