"""How a recorder writes: how much may wait, for how long, and what becomes of more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import msgspec

from crucible.errors import SpecError

__all__ = ["RecorderHooks", "RecorderOptions", "WhenFull"]

_MOST_EVENTS = 4_096

WhenFull = Literal["block", "drop", "raise"]


class RecorderOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a recorder writes.

    Args:
        capacity: Events and points that may wait to be written. Where more comes than can be written, `kill -9` may
            lose so many, and memory holds so many.
        event_capacity: With so many waiting, an event waits for room, as events are larger than points; None: 4,096, or
            the capacity where that is less.
        when_full: What becomes of one more: its emitter waits (`block`), it is dropped and counted (`drop`), or a
            `StoreError` is raised (`raise`; an event of the bus is counted as dropped, as no handler may break what it
            listens to).
        interval_s: How often what waits is written; what `kill -9` may lose at most.
        patience_s: How long a database server that went away is waited for.
    """

    capacity: int = 16_384
    event_capacity: int | None = None
    when_full: WhenFull = "block"
    interval_s: float = 0.05
    patience_s: float = 30.0

    @property
    def most_events(self) -> int:
        """With so many waiting, one more event is one too many."""
        return min(self.capacity, _MOST_EVENTS if self.event_capacity is None else self.event_capacity)

    def __post_init__(self) -> None:
        if self.when_full not in get_args(WhenFull):
            words = ", ".join(get_args(WhenFull))
            raise SpecError(f"what becomes of one more is {words}; got {self.when_full!r:.80}", path="when_full")
        for name, count in (("capacity", self.capacity), ("event_capacity", self.event_capacity or self.capacity)):
            if not isinstance(count, int) or count < 1:  # pyright: ignore[reportUnnecessaryIsInstance]  # a caller's
                raise SpecError(f"a count of events, 1 at least; got {count!r:.80}", path=name)
        for name, seconds in (("interval_s", self.interval_s), ("patience_s", self.patience_s)):
            if not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e6:  # pyright: ignore[reportUnnecessaryIsInstance]
                raise SpecError(f"a number of seconds, 0 at least; got {seconds!r:.80}", path=name)


class RecorderHooks(msgspec.Struct, frozen=True, kw_only=True):
    """Functions that a recorder tells what it does.

    Args:
        on_batch: Called after each batch that is durable, on the thread that wrote it.
        on_tick: Called every interval, on the writer's thread, with a wall clock in nanoseconds up to which everything
            was taken in; not while it is paused.
        on_end: Called when the process ends and everything is durable.
        on_fork: Called in a forked child, which records for itself from here on.
    """

    on_batch: Callable[[], object] | None = None
    on_tick: Callable[[int], object] | None = None
    on_end: Callable[[], object] | None = None
    on_fork: Callable[[], object] | None = None
