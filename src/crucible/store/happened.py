"""What happened in a run, as rows: telemetry and trace, on their way into the store. Texts are encoded already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

__all__ = ["ABSENT", "EventRow", "Happened", "PointRow", "TraceRow", "event_row"]

ABSENT: Final = ""
"""What stands for NULL in an `EventRow`: SQLite's driver takes nearly a microsecond for each None."""

EventRow = tuple[
    str,  # run_id
    str,  # name
    int,  # timestamp_ns
    str,  # stage
    int | str,  # stage_index
    str,  # span_id
    str,  # parent_span_id
    str,  # measurements_json
    str,  # metadata_json
    int,  # event_id
    str,  # correlation_id
    str,  # condition
    float | str,  # latency_ms
    float | str,  # cost_usd
    int | str,  # success
    str,  # fields_json
]
"""The columns of `telemetry_events` from `run_id` on, with `ABSENT` for NULL."""

PointRow = tuple[str, str, int, float, int]
"""run_id, series, step, value, timestamp_ns."""

TraceRow = tuple[
    str,  # event_id
    int,  # timestamp_us
    str,  # type
    str,  # decision
    str,  # reasoning
    str,  # alternatives_json
    float | None,  # confidence
    str | None,  # code_section
    str | None,  # spec_reference
    str,  # metadata_json
    str | None,  # parent_id
    str,  # depends_on_json
    str | None,  # stage_id
    str | None,  # experiment_id
    str | None,  # extra_json
    str | None,  # hash
    str | None,  # signature
]
"""The columns of `trace_events` from `event_id` on."""


def event_row(  # noqa: PLR0913  # a row has as many columns as it has
    run_id: str,
    name: str,
    timestamp_ns: int,
    *,
    event_id: int = 0,
    stage: str = ABSENT,
    stage_index: int | str = ABSENT,
    span_id: str = ABSENT,
    parent_span_id: str = ABSENT,
    correlation_id: str = ABSENT,
    condition: str = ABSENT,
    latency_ms: float | str = ABSENT,
    cost_usd: float | str = ABSENT,
    success: int | str = ABSENT,
    measurements_json: str = "{}",
    metadata_json: str = "{}",
    fields_json: str = ABSENT,
) -> EventRow:
    """Return the row of an event; the parameters are the columns."""
    found = (latency_ms, cost_usd, success, fields_json)
    where = (stage, stage_index, span_id, parent_span_id)
    texts = (measurements_json, metadata_json)
    return (run_id, name, timestamp_ns, *where, *texts, event_id, correlation_id, condition, *found)


class Happened(msgspec.Struct, frozen=True):
    """What happened in a run since the last time, to be kept together with the end of a stage.

    Args:
        events: Telemetry, in order.
        points: A later one replaces an earlier one of the same series and step.
        chain_id: The chain of the trace.
        chain_name: Its name.
        trace: Events of the trace, in order; a known id is replaced.
        integrity_json: Of a sealed chain, its ledger without the entries, as it stands after these events.
    """

    events: Sequence[EventRow] = ()
    points: Sequence[PointRow] = ()
    chain_id: str = ""
    chain_name: str = ""
    trace: Sequence[TraceRow] = ()
    integrity_json: str | None = None
