"""Keeps what happens in a run, off the thread on which it happens.

The handler copies the event into a queue, and a thread of its own writes many at once. The queue is bounded: when it
is full the emitter waits, and nothing is dropped. A write that failed is never forgotten: from then on every `flush`
raises, and nothing more is queued.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable

from crucible import events
from crucible.errors import StoreError
from crucible.store import Store
from crucible.telemetry.series import SeenEvent, event_row, points_of, seen

__all__ = ["Recorder"]

_INTERVAL_S = 0.05
_BATCH = 2_000


class _Marker:
    """A place in the queue; set once all before it is durable, or is known to be lost."""

    def __init__(self) -> None:
        self.reached = threading.Event()


class Recorder:
    """Records the events of one run into a store.

    Args:
        store: Where to; must stay open until `stop`.
        run_id: The run. Only events emitted inside its scope are recorded.
        capacity: Events that may wait to be written; one more makes its emitter wait.
        on_failure: Called once, on the writer's thread, when a write failed: the chance to cancel the run at once.
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
        self._queue: deque[SeenEvent | _Marker] = deque()
        self._wake = threading.Event()
        self._room = threading.Condition()
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
        thread = self._thread
        if thread is not None and self._failure is None:
            marker = _Marker()
            self._queue.append(marker)
            self._wake.set()
            while not marker.reached.wait(1.0):
                if not thread.is_alive():
                    break
        if self._failure is not None:
            self._told = True
            message = f"{self._lost} events of run {self._run_id} could not be recorded: {self._failure}"
            raise StoreError(message) from self._failure
        return self._written

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
        self._wake.set()
        with self._room:
            self._room.wait_for(lambda: self._closed or len(self._queue) < self._capacity)

    # --- on the writer's thread ---

    def _write_on(self) -> None:
        while not (self._stopping and not self._queue):
            self._wake.wait(_INTERVAL_S)
            self._wake.clear()
            while self._queue:
                self._write_batch()

    def _write_batch(self) -> None:
        batch: list[SeenEvent] = []
        markers: list[_Marker] = []
        while self._queue and len(batch) < _BATCH:
            entry = self._queue.popleft()
            (markers if isinstance(entry, _Marker) else batch).append(entry)  # pyright: ignore[reportArgumentType]  # the two lists split the union
        with self._room:
            self._room.notify_all()
        if batch and self._failure is None:
            try:
                rows = [event_row(self._run_id, entry) for entry in batch]
                points = [point for entry in batch for point in points_of(self._run_id, entry)]
                self._store.telemetry.write_events(rows, points)
                self._written += len(batch)
            except Exception as error:  # noqa: BLE001  # kept, and raised by every flush from now on
                self._fail(error, len(batch))
        elif batch:
            with self._room:
                self._lost += len(batch)
        for marker in markers:
            marker.reached.set()

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
