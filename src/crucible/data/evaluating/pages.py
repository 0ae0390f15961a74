"""Reading lines of a file by where they begin, through one open descriptor, a page at a time."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator

__all__ = ["Pages"]

_PAGE_BYTES = 256 * 1024


class Pages:
    """An open file whose lines are read at any place; lines that lie side by side are read together.

    Args:
        descriptor: The file; closed with this object.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._held = (0, b"")  # where the page begins, and the page: set as one, for threads that read at once
        self._close = weakref.finalize(self, _closed, descriptor)

    def line_at(self, offset: int) -> bytes:
        """Return the line that begins at `offset`, with its line break where it has one.

        Raises:
            OSError: The file cannot be read.
        """
        begin, page = self._held
        start = offset - begin
        end = page.find(b"\n", start) if 0 <= start < len(page) else -1
        size = _PAGE_BYTES
        while end < 0:
            begin = max(0, offset - size // 4)  # lines that were written side by side are asked for in another order
            page = os.pread(self.descriptor, size, begin)
            self._held = begin, page
            start = offset - begin
            end = page.find(b"\n", start)
            if end < 0 and len(page) < size:
                return page[start:]
            size *= 4
        return page[start : end + 1]

    def lines(self) -> Iterator[bytes]:
        """Yield all lines from the beginning, with their line breaks; the last one may lack it.

        Raises:
            OSError: The file cannot be read.
        """
        with os.fdopen(os.dup(self.descriptor), "rb") as file:
            file.seek(0)
            yield from file

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._close()


def _closed(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)
