"""Chains as OpenTelemetry spans."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from crucible.errors import MissingExtra, StoreError
from crucible.trace import Chain, Event
from crucible.trace.exports import export_otel, otel_spans

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9


def chain_of(*events: Event) -> Chain:
    """Return a chain as a file would give it: repeated ids are fine."""
    chain = Chain("chain", id="c" * 32, created_at=START)
    for event in events:
        chain._append(event)
    return chain


def event(kind: str, name: str, after_s: float = 0, **fields: Any) -> Event:
    """Return an event with its name as id, so many seconds after the start."""
    moment = START + timedelta(seconds=after_s)
    return Event.new(kind, name, "because", id=name, timestamp=moment, **fields)


def by_id(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    """Return the spans by their first event."""
    return {str((span.attributes or {})["crucible.event_id"]): span for span in spans}


def seconds(span: ReadableSpan) -> tuple[float, float]:
    """Return a span's start and end, in seconds after the start."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.start_time - START_NS) / 1e9, (span.end_time - START_NS) / 1e9


def test_a_run_becomes_spans() -> None:
    """Beginnings and ends are one span with the true times; parents, links, names and fields are kept."""
    exporter = InMemorySpanExporter()
    chain = chain_of(
        event("stage_started", "load", 0, stage_id="data"),
        event("decision_made", "choose", 1, parent_id="load", alternatives=["a", "b"], confidence=0.5),
        event("stage_completed", "loaded", 2.5, parent_id="load", stage_id="data", depends_on=["choose"]),
        event("training_started", "train", 3, depends_on=["loaded", "choose", "gone"]),
        event("epoch_completed", "epoch", 9, parent_id="train", metadata={"epoch": 1, "loss": 0.5, "duration_s": 4}),
        event("training_completed", "trained", 10, parent_id="train", metadata={"a": {"b": [1]}}),
    )
    assert export_otel(chain, exporter) == 4
    spans = by_id(exporter.get_finished_spans())
    assert [(name, span.name, *seconds(span)) for name, span in spans.items()] == [
        ("load", "stage", 0, 2.5),
        ("choose", "decision_made", 1, 1),
        ("train", "training", 3, 10),
        ("epoch", "epoch_completed", 5, 9),
    ]
    assert spans["load"].parent is None
    assert spans["choose"].parent == spans["load"].context
    assert spans["epoch"].parent == spans["train"].context
    assert [link.context for link in spans["train"].links] == [spans["load"].context, spans["choose"].context]
    assert [link.context for link in spans["load"].links] == [spans["choose"].context]
    attributes = spans["choose"].attributes
    assert attributes["crucible.alternatives"] == ["a", "b"]
    assert attributes["crucible.confidence"] == 0.5
    assert attributes["crucible.category"] == "reasoning"
    assert attributes["crucible.chain.name"] == "chain"
    assert spans["train"].attributes["crucible.depends_on"] == ["loaded", "choose", "gone"]
    assert spans["train"].attributes["crucible.end.decision"] == "trained"
    assert spans["train"].attributes["crucible.end.metadata"] == '{"a":{"b":[1]}}'
    assert spans["epoch"].attributes["crucible.metadata.loss"] == 0.5
    assert {span.context.trace_id for span in spans.values()} == {spans["load"].context.trace_id}
    assert spans["load"].resource.attributes["service.name"] == "crucible"
    assert {span.status.status_code for span in spans.values()} == {StatusCode.UNSET}


def test_failures_are_errors_with_the_exception() -> None:
    """Status ERROR, and an exception event at the end with type, message and traceback."""
    told = {"error_type": "ValueError", "error": "bad", "traceback": "Traceback …"}
    spans = by_id(
        otel_spans(
            chain_of(
                event("stage_started", "go", 0),
                event("stage_failed", "broke", 2, parent_id="go", metadata=told),
                event("request_failed", "alone", 3),
            )
        )
    )
    for name, end in (("go", 2), ("alone", 3)):
        assert spans[name].status.status_code is StatusCode.ERROR
        (exception,) = spans[name].events
        assert exception.name == "exception"
        assert exception.timestamp == START_NS + end * 10**9
    assert spans["go"].status.description == "broke"
    assert dict(spans["go"].events[0].attributes) == {
        "exception.type": "ValueError",
        "exception.message": "bad",
        "exception.stacktrace": "Traceback …",
    }
    assert dict(spans["alone"].events[0].attributes) == {"exception.message": "because"}


def test_ends_find_their_beginnings() -> None:
    """By parent first; else the latest open one of the same kind, stage, experiment, parent, epoch and worker."""
    pairs = otel_spans(
        chain_of(
            event("stage_start", "outer", 0, stage_id="a"),  # an alias
            event("stage_started", "twin", 1, stage_id="b"),
            event("stage_started", "inner", 2, stage_id="a"),
            event("stage_complete", "inner ends", 3, stage_id="a"),
            event("stage_completed", "twin ends", 4, stage_id="b"),
            event("stage_failed", "outer ends", 5, stage_id="a"),
            event("stage_completed", "nobody's", 6, stage_id="a"),
            event("training_completed", "other kind", 7, parent_id="outer"),
            event("epoch_started", "e1", 8, metadata={"epoch": 1}),
            event("epoch_started", "e2", 8, metadata={"epoch": 2}),
            event("epoch_completed", "e1 ends", 9, metadata={"epoch": 1}),
        )
    )
    ends = {name: (span.attributes or {}).get("crucible.end.event_id") for name, span in by_id(pairs).items()}
    assert ends == {
        "outer": "outer ends",
        "twin": "twin ends",
        "inner": "inner ends",
        "nobody's": None,
        "other kind": None,
        "e1": "e1 ends",
        "e2": None,
    }


def test_what_never_ended_lasts_until_the_last_event_below_it() -> None:
    """And says that it is unfinished; what has nothing below it has no length."""
    spans = by_id(
        otel_spans(
            chain_of(
                event("stage_started", "run", 0),
                event("training_started", "train", 1, parent_id="run"),
                event("loss_computed", "loss", 30, parent_id="train"),
                event("loss_computed", "early", 20, parent_id="run"),
                event("epoch_started", "epoch", 25, parent_id="loss"),
            )
        )
    )
    assert [seconds(spans[name]) for name in ("run", "train", "epoch")] == [(0, 30), (1, 30), (25, 25)]
    assert all(spans[name].attributes["crucible.unfinished"] is True for name in ("run", "train", "epoch"))
    assert "crucible.unfinished" not in spans["loss"].attributes


def test_missing_parents_and_cycles_are_marked() -> None:
    """A parent that is missing or would close a circle is no parent; what was written stays in the attributes."""
    spans = by_id(
        otel_spans(
            chain_of(
                event("decision_made", "lost", 0, parent_id="gone"),
                event("decision_made", "self", 0, parent_id="self", depends_on=["self"]),
                event("decision_made", "below", 0, parent_id="b"),
                event("decision_made", "a", 0, parent_id="b", depends_on=["b"]),
                event("decision_made", "b", 0, parent_id="a", depends_on=["a"]),
            )
        )
    )
    assert spans["lost"].parent is None
    assert spans["lost"].attributes["crucible.parent_missing"] is True
    assert spans["lost"].attributes["crucible.parent_id"] == "gone"
    assert spans["self"].parent is None
    assert list(spans["self"].links) == []
    assert spans["a"].parent is None
    assert spans["a"].attributes["crucible.parent_in_cycle"] is True
    assert spans["b"].parent == spans["a"].context
    assert spans["below"].parent == spans["b"].context
    assert "crucible.parent_in_cycle" not in spans["b"].attributes


def test_ids_are_derived() -> None:
    """The same chain gives the same ids, another chain others; repeated ids do not collide; links mean the first."""
    events = [
        event("decision_made", "same"),
        event("decision_made", "same"),
        event("decision_made", "x", depends_on=["same"]),
    ]
    once, twice = otel_spans(chain_of(*events)), otel_spans(chain_of(*events))
    assert [span.context for span in once] == [span.context for span in twice]
    assert len({span.context.span_id for span in once if span.context}) == 3
    other = Chain("chain", id="d" * 32)
    other._append(events[0])
    assert otel_spans(other)[0].context not in [span.context for span in once]
    assert [link.context for link in once[2].links] == [once[0].context]


def test_the_console_exporter_prints_every_span() -> None:
    """Its text is JSON, whatever is in the chain."""
    out = io.StringIO()
    nasty = Event.new(
        "\ud800", "\0\ud800", "\x1b[0m", metadata={"\ud800": float("nan"), "big": 2**70, "n": None}, id="\ud800"
    )
    before_1970 = Event.new("x", "old", "r", timestamp=datetime(1960, 1, 1, tzinfo=UTC))
    empty = Event("", START, "", "", "")
    count = export_otel(
        chain_of(nasty, before_1970, empty), ConsoleSpanExporter(out=out, formatter=lambda s: s.to_json(None) + "\n")
    )
    printed = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(printed) == count == 3
    assert printed[0]["attributes"]["crucible.decision"] == "\0\\ud800"
    assert printed[0]["attributes"]["crucible.metadata.big"] == hex(2**70)
    assert printed[1]["attributes"]["crucible.timestamp"].startswith("1960")


def test_many_spans_go_in_batches() -> None:
    """An exporter never gets more than 512 at once, and an empty chain is no call."""

    class Counting(InMemorySpanExporter):
        sizes: ClassVar[list[int]] = []

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            self.sizes.append(len(spans))
            return super().export(spans)

    exporter = Counting()
    assert export_otel(chain_of(*(event("decision_made", f"{n}") for n in range(1100))), exporter) == 1100
    assert exporter.sizes == [512, 512, 76]
    assert export_otel(Chain("empty"), exporter) == 0


def test_a_failed_export_is_an_error() -> None:
    """What the exporter could not send is not passed over."""

    class Failing(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.FAILURE

    with pytest.raises(StoreError, match="Failing could not export the spans from 0 on, of 1"):
        export_otel(chain_of(event("decision_made", "x")), Failing())


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the SDK the error says what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MissingExtra, match="otel"):
        otel_spans(Chain("x"))


IDS = st.sampled_from(["a", "b", "c", "d", "gone"])
EVENTS = st.builds(
    Event,
    IDS,
    st.integers(-(10**7), 10**7).map(lambda us: START + timedelta(microseconds=us)),
    st.sampled_from(["stage_started", "stage_completed", "stage_failed", "decision_made", "epoch_completed"]),
    st.text(max_size=5),
    st.text(max_size=5),
    metadata=st.sampled_from([{}, {"duration_ns": 5}, {"duration_s": -1}, {"duration_ms": float("inf")}]),
    parent_id=st.one_of(st.none(), IDS),
    depends_on=st.lists(IDS, max_size=3).map(tuple),
)


@given(events=st.lists(EVENTS, max_size=12))
def test_any_chain_is_a_forest_of_spans(events: list[Event]) -> None:
    """Every event is in exactly one span, ids differ, times run forward, and parents form no circle."""
    chain = chain_of(*events)
    spans = otel_spans(chain)
    ends = sum("crucible.end.event_id" in (span.attributes or {}) for span in spans)
    assert len(spans) + ends == len(events)
    parents = {span.context.span_id: span.parent.span_id if span.parent else None for span in spans if span.context}
    assert len(parents) == len(spans)
    for span in spans:
        assert seconds(span)[0] <= seconds(span)[1]
        json.loads(span.to_json())
        at, seen = span.context.span_id if span.context else None, set()
        while at is not None:
            assert at not in seen
            seen.add(at)
            at = parents[at]


def test_a_deep_chain_is_no_trouble() -> None:
    """Five thousand events below each other need no recursion."""
    events = [event("stage_started", f"{n}", n, parent_id=f"{n - 1}" if n else None) for n in range(5_000)]
    spans = otel_spans(chain_of(*events))
    assert seconds(spans[0]) == (0, 4_999)


def test_trainings_that_overlap_end_their_own() -> None:
    """Two that run at once are told apart by model, name or fold; an end that names none ends the latest."""
    for name, model_key in (("model", "model_name"), ("model_name", "model"), ("name", "name"), ("fold", "fold")):
        spans = by_id(
            otel_spans(
                chain_of(
                    event("training_started", "A", 0, metadata={name: 1}),
                    event("training_started", "B", 1, metadata={name: 2}),
                    event("training_completed", "A done", 2, metadata={model_key: 1}),
                    event("training_failed", "B failed", 3, metadata={model_key: 2, "error": "x"}),
                )
            )
        )
        assert spans["A"].attributes["crucible.end.decision"] == "A done"
        assert spans["B"].attributes["crucible.end.decision"] == "B failed"
    spans = by_id(
        otel_spans(
            chain_of(
                event("training_started", "A", 0, metadata={"model": "a"}),
                event("training_started", "B", 1, metadata={"model": "b"}),
                event("training_completed", "unsaid", 2),
                event("training_completed", "C done", 3, metadata={"model": "c"}),
                event("training_completed", "last", 4),
            )
        )
    )
    assert spans["B"].attributes["crucible.end.decision"] == "unsaid"
    assert "crucible.end.decision" not in spans["C done"].attributes
    assert spans["A"].attributes["crucible.end.decision"] == "last"


def test_durations_beyond_time_itself() -> None:
    """A duration that no float holds counts for none; one that leads before the year 1 ends there; NumPy's count."""
    spans = otel_spans(
        chain_of(
            event("stage_completed", "huge", 9, metadata={"duration_s": 10**400}),
            event("stage_completed", "numpy", 9, metadata={"duration_s": np.float32(2)}),
            Event.new(
                "stage_completed", "old", "r", timestamp=datetime(1, 1, 1, tzinfo=UTC), metadata={"duration_s": 5}
            ),
        )
    )
    assert seconds(spans[0]) == (9, 9)
    assert seconds(spans[1]) == (7, 9)
    assert (spans[2].start_time, spans[2].end_time) == (0, 0)


def test_attributes_hold_what_opentelemetry_can() -> None:
    """Integers beyond signed 64 bits are words on both sides, odd fields are words, and no exporter fails on them."""
    values = {"low": -(2**63), "under": -(2**63) - 1, "over": 2**63, "far": -(2**70), "high": 2**63 - 1}
    odd = Event.new("decision_made", None, "r", confidence="high", metadata=values)  # type: ignore[arg-type]
    odder = Event("o", START, "x", {"a": 1}, "r", alternatives=(1, None), confidence=2**64)  # type: ignore[arg-type]
    spans = otel_spans(chain_of(odd, odder))
    told: Any = spans[0].attributes
    assert {name: told[f"crucible.metadata.{name}"] for name in values} == {
        **values,
        "under": "-0x8000000000000001",
        "over": "0x8000000000000000",
        "far": hex(-(2**70)),
    }
    assert told["crucible.confidence"] == "high"
    odder_told: Any = spans[1].attributes
    assert odder_told["crucible.decision"] == '{"a":1}'
    assert odder_told["crucible.alternatives"] == ["1", "null"]
    assert [json.loads(span.to_json()) for span in spans]
