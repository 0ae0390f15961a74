"""The commands below `crucible telemetry` that put recordings away, bring them back or in, and remove them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.text import Text

from crucible.cli.access import JsonOption, StoreOption, print_json, reading_store
from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.tables import relative
from crucible.cli.telemetry_source import RecordingArgument, described, recorded, refusing
from crucible.cli.telemetry_tables import Column, print_table
from crucible.cli.telemetry_words import print_data, when, word
from crucible.errors import SpecError, StoreError
from crucible.store import open_store

if TYPE_CHECKING:
    from crucible.telemetry import Imported

__all__ = ["telemetry_archive", "telemetry_import", "telemetry_remove", "telemetry_restore"]

_PROBLEMS = 5  # of a run that are printed; --json has all
_RESTORED = (Column("recording"), Column("name", folds=12), Column("started"), Column("kept", is_number=True))
_IMPORTED = (
    Column("recording"),
    Column("name", folds=12),
    Column("from", folds=12, gives_way=1),
    Column("events", is_number=True),
    Column("points", is_number=True),
    Column("left out", is_number=True, gives_way=2),
    Column("problems", is_number=True),
)


@handled
def telemetry_archive(
    recording: RecordingArgument,
    path: Annotated[
        Path,
        typer.Argument(help="A file that ends in .jsonl or .jsonl.gz; else a folder, of Parquet.", show_default=False),
    ],
    replace: Annotated[bool, typer.Option("--replace", help="Replace what was archived there of it before.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a whole recording to an archive; it stays in the store until it is removed there."""
    with reading_store(store) as opened, refusing():
        found = recorded(opened, recording)
        if (about := described(opened, found.id)).goes_on:
            raise SpecError(f"{about.what} {about.id} is {about.status}; archive it when it is over")
        try:
            written = found.archive(path, replace=replace)
        except StoreError as error:
            raise StoreError(str(error).replace("pass replace=True", "give --replace")) from error
    if as_json:
        print_json({"recording": found.id, "path": str(written)})
    else:
        typer.echo(relative(written))


@handled
def telemetry_restore(
    path: Annotated[Path, typer.Argument(help="What `crucible telemetry archive` wrote.", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the experiments of an archive into the store, which is made if there is none."""
    from crucible.telemetry import restore

    if not path.exists():
        raise SpecError(f"there is no archive at {path}; check the path")
    with open_store(store) as opened:
        try:
            found = restore(path, opened)
        except msgspec.ValidationError as error:
            raise SpecError(
                f"{path} holds no telemetry experiment: {error}; a run's telemetry is read in place"
            ) from error
    if as_json:
        print_data(found)
        return
    rows = [(info.id, word(info.name, 48), when(info.started_at), f"{info.recorded:,}") for info in found]
    console = make_console()
    if rows:
        print_table(console, "", _RESTORED, rows)
    else:
        console.print(Text(f"no experiment is archived in {word(str(path))}"))


@handled
def telemetry_import(
    path: Annotated[
        Path,
        typer.Argument(
            help="An MLflow file store, TensorBoard event files, W&B-style or Crucible's own JSON lines.",
            show_default=False,
        ),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Bring in anew what has changed since it was brought in.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in what other tools recorded: each run becomes a telemetry experiment; what is there already stays."""
    from crucible.telemetry import import_runs

    if not path.exists():
        raise SpecError(f"there is nothing at {path}; check the path")
    found: list[Imported] = []
    with open_store(store) as opened:
        try:
            found.extend(import_runs(path, opened, replace=replace))
        finally:
            _print_imported(found, as_json=as_json)  # also where a later run stopped it: these are in the store


def _print_imported(found: list[Imported], *, as_json: bool) -> None:
    if as_json:
        print_data([_data(each) for each in found])
        return
    console = make_console()
    if not found:
        console.print(Text("no runs were found"))
        return
    print_table(console, "", _IMPORTED, [_row(each) for each in found])
    for each in found:
        for problem in each.problems[:_PROBLEMS]:
            console.print(Text(f"{word(each.source, 60)}: {word(problem, 300)}", style="yellow"), soft_wrap=True)
        if len(each.problems) > _PROBLEMS:
            rest = len(each.problems) - _PROBLEMS
            console.print(Text(f"{word(each.source, 60)}: and {rest:,} more (--json)", style="dim"), soft_wrap=True)


def _row(found: Imported) -> tuple[str, ...]:
    info = found.info
    return (
        "–" if info is None else info.id,
        word(info.name, 48) if info is not None else "(of no run)" if found.problems else "(there already)",
        word(found.source, 40),
        f"{found.events:,}",
        f"{found.points:,}",
        f"{sum(found.skipped.values()):,}",
        f"{len(found.problems):,}",
    )


def _data(found: Imported) -> dict[str, Any]:
    return {**msgspec.structs.asdict(found), "was_there": found.info is None and not found.problems}


@handled
def telemetry_remove(
    recording: RecordingArgument,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Leave its events and series, to be read by its full id.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a telemetry experiment with all that it recorded, at once; one that goes on is refused."""
    with reading_store(store) as opened, refusing():
        found = recorded(opened, recording)
        about = described(opened, found.id)
        if about.what == "run":
            raise SpecError(f"{about.id} is a run, whose telemetry goes with it; see `crucible runs gc`")
        if not found.cleanup(keep_data=keep_data):
            raise SpecError(f"{about.id} was removed already, and its data was to be kept")
    if as_json:
        print_json({"removed": found.id, "data_kept": keep_data})
    else:
        kept = "; its events and series stay" if keep_data else ""
        typer.echo(f'removed experiment {word(about.id)} ("{word(about.name)}"){kept}')
