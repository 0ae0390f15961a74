"""Copies of remote checkpoints on this machine: of bounded size, the least recently used go first.

Safe with several threads and processes: locks that the system releases when a process dies say who downloads what and
which copies are in use; one in use is never removed. A copy is verified whenever it is handed out, and a damaged one
is fetched anew.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, cast

from crucible.backends import verify_checkpoint
from crucible.backends.placing import placed
from crucible.errors import CheckpointError, StoreError, require
from crucible.ir import atomic_write
from crucible.train.folder_lock import locked

__all__ = ["CheckpointCache"]

_MAX_BYTES: Final = 10 * 2**30
_STRIPES: Final = 64  # so many locks for all copies: a lock file may never be removed
_FEATURE: Final = "the cache of remote checkpoints"
_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class CheckpointCache:
    """A folder of checkpoints that can be had again from elsewhere.

    Args:
        folder: Where; None: `$CRUCIBLE_CACHE/checkpoints`, else `crucible/checkpoints` in the user's cache.
        max_bytes: What it holds at most; None: `$CRUCIBLE_CHECKPOINT_CACHE_BYTES`, else 10 GiB.

    Raises:
        StoreError: The environment's size is no number of bytes.
    """

    def __init__(self, folder: Path | None = None, max_bytes: int | None = None) -> None:
        self.folder = folder or _default_folder()
        self.max_bytes = _default_size() if max_bytes is None else max_bytes

    @property
    def size_bytes(self) -> int:
        """Size of all copies."""
        return sum(_size(path) for path in self._copies())

    def names(self) -> list[str]:
        """Return the keys of the copies, the least recently used first."""
        return [path.name for path in self._copies()]

    @contextlib.contextmanager
    def using(self, key: str, size_bytes: int, fill: Callable[[Path], None]) -> Generator[Path]:
        """Yield the copy `key`, filling it first if need be; until the block ends nobody removes it.

        Args:
            key: Name of the copy; the same key is the same content.
            size_bytes: How large it is.
            fill: Writes a checkpoint into the empty folder that it is given.

        Raises:
            CheckpointError: What was filled in is damaged.
            StoreError: The disk is full or read-only, or there is no room beside the copies in use.
            MissingExtra: filelock is not installed.
        """
        if not _KEY.fullmatch(key):
            raise CheckpointError(f"{key[:80]!r} cannot name a copy in the cache")
        place = self.folder / key
        with contextlib.ExitStack() as stack:
            with self._locked(f"fill-{zlib.crc32(key.encode()) % _STRIPES:02d}"):
                with self._locked("room"):
                    stack.enter_context(self._in_use(key))
                if not _is_whole(place):
                    self._fill(key, size_bytes, fill)
            with contextlib.suppress(OSError):
                os.utime(place)
            yield place

    def clear(self) -> list[str]:
        """Remove every copy that nobody uses, and return their keys."""
        with self._locked("room"):
            removed = [path.name for path in self._copies() if not self._is_used(path.name)]
            for key in removed:
                _discard(self.folder / key)
        return removed

    def _fill(self, key: str, size_bytes: int, fill: Callable[[Path], None]) -> None:
        reserved = self.folder / f".{key}.reserved"
        for torn in (self.folder / key, *self.folder.glob(f".{key}.*.tmp")):  # under the lock nobody else fills it
            _discard(torn)
        with self._locked("room"):
            self._make_room(size_bytes)
            atomic_write(reserved, str(size_bytes))
        try:
            with placed(self.folder / key, "the copy of a checkpoint") as temporary:
                fill(temporary)
        finally:
            reserved.unlink(missing_ok=True)

    def _make_room(self, size_bytes: int) -> None:
        """Remove the least recently used copies until there is room; the caller holds the lock."""
        taken = self.size_bytes + self._reserved()
        for path in self._copies():
            if taken + size_bytes <= self.max_bytes:
                return
            if not self._is_used(path.name):
                taken -= _size(path)
                _discard(path)
        if taken + size_bytes > self.max_bytes:
            used = f"{taken:,} of them by copies in use" if taken else "and it is empty"
            raise StoreError(
                f"no room for a checkpoint of {size_bytes:,} bytes in the cache {self.folder}, which holds at most "
                f"{self.max_bytes:,}, {used}; raise CRUCIBLE_CHECKPOINT_CACHE_BYTES"
            )

    def _reserved(self) -> int:
        """Return the bytes that are being downloaded; the reservation of a process that died is removed."""
        total = 0
        for path in self.folder.glob(".*.reserved"):
            key = path.name[1 : -len(".reserved")]
            if self._is_used(key):
                with contextlib.suppress(OSError, ValueError):
                    total += int(path.read_text(encoding="utf-8"))
            else:
                path.unlink(missing_ok=True)
                for torn in self.folder.glob(f".{key}.*.tmp"):
                    _discard(torn)
        return total

    def _copies(self) -> list[Path]:
        try:
            found = [path for path in self.folder.iterdir() if _KEY.fullmatch(path.name) and path.is_dir()]
            return sorted((path for path in found if path.name != "locks"), key=lambda path: path.stat().st_mtime_ns)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"the cache {self.folder} cannot be read ({error.strerror or error})") from error

    @contextlib.contextmanager
    def _in_use(self, key: str) -> Generator[None]:
        """Hold a lock of our own that says that a copy is in use; the caller holds the lock `room` meanwhile."""
        path = self.folder / "locks" / f"{key}.{os.getpid()}-{secrets.token_hex(4)}.use"
        try:
            with self._locked(path.name):
                yield
        finally:
            path.unlink(missing_ok=True)

    def _is_used(self, key: str) -> bool:
        """Say whether somebody alive uses a copy; what the dead have left is removed."""
        filelock = _filelock()
        for path in (self.folder / "locks").glob(f"{key}.*-*.use"):
            lock = filelock.FileLock(path)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                return True
            except OSError:
                continue
            lock.release()
            path.unlink(missing_ok=True)
        return False

    def _locked(self, name: str) -> AbstractContextManager[None]:
        """Return a block that holds a lock; the system releases it if this process dies."""
        advice = "set CRUCIBLE_CACHE to a writable folder"
        return locked(self.folder / "locks" / name, f"the cache {self.folder}", advice, extra="s3", feature=_FEATURE)


def _filelock() -> Any:
    return cast("Any", require("filelock", extra="s3", feature=_FEATURE))


def _is_whole(place: Path) -> bool:
    try:
        verify_checkpoint(place)
    except CheckpointError:
        return False
    return True


def _size(folder: Path) -> int:
    try:
        return sum(path.lstat().st_size for path in folder.iterdir())
    except OSError:  # removed meanwhile
        return 0


def _discard(path: Path) -> None:
    """Remove a folder; its name is gone at once."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.gone")
    with contextlib.suppress(OSError):
        path.rename(aside)
        shutil.rmtree(aside)


def _default_folder() -> Path:
    chosen = os.environ.get("CRUCIBLE_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "checkpoints"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "crucible" / "checkpoints"


def _default_size() -> int:
    text = os.environ.get("CRUCIBLE_CHECKPOINT_CACHE_BYTES", str(_MAX_BYTES))
    if not text.isdecimal():
        raise StoreError(
            f"CRUCIBLE_CHECKPOINT_CACHE_BYTES must be a number of bytes such as {_MAX_BYTES}, got {text!r}"
        )
    return int(text)
