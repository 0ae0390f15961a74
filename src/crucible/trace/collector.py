"""Turns what one run emits on the bus into a chain: the `Collector`.

It listens to every span of the run, so that it knows what encloses what, and tells the few that matter; what comes at
a high rate (optimiser steps) is summed up on the event that closes the training. It never writes: `drain` hands over
what is new, and whoever composes the run stores it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from crucible import events
from crucible.trace import narration
from crucible.trace.chain import Chain
from crucible.trace.event import Event, new_id
from crucible.trace.plain import plain

__all__ = ["Collector"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Span:
    """An open span that the chain tells of, and what is summed up until it closes."""

    __slots__ = ("batches", "event_id", "failed_inside", "stage", "validations")

    def __init__(self, event_id: str, stage: str | None) -> None:
        self.event_id = event_id
        self.stage = stage
        self.batches: dict[str, Any] = {}
        self.validations: dict[str, Any] = {}
        self.failed_inside: Event | None = None

    def summary(self) -> dict[str, Any]:
        """Return what was summed up, as metadata of the closing event."""
        summed = {"batches": self.batches, "validation": self.validations}
        return {name: values for name, values in summed.items() if values}


class Collector:
    """Collects one run's spans and decisions in a chain.

    Safe to feed from several threads. Read `chain` freely; adding to it is the collector's while it is started.

    Args:
        run_id: The run to listen to; events of other runs are never seen.
        name: Name of the chain; the run's id if empty.
        chain: The chain of an earlier attempt at this run, to go on with; its events count as drained.
    """

    def __init__(self, run_id: str, name: str = "", *, chain: Chain | None = None) -> None:
        self._run_id = run_id
        self._chain = Chain(name or run_id) if chain is None else chain
        self._chain.metadata.setdefault("run_id", run_id)
        self._resumed = len(self._chain) > 0
        self._drained = len(self._chain)
        self._handler_id = f"crucible.trace.collector-{new_id()}"
        self._lock = threading.RLock()
        self._is_started = False
        self._spans: dict[str, _Span] = {}  # open spans that are told, by span id, in order of opening
        self._enclosing: dict[str, str | None] = {}  # open spans that are not -> the event around them
        self._of_stages: int | None = None
        self._summed: dict[str, Callable[[events.Event], None]] = {
            "crucible_train.batch.stop": self._sum_batch,
            "crucible_train.validation.stop": self._sum_validation,
        }

    @property
    def chain(self) -> Chain:
        """The chain as it stands; it grows while the run goes on."""
        return self._chain

    @property
    def missed(self) -> int:
        """How many events could not be taken into the chain since it started to listen."""
        return events.handler_errors().get(self._handler_id, 0)

    def start(self) -> Self:
        """Begin to listen; a collector that listens already stays as it is."""
        with self._lock:
            if not self._is_started:
                events.attach(self._handler_id, "*", self._hear, run_id=self._run_id)
            self._is_started = True
        return self

    def stop(self) -> None:
        """Stop listening; nothing is added to the chain after this returns. Stopping twice is fine."""
        with self._lock:
            self._is_started = False
            events.detach(self._handler_id)

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
        with self._lock:
            if not self._is_started:  # emitted while another thread stopped the collector
                return
            if event.span_id is not None:
                self._hear_span(event, event.span_id)
            elif event.name in self._summed:
                self._summed[event.name](event)
            elif event.name in narration.SPEAKERS:
                self._add(event, narration.SPEAKERS[event.name](event), self._around(event))

    def _hear_span(self, event: events.Event, span_id: str) -> None:
        name, _, end = event.name.rpartition(".")
        if end == "start":
            if name in narration.SPANS:
                self._open(name, event, span_id)
            else:
                self._enclosing[span_id] = self._around(event)
            return
        if name in narration.SPANS:
            self._close(name, event, self._spans.pop(span_id, None))
            return
        self._enclosing.pop(span_id, None)
        if event.name in self._summed:
            self._summed[event.name](event)
        elif event.name in narration.SPEAKERS:
            self._add(event, narration.SPEAKERS[event.name](event), self._around(event))

    def _open(self, name: str, event: events.Event, span_id: str) -> None:
        if name == "crucible_framework.pipeline":
            stages = event.metadata.get("stages")
            self._of_stages = stages if isinstance(stages, int) else None
        words = narration.opening(name, event, resumed=self._resumed, of_stages=self._of_stages)
        added = self._add(event, words, self._around(event))
        self._spans[span_id] = _Span(added.id, added.stage_id)

    def _close(self, name: str, event: events.Event, opened: _Span | None) -> None:
        summary = opened.summary() if opened else {}
        inside = opened.failed_inside if opened and event.name.endswith(".exception") else None
        cause = None
        if inside is not None and name == "crucible_framework.pipeline":
            cause = inside.decision  # what unwinds the pipeline is the runner's own signal, not the error
            summary["error_type"] = inside.metadata.get("error_type")
        words = narration.ending(name, event, summary, cause=cause)
        parent = opened.event_id if opened else self._around(event)
        added = self._add(event, words, parent, depends_on=(inside.id,) if inside else ())
        around = self._span_of(self._around(event))
        if around is not None and event.name.endswith(".exception"):
            around.failed_inside = added

    def _around(self, event: events.Event) -> str | None:
        """Return the event that encloses one of the bus: by span, else by stage, else the pipeline's."""
        parent = event.parent_span_id
        if parent in self._spans:
            return self._spans[parent].event_id
        if parent in self._enclosing:
            return self._enclosing[parent]
        by_stage = [span.event_id for span in self._spans.values() if span.stage == event.scope.stage]
        outermost = next(iter(self._spans.values()), None)
        return by_stage[0] if by_stage else outermost.event_id if outermost else None

    def _add(
        self, event: events.Event, words: narration.Words, parent_id: str | None, *, depends_on: tuple[str, ...] = ()
    ) -> Event:
        scope = event.scope
        return self._chain.add(
            Event.new(
                words.type,
                words.decision,
                words.reasoning,
                timestamp=_EPOCH + timedelta(microseconds=event.timestamp_ns // 1000),
                alternatives=words.alternatives,
                confidence=words.confidence,
                code_section=words.code_section,
                spec_reference=words.spec_reference,
                metadata=words.metadata,
                parent_id=parent_id,
                depends_on=depends_on,
                stage_id=scope.stage,
                experiment_id=scope.experiment_id,
            )
        )

    def _span_of(self, event_id: str | None) -> _Span | None:
        return next((span for span in self._spans.values() if span.event_id == event_id), None)

    def _sum_batch(self, event: events.Event) -> None:
        span = self._span_of(self._around(event))
        if span is None:
            return
        known, summed = event.measurements, span.batches
        loss, step = plain(known.get("loss")), plain(known.get("step"))
        if not summed:
            summed.update(count=0, first_step=step, first_loss=loss, tokens=0)
        summed["count"] += 1
        summed["last_step"], summed["last_loss"] = step, loss
        tokens = known.get("tokens")
        summed["tokens"] += tokens if isinstance(tokens, int) else 0

    def _sum_validation(self, event: events.Event) -> None:
        span = self._span_of(self._around(event))
        if span is None:
            return
        loss, step = plain(event.measurements.get("loss")), plain(event.measurements.get("step"))
        summed = span.validations
        summed["count"] = summed.get("count", 0) + 1
        if isinstance(loss, int | float) and ("best_loss" not in summed or loss < summed["best_loss"]):
            summed["best_loss"], summed["best_step"] = loss, step
