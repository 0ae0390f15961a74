"""Events as JSON lines: one object a line, always."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crucible.store import StoredEvent
from crucible.telemetry.exports.anonymizer import Anonymizer, anonymized
from crucible.telemetry.exports.columns import BASE_COLUMNS, FIELD_COLUMNS, base_values
from crucible.telemetry.exports.files import whole_file
from crucible.telemetry.exports.payload import json_text, plain
from crucible.telemetry.exports.result import Exported
from crucible.telemetry.exports.source import Source, Sources, source_lookup

__all__ = ["write_jsonl"]

_KEYS = (*BASE_COLUMNS, "measurements", "metadata")
_OWN = frozenset(_KEYS)
_OF_FIELDS = frozenset(FIELD_COLUMNS)


def write_jsonl(
    records: Iterable[StoredEvent],
    path: str | Path,
    *,
    source: Sources = None,
    anonymizer: Anonymizer | None = None,
    replace: bool = True,
) -> Exported:
    """Write events as JSON lines, whole or not at all.

    Every object has the keys of `BASE_COLUMNS`, null where there is no value, then `measurements` and `metadata` as
    they were nested, then what else enrichment found (under `field_<name>` where the name is taken). NaN and the
    infinities, which JSON lacks, are `{"$float": "NaN"}`; `crucible.store.decode` turns a line back.

    Args:
        records: The events, in the order of the lines.
        path: Where; missing parent folders are made.
        source: Whose events they are.
        anonymizer: Hides users and sessions; None writes everything.
        replace: Whether a file of that name is replaced.

    Raises:
        StoreError: The file cannot be written, or is there and not to be replaced.
    """
    path = Path(path)
    count = 0
    with (
        whole_file(path, replace=replace) as file,
        anonymized(records, source, anonymizer, path.parent) as (hidden, sources),
    ):
        source_of = source_lookup(sources)
        for record in hidden:
            file.write(_line(record, source_of(record.run_id)).encode())
            count += 1
    return Exported(path, "jsonl", count, _KEYS)


def _line(record: StoredEvent, source: Source) -> str:
    values = base_values(record, source.experiment_id, source.experiment_name, source.tags)
    whole: dict[str, Any] = dict(zip(_KEYS, [*values, record.measurements, record.metadata], strict=True))
    for key, value in record.fields.items():
        if key not in _OF_FIELDS:
            whole[_free(key, whole)] = value
        elif value.__class__ is not str:
            whole[key] = value
    return f"{json_text(whole)}\n"


def _free(key: Any, taken: dict[str, Any]) -> str:
    name = plain(key)
    name = name if isinstance(name, str) else str(name)
    while name in taken:
        name = f"field_{name}"
    return name
