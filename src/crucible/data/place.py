"""From what a document says about a place to the file that is there. Reads no content."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from crucible.data._missing import SplitMissing
from crucible.errors import DataError

__all__ = ["expand", "find_file"]

_VARIABLE = re.compile(r"\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def expand(text: str, *, what: str = "path") -> str:
    """Replace each `${NAME}` by the environment variable of that name, and a leading `~` by the home folder.

    Args:
        text: As the document says it.
        what: What is expanded, for the message.

    Raises:
        DataError: The variable is not set or is empty, or `${` is not closed.
    """

    def value(match: re.Match[str]) -> str:
        name, closing = match.groups()
        if not closing or not _NAME.match(name):
            raise DataError(f'{what} "{text}": expected ${{NAME}} with letters, digits and _, got "{match.group(0)}"')
        found = os.environ.get(name, "")
        if not found:
            state = "empty" if name in os.environ else "not set"
            raise DataError(
                f'{what} "{text}": the environment variable {name} is {state}; set it (export {name}=/some/folder) '
                f"or write the path itself"
            )
        return found

    return str(Path(_VARIABLE.sub(value, text)).expanduser())


def find_file(place: Path, files: Mapping[str, str], split: str, *, name: str) -> Path:
    """Return the file of a split.

    Args:
        place: The folder that holds the files, or one of the files.
        files: File name by split; several splits may share a file.
        split: The split wanted.
        name: The dataset, for the message.

    Raises:
        SplitMissing: The folder is there and has no file for this split.
        DataError: The split is unknown, nothing is at `place`, or the file at `place` is that of another split.
    """
    if split not in files:
        raise SplitMissing(f'{name} has no split "{split}"; it has: {", ".join(files)}')
    wanted = files[split]
    if place.is_file():
        others = sorted(other for other, file in files.items() if file == place.name)
        if others and place.name != wanted:
            raise DataError(
                f'{name}: {place} holds the split "{others[0]}", not "{split}"; give the folder or {wanted}'
            )
        return place
    if not place.is_dir():
        raise DataError(
            f"{name}: there is nothing at {place}; give the folder with {wanted}, or the file itself, as path"
        )
    if not (place / wanted).is_file():
        there = sorted(entry.name for entry in place.iterdir() if entry.suffix == ".jsonl")
        raise SplitMissing(
            f'{name}: the folder {place} has no {wanted} for the split "{split}"; it has: '
            + (", ".join(there) or "no .jsonl")
        )
    return place / wanted
