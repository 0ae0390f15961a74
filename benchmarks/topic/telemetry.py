"""Scalars and events recorded for good: how fast, what they cost the caller, the disk, the memory, and reading them.

A rate counts from the first call until everything is durable: another process reads it, be this one killed or not.
"""

import importlib.util
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import scalars
from benchmarks.clock import Figure, rate_of, timed
from benchmarks.peers import SCALARS
from benchmarks.scalars import own
from benchmarks.topic import Scale

ROWS = f"{scalars.READ}, as rows"
ARRAYS = f"{scalars.READ}, as arrays"

PEERS = SCALARS
AGAINST = {
    **{
        f"{ways} a call: {what}": (f"{ways} a call: {what}",)
        for ways in ("one", "ten")
        for what in ("durable scalars", "caller p50", "caller p99", "a scalar on disk")
    },
    "1,000 a call: durable scalars": ("one a call: durable scalars", "ten a call: durable scalars"),
    "1,000 a call: a scalar on disk": ("one a call: a scalar on disk",),
    scalars.READ: (ROWS, ARRAYS),
}
ROUNDS = None

_EVENT = "req_llm.request.stop"


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _scalars(folder / "store", scale)
        yield from _events(folder / "events", scale)
        yield from _processes(folder / "processes", scale)
        yield from _memory(folder / "memory", scale)
        yield from _opening(folder, scale)
    yield from _postgres(scale)


def _scalars(place: Path, scale: Scale) -> Iterator[Figure]:
    own.Logged(str(place), 1).close()  # the tables are there now, and not counted as bytes of a scalar
    count, note = scale.scalars, "one SQLite store"

    def opened(series: int) -> own.Logged:
        return own.Logged(str(place), series)

    one = scalars.Way("one a call", lambda: opened(1), count, place=place, note=note, points=count)
    yield from scalars.figures(one, scale.budget, "")
    ten = scalars.Way("ten a call", lambda: opened(10), max(1, count // 10), 10, place=place, note=note)
    yield from scalars.figures(ten, scale.budget, "")
    yield from _reading(scalars.logged(one), count, scale)


def _reading(log: Any, count: int, scale: Scale) -> Iterator[Figure]:
    from crucible.store import open_store

    with open_store(log.store) as store:
        telemetry, of = store.telemetry, (log.experiment.id, log.names[0])
        arrays = telemetry.point_arrays(*of)
        if list(zip(arrays.steps, arrays.values, strict=True)) != telemetry.points(*of):
            raise SystemExit("a series as arrays is not what it is as rows")
        note = "the store is open" if count == scalars.POINTS else f"the store is open; scaled from {count:,}"
        per = count / scalars.POINTS
        yield timed(ROWS, "ms", lambda: telemetry.points(*of), scale.budget, per=per, note=note)
        yield timed(ARRAYS, "ms", lambda: telemetry.point_arrays(*of), scale.budget, per=per, note=note)


def _events(place: Path, scale: Scale) -> Iterator[Figure]:
    from crucible import events

    count = scale.recorded_events
    measurements = {"duration": 1_250_000, "prompt_tokens": 180, "completion_tokens": 64, "total_tokens": 244}
    metadata = {"model": "tuned", "provider": "local", "session_id": "s1", "user_id": "u1", "sample_id": "q17"}

    def emitted() -> None:
        events.emit(_EVENT, measurements, metadata)

    def spanned() -> None:
        with events.span("crucible_data.evaluation", {"model": "tuned"}):
            pass

    for name, call, each in (("enriched events", emitted, 1), ("spans of two events", spanned, 2)):
        taken = _recorded(place, call, count, each)
        yield rate_of(f"{name}: durable", [float(taken)], of=count)
        each_ns = array("q", bytes(8 * count))
        _recorded(place, call, count, each, each_ns)
        yield from scalars.call_figures(name, each_ns)


def _recorded(place: Path, call: Callable[[], object], count: int, each: int, each_ns: Any = None) -> int:
    """Call so often in an experiment, and return how long it took until all was durable, in ns.

    Args:
        place: The store.
        call: Emits.
        count: How often.
        each: Events of a call.
        each_ns: What each call took is put here; the whole is then longer.
    """
    from crucible.store import EventQuery, open_store
    from crucible.telemetry import Experiment

    experiment: Any = Experiment.start("bench", store=str(place))
    clock = time.perf_counter_ns
    with experiment.active():
        call()
        experiment.flush()  # all that is imported late is there now
        start = clock()
        if each_ns is None:
            for _ in range(count):
                call()
        else:
            for index in range(count):
                begun = clock()
                call()
                each_ns[index] = clock() - begun
        experiment.flush()
        taken = clock() - start
    experiment.stop()
    with open_store(str(place)) as store:
        found = store.telemetry.count(EventQuery(run_id=experiment.id))
    if found != (count + 1) * each:
        raise SystemExit(f"{(count + 1) * each:,} events were emitted, and a reader finds {found:,}")
    return taken


def _processes(place: Path, scale: Scale) -> Iterator[Figure]:
    said = own.together(str(place), 2, scale.scalars)
    for each in said:
        if (found := own.found(str(place), each["id"])) != scale.scalars:
            raise SystemExit(f"a process logged {scale.scalars:,} scalars, and a reader finds {found:,}")
    taken = max(each["ended_ns"] for each in said) - min(each["begun_ns"] for each in said)
    yield rate_of("two processes into one file, one a call: durable scalars", [taken], of=2 * scale.scalars)


def _memory(place: Path, scale: Scale) -> Iterator[Figure]:
    count = scale.memory_scalars
    (said,) = own.together(str(place), 1, count)
    if (found := own.found(str(place), said["id"])) != count:
        raise SystemExit(f"{count:,} scalars were logged, and a reader finds {found:,}")
    yield rate_of(
        f"{count:,} scalars without a pause: durable scalars", [said["ended_ns"] - said["begun_ns"]], of=count
    )
    grown = max(1, said["peak"] - said["before"]) / 1e6
    yield Figure(f"{count:,} scalars without a pause: growth of the process's peak memory", "MB", grown, grown, grown)
    peak = said["peak"] / 1e6
    yield Figure(f"{count:,} scalars without a pause: peak memory of the whole process", "MB", peak, peak, peak)


def _opening(folder: Path, scale: Scale) -> Iterator[Figure]:
    from crucible.store import open_store

    for count in (10_000, scale.run_points):
        place = str(folder / f"of{count}")
        log = own.Logged(place, 10)
        for step in range(count // 10):
            log.log(step, scalars.value(step))
        log.close()

        def summary(place: str = place, log: own.Logged = log, count: int = count) -> None:
            with open_store(place) as store:
                found = sum(summary.count for summary in store.telemetry.series_summary(log.experiment.id))
            if found != count // 10 * 10:
                raise SystemExit(f"{count:,} points were logged, and the summary tells of {found:,}")

        name = f"store opened and ten series summarised, {count:,} points"
        yield timed(name, "ms", summary, scale.budget)


def _postgres(scale: Scale) -> Iterator[Figure]:
    with _server() as server:
        if server is None:
            return
        url, note = server.database(), "a server on this machine, over a socket, fsync off"
        own.Logged(url, 1).close()
        one = scalars.Way("PostgreSQL, one a call", lambda: own.Logged(url, 1), scale.scalars, note=note)
        yield from scalars.figures(one, scale.budget, "")


@contextmanager
def _server() -> Iterator[Any]:
    """Run the PostgreSQL of the tests; None where there is none."""
    path = own.ROOT / "tests" / "conftest.py"
    spec = importlib.util.spec_from_file_location("benchmarks_postgres", path)
    server: Any = None
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        server = module.PostgresServer()
        server.start()
    except (ImportError, OSError, subprocess.SubprocessError) as error:
        print(f"no PostgreSQL, so that it is not measured: {error}", file=sys.stderr)
        if server is not None:
            server.stop()
        yield None
        return
    try:
        yield server
    finally:
        server.stop()
