"""Parquet and Arrow IPC (Feather) through pyarrow, a batch at a time.

Nested fields become lists and objects, dates ISO text, integers stay integers whatever their size.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyarrow ships no types

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from crucible.data.formats.raw import text_of_error
from crucible.data.options import Dialect
from crucible.data.rows import Row
from crucible.errors import DataError, require

__all__ = ["arrow_rows", "parquet_rows"]

_BATCH_ROWS: Final = 1024


def parquet_rows(path: Path, shown: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the rows of a parquet file, numbered from 1.

    Args:
        path: The file.
        shown: Its name for messages.
        dialect: Does not matter here.

    Raises:
        DataError: The file is no readable parquet, two columns have one name, or a value cannot be read; names the row.
        MissingExtra: pyarrow is not installed.
    """
    del dialect
    require("pyarrow", extra="data", feature="a parquet file")
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            _check_names(file.schema_arrow.names, shown)
            yield from _batches(file.iter_batches(batch_size=_BATCH_ROWS), shown)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{shown} is no readable parquet file: {text_of_error(error)}") from error


def arrow_rows(path: Path, shown: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the rows of an Arrow IPC file (Feather version 2), or of a stream in a file; numbered from 1.

    Args:
        path: The file.
        shown: Its name for messages.
        dialect: Does not matter here.

    Raises:
        DataError: The file is no readable Arrow file, two columns have one name, or a value cannot be read.
        MissingExtra: pyarrow is not installed.
    """
    del dialect
    require("pyarrow", extra="data", feature="an Arrow file")
    import pyarrow
    from pyarrow import ipc

    try:
        with pyarrow.memory_map(str(path)) as source:
            head = source.read(6)
            source.seek(0)
            if head == b"ARROW1":
                file = ipc.open_file(source)
                _check_names(file.schema.names, shown)
                batches = (file.get_batch(index) for index in range(file.num_record_batches))
            elif head.startswith(b"FEA1"):
                raise DataError(f"{shown} is Feather version 1, which is not read here; write it as version 2")
            else:
                file = ipc.open_stream(source)
                _check_names(file.schema.names, shown)
                batches = iter(file)
            yield from _batches(batches, shown)
    except (pyarrow.ArrowException, OSError, EOFError) as error:
        raise DataError(f"{shown} is no readable Arrow file: {text_of_error(error)}") from error


def _check_names(names: list[str], shown: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f'{shown}: two columns are called "{twice[0]}"; rename one of them')


def _batches(batches: Iterator[Any], shown: str) -> Iterator[Row]:
    number = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            part = batch.slice(start, _BATCH_ROWS)
            for values in _values(part, shown, number + 1):
                number += 1
                yield Row(values, f"{shown} row {number}", number)


def _values(batch: Any, shown: str, first: int) -> list[dict[str, Any]]:
    try:
        return batch.to_pylist()
    except (ValueError, OverflowError) as error:  # UnicodeDecodeError is one; so are times that Python cannot say
        for place in range(batch.num_rows):
            try:
                batch.slice(place, 1).to_pylist()
            except (ValueError, OverflowError) as found:
                raise DataError(f"{shown} row {first + place}: a value cannot be read: {found}") from found
        raise DataError(f"{shown} row {first}: a value cannot be read: {error}") from error
