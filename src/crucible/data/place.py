"""From what a document says about a place to the file that is there. Reads no content."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from crucible.data._missing import SplitMissing
from crucible.errors import DataError

__all__ = ["check_part", "check_pieces", "expand", "find_file", "split_files", "usual_files"]

_VARIABLE = re.compile(r"\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PART = re.compile(r"[\w.+ \-]+\Z")
_PIECE = re.compile(r"(?P<stem>.*)-(?P<number>[0-9]{1,6})-of-(?P<total>[0-9]{1,6})\.[^/]*\Z")


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


def check_part(text: str, *, what: str, name: str) -> None:
    """Refuse a split or a configuration that is no plain name, before it becomes part of a path.

    Args:
        text: The name.
        what: `split` or `config`, for the message.
        name: The dataset, for the message.

    Raises:
        DataError: It holds a slash, a wildcard or the like.
    """
    if not _PART.match(text) or ".." in text:
        raise DataError(f'{name}: the {what} "{text}" is no name; expected letters, digits, ".", "-", "_" and spaces')


def usual_files(split: str, config: str | None, suffixes: Iterable[str]) -> Iterator[str]:
    """Yield the patterns of file names under which a split usually lies, the likeliest first.

    Args:
        split: The split.
        config: The configuration, which usually is a folder.
        suffixes: Endings of the files.
    """
    folders = ("", "data/") if config is None else (f"{config}/", f"data/{config}/")
    for suffix in suffixes:
        for folder in folders:
            for name in (f"{split}-*", split, f"{split}/*"):
                yield f"{folder}{name}{suffix}"


def check_pieces(files: Iterable[str], *, name: str) -> None:
    """Refuse files of which some are missing by their own names: `train-00000-of-00002.parquet` alone is half a split.

    Args:
        files: The files' names or paths.
        name: The dataset, for the message.

    Raises:
        DataError: A piece is missing.
    """
    pieces: dict[tuple[str, str], set[int]] = {}
    for file in files:
        if match := _PIECE.match(file):
            pieces.setdefault((match["stem"], match["total"]), set()).add(int(match["number"]))
    for (stem, total), numbers in pieces.items():
        if len(numbers) < int(total):
            raise DataError(
                f"{name}: {len(numbers)} of {int(total)} pieces of {stem}-…-of-{total} are there; get the others, or "
                "name one file as path (on the Hub, with files) if a part is what you want"
            )


def split_files(place: Path, patterns: Iterable[str], split: str, *, name: str, wanted: str) -> list[Path]:
    """Return the files of a split in a folder, sorted: those of the first pattern that has any.

    Args:
        place: The folder, or the file itself.
        patterns: Patterns below the folder, the likeliest first.
        split: The split wanted.
        name: The dataset, for the message.
        wanted: What is looked for in words, such as `train.jsonl`.

    Raises:
        SplitMissing: The folder is there and has no such file.
        DataError: Nothing is at `place`, or a piece of the split is missing.
    """
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise DataError(
            f"{name}: there is nothing at {place}; give the folder with {wanted}, or the file itself, as path"
        )
    for pattern in patterns:
        found = sorted(path for path in place.glob(pattern) if path.is_file())
        if found:
            check_pieces(map(str, found), name=name)
            return found
    ending = Path(wanted).suffix
    there = sorted(entry.name for entry in place.iterdir() if not ending or entry.name.endswith((ending, ".gz")))
    listed = ", ".join(there[:12]) + (f" and {len(there) - 12} more" if len(there) > 12 else "")
    raise SplitMissing(
        f'{name}: the folder {place} has no {wanted} for the split "{split}"; it has: {listed or f"no {ending}"}'
    )
