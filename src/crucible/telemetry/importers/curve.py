"""Points as they are gathered: a `Curve` a series, `Curves` a run.

Sources write series interleaved, and repeat steps after a restart; so a run's points are held as arrays (24 bytes each)
until the last is known.
"""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterator

from crucible.store import storable
from crucible.telemetry.importers.imported import ImportedPoint

__all__ = ["INT64", "Curve", "Curves"]

INT64 = range(-(2**63), 2**63)
"""Steps and times that a database can hold."""

_NAME_LIMIT = 1000  # PostgreSQL's indexes take 2,700 bytes
_SERIES_LIMIT = 100_000  # a file that names a new series on every line must not fill the memory


class Curve:
    """The points of one series."""

    __slots__ = ("is_rising", "steps", "times_ns", "values")

    def __init__(self) -> None:
        self.steps: array[int] = array("q")
        self.values: array[float] = array("d")
        self.times_ns: array[int] = array("q")
        self.is_rising = True

    @property
    def next_step(self) -> int:
        """The step of a point that comes without one: one after the point before it."""
        return self.steps[-1] + 1 if self.steps else 0

    def add(self, step: int, value: float, time_ns: int) -> None:
        """Take a point; step and time are within 64 bits."""
        if self.is_rising and self.steps and step <= self.steps[-1]:
            self.is_rising = False
        self.steps.append(step)
        self.values.append(value)
        self.times_ns.append(time_ns)

    def discard_from(self, step: int) -> int:
        """Forget the points at `step` and later; return how many there were."""
        before = len(self.steps)
        if self.is_rising:
            kept = bisect.bisect_left(self.steps, step)
            del self.steps[kept:], self.values[kept:], self.times_ns[kept:]
        else:
            self._keep([place for place, own in enumerate(self.steps) if own < step])
        return before - len(self.steps)

    def settle(self) -> int:
        """Order the points by step and keep the last of each; return how many were given up."""
        if self.is_rising:
            return 0
        before = len(self.steps)
        last = dict(zip(self.steps, range(before), strict=True))
        self._keep([last[step] for step in sorted(last)])
        self.is_rising = True
        return before - len(last)

    def _keep(self, places: list[int]) -> None:
        self.steps = array("q", [self.steps[place] for place in places])
        self.values = array("d", [self.values[place] for place in places])
        self.times_ns = array("q", [self.times_ns[place] for place in places])


class Curves:
    """The series of one run, and what of them was not taken."""

    def __init__(self) -> None:
        self.skipped: dict[str, int] = {}
        self._curves: dict[str, Curve] = {}
        self._found: dict[str, Curve] = {}  # by the name that the source gives; two may be stored as one

    def skip(self, what: str, count: int = 1) -> None:
        """Count something that is not taken over."""
        if count:
            self.skipped[what] = self.skipped.get(what, 0) + count

    def add(self, name: str, step: int | None, value: float, time_ns: int) -> None:
        """Take a point of a series.

        Args:
            name: The series.
            step: None: one after the point before it.
            value: The value.
            time_ns: Nanoseconds since 1970; 0 if unknown.
        """
        curve = self._found.get(name) or self._curve(name)
        if curve is None:
            return
        if step is None:
            step = curve.next_step
        if step not in INT64:
            self.skip("points at steps beyond 64 bits")
            return
        curve.add(step, value, time_ns if time_ns in INT64 else 0)

    def _curve(self, name: str) -> Curve | None:
        stored = storable(name)
        if not stored or len(stored) > _NAME_LIMIT:
            self.skip("points of series whose name is empty or beyond 1,000 characters")
            return None
        curve = self._curves.get(stored)
        if curve is None:
            if len(self._curves) >= _SERIES_LIMIT:
                self.skip("points of series beyond the first 100,000")
                return None
            curve = self._curves[stored] = Curve()
        self._found[name] = curve
        return curve

    def discard_from(self, step: int) -> None:
        """Forget all points at `step` and later, as a restart from there does."""
        self.skip("points that a restart took back", sum(curve.discard_from(step) for curve in self._curves.values()))

    def batches(self, size: int) -> Iterator[list[ImportedPoint]]:
        """Yield all points, series by series in order of appearance."""
        batch: list[ImportedPoint] = []
        for name, curve in self._curves.items():
            self.skip("earlier values of repeated steps", curve.settle())
            for step, value, time_ns in zip(curve.steps, curve.values, curve.times_ns, strict=True):
                batch.append(ImportedPoint(name, step, value, time_ns))
                if len(batch) >= size:
                    yield batch
                    batch = []
        if batch:
            yield batch
