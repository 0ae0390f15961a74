"""What tells one state of a history from another: its `Fingerprint`, the same wherever the history lies."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["Fingerprint"]

_EDGE_BYTES = 1 << 16


class Fingerprint:
    """A SHA-256 of what is added, in that order; neither folders nor times of files are in it.

    Args:
        source: Whose history it is.
    """

    def __init__(self, source: str) -> None:
        self._hash = hashlib.sha256()
        self.add(source.encode())

    def add(self, data: bytes) -> None:
        """Take a line, or anything else that is at hand."""
        self._hash.update(b"%d:" % len(data))
        self._hash.update(data)

    def add_text(self, name: str, text: str) -> None:
        """Take a text with its name."""
        self.add(name.encode("utf-8", "backslashreplace"))
        self.add(text.encode("utf-8", "backslashreplace"))

    def add_file(self, name: str, path: Path) -> None:
        """Take a file: its name, its size, its first and its last 64 KiB; one that cannot be read counts as such.

        A change that leaves all of these as they were is not seen.

        Args:
            name: Its name within the history.
            path: Where it lies.
        """
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                first = file.read(_EDGE_BYTES)
                file.seek(max(size - _EDGE_BYTES, len(first)))
                last = file.read(_EDGE_BYTES)
        except OSError:
            size, first, last = -1, b"", b""
        self.add_text(name, str(size))
        self.add(first)
        self.add(last)

    def __str__(self) -> str:
        return self._hash.hexdigest()
