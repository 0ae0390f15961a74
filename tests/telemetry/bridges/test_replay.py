"""Stored records as spans and metrics."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from crucible import events
from crucible.errors import ContractError, MissingExtra, StoreError
from crucible.store import EventQuery, Store, StoredEvent
from crucible.telemetry import Experiment
from crucible.telemetry.bridges import OpenTelemetryBridge, convention, export_metrics, export_spans
from crucible.telemetry.bridges.spans import SpanWriter

from .conftest import SECOND, START_NS, Told, seconds

Make = Callable[..., StoredEvent]


def exported(records: list[StoredEvent], **options: Any) -> tuple[Any, ...]:
    """Return the spans of records, in the order in which they ended."""
    exporter = InMemorySpanExporter()
    count = export_spans(records, exporter, **options)
    spans = exporter.get_finished_spans()
    assert count == len(spans)
    return spans


def span_records(record: Make, name: str, span_id: str, start: float, stop: float, **more: Any) -> list[StoredEvent]:
    """Return a beginning and an end."""
    took = {"duration_ns": round((stop - start) * SECOND)}
    return [
        record(f"{name}.start", start, span_id=span_id, **more),
        record(f"{name}.stop", stop, span_id=span_id, measurements=took, **more),
    ]


def test_a_run_becomes_one_trace(record: Make) -> None:
    """Beginnings and ends pair by span id, parents by parent's id; what has no length stands on the span around it."""
    outer = span_records(record, "crucible_framework.pipeline", "1-1", 0, 10)
    inner = span_records(record, "crucible_framework.stage", "1-2", 1, 9, parent_span_id="1-1", stage="tune")
    step = record(
        "crucible_train.batch.stop",
        4,
        parent_span_id="1-2",
        measurements={"step": 3, "loss": 0.5, "duration_ns": 2 * SECOND},
    )
    saved = record("crucible_train.checkpoint.saved", 5, parent_span_id="1-2", measurements={"step": 3})
    spans = {span.name: span for span in exported([outer[0], inner[0], step, saved, inner[1], outer[1]])}
    assert {name: seconds(span) for name, span in spans.items()} == {
        "crucible_train.batch": (2, 4),
        "crucible_framework.stage": (1, 9),
        "crucible_framework.pipeline": (0, 10),
    }
    pipeline, stage = spans["crucible_framework.pipeline"], spans["crucible_framework.stage"]
    assert pipeline.parent is None
    assert stage.parent == pipeline.context
    assert spans["crucible_train.batch"].parent == stage.context
    assert len({span.context.trace_id for span in spans.values()}) == 1
    (event,) = stage.events
    assert (event.name, event.timestamp) == ("crucible_train.checkpoint.saved", START_NS + 5 * SECOND)
    assert event.attributes["crucible.measurements.step"] == 3
    assert stage.attributes["crucible.stage"] == "tune"
    assert stage.attributes["crucible.run_id"] == "run"
    assert stage.status.status_code is StatusCode.UNSET
    assert "crucible.unfinished" not in stage.attributes
    assert stage.resource.attributes["service.name"] == "crucible"
    assert stage.instrumentation_scope.name == "crucible"
    assert stage.instrumentation_scope.schema_url == "https://opentelemetry.io/schemas/1.44.0"


def test_exporting_twice_gives_the_same_ids(record: Make) -> None:
    """Ids come from the records' own, so that a backend sees the same spans; another run's differ."""
    records = [
        *span_records(record, "a", "1-1", 0, 1),
        record("b", 2, event_id=""),
        record("b", 2, event_id=""),
    ]
    first, again = exported(records), exported(records)
    assert [span.context for span in first] == [span.context for span in again]
    assert len({span.context.span_id for span in first}) == 3
    others = exported([record(each.name, 0, run_id="other", span_id=each.span_id) for each in records])
    assert not {span.context.trace_id for span in first} & {span.context.trace_id for span in others}


def test_the_same_span_id_in_two_runs_is_two_spans(record: Make) -> None:
    """A process id comes again, in a container each time: records of two runs on one page stay apart."""
    ones = span_records(record, "a", "1-1", 0, 4)
    twos = span_records(record, "b", "1-1", 1, 3, run_id="two")
    spans = exported([ones[0], twos[0], record("c", 2, parent_span_id="1-1"), twos[1], ones[1]])
    assert [(span.name, seconds(span), len(span.events)) for span in spans] == [("b", (1, 3), 0), ("a", (0, 4), 1)]


def test_a_failure_is_an_error_with_an_exception(record: Make) -> None:
    """An exception ends its span with the status ERROR, `error.type` and an event as the conventions have it."""
    start, _ = span_records(record, "crucible_framework.stage", "1-1", 0, 1)
    failed = record(
        "crucible_framework.stage.exception",
        2,
        span_id="1-1",
        measurements={"duration_ns": 2 * SECOND},
        metadata={"error_type": "StageError", "error": "no data", "traceback": "Traceback …"},
    )
    (span,) = exported([start, failed])
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "no data")
    assert span.attributes["error.type"] == "StageError"
    (event,) = span.events
    assert event.name == "exception"
    assert event.timestamp == START_NS + 2 * SECOND
    assert dict(event.attributes) == {
        "exception.type": "StageError",
        "exception.message": "no data",
        "exception.stacktrace": "Traceback …",
    }


def test_a_failure_that_says_nothing_is_still_an_error(record: Make) -> None:
    """Without words the type is `_OTHER`; a stop that enrichment found to have failed is an error without an event."""
    start, _ = span_records(record, "a", "1-1", 0, 1)
    (span,) = exported([start, record("a.exception", 1, span_id="1-1")])
    assert span.attributes["error.type"] == "_OTHER"
    assert span.status.status_code is StatusCode.ERROR
    (span,) = exported([start, record("a.stop", 1, span_id="1-1", success=False)])
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["crucible.success"] is False
    assert not span.events


def test_what_nothing_ended_is_marked(record: Make) -> None:
    """After a crash, spans last until the last record of their run, and say that they are unfinished."""
    records = [
        record("outer.start", 0, span_id="1-1"),
        record("inner.start", 1, span_id="1-2", parent_span_id="1-1"),
        record("note", 3, parent_span_id="1-2"),
        record("other", 9, run_id="two"),
    ]
    spans = exported(records)
    assert [(span.name, seconds(span)) for span in spans] == [("other", (9, 9)), ("inner", (1, 3)), ("outer", (0, 3))]
    assert [span.attributes.get("crucible.unfinished") for span in spans] == [None, True, True]
    assert all(span.status.status_code is StatusCode.UNSET for span in spans)


def test_a_resumed_run_may_use_a_span_id_again(record: Make) -> None:
    """A beginning whose id is still open ends the dead process's span as unfinished, and is a span of its own."""
    spans = exported([record("a.start", 0, span_id="1-1"), *span_records(record, "a", "1-1", 5, 6)])
    assert [seconds(span) for span in spans] == [(0, 5), (5, 6)]
    assert [span.attributes.get("crucible.unfinished") for span in spans] == [True, None]


def test_an_end_without_a_beginning_goes_back_by_its_duration(record: Make) -> None:
    """A recording that began in the middle has spans with ends alone; children of theirs that come later find them."""
    stop = span_records(record, "a", "1-1", 1, 4, parent_span_id="1-0")[1]
    spans = exported([stop, record("late", 5, parent_span_id="1-1")])
    assert [(span.name, seconds(span)) for span in spans] == [("a", (1, 4)), ("late", (5, 5))]
    assert spans[0].attributes["crucible.start_missing"] is True
    assert spans[0].attributes["crucible.parent_missing"] is True
    assert spans[1].parent == spans[0].context


def test_a_clock_that_went_back_makes_no_negative_span(record: Make) -> None:
    """The monotonic duration counts where the wall clock disagrees; sorted by time, the end may even come first."""
    start = record("a.start", 5, span_id="1-1")
    stop = record("a.stop", 4, span_id="1-1", measurements={"duration_ns": 2 * SECOND})
    (span,) = exported([start, stop])
    assert seconds(span) == (5, 7)
    assert span.attributes["crucible.clock_went_back"] is True
    (span,) = exported([stop, start])
    assert seconds(span) == (2, 4)
    assert span.attributes["crucible.start_missing"] is True
    (early, whole) = exported([stop, *span_records(record, "a", "1-1", 6, 8)])  # the id came again
    assert (seconds(early), seconds(whole)) == ((2, 4), (6, 8))
    assert "crucible.start_missing" not in whole.attributes


def test_times_before_1970_do_no_harm() -> None:
    """OpenTelemetry knows no time before 1970: what is said to be earlier is at its beginning."""
    stop = StoredEvent("a.stop", 5, span_id="1-1", measurements={"duration_ns": 10})
    spans = exported([stop, StoredEvent("b", -3), StoredEvent("c.start", -9, span_id="1-2")])
    assert [(span.start_time, span.end_time) for span in spans] == [(0, 5), (0, 0), (0, 5)]


def test_a_request_to_a_model_has_the_names_of_the_convention(record: Make) -> None:
    """What metadata and measurements say is translated, in the convention's types; our own names stay beside them."""
    asked = {"model": "m-1", "provider": "openai", "temperature": 1, "stop": "END", "max_tokens": 64.0, "seed": "x"}
    told = {**asked, "response_model": "m-1-2026", "finish_reasons": ("stop", "length"), "tokens": {"reasoning": 3}}
    counted = {"duration_ns": SECOND, "prompt_tokens": 12, "completion_tokens": 5, "prompts": 2}
    (span,) = exported(
        [
            record("req_llm.request.start", 0, span_id="1-1", metadata=asked),
            record("req_llm.request.stop", 1, span_id="1-1", metadata=told, measurements=counted, cost_usd=0.25),
        ]
    )
    assert span.name == "text_completion m-1"
    assert span.kind is SpanKind.CLIENT
    assert {name: value for name, value in span.attributes.items() if not name.startswith("crucible.")} == {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m-1",
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.request.max_tokens": 64,
        "gen_ai.response.model": "m-1-2026",
        "gen_ai.response.finish_reasons": ("stop", "length"),
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 3,
    }
    assert span.attributes["crucible.measurements.prompts"] == 2
    assert span.attributes["crucible.metadata.seed"] == "x"
    assert span.attributes["crucible.cost_usd"] == 0.25


def test_a_model_of_this_process_is_no_client(record: Make) -> None:
    """A request that stays in the process is an internal span; the backend is its provider."""
    (span,) = exported([record("req_llm.request.start", span_id="1-1", metadata={"model": "m", "backend": "local"})])
    assert span.kind is SpanKind.INTERNAL
    assert span.attributes["gen_ai.provider.name"] == "local"


def test_a_tool_has_the_names_of_the_convention(record: Make) -> None:
    """A call of a tool is the operation `execute_tool`."""
    (span,) = exported(span_records(record, "altar.tool", "1-1", 0, 1, metadata={"tool": "search"}))
    assert span.name == "execute_tool search"
    assert span.attributes["gen_ai.tool.name"] == "search"


def test_what_people_wrote_stays_here_unless_asked_for(record: Make) -> None:
    """Prompts, answers, user and session ids do not leave, at any depth; a count of that name does."""
    metadata = {"prompt": "secret", "user_id": "u", "request": {"session_id": "s", "size": 1}, "session_id": "s"}
    stored = record("req_llm.request.start", span_id="1-1", metadata=metadata, measurements={"prompts": 2})
    (span,) = exported([stored])
    text = str(dict(span.attributes))
    assert "secret" not in text
    assert "user_id" not in text
    assert "session_id" not in text
    assert span.attributes["crucible.metadata.request"] == '{"size":1}'
    assert span.attributes["crucible.measurements.prompts"] == 2
    (span,) = exported([stored], keep_private=True)
    assert span.attributes["crucible.metadata.prompt"] == "secret"
    assert span.attributes["gen_ai.conversation.id"] == "s"
    assert span.attributes["user.id"] == "u"


def test_memory_is_bounded(record: Make, told: Told) -> None:
    """Of more than so many open spans the oldest ends as unfinished; its late end is a span of its own, and so said."""
    writer = SpanWriter(told.tracers.get_tracer("test"), convention(), most_open=2)
    for index in range(3):
        writer.add(record(f"s{index}.start", index, span_id=f"1-{index}"))
    assert list(told.spans()) == ["s0"]
    assert told.spans()["s0"].attributes["crucible.unfinished"] is True
    assert writer.finish() == 2
    for index in range(10_002):
        writer.add(record("one.stop", index, span_id=f"2-{index}"))
    assert len(writer._over) == 10_000


def test_a_provider_keeps_its_own_ways(record: Make, told: Told) -> None:
    """Given a provider, its ids, sampler and processors count; what its sampler did not want is not counted."""
    records = span_records(record, "a", "1-1", 0, 1)
    assert export_spans(records, told.tracers) == 1
    assert seconds(told.spans()["a"]) == (0, 1)
    assert export_spans(records, TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)) == 0


def test_a_long_recording_goes_out_in_parts(record: Make) -> None:
    """The exporter gets at most 512 spans at once, and nothing is sampled or cut: 700 events stay on one span."""

    class Parts(SpanExporter):
        sizes: list[int] = []  # noqa: RUF012
        events = 0

        def export(self, spans: Any) -> SpanExportResult:
            self.sizes.append(len(spans))
            self.events += sum(len(span.events) for span in spans)
            return SpanExportResult.SUCCESS

    parts = Parts()
    outer = span_records(record, "outer", "1-1", 0, 9)
    notes = [record("note", 1, parent_span_id="1-1", event_id=f"{index:x}") for index in range(700)]
    alone = [record("alone", 2, event_id=f"a{index:x}") for index in range(1100)]
    assert export_spans([outer[0], *notes, *alone, outer[1]], parts) == 1101
    assert parts.sizes == [512, 512, 77]
    assert parts.events == 700


def test_an_exporter_that_fails_is_an_error(record: Make) -> None:
    """Spans that did not arrive are never silently counted as exported."""

    class Broken(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.FAILURE

    with pytest.raises(StoreError, match="Broken could not export the spans from 0 on"):
        export_spans([record("a")], Broken())


def test_measurements_of_a_store_become_metrics(record: Make, told: Told) -> None:
    """Records are measured as live events are, with the condition as a label; how many values there were comes back."""
    records = [
        record("crucible_train.batch.stop", step, measurements={"loss": 1 / step, "step": step}, condition="control")
        for step in (1, 2, 4)
    ]
    assert export_metrics(records, told.meters) == 6
    (point,) = told.points("crucible_train.batch.stop.loss")
    assert (point.value, dict(point.attributes)) == (0.25, {"condition": "control"})


def test_an_experiment_goes_from_the_store_to_spans(store: Store, told: Told) -> None:
    """What was recorded, and what the live bridge saw of the same, are the same spans at the same times."""
    experiment = Experiment.start("a", store=store, condition="control")
    with (
        OpenTelemetryBridge(told.tracers, told.meters, recording=experiment.id),
        experiment.active(),
        events.span("crucible_framework.stage"),
    ):
        with events.span("req_llm.request", {"model": "tiny", "backend": "local"}) as request:
            request.measure(prompt_tokens=3, completion_tokens=2)
        events.emit("note", {"loss": math.nan})
    experiment.stop()
    stored = {span.name: span for span in exported(list(store.telemetry.select(EventQuery(run_id=experiment.id))))}
    live = told.spans()
    assert live.keys() == stored.keys() == {"crucible_framework.stage", "text_completion tiny"}
    for name, span in stored.items():
        assert (span.start_time, span.end_time) == (live[name].start_time, live[name].end_time)
        assert span.attributes["crucible.condition"] == "control"
    assert stored["text_completion tiny"].parent == stored["crucible_framework.stage"].context
    assert stored["text_completion tiny"].attributes["gen_ai.usage.input_tokens"] == 3
    assert math.isnan(stored["crucible_framework.stage"].events[0].attributes["crucible.measurements.loss"])


def test_a_version_without_a_table_is_refused(record: Make, told: Told) -> None:
    """The message names the versions that there are."""
    with pytest.raises(ContractError, match=r"'9\.9'; there is one for 0\.66b2"):
        export_spans([record("a")], told.exporter, semconv="9.9")


def test_without_the_extra_the_command_is_named(record: Make, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans and metrics need the extra `otel`."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.metrics", None)
    with pytest.raises(MissingExtra, match=r"crucible-ml\[otel\]"):
        export_spans([record("a")], told.exporter)
    with pytest.raises(MissingExtra, match=r"crucible-ml\[otel\]"):
        export_metrics([record("a")], told.meters)
