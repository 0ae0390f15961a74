"""What a soak does, and what came of it."""

import dataclasses

EVENT = "req_llm.request.stop"


class SoakError(RuntimeError):
    """A process of the soak failed; the message says which, and its last words."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to emit.

    Args:
        seconds: How long.
        rate: Events a second of all threads together.
        processes: Processes; each records an experiment of its own into the one store.
        threads: Threads of each process.
    """

    seconds: float = 600.0
    rate: float = 50_000.0
    processes: int = 2
    threads: int = 4


@dataclasses.dataclass(frozen=True)
class Soaked:
    """What came of it.

    Args:
        emitted: Events that the threads emitted.
        found: Events that a reader found.
        missing: Sequences that no event carries.
        doubled: Events whose sequence another one carries, or that nobody emitted.
        dropped: Events that the recorders say they dropped.
        emitting_s: From the first event to the last.
        durable_s: From the first event until all were durable.
        p50_us: Median duration of an emit, in µs.
        p99_us: 99th percentile of it.
        worst_ms: The longest emit.
        rss_mb: Memory of the process that held most, second by second.
        file_bytes: Size of the store's files, after all have closed it.
        reading_s: How long the reader took.
    """

    emitted: int
    found: int
    missing: int
    doubled: int
    dropped: int
    emitting_s: float
    durable_s: float
    p50_us: float
    p99_us: float
    worst_ms: float
    rss_mb: tuple[float, ...]
    file_bytes: int
    reading_s: float

    @property
    def is_complete(self) -> bool:
        """Whether every event that was emitted is in the store, once."""
        return self.found == self.emitted > 0 and not (self.missing or self.doubled or self.dropped)

    @property
    def rate(self) -> float:
        """Events that became durable, a second."""
        return self.emitted / self.durable_s
