"""What the reading commands share: their options, an open store, a run by the beginning of its id, JSON."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer

from crucible.errors import SpecError, StoreError
from crucible.pipeline import RunResult
from crucible.store import Store, StoredRun, open_store

__all__ = [
    "JsonOption",
    "RunArgument",
    "StoreOption",
    "find_run",
    "named",
    "print_json",
    "reading_store",
    "result_data",
    "summary",
]

StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="Folder or database URL; default: $CRUCIBLE_STORE, or .crucible here."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
RunArgument = Annotated[str, typer.Argument(help="Run id, or the unique beginning of one.", show_default=False)]


@contextmanager
def reading_store(store: str | None) -> Generator[Store]:
    """Open the store that a command reads; runs whose process died are marked first.

    Raises:
        SpecError: There is none, or it cannot be opened.
    """
    try:
        opened = open_store(store, create=False)
    except StoreError as error:
        raise SpecError(str(error), code="store") from error
    try:
        opened.runs.mark_orphans()
        yield opened
    finally:
        opened.close()


def named(store: Store, run_id: str) -> StoredRun:
    """Return the run whose id begins like this.

    Raises:
        SpecError: There is none, or more than one.
    """
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
    with reading_store(store) as opened:
        return named(opened, run_id)


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


def print_json(data: Any) -> None:
    """Print data for programs."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def summary(run: StoredRun) -> dict[str, Any]:
    """Return a run as JSON data, without its document."""
    data = msgspec.to_builtins(run)
    data.pop("experiment")
    return data
