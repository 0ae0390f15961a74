"""The file of an evaluation's measurements: append-only while it works, in the dataset's order when it has ended.

A line is in the operating system's hands when `append` returns, so it survives `kill -9` of this process; against a
loss of power the file is synced every `SYNC_S` seconds and at the end. One write(2) a batch and no transaction: beyond
the encoding, a commit of SQLite a batch took twelve times as long (`benchmarks/evaluating`).
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from crucible.data.evaluating._bad_line import BadLine
from crucible.data.evaluating.line import Line, decode_line
from crucible.data.evaluating.pages import Pages
from crucible.errors import ContractError, StoreError
from crucible.ir import sync_folder

__all__ = ["SYNC_S", "Record", "scan"]

SYNC_S = 5.0
"""Seconds between two syncs to the disk."""

_NOWHERE = -1
_AT_ONCE = 1_000  # lines that are copied together


class Record:
    """The measurements of one evaluation, by slot: the item's place times the repeats, plus the repeat.

    Args:
        path: Where the lines are kept; None: a file without a name, gone with this object.

    Raises:
        StoreError: The file cannot be opened.
        ContractError: Another process writes it.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.torn_bytes = 0
        self._offsets = array("q")
        self._newest = -1
        self._is_ordered = True
        self._size = 0
        self._pages = Pages(_opened(path))
        if path is not None and not _locked(self._pages.descriptor):
            self.close()
            raise ContractError(f"{path} is being written by another process; wait for its end, or take another record")

    # --- reading ---

    def load(self) -> Iterator[tuple[int, int, Line]]:
        """Yield what is there as (number of the line, its offset, the line), and mend the end that a crash left.

        Half a line is cut off; a whole one that only lacks its line break gets it.

        Raises:
            StoreError: The file cannot be read, or lines in its midst are damaged: then nothing is changed.
        """
        self._size, self.torn_bytes = yield from scan(self._pages, self.path)
        if self.torn_bytes:
            self._cut()
        if self._size and os.pread(self._pages.descriptor, 1, self._size - 1) != b"\n":
            self._write(b"\n")
            self._size += 1

    def put(self, slot: int, offset: int) -> None:
        """Note where the newest line of a slot begins."""
        grown = slot + 1 - len(self._offsets)
        if grown > 0:
            self._offsets.extend([_NOWHERE] * grown)
        self._is_ordered = self._is_ordered and slot > self._newest
        self._newest = max(self._newest, slot)
        self._offsets[slot] = offset

    def has(self, slot: int) -> bool:
        """Return whether a slot is recorded."""
        return slot < len(self._offsets) and self._offsets[slot] != _NOWHERE

    def line(self, slot: int) -> Line:
        """Return the newest line of a slot that is recorded."""
        return decode_line(self._pages.line_at(self._offsets[slot]))

    def read(self) -> tuple[Pages, array[int]]:
        """Return what reads the lines after this object has let go of the file, and where each begins, by slot.

        Raises:
            StoreError: The file cannot be opened.
        """
        offsets = array("q", (offset for offset in self._offsets if offset != _NOWHERE))
        if self.path is None:
            return self._pages, offsets
        try:
            return Pages(os.open(self.path, os.O_RDONLY)), offsets
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read ({error.strerror or error})") from error

    # --- writing ---

    def append(self, slots: Sequence[int], lines: Sequence[bytes]) -> None:
        """Write the lines of these slots; when this returns, they survive the end of the process.

        Raises:
            StoreError: They cannot be written; what was written of them is taken back.
        """
        self._write(b"".join(lines))
        for slot, line in zip(slots, lines, strict=True):
            self.put(slot, self._size)
            self._size += len(line)

    def sync(self) -> None:
        """Make what was appended survive a loss of power, too.

        Raises:
            StoreError: The disk refuses.
        """
        if self.path is None:
            return
        try:
            getattr(os, "fdatasync", os.fsync)(self._pages.descriptor)
        except OSError as error:
            raise _fault(self.path, error) from error

    def settle(self) -> None:
        """Leave one line a slot, in order, on the disk: a file that has more, or another order, is replaced.

        Raises:
            StoreError: The new file cannot be written; the old one is untouched.
        """
        if self.path is None or self._is_ordered:
            self.sync()
            return
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        pages = Pages(_opened(temporary))
        offsets, size = array("q", self._offsets), 0
        try:
            os.ftruncate(pages.descriptor, 0)
            for slots, lines in self._in_order():
                _write_all(pages.descriptor, b"".join(lines))
                for slot, line in zip(slots, lines, strict=True):
                    offsets[slot] = size
                    size += len(line)
            os.fsync(pages.descriptor)
            _locked(pages.descriptor)
            temporary.replace(self.path)
        except OSError as error:
            pages.close()
            temporary.unlink(missing_ok=True)
            raise _fault(self.path, error) from error
        sync_folder(self.path.parent)
        self._pages.close()
        self._pages, self._offsets, self._size, self._is_ordered = pages, offsets, size, True

    def close(self) -> None:
        """Let go of a file that has a name, and of its lock; closing twice is fine."""
        if self.path is not None:
            self._pages.close()

    def _in_order(self) -> Iterator[tuple[list[int], list[bytes]]]:
        recorded = [slot for slot, offset in enumerate(self._offsets) if offset != _NOWHERE]
        for first in range(0, len(recorded), _AT_ONCE):
            slots = recorded[first : first + _AT_ONCE]
            yield slots, [self._pages.line_at(self._offsets[slot]) for slot in slots]

    def _write(self, data: bytes) -> None:
        try:
            _write_all(self._pages.descriptor, data)
        except OSError as error:
            self._cut()
            raise _fault(self.path, error) from error

    def _cut(self) -> None:
        """Take back what lies behind the last whole line."""
        try:
            os.ftruncate(self._pages.descriptor, self._size)
            os.lseek(self._pages.descriptor, 0, os.SEEK_END)
        except OSError as error:
            raise _fault(self.path, error) from error


def scan(pages: Pages, path: Path | None) -> Generator[tuple[int, int, Line], None, tuple[int, int]]:
    """Yield the lines of a file as (number of the line, its offset, the line).

    Args:
        pages: The file.
        path: What it is called.

    Returns:
        Bytes of the whole lines, and of what a crash left behind them.

    Raises:
        StoreError: The file cannot be read, or a line is damaged that no crash has left: good ones come after it.
    """
    bad: tuple[int, int, BadLine] | None = None
    offset = 0
    try:
        for number, text in enumerate(pages.lines(), start=1):
            try:
                line = decode_line(text)
            except BadLine as error:
                bad = bad or (number, offset, error)
            else:
                if bad is not None:
                    raise StoreError(
                        f"{path}:{bad[0]}: {bad[2]}, and good lines come after it, so that it was no crash; mend the "
                        "file, or take another record"
                    )
                yield number, offset, line
            offset += len(text)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{path} cannot be read ({error.strerror or error})") from error
    whole = offset if bad is None else bad[1]
    return whole, offset - whole


def _opened(path: Path | None) -> int:
    try:
        if path is None:
            descriptor, name = tempfile.mkstemp(prefix="crucible-evaluation-")
            os.unlink(name)  # noqa: PTH108  # a name that nobody needs
            return descriptor
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise _fault(path, error) from error


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _locked(descriptor: int) -> bool:
    """Take the lock of a file that this process writes; it ends with the process, however that ends."""
    try:
        import fcntl  # Windows has none
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _fault(path: Path | None, error: OSError) -> StoreError:
    where = path or f"the evaluation's file in {tempfile.gettempdir()}"
    return StoreError(f"{where} cannot be written ({error.strerror or error}); free space or choose another record")
