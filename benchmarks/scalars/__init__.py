"""The same scalars, logged by Crucible and by each of the peers; run with the peer's own interpreter.

A scalar is a name, a step and a number. A pass logs all of them into a fresh place; it ends when the peer says that all
is written, and counts only when a reader of its own then finds every one. Three things are timed apart, so that reading
the clock costs nothing beside what it measures: a whole pass, each single call of another pass, and reading one series.
"""

import dataclasses
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.clock import Budget, Figure, budget, figure_of, rate_of

READ = "100,000 points of a series read"
POINTS = 100_000


class Log(Protocol):
    """One recording, open to be written."""

    def log(self, step: int, number: float) -> object:
        """Log the scalars of one call: this number under each name."""

    def finish(self) -> object:
        """Return once everything is durable: another process can read it, be this one killed or not."""

    def close(self) -> object:
        """Leave the files as they stay; not timed."""

    def count(self) -> int:
        """Return how many scalars a reader of its own finds."""

    def points(self) -> Sequence[tuple[int, float]]:
        """Return the first series as (step, value) by step, as a reader of its own finds it."""


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to log.

    Args:
        name: How many scalars a call, such as `one a call`.
        open: Opens a fresh recording.
        calls: Calls of one pass.
        scalars: Scalars of one call, each of another series.
        place: The folder whose growth is told as bytes; None: not told.
        note: What a reader must know.
        points: Points of the first series, which is then read, too; 0: it is not.
    """

    name: str
    open: Callable[[], Log]
    calls: int
    scalars: int = 1
    place: Path | None = None
    note: str = ""
    points: int = 0


def value(step: int) -> float:
    """Return the number that is logged at a step."""
    return 2.0 / (1.0 + step * 0.001) + (step * 7919 % 1000) * 1e-4


def names(count: int) -> list[str]:
    """Return the names of so many series."""
    return [f"train/loss{index}" for index in range(count)]


def size_of(folder: Path) -> int:
    """Return how many bytes the files of a folder have."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def figures(way: Way, allowed: Budget, version: str) -> Iterator[Figure]:
    """Measure one way of logging.

    Args:
        way: The way.
        allowed: How long to repeat it; at least one pass of each kind is made.
        version: What is measured.

    Raises:
        SystemExit: A reader does not find what was logged.
    """
    total, numbers = way.calls * way.scalars, [value(step) for step in range(way.calls)]
    more = {"version": version, "note": way.note}
    taken: list[float] = []
    grown: list[int] = []
    begun = time.perf_counter()
    while not taken or (time.perf_counter() - begun < allowed.seconds and len(taken) < allowed.most):
        before = size_of(way.place) if way.place else 0
        log = way.open()
        call = log.log
        start = time.perf_counter_ns()
        for step, number in enumerate(numbers):
            call(step, number)
        log.finish()
        taken.append(time.perf_counter_ns() - start)
        log.close()
        grown.append(size_of(way.place) - before if way.place else 0)
        verify(log, way)
    yield rate_of(f"{way.name}: durable scalars", taken, of=total, **more)
    yield from _calls(way, numbers, more)
    if way.place:
        each = sorted(bytes_grown / total for bytes_grown in grown)
        median = each[len(each) // 2]
        yield Figure(f"{way.name}: a scalar on disk", "B", median, each[0], each[-1], len(each), **more)


def _calls(way: Way, numbers: Sequence[float], more: dict[str, str]) -> Iterator[Figure]:
    """Time each call of one more pass, and tell the median and the 99th percentile."""
    log, each, clock = way.open(), array("q", bytes(8 * way.calls)), time.perf_counter_ns
    call = log.log
    for step, number in enumerate(numbers):
        start = clock()
        call(step, number)
        each[step] = clock() - start
    log.finish()
    log.close()
    verify(log, way)
    yield from call_figures(way.name, each, **more)


def call_figures(name: str, each_ns: Sequence[int], **more: str) -> Iterator[Figure]:
    """Yield the median and the 99th percentile of calls that were timed one by one."""
    ordered = sorted(each_ns)
    for share in (50, 99):
        at = ordered[min(len(ordered) - 1, len(ordered) * share // 100)] / 1e3
        yield Figure(f"{name}: caller p{share}", "µs", at, at, at, len(ordered), **more)


def logged(way: Way) -> Log:
    """Return a recording with everything in it, seen by a reader, and closed."""
    log = way.open()
    for step in range(way.calls):
        log.log(step, value(step))
    log.finish()
    log.close()
    verify(log, way)
    return log


def reading(way: Way, allowed: Budget, version: str) -> Figure:
    """Time how long a reader of its own takes for the first series."""
    log, note = logged(way), way.note if way.points == POINTS else f"{way.note}; scaled from {way.points:,}"
    taken: list[float] = []
    begun = time.perf_counter()
    while not taken or (time.perf_counter() - begun < allowed.seconds and len(taken) < allowed.most):
        start = time.perf_counter_ns()
        log.points()
        taken.append((time.perf_counter_ns() - start) * POINTS / way.points)
    return figure_of(READ, "ms", taken, version=version, note=note)


def verify(log: Log, way: Way) -> None:
    """See that a reader finds every scalar, and the right numbers in the first series.

    Raises:
        SystemExit: It does not.
    """
    total, found = way.calls * way.scalars, log.count()
    if found != total:
        raise SystemExit(f"{way.name}: {total:,} scalars were logged, and a reader finds {found:,}")
    if not way.points:
        return
    points = log.points()
    if len(points) != way.points:
        raise SystemExit(f"{way.name}: {way.points:,} points were logged, and a reader finds {len(points):,}")
    for index, (step, number) in enumerate(points):
        if step != index or abs(number - value(index)) > 1e-6 * value(index):  # some keep 32 bits
            raise SystemExit(f"{way.name}: ({index}, {value(index)}) came back as ({step}, {number})")


def report(ways: Sequence[Way], version: str) -> None:
    """Measure each way and print its figures, each as soon as it is known."""
    for way in ways:
        for figure in figures(way, budget(), version):
            figure.report()
        if way.points:
            reading(way, budget(), version).report()
