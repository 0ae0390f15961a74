"""What a source of data is to `load`: a reader and the options that it takes; and the way from a file to a dataset."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from crucible.data.dataset import Dataset, Provenance
from crucible.data.items import Item
from crucible.data.options import DatasetOptions
from crucible.data.place import expand, find_file
from crucible.data.rows import Row, read_jsonl
from crucible.data.schema import read_schema, violation
from crucible.errors import DataError
from crucible.ir import DatasetRef

__all__ = ["ItemMaker", "Request", "Source", "dataset_of_rows", "local_place", "read_split"]

ItemMaker = Callable[[Row, str], Item | str]
"""Makes an item of a row, given the id to use if the row has none; or says in words why the row is left out."""


class Request(msgspec.Struct, frozen=True):
    """What is asked of a source.

    Args:
        ref: Name, provider, version, format and expected fields; its `split` and `options` are in the fields below.
        split: The split wanted.
        seed: Seed of samples and generators.
        options: How to read.
    """

    ref: DatasetRef
    split: str
    seed: int
    options: DatasetOptions


class Source(msgspec.Struct, frozen=True):
    """A named source.

    Args:
        read: Returns the whole split; `load` samples it afterwards.
        takes: The options that mean something here, beside `limit`, `seed` and those of the test set.
    """

    read: Callable[[Request], Dataset]
    takes: frozenset[str]


def local_place(request: Request, *, folder: str, home: str) -> Path:
    """Return where the files of a named dataset lie: the option `path`, else that folder of `CRUCIBLE_DATA`.

    Args:
        request: What is asked.
        folder: Its folder below `CRUCIBLE_DATA`.
        home: Where the files can be had, for the message.

    Raises:
        DataError: Neither is given.
    """
    if request.options.path is not None:
        return Path(expand(request.options.path))
    root = os.environ.get("CRUCIBLE_DATA")
    if not root:
        raise DataError(
            f"{request.ref.name} needs its files: give their folder as path, or set the environment variable "
            f'CRUCIBLE_DATA to the folder above "{folder}"; the files are at {home}'
        )
    return Path(root) / folder


def read_split(request: Request, place: Path, files: Mapping[str, str], make: ItemMaker, *notes: str) -> Dataset:
    """Read the JSONL file of the wanted split.

    Args:
        request: What is asked.
        place: Folder or file.
        files: File name by split.
        make: From row to item.
        notes: What a reader of results must know of this split.

    Raises:
        DataError: The file or a line of it cannot be used, or the file is not the version asked for.
    """
    path = find_file(place, files, request.split, name=request.ref.name)
    rows, digest = read_jsonl(path)
    asked = request.ref.version
    if asked is not None and asked.removeprefix("sha256:") != digest:
        raise DataError(
            f"{path} is not the version asked for: its sha256 is {digest}, version says {asked}; "
            "the version of a local file is its sha256"
        )
    provenance = Provenance(source=str(path), sha256=digest, notes=notes)
    return dataset_of_rows(request, rows, make, provenance, stem=path.stem)


def dataset_of_rows(
    request: Request, rows: Iterable[Row], make: ItemMaker, provenance: Provenance, *, stem: str
) -> Dataset:
    """Make a dataset of rows; rows that are left out are counted in the provenance.

    Args:
        request: What is asked.
        rows: The rows, in order.
        make: From row to item.
        provenance: Where the rows came from.
        stem: Start of the ids of rows that have none.

    Raises:
        DataError: A row cannot be used, or does not fit the expected fields of the request.
    """
    items: list[Item] = []
    left_out: Counter[str] = Counter()
    broken = violation(request.ref.schema_, what="dataset.schema") if request.ref.schema_ else None
    for row in rows:
        if broken is not None and (problem := broken(dict(row.values))):
            raise DataError(f"{row.where}: does not fit dataset.schema: {problem}")
        made = make(row, f"{stem}-{row.number}")
        if isinstance(made, str):
            left_out[made] += 1
        else:
            items.append(made)
    notes = [f"{count} left out: {reason}" for reason, count in left_out.items()]
    options = request.options
    is_made_up = bool(options.synthetic) or any(item.metadata.get("synthetic") is True for item in items)
    return Dataset(
        name=request.ref.name,
        split=request.split,
        items=tuple(items),
        provenance=msgspec.structs.replace(
            provenance, notes=(*provenance.notes, *notes), synthetic=provenance.synthetic or is_made_up
        ),
        answer_schema=_answer_schema(options.answer_schema),
    )


def _answer_schema(given: dict[str, Any] | str | None) -> dict[str, Any] | None:
    if isinstance(given, str):
        given = read_schema(Path(expand(given, what="answer_schema")))
    if given is not None:
        violation(given, what="answer_schema")  # a broken schema is found now, not after an hour of training
    return given
