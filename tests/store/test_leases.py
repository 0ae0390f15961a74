"""A run has one owner at a time: leases, claims, and the fence behind a process that was away too long."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from crucible.errors import StoreError
from crucible.pipeline import ContextDelta, Failure, RunInfo, StageRecord
from crucible.store import Happened, Heartbeat, Store, event_row, open_store, tables
from crucible.store.owner import Owner, current_owner
from crucible.trace import Event
from crucible.trace.stored.chain_row import row_of

START = datetime(2026, 1, 1, tzinfo=UTC)
RUN = RunInfo("r", "e", {"id": "e"})
TRACE_ROW = row_of(Event.new("decision", "d", "r"))
DONE = StageRecord(0, "train", "ok", started_at="2026-01-01T00:00:01+00:00", duration_ns=5)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """One clock for all stores of a test."""
    return Clock()


@pytest.fixture
def two(url: str, clock: Clock) -> Iterator[tuple[Store, Store]]:
    """Two openings of one store with the same clock: ours, and that of another process."""
    with open_store(url, clock=clock) as ours, open_store(url, clock=clock) as theirs:
        yield ours, theirs


def move_owner(store: Store, run_id: str, **changes: Any) -> None:
    """Write down another process as the owner of a run."""
    owner = msgspec.structs.replace(current_owner(), **changes)
    change = {"owner_pid": owner.pid, "owner_host": owner.host, "owner_started": owner.started}
    with store.database.writing("pretend") as connection:
        connection.execute(update(tables.runs).where(tables.runs.c.run_id == run_id), change)


def test_a_run_that_cannot_be_seen_lives_as_long_as_its_lease(two: tuple[Store, Store], clock: Clock) -> None:
    """A minute after the last sign of life of a process elsewhere, its run is an orphan; not a second before."""
    ours, theirs = two
    ours.runs.run_started(RUN)
    move_owner(ours, "r", host="elsewhere")
    ours.runs.stage_started("r", msgspec.structs.replace(DONE, status="running"))
    clock.forward(59)
    assert theirs.runs.mark_orphans() == []
    assert ours.runs.renew_lease("r") == "renewed"
    clock.forward(59)
    assert theirs.runs.run("r").status == "running"
    with pytest.raises(StoreError, match="still running .* on elsewhere"):
        theirs.runs.claim_for_resume("r")
    clock.forward(2)
    assert theirs.runs.run("r").status == "interrupted"
    assert theirs.runs.mark_orphans() == ["r"]
    assert theirs.runs.stages("r")[0].status == "cancelled"


def test_a_process_that_is_seen_to_live_needs_no_lease(two: tuple[Store, Store], clock: Clock) -> None:
    """A laptop that slept for a night has not lost its run to a look at the list."""
    ours, theirs = two
    ours.runs.run_started(RUN)
    clock.forward(10**6)
    assert theirs.runs.mark_orphans() == []
    assert theirs.runs.run("r").status == "running"


def test_a_process_that_is_seen_to_be_gone_has_no_lease(two: tuple[Store, Store]) -> None:
    """Nobody waits a minute for what is known to be dead."""
    ours, theirs = two
    ours.runs.run_started(RUN)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    move_owner(ours, "r", pid=child.pid)
    assert theirs.runs.mark_orphans() == ["r"]


def test_a_run_of_the_first_version_has_no_lease(two: tuple[Store, Store]) -> None:
    """It counts as expired where its process cannot be seen."""
    ours, theirs = two
    ours.runs.run_started(RUN)
    move_owner(ours, "r", host="elsewhere")
    with ours.database.writing("pretend") as connection:
        connection.execute(update(tables.runs), {"lease_expires_at": None})
    assert theirs.runs.run("r").lease_expires_at is None
    assert theirs.runs.mark_orphans() == ["r"]


def test_a_mark_is_taken_back_by_a_sign_of_life(two: tuple[Store, Store], clock: Clock) -> None:
    """A process that was away, but whose run nobody claimed, goes on, and its stage ends as it ends."""
    ours, theirs = two
    ours.runs.run_started(RUN)
    ours.runs.stage_started("r", msgspec.structs.replace(DONE, status="running"))
    move_owner(ours, "r", host="elsewhere")
    clock.forward(61)
    theirs.runs.mark_orphans()
    ours.runs.stage_finished("r", DONE, ContextDelta())
    assert ours.runs.renew_lease("r") == "renewed"
    assert theirs.runs.run("r").status == "running"
    assert [stage.status for stage in theirs.runs.stages("r")] == ["ok"]
    ours.runs.run_finished("r", "completed", None)
    assert ours.runs.renew_lease("r") == "lost"
    assert theirs.runs.run("r").status == "completed"


def test_who_was_away_too_long_writes_nothing_more(two: tuple[Store, Store], clock: Clock) -> None:
    """After another process claimed the run, every write of the first is refused, and nothing of it is kept."""
    ours, theirs = two
    ours.runs.run_started(RUN)
    ours.telemetry.write_events([], [("r", "loss", 1, 1.0, 0)])
    move_owner(ours, "r", host="elsewhere")
    clock.forward(61)
    assert theirs.runs.claim_for_resume("r").attempt == 2
    theirs.runs.run_started(RUN)
    event = event_row("r", "x", 1)
    happened = Happened([event], [("r", "loss", 1, 9.0, 0)], "c", "n", [TRACE_ROW])
    for write in (
        lambda: ours.runs.stage_started("r", DONE),
        lambda: ours.runs.stage_finished("r", DONE, ContextDelta({"n": 1}), happened),
        lambda: ours.runs.run_finished("r", "completed", None),
        lambda: ours.telemetry.write_events([event], [("r", "loss", 1, 9.0, 0)]),
        lambda: ours.traces.save_rows("r", "c", "n", [TRACE_ROW]),
    ):
        with pytest.raises(StoreError, match=rf"r was taken over by process {os.getpid()} .*attempt 2.*\(attempt 1\)"):
            write()
    assert ours.runs.renew_lease("r") == "lost"
    assert theirs.runs.stages("r") == []
    assert theirs.telemetry.points("r", "loss") == [(1, 1.0)]
    assert theirs.traces.load("r") == []
    theirs.runs.stage_finished("r", DONE, ContextDelta({"n": 2}), happened)
    assert theirs.runs.snapshot("r").metrics == {"n": 2}
    assert theirs.telemetry.points("r", "loss") == [(1, 9.0)]


def test_only_who_started_a_run_writes_for_it(two: tuple[Store, Store]) -> None:
    """Another process may not, though nobody was away, and no other opening of the store in the same process either."""
    ours, theirs = two
    ours.runs.run_started(RUN)
    for write in (
        lambda: theirs.runs.stage_finished("r", DONE, ContextDelta()),
        lambda: theirs.runs.run_finished("r", "failed", None),
    ):
        with pytest.raises(StoreError, match="r belongs to another run of this process, which used its id first"):
            write()
    move_owner(ours, "r", pid=1)
    with pytest.raises(StoreError, match="r belongs to process 1 on .*; only who started or resumed a run"):
        theirs.runs.stage_started("r", DONE)
    assert ours.runs.stages("r") == []
    ours.runs.run_finished("r", "completed", None)


def test_a_claim_is_good_for_one_start(two: tuple[Store, Store]) -> None:
    """Who claimed the run goes on with it once; nobody else does under its id, also in the same process."""
    ours, theirs = two
    ours.runs.run_started(RUN)
    ours.runs.run_finished("r", "failed", None)
    theirs.runs.claim_for_resume("r")
    with pytest.raises(StoreError, match=r"r exists already \(running\)"):
        ours.runs.run_started(RUN)
    theirs.runs.run_started(RUN)
    with pytest.raises(StoreError, match=r"r exists already \(running\)"):
        theirs.runs.run_started(RUN)


def test_a_claim_is_given_back_until_its_run_begins(two: tuple[Store, Store]) -> None:
    """The run stands as before and may be claimed again as a new attempt; what has begun is not given back."""
    ours, theirs = two
    ours.runs.run_started(RUN)
    ours.runs.run_finished("r", "failed", Failure("E", "m"))
    before = ours.runs.run("r")
    assert not ours.runs.give_back("r")
    ours.runs.claim_for_resume("r")
    assert ours.runs.give_back("r")
    assert not ours.runs.give_back("r")
    after = theirs.runs.run("r")
    assert (after.status, after.finished_at, after.failure) == (before.status, before.finished_at, before.failure)
    with pytest.raises(StoreError, match="belongs to another run of this process"):
        ours.runs.stage_started("r", DONE)
    assert theirs.runs.claim_for_resume("r").attempt == 3
    theirs.runs.run_started(RUN)
    assert not theirs.runs.give_back("r")
    assert theirs.runs.run("r").status == "running"
    ours.runs.claim_for_resume("r", force=True)
    assert ours.runs.give_back("r")
    assert theirs.runs.run("r").status == "interrupted"
    with pytest.raises(StoreError, match="taken over"):
        theirs.runs.stage_started("r", DONE)


def test_a_claim_waits_for_the_write_under_way(two: tuple[Store, Store]) -> None:
    """What one process is about to keep is kept before another becomes the owner, so that the two never mix."""
    ours, theirs = two
    ours.runs.run_started(RUN)
    claimed = threading.Thread(target=lambda: theirs.runs.claim_for_resume("r", force=True))
    with ours.database.writer.transaction("look") as cursor:
        ours.runs._parts.fence.check(cursor, "r")
        claimed.start()
        claimed.join(0.3)
        assert claimed.is_alive()
    claimed.join(30)
    assert ours.runs.run("r").attempt == 2


def test_the_heartbeat_renews_the_lease_while_a_stage_is_slow(url: str) -> None:
    """The lease ends later and later though nothing else is written, until it is stopped."""
    with open_store(url, lease_s=0.2) as store:
        store.runs.run_started(RUN)
        beat = Heartbeat(store.runs, "r", on_lost=pytest.fail)
        beat.start()
        beat.start()
        first = store.runs.run("r").lease_expires_at or ""
        waited = threading.Event()
        for _ in range(200):
            if (store.runs.run("r").lease_expires_at or "") > first:
                break
            waited.wait(0.05)
        beat.stop()
        beat.stop()
        last = store.runs.run("r").lease_expires_at or ""
        assert last > first
        waited.wait(0.2)
        assert store.runs.run("r").lease_expires_at == last


def test_the_heartbeat_tells_that_the_run_was_lost(url: str, opened: Callable[[], Store]) -> None:
    """Once, with a sentence that says what happened; it may end itself from there."""
    told: list[StoreError] = []
    lost = threading.Event()

    def on_lost(error: StoreError) -> None:
        told.append(error)
        beat.stop()
        lost.set()

    with open_store(url, lease_s=0.1) as store:
        store.runs.run_started(RUN)
        opened().runs.claim_for_resume("r", force=True)
        beat = Heartbeat(store.runs, "r", on_lost=on_lost)
        beat.start()
        assert lost.wait(30)
        beat.stop()
    assert [str(error)[:38] for error in told] == ["run r was taken over by another proces"]


def test_the_heartbeat_survives_a_beat_that_failed(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that was locked for a moment costs a beat, not the run."""
    beats: list[str] = []
    again = threading.Event()
    with open_store(tmp_path, lease_s=0.05) as store:
        store.runs.run_started(RUN)
        renew = store.runs.renew_lease

        def fragile(run_id: str) -> str:
            beats.append(run_id)
            if len(beats) == 1:
                raise StoreError("locked")
            again.set()
            return renew(run_id)

        monkeypatch.setattr(store.runs, "renew_lease", fragile)
        beat = Heartbeat(store.runs, "r", on_lost=pytest.fail)
        beat.start()
        assert again.wait(30)
        beat.stop()


def test_owners_are_compared_whole() -> None:
    """A process id that was given out again is another owner."""
    assert current_owner() == current_owner()
    assert Owner(1, "a", "x") != Owner(1, "a", "y")
