"""Files of your own, by the names of their fields: a file, or a folder with a file (or several) for each split."""

from __future__ import annotations

from pathlib import Path

from crucible.data.formats import formats_for, suffixes_of
from crucible.data.items import Item
from crucible.data.mapping import mapped_item
from crucible.data.options import DatasetOptions, FieldMap
from crucible.data.place import check_part, expand, split_files, usual_files
from crucible.data.reading import ItemMaker, Request
from crucible.data.rows import Row
from crucible.data.source import Files, Source, stem_of
from crucible.errors import DataError

__all__ = ["local_files", "mapping_maker"]


def mapping_maker(options: DatasetOptions) -> ItemMaker:
    """Return the function that makes an item of a row as the option `fields` says."""
    fields = options.fields or FieldMap()

    def make(row: Row, default_id: str) -> Item:
        return mapped_item(row, fields, default_id=default_id, keep_unanswered=options.unanswered == "keep")

    return make


def local_files(kind: str | None) -> Source:
    """Return the source of local files.

    Args:
        kind: Their format, unless the reference says one; None: as the files' names say.
    """

    def find(request: Request) -> Files:
        name = request.ref.name
        if request.options.path is None:
            wanted = f"<split>.{kind or 'jsonl'}"
            raise DataError(f"{name}: the option path is missing; it names the file, or a folder of {wanted}")
        place = Path(expand(request.options.path))
        paths = [place]
        if not place.is_file():
            check_part(request.split, what="split", name=name)
            formats = formats_for(request.ref.format or kind)
            suffixes = [suffix for each in formats for suffix in suffixes_of(each)]
            if request.options.config is not None:
                check_part(request.options.config, what="config", name=name)
            patterns = usual_files(request.split, request.options.config, suffixes)
            shown = f"{request.split}{suffixes[0] if len(formats) == 1 else '.<format>'}"
            paths = split_files(place, patterns, request.split, name=name, wanted=shown)
        said = request.ref.format or kind
        return Files(
            paths=tuple(paths),
            make=mapping_maker(request.options),
            stem=stem_of(paths[0]) if len(paths) == 1 else request.split,
            source=", ".join(map(str, paths)),
            format=formats_for(said)[0] if said else None,
        )

    takes = {"path", "config", "fields", "csv", "unanswered", "synthetic", "answer_schema"}
    return Source(frozenset(takes), find)
