import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import spans

if __name__ == "__main__":
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    class JsonLines(SpanExporter):
        """Writes what a span says, one line each; a span's own `to_json` is indented, and slower."""

        def __init__(self, path: Path) -> None:
            self.file = path.open("ab", buffering=0)

        def export(self, batch: Any) -> SpanExportResult:
            lines = [
                json.dumps(
                    {
                        "name": span.name,
                        "trace_id": f"{span.context.trace_id:032x}",
                        "span_id": f"{span.context.span_id:016x}",
                        "parent_id": span.parent and f"{span.parent.span_id:016x}",
                        "start": span.start_time,
                        "end": span.end_time,
                        "attributes": dict(span.attributes),
                    }
                )
                for span in batch
            ]
            self.file.write("".join(f"{line}\n" for line in lines).encode())
            return SpanExportResult.SUCCESS

    def maker(provider: Any) -> Any:
        tracer = provider.get_tracer("bench")

        def make(count: int) -> None:
            with tracer.start_as_current_span("chain"):
                for _ in range(count):
                    with tracer.start_as_current_span("event", attributes=spans.ATTRIBUTES):
                        pass
            provider.force_flush()

        return make

    memory = TracerProvider()
    exporter = InMemorySpanExporter()
    memory.add_span_processor(SimpleSpanProcessor(exporter))
    make = maker(memory)

    def kept_in_memory(count: int) -> None:
        exporter.clear()
        make(count)

    spans.report("opentelemetry-sdk", "in memory", "SimpleSpanProcessor, InMemorySpanExporter", kept_in_memory)
    with tempfile.TemporaryDirectory() as folder:
        durable = TracerProvider()
        durable.add_span_processor(BatchSpanProcessor(JsonLines(Path(folder) / "spans.jsonl"), max_queue_size=100_000))
        note = "BatchSpanProcessor, JSON lines, flushed after each 1,000"
        spans.report("opentelemetry-sdk", "durable", note, maker(durable))
        durable.shutdown()
