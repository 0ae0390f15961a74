"""The record of one split of one repository, and the lock that lets one process at a time write it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import msgspec

from crucible.errors import DataError, StoreError, require
from crucible.ir import atomic_write

__all__ = ["Record", "RecordedFile", "Wanted", "all_records", "locked", "read_record", "records_folder", "write_record"]

_LOCK_TIMEOUT_S = 600.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a repository; two that differ in anything have records of their own.

    Args:
        name: The dataset's name, as it was asked for.
        repository: `owner/name` on the Hub.
        split: The split.
        config: The configuration; None where none was named.
        version: The revision asked for; None: the newest at first, the recorded one ever after.
        patterns: Patterns of the files' names, the likeliest first.
        takes_all: The files of every pattern are wanted, and not those of the first that has any.
    """

    name: str
    repository: str
    split: str
    config: str | None
    version: str | None
    patterns: tuple[str, ...]
    takes_all: bool = False

    def file_name(self) -> str:
        """Return the name of the record's file: readable, and safe whatever the dataset is called."""
        key = json.dumps(msgspec.to_builtins(self), sort_keys=True)
        words = "-".join(word for word in (self.name, self.config, self.split) if word)
        plain = re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-").lower()[:60] or "dataset"
        return f"{plain}.{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


class RecordedFile(msgspec.Struct, frozen=True):
    """One file as it was at first.

    Args:
        path: Its path in the repository.
        size: Its size in bytes.
        sha256: Hex SHA-256 of its content.
        git_sha1: Hex SHA-1 under which git keeps it, by which the Hub names small files.
    """

    path: str
    size: int
    sha256: str
    git_sha1: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What was downloaded.

    Args:
        wanted: What was asked for.
        commit: The commit that it was.
        files: The files, in order.
    """

    wanted: Wanted
    commit: str
    files: tuple[RecordedFile, ...]


def records_folder() -> Path:
    """Return where records are kept: `$CRUCIBLE_CACHE/datasets`, else `crucible/datasets` in the user's cache."""
    chosen = os.environ.get("CRUCIBLE_CACHE")
    if chosen:
        return Path(chosen) / "datasets"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "crucible" / "datasets"


@contextlib.contextmanager
def locked(wanted: Wanted) -> Generator[None]:
    """Hold the lock of a record; the system releases it if this process dies.

    Raises:
        DataError: The folder cannot be written, or another process held the lock for ten minutes.
    """
    filelock = cast("Any", require("filelock", extra="data", feature="provider: huggingface"))
    place = records_folder() / f"{wanted.file_name()}.lock"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(str(place), timeout=_LOCK_TIMEOUT_S)
        lock.acquire()
    except filelock.Timeout as error:
        raise DataError(
            f"another process has held {place} for {_LOCK_TIMEOUT_S:g} s; wait for it, or end it"
        ) from error
    except OSError as error:
        raise DataError(
            f"the cache {place.parent} cannot be written ({error.strerror or error}); "
            "set CRUCIBLE_CACHE to a writable folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def read_record(wanted: Wanted) -> Record | None:
    """Return the record, None if nothing was downloaded yet.

    Raises:
        DataError: The record is damaged.
    """
    return _read(records_folder() / wanted.file_name())


def write_record(record: Record) -> None:
    """Write the record, whole or not at all.

    Raises:
        DataError: It cannot be written.
    """
    place = records_folder() / record.wanted.file_name()
    try:
        atomic_write(place, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    except StoreError as error:
        raise DataError(f"{error}; or set CRUCIBLE_CACHE to a writable folder") from error


def all_records() -> list[tuple[Path, Record]]:
    """Return every record with its file, sorted by name.

    Raises:
        DataError: One is damaged.
    """
    found: list[tuple[Path, Record]] = []
    for path in sorted(records_folder().glob("*.json")):
        record = _read(path)
        if record is not None:
            found.append((path, record))
    return found


def _read(path: Path) -> Record | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}, the record of a download, cannot be read ({error}); delete it to have the data recorded anew"
        ) from error
