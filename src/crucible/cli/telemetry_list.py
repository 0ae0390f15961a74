"""The command `crucible telemetry list`: which recordings there are, the newest first, without looking into them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from crucible.cli.access import JsonOption, StoreOption, reading_store
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.telemetry_source import Recording, of_experiment, of_run
from crucible.cli.telemetry_tables import Column, print_table
from crucible.cli.telemetry_words import print_data, took, when, word
from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.store import EventQuery, RunQuery, Store

__all__ = ["telemetry_list"]

_COUNTED = 10_000  # events that are counted one by one; of more it is only said that there are more
_PAGE = 40
_STATUSES = ("running", "paused", "stopped", "archived", "completed", "failed", "cancelled", "interrupted")
_KINDS = ("experiment", "run")

_COLUMNS = (
    Column("recording"),
    Column("name", folds=14),
    Column("what", gives_way=4),
    Column("status", folds=11),
    Column("started"),
    Column("wall", is_number=True, gives_way=1),
    Column("active", is_number=True, gives_way=3),
    Column("events", is_number=True),
    Column("series", is_number=True, gives_way=2),
    Column("tags", folds=8, gives_way=5),
)


@handled
def telemetry_list(
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 20,
    name: Annotated[str | None, typer.Option(help="Recordings whose name contains this.")] = None,
    status: Annotated[list[str] | None, typer.Option(help=f"{', '.join(_STATUSES)}; repeatable.")] = None,
    tag: Annotated[str | None, typer.Option(help="Recordings with this tag.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only experiments, or only runs: experiment, run.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List telemetry experiments, and runs that have telemetry, newest first."""
    for given in status or ():
        _check("--status", given, _STATUSES)
    if kind is not None:
        _check("--kind", kind, _KINDS)
    wanted = _Wanted(name=(name or "").casefold(), statuses=tuple(status or ()), tag=tag)
    with reading_store(store) as opened:
        parts = [
            _experiments(opened, wanted, limit) if kind != "run" else iter(()),
            _runs(opened, wanted) if kind != "experiment" else iter(()),
        ]
        newest = heapq.merge(*parts, key=lambda entry: entry.started_at or "", reverse=True)
        found = [(entry, *_counts(opened, entry.id)) for entry in islice(newest, limit)]
    if as_json:
        print_data(
            [
                {
                    **msgspec.structs.asdict(entry),
                    "events": min(events, _COUNTED),
                    "events_are_more": events > _COUNTED,
                    "series": series,
                }
                for entry, events, series in found
            ]
        )
        return
    console = make_console()
    if not found:
        console.print(Text("nothing was recorded yet" if wanted == _Wanted() and kind is None else "no recording fits"))
        return
    print_table(console, "", _COLUMNS, [_row(*each) for each in found])


def _row(entry: Recording, events: int, series: int) -> tuple[str, ...]:
    return (
        word(entry.id, 40),
        word(entry.name, 48),
        entry.what,
        entry.standing,
        when(entry.started_at, "%Y-%m-%d %H:%M"),
        took(entry.wall_ns),
        took(entry.active_ns),
        f"{_COUNTED:,}+" if events > _COUNTED else f"{events:,}",
        f"{series:,}",
        ", ".join(word(tag, 20) for tag in entry.tags[:5]) + (" …" if len(entry.tags) > 5 else ""),
    )


class _Wanted(msgspec.Struct, frozen=True):
    """Which recordings; what is empty does not matter."""

    name: str = ""
    statuses: tuple[str, ...] = ()
    tag: str | None = None

    def fits(self, entry: Recording) -> bool:
        return (
            self.name in entry.name.casefold()
            and (not self.statuses or entry.status in self.statuses)
            and (self.tag is None or self.tag in entry.tags)
        )


def _check(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise SpecError(f'{option} must be one of {", ".join(known)}, got "{given}"{did_you_mean(given, known)}')


def _experiments(store: Store, wanted: _Wanted, limit: int) -> Iterator[Recording]:
    infos = store.telemetry.experiments.list(limit=limit if wanted == _Wanted() else None)
    return filter(wanted.fits, map(of_experiment, infos))


def _runs(store: Store, wanted: _Wanted) -> Iterator[Recording]:
    """Yield the runs that have telemetry, the newest first, reading them as they are asked for."""
    seen: set[str] = set()
    size = _PAGE
    while True:
        page = store.runs.list(RunQuery(limit=size))
        for run in page:
            if run.run_id not in seen:
                seen.add(run.run_id)
                entry = of_run(run)
                if wanted.fits(entry) and _has_telemetry(store, run.run_id):
                    yield entry
        if len(page) < size:
            return
        size *= 8


def _has_telemetry(store: Store, run_id: str) -> bool:
    one = next(store.telemetry.select(EventQuery(run_id=run_id, limit=1)), None)
    return one is not None or bool(store.telemetry.series(run_id))


def _counts(store: Store, run_id: str) -> tuple[int, int]:
    """Return how many events a recording has, at most one more than are counted, and how many series."""
    beyond = EventQuery(run_id=run_id, limit=1, offset=_COUNTED)  # the index is walked, no event but this one is read
    has_more = next(store.telemetry.select(beyond), None) is not None
    events = _COUNTED + 1 if has_more else store.telemetry.count(EventQuery(run_id=run_id))
    return events, len(store.telemetry.series(run_id))
