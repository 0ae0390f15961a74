"""What happened when, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from crucible.pipeline import ContextDelta, Failure, RunInfo, StageRecord
from crucible.store import EventRow, Store, TimelineEntry, encode, event_row, open_store

START = datetime(2026, 1, 1, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9
S = 10**9


def at(seconds: float) -> str:
    """Return the time so many seconds after the run's start."""
    return (START + timedelta(seconds=seconds)).isoformat()


def event(name: str, seconds: int, **fields: Any) -> EventRow:
    """Return the row of an event that closes a span."""
    error = {"error": "boom"} if name.endswith("exception") else {}
    return event_row(
        "r",
        name,
        START_NS + seconds * S,
        stage="train",
        stage_index=0,
        span_id="s1",
        measurements_json=encode(fields),
        metadata_json=encode(error),
    )


def test_a_run_is_told_in_order(url: str) -> None:
    """Starts, attempts with their failures, skipped stages, the resumption and the end, each with its offset."""
    moment = [START]
    with open_store(url, clock=lambda: moment[0]) as store:
        runs = store.runs
        runs.run_started(RunInfo("r", "exp", {}))
        failure = Failure("OSError", "full", "Traceback …")
        runs.stage_finished("r", StageRecord(0, "train", "failed", None, 1, at(1), 2 * S, failure), ContextDelta())
        runs.stage_finished("r", StageRecord(1, "bench", "skipped", "enabled: false", 1, at(3)), ContextDelta())
        runs.run_finished("r", "failed", failure)
        runs.claim_for_resume("r")
        runs.stage_finished("r", StageRecord(0, "plan_b", "ok", None, 2, at(11), S), ContextDelta())
        starts = [event("crucible_framework.pipeline.start", second) for second in (0, 10)]
        store.telemetry.write_events([*starts, event("x.epoch.stop", 12, duration_ns=5), event("x.y.exception", 13)])
        moment[0] += timedelta(seconds=20)
        runs.run_finished("r", "completed", None)
        told = runs.timeline("r")
        assert told == [
            TimelineEntry("run_started", "exp", 0, attempt=1),
            TimelineEntry("stage_started", "train", S, index=0, attempt=1),
            TimelineEntry("stage_ended", "train", 3 * S, 2 * S, "failed", 0, 1, "OSError: full"),
            TimelineEntry("stage_ended", "bench", 3 * S, None, "skipped", 1, 1, "enabled: false"),
            TimelineEntry("run_resumed", "exp", 10 * S, attempt=2),
            TimelineEntry("stage_started", "plan_b", 11 * S, index=0, attempt=2),
            TimelineEntry("stage_ended", "plan_b", 12 * S, S, "ok", 0, 2),
            TimelineEntry("run_ended", "exp", 20 * S, 20 * S, "completed", attempt=2),
        ]
        spans = [entry for entry in runs.timeline("r", spans=True) if entry.kind == "event"]
        assert spans == [
            TimelineEntry("event", "x.epoch.stop", 12 * S, 5, index=0),
            TimelineEntry("event", "x.y.exception", 13 * S, None, index=0, detail="boom"),
        ]


def test_what_nobody_wrote_down_is_not_made_up(store: Store) -> None:
    """A stage whose process died has no end; a run that goes on has none; a record without a time comes last."""
    store.runs.run_started(RunInfo("r", "exp", {}))
    store.runs.stage_started("r", StageRecord(0, "train", "running", started_at="x"))
    assert [entry.kind for entry in store.runs.timeline("r")] == ["run_started", "stage_started"]
    store.runs.run_finished("r", "failed", Failure("E", "m"))
    told = store.runs.timeline("r")
    assert [entry.kind for entry in told] == ["run_started", "stage_started", "stage_ended", "run_ended"]
    lost = told[2]
    assert (lost.status, lost.offset_ns, lost.duration_ns) == ("cancelled", None, None)
    assert told[3].detail == "E: m"


def test_an_interrupted_run_ends_at_no_known_time(store: Store, url: str) -> None:
    """Nobody was there to look at the clock."""
    store.runs.run_started(RunInfo("r", "exp", {}))
    with store.database.writing("pretend") as connection:
        connection.exec_driver_sql("UPDATE runs SET status = 'interrupted'")
    ended = store.runs.timeline("r")[-1]
    assert (ended.kind, ended.status, ended.offset_ns, ended.duration_ns) == ("run_ended", "interrupted", None, None)


def test_what_died_ended_before_the_run_went_on(url: str) -> None:
    """The end of a killed process's stage has no time, and comes before the resumption and the attempt after it."""
    moment = [START]
    with open_store(url, clock=lambda: moment[0]) as store:
        runs = store.runs
        runs.run_started(RunInfo("r", "exp", {}))
        for index in (0, 1):
            runs.stage_started("r", StageRecord(index, f"s{index}", "running", None, 1, at(1)))
        runs.claim_for_resume("r", force=True)
        starts = [event("crucible_framework.pipeline.start", second) for second in (0, 10)]
        store.telemetry.write_events(starts)
        for index in (0, 1):
            runs.stage_finished("r", StageRecord(index, f"s{index}", "ok", None, 2, at(11), S), ContextDelta())
        runs.run_finished("r", "completed", None)
        told = [(entry.kind, entry.name, entry.attempt) for entry in runs.timeline("r")]
    assert told == [
        ("run_started", "exp", 1),
        ("stage_started", "s0", 1),
        ("stage_started", "s1", 1),
        ("stage_ended", "s0", 1),
        ("stage_ended", "s1", 1),
        ("run_resumed", "exp", 2),
        ("stage_started", "s0", 2),
        ("stage_started", "s1", 2),
        ("stage_ended", "s0", 2),
        ("stage_ended", "s1", 2),
        ("run_ended", "exp", 2),
    ]
