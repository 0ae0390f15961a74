"""The live bridge: what is emitted on the bus, as spans and metrics."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import NoOpTracerProvider, StatusCode

from crucible import events
from crucible.errors import ContractError, MissingExtra
from crucible.telemetry.bridges import BridgeReport, OpenTelemetryBridge

from .conftest import Told


def bridge(told: Told, **options: Any) -> OpenTelemetryBridge:
    """Return a bridge to memory."""
    return OpenTelemetryBridge(told.tracers, told.meters, **options)


def test_what_happens_arrives_as_it_happened(told: Told) -> None:
    """Spans have the bus's times and parents, other events stand on them, measurements are metrics; all is counted."""
    with (
        bridge(told) as live,
        events.collect() as seen,
        events.scope(run_id="r", stage="tune"),
        events.span("outer", {"model": "m"}) as outer,
        events.span("inner"),
    ):
        events.emit("note", {"loss": 0.5})
        outer.measure(steps=3)
    spans = told.spans()
    times = {event.name: event.timestamp_ns for event in seen}
    for name in ("outer", "inner"):
        span = spans[name]
        assert span.start_time == times[f"{name}.start"]
        assert 0 <= span.end_time - times[f"{name}.stop"] < 10**6
    assert spans["inner"].parent == spans["outer"].context
    assert spans["outer"].parent is None
    assert [event.name for event in spans["inner"].events] == ["note"]
    assert spans["outer"].attributes["crucible.measurements.steps"] == 3
    assert spans["outer"].attributes["crucible.run_id"] == "r"
    assert told.points("note.loss")[0].value == 0.5
    assert live.report == BridgeReport(events=5, spans=2, measurements=4, flushed=True)


def test_spans_of_threads_and_tasks_keep_their_parents(told: Told) -> None:
    """Interleaved spans of 4 threads and 20 tasks each end up under their own parent."""
    barrier = threading.Barrier(4)

    def work(name: str) -> None:
        barrier.wait()
        for index in range(50):
            with events.span("outer", {"who": f"{name}-{index}"}), events.span("inner", {"who": f"{name}-{index}"}):
                pass

    async def tasks() -> None:
        async def one(index: int) -> None:
            with events.span("outer", {"who": f"task-{index}"}):
                await asyncio.sleep(0.001 * (index % 3))
                with events.span("inner", {"who": f"task-{index}"}):
                    await asyncio.sleep(0.001)

        await asyncio.gather(*(one(index) for index in range(20)))

    with bridge(told) as live:
        threads = [threading.Thread(target=work, args=(f"thread-{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        asyncio.run(tasks())
        for thread in threads:
            thread.join()
    spans = told.exporter.get_finished_spans()
    outers: dict[int, Any] = {span.context.span_id: span for span in spans if span.name == "outer"}
    inners = [span for span in spans if span.name == "inner"]
    assert len(outers) == len(inners) == 220
    for inner in inners:
        outer = outers[inner.parent.span_id]
        assert outer.attributes["crucible.metadata.who"] == inner.attributes["crucible.metadata.who"]
        assert outer.context.trace_id == inner.context.trace_id
    assert live.report.dropped == live.report.failed == live.report.unfinished == 0


def test_a_root_hangs_under_the_span_of_somebody_else(told: Told) -> None:
    """Where the caller's own OpenTelemetry span is current, a run's root is its child; nothing else asks for it."""
    tracer = told.tracers.get_tracer("mine")
    with bridge(told), tracer.start_as_current_span("request"):
        with events.span("root"), events.span("inner"):
            pass
        events.emit("note")
    spans = told.spans()
    assert spans["root"].parent == spans["request"].context
    assert spans["note"].parent == spans["request"].context
    assert spans["inner"].parent == spans["root"].context


def test_a_failure_arrives_as_an_error(told: Told) -> None:
    """An exception inside a span gives it the status ERROR, and its duration the kind of error."""
    with bridge(told), pytest.raises(ValueError, match="no"), events.span("work"):
        raise ValueError("no")
    span = told.spans()["work"]
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "no")
    (point,) = told.points("work.duration")
    assert dict(point.attributes) == {"error.type": "ValueError"}


def test_what_is_open_at_stop_is_unfinished(told: Told) -> None:
    """A span that nobody ended is handed on with a mark, and later ends do no harm; a second stop says the same."""
    live = bridge(told).start()
    open_span = events.span("work")
    open_span.__enter__()
    before = time.time_ns()
    report = live.stop()
    open_span.__exit__(None, None, None)
    assert live.stop() is report
    assert report.unfinished == 1
    assert told.spans()["work"].attributes["crucible.unfinished"] is True
    assert before <= told.spans()["work"].end_time <= time.time_ns()


def test_a_child_that_outlives_its_parent_finds_it(told: Told) -> None:
    """A task may go on after the span around it is over; its spans and events still belong there."""

    async def run() -> None:
        async def later() -> None:
            await asyncio.sleep(0.01)
            events.emit("note")
            with events.span("late"):
                pass

        with events.span("outer"):
            task = asyncio.create_task(later())
        await task

    with bridge(told):
        asyncio.run(run())
    spans = told.spans()
    assert spans["late"].parent == spans["note"].parent == spans["outer"].context


def test_a_slow_exporter_never_slows_the_emitter(told: Told) -> None:
    """While the exporter hangs, emitting goes on; what finds the queue full is dropped and counted."""
    hold = threading.Event()

    class Hanging(SpanProcessor):
        def on_end(self, span: Any) -> None:
            hold.wait(30)

    told.tracers.add_span_processor(Hanging())
    live = bridge(told, capacity=100).start()
    events.emit("first")
    deadline = time.monotonic() + 10
    while live._queue and time.monotonic() < deadline:
        time.sleep(0.005)
    started = time.monotonic()
    for _ in range(1000):
        events.emit("more")
    took = time.monotonic() - started
    assert live.dropped == 900
    assert took < 1
    hold.set()
    report = live.stop()
    assert (report.events, report.dropped, report.spans) == (101, 900, 101)


def test_an_exporter_that_raises_is_counted(told: Told) -> None:
    """What the SDK's parts raise neither reaches the emitter nor ends the bridge."""

    class Raising(SpanProcessor):
        def on_end(self, span: Any) -> None:
            raise RuntimeError("no")

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            raise RuntimeError("no")

    told.tracers.add_span_processor(Raising())
    with bridge(told) as live:
        events.emit("a")
        events.emit("b")
    assert (live.report.events, live.report.failed, live.report.flushed) == (2, 2, False)
    assert events.handler_errors() == {}


def test_any_payload_arrives(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a payload holds, the event arrives, the SDK has nothing to complain about, and nothing is lost."""

    class Nameless:
        def __str__(self) -> str:
            raise RuntimeError("no name")

        __repr__ = __str__

    circle: list[Any] = []
    circle.append(circle)
    odd = {
        "huge": 10**400,
        "nan": float("nan"),
        "bytes": b"\xff",
        "nameless": Nameless(),
        "nested": {"nameless": [Nameless()]},
        "circle": circle,
        "surrogate": "\ud800",
        "mixed": [1, "a", None],
        "": "empty",
        "none": None,
    }
    with caplog.at_level(logging.WARNING), bridge(told) as live, events.span("work", odd) as span:
        span.measure(**{key: value for key, value in odd.items() if key})
        events.emit("bad name \ud800 ∑", odd, odd)
    assert live.report.failed == 0
    assert live.report.spans == 1
    assert live.report.skipped == 2
    assert caplog.records == []
    attributes = told.spans()["work"].attributes
    assert attributes["crucible.metadata.nameless"] == "<Nameless>"
    assert attributes["crucible.metadata.surrogate"] == "\\ud800"
    assert attributes["crucible.metadata.huge"].startswith("0x")
    assert attributes["crucible.metadata._"] == "empty"
    assert "crucible.metadata.none" not in attributes


def test_only_what_was_asked_for_arrives(told: Told) -> None:
    """Names and the run, or the telemetry experiment, narrow what is handed on."""
    with bridge(told, names=["a.*", "b"], recording="r") as live:
        events.emit("a.x")
        with events.scope(run_id="r"):
            for name in ("a.x", "b", "c"):
                events.emit(name)
        with events.scope(run_id="s", recording_id="r", experiment_id="e"):
            events.emit("b")
    assert live.report.events == 3
    last = told.exporter.get_finished_spans()[-1]
    assert last.attributes["crucible.recording_id"] == "r"
    assert last.attributes["crucible.experiment_id"] == "e"


def test_what_is_no_mapping_arrives(told: Told) -> None:
    """An emitter's mistake costs its payload and not its event."""
    with bridge(told) as live:
        events.emit("odd", 7, ["x"])  # type: ignore[arg-type]
    assert events.handler_errors() == {}
    assert live.report.events == 1
    assert told.spans()["odd"].attributes["crucible.metadata.malformed"] == "['x']"


def test_what_one_request_did_shares_an_id(told: Told) -> None:
    """The correlation id of the bus stands on every span."""
    with bridge(told), events.span("outer"), events.span("inner"):
        pass
    spans = told.spans().values()
    assert len({span.attributes["crucible.correlation_id"] for span in spans}) == 1


def test_flush_hands_on_what_was_emitted(told: Told) -> None:
    """After `flush` the spans that ended are with the provider, without waiting for the bridge's own time."""
    with bridge(told) as live:
        events.emit("note")
        live.flush()
        assert set(told.spans()) == {"note"}


def test_a_bridge_can_start_again(told: Told) -> None:
    """Starting twice listens once; after a stop the counts begin anew, and nothing stays attached."""
    live = bridge(told)
    assert live.start() is live.start()
    events.emit("a")
    assert live.stop().events == 1
    assert events.attached() == ()
    events.emit("nobody")
    with live:
        events.emit("b")
    assert live.report.events == 1
    assert set(told.spans()) == {"a", "b"}


def test_providers_that_do_nothing_do_no_harm() -> None:
    """Without an SDK set up, spans are counted as not wanted, and nobody says that they were exported."""
    with OpenTelemetryBridge(NoOpTracerProvider()) as live, events.span("work"):
        pass
    assert (live.report.spans, live.report.unsampled, live.report.flushed) == (0, 1, None)


def test_without_the_extra_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge needs the extra `otel`, and says so when it is made; so does a version that there is no table for."""
    with pytest.raises(ContractError, match="no table"):
        OpenTelemetryBridge(semconv="0.1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MissingExtra, match=r"crucible-ml\[otel\]"):
        OpenTelemetryBridge()


def test_the_room_needs_no_extra_to_be_imported() -> None:
    """Importing the bridges loads nothing of OpenTelemetry."""
    code = "import sys, crucible.telemetry.bridges; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_the_bridge_to_its_parent() -> None:
    """The child emits without a bridge and ends; what the parent had queued is handed on once."""
    code = """
import os
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from crucible import events
from crucible.telemetry.bridges import OpenTelemetryBridge
exporter = InMemorySpanExporter()
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(exporter))
live = OpenTelemetryBridge(provider).start()
events.emit("parent")
child = os.fork()
if child == 0:
    events.emit("child")
    live.stop()
    os._exit(len([span for span in exporter.get_finished_spans() if span.name == "child"]))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
live.stop()
print([span.name for span in exporter.get_finished_spans()])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "['parent']", done.stderr


def test_a_program_that_just_ends_hands_on_what_waits() -> None:
    """At the process's exit the bridge stops itself, before the provider that was made earlier shuts down."""
    code = """
import sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from crucible import events
from crucible.telemetry.bridges import OpenTelemetryBridge
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.name + "\\n")))
OpenTelemetryBridge(provider).start()
events.emit("last words")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "last words", done.stderr
