"""Keeps what happens in a recording, off the thread on which it happens.

The caller appends to a bounded queue, and a thread of its own writes many at once. Who needs them durable now does not
wait for that thread, but writes what waits itself: `flush`, or `drained` to write it together with something else.
A write that failed is never forgotten: from then on every `flush` raises, and nothing more is queued. A database server
that went away is waited for, and what was under way is written once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator

from crucible import events
from crucible.errors import StoreError
from crucible.store import EventRow, PointRow, Store
from crucible.telemetry.intake import Intake
from crucible.telemetry.lifetime import Recording, forget, keep
from crucible.telemetry.persisting import Persister
from crucible.telemetry.recorder_options import RecorderHooks, RecorderOptions
from crucible.telemetry.series import seen

__all__ = ["Recorder"]

_BATCH = 4_000
_DEFAULT = RecorderOptions()
_NOBODY = RecorderHooks()


class Recorder(Recording):
    """Records the events of one run, or of one telemetry experiment, into a store.

    Args:
        store: Where to; must stay open until `stop`.
        run_id: The recording.
        options: How.
        intake: Makes rows of events; None: enriched, and all of them.
        is_run: Whether it is a run, and hears what is emitted in the run's scope; else an experiment, which hears what
            is emitted where it is the innermost.
        on_failure: Called once, on the thread that wrote, when a write failed: the chance to cancel the run at once.
        hooks: Told of what the recorder does.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        *,
        options: RecorderOptions = _DEFAULT,
        intake: Intake | None = None,
        is_run: bool = True,
        on_failure: Callable[[StoreError], None] | None = None,
        hooks: RecorderHooks = _NOBODY,
    ) -> None:
        self.intake = intake or Intake(run_id)
        self._store = store
        self._persister = Persister(store, options.patience_s)
        self._run_id = run_id
        self._options = options
        self._capacity = options.capacity
        self._is_run = is_run
        self._on_failure = on_failure
        self._hooks = hooks
        self._handler_id = f"telemetry-{run_id}-{id(self):x}"
        self._queue: deque[events.Event | PointRow] = deque()
        self._writing = threading.RLock()  # held by whoever takes from the queue, until what was taken is durable
        self._wake = threading.Event()
        self._room = threading.Condition()
        self._crowded = 0  # emitters that wait for room
        self._writer: int | None = None  # the thread that writes now
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._closed = False  # nothing is queued any more
        self._why_closed: str | None = None  # as it is counted; None where it was stopped or has failed
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
        """Events and points that are not written yet."""
        return len(self._queue)

    @property
    def written(self) -> int:
        """Events and points that are durable since the recorder was made; those that a sampler left out count."""
        return self._written

    def start(self) -> None:
        """Begin to listen; starting twice does no harm."""
        if self._thread is not None:
            return
        self._stopping = self._closed = False
        self._begin()
        keep(self)
        self._listen()

    def pause(self) -> None:
        """Only count what comes, until `unpause`."""
        self._close_for("paused")

    def unpause(self) -> None:
        """Take again what comes."""
        if self._why_closed == "paused":
            self._why_closed, self._closed = None, False

    def complete(self) -> None:
        """Only count what comes from now on, for good."""
        self._close_for("sample_size")

    def _close_for(self, why: str) -> None:
        if not self._closed or self._why_closed == "paused":
            self._why_closed, self._closed = why, True

    def _listen(self) -> None:
        which = {"run_id": self._run_id} if self._is_run else {"recording_id": self._run_id}
        events.attach(self._handler_id, "*", self._on_event, **which)

    def flush(self) -> int:
        """Make everything durable that was emitted before this call, on any thread.

        Returns:
            How many events and points are durable since the recorder was made. They survive `kill -9`, and another
            process can read them.

        Raises:
            StoreError: Something was lost, now or at any time before.
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
                rows = self.intake.rows(taken)
                yield rows.events, rows.points
            except BaseException:
                self._queue.extendleft(reversed(taken))
                raise
            self._written += len(taken)

    def stop(self) -> int:
        """Stop listening, make everything durable and end the writer; stopping twice does no harm.

        Returns:
            How many events and points are durable since the recorder was made.

        Raises:
            StoreError: Something was lost, and no `flush` has said so yet.
        """
        try:
            if not self._told:
                self.flush()  # who watches may have something to say of what comes last, and be heard
        finally:
            events.detach(self._handler_id)
            try:
                if not self._told:
                    self.flush()
            finally:
                self._end()
        return self._written

    # --- on the emitter's thread ---

    def add(self, point: PointRow) -> None:
        """Take a point.

        Raises:
            StoreError: Nothing is taken any more, because a write failed or it was stopped; or there is no room.
        """
        if len(self._queue) >= self._capacity and not self._make_room():
            return
        if self._closed:
            self._turn_away(1)
        else:
            self._queue.append(point)

    def add_many(self, points: list[PointRow]) -> None:
        """Take several points, all of them or none; see `add`."""
        if len(self._queue) >= self._capacity and not self._make_room(len(points)):
            return
        if self._closed:
            self._turn_away(len(points))
        else:
            self._queue.extend(points)

    def _turn_away(self, count: int) -> None:
        """Count what comes while nothing is taken, or refuse it.

        Raises:
            StoreError: A write failed, or it was stopped.
        """
        if self._why_closed is not None:
            with self._room:
                self.intake.dropped[self._why_closed] += count
            return
        if self._failure is not None:
            with self._room:
                self._lost += count
            raise StoreError(f"nothing more is recorded of {self._run_id}: {self._failure}") from self._failure
        raise StoreError(f"the recording {self._run_id} was stopped, so nothing more is recorded")

    def _on_event(self, event: events.Event) -> None:
        if len(self._queue) >= self._capacity and not self._make_room():
            return
        if not self._closed:
            self._queue.append(seen(event))
        elif self._why_closed is not None:
            self._turn_away(1)
        else:
            with self._room:
                self._lost += 1

    def _make_room(self, count: int = 1) -> bool:
        """Return whether there is room now; what there is no room for was counted, or is refused."""
        if self._writer == threading.get_ident():  # who watches what is written emits: it cannot wait for itself
            return True
        if self._thread is None and not self._closed:  # in a forked child, which begins when it has something to say
            self._capacity = self._options.capacity
            self._begin()
            return True
        self._wake.set()
        if self._options.when_full == "block":
            self._wait_for_room()
            return True
        with self._room:
            self.intake.dropped["full"] += count
        if self._options.when_full == "raise":
            raise StoreError(
                f"{self._capacity} events wait to be written to {self._store.location}, and one more came; write less, "
                'or choose a larger capacity, or when_full="block"'
            )
        return False

    def _wait_for_room(self) -> None:
        with self._room:
            self._crowded += 1
            self._room.wait_for(lambda: self._closed or len(self._queue) < self._capacity)
            self._crowded -= 1

    # --- on the writer's thread ---

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._write_on, name=f"telemetry-{self._run_id}", daemon=True)
        self._thread.start()

    def _write_on(self) -> None:
        while not (self._stopping and not self._queue):
            self._wake.wait(self._options.interval_s)
            self._wake.clear()
            if self._hooks.on_tick is not None and self._why_closed is None:
                self._tick(self._hooks.on_tick)
            elif self._queue:
                with self._writing:
                    self._write_down_to(0)

    def _tick(self, tell: Callable[[int], object]) -> None:
        now_ns = time.time_ns()
        with self._writing:
            self._write_down_to(0)
            self._writer = threading.get_ident()
            try:
                tell(now_ns)
            except Exception as error:  # noqa: BLE001  # who watches never stops what is watched
                self.intake.count_error(error)
            finally:
                self._writer = None

    # --- with the lock `_writing` ---

    def _write_down_to(self, waiting: int) -> None:
        """Write batches until no more than so many of the events wait that do now."""
        surplus = len(self._queue) - waiting
        while surplus > 0 and (batch := self._take()):
            surplus -= len(batch)
            self._write(batch)

    def _take(self) -> list[events.Event | PointRow]:
        pop = self._queue.popleft
        batch = [pop() for _ in range(min(len(self._queue), _BATCH))]
        if self._crowded:
            with self._room:
                self._room.notify_all()
        return batch

    def _write(self, batch: list[events.Event | PointRow]) -> None:
        if self._failure is not None:
            with self._room:
                self._lost += len(batch)
            return
        self._writer = threading.get_ident()
        try:
            self._persister.write(self.intake.rows(batch), self.intake.origin)
            self._written += len(batch)
            if self._hooks.on_batch is not None:
                self._hooks.on_batch()
        except Exception as error:  # noqa: BLE001  # kept, and raised by every flush from now on
            self._fail(error, len(batch))
        finally:
            self._writer = None

    def _fail(self, error: Exception, lost: int) -> None:
        if not isinstance(error, StoreError):
            kind = type(error).__name__
            error = StoreError(f"telemetry could not be written ({kind}: {error}); please report it with this message")
        self._failure, self._why_closed = error, None
        self._closed = True
        with self._room:
            self._lost += lost
            self._room.notify_all()
        if self._on_failure is not None:
            self._on_failure(error)

    def _raise_if_lost(self) -> None:
        if self._failure is not None:
            self._told = True
            whose = f"{'run' if self._is_run else 'experiment'} {self._run_id}"
            message = f"{self._lost} events of {whose} could not be recorded: {self._failure}"
            raise StoreError(message) from self._failure

    # --- the end ---

    def _end(self) -> None:
        thread, self._thread = self._thread, None
        self._stopping = True
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._closed, self._why_closed = True, None
        forget(self)

    def end_with_process(self) -> None:
        """Stop, because the process ends."""
        if self._thread is not None:
            self.stop()
            if self._hooks.on_end is not None:
                self._hooks.on_end()

    def forget_in_child(self) -> None:
        """Leave to the parent what waits: what a forked child does.

        Of a run the child records nothing, as the run is its parent's; of an experiment it goes on for itself.
        """
        self._room = threading.Condition()  # the parent's may have been held by a thread that does not exist here
        self._writing = threading.RLock()
        self._wake = threading.Event()
        self._queue.clear()
        self._crowded = self._written = 0
        self.intake.start_over()
        self._thread = None
        if self._is_run or self._closed:
            self._closed = True
            forget(self)
        else:
            self._capacity = 0  # the first one that comes begins
