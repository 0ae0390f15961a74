"""The commands below `crucible models`: those that only look. What changes models is in `models_changing`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

import msgspec
import typer
from rich.text import Text

from crucible.cli.access import JsonOption, StoreOption
from crucible.cli.console import console as make_console
from crucible.cli.failure import RUN_FAILED, handled
from crucible.cli.models_changing import (
    models_export,
    models_gc,
    models_import,
    models_measure,
    models_register,
    models_remove,
    models_tag,
)
from crucible.cli.models_promoting import models_promote, models_rollback
from crucible.cli.models_views import (
    ReferenceArgument,
    data_of,
    print_changes,
    print_lineage,
    print_version,
    print_versions,
    reading_models,
    the_version,
)
from crucible.cli.telemetry_words import print_data, word
from crucible.errors import SpecError
from crucible.store.models import check_stage, split_reference

__all__ = ["models"]

models = typer.Typer(help="Models in the registry: versions, stages, lineage.", no_args_is_help=True)

StageOption = Annotated[
    str | None,
    typer.Option("--stage", help="Only in this stage: development, staging, production, archived.", show_default=False),
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="Only with this tag; repeatable.", show_default=False)
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="CONDITION", help="Only where this holds, such as exact_match>=0.8.", show_default=False
    ),
]
DirectionOption = Annotated[
    str | None,
    typer.Option("--direction", help="min or max; default: as the metric's name says.", show_default=False),
]


@models.command("list")
@handled
def models_list(
    name: Annotated[str | None, typer.Argument(help="Only this model.", show_default=False)] = None,
    stage: StageOption = None,
    tag: TagOption = None,
    where: WhereOption = None,
    sort: Annotated[str | None, typer.Option("--sort", help="A metric, the best first.", show_default=False)] = None,
    direction: DirectionOption = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="At most so many.", show_default=False)] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List versions by model, or by a metric: what is best for an ensemble, what fulfils conditions."""
    if direction is not None and sort is None:
        raise SpecError("--direction says which side of --sort is better; give --sort a metric")
    with reading_models(store) as registry:
        found = registry.query(
            *(where or ()),
            name=name,
            stage=None if stage is None else check_stage(stage),
            tags=tag or (),
            sort_by=sort,
            direction=cast("Literal['min', 'max'] | None", direction),
        )[:top]
    if as_json:
        print_data([data_of(each) for each in found])
    elif found:
        print_versions(make_console(), found)
    else:
        make_console().print(Text("no such versions" if any((name, stage, tag, where)) else "no models are registered"))


@models.command("show")
@handled
def models_show(reference: ReferenceArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show one version, or with a model's name alone all its versions and what is in production."""
    model, which = split_reference(reference)
    with reading_models(store) as registry:
        version = the_version(registry, reference)
        found = registry.list(model)
        files = registry.files(version.reference) if version.tree_sha256 is not None else ()
        changes = registry.history(model, None if which is None else version.version)
    if as_json:
        listed = msgspec.to_builtins(changes)
        if which is None:
            print_data({"model": model, "versions": [data_of(each) for each in found], "changes": listed})
        else:
            print_data(data_of(version, files=msgspec.to_builtins(files), changes=listed))
        return
    console = make_console()
    if which is None:
        there = [each.version for each in found if each.stage == "production"]
        console.print(
            Text(model, style="bold") + Text(f"  in production: {', '.join(there) or 'nothing'}; {len(found)} versions")
        )
        print_versions(console, found)
    else:
        print_version(console, version, files)
    console.print(Text("\nWhat was done", style="bold"))
    print_changes(console, changes)


@models.command("history")
@handled
def models_history(reference: ReferenceArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show the audit: who did what to a model or one of its versions, when, why, and how its gates came out."""
    model, which = split_reference(reference)
    with reading_models(store) as registry:
        version = None if which is None else _version_named(registry, reference, which)
        changes = registry.history(model, version)
    if not changes:
        raise SpecError(f"nothing was ever done to {reference}; see what there is with: crucible models list")
    if as_json:
        print_data(msgspec.to_builtins(changes))
    else:
        print_changes(make_console(), changes)


@models.command("lineage")
@handled
def models_lineage(reference: ReferenceArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show what a version came of, down to its base model, and what came of it."""
    with reading_models(store) as registry:
        version = the_version(registry, reference)
        up, down = registry.ancestors(version.reference), registry.descendants(version.reference)
        involved = [version, *(registry.get(f"{step.model}@{step.version}") for step in up)]
    bases = {each.reference: _base(each.origin) for each in involved if each.origin.get("base_model")}
    if as_json:
        data = {"ancestors": msgspec.to_builtins(up), "descendants": msgspec.to_builtins(down), "base_models": bases}
        print_data({"reference": version.reference, "stage": version.stage, **data})
    else:
        print_lineage(make_console(), version, up, down, bases)


@models.command("verify")
@handled
def models_verify(
    reference: Annotated[
        str | None, typer.Argument(metavar="[MODEL[@VERSION]]", help="Default: all.", show_default=False)
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold every kept file against its SHA-256. Exit code 1 if one is missing or damaged."""
    with reading_models(store) as registry:
        found = registry.list() if reference is None else [the_version(registry, reference)]
        kept = [each for each in found if each.tree_sha256 is not None]
        problems = {each.reference: registry.verify(each.reference) for each in kept}
    if as_json:
        print_data([{"reference": name, "whole": not wrong, "problems": wrong} for name, wrong in problems.items()])
    else:
        console = make_console()
        for name, wrong in problems.items():
            console.print(Text(f"{name}  {'whole' if not wrong else 'damaged'}"))
            for problem in wrong.values():
                console.print(Text(f"  {word(problem, 400)}", style="red"), soft_wrap=True)
        if not problems:
            console.print(Text("no files of models are kept"))
    if any(problems.values()):
        raise typer.Exit(RUN_FAILED)


@models.command("fetch")
@handled
def models_fetch(
    reference: ReferenceArgument,
    into: Annotated[str, typer.Option("--into", help="New folder to copy to.", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the files of a version to a new folder, verified."""
    with reading_models(store) as registry:
        version = the_version(registry, reference)
        path = registry.fetch(version.reference, into)
    if as_json:
        print_data({"reference": version.reference, "path": str(path), "sha256": version.tree_sha256})
    else:
        typer.echo(str(path))


def _version_named(registry: Any, reference: str, which: str) -> str:
    """Return the version that is meant; one that was removed is known by its number."""
    try:
        return the_version(registry, reference).version
    except SpecError:
        return which


def _base(origin: dict[str, Any]) -> str:
    digest = origin.get("base_digest")
    return f"{origin['base_model']} ({str(digest)[:12]})" if digest else str(origin["base_model"])


for _name, _command in {
    "register": models_register,
    "promote": models_promote,
    "rollback": models_rollback,
    "measure": models_measure,
    "tag": models_tag,
    "export": models_export,
    "import": models_import,
    "remove": models_remove,
    "gc": models_gc,
}.items():
    models.command(_name)(_command)
