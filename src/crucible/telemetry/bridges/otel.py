"""Crucible's spans and measurements in OpenTelemetry, live from the bus; `replay` does it for what is stored.

The emitter only puts the event into a queue; a thread makes the spans and metrics. When the queue is full the event is
dropped and counted: a slow exporter never slows a training. The SDK's exporters, samplers and resource are the user's;
nothing is configured here.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from crucible import events
from crucible.errors import require
from crucible.telemetry.bridges.attributes import words
from crucible.telemetry.bridges.replay import FEATURE, library_version
from crucible.telemetry.bridges.semconv import LATEST, Convention, convention
from crucible.telemetry.bridges.writing import BridgeReport, Seen, Writing

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["OpenTelemetryBridge"]

_INTERVAL_S = 0.05


class OpenTelemetryBridge:
    """Hands what happens on the bus to OpenTelemetry, from `start` to `stop` or inside a `with` block.

    Spans keep their times, parents and failures; a root span has the OpenTelemetry span as parent that was current
    where it began. Other events stand on the span around them. Requests to models carry the names of the convention.

    Args:
        tracer_provider: Where spans go; None: the process's own, as `opentelemetry.trace.set_tracer_provider` set it.
        meter_provider: Where measurements go; None: the process's own.
        semconv: Version of the semantic conventions that has a table, or a table of your own.
        names: Names of events, as `events.attach` takes them.
        recording: Only events of this run, or of which this telemetry experiment is the innermost; None for all.
        capacity: Events that may wait; what comes on top is dropped and counted.
        keep_private: Whether prompts, answers, user and session ids go along.

    Raises:
        MissingExtra: The extra `otel` is not installed.
        ContractError: `semconv` has no table.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        semconv: str | Convention = LATEST,
        names: str | Iterable[str] = "*",
        recording: str | None = None,
        capacity: int = 50_000,
        keep_private: bool = False,
    ) -> None:
        require("opentelemetry.sdk.trace", extra="otel", feature=FEATURE)
        from opentelemetry.metrics import get_meter_provider
        from opentelemetry.trace import get_current_span, get_tracer_provider

        self._tracer_provider = tracer_provider or get_tracer_provider()
        self._meter_provider = meter_provider or get_meter_provider()
        self._table = convention(semconv) if isinstance(semconv, str) else semconv
        self._names = [names] if isinstance(names, str) else list(names)
        self._recording = recording
        self._capacity = capacity
        self._room = 0  # events that may wait; none in a forked child
        self._keep_private = keep_private
        self._current_span = get_current_span
        self._handler_id = f"opentelemetry-{id(self):x}"
        self._queue: deque[Seen] = deque()
        self._lock = threading.Lock()  # held by whoever writes
        self._counting = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._writing: Writing | None = None
        self._dropped = 0
        self._report = BridgeReport()

    @property
    def dropped(self) -> int:
        """Events that found the queue full, since `start`."""
        return self._dropped

    @property
    def report(self) -> BridgeReport:
        """What the last `stop` said."""
        return self._report

    def start(self) -> OpenTelemetryBridge:
        """Begin to listen, and return the bridge; starting twice does no harm."""
        if self._thread is not None:
            return self
        from crucible.telemetry.bridges.metrics import MetricWriter
        from crucible.telemetry.bridges.spans import SpanWriter

        about = ("crucible", library_version(), self._table.schema_url)
        spans = SpanWriter(self._tracer_provider.get_tracer(*about), self._table)
        metrics = MetricWriter(self._meter_provider.get_meter(*about), self._table)
        self._writing = Writing(spans, metrics, keep_private=self._keep_private)
        self._dropped = 0
        self._room = self._capacity
        self._stopping.clear()
        self._thread = threading.Thread(target=self._write_on, name="opentelemetry-bridge", daemon=True)
        self._thread.start()
        _started.add(self)
        atexit.register(self.stop)
        events.attach(self._handler_id, self._names, self._on_event)
        return self

    def flush(self) -> None:
        """Make spans and metrics of everything that was emitted before this call; exporting is up to the providers."""
        with self._lock:
            writing = self._writing
            for _ in range(len(self._queue)):
                entry = self._queue.popleft()
                if writing is not None:
                    writing.write(entry)

    def stop(self) -> BridgeReport:
        """Stop listening, hand on what waits, end open spans as unfinished and flush the providers.

        The providers stay open: they are the caller's. Stopping twice does no harm.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return self._report
        events.detach(self._handler_id)
        self._stopping.set()
        thread.join()
        self.flush()
        _started.discard(self)
        atexit.unregister(self.stop)
        with self._lock:
            self._dropped += len(self._queue)  # of emitters that were in the middle of it
            self._queue.clear()
            writing, self._writing = self._writing, None
            if writing is not None:
                self._report = writing.finish(self._dropped, self._tracer_provider, self._meter_provider)
        return self._report

    def abandon(self) -> None:
        """Forget everything without writing: what a forked child does with the bridge of its parent."""
        self._lock, self._counting = threading.Lock(), threading.Lock()  # a thread that is not here may hold the old
        self._queue.clear()
        self._thread = self._writing = None
        self._room = 0
        atexit.unregister(self.stop)

    def __enter__(self) -> OpenTelemetryBridge:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- on the emitter's thread ---

    def _on_event(self, event: events.Event) -> None:
        wanted = self._recording
        if wanted is not None and wanted not in (event.scope.run_id, event.scope.recording_id):
            return
        if len(self._queue) >= self._room:
            with self._counting:
                self._dropped += 1
            return
        around = None
        if event.parent_span_id is None and not event.name.endswith((".stop", ".exception")):
            around = self._current_span().get_span_context()
        self._queue.append(Seen(event, _copied(event.measurements), _copied(event.metadata), around))

    # --- on the bridge's thread ---

    def _write_on(self) -> None:
        while not self._stopping.wait(_INTERVAL_S):
            self.flush()


def _copied(part: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(part)
    except Exception:  # noqa: BLE001  # an emitter may give what is no mapping; its event is told all the same
        return {"malformed": words(part)}


_started: weakref.WeakSet[OpenTelemetryBridge] = weakref.WeakSet()


def _abandon_in_child() -> None:
    """Let the parent alone bridge: the thread does not exist in a forked child, so a queue would only fill."""
    for bridge in list(_started):
        bridge.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_in_child)
