"""What is kept for how long: old experiments go, archived first where that is wanted; old events may go before them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from crucible.errors import SpecError
from crucible.store import EventQuery, ExperimentInfo, Store
from crucible.telemetry.recorded import Recorded

__all__ = ["Retained", "Retention", "retain"]


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of what is kept. Only telemetry experiments are looked at; the telemetry of runs goes with its runs.

    Args:
        older_than: Experiments that ended longer ago than this go; None: age does not matter.
        keep_last: The latest so many stay, whatever their age; None: none stays for being late. With neither of the
            two, no experiment goes.
        events_older_than: Events that happened longer ago than this go, also of experiments that stay; their series
            stay whole. None: events go with their experiment.
        archive_to: Where experiments are archived before they go, as by `Recorded.archive`; None: nowhere.
    """

    older_than: timedelta | None = None
    keep_last: int | None = None
    events_older_than: timedelta | None = None
    archive_to: str | Path | None = None


class Retained(msgspec.Struct, frozen=True):
    """What went or, on a dry run, would go.

    Args:
        dry_run: Whether nothing was removed.
        experiments: Those that went, the oldest first.
        events: How many events of others went.
    """

    dry_run: bool
    experiments: tuple[ExperimentInfo, ...]
    events: int


def retain(store: Store, rule: Retention, *, now: datetime | None = None, dry_run: bool = True) -> Retained:
    """Remove what a rule no longer keeps; experiments that go on are never removed.

    Args:
        store: The store.
        rule: What is kept.
        now: The current time, aware; None: the system's.
        dry_run: Only say what would go.

    Raises:
        SpecError: The rule cannot be.
        StoreError: Something could not be archived or removed; what was removed before stays removed.
    """
    if rule.keep_last is not None and rule.keep_last < 0:
        raise SpecError(f"keep_last is a count, got {rule.keep_last}", path="keep_last")
    moment = now or datetime.now(UTC)
    latest_first = store.telemetry.experiments.list()
    going = [info for info in latest_first[rule.keep_last or 0 :] if _goes(info, rule, moment)][::-1]
    events = 0
    if rule.events_older_than is not None:
        before_ns = round((moment - rule.events_older_than).timestamp() * 1e9)
        gone = {info.id for info in going}
        for info in latest_first:
            if info.id not in gone:
                old = EventQuery(run_id=info.id, until_ns=before_ns)
                events += store.telemetry.count(old) if dry_run else store.telemetry.prune(info.id, before_ns)
    if not dry_run:
        for info in going:
            recorded = Recorded(info.id, store)
            if rule.archive_to is not None and info.status != "archived":
                recorded.archive(rule.archive_to)
            recorded.cleanup()
    return Retained(dry_run, tuple(going), events)


def _goes(info: ExperimentInfo, rule: Retention, now: datetime) -> bool:
    if info.stopped_at is None or (rule.older_than is None and rule.keep_last is None):
        return False
    return rule.older_than is None or datetime.fromisoformat(info.stopped_at) < now - rule.older_than
