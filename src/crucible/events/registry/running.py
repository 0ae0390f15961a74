"""Runs and their stages, and the trace of what was decided in them."""

from __future__ import annotations

from crucible.events.registry.entry import EventInfo
from crucible.events.registry.forms import ERROR, span_events

__all__ = ["EVENTS"]

_STAGE = {"stage": "name of the stage", "stage_index": "its place in the pipeline, from 0"}
_CHAIN = {"chain_id": "id of the chain", "chain_name": "its name"}
_KEPT = {**_CHAIN, "path": "the file, where there is one"}


def _traced(
    name: str, description: str, emitted_by: str, measurements: dict[str, str], metadata: dict[str, str]
) -> EventInfo:
    """Return an entry that the predecessor's spelling finds, too."""
    aliases = (f"causal_trace.{name}",)
    return EventInfo(f"crucible_trace.{name}", "trace", description, emitted_by, measurements, aliases, metadata)


EVENTS: tuple[EventInfo, ...] = (
    EventInfo(
        "crucible_telemetry.anomaly.detected",
        "telemetry",
        "A value is out of the ordinary, where that is to be told (`action: alert`).",
        "telemetry",
        {"value": "1", "score": "1", "threshold": "1"},
        metadata={
            "metric": "the field or the series",
            "method": "which detector says so",
            "severity": "warning or critical",
            "direction": "above or below what was expected",
            "index": "the value's place among those of its stream, from 0",
        },
    ),
    EventInfo(
        "crucible_telemetry.alert.raised",
        "telemetry",
        "A condition of an alert rule was fulfilled.",
        "telemetry",
        {"value": "1"},
        metadata={
            "rule": "the rule's name",
            "severity": "info, warning or critical",
            "message": "the rule's message, or what the condition saw",
            "condition": "the condition in words",
            "metric": "the field, the series, or the event that is absent",
        },
    ),
    *span_events(
        "crucible_framework.pipeline",
        "framework",
        ("Pipeline execution started.", "Pipeline execution completed.", "Pipeline execution failed."),
        "pipeline",
        metadata={"stages": "entries of the pipeline"},
    ),
    *span_events(
        "crucible_framework.stage",
        "framework",
        ("Stage execution started.", "Stage execution completed.", "Stage execution failed."),
        "pipeline",
        measures={"attempts": "1"},
        also_failing=("attempts",),
        metadata=_STAGE,
    ),
    EventInfo(
        "crucible_framework.stage.retry",
        "framework",
        "An attempt at a stage failed, and another follows.",
        "pipeline",
        {"attempt": "1", "wait_s": "s"},
        metadata={**_STAGE, **ERROR},
    ),
    EventInfo("crucible_framework.run.cancelling", "framework", "The run was asked to stop.", "pipeline"),
    _traced(
        "event.created",
        "Causal reasoning event created.",
        "trace",
        {},
        {
            "event_id": "id of the event",
            "event_type": "its type, such as decision_made",
            "decision": "what was decided",
            "confidence": "from 0 to 1, None where nobody stated one",
            "stage_id": "stage that it belongs to",
            "experiment_id": "experiment that it belongs to",
        },
    ),
    _traced(
        "decision.made",
        "Decision taken, with reason and alternatives.",
        "events",
        {},
        {
            "decision": "what was decided",
            "reasoning": "why",
            "alternatives": "what was not chosen",
            "confidence": "from 0 to 1, None where nobody measured one",
            "type": "type of the trace's event",
        },
    ),
    _traced("chain.created", "Chain of a trace made.", "trace", {"event_count": "1"}, _CHAIN),
    _traced("chain.saved", "Chain of a trace saved.", "trace", {"event_count": "1"}, _KEPT),
    _traced("chain.loaded", "Chain of a trace loaded.", "trace", {"event_count": "1"}, _KEPT),
)
