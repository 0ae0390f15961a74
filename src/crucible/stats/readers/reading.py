"""Files of results of any tool as conditions to compare: each read by its format, and labelled apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from crucible.errors import StatsError, StoreError
from crucible.ir import did_you_mean
from crucible.stats.conditions.observations import Condition
from crucible.stats.readers.asked import FORMATS, Asked
from crucible.stats.readers.crucible_scores import read_crucible
from crucible.stats.readers.csv_rows import DELIMITERS, csv_table
from crucible.stats.readers.detection import detect_format
from crucible.stats.readers.inspect_log import read_inspect_json, read_inspect_zip
from crucible.stats.readers.json_rows import json_document, json_table, jsonl_table
from crucible.stats.readers.lines import head_of
from crucible.stats.readers.lm_eval import read_lm_eval
from crucible.stats.readers.measured import ReadFile
from crucible.stats.readers.table import read_table

__all__ = ["check_used", "labelled", "read_file"]

_OWN = {
    "crucible": ("item", "group", "repeat", "columns"),
    "inspect": ("item", "group", "repeat", "columns"),
    "lm_eval": ("group", "columns"),
}
"""What a format says itself, by fields of `Asked`; a table says nothing itself."""


def read_file(path: Path | str, asked: Asked | None = None) -> ReadFile:
    """Read the results in a file, whichever of `FORMATS` it has.

    Args:
        path: The file.
        asked: What its content cannot say; nothing if absent.

    Raises:
        StoreError: The file cannot be read, is torn, or is not what it claims; with file and line.
        StatsError: The format, the metric or a column is unknown or open, or a cell is no score.
        MissingExtra: A log is packed with Zstandard and the package for it is not installed.
    """
    asked, where = asked or Asked(), Path(path)
    if where.is_dir():
        raise StoreError(f"{where} is a folder; name the file of results in it")
    if where.exists() and not where.is_file():
        raise StoreError(f"{where} is a pipe or a device, which can be read only once; save what it gives to a file")
    head = head_of(where)
    if asked.format and asked.format not in FORMATS:
        known = ", ".join(FORMATS)
        raise StatsError(f'unknown format "{asked.format}"{did_you_mean(asked.format, FORMATS)}; known: {known}')
    name = asked.format or detect_format(where)
    if name == "inspect":
        return (read_inspect_zip if head.startswith(b"PK") else read_inspect_json)(where, asked)
    if name in DELIMITERS:
        return read_table(csv_table(where, name), asked)
    others: dict[str, Callable[[Path, Asked], ReadFile]] = {
        "crucible": read_crucible,
        "lm_eval": read_lm_eval,
        "jsonl": lambda file, how: read_table(jsonl_table(file), how),
        "json": lambda file, how: read_table(json_table(file, json_document(file)), how),
    }
    return others[name](where, asked)


def check_used(files: Sequence[ReadFile], asked: Asked) -> None:
    """Check that what the caller said of the files was of use for at least one of them.

    Raises:
        StatsError: It was not, as with a column of item ids where all files are logs that have ids of their own.
    """
    for field in ("item", "group", "repeat", "columns"):
        if getattr(asked, field) and all(field in _OWN.get(file.format, ()) for file in files):
            formats = ", ".join(dict.fromkeys(file.format for file in files))
            option = field.removesuffix("s")
            raise StatsError(
                f"--{option} is for tables; files of the format {formats} are read without it: leave it out"
            )


def labelled(files: Sequence[ReadFile], labels: Sequence[str] = ()) -> tuple[Condition, ...]:
    """Return the conditions of all files, each with a label of its own.

    What the files call their conditions is kept where that tells them apart; otherwise they are called after the files.

    Args:
        files: In order; the first condition is the baseline.
        labels: Of all conditions, to name them; empty: as above.

    Raises:
        StatsError: There are fewer or more labels than conditions, or two are the same.
    """
    conditions = [condition for file in files for condition in file.conditions]
    if labels:
        if len(labels) != len(conditions):
            named = ", ".join(condition.label for condition in conditions)
            raise StatsError(f"{len(labels)} labels for {len(conditions)} conditions: {named}")
        found = list(labels)
    else:
        paths = [Path(condition.source) for condition in conditions]
        own = [condition.label for condition in conditions]
        several = [f"{path.stem}:{label}" for path, label in zip(paths, own, strict=True)]
        stems, names, whole = (
            [str(part) for part in parts] for parts in zip(*((p.stem, p.name, p) for p in paths), strict=True)
        )
        candidates = (own, stems, names, several, whole)
        found = next((one for one in candidates if len(set(one)) == len(one)), own)
    if twice := [label for i, label in enumerate(found) if label in found[:i]]:
        raise StatsError(f'two conditions are called "{twice[0]}": name all of them with --label')
    return tuple(
        msgspec.structs.replace(condition, label=label) for condition, label in zip(conditions, found, strict=True)
    )
