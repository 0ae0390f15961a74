"""What is stored as OpenTelemetry's spans and metrics: `export_spans`, `export_metrics`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, cast

from crucible.errors import require
from crucible.store import StoredEvent
from crucible.telemetry.bridges.privacy import without_private
from crucible.telemetry.bridges.semconv import LATEST, Convention, convention

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import TracerProvider

    from crucible.telemetry.bridges.spans import SpanWriter

__all__ = ["FEATURE", "export_metrics", "export_spans", "library_version"]

FEATURE = "the bridge to OpenTelemetry"


def export_spans(
    records: Iterable[StoredEvent],
    to: TracerProvider | SpanExporter,
    *,
    semconv: str | Convention = LATEST,
    keep_private: bool = False,
) -> int:
    """Hand records on as spans, and return how many there were.

    To an exporter, nothing is sampled away and the ids are derived from the records' own: exporting the same recording
    twice gives the same spans, and each recording is one trace. A provider has its own ids, sampler and processors; it
    is flushed. Either stays open.

    Args:
        records: In order of time, as `store.telemetry.select` gives them; they are not held in memory.
        to: A provider, or an exporter of the SDK such as `OTLPSpanExporter`.
        semconv: Version of the semantic conventions that has a table, or a table of your own.
        keep_private: Whether prompts, answers, user and session ids go along.

    Raises:
        MissingExtra: The extra `otel` is not installed.
        StoreError: The exporter says that it failed.
        ContractError: `semconv` has no table.
    """
    require("opentelemetry.sdk.trace", extra="otel", feature=FEATURE)
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    from crucible.telemetry.bridges.sdk import DerivedIds, Outgoing
    from crucible.telemetry.bridges.spans import SpanWriter

    table = convention(semconv) if isinstance(semconv, str) else semconv
    about = ("crucible", library_version(), table.schema_url)
    if hasattr(to, "get_tracer"):
        provider = cast("TracerProvider", to)
        writer = SpanWriter(provider.get_tracer(*about), table, is_by_run=True)
        _write(records, writer, keep_private=keep_private)
        _flush(provider)
        return writer.spans
    ids, outgoing = DerivedIds(), Outgoing(cast("SpanExporter", to))
    own = TracerProvider(
        sampler=ALWAYS_ON,
        resource=Resource({"service.name": "crucible"}),
        shutdown_on_exit=False,
        id_generator=ids,
        span_limits=SpanLimits(max_span_attributes=SpanLimits.UNSET, max_events=SpanLimits.UNSET),
    )
    own.add_span_processor(outgoing)
    writer = SpanWriter(own.get_tracer(*about), table, is_by_run=True, before=ids.aim)
    _write(records, writer, keep_private=keep_private)
    outgoing.send()
    return outgoing.exported


def export_metrics(
    records: Iterable[StoredEvent],
    meter_provider: MeterProvider,
    *,
    semconv: str | Convention = LATEST,
    keep_private: bool = False,
) -> int:
    """Hand the measurements of records on, and return how many there were.

    OpenTelemetry has no way to say when something was measured: the provider stamps what it collects with its own time.
    So this is for tools that look at sums and distributions; for the course over time, see `store.telemetry.points`.

    Args:
        records: In order of time: a gauge keeps the last value.
        meter_provider: A provider; it is flushed if it can be, and stays open.
        semconv: Version of the semantic conventions that has a table, or a table of your own.
        keep_private: Whether prompts, answers, user and session ids go along.

    Raises:
        MissingExtra: The extra `otel` is not installed.
        ContractError: `semconv` has no table.
    """
    require("opentelemetry.sdk.metrics", extra="otel", feature=FEATURE)
    from crucible.telemetry.bridges.metrics import MetricWriter

    table = convention(semconv) if isinstance(semconv, str) else semconv
    writer = MetricWriter(meter_provider.get_meter("crucible", library_version(), table.schema_url), table)
    for record in records:
        writer.add(record if keep_private else without_private(record))
    _flush(meter_provider)
    return writer.measured


def library_version() -> str | None:
    """Return the installed version of Crucible, None where it was never installed."""
    try:
        return version("crucible-ml")
    except PackageNotFoundError:
        return None


def _flush(provider: Any) -> None:
    flush = getattr(provider, "force_flush", None)  # only the SDK's providers have it
    if flush is not None:
        flush()


def _write(records: Iterable[StoredEvent], writer: SpanWriter, *, keep_private: bool) -> None:
    for record in records:
        writer.add(record if keep_private else without_private(record))
    writer.finish()
