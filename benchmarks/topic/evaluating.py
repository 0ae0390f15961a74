"""Evaluating a model that answers at once, each measurement on the disk as soon as it is scored: speed and memory.

A rate is of whole evaluations: asking, scoring, recording, summing up with intervals, and syncing at the end.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import evaluating
from benchmarks.clock import Budget, Figure, figure_of, rate_of
from benchmarks.evaluating import own
from benchmarks.evaluating.ways import WAYS
from benchmarks.peers import EVALUATIONS
from benchmarks.topic import Scale

PEERS = EVALUATIONS
AGAINST = {evaluating.RATE: (evaluating.RATE,)}
ROUNDS = None


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _passes(folder, scale.budget)
        for count in (scale.evaluated_items // 20, scale.evaluated_items):
            yield from _alone(folder / f"{count}.jsonl", count)
        yield from _ways(folder, scale)


def _passes(folder: Path, allowed: Budget) -> Iterator[Figure]:
    count, taken, nameless = evaluating.QUESTIONS, list[float](), list[float]()
    own.evaluated(folder / "first.jsonl", count)
    begun = time.perf_counter()
    while not taken or (time.perf_counter() - begun < allowed.seconds and len(taken) < allowed.most):
        record = folder / f"{len(taken)}.jsonl"
        start = time.perf_counter_ns()
        own.evaluated(record, count)
        taken.append(time.perf_counter_ns() - start)
        if (right := own.found(record)) != count:
            raise SystemExit(f"{count:,} questions were asked, and a reader finds {right:,} right answers")
        start = time.perf_counter_ns()
        own.evaluated(None, count)
        nameless.append(time.perf_counter_ns() - start)
    yield rate_of(evaluating.RATE, taken, of=count, note="with a record")
    yield rate_of(f"{count:,} items, no record: items evaluated", nameless, of=count)


def _alone(record: Path, count: int) -> Iterator[Figure]:
    said = own.alone(record, count)
    yield rate_of(f"{count:,} items of a stream: items evaluated", [said["taken"]], of=count, note="with a record")
    yield rate_of(f"{count:,} items of a stream: recorded items taken up again", [said["again"]], of=count)
    grown = max(1, said["peak"] - said["before"]) / 1e6
    yield Figure(f"{count:,} items of a stream: growth of the process's peak memory", "MB", grown, grown, grown)
    peak = said["peak"] / 1e6
    yield Figure(f"{count:,} items of a stream: peak memory of the whole process", "MB", peak, peak, peak)


def _ways(folder: Path, scale: Scale) -> Iterator[Figure]:
    count = scale.scalars
    for index, (name, way) in enumerate(WAYS.items()):
        taken: list[float] = []
        for turn in range(3):
            start = time.process_time_ns()
            way(folder / f"way{index}-{turn}", count)
            taken.append(time.process_time_ns() - start)
        yield figure_of(f"a measurement kept, CPU: {name}", "µs", taken, per=count)
