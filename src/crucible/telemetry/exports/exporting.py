"""One door to the formats: by name or by suffix, under a name of one's own or one that no file has yet."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.store import StoredEvent
from crucible.telemetry.exports.anonymizer import Anonymizer
from crucible.telemetry.exports.csv_file import write_csv
from crucible.telemetry.exports.jsonl_file import write_jsonl
from crucible.telemetry.exports.parquet_file import write_parquet
from crucible.telemetry.exports.points import Point, write_points_csv, write_points_jsonl, write_points_parquet
from crucible.telemetry.exports.result import Exported
from crucible.telemetry.exports.source import Source, Sources

__all__ = ["FORMATS", "default_path", "export_points", "export_records", "format_of", "safe_name"]

FORMATS = ("csv", "jsonl", "parquet")
"""The formats of events and of points; each is also the suffix of its files."""

_LONGEST = 120
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})


def export_records(
    records: Iterable[StoredEvent],
    format: str | None = None,  # noqa: A002  # the word users know
    path: str | Path | None = None,
    *,
    source: Sources = None,
    anonymizer: Anonymizer | None = None,
    flatten: bool = True,
    guard: bool = True,
) -> Exported:
    """Write events as CSV, JSON lines or Parquet, whole or not at all.

    Args:
        records: The events, in the order of the rows.
        format: One of `FORMATS`; None goes by the suffix of `path`, and is CSV without a path.
        path: Where; a file of that name is replaced when the new one is whole. None: a name that no file has, from
            `default_path`; with an anonymiser the experiment's id and name are not in it.
        source: Whose events they are.
        anonymizer: Hides users and sessions; None writes everything.
        flatten: Whether measurements and metadata get a column a key in CSV and Parquet.
        guard: Whether CSV is guarded against formulas.

    Raises:
        SpecError: The format is unknown.
        MissingExtra: Parquet is asked for and the extra `data` is not installed.
        StoreError: The file cannot be written.
    """
    name = format_of(format, path)
    target, replace = _target(path, name, None if anonymizer else source, "events")
    shared: dict[str, Any] = {"source": source, "anonymizer": anonymizer, "replace": replace}
    if name == "csv":
        return write_csv(records, target, flatten=flatten, guard=guard, **shared)
    if name == "parquet":
        return write_parquet(records, target, flatten=flatten, **shared)
    return write_jsonl(records, target, **shared)


def export_points(
    points: Iterable[Point],
    format: str | None = None,  # noqa: A002  # the word users know
    path: str | Path | None = None,
    *,
    run_id: str,
    source: Source | None = None,
    anonymizer: Anonymizer | None = None,
    guard: bool = True,
) -> Exported:
    """Write points as CSV, JSON lines or Parquet, whole or not at all.

    Args:
        points: `(series, step, value, timestamp_ns)`, in the order of the rows.
        format: One of `FORMATS`; None goes by the suffix of `path`, and is CSV without a path.
        path: Where, as in `export_records`.
        run_id: The recording that they are of.
        source: Names the default path.
        anonymizer: Replaces the ids that it met while it wrote the events; None leaves names as they are.
        guard: Whether CSV is guarded against formulas.

    Raises:
        SpecError: The format is unknown.
        MissingExtra: Parquet is asked for and the extra `data` is not installed.
        StoreError: The file cannot be written.
    """
    name = format_of(format, path)
    target, replace = _target(path, name, None if anonymizer else source or Source(run_id), "points")
    shared: dict[str, Any] = {"run_id": run_id, "anonymizer": anonymizer, "replace": replace}
    if name == "csv":
        return write_points_csv(points, target, guard=guard, **shared)
    if name == "parquet":
        return write_points_parquet(points, target, **shared)
    return write_points_jsonl(points, target, **shared)


def format_of(format: str | None, path: str | Path | None) -> str:  # noqa: A002  # the word users know
    """Return the format that is asked for by name or by the suffix of a path.

    Raises:
        SpecError: There is no such format.
    """
    if format is None and path is None:
        return FORMATS[0]
    name = Path(path).suffix[1:].lower() if format is None and path is not None else str(format)
    if name not in FORMATS:
        came = f"the format {name!r}" if name else f"{Path(path or '').name!r} has no suffix and no format is given"
        message = f"{came}: telemetry is exported as {', '.join(FORMATS)}{did_you_mean(name, FORMATS)}"
        raise SpecError(message, path="format", code="unknown_format")
    return name


def default_path(name: str, suffix: str, folder: str | Path = "exports") -> Path:
    """Return `<folder>/<name>_<UTC to the microsecond>.<suffix>`, with a name that cannot lead out of the folder.

    Args:
        name: Any text, such as an experiment's name.
        suffix: Without the dot.
        folder: Where exports are kept, by default in the working folder.
    """
    return Path(folder) / f"{safe_name(name)}_{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.{suffix}"


def safe_name(name: str) -> str:
    """Return a name for a file or folder: letters, digits, spaces and `._-`, never hidden, never a path."""
    composed = unicodedata.normalize("NFC", name)
    kept = "".join(letter if letter.isalnum() or letter in " ._-" else "_" for letter in composed)
    cut = kept.encode("utf-8", "ignore")[:_LONGEST].decode("utf-8", "ignore").strip(" .-")
    if not cut.strip("_"):
        return "experiment"
    return f"{cut}_" if cut.partition(".")[0].lower() in _RESERVED else cut


def _target(path: str | Path | None, suffix: str, source: Sources, otherwise: str) -> tuple[Path, bool]:
    """Return where to write and whether a file there may be replaced: only one that the caller named."""
    if path is not None:
        return Path(path), True
    if not isinstance(source, Source):
        source = next(iter(source.values()), None) if source else None
    name = (source.experiment_name or source.experiment_id) if source else ""
    return default_path(name or otherwise, suffix), False
