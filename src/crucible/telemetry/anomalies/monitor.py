"""Watches what comes in, as it comes: one detector a method for every stream of every metric.

Made for the recorder's writer thread: one thread offers, any thread may read. Memory is bounded: the streams, the
windows of their detectors and the anomalies that are kept.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any

from crucible import events
from crucible.store import StoredEvent
from crucible.telemetry.anomalies.anomaly import Anomaly
from crucible.telemetry.anomalies.config import AnomalyConfig
from crucible.telemetry.anomalies.method import Detector
from crucible.telemetry.anomalies.readings import Point, Reader, Reading
from crucible.telemetry.anomalies.report import AnomalyReport, periods_of
from crucible.telemetry.anomalies.sample_more import SampleMore

__all__ = ["DETECTED", "AnomalyMonitor", "Tally"]

DETECTED = "crucible_telemetry.anomaly.detected"
"""The event that the action `alert` emits."""

_OWN_EVENTS = "crucible_telemetry."

Emit = Callable[[str, Mapping[str, Any], Mapping[str, Any]], None]
Handler = Callable[[Anomaly], None]


class Tally:
    """Counts what was looked at and what was found.

    Args:
        keep: Anomalies that are kept, the newest ones; None for all. Counts are of all.
    """

    def __init__(self, keep: int | None) -> None:
        self.checked = 0
        self.flagged = 0
        self.total = 0
        self.kept: deque[Anomaly] = deque(maxlen=keep)
        self._by_method: Counter[str] = Counter()
        self._by_metric: Counter[str] = Counter()
        self._by_severity: Counter[str] = Counter()

    def add(self, anomalies: Iterable[Anomaly]) -> None:
        """Count the anomalies of one value."""
        before = self.total
        for anomaly in anomalies:
            self.total += 1
            self._by_method[anomaly.method] += 1
            self._by_metric[anomaly.metric] += 1
            self._by_severity[anomaly.severity] += 1
            self.kept.append(anomaly)
        self.flagged += self.total > before

    def report(self, config: AnomalyConfig) -> AnomalyReport:
        """Return what was found so far."""
        periods, axis = periods_of(self.kept, gap_s=config.period_gap_s, gap_steps=config.period_gap_steps)
        return AnomalyReport(
            total=self.total,
            checked=self.checked,
            flagged=self.flagged,
            rate=self.flagged / self.checked if self.checked else None,
            by_method=dict(self._by_method.most_common()),
            by_metric=dict(self._by_metric.most_common()),
            by_severity=dict(self._by_severity.most_common()),
            periods=periods,
            axis=axis,
            anomalies=tuple(self.kept),
            left_out=self.total - len(self.kept),
        )


class AnomalyMonitor:
    """Finds anomalies in a stream of events and points, and acts on them as configured.

    Args:
        config: What to watch, how, and what to do.
        handlers: Called with each anomaly under the action `alert`; one that raises is counted and stays.
        sample_more: What an adaptive sampler reads, under the action `sample_more`.
        emit: What puts `crucible_telemetry.anomaly.detected` on the bus. On a thread that drains a bounded queue of the
            bus's own events, give a function that does not wait for room in that queue.
        keep: Anomalies that are kept, the newest ones.
        max_streams: Streams that are watched at once; beyond that the one that was silent longest is forgotten.
        clock: Wall clock in nanoseconds, for anomalies that have no time of their own.
    """

    def __init__(
        self,
        config: AnomalyConfig | None = None,
        *,
        handlers: Iterable[Handler] = (),
        sample_more: SampleMore | None = None,
        emit: Emit = events.emit,
        keep: int | None = 10_000,
        max_streams: int = 1_000,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.config = config or AnomalyConfig()
        self.sample_more = sample_more or SampleMore()
        self.handler_errors = 0
        self.forgotten = 0
        self._handlers = list(handlers)
        self._emit = emit
        self._clock = clock
        self._methods = self.config.chosen()
        self._reader = Reader(self.config.metrics, self.config.group_by)
        self._streams: OrderedDict[tuple[str, str], tuple[Detector, ...]] = OrderedDict()
        self._max_streams = max_streams
        self._tally = Tally(keep)
        self._lock = threading.Lock()

    @property
    def found(self) -> tuple[Anomaly, ...]:
        """The anomalies that are kept, oldest first."""
        with self._lock:
            return tuple(self._tally.kept)

    def on_anomaly(self, handler: Handler) -> None:
        """Call a handler with each anomaly from now on, under the action `alert`."""
        self._handlers.append(handler)

    def offer(self, item: StoredEvent | Point) -> tuple[Anomaly, ...]:
        """Look at an event or a point; whatever it holds, this does not raise.

        Returns:
            Its anomalies. Telemetry's own events are not looked at.
        """
        if not self.config.enabled or (isinstance(item, StoredEvent) and item.name.startswith(_OWN_EVENTS)):
            return ()
        found: list[Anomaly] = []
        for reading in self._reader.read(item):
            anomalies = self._look(reading)
            with self._lock:
                self._tally.checked += 1
                if anomalies:
                    self._tally.add(anomalies)
            found += anomalies
        for anomaly in found:
            self._act(anomaly)
        return tuple(found)

    def report(self) -> AnomalyReport:
        """Return what was found so far."""
        with self._lock:
            return self._tally.report(self.config)

    def _look(self, reading: Reading) -> list[Anomaly]:
        key = (reading.metric, reading.group)
        detectors = self._streams.get(key)
        if detectors is None:
            detectors = self._watch(key)
        else:
            self._streams.move_to_end(key)
        value, at = reading.value, reading.at
        found = [anomaly for detector in detectors if (anomaly := detector.update(value, at)) is not None]
        return found if isfinite(value) else found[:1]  # all of them say the same

    def _watch(self, key: tuple[str, str]) -> tuple[Detector, ...]:
        if len(self._streams) >= self._max_streams:
            self._streams.popitem(last=False)
            self.forgotten += 1
        detectors = tuple(method.detector(*key) for method in self._methods)
        self._streams[key] = detectors
        return detectors

    def _act(self, anomaly: Anomaly) -> None:
        if self.config.action == "sample_more":
            at_ns = self._clock() if anomaly.timestamp_ns is None else anomaly.timestamp_ns
            self.sample_more.wants_more(at_ns + round(self.config.hold_s * 1e9))
        elif self.config.action == "alert":
            measurements = {"value": anomaly.value, "score": anomaly.score, "threshold": anomaly.threshold}
            words = ("metric", "group", "method", "severity", "direction", "index", "step", "event_id")
            metadata = {word: value for word in words if (value := getattr(anomaly, word)) not in (None, "")}
            self._safely(lambda: self._emit(DETECTED, measurements, metadata))
            for handler in self._handlers:
                self._safely(lambda handler=handler: handler(anomaly))

    def _safely(self, call: Callable[[], None]) -> None:
        try:
            call()
        except (Exception, SystemExit):  # noqa: BLE001  # who is told never breaks who tells
            self.handler_errors += 1
