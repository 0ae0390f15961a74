"""Records of a run as the store hands them out, and OpenTelemetry's own parts to send them to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from crucible.store import StoredEvent

START_NS = 1_790_000_000_000_000_000
SECOND = 10**9


class Told:
    """Where spans and metrics arrive."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def spans(self) -> dict[str, Any]:
        """Return the finished spans by name; two of one name are an error of the test."""
        spans = self.exporter.get_finished_spans()
        found = {span.name: span for span in spans}
        assert len(found) == len(spans), [span.name for span in spans]
        return found

    def metrics(self) -> dict[str, Any]:
        """Return the collected metrics by name."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> list[Any]:
        """Return the points of a metric."""
        return list(self.metrics()[name].data.data_points)


@pytest.fixture
def told() -> Iterator[Told]:
    """A provider of each kind that keeps what it is told in memory."""
    told = Told()
    yield told
    told.tracers.shutdown()
    told.meters.shutdown()


@pytest.fixture
def record() -> Callable[..., StoredEvent]:
    """Return what makes a record so many seconds after the start."""

    def make(name: str, after_s: float = 0, **fields: Any) -> StoredEvent:
        fields.setdefault("run_id", "run")
        fields.setdefault("event_id", f"{abs(hash((name, after_s))) % 16**16:016x}")
        return StoredEvent(name, START_NS + round(after_s * SECOND), **fields)

    return make


def seconds(span: Any) -> tuple[float, float]:
    """Return a span's start and end, in seconds after the start of the records."""
    return (span.start_time - START_NS) / SECOND, (span.end_time - START_NS) / SECOND
