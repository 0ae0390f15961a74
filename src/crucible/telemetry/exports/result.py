"""What a writer hands back."""

from __future__ import annotations

from pathlib import Path

import msgspec

__all__ = ["Exported"]


class Exported(msgspec.Struct, frozen=True):
    """A file that was written, whole.

    Args:
        path: Where it is.
        format: `csv`, `jsonl` or `parquet`.
        rows: How many records or points are in it.
        columns: The names of its columns, in order; of JSON lines, the keys that every line has.
    """

    path: Path
    format: str
    rows: int
    columns: tuple[str, ...]
