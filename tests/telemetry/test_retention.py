"""Old experiments go, archived first where that is wanted; what goes on, and what a rule keeps, stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crucible import events
from crucible.errors import SpecError
from crucible.store import Store, open_store
from crucible.telemetry import Experiment, Recorded, Retention, restore, retain

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def aged(tmp_path: Path) -> Store:
    """A store with experiments that ended 30, 20 and 10 days ago, and one that goes on."""
    moment = [NOW]
    store = open_store(tmp_path / "s", clock=lambda: moment[0])
    for days in (30, 20, 10):
        moment[0] = NOW - timedelta(days=days)
        with Experiment.start(f"d{days}", store=store, clock=lambda: moment[0]) as experiment:
            experiment.log_metric("loss", float(days))
            events.emit("x")
    moment[0] = NOW - timedelta(days=40)
    Experiment.start("on", store=store, clock=lambda: moment[0]).leave()
    moment[0] = NOW
    return store


def names(store: Store) -> list[str]:
    """Return the names of what is left, sorted."""
    return sorted(info.name for info in store.telemetry.experiments.list())


def test_the_old_go_and_the_late_stay(aged: Store, tmp_path: Path) -> None:
    """A dry run says what would go; then it goes, with an archive of it that comes back whole."""
    pytest.importorskip("pyarrow")
    rule = Retention(older_than=timedelta(days=15), archive_to=tmp_path / "archive")
    planned = retain(aged, rule, now=NOW)
    assert [info.name for info in planned.experiments] == ["d30", "d20"]
    assert names(aged) == ["d10", "d20", "d30", "on"]
    done = retain(aged, rule, now=NOW, dry_run=False)
    assert [info.id for info in done.experiments] == [info.id for info in planned.experiments]
    assert names(aged) == ["d10", "on"]
    assert Recorded(planned.experiments[0].id, aged).count() == 0
    restored = restore(tmp_path / "archive", aged)
    assert sorted(info.name for info in restored) == ["d20", "d30"]
    assert Recorded(planned.experiments[0].id, aged).points("loss").values.tolist() == [30.0]


def test_the_latest_are_kept_whatever_their_age(aged: Store) -> None:
    """`keep_last` counts from the latest start; without a rule nothing goes."""
    assert retain(aged, Retention(), now=NOW, dry_run=False).experiments == ()
    retain(aged, Retention(keep_last=1, older_than=timedelta(days=1)), now=NOW, dry_run=False)
    assert names(aged) == ["d10", "on"]
    with pytest.raises(SpecError, match="keep_last is a count"):
        retain(aged, Retention(keep_last=-1))


def test_events_may_go_before_their_experiment(aged: Store) -> None:
    """Old events are pruned and counted; series stay whole."""
    later = datetime.now(UTC) + timedelta(days=2)
    rule = Retention(events_older_than=timedelta(days=1))
    assert retain(aged, rule, now=later).events == 3
    assert retain(aged, rule, now=later, dry_run=False).events == 2  # the store's very latest one stays
    left = Recorded(aged.telemetry.experiments.list(name="d20")[0].id, aged)
    assert (left.count(), len(left.points("loss"))) == (0, 1)
