"""A temporary file of rows, for writers that must see every row before they can write the first.

The columns of a table are the union over all rows; reading a live store twice could give two answers, so what was read
once is kept here. The file has no name, or none that outlives it: a process that is killed leaves nothing behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from crucible.telemetry.exports.files import unwritable

__all__ = ["Spool"]

_ROWS = 256
_LENGTH = 4


class Spool:
    """Rows of plain values, appended and then read from the start; a context manager.

    Args:
        folder: Where the space is taken: that of the file to come, which has to hold as much. Must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[Any] = []
        self._encode = msgspec.msgpack.Encoder().encode
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by __exit__
        except OSError as error:
            raise unwritable(folder, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failed:  # what a full disk did not take; if the block did not fail yet, nobody knows of it
            if error is None:
                raise unwritable(self._folder, failed) from failed

    def add(self, row: Any) -> None:
        """Append a row.

        Raises:
            StoreError: The disk is full.
        """
        self._waiting.append(row)
        if len(self._waiting) >= _ROWS:
            self._write()

    def rows(self, kind: Any = Any) -> Iterator[Any]:
        """Yield the rows in order.

        Args:
            kind: What each row is, in msgspec's words, such as `dict[int, str]`.

        Raises:
            StoreError: The disk is full.
        """
        self._write()
        decode = msgspec.msgpack.Decoder(list[kind]).decode
        self._file.seek(0)
        while prefix := self._file.read(_LENGTH):
            yield from decode(self._file.read(int.from_bytes(prefix)))
        self._file.seek(0, 2)

    def _write(self) -> None:
        if not self._waiting:
            return
        block = self._encode(self._waiting)
        self._waiting.clear()
        try:
            self._file.write(len(block).to_bytes(_LENGTH))
            self._file.write(block)
        except OSError as error:
            raise unwritable(self._folder, error) from error
