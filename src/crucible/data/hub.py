"""Datasets of the Hugging Face Hub: files of a repository, at a commit that is recorded at first and checked after.

huggingface_hub downloads and caches; without a network, what was recorded still answers. Nothing of the repository is
executed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from crucible.data._missing import SplitMissing
from crucible.data.cache.fetch import fetch
from crucible.data.cache.record import Wanted
from crucible.data.formats import formats_for, suffixes_of
from crucible.data.gsm8k import problem_maker
from crucible.data.known import KNOWN, Known, known_named, known_of_repository
from crucible.data.local_files import mapping_maker
from crucible.data.place import check_part, usual_files
from crucible.data.reading import ItemMaker, Request
from crucible.data.source import Files, Source
from crucible.errors import DataError, require

__all__ = ["HUB"]

_GSM8K: Final = ("openai/gsm8k", "main")
_SCIFACT_HOME: Final = "https://github.com/allenai/scifact"


def _find(request: Request) -> Files:
    require("huggingface_hub", extra="data", feature="provider: huggingface")
    options, asked = request.options, request.ref
    check_part(request.split, what="split", name=asked.name)
    known = _known(request)
    repository, config, split, notes = asked.name, options.config, request.split, ()
    if known is not None:
        repository, split, notes = _repository(known), known.split_asked(split), known.notes_of(split)
        config = known.config_asked(config)
    elif asked.name == "scifact":
        raise DataError(_no_rows("scifact", _SCIFACT_HOME))
    elif asked.name == "gsm8k":
        repository, config = _GSM8K[0], config or _GSM8K[1]
    if config is not None:
        check_part(config, what="config", name=asked.name)
    formats = formats_for(asked.format)
    suffixes = [suffix for each in formats for suffix in suffixes_of(each)]
    wanted = Wanted(
        name=asked.name,
        repository=repository,
        split=request.split,
        config=options.config,
        version=asked.version,
        patterns=tuple(
            options.files or _usual(split, config, suffixes, also_above=known is not None and config == known.config)
        ),
        takes_all=options.files is not None,
    )
    found = fetch(wanted, offline=bool(options.offline), accept=options.on_change == "accept")
    if found is None:
        looked = ", ".join(wanted.patterns[:6]) + (", …" if len(wanted.patterns) > 6 else "")
        raise SplitMissing(
            f'{repository}: no file of the split "{split}" in the usual places ({looked}); '
            "name the configuration with the option config, or the files with the option files"
        )
    commit, files = found.record.commit, found.record.files
    digests = [file.sha256 for file in files]
    return Files(
        paths=found.paths,
        make=_maker(request, known),
        stem=split,
        source=f"https://huggingface.co/datasets/{repository}: " + ", ".join(file.path for file in files),
        shown=tuple(f"{repository}@{commit[:8]}/{file.path}" for file in files),
        format=formats[0] if asked.format is not None else None,
        revision=commit,
        sha256=digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest(),
        notes=notes,
    )


def _known(request: Request) -> Known | None:
    """Return the known dataset of a name, or of a repository whose fields are not mapped by hand."""
    found = known_named(KNOWN, request.ref.name)
    if found is None and request.options.fields is None:
        found = known_of_repository(KNOWN, request.ref.name)
    return found


def _repository(known: Known) -> str:
    if known.repository is None:
        raise DataError(_no_rows(known.name, known.home))
    return known.repository


def _no_rows(name: str, home: str) -> str:
    return (
        f"{name} is on the Hugging Face Hub as a program that makes the rows, and programs are not run here; "
        f"get its files from {home} and give their folder as path"
    )


def _usual(split: str, config: str | None, suffixes: list[str], *, also_above: bool) -> Iterator[str]:
    yield from usual_files(split, config, suffixes)
    if also_above and config is not None:
        yield from usual_files(split, None, suffixes)


def _maker(request: Request, known: Known | None) -> ItemMaker:
    if request.options.fields is not None:
        return mapping_maker(request.options)
    if known is not None:
        return known.maker(request)
    if request.ref.name == "gsm8k":
        return problem_maker(only_final=request.options.answer == "final")
    return mapping_maker(request.options)


_TAKES: Final = (
    *("config", "files", "fields", "csv", "answer", "unanswered", "synthetic", "answer_schema"),
    *("offline", "on_change"),
)
HUB: Final = Source(frozenset(_TAKES), _find)
"""The source behind `provider: huggingface`."""
