"""Any JSONL file or folder of them, by the names of its fields."""

from __future__ import annotations

from pathlib import Path

from crucible.data.dataset import Dataset
from crucible.data.items import Item
from crucible.data.options import FieldMap
from crucible.data.place import expand
from crucible.data.rows import Row, mapped_item
from crucible.data.source import Request, Source, read_split
from crucible.errors import DataError

__all__ = ["JSONL"]


def _read(request: Request) -> Dataset:
    options = request.options
    if options.path is None:
        raise DataError(
            f"{request.ref.name}: the option path is missing; it names the file, or a folder of <split>.jsonl"
        )
    place = Path(expand(options.path))
    fields = options.fields or FieldMap()

    def make(row: Row, default_id: str) -> Item:
        return mapped_item(row, fields, default_id=default_id, keep_unanswered=options.unanswered == "keep")

    file = place.name if place.is_file() else f"{request.split}.jsonl"
    return read_split(request, place, {request.split: file}, make)


JSONL = Source(_read, frozenset({"path", "fields", "unanswered", "synthetic", "answer_schema"}))
"""The source `jsonl`: one JSON object a line."""
