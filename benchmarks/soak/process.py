"""One process of a soak: threads that emit when it is time, and a watch on the memory."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.soak.durations import Durations
from benchmarks.soak.plan import EVENT, Plan

_TICK_S = 0.002  # a thread sleeps this long when it is ahead
_AT_ONCE = 100  # late events that a thread makes up for before it looks at the clock again
_RSS_EVERY_S = 1.0


def emit_steadily(process: int, store: str, plan: Plan) -> dict[str, Any]:
    """Emit from threads until the time is over, make everything durable, and return what happened.

    Args:
        process: Number of this process.
        store: What opens the store.
        plan: Its `rate` is that of this process.
    """
    from crucible.telemetry import Experiment

    experiment: Any = Experiment.start(f"soak {process}", store=store)
    print("ready", flush=True)
    sys.stdin.readline()
    sent, durations = [0] * plan.threads, [Durations() for _ in range(plan.threads)]
    ending = threading.Event()
    rss_mb: list[float] = []
    watch = threading.Thread(target=_watch, args=(ending, rss_mb))
    begun_ns = time.monotonic_ns()

    def work(thread: int) -> None:
        with experiment.active():
            for sequence in _due(plan, begun_ns):
                durations[thread].add(_emit(process, thread, sequence))
                sent[thread] = sequence + 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(plan.threads)]
    for thread in (watch, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    ended_ns = time.monotonic_ns()
    experiment.flush()
    durable_ns = time.monotonic_ns()
    ending.set()
    watch.join()
    experiment.stop()
    return {
        "process": process,
        "id": experiment.id,
        "sent": sent,
        "dropped": sum(experiment.info.dropped.values()),
        "begun_ns": begun_ns,
        "ended_ns": ended_ns,
        "durable_ns": durable_ns,
        "durations": [each.told() for each in durations],
        "rss_mb": rss_mb,
    }


def _due(plan: Plan, begun_ns: int) -> Iterator[int]:
    """Yield the sequence of each event of a thread when its time has come; late ones come at once."""
    each, sequence = plan.rate / plan.threads / 1e9, 0
    end_ns = begun_ns + int(plan.seconds * 1e9)
    while (now := time.monotonic_ns()) < end_ns:
        due = min(int((now - begun_ns) * each), sequence + _AT_ONCE)
        if sequence >= due:
            time.sleep(_TICK_S)
        while sequence < due:
            yield sequence
            sequence += 1


def _emit(process: int, thread: int, sequence: int) -> int:
    """Emit an event and return how long that took, in ns."""
    from crucible import events

    measurements = {"duration": 1_250_000, "prompt_tokens": 180, "completion_tokens": 64}
    metadata = {"model": "tuned", "process": process, "thread": thread, "sequence": sequence}
    start = time.perf_counter_ns()
    events.emit(EVENT, measurements, metadata)
    return time.perf_counter_ns() - start


def _watch(ending: threading.Event, rss_mb: list[float]) -> None:
    statm = Path("/proc/self/statm")
    while statm.exists():
        rss_mb.append(int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
        if ending.wait(_RSS_EVERY_S):
            return
    rss_mb.append(0.0)  # a system that does not tell
