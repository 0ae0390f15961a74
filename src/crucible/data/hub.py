"""Datasets of the Hugging Face Hub: parquet or JSONL files of a repository, at a revision that is recorded.

huggingface_hub downloads and caches; without a network its cache still answers. Nothing of the repository is executed.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyarrow ships no types

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from crucible.data._missing import SplitMissing
from crucible.data.dataset import Dataset, Provenance
from crucible.data.gsm8k import problem_maker
from crucible.data.items import Item
from crucible.data.options import FieldMap
from crucible.data.rows import Row, mapped_item, read_jsonl
from crucible.data.source import ItemMaker, Request, Source, dataset_of_rows
from crucible.errors import DataError, require
from crucible.ir import file_sha256

__all__ = ["HUB"]

_KNOWN: Final = {"gsm8k": ("openai/gsm8k", "main")}
"""Repository and configuration of names that `load` also knows."""

_KINDS: Final = (
    (".parquet", ("{split}-*.parquet", "{split}.parquet", "{split}/*.parquet")),
    (".jsonl", ("{split}.jsonl",)),
)


def _read(request: Request) -> Dataset:
    options = request.options
    repository, known_config = _KNOWN.get(request.ref.name, (request.ref.name, None))
    patterns = list(options.files or _usual_files(request.split, options.config or known_config))
    folder = _download(repository, request.ref.version, patterns)
    files = _matching(folder, patterns, prefer_parquet=options.files is None)
    if not files:
        raise SplitMissing(
            f'{repository}: no file of the split "{request.split}" in the usual places ({", ".join(patterns)}); '
            "name the configuration with the option config, or the files with the option files"
        )
    revision = folder.name
    digests = [file_sha256(path) for path in files]
    provenance = Provenance(
        source=f"https://huggingface.co/datasets/{repository}: "
        + ", ".join(str(path.relative_to(folder)) for path in files),
        revision=revision,
        sha256=digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest(),
    )
    rows = _numbered(files, folder, f"{repository}@{revision[:8]}")
    return dataset_of_rows(request, rows, _maker(request), provenance, stem=request.split)


def _maker(request: Request) -> ItemMaker:
    options = request.options
    if request.ref.name in _KNOWN and options.fields is None:
        return problem_maker(only_final=options.answer == "final")
    fields = options.fields or FieldMap()

    def make(row: Row, default_id: str) -> Item:
        return mapped_item(row, fields, default_id=default_id, keep_unanswered=options.unanswered == "keep")

    return make


def _usual_files(split: str, config: str | None) -> Iterator[str]:
    folders = ("", "data/") if config is None else (f"{config}/", f"data/{config}/")
    for _, names in _KINDS:
        for folder in folders:
            for name in names:
                yield folder + name.format(split=split)


def _download(repository: str, revision: str | None, patterns: list[str]) -> Path:
    """Return the folder of the files at a revision; the folder's name is the commit."""
    require("huggingface_hub", extra="data", feature="provider: huggingface")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    wanted = f"the dataset {repository}" + (f" at revision {revision}" if revision else "")
    try:
        return Path(snapshot_download(repository, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except GatedRepoError as error:
        raise DataError(f"{wanted} is gated; accept its terms on the Hub and log in with `hf auth login`") from error
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise DataError(f"{wanted} is not on the Hugging Face Hub; check its name (owner/name) and version") from error
    except Exception as error:  # the border: whatever network or cache say becomes one sentence
        raise DataError(
            f"{wanted} is not in the local Hub cache and the Hugging Face Hub cannot be reached "
            f"({type(error).__name__}); go online once, or use a file of your own with name: jsonl"
        ) from error


def _matching(folder: Path, patterns: list[str], *, prefer_parquet: bool) -> list[Path]:
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(fnmatch.fnmatchcase(path.relative_to(folder).as_posix(), one) for one in patterns)
    ]
    parquet = [path for path in found if path.suffix == ".parquet"]
    return parquet if prefer_parquet and parquet else found


def _numbered(files: list[Path], folder: Path, origin: str) -> Iterator[Row]:
    number = 0
    for path in files:
        name = f"{origin}/{path.relative_to(folder).as_posix()}"
        for place, values in enumerate(_rows(path, name), start=1):
            number += 1
            yield Row(values, f"{name} row {place}", number)


def _rows(path: Path, name: str) -> Iterator[dict[str, Any]]:
    if path.suffix == ".jsonl":
        for row in read_jsonl(path)[0]:
            yield dict(row.values)
        return
    if path.suffix != ".parquet":
        raise DataError(f"{name}: expected .parquet or .jsonl; name other files with the option files")
    require("pyarrow", extra="data", feature="a parquet file")
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{name} is no readable parquet file: {error}") from error


HUB: Final = Source(
    _read, frozenset({"config", "files", "fields", "answer", "unanswered", "synthetic", "answer_schema"})
)
"""The source behind `provider: huggingface`."""
