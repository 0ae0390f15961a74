"""From what is wanted to files on disk that are what they were at first.

The first download records the commit and every file's digest. Afterwards the recorded commit is read, and each file is
hashed and held against the record. If the Hub answers and has other files now, that is an error: whoever loads a
dataset without a version means the one that he had.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec

from crucible.data.cache._unreachable import Unreachable
from crucible.data.cache.record import Record, RecordedFile, Wanted, locked, read_record, write_record
from crucible.data.cache.remote import (
    Remote,
    RemoteFile,
    ask,
    cached_file,
    download,
    is_offline,
    snapshot,
)
from crucible.data.formats import sha256_of, text_of_error
from crucible.data.place import check_pieces
from crucible.errors import DataError

__all__ = ["Fetched", "fetch"]

_COMMIT: Final = re.compile(r"[0-9a-f]{40}\Z")
_BLOCK_BYTES: Final = 1 << 20


class Fetched(msgspec.Struct, frozen=True):
    """Files that were held against their record.

    Args:
        record: The record.
        paths: Where its files lie, in its order.
    """

    record: Record
    paths: tuple[Path, ...]


def fetch(wanted: Wanted, *, offline: bool = False, accept: bool = False) -> Fetched | None:
    """Return the files of a split; None where the repository has none that fit.

    Args:
        wanted: What is asked for.
        offline: Ask nobody: what was recorded, or what lies in the cache.
        accept: Record what is there now, whatever was recorded.

    Raises:
        DataError: The files cannot be had, are damaged, or are not those that were recorded; or a piece of the split is
            missing.
        MissingExtra: huggingface_hub or filelock is not installed.
    """
    offline = is_offline() or offline
    with locked(wanted):
        record = None if accept else read_record(wanted)
        if record is None:
            return _first(wanted, offline=offline)
        if not offline:
            _check_remote(record)
        return _again(record, offline=offline)


def _first(wanted: Wanted, *, offline: bool) -> Fetched | None:
    """Download, and record what came."""
    folder = snapshot(wanted) if offline else None
    if folder is not None:
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        remote = Remote(folder.name, tuple(RemoteFile(name, None, None, None) for name in sorted(names)))
    else:
        remote = ask(wanted, wanted.version)
    chosen = _chosen(wanted, [file.path for file in remote.files])
    if not chosen:
        return None
    if not wanted.takes_all:
        check_pieces(chosen, name=wanted.repository)
    folder = folder or download(wanted, remote.commit, chosen)
    said = {file.path: file for file in remote.files}
    files: list[RecordedFile] = []
    for name in chosen:
        found = _digests(folder / name, name)
        if not _is_same(found, said[name]):
            _discard(folder / name)
            raise DataError(
                f"{wanted.repository}: {name} came damaged: it is not what the Hub says that it is; try again"
            )
        files.append(found)
    record = Record(wanted=wanted, commit=remote.commit, files=tuple(files))
    write_record(record)
    return Fetched(record, tuple(folder / name for name in chosen))


def _again(record: Record, *, offline: bool) -> Fetched:
    """Return the recorded files, downloading those that are gone, and hold each against the record."""
    wanted = record.wanted
    missing = [file.path for file in record.files if cached_file(wanted, record.commit, file.path) is None]
    if missing and offline:
        raise DataError(
            f"{wanted.repository}: {missing[0]} of the recorded commit {record.commit[:8]} is not in the Hub cache, "
            "and nobody is asked offline; go online once"
        )
    if missing:
        download(wanted, record.commit, missing)
    paths: list[Path] = []
    for file in record.files:
        path = cached_file(wanted, record.commit, file.path)
        if path is None:
            raise DataError(
                f"{wanted.repository}: {file.path} of the recorded commit {record.commit[:8]} could not be had; "
                "try again, or take what there is now with on_change: accept"
            )
        found = sha256_of(path)
        if found != file.sha256:
            raise DataError(
                f"{path} is not the file that was recorded when {wanted.name} was first loaded: its sha256 is "
                f'{found}, recorded is {file.sha256}; crucible.data.cache.remove("{wanted.name}") has it '
                "downloaded anew, on_change: accept records it as it is"
            )
        paths.append(path)
    return Fetched(record, tuple(paths))


def _check_remote(record: Record) -> None:
    """Refuse to go on where the revision that was asked for has other files now. A commit cannot change."""
    wanted = record.wanted
    if wanted.version is not None and _COMMIT.match(wanted.version):
        return
    try:
        remote = ask(wanted, wanted.version)
    except Unreachable:
        return  # the recorded commit is read, and checked, all the same
    if remote.commit == record.commit:
        return
    said = {file.path: file for file in remote.files}
    chosen = _chosen(wanted, list(said))
    recorded = {file.path: file for file in record.files}
    changed = [
        name
        for name in sorted({*chosen, *recorded})
        if name not in said or name not in recorded or not _is_same(recorded[name], said[name], unsaid=False)
    ]
    if changed:
        raise DataError(
            f"{wanted.repository} has changed on the Hub since it was first loaded: {changed[0]} is another file at "
            f"commit {remote.commit} than at the recorded one; version: {record.commit} goes on with the recorded "
            "data, on_change: accept takes the new data and records it"
        )


def _chosen(wanted: Wanted, names: list[str]) -> list[str]:
    """Return the files that are wanted, sorted: those of the first pattern that has any, or of all of them."""
    if wanted.takes_all:
        return sorted(name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted.patterns))
    for pattern in wanted.patterns:
        if found := sorted(name for name in names if fnmatch.fnmatchcase(name, pattern)):
            return found
    return []


def _is_same(file: RecordedFile, said: RemoteFile, *, unsaid: bool = True) -> bool:
    """Tell whether a file is what the Hub says; `unsaid` is the answer where it says nothing of its content."""
    if said.sha256 is not None:
        return said.sha256 == file.sha256
    if said.git_sha1 is not None:
        return said.git_sha1 == file.git_sha1
    return unsaid and said.size in (None, file.size)


def _digests(path: Path, name: str) -> RecordedFile:
    try:
        size = path.stat().st_size
        sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                sha256.update(block)
                git.update(block)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({text_of_error(error)})") from error
    return RecordedFile(name, size, sha256.hexdigest(), git.hexdigest())


def _discard(path: Path) -> None:
    """Take a damaged file out of the cache, or the next download would find it there."""
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
