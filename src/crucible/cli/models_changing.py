"""The commands below `crucible models` that change something, stages aside: register, measure, tag, carry, remove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from crucible.cli.access import JsonOption, StoreOption
from crucible.cli.failure import handled
from crucible.cli.models_views import (
    ByOption,
    ModelArgument,
    ReferenceArgument,
    WhyOption,
    data_of,
    reading_models,
    the_version,
)
from crucible.cli.telemetry_words import fields_of, print_data, word
from crucible.errors import SpecError

__all__ = [
    "models_export",
    "models_gc",
    "models_import",
    "models_measure",
    "models_register",
    "models_remove",
    "models_tag",
]

_Words = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag; repeatable.")]


@handled
def models_register(
    name: ModelArgument,
    source: Annotated[
        Path | None, typer.Argument(help="Folder of a saved checkpoint, or of any files.", show_default=False)
    ] = None,
    run: Annotated[str | None, typer.Option("--run", help="A run that trained it.", show_default=False)] = None,
    model: Annotated[str, typer.Option("--model", help="With --run: what its training called it.")] = "tuned",
    evaluation: Annotated[
        str | None,
        typer.Option("--evaluation", help="With --run: label of its evaluation.", show_default=False),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="Such as 1.2.0; default: the next one.", show_default=False)
    ] = None,
    bump: Annotated[str, typer.Option("--bump", help="The next one: major, minor, patch or prerelease.")] = "minor",
    label: Annotated[str, typer.Option("--label", help="Word of a pre-release.")] = "rc",
    stage: Annotated[str, typer.Option("--stage", help="Where it begins: development or staging.")] = "development",
    description: Annotated[
        str | None, typer.Option("--description", help="What is new in it.", show_default=False)
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", metavar="NAME=VALUE", help="A measurement; repeatable.")
    ] = None,
    tag: _Words = None,
    parent: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="RELATION=MODEL@VERSION", help="What it came of; repeatable."),
    ] = None,
    scores: Annotated[
        list[Path] | None, typer.Option("--scores", help="File with scores item by item; repeatable.")
    ] = None,
    score_metric: Annotated[
        list[str] | None, typer.Option("--score-metric", help="Which of the scores in the file; repeatable.")
    ] = None,
    by: ByOption = None,
    why: Annotated[str, typer.Option("--why", help="Why; the audit keeps it.")] = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a version: from a folder, or from a run with its losses and scores."""
    from crucible.train import ModelRegistry

    if (source is None) == (run is None):
        raise SpecError("name either a folder to register, or a run with --run")
    details: dict[str, Any] = {
        "version": version,
        "bump": bump,
        "label": label,
        "stage": stage,
        "description": description,
        "metrics": fields_of(metric, "--metric"),
        "tags": tag or (),
        "parents": _parents(parent),
        "by": by,
        "why": why,
    }
    if scores:
        details |= {"scores": scores, "score_metrics": score_metric or ()}
    elif score_metric:
        raise SpecError("--score-metric names scores of a file; give that with --scores")
    with ModelRegistry.open(store, create=run is None) as registry:
        if run is not None:
            made = registry.register_run(name, run, model, evaluation=evaluation, **details)
        else:
            made = registry.register(name, source, **details)
    if as_json:
        print_data(data_of(made))
    else:
        typer.echo(f"registered {made.reference} in {made.stage}")


@handled
def models_measure(
    reference: ReferenceArgument,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", metavar="NAME=VALUE", help="A measurement; repeatable.")
    ] = None,
    scores: Annotated[
        list[Path] | None, typer.Option("--scores", help="File with scores item by item; repeatable.")
    ] = None,
    score_metric: Annotated[
        list[str] | None, typer.Option("--score-metric", help="Which of the scores in the file; repeatable.")
    ] = None,
    by: ByOption = None,
    why: Annotated[str, typer.Option("--why", help="Why; the audit keeps it.")] = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add measurements to a version, merged into those that it has, and scores item by item."""
    if not metric and not scores:
        raise SpecError("nothing to add; give --metric NAME=VALUE or --scores FILE")
    with reading_models(store) as registry:
        version = the_version(registry, reference)
        if metric:
            version = registry.update_metrics(version.reference, fields_of(metric, "--metric"), by=by, why=why)
        if scores:
            version = registry.record_scores(version.reference, list(scores), score_metric or (), by=by)
    _told(version, as_json=as_json)


@handled
def models_tag(
    reference: ReferenceArgument,
    add: Annotated[list[str] | None, typer.Option("--add", metavar="TAG", help="Repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="TAG", help="Repeatable.")] = None,
    by: ByOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add tags to a version, and take others away."""
    if not add and not remove:
        raise SpecError("nothing to do; give --add TAG or --remove TAG")
    with reading_models(store) as registry:
        version = registry.tag(the_version(registry, reference).reference, add or (), remove or (), by=by)
    _told(version, as_json=as_json)


@handled
def models_export(
    into: Annotated[Path, typer.Argument(help="File to write; with --files a new folder.", show_default=False)],
    name: Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: all.")] = None,
    files: Annotated[bool, typer.Option("--files", help="Carry the kept files along.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write models as JSON: versions, stages, lineage, scores, audit."""
    with reading_models(store) as registry:
        path = registry.export(into, name or (), with_files=files)
    if as_json:
        print_data({"path": str(path)})
    else:
        typer.echo(str(path))


@handled
def models_import(
    source: Annotated[Path, typer.Argument(help="What `export` wrote: the file or the folder.", show_default=False)],
    merge: Annotated[
        bool, typer.Option("--merge", help="What differs here stays, what is missing is added; else it is refused.")
    ] = False,
    by: ByOption = None,
    why: Annotated[str, typer.Option("--why", help="Why; the audit keeps it.")] = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in models that `export` wrote, all of them or none."""
    from crucible.train import ModelRegistry

    with ModelRegistry.open(store) as registry:
        made = registry.import_models(source, merge=merge, by=by, why=why)
    if as_json:
        print_data([data_of(each) for each in made])
    else:
        typer.echo(f"took in {', '.join(each.reference for each in made)}" if made else "nothing new")


@handled
def models_remove(
    reference: ReferenceArgument,
    why: WhyOption,
    by: ByOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a version that is not in production and that nothing came of; the audit keeps that it was there."""
    with reading_models(store) as registry:
        version = the_version(registry, reference)
        registry.remove(version.reference, why=why, by=by)
    if as_json:
        print_data({"removed": version.reference})
    else:
        typer.echo(f"removed {version.reference}; its files go with: crucible models gc --yes")


@handled
def models_gc(
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it, they are only named.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove kept files that no version needs and that nobody touched for an hour."""
    with reading_models(store) as registry:
        names, size_bytes = registry.gc(dry_run=not yes)
    if as_json:
        print_data({"removed" if yes else "would_remove": names, "size_bytes": size_bytes})
    else:
        done = "removed" if yes else "would remove"
        typer.echo(f"{done} {len(names)} files of {size_bytes:,} bytes" if names else "nothing to remove")


def _told(version: Any, *, as_json: bool) -> None:
    if as_json:
        print_data(data_of(version))
    else:
        measured = ", ".join(f"{word(name, 40)} {value:.4g}" for name, value in sorted(version.metrics.items()))
        typer.echo(f"{version.reference}: {measured or 'nothing measured'}; tags {', '.join(version.tags) or 'none'}")


def _parents(given: list[str] | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in given or ():
        relation, equals, reference = text.partition("=")
        if not equals or not reference:
            example = "fine_tuned_from=triage@1.0.0"
            raise SpecError(f'--from must be RELATION=MODEL@VERSION, such as {example}; got "{text}"')
        found.setdefault(relation, []).append(reference)
    return found
