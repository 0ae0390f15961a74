"""A file of lines that only grows, and survives its writer: the `AppendLog`.

Each append is one `write` to a descriptor opened for appending, so what was appended before a `kill -9` is in the file,
whole. A write that fails half-way (a full disk) is taken back. There is one writer at a time: the file is locked while
it is open, where the system can lock files.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import weakref
from pathlib import Path
from typing import Literal

from crucible.errors import SpecError, StoreError
from crucible.ir.files import sync_folder

__all__ = ["AppendLog", "Sync"]

Sync = Literal["none", "event"]
"""What is safe when `add` returns: `none` from the death of the process, `event` from a power loss too."""

_BLOCK = 1 << 16


class AppendLog:
    """An open file to append lines to. The caller holds `lock` around every call but `close`.

    Args:
        path: The file; it and its folder are made where missing.
        sync: Whether each append waits for the disk.

    Raises:
        StoreError: The file cannot be opened, or somebody else has it open for writing.
        SpecError: The path is no file.
    """

    def __init__(self, path: Path, sync: Sync) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._sync = sync
        self._pid = os.getpid()
        self._is_suspect = False  # the end may hold a part of a line
        self._descriptor: int | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._check()
        except OSError as error:
            self._drop()
            if isinstance(error, StoreError):
                raise
            raise _fault(path, "opened", error) from error
        except SpecError:
            self._drop()
            raise
        _open_logs.add(self)

    def _check(self) -> None:
        descriptor = self._usable()
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SpecError(f"{self.path} is no regular file; give the name of a file to write", code="path")
        if not _locked(descriptor):
            raise StoreError(
                f"{self.path} is open for writing elsewhere; one writer at a time, so close that one first"
            )

    def __del__(self) -> None:
        self._drop()

    @property
    def is_open(self) -> bool:
        """Whether it can be appended to."""
        return self._descriptor is not None

    @property
    def size_bytes(self) -> int:
        """How long the file is."""
        return os.fstat(self._usable()).st_size

    def start(self, count: int) -> bytes:
        """Return the first `count` bytes, or what there is of them."""
        return os.pread(self._usable(), count, 0)

    def lines_from_end(self) -> list[bytes]:
        """Return the last lines, without line feeds, the last first: some, and all if the file is short."""
        descriptor, end = self._usable(), self.size_bytes
        start = max(0, end - _BLOCK)
        block = os.pread(descriptor, end - start, start)
        while start and block.count(b"\n") < 2:
            start = max(0, start - len(block))
            block = os.pread(descriptor, end - start, start)
        lines = block.split(b"\n")[:-1]
        return lines[::-1] if start == 0 else lines[:0:-1]

    def last_line_feed(self) -> int:
        """Return the offset after the last line feed; 0 if there is none."""
        descriptor, end = self._usable(), self.size_bytes
        while end:
            start = max(0, end - _BLOCK)
            found = os.pread(descriptor, end - start, start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
        return 0

    def tail(self) -> bytes:
        """Return what follows the last line feed."""
        start = self.last_line_feed()
        return os.pread(self._usable(), self.size_bytes - start, start)

    def cut(self, size_bytes: int) -> None:
        """Shorten the file.

        Raises:
            StoreError: The file cannot be shortened.
        """
        try:
            os.ftruncate(self._usable(), size_bytes)
        except OSError as error:
            raise _fault(self.path, "shortened", error) from error

    def append(self, data: bytes) -> None:
        """Write whole lines at the end; they are all in the file on return, and none is after an error.

        Raises:
            StoreError: They cannot be written, or the log is closed or another process's.
        """
        descriptor = self._usable()
        if self._is_suspect:
            self.cut(self.last_line_feed())
            self._is_suspect = False
        written = 0
        try:
            written = os.write(descriptor, data)
            while written < len(data):  # a full disk takes a part first and refuses the rest
                written += os.write(descriptor, memoryview(data)[written:])
            if self._sync == "event":
                _to_disk(descriptor)
        except OSError as error:
            self._take_back(descriptor, written)
            raise _fault(self.path, "written", error) from error
        except BaseException:
            self._is_suspect = True
            raise

    def _take_back(self, descriptor: int, written: int) -> None:
        try:
            end = os.lseek(descriptor, 0, os.SEEK_CUR)  # after an append: where it ended
            if written and end == os.fstat(descriptor).st_size:
                os.ftruncate(descriptor, end - written)
        except OSError:
            self._is_suspect = True

    def sync(self) -> None:
        """Wait until everything is on the disk.

        Raises:
            StoreError: The disk does not take it.
        """
        try:
            _to_disk(self._usable())
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise _fault(self.path, "brought to the disk", error) from error

    def sync_name(self) -> None:
        """Make the file's name survive a power loss too, where the system can."""
        sync_folder(self.path.parent)

    def close(self) -> None:
        """Close the file and unlock it."""
        with self.lock:
            self._drop()

    def _usable(self) -> int:
        if self._descriptor is not None:
            return self._descriptor
        if self._pid != os.getpid():
            raise StoreError(
                f"{self.path} is written by process {self._pid}, of which this is a fork; open another file here"
            )
        raise StoreError(f"{self.path} is closed; open it again to go on")

    def _drop(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def abandon(self) -> None:
        """Forget the file without unlocking it: what a forked child does with the log of its parent."""
        self.lock = threading.RLock()  # the parent's may have been held by a thread that does not exist here
        self._drop()


_open_logs: weakref.WeakSet[AppendLog] = weakref.WeakSet()


def _abandon_in_child() -> None:
    """Let the parent alone write, and leave the lock to it: lines of two processes would not make one chain."""
    for log in list(_open_logs):
        log.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_in_child)


def _locked(descriptor: int) -> bool:
    try:
        import fcntl  # Windows has none
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _to_disk(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _fault(path: Path, what: str, error: OSError) -> StoreError:
    return StoreError(f"{path} cannot be {what} ({error.strerror or error}); free space or choose a writable folder")
