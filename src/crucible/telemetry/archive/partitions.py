"""Writes rows into the files of their days: in bounded memory and with few files open, in whatever order they come."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from crucible.errors import StoreError
from crucible.ir import file_sha256, sync_folder
from crucible.telemetry.archive.layout import Kind, day_of, part_path
from crucible.telemetry.archive.manifest import ArchivedFile
from crucible.telemetry.exports.parquet_file import arrow, parquet_writer

__all__ = ["PartitionStyle", "Partitions"]

_ROWS = 32_768  # of a row group: what a reader skips or reads at once
_WAITING_ROWS = 65_536
_WAITING_CHARACTERS = 64 << 20
_OPEN = 16


class PartitionStyle(msgspec.Struct, frozen=True):
    """How the files of one kind look.

    Args:
        kind: What the rows are.
        schema: The arrow schema.
        time: Place of the time in a row.
        dictionary: Columns whose values repeat.
        delta: Columns of integers or times close to each other.
        split: Columns of doubles.
    """

    kind: Kind
    schema: Any
    time: int
    dictionary: tuple[str, ...] = ()
    delta: tuple[str, ...] = ()
    split: tuple[str, ...] = ()


class _Part:
    """A file that is open for writing."""

    def __init__(self, path: Path, where: str, style: PartitionStyle) -> None:
        self.where = where
        self.rows = 0
        self.times: list[int] = []
        self._stack = contextlib.ExitStack()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file: BinaryIO = self._stack.enter_context(path.open("xb"))
        self._writer = self._stack.enter_context(
            parquet_writer(self._file, style.schema, dictionary=style.dictionary, delta=style.delta, split=style.split)
        )

    def write(self, batch: Any, times: Sequence[int]) -> None:
        self._writer.write_batch(batch, row_group_size=_ROWS)
        self.rows += len(times)
        self.times = [min([*self.times, *times]), max([*self.times, *times])]

    def close(self, error: BaseException | None = None) -> None:
        if error is not None:
            self._stack.__exit__(type(error), error, error.__traceback__)
            return
        with self._stack:
            # the writer's end comes before the sync, the file's after it
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())


class Partitions:
    """The files of one kind of one experiment.

    Args:
        folder: The experiment's folder, new.
        style: How the files look.
    """

    def __init__(self, folder: Path, style: PartitionStyle) -> None:
        self.count = 0
        self._folder = folder
        self._style = style
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}
        self._waiting_rows = 0
        self._waiting_characters = 0
        self._open: OrderedDict[str, _Part] = OrderedDict()
        self._parts: dict[str, int] = {}
        self._closed: list[ArchivedFile] = []

    def add(self, row: tuple[Any, ...], characters: int = 0) -> None:
        """Take a row.

        Args:
            row: Its values in the order of the schema.
            characters: How much text is in it.

        Raises:
            StoreError: A value does not fit its column.
        """
        day = day_of(row[self._style.time])
        rows = self._waiting.setdefault(day, [])
        rows.append(row)
        self.count += 1
        self._waiting_rows += 1
        self._waiting_characters += characters
        if len(rows) >= _ROWS:
            self._flush(day)
        elif self._waiting_rows >= _WAITING_ROWS or self._waiting_characters >= _WAITING_CHARACTERS:
            for each in list(self._waiting):
                self._flush(each)
            self._waiting_characters = 0

    def finish(self) -> list[ArchivedFile]:
        """Write what is left, and return what was written, by day and part."""
        for day in sorted(self._waiting):
            self._flush(day)
        while self._open:
            self._close_oldest()
        return sorted(self._closed, key=lambda file: (file.day, file.path))

    def abandon(self, error: BaseException) -> None:
        """Let go of all files, because of an error that was met elsewhere."""
        while self._open:
            part = self._open.popitem()[1]
            with contextlib.suppress(OSError):
                part.close(error)

    def _flush(self, day: str) -> None:
        rows = self._waiting.pop(day)
        self._waiting_rows -= len(rows)
        part = self._part(day)
        part.write(self._batch(rows), [row[self._style.time] for row in rows])

    def _batch(self, rows: list[tuple[Any, ...]]) -> Any:
        pyarrow = arrow()
        schema = self._style.schema
        columns = zip(*rows, strict=True)
        try:
            arrays = [
                pyarrow.array(values, field.type, from_pandas=False)
                for values, field in zip(columns, schema, strict=True)
            ]
        except (pyarrow.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise StoreError(
                f"{self._style.kind} that no archive holds: {error}; mend or leave out the record"
            ) from error
        return pyarrow.record_batch(arrays, schema=schema)

    def _part(self, day: str) -> _Part:
        part = self._open.get(day)
        if part is None:
            if len(self._open) >= _OPEN:
                self._close_oldest()
            number = self._parts.get(day, 0)
            self._parts[day] = number + 1
            where = part_path(self._style.kind, day, number)
            part = self._open[day] = _Part(self._folder / where, where, self._style)
        self._open.move_to_end(day)
        return part

    def _close_oldest(self) -> None:
        day, part = self._open.popitem(last=False)
        part.close()
        sync_folder(part.path.parent)
        self._closed.append(
            ArchivedFile(
                path=part.where,
                kind=self._style.kind,
                day=day,
                rows=part.rows,
                first_ns=part.times[0],
                last_ns=part.times[1],
                bytes=part.path.stat().st_size,
                sha256=file_sha256(part.path),
            )
        )
