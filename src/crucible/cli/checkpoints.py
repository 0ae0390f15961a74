"""The commands below `crucible checkpoints`: what is kept, which is best, whether it is whole, and getting it out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.text import Text

from crucible.cli.access import JsonOption
from crucible.cli.checkpoint_views import (
    MetricOption,
    ModeOption,
    NameArgument,
    PlaceArgument,
    data_of,
    place,
    print_checkpoints,
    print_one,
    the_one,
)
from crucible.cli.console import console as make_console
from crucible.cli.failure import RUN_FAILED, handled
from crucible.cli.tables import relative
from crucible.cli.telemetry_words import print_data, word
from crucible.errors import CheckpointError, SpecError

__all__ = ["checkpoints"]

checkpoints = typer.Typer(help="Checkpoints of trainings, in a folder or a bucket.", no_args_is_help=True)


@checkpoints.command("list")
@handled
def checkpoints_list(location: PlaceArgument, as_json: JsonOption = False) -> None:
    """List the checkpoints of a place, by step."""
    store = place(location)
    found = store.list_checkpoints()
    if as_json:
        print_data([data_of(each) for each in found])
    else:
        print_checkpoints(make_console(), found, store.location)


@checkpoints.command("show")
@handled
def checkpoints_show(location: PlaceArgument, name: NameArgument = None, as_json: JsonOption = False) -> None:
    """Show what is known of one checkpoint."""
    _, found = the_one(location, name)
    print_one(make_console(), found, as_json=as_json)
    if found.problem is not None:
        raise typer.Exit(RUN_FAILED)


@checkpoints.command("best")
@handled
def checkpoints_best(
    location: PlaceArgument,
    metric: MetricOption = "validation_loss",
    mode: ModeOption = "min",
    as_json: JsonOption = False,
) -> None:
    """Show the checkpoint with the lowest, or highest, value of a metric."""
    from crucible.train.keeping import Mode, best_checkpoint

    try:
        found = best_checkpoint(place(location), metric, cast("Mode", mode))
    except CheckpointError as error:
        raise SpecError(str(error)) from error
    print_one(make_console(), found, as_json=as_json)


@checkpoints.command("verify")
@handled
def checkpoints_verify(location: PlaceArgument, name: NameArgument = None, as_json: JsonOption = False) -> None:
    """Hold every file against its manifest; without a name, of every checkpoint. Exit code 1 if one is damaged."""
    store = place(location) if name is None else the_one(location, name)[0]
    names = [each.name for each in store.list_checkpoints()] if name is None else [name]
    problems: dict[str, str | None] = {}
    for each in names:
        try:
            store.verify(each)
            problems[each] = None
        except CheckpointError as error:
            problems[each] = str(error)
    if as_json:
        print_data([{"name": each, "whole": problem is None, "problem": problem} for each, problem in problems.items()])
    else:
        console = make_console()
        for each, problem in problems.items():
            console.print(Text(f"{word(each)}  {'whole' if problem is None else word(problem, 400)}"), soft_wrap=True)
        if not problems:
            console.print(Text(f"no checkpoints in {word(store.location, 200)}"))
    if any(problems.values()):
        raise typer.Exit(RUN_FAILED)


@checkpoints.command("fetch")
@handled
def checkpoints_fetch(
    location: PlaceArgument,
    name: NameArgument = None,
    into: Annotated[
        Path | None, typer.Option("--into", help="Folder to copy to; default: its name, here.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy one checkpoint to a folder of this machine, verified."""
    store, found = the_one(location, name)
    path = store.fetch(found.name, into or Path(found.name))
    if as_json:
        print_data({"name": found.name, "path": str(path), "sha256": found.sha256})
    else:
        typer.echo(relative(path))


@checkpoints.command("merge")
@handled
def checkpoints_merge(
    location: PlaceArgument,
    into: Annotated[Path, typer.Option("--into", help="Folder of the merged model.", show_default=False)],
    name: NameArgument = None,
    base: Annotated[
        str | None,
        typer.Option("--base", help="Base model; default: the one that the checkpoint names.", show_default=False),
    ] = None,
    any_base: Annotated[
        bool, typer.Option("--any-base", help="Take a base other than the one that was trained on.")
    ] = False,
    dtype: Annotated[str, typer.Option("--dtype", help="Weights on disk: float32, or base for the base's own.")] = (
        "float32"
    ),
    as_json: JsonOption = False,
) -> None:
    """Merge a checkpoint into its base: a plain transformers model with full weights."""
    from crucible.train.keeping import merge

    if dtype not in ("float32", "base"):
        raise SpecError(f'--dtype must be float32 or base, got "{dtype}"')
    store, found = the_one(location, name)
    with store.opened(found.name) as folder:
        try:
            path = merge(folder, base, into, any_base=any_base, dtype=dtype, name=found.name)
        except CheckpointError as error:
            raise CheckpointError(str(error).replace("with any_base", "with --any-base")) from error
    if as_json:
        print_data({"name": found.name, "path": str(path)})
    else:
        typer.echo(relative(path))


@checkpoints.command("prune")
@handled
def checkpoints_prune(
    location: PlaceArgument,
    keep: Annotated[int, typer.Option("--keep", min=2, help="How many stay: the best and the newest others.")],
    metric: MetricOption = "validation_loss",
    mode: ModeOption = "min",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove old checkpoints; the best and the last always stay."""
    from crucible.train.keeping import Mode, prune_checkpoints, surplus

    store, kind = place(location), cast("Mode", mode)
    try:
        if dry_run:
            whole = [each for each in store.list_checkpoints() if each.problem is None]
            removed = surplus(whole, keep, metric=metric, mode=kind)[0]
        else:
            removed = prune_checkpoints(store, keep, metric=metric, mode=kind)
    except CheckpointError as error:
        raise SpecError(str(error)) from error
    names = [each.name for each in removed]
    if as_json:
        print_data({"removed": names, "dry_run": dry_run})
    elif names:
        typer.echo(f"{'would remove' if dry_run else 'removed'} {', '.join(word(name) for name in names)}")
    else:
        typer.echo("nothing to remove")
