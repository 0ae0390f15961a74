"""Events as Parquet: one typed column for everything that any row has, written row group by row group."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from crucible.errors import require
from crucible.store import StoredEvent
from crucible.telemetry.exports.anonymizer import Anonymizer, anonymized
from crucible.telemetry.exports.columns import Column, Columns
from crucible.telemetry.exports.files import whole_file
from crucible.telemetry.exports.kinds import ColumnType, as_type
from crucible.telemetry.exports.result import Exported
from crucible.telemetry.exports.source import Sources
from crucible.telemetry.exports.spool import Spool

__all__ = ["arrow", "arrow_type", "parquet_writer", "write_parquet"]

_CELLS = 600_000  # that many Python values are in memory at a time
_ROWS = 65_536
_NAMES = frozenset(
    ("event_name", "experiment_id", "experiment_name", "condition", "cohort", "model", "provider", "stage")
)
_INT64 = range(-(2**63), 2**63)


def write_parquet(
    records: Iterable[StoredEvent],
    path: str | Path,
    *,
    source: Sources = None,
    anonymizer: Anonymizer | None = None,
    flatten: bool = True,
    replace: bool = True,
) -> Exported:
    """Write events as Parquet, whole or not at all; the records are read once and never all in memory.

    Columns as in `write_csv`, without `datetime`: `timestamp` is a `timestamp[ns, UTC]`. Measurements are doubles where
    every value is one; a column of integers, bools or texts has that type; one of lists or of mixed values is JSON
    text, marked `crucible.encoding: json` in the field's metadata. NaN is a NaN, a missing value a null.

    Args:
        records: The events, in the order of the rows.
        path: Where; missing parent folders are made.
        source: Whose events they are.
        anonymizer: Hides users and sessions; None writes everything.
        flatten: Whether measurements and metadata get a column a key; else one column of JSON each.
        replace: Whether a file of that name is replaced.

    Raises:
        MissingExtra: The extra `data` is not installed.
        StoreError: The file cannot be written, or is there and not to be replaced.
    """
    pyarrow = arrow()
    path = Path(path)
    columns = Columns(flatten=flatten)
    with whole_file(path, replace=replace) as file, Spool(path.parent) as spool:
        with anonymized(records, source, anonymizer, path.parent) as (hidden, sources):
            columns = Columns(sources, flatten=flatten)
            for record in hidden:
                spool.add({index: value for index, value in columns.row(record).items() if value is not None})
        named = {name: column for name, column in columns.named().items() if name != "datetime"}
        schema = pyarrow.schema([_field(name, column) for name, column in named.items()])
        count = 0
        names = [name for name in named if name in _NAMES]
        with parquet_writer(file, schema, dictionary=[*names, *_texts(named)], delta=["timestamp"]) as writer:
            for rows in _groups(spool.rows(dict[int, Any]), len(named)):
                writer.write_batch(_batch(rows, named, schema), row_group_size=len(rows))
                count += len(rows)
    return Exported(path, "parquet", count, tuple(named))


def arrow() -> Any:
    """Return pyarrow.

    Raises:
        MissingExtra: The extra `data` is not installed.
    """
    return require("pyarrow", extra="data", feature="Parquet")


@contextlib.contextmanager
def parquet_writer(
    file: BinaryIO, schema: Any, *, dictionary: Sequence[str], delta: Sequence[str] = (), split: Sequence[str] = ()
) -> Generator[Any]:
    """Open a Parquet writer onto a file that stays open.

    Args:
        file: A binary file.
        schema: The arrow schema.
        dictionary: Columns whose values repeat.
        delta: Columns of integers or times that lie close to their neighbours.
        split: Columns of doubles, whose bytes compress better side by side.
    """
    parquet = require("pyarrow.parquet", extra="data", feature="Parquet")
    encodings = dict.fromkeys(delta, "DELTA_BINARY_PACKED") | dict.fromkeys(split, "BYTE_STREAM_SPLIT")
    writer: Any = parquet.ParquetWriter(
        file,
        schema,
        compression="zstd",
        use_dictionary=list(dictionary),
        column_encoding=encodings or None,
        write_page_checksum=True,
    )
    try:
        yield writer
        writer.close()
    finally:
        writer.is_open = False  # one that failed would try to write again when it is collected


def arrow_type(kind: ColumnType) -> Any:
    """Return the arrow type of a column."""
    pyarrow = arrow()
    match kind:
        case "bool":
            return pyarrow.bool_()
        case "int":
            return pyarrow.int64()
        case "double":
            return pyarrow.float64()
        case "time":
            return pyarrow.timestamp("ns", tz="UTC")
        case "texts":
            return pyarrow.list_(pyarrow.string())
        case "text" | "json":
            return pyarrow.string()


def _field(name: str, column: Column) -> Any:
    pyarrow = arrow()
    if name in _NAMES and column.section == "base":
        return pyarrow.field(name, pyarrow.dictionary(pyarrow.int32(), pyarrow.string()))
    marks = {"crucible.encoding": "json"} if column.type == "json" else None
    return pyarrow.field(name, arrow_type(column.type), metadata=marks)


def _texts(named: Mapping[str, Column]) -> list[str]:
    """Return the columns of texts that often repeat; ids never do."""
    texts = [name for name, column in named.items() if column.section != "base" and column.type in ("text", "json")]
    return [*texts, "session_id", "user_id"]


def _groups(rows: Iterator[dict[int, Any]], width: int) -> Iterator[list[dict[int, Any]]]:
    limit = max(1024, min(_ROWS, _CELLS // width))
    group: list[dict[int, Any]] = []
    for row in rows:
        group.append(row)
        if len(group) >= limit:
            yield group
            group = []
    if group:
        yield group


def _batch(rows: list[dict[int, Any]], named: Mapping[str, Column], schema: Any) -> Any:
    pyarrow = arrow()
    arrays = [
        pyarrow.array(_values(rows, column), field.type, from_pandas=False)
        for column, field in zip(named.values(), schema, strict=True)
    ]
    return pyarrow.record_batch(arrays, schema=schema)


def _values(rows: list[dict[int, Any]], column: Column) -> list[Any]:
    kind, place = column.type, column.index
    found = [row.get(place) for row in rows]
    if kind in ("time", "int"):
        return [value if value.__class__ is int and value in _INT64 else None for value in found]
    return found if kind in ("text", "bool", "texts") else [as_type(value, kind) for value in found]
