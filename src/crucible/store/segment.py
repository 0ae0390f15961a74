"""Many points of one series as columns: three arrays of 8-byte numbers, and what a summary needs of them.

Steps that go up evenly are not kept at all, only the first, the last and the stride. A summary of ten million points
reads their segments' few numbers and none of the points.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence

import msgspec

__all__ = ["COLUMNS", "SEGMENT_POINTS", "Points", "Segment", "make_segments", "sorted_points"]

SEGMENT_POINTS = 8_192
"""The most points of a segment; one that is read is read whole."""

_LARGEST = 2**63 - 1
_IS_LITTLE = sys.byteorder == "little"


class Points(msgspec.Struct, frozen=True):
    """Points of a series in the order of their steps, as three arrays of the same length.

    Args:
        steps: Distinct and rising.
        values: NaN and infinities as they were measured.
        timestamps_ns: Wall clock, nanoseconds since 1970-01-01 UTC.
    """

    steps: array[int]
    values: array[float]
    timestamps_ns: array[int]

    def __len__(self) -> int:
        return len(self.steps)


class Segment(msgspec.Struct, frozen=True):
    """A row of `telemetry_segments`, from `count` on.

    Args:
        count: Points.
        finite: Those of them whose value is a finite number; the summary is over these.
        first_step: The smallest step.
        last_step: The largest step.
        stride: The distance between steps where it is always the same; else None.
        mean: Mean of the finite values; None if there is none.
        m2: Sum of their squared distances from the mean.
        min: The smallest of them.
        min_step: Its first step.
        max: The largest of them.
        max_step: Its first step.
        last: The value at the largest step, NULL for NaN.
        steps: Little-endian 64-bit integers; None where the stride says it all.
        values: Little-endian doubles.
        timestamps: Little-endian 64-bit integers.
    """

    count: int
    finite: int
    first_step: int
    last_step: int
    stride: int | None
    mean: float | None
    m2: float | None
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None
    last: float | None
    steps: bytes | None
    values: bytes
    timestamps: bytes

    def points(self) -> Points:
        """Return the points."""
        if self.stride is None:
            steps = _integers(self.steps or b"")
        else:
            steps = array("q", range(self.first_step, self.last_step + 1, self.stride))
        return Points(steps, _doubles(self.values), _integers(self.timestamps))


COLUMNS = tuple({"values": "points"}.get(name, name) for name in Segment.__struct_fields__)
"""The columns of `telemetry_segments` that a `Segment` is made of, in its order."""


def sorted_points(steps: Sequence[int], values: Sequence[float], timestamps_ns: Sequence[int]) -> Points:
    """Return points in the order of their steps; of several of one step the last one counts.

    Raises:
        TypeError: A step or a value is not a number.
        OverflowError: A step or a time does not fit into 64 bits.
    """
    packed = Points(array("q", steps), array("d", values), array("q", timestamps_ns))
    if all(map(int.__lt__, steps, steps[1:])):
        return packed
    places = sorted({step: place for place, step in enumerate(steps)}.items())
    return Points(
        array("q", (step for step, _ in places)),
        array("d", (packed.values[place] for _, place in places)),
        array("q", (packed.timestamps_ns[place] for _, place in places)),
    )


def make_segments(points: Points) -> list[Segment]:
    """Return points, of which there must be one at least, as segments of at most `SEGMENT_POINTS`."""
    return [_segment(points, place) for place in range(0, len(points), SEGMENT_POINTS)]


def _segment(points: Points, start: int) -> Segment:
    place = slice(start, start + SEGMENT_POINTS)
    steps, values, timestamps_ns = points.steps[place], points.values[place], points.timestamps_ns[place]
    count, first, last = len(steps), steps[0], steps[-1]
    stride = _stride(steps)
    finite, mean, m2, smallest, largest = _summary(values)
    return Segment(
        count=count,
        finite=finite,
        first_step=first,
        last_step=last,
        stride=stride,
        mean=mean,
        m2=m2,
        min=smallest,
        min_step=None if smallest is None else steps[values.index(smallest)],
        max=largest,
        max_step=None if largest is None else steps[values.index(largest)],
        last=None if math.isnan(values[-1]) else values[-1],
        steps=None if stride is not None else _packed(steps),
        values=_packed(values),
        timestamps=_packed(timestamps_ns),
    )


def _stride(steps: array[int]) -> int | None:
    if len(steps) == 1:
        return 1
    stride = steps[1] - steps[0]
    if stride > _LARGEST or steps[-1] - steps[0] != stride * (len(steps) - 1):
        return None
    return stride if steps == array("q", range(steps[0], steps[-1] + 1, stride)) else None


def _summary(values: Sequence[float]) -> tuple[int, float | None, float | None, float | None, float | None]:
    """Return count, mean, m2, minimum and maximum of the finite values."""
    total = _sum(values)
    if not math.isfinite(total):
        values = [value for value in values if math.isfinite(value)]
        total = _sum(values)
    count = len(values)
    if count == 0:
        return 0, None, None, None, None
    mean = total / count
    if not math.isfinite(mean):  # finite values whose sum is not
        mean = math.fsum(value / count for value in values)
    spread = math.dist(values, [mean] * count)
    return count, mean, spread * spread, min(values), max(values)


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # infinities of both signs, or a sum that no double holds
        return math.inf


def _packed(numbers: array[int] | array[float]) -> bytes:
    if not _IS_LITTLE:
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _integers(data: bytes) -> array[int]:
    numbers: array[int] = array("q")
    numbers.frombytes(data)
    if not _IS_LITTLE:
        numbers.byteswap()
    return numbers


def _doubles(data: bytes) -> array[float]:
    numbers: array[float] = array("d")
    numbers.frombytes(data)
    if not _IS_LITTLE:
        numbers.byteswap()
    return numbers
