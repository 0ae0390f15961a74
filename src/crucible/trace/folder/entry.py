"""What a folder says of its chains, read from their files without making the events."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from crucible.errors import StoreError
from crucible.trace.chain import Chain

__all__ = ["FolderEntry", "FolderListing", "FolderMoves", "FolderProblem", "read_entry"]


class FolderEntry(msgspec.Struct, frozen=True):
    """A chain in a folder.

    Args:
        id: The chain's, as the file says.
        name: The chain's.
        description: The chain's.
        event_count: How many events it has.
        created_at: Aware.
        updated_at: Aware.
        path: Its file.
    """

    id: str
    name: str
    description: str | None
    event_count: int
    created_at: datetime
    updated_at: datetime
    path: Path


class FolderProblem(msgspec.Struct, frozen=True):
    """A file that could not be read or moved.

    Args:
        path: Which.
        message: Why, safe to print.
    """

    path: Path
    message: str


class FolderListing(msgspec.Struct, frozen=True):
    """What a folder holds.

    Args:
        entries: The chains, the newest first.
        problems: The files that are none, and those whose id another file has too.
    """

    entries: tuple[FolderEntry, ...]
    problems: tuple[FolderProblem, ...]


class FolderMoves(msgspec.Struct, frozen=True):
    """What was moved.

    Args:
        ids: The chains that are now in the archive.
        problems: What could not be read, or not be moved and is still where it was.
    """

    ids: tuple[str, ...]
    problems: tuple[FolderProblem, ...]


_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _Skipped(msgspec.Struct, gc=False):
    """An object of which only the presence counts."""


class _Head(msgspec.Struct, gc=False):
    id: Annotated[str, msgspec.Meta(min_length=1)]
    name: str
    events: list[_Skipped]
    created_at: _Time
    updated_at: _Time
    description: str | None = None


_decode = msgspec.json.Decoder(_Head).decode


def read_entry(path: Path) -> FolderEntry:
    """Read what a listing says of a chain's file.

    Raises:
        StoreError: The file cannot be read.
        SpecError: It is no JSON.
        SpecErrors: It is no chain.
    """
    try:
        with path.open("rb", buffering=0) as file:
            content = file.read()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror or error}); check the path") from error
    try:
        head = _decode(content)
    except (ValueError, RecursionError):  # something is missing or odd: the whole reader knows what to make of it
        chain = Chain.load(path)
        return FolderEntry(
            chain.id, chain.name, chain.description, len(chain), chain.created_at, chain.updated_at, path
        )
    return FolderEntry(head.id, head.name, head.description, len(head.events), head.created_at, head.updated_at, path)
