"""A chain as OpenTelemetry spans, for any exporter of its SDK: `otel_spans`, `export_otel`.

The ids are derived from those of the chain and its events, so that exporting twice gives the same spans. Nothing here
touches the process's tracer provider, and nothing is sampled away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, cast

from crucible.errors import StoreError, require
from crucible.trace.chain import Chain
from crucible.trace.event import Event, format_timestamp
from crucible.trace.exports.cells import json_text
from crucible.trace.exports.spans import Span, plan_spans, stem_of
from crucible.trace.plain import plain
from crucible.trace.vocabulary import look_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext

__all__ = ["export_otel", "otel_spans"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = range(-(2**63), 2**63)
_BATCH = 512  # spans an exporter is given at once, as the SDK's own processor does


def otel_spans(chain: Chain) -> list[ReadableSpan]:
    """Return the chain as finished spans of one trace, in the order of their first events.

    A `…_started` event and the `…_completed` or `…_failed` one that ends it are one span, from the one's time to the
    other's; any other event is a span of no length, or of the `duration_…` in its metadata. `parent_id` gives the
    parent, `depends_on` the links. Each field stands in an attribute, such as `crucible.decision`, and those of the
    event that ends a span in `crucible.end.decision` and so on. What failed has the status ERROR and an `exception`
    event. A parent that is not in the chain, or that would close a circle, stays in `crucible.parent_id` alone.

    Args:
        chain: What to translate; each call gives the same ids.

    Raises:
        MissingExtra: The extra `otel` is not installed.
    """
    require("opentelemetry.sdk.trace", extra="otel", feature="the export to OpenTelemetry")
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link

    resource = Resource({"service.name": "crucible"})
    scope = InstrumentationScope("crucible.trace", _version())
    planned = plan_spans(chain)
    contexts = {span: _context(chain, span) for span in planned}
    of_chain = {"crucible.chain.id": plain(chain.id), "crucible.chain.name": plain(chain.name)}
    return [
        ReadableSpan(
            name=_name(span),
            context=contexts[span],
            parent=contexts[span.parent] if span.parent is not None else None,
            resource=resource,
            attributes=of_chain | _attributes(span),
            events=_exceptions(span),
            links=[Link(contexts[each], {"crucible.link": "depends_on"}) for each in span.rests_on],
            status=_status(span),
            start_time=_nanoseconds(span.start),
            end_time=_nanoseconds(span.end),
            instrumentation_scope=scope,
        )
        for span in planned
    ]


def export_otel(chain: Chain, exporter: SpanExporter) -> int:
    """Hand the chain's spans to an exporter, and return how many there were; the exporter stays open.

    Args:
        chain: What to export.
        exporter: Any exporter of the OpenTelemetry SDK, such as `OTLPSpanExporter` or `ConsoleSpanExporter`.

    Raises:
        MissingExtra: The extra `otel` is not installed.
        StoreError: The exporter says that it failed.
    """
    spans = otel_spans(chain)
    from opentelemetry.sdk.trace.export import SpanExportResult

    for start in range(0, len(spans), _BATCH):
        if exporter.export(spans[start : start + _BATCH]) is not SpanExportResult.SUCCESS:
            raise StoreError(
                f"{type(exporter).__name__} could not export the spans from {start} on, of {len(spans)}; "
                "see its log, and export again: the spans keep their ids"
            )
    return len(spans)


def _context(chain: Chain, span: Span) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(
        trace_id=_derived(16, "trace", chain.id),
        span_id=_derived(8, "span", chain.id, span.event.id, str(span.occurrence)),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _derived(length: int, *words: str) -> int:
    """Return so many bytes of a SHA-256 as a number; OpenTelemetry takes 0 for no id."""
    text = "".join(f"{len(word)}:{word}" for word in words)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:length]) or 1


def _name(span: Span) -> str:
    """Return the kind of thing, of which there are few, as OpenTelemetry asks of names."""
    return plain(stem_of(span.event)) if span.closing or span.is_unfinished else plain(span.event.type) or "event"


def _attributes(span: Span) -> dict[str, Any]:
    attributes = _fields(span.event, "crucible.")
    if span.closing is not None:
        attributes |= _fields(span.closing, "crucible.end.")
    for name, is_so in (
        ("unfinished", span.is_unfinished),
        ("parent_missing", span.is_parent_missing),
        ("parent_in_cycle", span.is_parent_in_cycle),
    ):
        if is_so:
            attributes[f"crucible.{name}"] = True
    return attributes


def _fields(event: Event, prefix: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "event_id": event.id,
        "timestamp": format_timestamp(event.timestamp),
        "type": event.type,
        "category": look_of(event.type).category,
        "decision": event.decision,
        "reasoning": event.reasoning,
        "alternatives": event.alternatives or None,
        "confidence": event.confidence,
        "code_section": event.code_section,
        "spec_reference": event.spec_reference,
        "parent_id": event.parent_id,
        "depends_on": event.depends_on or None,
        "stage_id": event.stage_id,
        "experiment_id": event.experiment_id,
        "metadata": json_text(event.metadata) if event.metadata else None,
    }
    fields = {f"{prefix}{name}": _attribute(value) for name, value in values.items() if value is not None}
    return fields | {
        f"{prefix}metadata.{plain(key)}": _in_64_bits(value)
        for key, value in plain(event.metadata).items()
        if isinstance(value, str | int | float)
    }


def _attribute(value: Any) -> Any:
    """Return a value as an attribute: a list of words, a number that 64 bits hold, or else words."""
    if isinstance(value, list | tuple):
        return [_words(each) for each in cast("Sequence[Any]", value)]
    known = plain(value)
    return _in_64_bits(known) if isinstance(known, str | int | float) else _words(value)


def _words(value: Any) -> str:
    return plain(value) if isinstance(value, str) else json_text(value)


def _in_64_bits(value: Any) -> Any:
    """Return an integer beyond the signed 64 bits of an attribute as a word, as `plain` does beyond 64."""
    return f"{value:#x}" if isinstance(value, int) and value not in _INT64 else value


def _status(span: Span) -> Any:
    from opentelemetry.trace import Status, StatusCode

    failure = span.failure
    return Status() if failure is None else Status(StatusCode.ERROR, plain(f"{failure.decision}"))


def _exceptions(span: Span) -> list[Any]:
    from opentelemetry.sdk.trace import Event as SpanEvent

    failure = span.failure
    if failure is None:
        return []
    told: Mapping[str, Any] = failure.metadata
    attributes = {
        "exception.type": told.get("error_type"),
        "exception.message": told.get("error") or failure.reasoning,
        "exception.stacktrace": told.get("traceback"),
    }
    words = {name: plain(f"{value}") for name, value in attributes.items() if value}
    return [SpanEvent("exception", words, _nanoseconds(span.end))]


def _nanoseconds(moment: datetime) -> int:
    """Return the time since 1970; OpenTelemetry knows none before."""
    return max(0, (moment - _EPOCH) // timedelta(microseconds=1) * 1000)


def _version() -> str | None:
    try:
        return version("crucible-ml")
    except PackageNotFoundError:
        return None
