"""Checkpoints in a folder of this machine: that of a training, or one that copies are put into.

Whoever writes, removes or reads a whole checkpoint here takes turns with a training that saves into the folder, through
the same lock; a folder that may only be read is read without.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import AbstractContextManager
from pathlib import Path

from crucible import events
from crucible.backends import verify_checkpoint
from crucible.backends.checkpoint import MANIFEST, copy_checkpoint, read_manifest
from crucible.errors import CheckpointError, StoreError
from crucible.ir import atomic_write, did_you_mean
from crucible.train.folder_lock import beside, locked
from crucible.train.keeping.stored import StoredCheckpoint, check_name, describe, is_name

__all__ = ["LocalCheckpoints", "unknown"]

_OPENED = ".opened"  # ends the name of a folder in which a reader holds a checkpoint


class LocalCheckpoints:
    """The checkpoints in a folder; `CheckpointStore` says what each method means.

    Args:
        folder: Where they lie, one folder each; it is made by the first `put`. The folder of one checkpoint is a place
            with that one.
    """

    def __init__(self, folder: Path) -> None:
        self._only = folder.name if (folder / MANIFEST).is_file() else None
        self._folder = folder.parent if self._only else folder

    @property
    def location(self) -> str:
        """The folder."""
        return str(self._folder)

    def list_checkpoints(self) -> list[StoredCheckpoint]:
        """Return what is kept, by step.

        Raises:
            StoreError: The folder cannot be read, or there is none.
        """
        try:
            names = [entry.name for entry in os.scandir(self._folder) if entry.is_dir() and is_name(entry.name)]
        except FileNotFoundError as error:
            raise StoreError(f"there is no folder {self._folder}; check the path") from error
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be read ({error.strerror or error})") from error
        chosen = [name for name in names if self._only in (None, name) and self._is_kept(name)]
        return sorted((self._described(name) for name in chosen), key=lambda each: each.order)

    def find(self, name: str) -> StoredCheckpoint:
        """Return one checkpoint.

        Raises:
            CheckpointError: There is none of that name.
        """
        if not self._is_kept(check_name(name)):
            raise unknown(name, [each.name for each in self.list_checkpoints()], self.location)
        return self._described(name)

    def put(self, folder: Path, name: str | None = None, *, record: bytes | None = None) -> StoredCheckpoint:
        """Keep a copy of a checkpoint.

        Raises:
            CheckpointError: It is damaged, or the name is no plain folder name.
            StoreError: The disk is full or read-only.
        """
        name = check_name(name or folder.name)
        place = self._folder / name
        with self._made():
            if place.resolve() != folder.resolve():
                is_another = _content(place / MANIFEST) != _content(folder / MANIFEST)
                copy_checkpoint(folder, place)  # fails before anything of the one that is there is touched
                if is_another:
                    self._record(name).unlink(missing_ok=True)  # it was of the one that is replaced
            if record is not None:
                atomic_write(self._record(name), record)
            kept = self._described(name)
        about = {"name": name, "location": kept.location, "files": len(kept.files)}
        events.emit("crucible_train.checkpoint.uploaded", {"size_bytes": kept.size_bytes}, about)
        return kept

    def record(self, name: str) -> bytes | None:
        """Return the trainer's record of a checkpoint, None if there is none."""
        try:
            return self._record(check_name(name)).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self._record(name)} cannot be read ({error.strerror or error})") from error

    @contextlib.contextmanager
    def opened(self, name: str) -> Generator[Path]:
        """Yield a verified folder with the checkpoint's own files under second names, which cost no room.

        So a training that lets go of the checkpoint meanwhile, or writes it anew, takes nothing away from the reader.
        Where the disk has no second names they are copies, and where it can only be read it is the checkpoint's folder.

        Raises:
            CheckpointError: There is none of that name, or it is damaged.
        """
        with self._undisturbed():
            self._verify(name)
            aside = self._held(self._folder / name)
        try:
            yield self._folder / name if aside is None else aside
        finally:
            if aside is not None:
                shutil.rmtree(aside.parent, ignore_errors=True)

    def fetch(self, name: str, into: Path) -> Path:
        """Copy a checkpoint to the folder `into`.

        Raises:
            CheckpointError: There is none of that name, or it is damaged.
            StoreError: The disk is full or read-only.
        """
        with self._undisturbed():
            self.find(name)
            return copy_checkpoint(self._folder / name, into)

    def verify(self, name: str) -> None:
        """Hold every file of a checkpoint against its manifest.

        Raises:
            CheckpointError: There is none of that name, or a file is damaged.
        """
        with self._undisturbed():
            self._verify(name)

    def remove(self, name: str) -> None:
        """Remove a checkpoint, its record and manifest first.

        Raises:
            StoreError: It cannot be removed.
        """
        place = self._folder / check_name(name)
        if not self._folder.is_dir():
            return
        with self.alone():
            try:
                self._record(name).unlink(missing_ok=True)
                (place / MANIFEST).unlink(missing_ok=True)
                if place.is_dir():
                    shutil.rmtree(place)
            except OSError as error:
                raise StoreError(f"{place} cannot be removed ({error.strerror or error})") from error

    def sweep(self, *, older_than_s: float = 86_400.0) -> list[str]:
        """Remove half-written folders, and those of readers that died, that nobody has touched for a day."""
        swept: list[str] = []
        for path in (*self._folder.glob(".*.tmp"), *self._folder.glob(f".*{_OPENED}")):
            with contextlib.suppress(OSError):
                if path.is_dir() and time.time() - path.stat().st_mtime > older_than_s:
                    shutil.rmtree(path)
                    swept.append(path.name)
        return swept

    def alone(self) -> AbstractContextManager[None]:
        """Return a block in which no training and no other store changes the folder, in any process.

        It raises `Cancelled` if the run was asked to stop while another held it.

        Raises:
            StoreError: There is no such folder, or, when the block begins, it cannot be written.
        """
        if not self._folder.is_dir():
            raise StoreError(f"there is no folder {self._folder}; check the path")
        what, advice = f"the checkpoints in {self._folder}", "free space or choose a writable folder"
        return locked(beside(self._folder), what, advice, extra="train", feature="changing checkpoints")

    def _made(self) -> AbstractContextManager[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be made ({error.strerror or error})") from error
        return self.alone()

    @contextlib.contextmanager
    def _undisturbed(self) -> Generator[None]:
        """Keep writers out while the folder is read, where there are any: who writes leaves a lock, who reads none."""
        with contextlib.ExitStack() as stack:
            if beside(self._folder).exists():
                with contextlib.suppress(StoreError):  # it may only be read
                    stack.enter_context(self.alone())
            yield

    def _verify(self, name: str) -> None:
        self.find(name)
        verify_checkpoint(self._folder / name)

    def _held(self, place: Path) -> Path | None:
        """Give a verified checkpoint's files second names in a folder aside; None where nothing can be written."""
        aside = self._folder / f".{secrets.token_hex(4)}{_OPENED}" / place.name
        try:
            aside.mkdir(parents=True)
            for file in (*read_manifest(place).files, MANIFEST):
                try:
                    os.link(place / file, aside / file)
                except OSError:
                    shutil.copyfile(place / file, aside / file)
        except OSError:
            shutil.rmtree(aside.parent, ignore_errors=True)
            return None
        return aside

    def _is_kept(self, name: str) -> bool:
        return (self._folder / name / MANIFEST).is_file() or self._record(name).is_file()

    def _described(self, name: str) -> StoredCheckpoint:
        place = self._folder / name
        found = describe(name, str(place), lambda file: _content(place / file))
        if found.problem is not None:
            return found
        for file, entry in read_manifest(place).files.items():
            path = place / file
            size = path.lstat().st_size if path.is_file() else None
            if size != entry.size_bytes:
                came = "is missing" if size is None else f"is truncated or altered: {size} bytes"
                problem = f"{path} {came}, the manifest says {entry.size_bytes} bytes"
                return StoredCheckpoint(name=name, location=str(place), step=found.step, problem=problem)
        return found

    def _record(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _content(path: Path) -> bytes | None:
    try:
        return None if path.is_symlink() else path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or error})") from error


def unknown(name: str, known: list[str], location: str) -> CheckpointError:
    """Return the error for a name that a place does not have."""
    listed = f"it has {', '.join(known)}{did_you_mean(name, known)}" if known else "it has none"
    return CheckpointError(f"there is no checkpoint {name!r} in {location}; {listed}")
