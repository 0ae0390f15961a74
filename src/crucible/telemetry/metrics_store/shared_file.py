"""A file that threads and processes append to at once: `SharedFile`.

Each append is one write under a lock of the file. A write that fails half-way (a full disk) is taken back; what a
killed writer left behind gets a line feed, so that it is a damaged line of its own and never a part of the next.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Generator
from pathlib import Path

from crucible.errors import StoreError
from crucible.ir.files import sync_folder

__all__ = ["SharedFile"]


class SharedFile:
    """A file to append lines to; it is made with its folders at the first.

    Args:
        path: The file.
        fsync: Whether `sync` waits for the disk.
    """

    def __init__(self, path: Path, *, fsync: bool) -> None:
        self.path = path
        self.is_closed = False
        self._fsync = fsync
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._end = -1  # where our own last line ended; -1: unknown, so the end may hold a part of a line

    def append(self, data: bytes) -> None:
        """Write whole lines at the end; they are all in the file on return, and none is after an error.

        Raises:
            StoreError: They cannot be written, or the file is closed.
        """
        self._look_for_fork()
        with self._lock:
            descriptor = self._opened()
            try:
                with _locked(descriptor):
                    self._write(descriptor, data)
            except OSError as error:
                raise _fault(self.path, "written", error) from error

    def sync(self) -> None:
        """Wait until everything is on the disk, where `fsync` is on.

        Raises:
            StoreError: The disk does not take it.
        """
        self._look_for_fork()
        with self._lock:
            if self._fsync and self._descriptor is not None:
                try:
                    getattr(os, "fdatasync", os.fsync)(self._descriptor)
                except OSError as error:
                    raise _fault(self.path, "brought to the disk", error) from error

    def close(self) -> None:
        """Close the file for good."""
        self.is_closed = True
        self._drop()

    def __del__(self) -> None:
        self._drop()

    def _drop(self) -> None:
        descriptor = getattr(self, "_descriptor", None)
        self._descriptor = None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _write(self, descriptor: int, data: bytes) -> None:
        end = os.fstat(descriptor).st_size
        if end not in {0, self._end} and os.pread(descriptor, 1, end - 1) != b"\n":
            data = b"\n" + data
        self._end = -1
        written = 0
        try:
            while written < len(data):  # a full disk takes a part first and refuses the rest
                written += os.write(descriptor, memoryview(data)[written:])
        except OSError:
            with contextlib.suppress(OSError):
                if written and os.fstat(descriptor).st_size == end + written:
                    os.ftruncate(descriptor, end)
            raise
        self._end = end + len(data)

    def _opened(self) -> int:
        if self.is_closed:
            raise StoreError(f"{self.path} is closed; open another JsonlMetricsStore to go on")
        if self._descriptor is None:
            try:
                is_new = not self.path.exists()
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            except OSError as error:
                raise _fault(self.path, "opened", error) from error
            if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                self._drop()
                raise StoreError(f"{self.path} is no regular file; give the name of a file to write")
            if is_new and self._fsync:
                sync_folder(self.path.parent)
        return self._descriptor

    def _look_for_fork(self) -> None:
        """Begin anew in a forked child: a thread of its parent may hold the lock, and locks of files are shared."""
        if self._pid != os.getpid():
            self._drop()
            self._begin()


@contextlib.contextmanager
def _locked(descriptor: int) -> Generator[None]:
    """Hold the file against other processes, where the system can lock files."""
    try:
        import fcntl  # Windows has none
    except ImportError:
        yield
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _fault(path: Path, what: str, error: OSError) -> StoreError:
    return StoreError(f"{path} cannot be {what} ({error.strerror or error}); free space or choose a writable folder")
