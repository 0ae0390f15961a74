"""Reads archives back. Only files of matching days are opened, and of those only matching row groups are read.

The manifest says which files there are, so that one that is gone is an error and not a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from crucible.errors import SpecError, StoreError, require
from crucible.ir import did_you_mean, file_sha256
from crucible.store import StoredEvent
from crucible.telemetry.archive.layout import EVENTS, SERIES, Kind, day_of, experiment_folder, experiment_ids
from crucible.telemetry.archive.manifest import read_manifest
from crucible.telemetry.archive.schema import EVENT_COLUMNS, POINT_TYPES, RECORD_FIELDS, record_builder, schema_of
from crucible.telemetry.exports.kinds import ColumnType
from crucible.telemetry.exports.parquet_file import arrow
from crucible.telemetry.exports.payload import utf8
from crucible.telemetry.exports.points import Point

__all__ = ["archived_experiments", "read_archive", "read_points"]

_BATCH = 4096


def archived_experiments(folder: str | Path) -> list[str]:
    """Return the ids of the experiments in an archive, sorted."""
    return experiment_ids(Path(folder))


def read_archive(
    folder: str | Path,
    experiment_id: str | None = None,
    *,
    names: Sequence[str] = (),
    since_ns: int | None = None,
    until_ns: int | None = None,
    condition: str | None = None,
    columns: Sequence[str] | None = None,
    verify: bool = True,
) -> Iterator[StoredEvent]:
    """Yield archived events: experiment by experiment, day by day, those of a day as they were archived.

    Args:
        folder: The archive.
        experiment_id: Only of this experiment; None: of all.
        names: Exact names, `prefix.*`, or `*`; any of them. Empty: all.
        since_ns: Earliest time, nanoseconds since 1970-01-01 UTC.
        until_ns: The time before which they are.
        condition: Only of this arm.
        columns: Fields of `StoredEvent` to read, the others keep their defaults; None or none: all.
        verify: Whether each file that is opened is checked against its SHA-256 first, about a second a gigabyte. False
            reads matching row groups only, and notices damage to values but not all damage to a file's structure.

    Raises:
        MissingExtra: The extra `data` is not installed.
        SpecError: A column is unknown.
        StoreError: There is no such experiment, or a file that is needed is missing or damaged; it is named.
    """
    wanted = _columns(columns)
    dataset = require("pyarrow.dataset", extra="data", feature="Parquet")
    conditions = _times(dataset, since_ns, until_ns)
    if names and "*" not in names:
        conditions.append(_any_name(dataset, names))
    if condition is not None:
        conditions.append(dataset.field("condition") == condition)
    found = _files(Path(folder), experiment_id, EVENTS, conditions, verify=verify)
    return (record for file in found for record in _records(file, wanted))


def read_points(
    folder: str | Path,
    experiment_id: str | None = None,
    *,
    series: Sequence[str] = (),
    since_ns: int | None = None,
    until_ns: int | None = None,
    verify: bool = True,
) -> Iterator[Point]:
    """Yield archived points `(series, step, value, timestamp_ns)`: by experiment, by day, then as they were archived.

    Args:
        folder: The archive.
        experiment_id: Only of this experiment; None: of all.
        series: Exact names, `prefix.*`, or `*`; any of them. Empty: all.
        since_ns: Earliest time, nanoseconds since 1970-01-01 UTC.
        until_ns: The time before which they are.
        verify: As in `read_archive`.

    Raises:
        MissingExtra: The extra `data` is not installed.
        StoreError: There is no such experiment, or a file that is needed is missing or damaged; it is named.
    """
    dataset = require("pyarrow.dataset", extra="data", feature="Parquet")
    conditions = _times(dataset, since_ns, until_ns)
    if series and "*" not in series:
        conditions.append(_any_name(dataset, series, "series"))
    found = _files(Path(folder), experiment_id, SERIES, conditions, verify=verify)
    return (point for file in found for point in _rows(file, list(POINT_TYPES)))


def _columns(fields: Sequence[str] | None) -> list[str]:
    if not fields:
        return list(RECORD_FIELDS.values())
    for field in fields:
        if field not in RECORD_FIELDS:
            message = f"{field!r} is no field of an event{did_you_mean(field, RECORD_FIELDS)}"
            raise SpecError(message, path="columns", code="unknown_column")
    return [RECORD_FIELDS[field] for field in dict.fromkeys(fields)]


def _times(dataset: Any, since_ns: int | None, until_ns: int | None) -> list[Any]:
    """Return the conditions on the time, each also on the day, so that files of other days are not opened."""
    conditions: list[Any] = []
    if since_ns is not None:
        conditions += [dataset.field("timestamp") >= _moment(since_ns), dataset.field("day") >= day_of(since_ns)]
    if until_ns is not None:
        conditions += [dataset.field("timestamp") < _moment(until_ns), dataset.field("day") <= day_of(until_ns - 1)]
    return conditions


def _moment(timestamp_ns: int) -> Any:
    pyarrow = arrow()
    bounded = min(max(timestamp_ns, -(2**63)), 2**63 - 1)
    return pyarrow.scalar(bounded, pyarrow.timestamp("ns", tz="UTC"))


def _any_name(dataset: Any, names: Sequence[str], column: str = "name") -> Any:
    """Return the condition that a name is one of these; a prefix as a range, which the statistics of files rule out."""
    field = dataset.field(column)
    pyarrow = arrow()
    exact = [utf8(name) for name in names if not name.endswith("*")]
    condition = field.isin(pyarrow.array(exact, pyarrow.string()))
    for name in names:
        if name.endswith("*"):
            first = name[:-1]
            last = first[:-1] + chr(ord(first[-1]) + 1)
            condition |= (field >= first) & (field < last)
    return condition


class _File(NamedTuple):
    """A file that may have matching rows, not yet opened, with the columns of its dataset and the condition.

    `sha256` is empty if it is not to be checked.
    """

    path: Path
    fragment: Any
    schema: Any
    condition: Any
    sha256: str


def _files(folder: Path, experiment_id: str | None, kind: Kind, conditions: list[Any], *, verify: bool) -> list[_File]:
    """Return the files whose experiment and day match."""
    condition = None
    for each in conditions:
        condition = each if condition is None else condition & each
    ids = experiment_ids(folder) if experiment_id is None else [experiment_id]
    files = [file for one in ids for file in _files_of(folder, one, kind, condition)]
    return files if verify else [file._replace(sha256="") for file in files]


def _files_of(folder: Path, experiment_id: str, kind: Kind, condition: Any) -> list[_File]:
    dataset = require("pyarrow.dataset", extra="data", feature="Parquet")
    files = [file for file in read_manifest(folder, experiment_id).files if file.kind == kind]
    if not files:
        return []
    types: dict[str, ColumnType] = {**(EVENT_COLUMNS if kind == EVENTS else POINT_TYPES), "day": "text"}
    schema = schema_of(types)
    options = dataset.ParquetFragmentScanOptions(page_checksum_verification=True, pre_buffer=False)
    base = experiment_folder(folder, experiment_id)
    found = dataset.FileSystemDataset.from_paths(
        [str(base / file.path) for file in files],
        schema=schema,
        format=dataset.ParquetFileFormat(default_fragment_scan_options=options),
        filesystem=require("pyarrow.fs", extra="data", feature="Parquet").LocalFileSystem(),
        partitions=[dataset.field("day") == file.day for file in files],
    )
    fragments = found.get_fragments(filter=condition)
    sums = {base / file.path: file.sha256 for file in files}
    paths = [(Path(fragment.path), fragment) for fragment in fragments]
    return [_File(path, fragment, schema, condition, sums[path]) for path, fragment in paths]


def _records(file: _File, columns: list[str]) -> Iterator[StoredEvent]:
    build = record_builder(columns)
    for row in _rows(file, columns):
        try:
            record = build(row)
        except ValueError as error:  # JSON that is none
            raise _damaged(file.path, error) from error
        yield record


def _rows(file: _File, columns: list[str]) -> Iterator[Any]:
    """Yield the matching rows of a file, as tuples of these columns."""
    pyarrow = arrow()
    for batch in _batches(file, columns):
        yield from zip(*(_values(pyarrow, column) for column in batch.columns), strict=True)


def _batches(file: _File, columns: list[str]) -> Iterator[Any]:
    options: dict[str, Any] = {
        "batch_size": _BATCH,
        "batch_readahead": 2,
        "fragment_readahead": 1,
        "use_threads": False,
    }
    try:
        if file.sha256 and file_sha256(file.path) != file.sha256:
            raise ValueError("its SHA-256 is not that of the manifest")
        yield from file.fragment.to_batches(file.schema, columns=columns, filter=file.condition, **options)
    except (OSError, ValueError, arrow().ArrowException) as error:
        raise _damaged(file.path, error) from error


def _values(pyarrow: Any, column: Any) -> list[Any]:
    return (column.cast(pyarrow.int64()) if pyarrow.types.is_timestamp(column.type) else column).to_pylist()


def _damaged(path: Path, error: Exception) -> StoreError:
    reason = f"{error.__cause__ or error}".partition("\n")[0]
    return StoreError(
        f"{path} is missing or damaged ({reason}); restore it from a copy, or archive the experiment again"
    )
