"""What OpenTelemetry's SDK is given to export what is over already: ids that stay the same, and a way to the exporter.

Imported only where the extra `otel` is known to be installed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator

from crucible.errors import StoreError

if TYPE_CHECKING:
    from crucible.store import StoredEvent

__all__ = ["DerivedIds", "Outgoing"]

_BATCH = 512  # spans an exporter is given at once, as the SDK's own processor does


class DerivedIds(IdGenerator):
    """Ids derived from the records, so that exporting twice gives the same spans; a trace a recording."""

    def __init__(self) -> None:
        self._trace = 1
        self._span = 1
        self._seen = 0

    def aim(self, record: StoredEvent) -> None:
        """Let the next span be the one of this record."""
        self._seen += 1
        about = record.event_id or f"{record.name}@{record.timestamp_ns}#{self._seen}"
        self._trace = _derived(16, "trace", record.run_id)
        self._span = _derived(8, "span", record.run_id, about)

    def generate_trace_id(self) -> int:
        """Return the id of the recording's trace."""
        return self._trace

    def generate_span_id(self) -> int:
        """Return the id of the record's span."""
        return self._span


class Outgoing(SpanProcessor):
    """Hands finished spans to an exporter, many at once, and says when it fails.

    Args:
        exporter: Any exporter of the SDK; it stays open.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._waiting: list[ReadableSpan] = []
        self.exported = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Take a finished span.

        Raises:
            StoreError: The exporter says that it failed.
        """
        self._waiting.append(span)
        if len(self._waiting) >= _BATCH:
            self.send()

    def send(self) -> None:
        """Export what waits.

        Raises:
            StoreError: The exporter says that it failed.
        """
        batch, self._waiting = self._waiting, []
        if batch and self._exporter.export(batch) is not SpanExportResult.SUCCESS:
            raise StoreError(
                f"{type(self._exporter).__name__} could not export the spans from {self.exported} on; "
                "see its log, and export again: the spans keep their ids"
            )
        self.exported += len(batch)


def _derived(length: int, *texts: str) -> int:
    """Return so many bytes of a SHA-256 as a number; OpenTelemetry takes 0 for no id."""
    text = "".join(f"{len(each)}:{each}" for each in texts)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:length]) or 1
