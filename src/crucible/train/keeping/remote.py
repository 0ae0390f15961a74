"""Checkpoints in a bucket, or at any other URL that fsspec knows.

A checkpoint is there once its manifest is, which is uploaded last and removed first; so an upload that was torn is
never seen, and a reader who meets one that is being replaced gets a `CheckpointError`, never a mixture.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from crucible import events
from crucible.backends import verify_checkpoint
from crucible.backends.checkpoint import MANIFEST, is_replaceable, read_manifest
from crucible.backends.manifest import STATE, Manifest, parse_manifest
from crucible.backends.placing import check_free, placed, write_synced
from crucible.errors import StoreError, StoreUnavailable
from crucible.train.keeping.cache import CheckpointCache
from crucible.train.keeping.local_folder import unknown
from crucible.train.keeping.place import RemotePlace
from crucible.train.keeping.remote_file import RemoteFile
from crucible.train.keeping.stored import TRAINING, StoredCheckpoint, check_name, describe, is_name

__all__ = ["RemoteCheckpoints"]

_SMALL = (MANIFEST, TRAINING, STATE)  # what a list reads of each


class RemoteCheckpoints:
    """The checkpoints at a URL; `CheckpointStore` says what each method means.

    Args:
        url: Such as `s3://bucket/prefix` or `memory://runs`.
        cache: Where copies lie on this machine.
        timeout_s: Longest time in seconds in which nothing moves.
        options: For fsspec's file system.

    Raises:
        MissingExtra: The package of that kind of URL is not installed.
        StoreError: The URL cannot be understood.
    """

    def __init__(self, url: str, *, cache: CheckpointCache, timeout_s: float, options: Mapping[str, Any]) -> None:
        self._place = RemotePlace(url, timeout_s=timeout_s, options=options)
        self._cache = cache

    @property
    def location(self) -> str:
        """The URL, without user name and password."""
        return self._place.shown

    def list_checkpoints(self) -> list[StoredCheckpoint]:
        """Return what is kept, by step: one listing, then the small files of each.

        Raises:
            StoreError: The place cannot be read.
        """
        folders = _by_folder(self._place.list_files())
        names = [name for name, files in folders.items() if MANIFEST in files]
        return sorted(self._described({name: folders[name] for name in names}), key=lambda each: each.order)

    def find(self, name: str) -> StoredCheckpoint:
        """Return one checkpoint.

        Raises:
            CheckpointError: There is none of that name.
            StoreError: The place cannot be read.
        """
        folders = _by_folder(self._place.list_files())
        if MANIFEST not in folders.get(check_name(name), {}):
            raise unknown(name, sorted(each for each, files in folders.items() if MANIFEST in files), self.location)
        return self._described({name: folders[name]})[0]

    def put(self, folder: Path, name: str | None = None, *, record: bytes | None = None) -> StoredCheckpoint:
        """Keep a copy of a checkpoint: its files several at once, its manifest last.

        Raises:
            CheckpointError: It is damaged, or the name is no plain folder name.
            StoreError: No such bucket, no permission, or it takes no more.
            StoreUnavailable: The place cannot be reached; what was uploaded so far is never seen.
        """
        name = check_name(name or folder.name)
        verify_checkpoint(folder)
        files = {f"{name}/{file}": folder / file for file in read_manifest(folder).files}
        manifest = (folder / MANIFEST).read_bytes()
        there = _by_folder(self._place.list_files()).get(name, {})
        if not self._is_there(name, there, files, manifest):
            if MANIFEST in there:
                self._place.remove([f"{name}/{MANIFEST}"])
                self._place.remove([f"{name}.json"])  # it is of the one that is replaced
            self._upload(name, files, record, manifest)
            self._place.remove(
                [f"{name}/{file}" for file in there if f"{name}/{file}" not in files and file != MANIFEST]
            )
        elif record is not None and self.record(name) != record:
            self._place.write(f"{name}.json", record)
        kept = self.find(name)
        about = {"name": name, "location": kept.location, "files": len(kept.files)}
        events.emit("crucible_train.checkpoint.uploaded", {"size_bytes": kept.size_bytes}, about)
        return kept

    def record(self, name: str) -> bytes | None:
        """Return the trainer's record of a checkpoint, None if there is none."""
        return self._place.read([f"{check_name(name)}.json"])[0]

    @contextlib.contextmanager
    def opened(self, name: str) -> Generator[Path]:
        """Yield a verified copy in the cache, which stays there until the block ends.

        Raises:
            CheckpointError: There is none of that name, or it is damaged.
            StoreError: It cannot be had, or the cache has no room for it.
        """
        found = self.find(name)
        content, manifest = self._manifest(name)
        size_bytes = manifest.size_bytes + len(content)
        with self._cache.using(
            f"{name}.{found.sha256[:16]}", size_bytes, lambda to: self._download(name, content, manifest, to)
        ) as path:
            yield path

    def fetch(self, name: str, into: Path) -> Path:
        """Copy a checkpoint to the folder `into`, past the cache.

        Raises:
            CheckpointError: There is none of that name, or it is damaged.
            StoreError: It cannot be had, or the disk is full.
        """
        content, manifest = self._manifest(name)
        check_free(into, is_replaceable, "a checkpoint")
        with placed(into) as temporary:
            self._download(name, content, manifest, temporary)
        return into

    def verify(self, name: str) -> None:
        """Read every file of a checkpoint and hold it against the manifest; nothing is kept.

        Raises:
            CheckpointError: There is none of that name, or a file is damaged.
            StoreError: The place cannot be read.
        """
        self._place.download(self._manifest(name)[1].files, name, None)

    def remove(self, name: str) -> None:
        """Remove a checkpoint, its manifest first, whatever else lies in its folder last.

        Raises:
            StoreError: It cannot be removed.
        """
        files = _by_folder(self._place.list_files()).get(check_name(name), {})
        self._place.remove([f"{name}/{MANIFEST}"])
        self._place.remove([f"{name}.json", *(f"{name}/{file}" for file in files if file != MANIFEST)])

    def sweep(self, *, older_than_s: float = 86_400.0) -> list[str]:
        """Remove what torn uploads have left, where the place says that it is old.

        Raises:
            StoreError: It cannot be removed.
        """
        swept: list[str] = []
        for name, files in _by_folder(self._place.list_files()).items():
            changed = [file.changed_at for file in files.values()]
            if MANIFEST in files or not all(each and time.time() - each > older_than_s for each in changed):
                continue
            self._place.remove([file.path for file in files.values()])
            swept.append(name)
        return swept

    def _upload(self, name: str, files: Mapping[str, Path], record: bytes | None, manifest: bytes) -> None:
        try:
            self._place.upload(files)
            if record is not None:
                self._place.write(f"{name}.json", record)
            self._place.write(f"{name}/{MANIFEST}", manifest)
        except StoreUnavailable:
            raise  # who does not answer would not remove either: what is there is never seen, and swept in a day
        except Exception:
            with contextlib.suppress(StoreError):
                self._place.remove([*files, f"{name}.json"])
            raise

    def _is_there(self, name: str, there: Mapping[str, RemoteFile], files: Mapping[str, Path], manifest: bytes) -> bool:
        """Say whether the same checkpoint is kept whole, as far as sizes tell."""
        if MANIFEST not in there or self._place.read([f"{name}/{MANIFEST}"])[0] != manifest:
            return False
        sizes = {f"{name}/{file}": found.size_bytes for file, found in there.items()}
        return all(sizes.get(path) == local.stat().st_size for path, local in files.items())

    def _manifest(self, name: str) -> tuple[bytes, Manifest]:
        content = self._place.read([f"{check_name(name)}/{MANIFEST}"])[0]
        if content is None:
            raise unknown(name, [each.name for each in self.list_checkpoints()], self.location)
        return content, parse_manifest(content, f"{self.location}/{name}/{MANIFEST}")

    def _download(self, name: str, content: bytes, manifest: Manifest, to: Path) -> None:
        about = {"name": name, "location": f"{self.location}/{name}", "files": len(manifest.files)}
        self._place.download(manifest.files, name, to)
        write_synced(to / MANIFEST, content)
        events.emit("crucible_train.checkpoint.downloaded", {"size_bytes": manifest.size_bytes}, about)

    def _described(self, folders: Mapping[str, Mapping[str, RemoteFile]]) -> list[StoredCheckpoint]:
        paths = [f"{name}/{file}" for name, files in folders.items() for file in _SMALL if file in files]
        contents = dict(zip(paths, self._place.read(paths), strict=True))
        return [
            _checked(
                describe(name, f"{self.location}/{name}", lambda file, name=name: contents.get(f"{name}/{file}")), files
            )
            for name, files in folders.items()
        ]


def _checked(found: StoredCheckpoint, files: Mapping[str, RemoteFile]) -> StoredCheckpoint:
    """Add the problem of a checkpoint that lacks a file."""
    missing = [file for file in found.files if file not in files]
    if not missing:
        return found
    problem = f"{found.location}/{missing[0]} is missing, so this checkpoint cannot be used"
    return StoredCheckpoint(name=found.name, location=found.location, step=found.step, problem=problem)


def _by_folder(files: list[RemoteFile]) -> dict[str, dict[str, RemoteFile]]:
    """Return the files of each folder that can be a checkpoint, by name; others are not ours."""
    folders: dict[str, dict[str, RemoteFile]] = {}
    for file in files:
        folder, slash, name = file.path.partition("/")
        if slash and is_name(folder) and is_name(name):
            folders.setdefault(folder, {})[name] = file
    return folders
