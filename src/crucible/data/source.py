"""What a source of data is to `load`: a finder of files, or a reader, and the options that it takes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from crucible.data.dataset import Dataset
from crucible.data.formats import FileFormat, format_of, formats_for, sha256_of, text_of_error
from crucible.data.options import Dialect
from crucible.data.place import expand, find_file
from crucible.data.provenance import Provenance
from crucible.data.reading import ItemMaker, Making, Request, answer_schema, dataset_of_rows
from crucible.data.rows import Row
from crucible.data.stream import DataStream
from crucible.errors import DataError

__all__ = ["Files", "Source", "local_place", "named_file", "stem_of"]


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a split, found and not yet read.

    Args:
        paths: The files, in order.
        make: From row to item.
        stem: Start of the ids of rows that have none.
        source: Where they came from, in words.
        shown: The files' names for messages; their paths if empty.
        format: How to read them; None: as each one's name says.
        revision: Version of the source, where it has one of its own.
        sha256: Digest of the files, where it is known and was checked.
        notes: What a reader of results must know of this split.
    """

    paths: tuple[Path, ...]
    make: ItemMaker
    stem: str
    source: str
    shown: tuple[str, ...] = ()
    format: FileFormat | None = None
    revision: str | None = None
    sha256: str | None = None
    notes: tuple[str, ...] = ()

    def read(self, request: Request) -> Dataset:
        """Read all rows.

        Raises:
            DataError: A file or a row of it cannot be used, changed while it was read, or is not the version asked for.
        """
        digest = self.sha256 or self._digest()
        self._check_version(request, digest)
        before = [_state(path) for path in self.paths]
        provenance = Provenance(source=self.source, revision=self.revision, sha256=digest, notes=self.notes)
        dataset = dataset_of_rows(request, self.rows(request), self.make, provenance, stem=self.stem)
        if before != [_state(path) for path in self.paths]:
            raise DataError(f"{self.source} changed while it was read; load it again when nobody writes to it")
        return dataset

    def stream(self, request: Request) -> DataStream:
        """Return what reads the rows when it is iterated over.

        Raises:
            DataError: The format cannot be read piece by piece, or a file is not the version asked for.
        """
        for path, shown in zip(self.paths, self._shown(), strict=True):
            if not (fmt := self.format or format_of(path, shown)).is_streamed:
                raise DataError(
                    f"{shown}: a file of the format {fmt.name} is read whole; write it as jsonl to stream it"
                )
        digest = self.sha256
        if digest is None and request.ref.version is not None:
            digest = self._digest()
        self._check_version(request, digest)
        provenance = Provenance(
            source=self.source,
            revision=self.revision,
            sha256=digest,
            synthetic=bool(request.options.synthetic),
            notes=self.notes,
        )
        maker = Making(request, self.make, self.stem)
        schema = answer_schema(request.options.answer_schema)
        name, split = request.ref.name, request.split
        return DataStream(name, split, provenance, lambda: maker.items(self.rows(request)), schema)

    def rows(self, request: Request) -> Iterator[Row]:
        """Yield the rows of all files; of several files they are numbered through."""
        dialect = request.options.csv or Dialect()
        number = 0
        for path, shown in zip(self.paths, self._shown(), strict=True):
            for row in (self.format or format_of(path, shown)).rows(path, shown, dialect):
                number += 1
                yield row if len(self.paths) == 1 else msgspec.structs.replace(row, number=number)

    def _shown(self) -> tuple[str, ...]:
        return self.shown or tuple(map(str, self.paths))

    def _digest(self) -> str:
        digests = [sha256_of(path) for path in self.paths]
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

    def _check_version(self, request: Request, digest: str | None) -> None:
        """A file's version is its digest; a repository has a revision, and was asked for it."""
        asked = request.ref.version
        if self.revision is None and asked is not None and asked.removeprefix("sha256:") != digest:
            raise DataError(
                f"{self.source} is not the version asked for: its sha256 is {digest}, version says {asked}; "
                "the version of a local file is its sha256"
            )


class Source(msgspec.Struct, frozen=True):
    """A named source: it finds files, or it makes its items itself.

    Args:
        takes: The options that mean something here, beside `limit`, `seed` and those of the test set.
        find: Returns the files of the split; None where there are none.
        make: Returns the whole split, where there are no files; `load` samples it afterwards.
    """

    takes: frozenset[str]
    find: Callable[[Request], Files] | None = None
    make: Callable[[Request], Dataset] | None = None

    def read(self, request: Request) -> Dataset:
        """Return the whole split.

        Raises:
            DataError: It cannot be had.
        """
        if self.find is not None:
            return self.find(request).read(request)
        if self.make is not None:
            return self.make(request)
        raise DataError(f"{request.ref.name} is a source without files and without items")

    def stream(self, request: Request) -> DataStream:
        """Return the split as a stream.

        Raises:
            DataError: It cannot be had, or there is no file to be read piece by piece.
        """
        if self.find is None:
            raise DataError(f"{request.ref.name} is made in memory and cannot be streamed; leave stream out")
        return self.find(request).stream(request)


def local_place(request: Request, *, folder: str, home: str, hub: str = "") -> Path:
    """Return where the files of a named dataset lie: the option `path`, else that folder of `CRUCIBLE_DATA`.

    Args:
        request: What is asked.
        folder: Its folder below `CRUCIBLE_DATA`.
        home: Where the files can be had, for the message.
        hub: Repository of the Hub that has them, for the message; empty if none does.

    Raises:
        DataError: Neither is given.
    """
    if request.options.path is not None:
        return Path(expand(request.options.path))
    root = os.environ.get("CRUCIBLE_DATA")
    if not root:
        other = f", or read {hub} with provider: huggingface" if hub else ""
        raise DataError(
            f"{request.ref.name} needs its files: give their folder as path, or set the environment variable "
            f'CRUCIBLE_DATA to the folder above "{folder}"{other}; the files are at {home}'
        )
    return Path(root) / folder


def named_file(request: Request, place: Path, files: Mapping[str, str], make: ItemMaker, *notes: str) -> Files:
    """Return the one file of the wanted split.

    Args:
        request: What is asked.
        place: Folder or file.
        files: File name by split.
        make: From row to item.
        notes: What a reader of results must know of this split.

    Raises:
        DataError: It is not there.
    """
    path = find_file(place, files, request.split, name=request.ref.name)
    return Files(
        paths=(path,),
        make=make,
        stem=stem_of(path),
        source=str(path),
        format=_format_said(request, path),
        notes=notes,
    )


def _format_said(request: Request, path: Path) -> FileFormat:
    """Return the format of a file: the reference's, else that of its name, else JSONL."""
    if request.ref.format is not None:
        return formats_for(request.ref.format)[0]
    try:
        return format_of(path)
    except DataError:
        return formats_for("jsonl")[0]


def stem_of(path: Path) -> str:
    """Return a file's name without its endings, `.gz` included."""
    return Path(path.name.removesuffix(".gz")).stem


def _state(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({text_of_error(error)})") from error
    return found.st_size, found.st_mtime_ns, found.st_ino
