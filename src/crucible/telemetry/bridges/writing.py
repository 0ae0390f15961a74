"""What the live bridge does with an event once it is off the emitter's thread, and what it says at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from crucible.events import Event
from crucible.store import StoredEvent
from crucible.telemetry.bridges.privacy import without_private

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from crucible.telemetry.bridges.metrics import MetricWriter
    from crucible.telemetry.bridges.spans import SpanWriter

__all__ = ["BridgeReport", "Seen", "Writing"]


class BridgeReport(msgspec.Struct, frozen=True):
    """What came of the events between `start` and `stop`.

    Args:
        events: Events that were handed on.
        spans: Spans that were made of them.
        unsampled: Spans that the provider's sampler, or a provider that does nothing, did not want.
        unfinished: Spans that nothing had ended; they are marked `crucible.unfinished`.
        measurements: Values that were put into histograms and gauges.
        skipped: Values that no instrument takes: NaN, infinities and negative durations, and whatever the 1,000
            instruments have no place for.
        dropped: Events that found the queue full.
        failed: Events of which no span or metric could be made.
        flushed: Whether the providers said that everything was exported; None where they cannot say.
    """

    events: int = 0
    spans: int = 0
    unsampled: int = 0
    unfinished: int = 0
    measurements: int = 0
    skipped: int = 0
    dropped: int = 0
    failed: int = 0
    flushed: bool | None = None


class Seen(msgspec.Struct, frozen=True, gc=False):
    """An event as the handler saw it: its mappings are copied, since their owner may go on changing them.

    Args:
        event: The event.
        measurements: Its measurements.
        metadata: Its metadata.
        around: The span of OpenTelemetry that was current, of an event that has no span of Crucible's around it.
    """

    event: Event
    measurements: dict[str, Any]
    metadata: dict[str, Any]
    around: SpanContext | None


class Writing:
    """Makes spans and metrics of what was seen; not for several threads at once.

    Args:
        spans: Where spans go.
        metrics: Where measurements go.
        keep_private: Whether the keys of `PRIVATE` go along.
    """

    def __init__(self, spans: SpanWriter, metrics: MetricWriter, *, keep_private: bool) -> None:
        self._spans = spans
        self._metrics = metrics
        self._keep_private = keep_private
        self._events = 0
        self._failed = 0

    def write(self, entry: Seen) -> None:
        """Hand one event on; never raises."""
        self._events += 1
        try:
            record = _record(entry)
            if not self._keep_private:
                record = without_private(record)
            self._metrics.add(record)
            self._spans.add(record, entry.around)
        except Exception:  # noqa: BLE001  # an exporter or an event that cannot be used never ends the bridge
            self._failed += 1

    def finish(self, dropped: int, *providers: Any) -> BridgeReport:
        """End what is open, flush the providers that can be, and say what came of it all.

        Args:
            dropped: Events that never came here.
            *providers: What to flush.
        """
        try:
            self._spans.finish(time.time_ns())
        except Exception:  # noqa: BLE001  # as above
            self._failed += 1
        return BridgeReport(
            events=self._events,
            spans=self._spans.spans,
            unsampled=self._spans.unsampled,
            unfinished=self._spans.unfinished,
            measurements=self._metrics.measured,
            skipped=self._metrics.skipped,
            dropped=dropped,
            failed=self._failed,
            flushed=_flushed(*providers),
        )


def _record(entry: Seen) -> StoredEvent:
    """Return an event as it would be stored."""
    event, scope = entry.event, entry.event.scope
    told = {"experiment_id": scope.experiment_id, "recording_id": scope.recording_id}
    return StoredEvent(
        name=event.name,
        timestamp_ns=event.timestamp_ns,
        stage=scope.stage,
        stage_index=scope.stage_index,
        span_id=event.span_id,
        parent_span_id=event.parent_span_id,
        measurements=entry.measurements,
        metadata=entry.metadata,
        run_id=scope.run_id or "",
        correlation_id=scope.correlation_id,
        fields={name: value for name, value in told.items() if value is not None},
    )


def _flushed(*providers: Any) -> bool | None:
    """Flush the providers that can, and return whether all of them said that it went well; None if none can."""
    answers: list[bool] = []
    for provider in providers:
        flush: Callable[[], bool] | None = getattr(provider, "force_flush", None)  # only the SDK's have it
        if flush is not None:
            try:
                answers.append(flush() is not False)
            except Exception:  # noqa: BLE001  # the meter provider raises what its exporter raised
                answers.append(False)
    return all(answers) if answers else None
