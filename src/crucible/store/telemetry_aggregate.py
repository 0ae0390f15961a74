"""Numbers over many events, computed by the database: counts, means, percentiles, by group and by time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Double, case, cast, func, or_, select

from crucible.errors import SpecError
from crucible.store import tables
from crucible.store.engine import Database
from crucible.store.telemetry_json import field_number, field_text, found_number
from crucible.store.telemetry_query import EventQuery, conditions

__all__ = ["Aggregate", "EventAggregator"]

_events = tables.telemetry_events
_GROUPS = ("name", "condition", "stage", "success", "correlation_id")
_VALUES = ("latency_ms", "cost_usd")


class Aggregate(msgspec.Struct, frozen=True):
    """What the events of one group, and of one stretch of time, come to.

    Args:
        group: The group's values, in the order in which they were asked for; None where an event has none.
        bucket_start_ns: Where the stretch begins; None where none was asked for.
        count: Events.
        n: Those that have the value; the rest is over these, None where there is none.
        sum: Their sum.
        mean: Their arithmetic mean.
        std: Their sample standard deviation (n - 1); None for fewer than two, and where no percentiles were asked for.
        min: The smallest.
        max: The largest.
        successes: Events of which it is known that they went well.
        failures: Events of which it is known that they did not.
        cost_usd: What they cost in all, None where nobody knows of any.
        percentiles: By the fraction that was asked for; linear between the two nearest values, as NumPy's default is.
    """

    group: tuple[Any, ...]
    bucket_start_ns: int | None
    count: int
    n: int
    sum: float | None
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    successes: int
    failures: int
    cost_usd: float | None
    percentiles: dict[float, float | None]


class EventAggregator:
    """Computes over events.

    Args:
        database: The open database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def aggregate(
        self,
        query: EventQuery,
        *,
        value: str = "latency_ms",
        by: Sequence[str] = (),
        bucket_ns: int | None = None,
        origin_ns: int = 0,
        percentiles: Sequence[float] = (),
    ) -> list[Aggregate]:
        """Return a row a group and stretch of time that has events, in the order of time, then of groups.

        Args:
            query: Which events; its `limit` and `offset` do not matter.
            value: Of what: `latency_ms`, `cost_usd`, or a field such as `field:loss`.
            by: Groups: `name`, `condition`, `stage`, `success`, `correlation_id`, or a field such as `field:model`.
            bucket_ns: Length of the stretches of time, at least 1 ns; None: all time is one.
            origin_ns: Where one of the stretches begins.
            percentiles: Fractions from 0 to 1.

        Raises:
            SpecError: A name or a number is none of these.
            StoreError: The store cannot be read.
        """
        keys = [self._group(name) for name in by]
        if bucket_ns is not None:
            if bucket_ns < 1:
                raise SpecError(f"a stretch of time lasts 1 ns at least, got {bucket_ns}")
            keys.append(_bucket(bucket_ns, origin_ns))
        if wrong := [fraction for fraction in percentiles if not 0 <= fraction <= 1]:
            raise SpecError(f"a percentile is a fraction from 0 to 1, such as 0.95; got {wrong[0]}")
        rows = self._rows(query, keys, self._value(value), percentiles)
        return [_aggregate(row, by, bucket_ns, percentiles) for row in rows]

    def sums(self, run_id: str, names: Sequence[str]) -> tuple[tuple[int, float | None], ...]:
        """Return count and sum of numbers that enrichment found in the events of a recording, by name, at one go."""
        sqlite = self._database.is_sqlite
        numbers = [found_number(name, sqlite=sqlite) for name in names]
        asked = [column for number in numbers for column in (func.count(number), func.sum(number))]
        told = or_(*(_events.c.fields_json.like(f'%"{name}":%') for name in names))
        with self._database.reading("compute over events") as connection:
            row: Any = connection.execute(select(*asked).where(_events.c.run_id == run_id, told)).one()
        return tuple((row[2 * place], row[2 * place + 1]) for place in range(len(names)))

    def _rows(
        self, query: EventQuery, keys: list[ColumnElement[Any]], value: ColumnElement[Any], percentiles: Sequence[float]
    ) -> Sequence[Any]:
        labels = [key.label(f"k{place}") for place, key in enumerate(keys)]
        inner = select(
            *labels,
            value.label("v"),
            _events.c.cost_usd.label("cost"),
            _events.c.success.label("ok"),
        ).where(*conditions(query, self._database))
        found = inner.subquery()
        groups = [found.c[label.name] for label in labels]
        ranks = select(
            *groups,
            found.c.v,
            found.c.cost,
            found.c.ok,
            func.row_number().over(partition_by=[*groups, found.c.v.is_(None)], order_by=found.c.v).label("place"),
            func.count(found.c.v).over(partition_by=groups or None).label("n"),
            (found.c.v - func.avg(found.c.v).over(partition_by=groups or None)).label("distance"),
        ).subquery()
        source = ranks if percentiles else found
        groups = [source.c[label.name] for label in labels]
        asked: list[ColumnElement[Any]] = [
            self._percentile(ranks, fraction).label(f"p{place}") for place, fraction in enumerate(percentiles)
        ]
        if percentiles:
            asked.append(func.sum(ranks.c.distance * ranks.c.distance).label("m2"))
        summed = select(
            *groups,
            func.count().label("events"),
            func.count(source.c.v).label("values_"),
            func.sum(source.c.v).label("total"),
            func.avg(source.c.v).label("average"),
            func.min(source.c.v).label("least"),
            func.max(source.c.v).label("most"),
            func.sum(case((source.c.ok == 1, 1), else_=0)).label("good"),
            func.sum(case((source.c.ok == 0, 1), else_=0)).label("bad"),
            func.sum(source.c.cost).label("cost"),
            *asked,
        )
        if groups:
            order = [groups[-1], *groups[:-1]]
            summed = summed.group_by(*groups).order_by(*(column.is_(None) for column in order), *order)
        with self._database.reading("compute over events") as connection:
            return connection.execute(summed).all()

    def _percentile(self, ranks: Any, fraction: float) -> ColumnElement[Any]:
        """Return the value between the two places that a fraction of the way through the sorted values lies between."""
        way = cast(ranks.c.n - 1, Double) * fraction
        below = cast(way if self._database.is_sqlite else func.floor(way), BigInteger)  # SQLite's cast cuts off
        part = way - below
        weight = case(
            (ranks.c.place == below + 1, 1.0 - part),
            (ranks.c.place == below + 2, part),
            else_=0.0,
        )
        return func.sum(case((ranks.c.v.is_not(None), case((weight > 0, ranks.c.v * weight)))))

    def _value(self, name: str) -> ColumnElement[Any]:
        if name in _VALUES:
            return _events.c[name]
        if name.startswith("field:"):
            return field_number(name.removeprefix("field:"), sqlite=self._database.is_sqlite)
        raise SpecError(f'cannot compute over "{name}"; expected latency_ms, cost_usd, or a field such as field:loss')

    def _group(self, name: str) -> ColumnElement[Any]:
        if name in _GROUPS:
            return _events.c[name]
        if name.startswith("field:"):
            return field_text(name.removeprefix("field:"), sqlite=self._database.is_sqlite)
        raise SpecError(f'cannot group by "{name}"; expected {", ".join(_GROUPS)}, or a field such as field:model')


def _bucket(bucket_ns: int, origin_ns: int) -> ColumnElement[Any]:
    """Return where the stretch begins that a moment lies in; also for moments before the origin."""
    since = _events.c.timestamp_ns - (origin_ns % bucket_ns)
    rest = ((since % bucket_ns) + bucket_ns) % bucket_ns
    return _events.c.timestamp_ns - rest


def _key(name: str, key: Any) -> Any:
    return bool(key) if name == "success" and key is not None else key


def _aggregate(row: Any, by: Sequence[str], bucket_ns: int | None, percentiles: Sequence[float]) -> Aggregate:
    found = row._mapping  # noqa: SLF001  # SQLAlchemy's public name for it
    n, m2 = found["values_"], found["m2"] if percentiles else None
    return Aggregate(
        group=tuple(_key(name, row[place]) for place, name in enumerate(by)),
        bucket_start_ns=None if bucket_ns is None else row[len(by)],
        count=found["events"],
        n=n,
        sum=found["total"],
        mean=found["average"],
        std=math.sqrt(m2 / (n - 1)) if m2 is not None and n > 1 else None,
        min=found["least"],
        max=found["most"],
        successes=found["good"] or 0,
        failures=found["bad"] or 0,
        cost_usd=found["cost"],
        percentiles={fraction: found[f"p{place}"] for place, fraction in enumerate(percentiles)},
    )
