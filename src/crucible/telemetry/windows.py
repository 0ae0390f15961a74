"""A recording cut into stretches of time: half-open, of equal length, none left out, however short the recording.

Stretches that follow each other are computed by the database; ones that overlap, from the events as they come, of which
only those of the stretches under way are held.
"""

from __future__ import annotations

import bisect
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from crucible.errors import SpecError
from crucible.store import Aggregate, EventFigures, EventQuery, Store

__all__ = ["Window", "windows"]

_MOST = 1_000_000
_S = 1_000_000_000


class Window(msgspec.Struct, frozen=True):
    """What happened from one moment on until before another.

    Args:
        start_ns: The first moment; nanoseconds since 1970-01-01 UTC.
        end_ns: The first moment after it.
        count: Events; 0 where there was nothing.
        rate_per_s: Events a second.
        latencies: Events that have a latency.
        mean_latency_ms: Their mean; None where there is none.
        latency_ms: Percentiles by fraction, linear between the two nearest values.
        cost_usd: What it cost in all; None where nobody knows of any.
        successes: Events of which it is known that they went well.
        failures: Events of which it is known that they did not.
    """

    start_ns: int
    end_ns: int
    count: int
    rate_per_s: float
    latencies: int
    mean_latency_ms: float | None
    latency_ms: dict[float, float | None]
    cost_usd: float | None
    successes: int
    failures: int

    @property
    def success_rate(self) -> float | None:
        """Share that went well of those of which it is known; None where there is none."""
        known = self.successes + self.failures
        return self.successes / known if known else None


def windows(
    store: Store,
    query: EventQuery,
    window_s: float,
    step_s: float | None = None,
    *,
    percentiles: Sequence[float] = (0.5, 0.95, 0.99),
) -> list[Window]:
    """Return the stretches of a recording, from its first event to its last.

    Args:
        store: Where it is kept.
        query: Which events; its `limit`, `offset` and `newest_first` do not matter.
        window_s: Length of a stretch, seconds.
        step_s: From the start of one to the start of the next, seconds; None: as long as one is.
        percentiles: Of latencies; fractions from 0 to 1.

    Raises:
        SpecError: A length is not positive, or there would be more than a million stretches.
    """
    window_ns, step_ns = _length("window_s", window_s), _length("step_s", window_s if step_s is None else step_s)
    query = msgspec.structs.replace(query, limit=None, offset=0, newest_first=False)
    first = next(store.telemetry.select(msgspec.structs.replace(query, limit=1)), None)
    if first is None:
        return []
    last = next(store.telemetry.select(msgspec.structs.replace(query, limit=1, newest_first=True)), first)
    origin, span_ns = first.timestamp_ns, last.timestamp_ns - first.timestamp_ns
    count = span_ns // step_ns + 1
    if count > _MOST:
        raise SpecError(
            f"steps of {step_ns / _S:g} s over {span_ns / _S:g} s would make {count} windows; take longer ones"
        )
    if step_ns == window_ns:
        found = store.telemetry.aggregate(query, bucket_ns=window_ns, origin_ns=origin, percentiles=percentiles)
        return list(_filled(found, origin, window_ns, count, percentiles))
    return list(_sliding(store.telemetry.figures(query), origin, window_ns, step_ns, count, percentiles))


def _length(name: str, seconds: float) -> int:
    if not isinstance(seconds, (int, float)) or not seconds > 0 or not math.isfinite(seconds):  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
        raise SpecError(f"{name} is a number of seconds above 0, got {seconds!r}", path=name)
    return max(1, round(seconds * _S))


def _filled(
    found: Iterable[Aggregate], origin: int, window_ns: int, count: int, percentiles: Sequence[float]
) -> Iterator[Window]:
    by_start = {entry.bucket_start_ns: entry for entry in found}
    for place in range(count):
        start = origin + place * window_ns
        entry = by_start.get(start)
        if entry is None:
            yield _Moving().window(start, start + window_ns, percentiles)
        else:
            rate = entry.count * _S / window_ns
            shown = {fraction: entry.percentiles[fraction] for fraction in percentiles}
            seen = (entry.count, rate, entry.n, entry.mean, shown, entry.cost_usd, entry.successes, entry.failures)
            yield Window(start, start + window_ns, *seen)


class _Moving:
    """What lies in a stretch that moves on: each event is taken in once, and let go once."""

    def __init__(self) -> None:
        self._held: deque[EventFigures] = deque()
        self._latencies: list[float] = []  # sorted
        self._costs = self._successes = self._failures = 0

    def take(self, event: EventFigures) -> None:
        """Take an event in; it is not earlier than the last one."""
        _, latency, cost, success, *_ = event
        self._held.append(event)
        if latency is not None:
            bisect.insort(self._latencies, latency)
        self._costs += cost is not None
        self._successes += success == 1
        self._failures += success == 0

    def let_go(self, before_ns: int) -> None:
        """Let go of the events before a moment."""
        while self._held and self._held[0][0] < before_ns:
            _, latency, cost, success, *_ = self._held.popleft()
            if latency is not None:
                del self._latencies[bisect.bisect_left(self._latencies, latency)]
            self._costs -= cost is not None
            self._successes -= success == 1
            self._failures -= success == 0

    def window(self, start_ns: int, end_ns: int, percentiles: Sequence[float]) -> Window:
        """Return what is held, as a stretch."""
        values, count = self._latencies, len(self._held)
        n = len(values)
        return Window(
            start_ns=start_ns,
            end_ns=end_ns,
            count=count,
            rate_per_s=count * _S / (end_ns - start_ns),
            latencies=n,
            mean_latency_ms=math.fsum(values) / n if n else None,
            latency_ms={fraction: _percentile(values, fraction) for fraction in percentiles},
            cost_usd=math.fsum(event[2] or 0.0 for event in self._held) if self._costs else None,
            successes=self._successes,
            failures=self._failures,
        )


def _percentile(values: Sequence[float], fraction: float) -> float | None:
    """Return the value a fraction of the way through sorted ones, linear between the two nearest."""
    if not values:
        return None
    way = (len(values) - 1) * fraction
    below = math.floor(way)
    above = min(below + 1, len(values) - 1)
    return values[below] * (1 - (way - below)) + values[above] * (way - below)


def _sliding(
    events: Iterable[EventFigures],
    origin: int,
    window_ns: int,
    step_ns: int,
    count: int,
    percentiles: Sequence[float],
) -> Iterator[Window]:
    """Yield stretches in order; only the events of one of them are held."""
    moving = _Moving()
    coming = iter(events)
    event = next(coming, None)
    for place in range(count):
        start = origin + place * step_ns
        moving.let_go(start)
        while event is not None and event[0] < start + window_ns:
            if event[0] >= start:
                moving.take(event)
            event = next(coming, None)
        yield moving.window(start, start + window_ns, percentiles)
