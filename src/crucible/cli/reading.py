"""The commands that only read: runs, traces, schemas, stages. Tables for people, `--json` for programs."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from crucible.cli.console import console as make_console
from crucible.cli.failure import handled
from crucible.cli.tables import hint, number, print_findings, relative, table
from crucible.errors import ContractError, SpecError, StoreError
from crucible.ir import did_you_mean
from crucible.pipeline import Registry, RunResult
from crucible.store import Difference, Store, StoredRun, open_store

__all__ = ["find_run", "result_data", "runs", "schema", "stages", "trace"]

runs = typer.Typer(help="Runs that the store keeps.", no_args_is_help=True)
trace = typer.Typer(help="Why a run did what it did.", no_args_is_help=True)

StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="Folder or database URL; default: $CRUCIBLE_STORE, or .crucible here."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
RunArgument = Annotated[str, typer.Argument(help="Run id, or the unique beginning of one.", show_default=False)]


@contextmanager
def _reading(store: str | None) -> Generator[Store]:
    try:
        opened = open_store(store, create=False)
    except StoreError as error:
        raise SpecError(str(error), code="store") from error
    try:
        opened.runs.mark_orphans()
        yield opened
    finally:
        opened.close()


def _named(store: Store, run_id: str) -> StoredRun:
    try:
        return store.runs.run(run_id)
    except StoreError as error:
        raise SpecError(str(error)) from error


def find_run(run_id: str, store: str | None) -> StoredRun:
    """Return a run as it stands in the store.

    Raises:
        SpecError: No run, or several, begin like this.
        StoreError: The store cannot be opened.
    """
    with _reading(store) as opened:
        return _named(opened, run_id)


def result_data(result: RunResult) -> dict[str, Any]:
    """Return a run's result as JSON data."""
    return {
        "run_id": result.run_id,
        "status": result.status,
        "failure": msgspec.to_builtins(result.failure),
        "workspace": str(result.context.workspace),
        "stages": msgspec.to_builtins(result.stages),
        "metrics": dict(result.context.metrics),
        "artifacts": msgspec.to_builtins(dict(result.context.artifacts)),
    }


def _print_json(data: Any) -> None:
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


@runs.command("list")
@handled
def runs_list(
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many, newest first.")] = 20,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    with _reading(store) as opened:
        found = opened.runs.list(limit=limit)
    if as_json:
        _print_json([_summary(run) for run in found])
        return
    rows = [(run.run_id, run.experiment_id, run.status, _when(run.started_at), _took(run)) for run in found]
    columns = ("run", "experiment", "status", "started", "took")
    make_console().print(table("", columns, rows) if rows else Text("no runs yet"))


def _summary(run: StoredRun) -> dict[str, Any]:
    data = msgspec.to_builtins(run)
    data.pop("experiment")
    return data


def _when(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _took(run: StoredRun) -> str:
    if run.finished_at is None:
        return "–"
    seconds = (datetime.fromisoformat(run.finished_at) - datetime.fromisoformat(run.started_at)).total_seconds()
    return f"{seconds:.1f} s"


@runs.command("show")
@handled
def runs_show(run_id: RunArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show one run: its stages, what it found, where its files are."""
    with _reading(store) as opened:
        run = _named(opened, run_id)
        records = opened.runs.stages(run.run_id, all_attempts=True)
        snapshot = opened.runs.snapshot(run.run_id)
        events = opened.telemetry.event_counts(run.run_id)
    if as_json:
        data = {"stages": msgspec.to_builtins(records), "events": events, **msgspec.to_builtins(snapshot)}
        _print_json({**_summary(run), "definition": run.experiment, **data})
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


@runs.command("diff")
@handled
def runs_diff(
    a: RunArgument,
    b: RunArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how two runs differ: document, measurements, stages."""
    with _reading(store) as opened:
        first, second = _named(opened, a).run_id, _named(opened, b).run_id
        compared = opened.runs.compare(first, second)
    if as_json:
        _print_json(msgspec.to_builtins(compared))
        return
    console = make_console()
    parts: tuple[tuple[str, list[Difference]], ...] = (
        ("Document", compared.experiment),
        ("Measured", compared.metrics),
        ("Stages", compared.stages),
    )
    for title, found in parts:
        rows = [(entry.path, _cell(entry.a), _cell(entry.b)) for entry in found]
        if rows:
            console.print(table(title, ("path", first, second), rows))
        else:
            console.print(Text(f"\n{title}: no difference"))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return number(value, 6)
    text = value if isinstance(value, str) else json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
    return text if len(text) <= 200 else text[:199] + "…"


@trace.command("show")
@handled
def trace_show(run_id: RunArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show why a run did what it did: stages, trainings and decisions, with reasons and alternatives."""
    from crucible.assembly import stored_chain
    from crucible.trace import to_text

    with _reading(store) as opened:
        run = _named(opened, run_id)
        chain = stored_chain(opened, run.run_id)
    if chain is None:
        raise SpecError(f"run {run.run_id} left no trace: it ended before its first stage did")
    if as_json:
        _print_json(chain.to_dict())
    else:
        typer.echo(to_text(chain))


@handled
def schema(
    name: Annotated[str, typer.Argument(help="Type of the document, or `document` for all of it.")] = "document",
    as_json: JsonOption = True,  # noqa: ARG001  # a schema is JSON in any case; scripts may say so
) -> None:
    """Print the JSON Schema of a type, for completion in editors."""
    from crucible import assembly, ir

    if name == "document":
        _print_json(assembly.document_schema())
        return
    kinds = {key: kind for key, kind in vars(ir).items() if isinstance(kind, type) and issubclass(kind, ir.Model)}
    kinds.pop("Model")
    if name not in kinds:
        hint = did_you_mean(name, kinds) or f"; known: document, {', '.join(sorted(kinds))}"
        raise SpecError(f'no type "{name}"{hint}')
    _print_json(ir.json_schema(kinds[name]))


@handled
def stages(
    name: Annotated[str | None, typer.Argument(help="One stage, with all its options.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """List the installed stages, or show the options of one."""
    registry = Registry()
    if name is None:
        _list_stages(registry, as_json=as_json)
        return
    entry = registry.get(name).describe()
    if as_json:
        _print_json(entry)
        return
    console = make_console()
    console.print(Text(name, style="bold"))
    for paragraph in entry["description"].split("\n\n"):
        console.print(Text(" ".join(paragraph.split())))
    rows = [(key, entry["types"][key], _default(entry, key), entry["help"][key]) for key in entry["types"]]
    if rows:
        console.print(table("Options", ("option", "type", "default", "meaning"), rows))


def _list_stages(registry: Registry, *, as_json: bool) -> None:
    """List all stages; one that cannot be imported is listed with the reason, and hides no other."""
    described: dict[str, dict[str, Any]] = {}
    for key in registry.names():
        try:
            described[key] = registry.get(key).describe()
        except ContractError as error:
            described[key] = {"name": key, "description": str(error), "error": str(error)}
    if as_json:
        _print_json(described)
        return
    rows = [(key, entry["description"].split("\n", 1)[0]) for key, entry in described.items()]
    make_console().print(table("", ("stage", "what it does"), rows))


def _default(entry: dict[str, Any], key: str) -> str:
    return "required" if key in entry["required"] else json.dumps(entry["defaults"].get(key))
