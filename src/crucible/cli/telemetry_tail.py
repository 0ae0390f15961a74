"""The command `crucible telemetry tail`: events and series of a recording, as they come, until it is over."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from crucible.cli.access import JsonOption, StoreOption, reading_store
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.telemetry_line import event_line, moment
from crucible.cli.telemetry_series import is_meant, matching
from crucible.cli.telemetry_source import RecordingArgument, described, recorded
from crucible.cli.telemetry_words import plain, shown, word
from crucible.errors import StoreError
from crucible.store import EventQuery, SeriesSummary, Store, StoredEvent

__all__ = ["telemetry_tail"]

_PAUSE_S = 0.25
_RESTS = 4  # times as long as a look took is waited before the next one, if that is more than the pause
_PATIENCE_S = 60.0
_PAGE = 1_000


@handled
def telemetry_tail(
    recording: RecordingArgument,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the latest events first.")] = 10,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Only events of this name, or prefix.*; repeatable.", show_default=False),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Follow the last value of this series, such as loss, instead of events (with --name: beside them); "
            "repeatable.",
            show_default=False,
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for more, until it is over.")] = True,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the latest events of a recording, then each that comes, until it is over or Ctrl-C (exit code 130).

    --json prints one JSON value a line.
    """
    with reading_store(store) as opened:
        found = recorded(opened, recording)
        tail = _Tail(opened, found.id, tuple(name or ()), tuple(metric or ()), has_events=bool(name) or not metric)
        show = _print_json if as_json else _Printer()
        if metric and not described(opened, found.id).goes_on:
            matching(metric, found.series())
        for item in tail.first(lines):
            show(item)
        if follow:
            _follow(tail, show)


def _follow(tail: _Tail, show: Any) -> None:
    """Show what comes, until the recording is over; a store that cannot be read for a moment is tried again."""
    since: float | None = None
    while True:
        began = time.monotonic()
        try:
            over = tail.over()  # before the look: what was written until then is seen by it
            for item in tail.new():
                show(item)
            since = None
        except StoreError as error:
            if since is None:
                since = began
                typer.echo(f"crucible: {error}; trying again", err=True)
            elif began - since > _PATIENCE_S:
                raise
            over = None
        if over is not None:
            typer.echo(over, err=True)
            return
        time.sleep(max(_PAUSE_S, _RESTS * (time.monotonic() - began) if since is None else _PAUSE_S))


class _Tail:
    """What is new in a recording since the last look.

    Args:
        store: Where it is kept.
        recording_id: Its full id.
        names: Only events of these names, or of `prefix.*`; none: whatever the name.
        metrics: Series to look at, as people name them.
        has_events: Whether events are looked at.
    """

    def __init__(
        self, store: Store, recording_id: str, names: Sequence[str], metrics: Sequence[str], *, has_events: bool
    ) -> None:
        self._store = store
        self._id = recording_id
        self._names = names
        self._metrics = metrics
        self._has_events = has_events
        self._number = 0
        self._shown: set[str] = set()  # by id, of the events that were shown first
        self._values: dict[str, tuple[int, int, str]] = {}

    def first(self, lines: int) -> Iterator[StoredEvent | SeriesSummary]:
        """Yield the latest events, and the last value of each series."""
        if self._has_events:
            newest = self._store.telemetry.after(self._id, -1, limit=1)
            self._number = newest[-1][0] if newest else 0
            query = EventQuery(run_id=self._id, names=tuple(self._names), limit=lines, newest_first=True)
            latest = list(self._store.telemetry.select(query)) if lines else []
            self._shown = {event.event_id for event in latest}
            yield from reversed(latest)
        yield from self._changed()

    def new(self) -> Iterator[StoredEvent | SeriesSummary]:
        """Yield the events that arrived since, and the series whose last value is another one."""
        while self._has_events:
            found = self._store.telemetry.after(self._id, self._number, _PAGE)
            for number, event in found:
                self._number = number
                if event.event_id not in self._shown and self._fits(event.name):
                    yield event
            if len(found) < _PAGE:
                break
        yield from self._changed()

    def over(self) -> str | None:
        """Return how it ended; None while it goes on."""
        about = described(self._store, self._id)
        return None if about.goes_on else f"{about.what} {word(about.id)} is {about.standing}"

    def _fits(self, name: str) -> bool:
        return not self._names or any(
            name.startswith(wanted[:-1]) if wanted.endswith(".*") else name == wanted for wanted in self._names
        )

    def _changed(self) -> Iterator[SeriesSummary]:
        if not self._metrics:
            return
        for summary in self._store.telemetry.series_summary(self._id):
            seen = (summary.count, summary.last_step, repr(summary.last))  # of NaN, which is not equal to itself, too
            if any(is_meant(summary.name, metric) for metric in self._metrics):
                if self._values.get(summary.name) != seen:
                    yield summary
                self._values[summary.name] = seen


class _Printer:
    """Prints lines for people; on a terminal each is cut at its edge."""

    def __init__(self) -> None:
        self._console = make_console()

    def __call__(self, item: StoredEvent | SeriesSummary) -> None:
        line = event_line(item) if isinstance(item, StoredEvent) else _series_line(item)
        if self._console.is_terminal:
            line.truncate(self._console.width, overflow="ellipsis")
        self._console.print(line, soft_wrap=True)
        if self._console.quiet:
            raise BrokenPipeError  # nobody reads: there is no reason to go on


def _series_line(found: SeriesSummary) -> Text:
    at = Text(f"{moment(time.time_ns())} ", style="dim")
    return at + Text(f"  {word(found.name, 100):<30}  step {found.last_step:,}  {shown(found.last)}")


def _print_json(item: StoredEvent | SeriesSummary) -> None:
    if isinstance(item, StoredEvent):
        data: dict[str, Any] = {"kind": "event", **msgspec.structs.asdict(item)}
    else:
        data = {"kind": "series", "name": item.name, "step": item.last_step, "value": item.last, "count": item.count}
    typer.echo(json.dumps(plain(data), ensure_ascii=False))
