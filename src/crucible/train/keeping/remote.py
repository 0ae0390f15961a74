"""Checkpoints in a bucket, or at any other URL that fsspec knows.

A checkpoint is there once its manifest is, which is uploaded last and removed first; so an upload that was torn is
never seen. One that replaces another lies beside it until its manifest takes the place of the old one's, in one write
(`remote_layout`): a reader gets the old one or the new, or a `CheckpointError` while they change, never a mixture, and
an upload that fails takes nothing away.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
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
from crucible.train.keeping.remote_layout import by_folder, described, own, record_path, version_of, within
from crucible.train.keeping.stored import TRAINING, StoredCheckpoint, check_name

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
        folders = by_folder(self._place.list_files())
        names = [name for name, files in folders.items() if MANIFEST in files]
        return sorted(self._described({name: folders[name] for name in names}), key=lambda each: each.order)

    def find(self, name: str) -> StoredCheckpoint:
        """Return one checkpoint.

        Raises:
            CheckpointError: There is none of that name.
            StoreError: The place cannot be read.
        """
        return self._described({name: self._files(name)})[0]

    def put(self, folder: Path, name: str | None = None, *, record: bytes | None = None) -> StoredCheckpoint:
        """Keep a copy of a checkpoint: its files several at once, its manifest last.

        Raises:
            CheckpointError: It is damaged, or the name is no plain folder name.
            StoreError: No such bucket, no permission, or it takes no more; one of that name that was there still is.
            StoreUnavailable: The place cannot be reached; so is one that was there. What was uploaded so far is never
                seen, and the next try begins anew.
        """
        name = check_name(name or folder.name)
        verify_checkpoint(folder)
        manifest = (folder / MANIFEST).read_bytes()
        there = by_folder(self._place.list_files()).get(name, {})
        kept = self._place.read([f"{name}/{MANIFEST}"])[0] if MANIFEST in there else None
        to = _place_for(name, manifest, kept, there)
        files = {f"{to}/{file}": folder / file for file in read_manifest(folder).files}
        if kept != manifest:
            self._upload(files, record, to)
            self._place.write(f"{name}/{MANIFEST}", manifest)  # what fails from here on is left for `sweep`
            self._clear(name, kept, there, files)
        else:
            if any(not _is_there(name, path, local, there) for path, local in files.items()):
                self._place.upload(files)
            if record is not None and self.record(name) != record:
                self._place.write(record_path(to), record)
        found = self.find(name)
        about = {"name": name, "location": found.location, "files": len(found.files)}
        events.emit("crucible_train.checkpoint.uploaded", {"size_bytes": found.size_bytes}, about)
        return found

    def record(self, name: str) -> bytes | None:
        """Return the trainer's record of a checkpoint, None if there is none."""
        manifest = self._place.read([f"{check_name(name)}/{MANIFEST}"])[0]
        if manifest is None:
            return None
        files = by_folder(self._place.list_files()).get(name, {})
        return self._place.read([record_path(within(name, manifest, files))])[0]

    @contextlib.contextmanager
    def opened(self, name: str) -> Generator[Path]:
        """Yield a verified copy in the cache, which stays there until the block ends.

        Raises:
            CheckpointError: There is none of that name, or it is damaged.
            StoreError: It cannot be had, or the cache has no room for it.
        """
        content, manifest, folder = self._manifest(name)
        size_bytes = manifest.size_bytes + len(content)
        with self._cache.using(
            f"{name}.{version_of(content)[1:]}", size_bytes, lambda to: self._download(folder, content, manifest, to)
        ) as path:
            yield path

    def fetch(self, name: str, into: Path) -> Path:
        """Copy a checkpoint to the folder `into`, past the cache.

        Raises:
            CheckpointError: There is none of that name, or it is damaged.
            StoreError: It cannot be had, or the disk is full.
        """
        content, manifest, folder = self._manifest(name)
        check_free(into, is_replaceable, "a checkpoint")
        with placed(into) as temporary:
            self._download(folder, content, manifest, temporary)
        return into

    def verify(self, name: str) -> None:
        """Read every file of a checkpoint and hold it against the manifest; nothing is kept.

        Raises:
            CheckpointError: There is none of that name, or a file is damaged.
            StoreError: The place cannot be read.
        """
        _, manifest, folder = self._manifest(name)
        self._place.download(manifest.files, folder, None)

    def remove(self, name: str) -> None:
        """Remove a checkpoint, its manifest first, whatever else lies in its folder last.

        Raises:
            StoreError: It cannot be removed.
        """
        files = by_folder(self._place.list_files()).get(check_name(name), {})
        self._place.remove([f"{name}/{MANIFEST}"])
        self._place.remove([record_path(name), *(f"{name}/{file}" for file in files if file != MANIFEST)])

    def alone(self) -> AbstractContextManager[None]:
        """Return a block that keeps nobody out: a bucket has no locks, and each change of it is safe by itself."""
        return contextlib.nullcontext()

    def sweep(self, *, older_than_s: float = 86_400.0) -> list[str]:
        """Remove what torn uploads have left, where the place says that it is old.

        Raises:
            StoreError: It cannot be removed.
        """
        swept: list[str] = []
        for name, files in by_folder(self._place.list_files()).items():
            left = self._torn(name, files)
            changed = [files[path.removeprefix(f"{name}/")].changed_at for path in left]
            if left and all(each and time.time() - each > older_than_s for each in changed):
                self._place.remove(left)
                swept.append(name)
        return swept

    def _torn(self, name: str, files: Mapping[str, RemoteFile]) -> list[str]:
        """Return the paths of what is of no checkpoint: all without a manifest, else what is of another one's."""
        every = [f"{name}/{path}" for path in files if path != MANIFEST]
        if MANIFEST not in files:
            return every
        if len(own(name, name, files)) == len(every):  # nothing was ever replaced
            return []
        manifest = self._place.read([f"{name}/{MANIFEST}"])[0]
        whole = every if manifest is None else own(within(name, manifest, files), name, files)
        return [path for path in every if path not in whole]

    def _upload(self, files: Mapping[str, Path], record: bytes | None, to: str) -> None:
        """Upload everything but the manifest to a folder that no manifest speaks of yet."""
        try:
            self._place.upload(files)
            if record is not None:
                self._place.write(record_path(to), record)
            else:
                self._place.remove([record_path(to)])  # of an upload that was torn
        except StoreUnavailable:
            raise  # who does not answer would not remove either: what is there is never seen, and swept in a day
        except StoreError:
            with contextlib.suppress(StoreError):
                self._place.remove([*files, record_path(to)])
            raise

    def _clear(self, name: str, kept: bytes | None, there: Mapping[str, RemoteFile], files: Mapping[str, Path]) -> None:
        """Remove what was there before a checkpoint that now is; what cannot be removed is left for `sweep`."""
        before = name if kept is None else within(name, kept, there)
        left = [path for path in own(before, name, there) if path not in files]
        if kept is not None:
            left.append(record_path(before))
        if left:
            with contextlib.suppress(StoreError):
                self._place.remove(left)

    def _files(self, name: str) -> dict[str, RemoteFile]:
        """Return the files of a checkpoint by their paths in its folder, its manifest among them."""
        folders = by_folder(self._place.list_files())
        if MANIFEST not in folders.get(check_name(name), {}):
            raise unknown(name, sorted(each for each, files in folders.items() if MANIFEST in files), self.location)
        return folders[name]

    def _manifest(self, name: str) -> tuple[bytes, Manifest, str]:
        """Return a checkpoint's manifest, as it is and as it reads, and the folder that its files lie in.

        The manifest is read before the list: the files of a manifest are there before it is, so a list from before it
        would show those of another one where the checkpoint is replaced meanwhile.
        """
        content = self._place.read([f"{check_name(name)}/{MANIFEST}"])[0]
        files = self._files(name)
        if content is None:  # it came meanwhile
            content = self._place.read([f"{name}/{MANIFEST}"])[0]
        if content is None:
            raise unknown(name, [each.name for each in self.list_checkpoints()], self.location)
        manifest = parse_manifest(content, f"{self.location}/{name}/{MANIFEST}")
        return content, manifest, within(name, content, files)

    def _download(self, folder: str, content: bytes, manifest: Manifest, to: Path) -> None:
        name = folder.partition("/")[0]
        about = {"name": name, "location": f"{self.location}/{name}", "files": len(manifest.files)}
        self._place.download(manifest.files, folder, to)
        write_synced(to / MANIFEST, content)
        events.emit("crucible_train.checkpoint.downloaded", {"size_bytes": manifest.size_bytes}, about)

    def _described(self, folders: Mapping[str, Mapping[str, RemoteFile]]) -> list[StoredCheckpoint]:
        """Describe checkpoints, all their small files being read in one go."""
        paths = [f"{name}/{path}" for name, files in folders.items() for path in files if Path(path).name in _SMALL]
        contents = dict(zip(paths, self._place.read(paths), strict=True))
        return [described(name, self.location, files, contents) for name, files in folders.items()]


def _place_for(name: str, manifest: bytes, kept: bytes | None, there: Mapping[str, RemoteFile]) -> str:
    """Return the folder for the files of a checkpoint: where the same one lies, or lay, else where no other does."""
    return within(name, manifest, there) if kept in (None, manifest) else f"{name}/{version_of(manifest)}"


def _is_there(name: str, path: str, local: Path, there: Mapping[str, RemoteFile]) -> bool:
    """Say whether a file is kept, as far as sizes tell."""
    found = there.get(path.removeprefix(f"{name}/"))
    return found is not None and found.size_bytes == local.stat().st_size
