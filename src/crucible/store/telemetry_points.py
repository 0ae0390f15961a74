"""Writing points: a few as rows that a later one of the same step replaces, many at once as segments of columns.

Rows are always newer than every segment of their series: a new segment takes them in. So a series is its segments in
order, then its rows, and of one step the last one counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crucible.store import tables
from crucible.store.codec import storable
from crucible.store.engine import Database
from crucible.store.happened import PointRow
from crucible.store.segment import COLUMNS, SEGMENT_POINTS, Points, Segment, make_segments, sorted_points

__all__ = ["PointWriter"]

_series, _points, _segments = tables.telemetry_series, tables.telemetry_points, tables.telemetry_segments
_AT_ONCE = 128  # so many points of a series in one batch become a segment
_ROWS = 1_024  # so many rows of a series do, too
_ALL_ROWS = 65_536  # of all series together
_SMALLEST = 32  # the smallest segment that is made to have fewer rows
_SMALL = SEGMENT_POINTS // 2  # a segment of fewer points is merged with those beside it
_MERGED = 16  # so many at once

_Key = tuple[str, str]  # recording, series
_Columns = tuple[list[int], list[float], list[int]]  # steps, values, times


class PointWriter:
    """Writes points on the cursor of a transaction of the database's `writer`.

    Args:
        database: The open database.
    """

    def __init__(self, database: Database) -> None:
        self._ids: dict[_Key, int] = {}  # only what is committed
        self._rows: dict[int, int] = {}  # rows that were written here since the last segment, by series
        self._all_rows = 0
        self._small: dict[int, list[int]] = {}  # points of the latest segments, where all of these are small, by series
        self._insert_point = database.insert_text(_points, ["series_id", "step"])
        self._insert_series = database.insert_text(_series, ["run_id", "name"], replace=False)
        self._find_series = database.text(f"SELECT id FROM {_series.name} WHERE run_id = ? AND name = ?")  # noqa: S608  # our own name
        columns = ("series_id", "batch", "written_ns", *COLUMNS)
        places = ", ".join("?" * len(columns))
        self._insert_segment = database.text(
            f"INSERT INTO {_segments.name} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608  # our own names
        )
        self._take_rows = database.text(
            f"DELETE FROM {_points.name} WHERE series_id = ? RETURNING step, value, timestamp_ns"  # noqa: S608  # our own name
        )
        self._latest_segments = database.text(
            f"SELECT id, {', '.join(COLUMNS)} FROM {_segments.name} WHERE series_id = ? ORDER BY id DESC LIMIT ?"  # noqa: S608  # our own names
        )
        self._delete_segment = database.text(f"DELETE FROM {_segments.name} WHERE id = ?")  # noqa: S608  # our own name
        self._find_batch = database.text(
            f"SELECT 1 FROM {_segments.name} WHERE series_id = ? AND batch = ?"  # noqa: S608  # our own name
        )

    def write(
        self, cursor: Any, points: Sequence[PointRow], *, batch: int = 0, again: bool = False
    ) -> Mapping[_Key, int]:
        """Put points.

        Args:
            cursor: Of the transaction.
            points: A later one replaces an earlier one of the same series and step.
            batch: What these points are known by, if they are ever written again.
            again: Whether they may be there already, from a transaction of which nobody knows whether it was committed.

        Returns:
            The series that are new, for `remember` once the transaction has ended well.
        """
        groups: dict[_Key, _Columns] = {}
        for run_id, name, step, value, timestamp_ns in points:
            columns = groups.get((run_id, name))
            if columns is None:
                columns = groups[run_id, name] = ([], [], [])
            columns[0].append(step)
            columns[1].append(value)
            columns[2].append(timestamp_ns)
        fresh: dict[_Key, int] = {}
        rows: list[tuple[int, int, float | None, int]] = []
        for key in sorted(groups):  # in one order, so that two writers never wait for each other
            columns = groups[key]
            number = self._ids.get(key)
            if number is None:
                number = fresh[key] = self._number(cursor, key)
            if len(columns[0]) >= _AT_ONCE:
                if not (again and self._is_there(cursor, number, batch)):
                    self._write_segments(cursor, number, columns, batch)
                continue
            rows += [
                (number, step, None if value != value else value, at)  # noqa: PLR0124  # NaN
                for step, value, at in zip(*columns, strict=True)
            ]
            self._rows[number] = self._rows.get(number, 0) + len(columns[0])
            self._all_rows += len(columns[0])
        if rows:
            rows.sort(key=_place)
            cursor.executemany(self._insert_point, rows)
            self._fold_many(cursor, {row[0] for row in rows}, batch)
        return fresh

    def remember(self, fresh: Mapping[_Key, int]) -> None:
        """Take the numbers of series that were committed."""
        self._ids.update(fresh)

    def forget(self, run_id: str) -> None:
        """Forget the series of a recording that was deleted."""
        for key in [key for key in self._ids if key[0] == run_id]:
            self._all_rows -= self._rows.pop(self._ids[key], 0)
            self._small.pop(self._ids[key], None)
            del self._ids[key]

    def fold(self, cursor: Any, numbers: Iterable[int]) -> None:
        """Make segments of all rows of these series; a few rows stay rows."""
        for number in numbers:
            cursor.execute(self._take_rows, (number,))
            taken = cursor.fetchall()
            if len(taken) >= _SMALLEST:
                self._insert(cursor, number, *_columns(taken), batch=0)
            elif taken:
                cursor.executemany(self._insert_point, [(number, *row) for row in taken])
            self._all_rows -= self._rows.pop(number, 0)

    def _fold_many(self, cursor: Any, written: set[int], batch: int) -> None:
        """Keep rows few, so that a summary, which reads all of them, is quick."""
        smallest = _SMALLEST if self._all_rows > _ALL_ROWS else _ROWS
        candidates = list(self._rows) if smallest == _SMALLEST else written
        for number in candidates:
            if self._rows.get(number, 0) >= smallest:
                self._write_segments(cursor, number, ([], [], []), batch)

    def _write_segments(self, cursor: Any, number: int, columns: _Columns, batch: int) -> None:
        """Write points as segments, after the rows of their series."""
        cursor.execute(self._take_rows, (number,))
        if older := cursor.fetchall():
            steps, values, times = _columns(older)
            columns = (steps + columns[0], values + columns[1], times + columns[2])
        self._all_rows -= self._rows.pop(number, 0)
        if columns[0]:
            self._insert(cursor, number, *columns, batch=batch)

    def _insert(
        self, cursor: Any, number: int, steps: list[int], values: list[float], times: list[int], *, batch: int
    ) -> None:
        small = self._small.setdefault(number, [])
        for count in self._put(cursor, number, sorted_points(steps, values, times), batch):
            if count < _SMALL:
                small.append(count)
            else:
                small.clear()
        if len(small) >= _MERGED or sum(small) >= SEGMENT_POINTS:
            self._merge(cursor, number, len(small), batch)
            small.clear()

    def _put(self, cursor: Any, number: int, points: Points, batch: int) -> list[int]:
        """Write points as segments; return how many points each has."""
        latest = max(points.timestamps_ns)
        segments = make_segments(points)
        for segment in segments:
            fields = [getattr(segment, name) for name in segment.__struct_fields__]
            cursor.execute(self._insert_segment, (number, batch, latest, *fields))
        return [segment.count for segment in segments]

    def _merge(self, cursor: Any, number: int, count: int, batch: int) -> None:
        """Make one of the latest segments, so that a summary, which reads a few numbers of each, reads few of them."""
        cursor.execute(self._latest_segments, (number, count))
        found = cursor.fetchall()[::-1]
        parts = [Segment(*row[1:]).points() for row in found]
        steps, values, times = parts[0].steps, parts[0].values, parts[0].timestamps_ns
        for part in parts[1:]:
            steps += part.steps
            values += part.values
            times += part.timestamps_ns
        cursor.executemany(self._delete_segment, [(row[0],) for row in found])
        self._put(cursor, number, sorted_points(steps.tolist(), values, times), batch)

    def _is_there(self, cursor: Any, number: int, batch: int) -> bool:
        cursor.execute(self._find_batch, (number, batch))
        return cursor.fetchone() is not None

    def _number(self, cursor: Any, key: _Key) -> int:
        known = (key[0], storable(key[1]))
        cursor.execute(self._insert_series, known)
        cursor.execute(self._find_series, known)
        return cursor.fetchone()[0]


def _place(row: tuple[int, int, float | None, int]) -> tuple[int, int]:
    return row[0], row[1]  # those of one step stay in order: the later one counts


def _columns(rows: Sequence[tuple[int, float | None, int]]) -> _Columns:
    """Return rows as columns; what RETURNING gives comes in no order, but a step occurs only once."""
    steps, values, times = zip(*rows, strict=True)
    return list(steps), [math.nan if value is None else value for value in values], list(times)
