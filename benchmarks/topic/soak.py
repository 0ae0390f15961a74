"""A soak: events at a steady rate from 2 processes of 4 threads into one SQLite store, every one accounted for."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.clock import Figure, counted
from benchmarks.soak import Plan, soak
from benchmarks.topic import Scale

PEERS = ()
AGAINST: dict[str, tuple[str, ...]] = {}
ROUNDS = 1


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures.

    Raises:
        SystemExit: An event is missing, or there twice.
    """
    plan = Plan(seconds=scale.soak_s, rate=scale.soak_rate)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = soak(Path(folder), plan)
    if not found.is_complete:
        raise SystemExit(
            f"{found.emitted:,} events were emitted and {found.found:,} found: {found.missing:,} are missing, "
            f"{found.doubled:,} are there twice, {found.dropped:,} were dropped"
        )
    name = f"{plan.seconds:g} s at {plan.rate:,.0f} events/s"
    yield counted(f"{name}: events, each found once", found.found)
    for what, unit, value in (
        ("durable events", "/s", found.rate),
        ("caller p50", "µs", found.p50_us),
        ("caller p99", "µs", found.p99_us),
        ("the longest emit", "ms", found.worst_ms),
        ("an event on disk", "B", found.file_bytes / found.found),
        ("memory of the larger process, at most", "MB", max(found.rss_mb)),
        ("memory of the larger process, at the end", "MB", found.rss_mb[-1]),
        ("reading and comparing every event", "ms", found.reading_s * 1e3),
    ):
        if value:  # no system but Linux tells a process's memory
            yield Figure(f"{name}: {what}", unit, value, value, value)
