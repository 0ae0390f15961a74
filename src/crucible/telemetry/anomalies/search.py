"""Anomalies of a finished recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crucible.store import StoredEvent
from crucible.telemetry.anomalies.anomaly import NON_FINITE, Anomaly, At
from crucible.telemetry.anomalies.config import AnomalyConfig
from crucible.telemetry.anomalies.method import Method
from crucible.telemetry.anomalies.monitor import AnomalyMonitor, Tally
from crucible.telemetry.anomalies.readings import Point, Reader
from crucible.telemetry.anomalies.report import AnomalyReport

__all__ = ["find_anomalies"]


class _Stream:
    """The readings of one stream, and when each of them arrived."""

    __slots__ = ("arrivals", "at", "values")

    def __init__(self) -> None:
        self.values: list[float] = []
        self.at: list[At] = []
        self.arrivals: list[int] = []


def find_anomalies(items: Iterable[StoredEvent | Point], config: AnomalyConfig | None = None) -> AnomalyReport:
    """Return what is out of the ordinary in a recording.

    The action is not carried out; nothing is emitted. With `baseline: whole` the methods that are not causal (z_score,
    modified_z, iqr) judge each value by its whole stream; with `baseline: trailing` all find what an `AnomalyMonitor`
    finds that is offered the same items in the same order.

    Args:
        items: Events and points, in order of time.
        config: What to watch, and how; None for the defaults.
    """
    config = config or AnomalyConfig()
    if config.baseline == "trailing" or not config.enabled:
        monitor = AnomalyMonitor(config.model_copy(update={"action": "flag"}), keep=None, max_streams=10**9)
        for item in items:
            monitor.offer(item)
        return monitor.report()
    streams = _streams(items, config)
    methods = config.chosen()
    found: dict[int, list[Anomaly]] = {}
    for (metric, group), stream in streams.items():
        for anomaly_at, anomaly in _all_in(stream, methods, metric, group):
            found.setdefault(anomaly_at, []).append(anomaly)
    tally = Tally(None)
    tally.checked = sum(len(stream.values) for stream in streams.values())
    for arrival in sorted(found):
        tally.add(found[arrival])
    return tally.report(config)


def _streams(items: Iterable[StoredEvent | Point], config: AnomalyConfig) -> dict[tuple[str, str], _Stream]:
    reader = Reader(config.metrics, config.group_by)
    streams: dict[tuple[str, str], _Stream] = {}
    arrival = 0
    for item in items:
        if isinstance(item, StoredEvent) and item.name.startswith("crucible_telemetry."):
            continue
        for reading in reader.read(item):
            stream = streams.setdefault((reading.metric, reading.group), _Stream())
            stream.values.append(reading.value)
            stream.at.append(reading.at)
            stream.arrivals.append(arrival)
            arrival += 1
    return streams


def _all_in(stream: _Stream, methods: tuple[Method, ...], metric: str, group: str) -> Iterator[tuple[int, Anomaly]]:
    for order, method in enumerate(methods):
        for anomaly in method.detect(stream.values, at=stream.at, metric=metric, group=group):
            if order == 0 or anomaly.method != NON_FINITE:  # every method says the same of what is no number
                yield stream.arrivals[anomaly.index], anomaly
