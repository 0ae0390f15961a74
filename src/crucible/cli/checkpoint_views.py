"""How checkpoints read in a terminal, and how a person names one: a folder or URL, and a name in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from crucible.cli.tables import relative
from crucible.cli.telemetry_tables import Column, print_table
from crucible.cli.telemetry_words import print_data, shown, when, word
from crucible.errors import CheckpointError, SpecError, StoreError

if TYPE_CHECKING:
    from crucible.train.keeping import CheckpointStore, StoredCheckpoint

__all__ = [
    "MetricOption",
    "ModeOption",
    "NameArgument",
    "PlaceArgument",
    "data_of",
    "is_synthetic",
    "place",
    "print_checkpoints",
    "print_one",
    "the_one",
]

PlaceArgument = Annotated[
    str,
    typer.Argument(
        metavar="PATH_OR_URL",
        help="Folder of checkpoints, workspace of a training, one checkpoint, or a URL such as s3://bucket/prefix.",
        show_default=False,
    ),
]
NameArgument = Annotated[str | None, typer.Argument(help="Name of one, such as step-000080.", show_default=False)]
MetricOption = Annotated[str, typer.Option("--metric", help="What tells which is best.")]
ModeOption = Annotated[str, typer.Option("--mode", help="min: the lowest value is best; max: the highest.")]

_COLUMNS = (
    Column("name"),
    Column("step", is_number=True),
    Column("measured", folds=16),
    Column("bytes", is_number=True, gives_way=2),
    Column("written", gives_way=1),
    Column("sha256", gives_way=3),
    Column("", folds=20),
)


def place(location: str) -> CheckpointStore:
    """Return the place that a person named; the workspace of a training stands for its checkpoints.

    Raises:
        SpecError: There is no such folder, or the URL cannot be understood.
    """
    from crucible.train.keeping import open_checkpoints

    if "://" not in location and not Path(location).expanduser().is_dir():
        raise SpecError(f"there is no folder {location}; check the path")
    try:
        return open_checkpoints(location)
    except StoreError as error:
        raise SpecError(str(error)) from error


def the_one(location: str, name: str | None) -> tuple[CheckpointStore, StoredCheckpoint]:
    """Return the checkpoint that a person named, with its place.

    Args:
        location: As given.
        name: As given; None: the location is of that one checkpoint.

    Raises:
        SpecError: There is none of that name, or several from which to choose.
    """
    try:
        if name is None and "://" in location:
            parent, _, last = location.rstrip("/").rpartition("/")
            above = place(parent) if parent.partition("://")[2] else None
            if above is not None and last in {each.name for each in above.list_checkpoints()}:
                return above, above.find(last)
        store = place(location)
        if name is not None:
            return store, store.find(name)
        known = store.list_checkpoints()
    except CheckpointError as error:
        raise SpecError(str(error)) from error
    if len(known) != 1:
        listed = f"name one of {', '.join(each.name for each in known)}" if known else "there is none"
        raise SpecError(f"{store.location} has {len(known)} checkpoints; {listed}")
    return store, known[0]


def data_of(found: StoredCheckpoint) -> dict[str, Any]:
    """Return a checkpoint as JSON data."""
    return msgspec.to_builtins(found)


def print_checkpoints(console: Console, found: Sequence[StoredCheckpoint], location: str) -> None:
    """Print one line a checkpoint."""
    if not found:
        console.print(Text(f"no checkpoints in {word(location, 200)}"))
        return
    print_table(console, "", _COLUMNS, [_row(each) for each in found])


def _row(found: StoredCheckpoint) -> tuple[str, ...]:
    damaged = f"damaged: {word(found.problem, 200)}" if found.problem else ""
    return (
        word(found.name),
        "–" if found.step is None else f"{found.step:,}",
        _measured(found),
        "–" if found.problem else f"{found.size_bytes:,}",
        when(found.created_at),
        found.sha256[:12] or "–",
        damaged or ("synthetic data" if is_synthetic(found) else ""),
    )


def _measured(found: StoredCheckpoint) -> str:
    return ", ".join(f"{word(name, 40)} {shown(value)}" for name, value in sorted(found.metrics.items())) or "–"


def is_synthetic(found: StoredCheckpoint) -> bool:
    """Say whether a checkpoint says that its training data is made up."""
    data = found.about.get("data")
    return isinstance(data, dict) and bool(data.get("synthetic"))  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]  # JSON of somebody else


def print_one(console: Console, found: StoredCheckpoint, *, as_json: bool) -> None:
    """Print all that is known of one checkpoint."""
    if as_json:
        print_data(data_of(found))
        return
    if found.problem is not None:
        console.print(Text(f"damaged: {word(found.problem, 400)}", style="red"))
        return
    lines = {
        "name": found.name,
        "at": relative(found.location),
        "step": "–" if found.step is None else f"{found.step:,}",
        "measured": _measured(found),
        "written": when(found.created_at),
        "bytes": f"{found.size_bytes:,}",
        "sha256": found.sha256,
        "files": ", ".join(found.files),
        "base model": str(found.about.get("base_model") or "–"),
        "base digest": str(found.about.get("base_digest") or "–"),
        "data": "synthetic" if is_synthetic(found) else "–" if found.about.get("data") is None else "as recorded",
    }
    for name, value in lines.items():
        console.print(Text(f"{name:<12}", style="dim") + Text(word(value, 400)), soft_wrap=True)
