"""Archives one experiment: its folder is there with everything, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import CrucibleError, SpecError, StoreError
from crucible.ir import atomic_write, sync_folder
from crucible.store import StoredEvent
from crucible.telemetry.archive.layout import EVENTS, INFO, MANIFEST, SERIES, experiment_folder
from crucible.telemetry.archive.manifest import ArchivedFile, ArchiveManifest
from crucible.telemetry.archive.partitions import Partitions, PartitionStyle
from crucible.telemetry.archive.schema import (
    EVENT_COLUMNS,
    EVENT_DICTIONARIES,
    POINT_TYPES,
    event_row,
    schema_of,
)
from crucible.telemetry.exports.files import unwritable
from crucible.telemetry.exports.payload import json_text, utf8
from crucible.telemetry.exports.points import Point

__all__ = ["info_id", "write_archive"]

_TEXT_PLACES = slice(list(EVENT_COLUMNS).index("measurements"), None)


def write_archive(
    folder: str | Path,
    info: Mapping[str, Any],
    records: Iterable[StoredEvent],
    points: Iterable[Point] = (),
    *,
    replace: bool = False,
) -> ArchiveManifest:
    """Write an experiment into an archive: one folder, with a partition for each day.

    Nothing of it is visible before everything is on the disk. Records may come in any order; those of one day keep it.

    Args:
        folder: The archive, of many experiments; made if missing.
        info: All that is to be kept of the experiment; `id` (or `experiment_id`) names it.
        records: Its events; read once, never all in memory.
        points: `(series, step, value, timestamp_ns)`; read once.
        replace: Whether an archived experiment of that id is replaced when the new one is whole.

    Raises:
        MissingExtra: The extra `data` is not installed.
        SpecError: `info` has no id.
        StoreError: The experiment is archived already, the disk is full or read-only, or a record cannot be kept.
    """
    folder = Path(folder)
    experiment_id = info_id(info)
    final = experiment_folder(folder, experiment_id)
    if final.exists() and not replace:
        raise StoreError(f"{final} is there already; pass replace=True to archive the experiment again")
    temporary = folder / f".archiving-{secrets.token_hex(6)}.tmp"
    try:
        temporary.mkdir(parents=True)
        files, events, written = _write_files(temporary, records, points)
        text = json_text(dict(info))
        atomic_write(temporary / INFO, text)
        manifest = ArchiveManifest(
            experiment_id=experiment_id,
            created_at=f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
            events=events,
            points=written,
            info_sha256=hashlib.sha256(text.encode()).hexdigest(),
            files=tuple(files),
        )
        atomic_write(temporary / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        _take_place(temporary, final, replace=replace)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError) and not isinstance(error, CrucibleError):
            raise unwritable(final, error) from error
        raise
    return manifest


def info_id(info: Mapping[str, Any]) -> str:
    """Return the id of an experiment.

    Raises:
        SpecError: There is none.
    """
    found = info.get("id") or info.get("experiment_id")
    if not isinstance(found, str):
        raise SpecError(f"an archived experiment needs a text `id`, got {found!r}", path="id", code="required")
    return utf8(found)


def _write_files(
    folder: Path, records: Iterable[StoredEvent], points: Iterable[Point]
) -> tuple[list[ArchivedFile], int, int]:
    events = Partitions(
        folder, PartitionStyle(EVENTS, schema_of(EVENT_COLUMNS), 3, dictionary=EVENT_DICTIONARIES, delta=("timestamp",))
    )
    style = PartitionStyle(
        SERIES, schema_of(POINT_TYPES), 3, dictionary=("series",), delta=("step", "timestamp"), split=("value",)
    )
    series = Partitions(folder, style)
    try:
        for record in records:
            row = event_row(record)
            events.add(row, sum(map(len, row[_TEXT_PLACES])))
        files = events.finish()
        for name, step, value, timestamp_ns in points:
            series.add((utf8(name), step, float(value), timestamp_ns))
        files += series.finish()
    except BaseException as error:
        events.abandon(error)
        series.abandon(error)
        raise
    for path in (folder / EVENTS, folder / SERIES, folder):
        sync_folder(path)
    return files, events.count, series.count


def _take_place(temporary: Path, final: Path, *, replace: bool) -> None:
    """Give the finished folder its name; of an older one that it replaces, nothing is deleted before that."""
    old = final.with_name(f".replaced-{secrets.token_hex(6)}.tmp")
    if replace:
        with contextlib.suppress(FileNotFoundError):
            final.rename(old)
    try:
        temporary.rename(final)
    except OSError:
        with contextlib.suppress(OSError):
            old.rename(final)
        if final.exists():
            raise StoreError(f"{final} is there already; somebody else archived it meanwhile") from None
        raise
    sync_folder(final.parent)
    shutil.rmtree(old, ignore_errors=True)
