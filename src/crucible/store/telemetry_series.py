"""Reading series: their points as arrays, and what they come to without reading most of them."""

from __future__ import annotations

import difflib
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from crucible.errors import StoreError
from crucible.store import tables
from crucible.store.codec import storable
from crucible.store.engine import Database
from crucible.store.segment import COLUMNS, Points, Segment, make_segments, sorted_points

__all__ = ["SeriesReader", "SeriesSummary"]

_series, _points, _segments = tables.telemetry_series, tables.telemetry_points, tables.telemetry_segments
_SUMMED = (
    "count",
    "finite",
    "first_step",
    "last_step",
    "mean",
    "m2",
    "min",
    "min_step",
    "max",
    "max_step",
    "last",
)


class SeriesSummary(msgspec.Struct, frozen=True):
    """What a series comes to. The numbers from `min` on are over its finite values, None where there is none.

    Args:
        name: The series.
        count: Points.
        non_finite: Points that are NaN or infinite.
        first_step: The smallest step.
        last_step: The largest step.
        last: The value at the largest step; NaN and infinities too.
        min: The smallest value.
        min_step: The first step that has it.
        max: The largest value.
        max_step: The first step that has it.
        mean: The arithmetic mean.
        std: The sample standard deviation (n - 1); None for fewer than two values.
    """

    name: str
    count: int
    non_finite: int
    first_step: int
    last_step: int
    last: float
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None
    mean: float | None
    std: float | None


class SeriesReader:
    """Reads series.

    Args:
        database: The open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def names(self, run_id: str) -> list[str]:
        """Return the names of a recording's series, sorted."""
        query = select(_series.c.name).where(_series.c.run_id == run_id)
        with self._database.reading("list series") as connection:
            return sorted(connection.scalars(query))

    def points(self, run_id: str, series: str) -> Points:
        """Return a series by step; of several points of one step the last that was written.

        Raises:
            StoreError: The recording has no such series; the message names near ones.
        """
        with self._database.reading("read a series") as connection:
            return _read(connection, _number(connection, run_id, series))

    def last_step(self, run_id: str, series: str) -> int | None:
        """Return the largest step of a series, None if there is no such series."""
        number = select(_series.c.id).where(_series.c.run_id == run_id, _series.c.name == storable(series))
        packed = select(func.max(_segments.c.last_step)).where(_segments.c.series_id == number.scalar_subquery())
        rows = select(func.max(_points.c.step)).where(_points.c.series_id == number.scalar_subquery())
        with self._database.reading("look for the last step of a series") as connection:
            found = [connection.scalar(query) for query in (packed, rows)]
        return max((step for step in found if step is not None), default=None)

    def summaries(self, run_id: str) -> list[SeriesSummary]:
        """Return what each series of a recording comes to, by name."""
        with self._database.reading("sum series up") as connection:
            query = select(_series.c.id, _series.c.name).where(_series.c.run_id == run_id)
            names = {row.id: row.name for row in connection.execute(query)}
            parts = _parts(connection, run_id)
            return sorted(
                (
                    _summary(name, _without_overlap(connection, number, parts[number]))
                    for number, name in names.items()
                    if parts.get(number)
                ),
                key=lambda found: found.name,
            )


class _Part(msgspec.Struct, frozen=True):
    """What a segment, or the rows together, add to a summary."""

    count: int
    finite: int
    first_step: int
    last_step: int
    mean: float | None
    m2: float | None
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None
    last: float | None

    @classmethod
    def of(cls, points: Points) -> Iterator[_Part]:
        """Yield the parts of points that were read."""
        for segment in make_segments(points) if len(points) else ():
            yield cls(*(getattr(segment, name) for name in _SUMMED))


def _number(connection: Connection, run_id: str, series: str) -> int:
    query = select(_series.c.id).where(_series.c.run_id == run_id, _series.c.name == storable(series))
    number = connection.scalar(query)
    if number is not None:
        return number
    known = list(connection.scalars(select(_series.c.name).where(_series.c.run_id == run_id)))
    near = difflib.get_close_matches(series, known, n=3, cutoff=0.5) or sorted(known)[:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "nothing with a step was recorded for it"
    raise StoreError(f'recording {run_id} has no series "{series}"; {hint}')


def _read(connection: Connection, number: int) -> Points:
    columns = [_segments.c[name] for name in COLUMNS]
    query = select(*columns).where(_segments.c.series_id == number).order_by(_segments.c.id)
    parts = [Segment(*row).points() for row in connection.execute(query)]
    parts.append(_rows(connection, number))
    steps: array[int] = array("q")
    values: array[float] = array("d")
    times: array[int] = array("q")
    is_rising = True
    for part in parts:
        if len(part) == 0:
            continue
        is_rising = is_rising and (not steps or part.steps[0] > steps[-1])
        steps += part.steps
        values += part.values
        times += part.timestamps_ns
    return Points(steps, values, times) if is_rising else sorted_points(steps.tolist(), values, times)


def _rows(connection: Connection, number: int) -> Points:
    query = select(_points.c.step, _points.c.value, _points.c.timestamp_ns).where(_points.c.series_id == number)
    return _packed(connection.execute(query.order_by(_points.c.step)).all())


def _packed(rows: Sequence[Any]) -> Points:
    if not rows:
        return Points(array("q"), array("d"), array("q"))
    steps, values, times = zip(*rows, strict=True)
    finite = (math.nan if value is None else value for value in values)
    return Points(array("q", steps), array("d", finite), array("q", times))


def _parts(connection: Connection, run_id: str) -> dict[int, list[_Part]]:
    """Return the segments' numbers and those of the rows, by series, in the order in which they were written."""
    own = select(_series.c.id).where(_series.c.run_id == run_id)
    columns = [_segments.c[name] for name in _SUMMED]
    query = select(_segments.c.series_id, *columns).where(_segments.c.series_id.in_(own)).order_by(_segments.c.id)
    found: dict[int, list[_Part]] = {}
    for series_id, *numbers in connection.execute(query):
        found.setdefault(series_id, []).append(_Part(*numbers))
    rows: dict[int, list[Any]] = {}
    query = select(_points.c.series_id, _points.c.step, _points.c.value, _points.c.timestamp_ns)
    query = query.where(_points.c.series_id.in_(own)).order_by(_points.c.series_id, _points.c.step)
    for series_id, *row in connection.execute(query):
        rows.setdefault(series_id, []).append(row)
    for series_id, entries in rows.items():
        found.setdefault(series_id, []).extend(_Part.of(_packed(entries)))
    return found


def _without_overlap(connection: Connection, number: int, parts: list[_Part]) -> list[_Part]:
    """Return parts in which no step occurs twice: those that are there, or made of all the points."""
    highest = parts[0].last_step
    for part in parts[1:]:
        if part.first_step <= highest:
            return list(_Part.of(_read(connection, number)))
        highest = part.last_step
    return parts


def _summary(name: str, parts: Sequence[_Part]) -> SeriesSummary:
    finite = [part for part in parts if part.finite]
    n = sum(part.finite for part in finite)
    mean = math.fsum((part.mean or 0.0) * (part.finite / n) for part in finite) if n else None
    std = None
    if mean is not None and n > 1:
        within = _sum(part.m2 or 0.0 for part in finite)
        between = _sum(part.finite * _squared((part.mean or 0.0) - mean) for part in finite)
        std = math.sqrt((within + between) / (n - 1))
    lowest = min(finite, key=lambda part: part.min or 0.0, default=None)
    highest = max(finite, key=lambda part: part.max or 0.0, default=None)
    last = parts[-1].last
    return SeriesSummary(
        name=name,
        count=sum(part.count for part in parts),
        non_finite=sum(part.count - part.finite for part in parts),
        first_step=parts[0].first_step,
        last_step=parts[-1].last_step,
        last=math.nan if last is None else last,
        min=None if lowest is None else lowest.min,
        min_step=None if lowest is None else lowest.min_step,
        max=None if highest is None else highest.max,
        max_step=None if highest is None else highest.max_step,
        mean=mean,
        std=std,
    )


def _squared(number: float) -> float:
    return number * number  # beyond the largest float it is infinite, where a power raises


def _sum(numbers: Iterable[float]) -> float:
    try:
        return math.fsum(numbers)
    except OverflowError:
        return math.inf
