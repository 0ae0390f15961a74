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
from collections.abc import Callable, Generator

from crucible import events
from crucible.errors import ContractError, StoreError
from crucible.store import EventRow, PointRow, Store
from crucible.telemetry.hearing import hear, unhear
from crucible.telemetry.inlet import Inlet
from crucible.telemetry.intake import Intake, Rows
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
        self._whose = f"{'run' if is_run else 'experiment'} {run_id}"
        self.inlet: Inlet[events.Event | PointRow] = Inlet(
            options, self._whose, settle=self._settle, wake=self._is_ours, dropped=self.intake.dropped
        )
        self.recorded = 0
        self._persister = Persister(store, options.patience_s, None if is_run else run_id)
        self._run_id = run_id
        self._options = options
        self._is_run = is_run
        self._on_failure = on_failure
        self._hooks = hooks
        self._writing = threading.RLock()  # held by whoever takes from the queue, until what was taken is durable
        self._wake = threading.Event()
        self._writer: int | None = None  # the thread that writes now
        self._held: tuple[Rows, int] | None = None  # what was taken and could not be written yet, and of how many
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._written = 0
        self._told = False  # whether somebody was given the failure

    @property
    def failure(self) -> StoreError | None:
        """Why a write failed, None while none did."""
        return self.inlet.failure

    @property
    def waiting(self) -> int:
        """Events and points that are not written yet."""
        return len(self.inlet.queue) + (self._held[1] if self._held else 0)

    @property
    def is_writing_here(self) -> bool:
        """Whether the calling thread is in the middle of a write: code that the recorder called."""
        return self._writer == threading.get_ident()

    @property
    def bus_scope(self) -> dict[str, str]:
        """Which events it hears; see `hearing`."""
        return {"run_id" if self._is_run else "recording_id": self._run_id}

    def on_event(self, event: events.Event) -> None:
        """Take an event of the bus; it is copied, as its owner may go on changing it."""
        self.inlet.add_quietly(lambda: seen(event))

    def start(self) -> None:
        """Begin to listen; starting twice does no harm."""
        if self._thread is not None:
            return
        self._stopping = False
        self.inlet.begin()
        self._begin()
        keep(self)
        hear(self)

    def flush(self) -> int:
        """Make everything durable that was emitted before this call, on any thread.

        In code that the recorder itself calls, such as a handler of alerts, it returns at once.

        Returns:
            How many events and points are durable since the recorder was made. They survive `kill -9`, and another
            process can read them.

        Raises:
            StoreError: Something was lost, now or at any time before.
        """
        if not self.is_writing_here:
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
            if self._held is None:
                self._hold(self.inlet.take(_BATCH))
            rows, count = self._held or (Rows(), 0)
            yield rows.events, rows.points
            self._keep(rows, count)

    def stop(self) -> int:
        """Stop listening, make everything durable and end the writer; stopping twice does no harm.

        Returns:
            How many events and points are durable since the recorder was made.

        Raises:
            StoreError: Something was lost, and no `flush` has said so yet.
            ContractError: It is called by code that the recorder itself calls.
        """
        if self.is_writing_here:
            raise ContractError("what a recorder calls cannot stop it, as it would wait for itself")
        try:
            if not self._told:
                self.flush()  # who watches may have something to say of what comes last, and be heard
        finally:
            unhear(self)
            self.inlet.shut()
            try:
                if not self._told:
                    self.flush()
            finally:
                self._end()
        if not self._told:
            self._raise_if_lost()
        return self._written

    # --- on the emitter's thread ---

    def _is_ours(self) -> bool:
        """Return whether the calling thread may add though there is no room: it writes, or begins to in a child."""
        if self.is_writing_here:  # who watches what is written emits: it cannot wait for itself
            return True
        if self._thread is None and not self.inlet.is_shut:  # a forked child begins when it has something to say
            self.inlet.begin_with_room()
            self._begin()
            return True
        self._wake.set()
        return False

    def _settle(self) -> None:
        """Write what came in the moment in which nothing more was taken."""
        if not self.is_writing_here:
            with self._writing:
                self._write_down_to(0)

    # --- on the writer's thread ---

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._write_on, name=f"telemetry-{self._run_id}", daemon=True)
        self._thread.start()

    def _write_on(self) -> None:
        try:
            while not self._stopping:
                self._wake.wait(self._options.interval_s)
                self._wake.clear()
                if self._hooks.on_tick is not None and self.inlet.why_shut is None:
                    self._tick(self._hooks.on_tick)
                elif self.waiting:
                    with self._writing:
                        self._write_down_to(0)
        except BaseException as error:
            self._fail(error, self.waiting)
            raise

    def _tick(self, tell: Callable[[int], object]) -> None:
        now_ns = time.time_ns()
        with self._writing:
            self._write_down_to(0)
            with self._as_writer():
                self.intake.tell(tell, now_ns)

    # --- with the lock `_writing` ---

    @contextlib.contextmanager
    def _as_writer(self) -> Generator[None]:
        before, self._writer = self._writer, threading.get_ident()
        try:
            yield
        finally:
            self._writer = before

    def _write_down_to(self, waiting: int) -> None:
        """Write batches until no more than so many of the events wait that do now."""
        surplus = len(self.inlet.queue) - waiting
        if self._held is not None:
            self._write()
        while surplus > 0 and (batch := self.inlet.take(_BATCH)):
            surplus -= len(batch)
            if self.failure is not None:
                self.inlet.fail(self.failure, len(batch))
            else:
                self._write(batch)

    def _write(self, batch: list[events.Event | PointRow] | None = None) -> None:
        """Make rows of a batch and write them; None: those that were made before."""
        with self._as_writer():
            try:
                if batch is not None:
                    self._hold(batch)
                rows, count = self._held or (Rows(), 0)
                self._persister.write(rows, self.intake.origin)
                self._keep(rows, count)
                if self._hooks.on_batch is not None:
                    self._hooks.on_batch()
            except Exception as error:  # noqa: BLE001  # kept, and raised by every flush from now on
                lost, self._held = self._held[1] if self._held else 0, None
                self._fail(error, lost)

    def _hold(self, batch: list[events.Event | PointRow]) -> None:
        """Make rows of a batch; they are held until they are durable, whoever interrupts that."""
        try:
            self._held = self.intake.rows(batch), len(batch)
        except BaseException:
            self.inlet.put_back(batch)
            raise

    def _keep(self, rows: Rows, count: int) -> None:
        """Take it that rows are durable."""
        self._held = None
        self._written += count
        self.recorded += len(rows.events) + len(rows.points) - len(rows.replaced)

    def _fail(self, error: BaseException, lost: int) -> None:
        if not isinstance(error, StoreError):
            kind = type(error).__name__
            error = StoreError(f"telemetry could not be written ({kind}: {error}); please report it with this message")
        self.inlet.fail(error, lost)
        if self._on_failure is not None:
            self._on_failure(error)

    def _raise_if_lost(self) -> None:
        if self.failure is not None:
            self._told = True
            message = f"{self.inlet.lost} events of {self._whose} could not be recorded: {self.failure}"
            raise StoreError(message) from self.failure

    # --- the end ---

    def _end(self) -> None:
        thread, self._thread = self._thread, None
        self._stopping = True
        self._wake.set()
        if thread is not None:
            thread.join()
        self._settle()
        forget(self)

    def end_with_process(self) -> None:
        """Stop, because the process ends."""
        if self._thread is not None:
            try:
                self.stop()
            finally:
                if self._hooks.on_end is not None:
                    self._hooks.on_end()

    def forget_in_child(self) -> None:
        """Leave to the parent what waits: what a forked child does.

        Of a run the child records nothing, as the run is its parent's; of an experiment it goes on for itself.
        """
        self._writing = threading.RLock()
        self._wake = threading.Event()
        self._written = self.recorded = 0
        self._held = self._writer = None
        self.inlet.start_over()
        self.intake.start_over()
        self._thread = None
        if self._is_run or self.inlet.is_shut:
            self.inlet.shut()
            forget(self)
        if self._hooks.on_fork is not None:
            self._hooks.on_fork()
