"""Timing, and the one line of JSON in which a measuring process reports a figure.

Nothing but the standard library: the peers' interpreters import this, too.
"""

import dataclasses
import json
import os
import statistics
import time
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Budget:
    """How long to repeat one measurement.

    Args:
        seconds: Time to spend on the repeats of one figure.
        least: Repeats at least, however long they take.
        most: Repeats at most.
    """

    seconds: float = 1.0
    least: int = 5
    most: int = 2000


TINY = Budget(seconds=0.0, least=1, most=1)


def budget() -> Budget:
    """Return the budget of a measuring process: one second a figure, or what `BENCH_SECONDS` says."""
    return Budget(seconds=float(os.environ.get("BENCH_SECONDS", "1.0")))


@dataclasses.dataclass(frozen=True)
class Figure:
    """One measured quantity of one process.

    Args:
        name: What was measured, unique within its topic.
        unit: Unit of the three numbers; empty for a count.
        median: Median of the repeats.
        low: The smallest of the repeats.
        high: The largest of the repeats.
        repeats: How many there were.
        version: Version of the package that was measured.
        note: What a reader must know to compare it.
        cold_ms: Import, build and first call in a fresh process, in ms; None: not measured.
    """

    name: str
    unit: str
    median: float
    low: float
    high: float
    repeats: int = 1
    version: str = ""
    note: str = ""
    cold_ms: float | None = None

    def report(self) -> None:
        """Print the figure for the process that asked for it."""
        print(json.dumps(dataclasses.asdict(self)), flush=True)


def counted(name: str, value: float, **more: str) -> Figure:
    """Return the figure of something that is counted, not timed."""
    return Figure(name, "", value, value, value, **more)


def samples_ns(call: Callable[[], object], budget: Budget) -> list[float]:
    """Return how long each of several calls took, in ns.

    Calls of less than a millisecond are timed in batches of one or two, so that reading the clock costs nothing
    beside them. The garbage collector stays on: it is part of what a user waits for.
    """
    call()  # the first call fills caches
    start = time.perf_counter_ns()
    call()
    batch = max(1, 1_000_000 // max(1, time.perf_counter_ns() - start)) if budget.most > 1 else 1
    taken: list[float] = []
    begun = time.perf_counter()
    while len(taken) < budget.least or (time.perf_counter() - begun < budget.seconds and len(taken) < budget.most):
        start = time.perf_counter_ns()
        for _ in range(batch):
            call()
        taken.append((time.perf_counter_ns() - start) / batch)
    return taken


RATE = "/s"
_NS = {"ns": 1.0, "µs": 1e3, "ms": 1e6}


def timed(
    name: str, unit: str, call: Callable[[], object], budget: Budget, *, per: int = 1, **more: str | float
) -> Figure:
    """Time a call and return its figure.

    Args:
        name: What is measured.
        unit: ns, µs or ms.
        call: What to time; called once beforehand.
        budget: How long to repeat it.
        per: How many of the things one call does, such as 100 stages; the figure is for one of them.
        more: Further fields of the figure.
    """
    return figure_of(name, unit, samples_ns(call, budget), per=per, **more)


def figure_of(name: str, unit: str, taken_ns: list[float], *, per: int = 1, **more: str | float) -> Figure:
    """Return the figure of durations in ns; the parameters are those of `timed`."""
    scale = _NS[unit] * per
    median, low, high = statistics.median(taken_ns) / scale, min(taken_ns) / scale, max(taken_ns) / scale
    return Figure(name, unit, median, low, high, repeats=len(taken_ns), **more)  # type: ignore[arg-type]


def rate_of(name: str, taken_ns: list[float], *, of: int, **more: str) -> Figure:
    """Return the figure of so many things that were done in these durations in ns, as things a second.

    Of a rate more is better; the table turns its ratio, so that it says the same as that of a duration.
    """
    rates = [of / taken * 1e9 for taken in taken_ns]
    return Figure(name, RATE, statistics.median(rates), min(rates), max(rates), repeats=len(rates), **more)  # type: ignore[arg-type]
