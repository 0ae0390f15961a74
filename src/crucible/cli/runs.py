"""The commands below `crucible runs` that look at one run or two: show, diff, files."""

from __future__ import annotations

import json
from typing import Annotated, Any, cast

import msgspec
import typer
from rich.text import Text

from crucible.cli.access import JsonOption, RunArgument, StoreOption, named, print_json, reading_store, summary
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.findings import print_findings
from crucible.cli.tables import hint, number, relative, table
from crucible.errors import SpecError, StoreError
from crucible.ir import Difference

__all__ = ["runs_diff", "runs_files", "runs_show"]


@handled
def runs_show(run_id: RunArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show one run: its stages, what it found, where its files are."""
    with reading_store(store) as opened:
        run = named(opened, run_id)
        records = opened.runs.stages(run.run_id, all_attempts=True)
        snapshot = opened.runs.snapshot(run.run_id)
        events = opened.telemetry.event_counts(run.run_id)
    if as_json:
        data = {"stages": msgspec.to_builtins(records), "events": events, **msgspec.to_builtins(snapshot)}
        print_json({**summary(run), "definition": run.experiment, **data})
        return
    console = make_console()
    console.print(Text(run.experiment_id, style="bold") + Text(f"  run {run.run_id}  {run.status}"))
    if run.failure:
        console.print(Text(f"{run.failure.type}: {run.failure.message}", style="red"))
    rows = [
        (
            record.index,
            record.name,
            record.status,
            record.attempt,
            f"{record.duration_ns / 1e9:.1f} s",
            record.error.message if record.error else record.reason or "",
        )
        for record in records
    ]
    console.print(table("Stages", ("#", "stage", "status", "attempt", "took", "what happened"), rows))
    print_findings(console, snapshot.metrics)
    files = [
        (name, relative(f"{run.workspace}/{entry['path']}"), entry["size_bytes"])
        for name, entry in snapshot.artifacts.items()
    ]
    if files:
        console.print(table("Files", ("name", "path", "bytes"), files))
    console.print(
        Text(f"\n{sum(events.values())} telemetry events; why: {hint('trace show', run.run_id, store)}", style="dim")
    )


@handled
def runs_diff(
    a: RunArgument,
    b: RunArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how two runs differ: document, measurements, stages."""
    with reading_store(store) as opened:
        first, second = named(opened, a).run_id, named(opened, b).run_id
        compared = opened.runs.compare(first, second)
    if as_json:
        print_json(msgspec.to_builtins(compared))
        return
    console = make_console()
    parts: tuple[tuple[str, list[Difference]], ...] = (
        ("Document", compared.experiment),
        ("Measured", compared.metrics),
        ("Stages", compared.stages),
    )
    for title, found in parts:
        rows: list[tuple[str, ...]] = [(entry.path, _cell(entry.a), _cell(entry.b)) for entry in found]
        if rows:
            console.print(table(title, ("path", first, second), rows))
        else:
            console.print(Text(f"\n{title}: no difference"))
    took = [(entry.path.removesuffix(".duration_ns"), _took(entry.a), _took(entry.b)) for entry in compared.durations]
    if took:
        console.print(table("Took (never the same twice)", ("stage", first, second), took))


def _took(found: Any) -> str:
    """Return a stage's time in seconds; of a stage that only the other run has, a dash."""
    nanoseconds = cast("dict[str, Any]", found)["duration_ns"] if isinstance(found, dict) else found
    return f"{nanoseconds / 1e9:.3f} s" if isinstance(nanoseconds, int) else "–"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return number(value, 6)
    text = value if isinstance(value, str) else json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
    return text if len(text) <= 200 else text[:199] + "…"


@handled
def runs_files(
    run_id: RunArgument,
    name: Annotated[
        str | None, typer.Argument(help="One file: what it was made from, back to the start.", show_default=False)
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the files of a run, or show what one of them was made from."""
    with reading_store(store) as opened:
        run = named(opened, run_id)
        try:
            found = opened.runs.artifacts(run.run_id) if name is None else opened.runs.lineage(run.run_id, name)
        except StoreError as error:
            raise SpecError(str(error)) from error
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    rows = [
        (
            entry.name,
            f"[{entry.stage_index}] {entry.stage}",
            entry.size_bytes,
            entry.media_type,
            entry.sha256[:12],
            ", ".join(each.name for each in entry.made_from),
            relative(f"{run.workspace}/{entry.path}"),
        )
        for entry in found
    ]
    columns = ("name", "made by", "bytes", "type", "sha256", "made from", "path")
    make_console().print(table("", columns, rows) if rows else Text("this run made no files"))
