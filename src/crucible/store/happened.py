"""What happened in a run, as rows: telemetry and trace, on their way into the store. Texts are encoded already."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

__all__ = ["EventRow", "Happened", "PointRow", "TraceRow"]

EventRow = tuple[str, str, int, str | None, int | None, str | None, str | None, str, str]
"""run_id, name, timestamp_ns, stage, stage_index, span_id, parent_span_id, measurements_json, metadata_json."""

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
