"""The command `crucible runs timeline`: what happened when, with bars that show how long."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.text import Text

from crucible.cli.access import JsonOption, RunArgument, StoreOption, named, print_json, reading_store
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.tables import table
from crucible.store import TimelineEntry

__all__ = ["runs_timeline"]


@handled
def runs_timeline(
    run_id: RunArgument,
    spans: Annotated[bool, typer.Option("--spans", help="Also what its telemetry timed inside the stages.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what happened when in a run, with bars that show how long."""
    with reading_store(store) as opened:
        run = named(opened, run_id)
        entries = opened.runs.timeline(run.run_id, spans=spans)
    if as_json:
        print_json(msgspec.to_builtins(entries))
        return
    console = make_console()
    console.print(Text(run.experiment_id, style="bold") + Text(f"  run {run.run_id}  {run.status}"))
    whole_ns = max((entry.offset_ns or 0 for entry in entries), default=0) or 1
    rows = [
        (
            "–" if entry.offset_ns is None else f"{entry.offset_ns / 1e9:.3f} s",
            _moment(entry),
            entry.status,
            "" if entry.duration_ns is None else f"{entry.duration_ns / 1e9:.3f} s",
            _bar(entry, whole_ns),
            entry.detail,
        )
        for entry in entries
    ]
    console.print(table("", ("at", "what", "status", "took", "when", "what happened"), rows))


_WORDS = {
    "run_started": "run starts",
    "run_resumed": "run goes on",
    "stage_started": "starts",
    "stage_ended": "ends",
    "run_ended": "run ends",
    "event": "",
}
_BAR = 30


def _moment(entry: TimelineEntry) -> str:
    words = _WORDS[entry.kind]
    if entry.kind.startswith("run_"):
        return words
    again = f" (attempt {entry.attempt})" if entry.attempt and entry.attempt > 1 else ""
    place = "" if entry.index is None or entry.kind == "event" else f"[{entry.index}] "
    return f"{'    ' if entry.kind == 'event' else '  '}{place}{entry.name} {words}{again}".rstrip()


def _bar(entry: TimelineEntry, whole_ns: int) -> str:
    """Return a bar that lies where the time of what ended here lies in the run."""
    if entry.offset_ns is None or entry.duration_ns is None or entry.kind == "run_ended":
        return ""
    end = round(_BAR * entry.offset_ns / whole_ns)
    start = round(_BAR * max(0, entry.offset_ns - entry.duration_ns) / whole_ns)
    start = min(start, _BAR - 1)
    return (" " * start + "█" * max(1, end - start)).ljust(_BAR)
