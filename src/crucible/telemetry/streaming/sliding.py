"""What happened in the last minute, five minutes and hour, in bounded memory.

Numbers are summed up by second, and closed seconds by bucket of each span: 1 s, 5 s and 60 s wide. Buckets are
half-open and aligned to multiples of their width since 1970, so two windows of one stream agree. Nothing here reads a
clock: the time is that of the events, and "now" is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from crucible.errors import StatsError

__all__ = ["STANDARD_SPANS_S", "SlidingWindow", "WindowSummary"]

STANDARD_SPANS_S = (60, 300, 3600)
"""One minute, five minutes and an hour, in seconds."""

_SECOND_NS = 1_000_000_000
_BUCKETS = 60  # of a window; as many again are kept, for events stamped ahead of time
_Bucket = tuple[int, float, float, float]  # count, sum, min, max
_NOTHING: _Bucket = (0, 0.0, math.inf, -math.inf)
_OPEN_SECONDS = 8  # that are still summed up one by one; several writers are rarely further apart


class WindowSummary(msgspec.Struct, frozen=True):
    """What a window held.

    Args:
        span_s: The span asked for, seconds.
        since_ns: Where it began, included; nanoseconds since 1970 UTC, a multiple of a bucket's width.
        until_ns: Where it ends, excluded: the end of the bucket that "now" lies in.
        covered_s: How much of it can have events: from `since_ns`, or from the second of the first event ever seen if
            that is later, to the end of the second that "now" lies in. At least 1 where there was an event at all.
        count: Numbers in it.
        sum: Their sum; 0.0 of nothing.
        mean: Their mean; None of nothing.
        min: The smallest; None of nothing.
        max: The largest; None of nothing.
        rate_per_s: `count` by `covered_s`; None if there never was an event.
    """

    span_s: int
    since_ns: int
    until_ns: int
    covered_s: float
    count: int
    sum: float
    mean: float | None
    min: float | None
    max: float | None
    rate_per_s: float | None

    @property
    def sum_per_s(self) -> float | None:
        """`sum` by `covered_s`, such as tokens a second; None if there never was an event."""
        return self.sum / self.covered_s if self.covered_s else None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {**msgspec.structs.asdict(self), "sum_per_s": self.sum_per_s}


class SlidingWindow:
    """Count, sum, mean, extremes and rate of a stream of numbers over the last spans.

    A window consists of the bucket of "now" and the 59 before it: it reaches back more than 59/60 of its span and at
    most all of it. An event that comes late counts in the bucket of its time if that is kept, else in no window: its
    time lies before all of them. An event from the future counts once its time has come; it pushes nothing out, unless
    there are more than 60 buckets of them.

    Args:
        spans_s: Spans in whole seconds, each a multiple of 60.

    Raises:
        StatsError: A span is not a positive multiple of 60 s.
    """

    __slots__ = ("_open", "_rings", "first_s", "not_finite", "spans_s")

    def __init__(self, spans_s: Sequence[int] = STANDARD_SPANS_S) -> None:
        for span in spans_s:
            if span < _BUCKETS or span % _BUCKETS:
                raise StatsError(f"a span of {span!r} s, expected a positive multiple of 60 s, such as 300")
        self.spans_s = tuple(spans_s)
        self.first_s: int | None = None  # second since 1970 of the earliest event
        self.not_finite = 0
        self._open: dict[int, _Bucket] = {}  # by second
        self._rings = [_Ring(span // _BUCKETS) for span in self.spans_s]

    def add(self, timestamp_ns: int, value: float) -> None:
        """Take one number in; NaN and infinities only count, in `not_finite`.

        Args:
            timestamp_ns: When it was observed, nanoseconds since 1970 UTC, in any order.
            value: The number.
        """
        self.add_many(timestamp_ns // _SECOND_NS, (value,))

    def add_many(self, second: int, values: Iterable[float]) -> tuple[int, float]:
        """Take in numbers of one second, and return how many of them were finite, and the sum of these.

        Args:
            second: The second since 1970 UTC in which all were observed.
            values: The numbers.
        """
        count, total, low, high = _NOTHING
        for value in values:
            if value - value != 0.0:  # NaN or infinite
                self.not_finite += 1
                continue
            count += 1
            total += value
            if value < low:  # noqa: PLR1730  # a call of min costs three times as much
                low = value
            if value > high:  # noqa: PLR1730
                high = value
        if count:
            self._keep(second, (count, total, low, high))
        return count, total

    def add_times(self, second: int, value: float, times: int) -> None:
        """Take one finite number in several times, such as 1.0 for every event of a second."""
        if times:
            self._keep(second, (times, value * times, value, value))

    def _keep(self, second: int, part: _Bucket) -> None:
        old = self._open.get(second)
        if old is not None:
            self._open[second] = _joined(old, part)
            return
        self._open[second] = part
        if self.first_s is None or second < self.first_s:
            self.first_s = second
        if len(self._open) > _OPEN_SECONDS:
            self._close(min(self._open.keys() - {second}))

    def _close(self, second: int) -> None:
        bucket = self._open.pop(second)
        for ring in self._rings:
            ring.add(second // ring.width_s, bucket)

    def merge(self, other: SlidingWindow) -> None:
        """Take in everything that another one saw; the other stays as it is.

        Raises:
            StatsError: The other has other spans.
        """
        if self.spans_s != other.spans_s:
            raise StatsError(
                f"windows over {self.spans_s} s and {other.spans_s} s do not merge: make both with the same spans"
            )
        twin: SlidingWindow = other.copy()
        for second in sorted(twin._open):
            twin._close(second)
        for second in sorted(self._open):
            self._close(second)
        for mine, theirs in zip(self._rings, twin._rings, strict=True):
            for index in sorted(theirs.buckets, reverse=True):
                mine.add(index, theirs.buckets[index])
        if twin.first_s is not None:
            self.first_s = twin.first_s if self.first_s is None else min(self.first_s, twin.first_s)
        self.not_finite += twin.not_finite

    def copy(self) -> SlidingWindow:
        """Return one that goes on from here by itself."""
        twin = SlidingWindow(self.spans_s)
        twin.first_s = self.first_s
        twin.not_finite = self.not_finite
        twin._open = self._open.copy()
        twin._rings = [ring.copy() for ring in self._rings]
        return twin

    def read(self, now_ns: int, *, first_s: int | None = None) -> tuple[WindowSummary, ...]:
        """Return what each window holds, in order of the spans.

        Args:
            now_ns: The time at which the windows end, nanoseconds since 1970 UTC.
            first_s: Second since 1970 from which events could have come, for the rates; the first event's if None.
        """
        first_s = self.first_s if first_s is None else first_s
        now_s = now_ns // _SECOND_NS
        return tuple(
            _summary(ring, self._parts(ring, now_s), now_s, first_s, span)
            for ring, span in zip(self._rings, self.spans_s, strict=True)
        )

    def _parts(self, ring: _Ring, now_s: int) -> Iterator[_Bucket]:
        """Yield what the buckets of a window hold, closed and open seconds."""
        last = now_s // ring.width_s
        for index, bucket in ring.buckets.items():
            if last - _BUCKETS < index <= last:
                yield bucket
        for second, bucket in self._open.items():
            if last - _BUCKETS < second // ring.width_s <= last:
                yield bucket


def _joined(one: _Bucket, two: _Bucket) -> _Bucket:
    return one[0] + two[0], one[1] + two[1], min(one[2], two[2]), max(one[3], two[3])


class _Ring:
    """Buckets of one width, of which the latest are kept."""

    __slots__ = ("buckets", "width_s")

    def __init__(self, width_s: int) -> None:
        self.width_s = width_s
        self.buckets: dict[int, _Bucket] = {}

    def add(self, index: int, part: _Bucket) -> None:
        """Add to a bucket, and drop the earliest if there are too many now."""
        old = self.buckets.get(index)
        self.buckets[index] = part if old is None else _joined(old, part)
        if len(self.buckets) > 2 * _BUCKETS:
            del self.buckets[min(self.buckets)]

    def copy(self) -> _Ring:
        twin = _Ring(self.width_s)
        twin.buckets = self.buckets.copy()
        return twin


def _summary(ring: _Ring, parts: Iterable[_Bucket], now_s: int, first_s: int | None, span_s: int) -> WindowSummary:
    held = list(parts)
    last = now_s // ring.width_s
    since_s = (last - _BUCKETS + 1) * ring.width_s
    covered_s = 0 if first_s is None else max(1, now_s + 1 - max(since_s, first_s))
    count = sum(part[0] for part in held)
    total = _sum([part[1] for part in held])
    return WindowSummary(
        span_s=span_s,
        since_ns=since_s * _SECOND_NS,
        until_ns=(last + 1) * ring.width_s * _SECOND_NS,
        covered_s=float(covered_s),
        count=count,
        sum=total,
        mean=total / count if count else None,
        min=min(part[2] for part in held) if held else None,
        max=max(part[3] for part in held) if held else None,
        rate_per_s=count / covered_s if covered_s else None,
    )


def _sum(values: list[float]) -> float:
    """Return a sum that does not depend on the order; infinite, or NaN of both signs, beyond a float."""
    try:
        return math.fsum(values)
    except OverflowError:
        return sum(values)
    except ValueError:  # infinities of both signs
        return math.nan
