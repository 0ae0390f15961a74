"""A pipeline of 100 stages that do nothing, in memory and with everything kept.

A run of one stage and a run of all stages alternate. Their difference is what a stage costs, without opening and
closing the run; the rest of the short run is what opening and closing costs. "Total / stages" is what the peers'
figures are.
"""

import dataclasses
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.clock import Budget, Figure, figure_of, timed
from benchmarks.peers import CHAINS
from benchmarks.topic import Scale

MEMORY_SYNC = "in memory, sync stages"
MEMORY_ASYNC = "in memory, async stages"
RECORD = "run and stage records in SQLite, sync stages"
KEPT_SYNC = "`crucible.run`: records, telemetry and trace in SQLite, sync stages"
KEPT_ASYNC = "`crucible.run`: records, telemetry and trace in SQLite, async stages"
TOTAL = "total / stages"

PEERS = CHAINS
AGAINST = {"chain": (f"{MEMORY_SYNC}: {TOTAL}", f"{MEMORY_ASYNC}: {TOTAL}", f"{KEPT_SYNC}: {TOTAL}")}
ROUNDS = None

Run = Callable[[int], object]


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures; the first one holds the cold start, too."""
    begun = time.perf_counter_ns()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        memory = _in_memory(folder, is_async=False)
        memory(scale.stages)
        cold_ms = (time.perf_counter_ns() - begun) / 1e6
        total, *more = _figures(MEMORY_SYNC, memory, scale)
        yield dataclasses.replace(total, cold_ms=cold_ms)
        yield from more
        yield from _figures(MEMORY_ASYNC, _in_memory(folder, is_async=True), scale)
        yield from _recorded(folder / "records", scale)
        yield from _figures(KEPT_SYNC, _kept(folder / "kept", is_async=False), scale)
        yield from _figures(KEPT_ASYNC, _kept(folder / "kept", is_async=True), scale)
        yield _fsync(folder / "one-page", scale.budget)


def _registry(*, is_async: bool) -> Any:
    """Return a registry whose one stage does nothing."""
    from crucible import pipeline

    @pipeline.stage("nothing")
    def nothing(context: pipeline.Context, _options: Any) -> pipeline.Context:
        return context

    @pipeline.stage("nothing")
    async def nothing_async(context: pipeline.Context, _options: Any) -> pipeline.Context:
        return context

    return pipeline.Registry(nothing_async if is_async else nothing, installed=False)


def _experiment(stages: int) -> Any:
    from crucible import ir

    definitions = tuple(ir.StageDef(name="nothing", id=f"s{index}") for index in range(stages))
    return ir.Experiment(id="bench", backend=ir.BackendRef(id="local"), pipeline=definitions)


def _in_memory(folder: Path, *, is_async: bool) -> Run:
    from crucible import pipeline

    return _carried_out(partial(pipeline.Runner(_registry(is_async=is_async)).run, workspace=folder))


def _kept(store: Path, *, is_async: bool) -> Run:
    import crucible

    return _carried_out(partial(crucible.run, store=store, registry=_registry(is_async=is_async)))


def _recorded(store: Path, scale: Scale) -> Iterator[Figure]:
    from crucible import pipeline
    from crucible.store import open_store

    with open_store(store) as opened:
        runner = pipeline.Runner(_registry(is_async=False), opened.runs)
        yield from _figures(RECORD, _carried_out(partial(runner.run, workspace=store)), scale)


def _carried_out(run: Callable[[Any], Any]) -> Run:
    """Return a call that runs an experiment of so many stages; each document is built once."""
    documents: dict[int, Any] = {}

    def call(stages: int) -> object:
        if stages not in documents:
            documents[stages] = _experiment(stages)
        return run(documents[stages]).raise_for_status()

    return call


def _figures(name: str, run: Run, scale: Scale) -> Iterator[Figure]:
    """Time short and long runs in turn; yield total over stages, cost of a stage, cost of opening and closing."""
    stages = scale.stages
    run(1)
    run(stages)
    short: list[float] = []
    whole: list[float] = []
    begun = time.perf_counter()
    while len(whole) < scale.budget.least or time.perf_counter() - begun < scale.budget.seconds:
        short.append(_taken_ns(run, 1))
        whole.append(_taken_ns(run, stages))
    yield figure_of(f"{name}: {TOTAL}", "µs", whole, per=stages)
    stage = (statistics.median(whole) - statistics.median(short)) / (stages - 1)
    each = [(long - one) / (stages - 1) for one, long in zip(short, whole, strict=True)]
    ends = [one - stage for one in short]
    yield figure_of(f"{name}: a stage", "µs", each)
    yield figure_of(f"{name}: opening and closing a run", "µs", ends)


def _taken_ns(run: Run, stages: int) -> float:
    start = time.perf_counter_ns()
    run(stages)
    return time.perf_counter_ns() - start


def _fsync(path: Path, budget: Budget) -> Figure:
    """Return what this disk takes to make one page durable: the floor of a record that must outlive a power loss."""
    with path.open("wb") as file:

        def call() -> None:
            file.seek(0)
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())

        return timed("one fsync of 4 kB on this disk", "µs", call, budget)
