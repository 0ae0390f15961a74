"""Keeps what happens in a run, off the thread on which it happens.

The handler copies the event into a queue, and a thread of its own writes many at once. Who needs them durable now does
not wait for that thread, but writes what waits itself: `flush`, or `drained` to write it together with something else.
The queue is bounded: when it is full the emitter waits, and nothing is dropped. A write that failed is never forgotten:
from then on every `flush` raises, and nothing more is queued.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator

from crucible import events
from crucible.errors import StoreError
from crucible.store import EventRow, PointRow, Store
from crucible.telemetry.series import SeenEvent, event_row, points_of, seen

__all__ = ["Recorder"]

_INTERVAL_S = 0.05
_BATCH = 2_000


class Recorder:
    """Records the events of one run into a store.

    Args:
        store: Where to; must stay open until `stop`.
        run_id: The run. Only events emitted inside its scope are recorded.
        capacity: Events that may wait to be written; one more makes its emitter wait.
        on_failure: Called once, on the thread that wrote, when a write failed: the chance to cancel the run at once.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        *,
        capacity: int = 50_000,
        on_failure: Callable[[StoreError], None] | None = None,
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._capacity = capacity
        self._on_failure = on_failure
        self._handler_id = f"telemetry-{run_id}-{id(self):x}"
        self._queue: deque[SeenEvent] = deque()
        self._writing = threading.Lock()  # held by whoever takes from the queue, until what was taken is durable
        self._wake = threading.Event()
        self._room = threading.Condition()
        self._crowded = 0  # emitters that wait for room
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._closed = False  # nothing is queued any more
        self._written = 0
        self._lost = 0
        self._failure: StoreError | None = None
        self._told = False  # whether somebody was given the failure

    @property
    def failure(self) -> StoreError | None:
        """Why a write failed, None while none did."""
        return self._failure

    @property
    def waiting(self) -> int:
        """Events that are not written yet."""
        return len(self._queue)

    def start(self) -> None:
        """Begin to listen; starting twice does no harm."""
        if self._thread is not None:
            return
        self._stopping = self._closed = False
        self._thread = threading.Thread(target=self._write_on, name=f"telemetry-{self._run_id}", daemon=True)
        self._thread.start()
        _started.add(self)
        atexit.register(self._at_exit)
        events.attach(self._handler_id, "*", self._on_event, run_id=self._run_id)

    def flush(self) -> int:
        """Make everything durable that was emitted before this call, on any thread.

        Returns:
            How many events are durable since the recorder was made. They survive `kill -9`, and another process can
            read them.

        Raises:
            StoreError: An event was lost, now or at any time before.
        """
        with self._writing:
            self._write_down_to(0)
        self._raise_if_lost()
        return self._written

    @contextlib.contextmanager
    def drained(self) -> Generator[tuple[list[EventRow], list[PointRow]]]:
        """Hand over the rows of what waits, to be written together with something else in one transaction.

        When the block ends well they count as durable; when it raises they wait again. What is more than one batch is
        written by the recorder itself first.

        Raises:
            StoreError: An event was lost at any time before.
        """
        with self._writing:
            self._write_down_to(_BATCH)
            self._raise_if_lost()
            taken = self._take()
            try:
                yield self._rows(taken)
            except BaseException:
                self._queue.extendleft(reversed(taken))
                raise
            self._written += len(taken)

    def stop(self) -> int:
        """Stop listening, make everything durable and end the writer; stopping twice does no harm.

        Returns:
            How many events are durable since the recorder was made.

        Raises:
            StoreError: An event was lost, and no `flush` has said so yet.
        """
        events.detach(self._handler_id)
        try:
            return self._written if self._told else self.flush()
        finally:
            self._end()

    # --- on the emitter's thread ---

    def _on_event(self, event: events.Event) -> None:
        if len(self._queue) >= self._capacity:
            self._wait_for_room()
        if self._closed:
            with self._room:
                self._lost += 1
        else:
            self._queue.append(seen(event))

    def _wait_for_room(self) -> None:
        with self._room:
            self._crowded += 1
            self._wake.set()
            self._room.wait_for(lambda: self._closed or len(self._queue) < self._capacity)
            self._crowded -= 1

    # --- on the writer's thread ---

    def _write_on(self) -> None:
        while not (self._stopping and not self._queue):
            self._wake.wait(_INTERVAL_S)
            self._wake.clear()
            with self._writing:
                self._write_down_to(0)

    # --- with the lock `_writing` ---

    def _write_down_to(self, waiting: int) -> None:
        """Write batches until no more than so many of the events wait that do now."""
        surplus = len(self._queue) - waiting
        while surplus > 0 and (batch := self._take()):
            surplus -= len(batch)
            self._write(batch)

    def _take(self) -> list[SeenEvent]:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH))]
        if self._crowded:
            with self._room:
                self._room.notify_all()
        return batch

    def _rows(self, batch: list[SeenEvent]) -> tuple[list[EventRow], list[PointRow]]:
        rows = [event_row(self._run_id, entry) for entry in batch]
        return rows, [point for entry in batch for point in points_of(self._run_id, entry)]

    def _write(self, batch: list[SeenEvent]) -> None:
        if self._failure is not None:
            with self._room:
                self._lost += len(batch)
            return
        try:
            self._store.telemetry.write_events(*self._rows(batch))
            self._written += len(batch)
        except Exception as error:  # noqa: BLE001  # kept, and raised by every flush from now on
            self._fail(error, len(batch))

    def _fail(self, error: Exception, lost: int) -> None:
        if not isinstance(error, StoreError):
            kind = type(error).__name__
            error = StoreError(f"telemetry could not be written ({kind}: {error}); please report it with this message")
        self._failure = error
        self._closed = True
        with self._room:
            self._lost += lost
            self._room.notify_all()
        if self._on_failure is not None:
            self._on_failure(error)

    def _raise_if_lost(self) -> None:
        if self._failure is not None:
            self._told = True
            message = f"{self._lost} events of run {self._run_id} could not be recorded: {self._failure}"
            raise StoreError(message) from self._failure

    # --- the end ---

    def _end(self) -> None:
        thread, self._thread = self._thread, None
        self._stopping = True
        self._wake.set()
        if thread is not None:
            thread.join()
        self._closed = True
        _started.discard(self)
        atexit.unregister(self._at_exit)

    def _at_exit(self) -> None:
        if self._thread is not None:
            self.stop()

    def abandon(self) -> None:
        """Forget the run without writing: what a forked child does with the recorder of its parent."""
        self._room = threading.Condition()  # the parent's may have been held by a thread that does not exist here
        self._writing = threading.Lock()
        self._queue.clear()
        self._thread = None
        self._closed = True
        atexit.unregister(self._at_exit)


_started: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _abandon_in_child() -> None:
    """Let the parent alone record: its writer thread does not exist in a forked child, so a queue would only fill."""
    for recorder in list(_started):
        recorder.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_in_child)
