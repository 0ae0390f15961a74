"""Turns what runs emit on the bus into a chain: the `Collector`.

It hears every span, so that its chain's `Scribe` knows what encloses what, and tells the few that matter; what comes
at a high rate is summed up on the event that closes what encloses it. It never writes: `drain` hands over what is new,
and whoever composes the run stores it.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self, cast

from crucible import events
from crucible.trace import narration
from crucible.trace.chain import Chain
from crucible.trace.collecting.scribe import Scribe, is_heard
from crucible.trace.event import Event, new_id
from crucible.trace.tracing.turns import turns_of

__all__ = ["Collector"]


class Collector:
    """Collects spans and decisions of a run, or of all runs, in a chain.

    Safe to feed from several threads. Read `chain` freely; adding to it is the collector's while it is started. Several
    collectors may have one chain: each event of the bus that any of them listens to is taken once.

    Args:
        run_id: The run to listen to, whose events alone are seen; None for everything, outside of runs, too.
        name: Name of the chain; the run's id if empty.
        chain: A chain to go on with, such as that of an earlier attempt at this run; its events count as drained.
    """

    def __init__(self, run_id: str | None, name: str = "", *, chain: Chain | None = None) -> None:
        self._run_id = run_id
        self._chain = Chain(name or run_id or "Collected") if chain is None else chain
        if run_id is not None:
            self._chain.metadata.setdefault("run_id", run_id)
        self._resumed = run_id is not None and narration.was_begun(self._chain)
        self._drained = len(self._chain)
        self._handler_id = f"crucible.trace.collecting.collector-{new_id()}"
        self._missed_before = 0  # the bus counts from the last attaching on
        self._is_started = False
        self._turns = turns_of(self._chain)
        self._lock = self._turns.lock
        with self._lock:
            self._turns.shared = self._turns.shared or Scribe(self._chain)
            self._scribe = cast("Scribe", self._turns.shared)

    @property
    def chain(self) -> Chain:
        """The chain as it stands; it grows while the run goes on."""
        return self._chain

    @property
    def missed(self) -> int:
        """How many events could not be taken into the chain."""
        return self._missed_before + events.handler_errors().get(self._handler_id, 0)

    def start(self) -> Self:
        """Begin to listen; a collector that listens already stays as it is."""
        with self._lock:
            if not self._is_started:
                self._missed_before = self.missed
                self._scribe.listeners.start()
                events.attach(self._handler_id, "*", self._hear, run_id=self._run_id)
            self._is_started = True
        return self

    def stop(self) -> None:
        """Stop listening; nothing is added to the chain after this returns. Stopping twice is fine.

        The last collector of a chain to stop tells what is summed up and not told yet.
        """
        with self._lock:
            events.detach(self._handler_id)
            if self._is_started and self._scribe.listeners.stop():
                self._scribe.forget()
            self._is_started = False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def drain(self) -> list[Event]:
        """Return the events added since the last drain, in order; each is handed over once."""
        with self._lock:
            fresh = self._chain.since(self._drained)
            self._drained += len(fresh)
            return fresh

    def _hear(self, event: events.Event) -> None:
        if not is_heard(event):  # the many that say nothing here do not wait for the lock
            return
        with self._lock:
            if not self._is_started:  # emitted while another thread stopped the collector
                return
            scribe = self._scribe
            if scribe.listeners.is_alone or scribe.listeners.takes(event):
                scribe.hear(event, resumed=self._resumed)
