"""Files of models, kept by their content: one copy of each, found by its SHA-256 and held against it on every read.

A file is here before any row names it and goes after the last row that does, so a process that dies in between leaves
a file that nobody needs, which `gc` finds, and never a row without its file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Generator, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final

from crucible.errors import StoreError
from crucible.ir import sync_folder
from crucible.store.engine import Database
from crucible.store.faults import store_faults
from crucible.store.models.records import ModelFile

__all__ = ["ModelObjects", "objects_folder"]

_FOLDER: Final = ".models"  # below the folder of artifacts; no run can be called so

_BLOCK_BYTES: Final = 1 << 20
_GRACE_S: Final = 3600.0  # a file without a row may be of a version that is just being registered
_DIGEST_LENGTH: Final = 64


class ModelObjects:
    """The kept files.

    Args:
        folder: Where they lie: `<folder>/ab/ab12…`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Return where the file of this content lies, or would."""
        return self.folder / sha256[:2] / sha256

    def keep(self, source: Path, path: str) -> ModelFile:
        """Keep a file's content, whole or not at all; content that is here and whole is not written again.

        Args:
            source: A plain file; no link is followed.
            path: What it is called in its version.

        Raises:
            StoreError: It cannot be read, is no plain file, or the disk is full or read-only.
        """
        with store_faults(str(source), "keep a file of a model"):
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = self.folder / f".{secrets.token_hex(8)}.tmp"
            try:
                kept = self._copied(source, temporary, path)
                target = self.path(kept.sha256)
                if self._is_whole(kept):
                    os.utime(target)  # wanted again: not left over
                else:
                    target.parent.mkdir(exist_ok=True)
                    temporary.replace(target)
                    sync_folder(target.parent)
                    sync_folder(self.folder)
            finally:
                temporary.unlink(missing_ok=True)
        return kept

    def verify(self, file: ModelFile) -> None:
        """Hold a kept file against its digest.

        Raises:
            StoreError: It is missing, truncated or altered; it is named.
        """
        for _ in self._blocks(file):
            pass

    def copy(self, file: ModelFile, to: Path) -> None:
        """Copy a kept file, verified while it is copied.

        Args:
            file: Which.
            to: A path that does not exist yet; missing parents are made.

        Raises:
            StoreError: It is missing, truncated or altered, or the disk is full or read-only.
        """
        with store_faults(str(to), "copy a file of a model"):
            to.parent.mkdir(parents=True, exist_ok=True)
            with to.open("xb") as target:
                for block in self._blocks(file):
                    target.write(block)
                target.flush()
                os.fsync(target.fileno())

    def is_here(self, file: ModelFile) -> bool:
        """Say whether a file of this digest and size is kept here; its content is not read."""
        try:
            found = self.path(file.sha256).lstat()
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == file.size_bytes

    def left_over(self, needed: set[str], *, grace_s: float = _GRACE_S) -> list[Path]:
        """Return kept files that nobody needs and what dead writers left, last touched longer ago than `grace_s`."""
        before = time.time() - grace_s
        with store_faults(str(self.folder), "look at the files of models"):
            return sorted(path for path in self._all() if path.name not in needed and path.lstat().st_mtime <= before)

    def remove(self, paths: list[Path]) -> int:
        """Remove files that `left_over` named and return how many bytes they had.

        Raises:
            StoreError: One cannot be removed.
        """
        freed = 0
        with store_faults(str(self.folder), "remove files of models"):
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    freed += path.lstat().st_size
                    path.unlink()
        return freed

    def _all(self) -> Iterator[Path]:
        if self.folder.is_dir():
            yield from self.folder.glob(".*.tmp")
            yield from (path for path in self.folder.glob("??/*") if len(path.name) == _DIGEST_LENGTH)

    def _copied(self, source: Path, temporary: Path, path: str) -> ModelFile:
        digest, size_bytes = hashlib.sha256(), 0
        with _opened(source) as file, temporary.open("xb") as target:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                size_bytes += target.write(block)
            target.flush()
            os.fsync(target.fileno())
        return ModelFile(path, digest.hexdigest(), size_bytes)

    def _is_whole(self, file: ModelFile) -> bool:
        if not self.is_here(file):
            return False
        try:
            self.verify(file)
        except StoreError:  # damaged: the good copy at hand takes its place
            return False
        return True

    def _blocks(self, file: ModelFile) -> Generator[bytes]:
        """Yield a kept file; one that turns out to be another than it should be ends in an error."""
        where = self.path(file.sha256)
        again = "register it again from its files, or restore it from a copy of the store"
        if not where.exists():
            raise StoreError(f"{where} is missing, the content of {file.path}; {again}")
        digest, size_bytes = hashlib.sha256(), 0
        with store_faults(str(where), f"read {file.path}"), _opened(where) as source:
            while block := source.read(_BLOCK_BYTES):
                digest.update(block)
                size_bytes += len(block)
                yield block
        if size_bytes != file.size_bytes:
            raise StoreError(
                f"{where} is truncated or altered, the content of {file.path}: {size_bytes} bytes, registered were "
                f"{file.size_bytes}; {again}"
            )
        if digest.hexdigest() != file.sha256:
            raise StoreError(f"{where} is corrupt, the content of {file.path}: its SHA-256 is not its name; {again}")


def objects_folder(artifacts_dir: Path, database: Database) -> Path:
    """Return where the files of the models of a store lie: a folder of its own.

    A server's store and one in memory share the folder of artifacts with the store of the working directory, and what
    one of them does not need another one may. A server is known by host, port and database as the URL spells them: one
    that is reached by another spelling has a folder of its own, where its files are named missing and none is removed.
    """
    if database.is_memory:
        return artifacts_dir / f"{_FOLDER}-memory"
    if database.is_sqlite:
        return artifacts_dir / _FOLDER
    url = database.engine.url
    where = json.dumps([url.host, url.port, url.database, url.query.get("host"), url.query.get("port")])
    return artifacts_dir / f"{_FOLDER}-{hashlib.sha256(where.encode()).hexdigest()[:12]}"


def _opened(path: Path) -> BufferedReader:
    """Open a plain file for reading; links, devices and pipes are refused before they are opened."""
    if not stat.S_ISREG(path.lstat().st_mode):
        kind = "a link" if path.is_symlink() else "not a plain file"
        raise StoreError(f"{path} cannot be kept: it is {kind}, and a model consists of plain files")
    return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb")
