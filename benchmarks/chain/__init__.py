"""The same chain of 100 stages that do nothing, in each of the peers; run with the peer's own interpreter.

Each stage takes the value of the stage before it and returns it. `build` imports the peer and returns one warm run.
"""

import platform
import time
from collections.abc import Callable
from importlib.metadata import version

from benchmarks.clock import budget, timed

STAGES = 100


def same(value: int) -> int:
    """Do nothing: the body of every stage."""
    return value


def report(distribution: str, build: Callable[[int], Callable[[], object]], note: str) -> None:
    """Build a chain, see that it returns what went in, time it, print its figure."""
    begun = time.perf_counter_ns()
    call = build(STAGES)
    result = call()
    cold_ms = (time.perf_counter_ns() - begun) / 1e6
    if result != 1:
        raise SystemExit(f"{distribution or 'plain'}: the chain returned {result!r}, not the 1 that went in")
    found = version(distribution) if distribution else platform.python_version()
    timed("chain", "µs", call, budget(), per=STAGES, version=found, note=note, cold_ms=cold_ms).report()
