"""Where what is to be recorded waits: a bounded queue that any thread adds to, and that can be shut.

What was added is taken, however closely the shutting follows: who adds looks once more afterwards.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from crucible.errors import StoreError
from crucible.telemetry.recorder_options import RecorderOptions

__all__ = ["Inlet"]

T = TypeVar("T")


class Inlet(Generic[T]):
    """A bounded queue.

    Args:
        options: How many may wait, and what becomes of one more.
        whose: What is recorded, for messages.
        settle: Takes everything that waits, at once; called where something was added while it was shut.
        wake: Called when there is no room.
        dropped: Counts what is not taken, by reason.
    """

    def __init__(
        self,
        options: RecorderOptions,
        whose: str,
        *,
        settle: Callable[[], None],
        wake: Callable[[], bool],
        dropped: Counter[str],
    ) -> None:
        self.queue: deque[T] = deque()
        self.is_shut = False
        self._options = options
        self.begin_with_room()
        self.lost = 0
        self.failure: StoreError | None = None
        self._why: str | None = None  # as it is counted; None where it is refused
        self._whose = whose
        self.settle = settle
        self._wake = wake
        self._dropped = dropped
        self._room = threading.Condition()
        self._crowded = 0  # threads that wait for room

    def begin_with_room(self) -> None:
        """Have as much room as the options say."""
        self.capacity, self.event_capacity = self._options.capacity, self._options.most_events

    # --- for who adds ---

    def add(self, item: T) -> None:
        """Take one.

        Raises:
            StoreError: Nothing is taken any more, because a write failed or it was stopped; or there is no room.
        """
        if len(self.queue) >= self.capacity and not self._make_room(1):
            return
        if self.is_shut:
            self._turn_away(1)
            return
        self.queue.append(item)
        if self.is_shut:
            self.settle()

    def add_many(self, items: Sequence[T]) -> None:
        """Take several, all of them or none; see `add`."""
        if len(self.queue) >= self.capacity and not self._make_room(len(items)):
            return
        if self.is_shut:
            self._turn_away(len(items))
            return
        self.queue.extend(items)
        if self.is_shut:
            self.settle()

    def add_quietly(self, make: Callable[[], T]) -> None:
        """Take one from the bus, made if it is taken; what is refused is only counted."""
        if len(self.queue) >= self.event_capacity and not self._make_room(1):
            return
        if not self.is_shut:
            self.queue.append(make())
            if self.is_shut:
                self.settle()
        elif self._why is not None:
            self._turn_away(1)
        else:
            with self._room:
                self.lost += 1

    def _turn_away(self, count: int) -> None:
        why = self._why
        if why is not None:
            with self._room:
                self._dropped[why] += count
            return
        if self.failure is not None:
            with self._room:
                self.lost += count
            raise StoreError(f"nothing more is recorded of {self._whose}: {self.failure}") from self.failure
        raise StoreError(f"the recording {self._whose} was stopped, so nothing more is recorded")

    def _make_room(self, count: int) -> bool:
        """Return whether there is room now; what there is no room for was counted, or is refused."""
        if self._wake():
            return True
        if self._options.when_full == "block":
            with self._room:
                self._crowded += 1
                self._room.wait_for(lambda: self.is_shut or len(self.queue) < self.event_capacity)
                self._crowded -= 1
            return True
        with self._room:
            self._dropped["full"] += count
        if self._options.when_full == "raise":
            raise StoreError(
                f"{self.capacity} events wait to be written, and one more of {self._whose} came; write less, or choose "
                'a larger capacity, or when_full="block"'
            )
        return False

    # --- for who takes ---

    def take(self, most: int) -> list[T]:
        """Return what waits, at most so many, the oldest first."""
        pop = self.queue.popleft
        taken = [pop() for _ in range(min(len(self.queue), most))]
        if self._crowded:
            with self._room:
                self._room.notify_all()
        return taken

    def put_back(self, taken: list[T]) -> None:
        """Let what was taken wait again, before everything else."""
        self.queue.extendleft(reversed(taken))

    def shut(self, why: str | None = None) -> None:
        """Take nothing more.

        Args:
            why: Only count what comes, under this word; None: refuse it.
        """
        if self.is_shut and (self._why is None or why == "paused"):
            return
        self._why, self.is_shut = why, True
        with self._room:
            self._room.notify_all()

    def fail(self, failure: StoreError, lost: int) -> None:
        """Take nothing more, because what was taken could not be written."""
        self.failure = failure
        with self._room:
            self.lost += lost
        self._why, self.is_shut = None, True
        with self._room:
            self._room.notify_all()

    @property
    def why_shut(self) -> str | None:
        """The word under which what comes is counted; None where it is taken, or refused."""
        return self._why if self.is_shut else None

    def begin(self) -> None:
        """Take what comes, also after a stop; not after a failure."""
        if self.failure is None:
            self._why, self.is_shut = None, False

    def open(self) -> None:
        """Take again what comes, unless it was refused for good."""
        if not self.is_shut or self._why == "paused":
            self._why, self.is_shut = None, False

    def start_over(self) -> None:
        """Forget what waits, and every lock that a thread of another process may hold: what a forked child does.

        There is no room until `begin_with_room`: who adds first asks for it.
        """
        self.capacity = self.event_capacity = 0
        self._room = threading.Condition()
        self._crowded = 0
        self.queue.clear()
