"""Carrying traces between one document an event (version 0002) and columns (version 0003), in both directions.

Part of migration 0003, so not edited once released. A document that nobody of ours wrote loses nothing: what has no
column, or is not what its column holds, is kept in `extra_json` under its key. A damaged one costs nothing but itself:
it becomes an event of a type of its own. Its text, and that of one with numbers that no column holds, is kept in
`extra_json`, too, and comes back to the letter unless somebody changed the event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Connection, text

from crucible.store.migrations.trace_values import (
    EPOCH,
    FIRST_US,
    LAST_US,
    MICROSECOND,
    compact_json,
    marked,
    microseconds,
    plain,
    text_of,
    timestamp,
)

__all__ = ["as_columns", "as_documents"]

_DAMAGED, _RAW = "damaged_document", "document_json"  # the type of a damaged event, and the key of its text
_BATCH = 5_000
_WORDS = ("type", "decision", "reasoning")  # always there
_MAYBE = ("code_section", "spec_reference", "parent_id", "stage_id", "experiment_id")
_LISTS = ("alternatives", "depends_on")
_COLUMNS = (
    *("id", "chain", "event_id", "timestamp_us", *_WORDS, "alternatives_json", "confidence"),
    *("metadata_json", "depends_on_json", *_MAYBE, "extra_json"),
)


def as_columns(connection: Connection) -> None:
    """Fill the new tables from `old_trace_chains` and `old_trace_events`."""
    chains: dict[tuple[str, str], int] = {}
    taken: set[str] = set()
    old = connection.execute(text("SELECT run_id, chain_id, name, created_at FROM old_trace_chains ORDER BY 4, 1, 2"))
    for number, (run_id, chain_id, name, created_at) in enumerate(old.all(), start=1):
        new_id = chain_id
        while new_id in taken:
            new_id += f"@{run_id}"
        taken.add(new_id)
        chains[run_id, chain_id] = number
        connection.execute(
            text(
                "INSERT INTO trace_chains (id, chain_id, run_id, name, created_at, updated_at, event_count,"
                " metadata_json) VALUES (:id, :chain_id, :run_id, :name, :at, :at, 0, '{}')"
            ),
            {"id": number, "chain_id": new_id, "run_id": run_id, "name": name, "at": created_at},
        )
    names = ", ".join(_COLUMNS)
    insert = text(f"INSERT INTO trace_events ({names}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})")  # noqa: S608  # our own names
    columns = "id, run_id, chain_id, event_id, document_json"
    for batch in _batches(connection, f"SELECT {columns} FROM old_trace_events"):  # noqa: S608  # our own names
        connection.execute(insert, [_columns(row, chains[row[1], row[2]]) for row in batch])
    connection.execute(
        text("UPDATE trace_chains SET event_count = (SELECT count(*) FROM trace_events WHERE chain = trace_chains.id)")
    )
    latest = text("SELECT chain, max(timestamp_us) FROM trace_events GROUP BY chain")
    for number, latest_us in connection.execute(latest).all():
        moment = (EPOCH + latest_us * MICROSECOND).isoformat(timespec="microseconds")
        later = text("UPDATE trace_chains SET updated_at = :at WHERE id = :id AND updated_at < :at")
        connection.execute(later, {"id": number, "at": moment})
    _set_counter(connection, "trace_chains")
    _set_counter(connection, "trace_events")


def as_documents(connection: Connection) -> None:
    """Fill the old tables from `old_trace_chains` and `old_trace_events`, which have the columns of version 0003."""
    connection.execute(
        text(
            "INSERT INTO trace_chains (run_id, chain_id, name, created_at)"
            " SELECT run_id, chain_id, name, created_at FROM old_trace_chains WHERE run_id IS NOT NULL"
        )
    )
    chains = {
        row[0]: (row[1], row[2])
        for row in connection.execute(
            text("SELECT id, run_id, chain_id FROM old_trace_chains WHERE run_id IS NOT NULL")
        )
    }
    insert = text(
        "INSERT INTO trace_events (id, run_id, chain_id, event_id, document_json)"
        " VALUES (:id, :run_id, :chain_id, :event_id, :document)"
    )
    for batch in _batches(connection, f"SELECT {', '.join(_COLUMNS)} FROM old_trace_events"):  # noqa: S608  # our own names
        documents = [
            {
                "id": row[0],
                "run_id": chains[row[1]][0],
                "chain_id": chains[row[1]][1],
                "event_id": row[2],
                "document": _document(dict(zip(_COLUMNS, row, strict=True))),
            }
            for row in batch
            if row[1] in chains
        ]
        if documents:
            connection.execute(insert, documents)
    _set_counter(connection, "trace_events")


def _batches(connection: Connection, select: str) -> Iterator[list[Any]]:
    last = -(2**63)
    while True:
        query = text(f"{select} WHERE id > :last ORDER BY id LIMIT {_BATCH}")
        batch = list(connection.execute(query, {"last": last}).all())
        if not batch:
            return
        yield batch
        last = batch[-1][0]


def _columns(row: Any, chain: int) -> dict[str, Any]:
    """Return an event's columns of its document, be it damaged."""
    raw = row[4] if isinstance(row[4], str) else bytes(row[4]).decode("utf-8", "backslashreplace")
    try:
        found = json.loads(raw)
        if isinstance(found, dict):
            document = cast("dict[str, Any]", found)
            mended = plain(document)
            return _sound(row, chain, mended if mended == document else {**mended, _RAW: raw})
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, nested too deep
        pass
    return _sound(row, chain, {"type": _DAMAGED, _RAW: raw})


def _sound(row: Any, chain: int, document: dict[str, Any]) -> dict[str, Any]:
    """Return an event's columns; numbers in the document are finite, and fit a double where they have a column."""
    odd = {key: value for key, value in document.items() if key not in _KNOWN}
    columns: dict[str, Any] = {"id": row[0], "chain": chain, "event_id": row[3]}
    for name in (*_WORDS, *_MAYBE):
        value = document.get(name)
        columns[name] = "" if name in _WORDS else None
        if value is not None:
            columns[name] = text_of(value)
            if columns[name] != value:
                odd[name] = value
    for name in _LISTS:
        value: Any = document.get(name)
        value = [] if value is None else value
        words = [text_of(word) for word in cast("list[Any]", value)] if isinstance(value, list) else []
        columns[f"{name}_json"] = compact_json(words)
        if words != value:
            odd[name] = value
    metadata: Any = document.get("metadata")
    metadata = {} if metadata is None else metadata
    columns["metadata_json"] = compact_json(metadata if isinstance(metadata, dict) else {})
    if not isinstance(metadata, dict):
        odd["metadata"] = metadata
    confidence: Any = document.get("confidence")
    is_number = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    columns["confidence"] = float(confidence) if is_number else None
    if columns["confidence"] != confidence:
        odd["confidence"] = confidence
    since = microseconds(document.get("timestamp"))
    columns["timestamp_us"] = 0 if since is None else min(max(since, FIRST_US), LAST_US)
    if columns["timestamp_us"] != since:
        odd["timestamp"] = document.get("timestamp")
    columns["extra_json"] = json.dumps(odd) if odd else None
    return columns


_KNOWN = frozenset({"id", "timestamp", "confidence", "metadata", *_WORDS, *_MAYBE, *_LISTS})


def _document(row: dict[str, Any]) -> str:
    """Return an event's document of its columns; what is damaged in them stands under the column's name."""
    odd: dict[str, Any] = {}

    def read(name: str, empty: Any) -> Any:
        try:
            found = json.loads(row[name])
            compact_json([[found]])  # as deep as it will lie in the document
        except (TypeError, ValueError, RecursionError):
            odd[name] = row[name] if isinstance(row[name], str) else repr(row[name])
            return empty
        if isinstance(found, type(empty)):
            return found
        odd[name] = row[name]
        return empty

    extra: dict[str, Any] = {} if row["extra_json"] is None else read("extra_json", {})
    if isinstance(extra.get(_RAW), str) and _is_of(row, extra[_RAW]):
        return extra[_RAW]
    document: dict[str, Any] = {
        "id": row["event_id"],
        "timestamp": timestamp(row["timestamp_us"]),
        **{name: row[name] for name in _WORDS},
        "alternatives": read("alternatives_json", []),
        "confidence": row["confidence"],
        "code_section": row["code_section"],
        "spec_reference": row["spec_reference"],
        "metadata": read("metadata_json", {}),
        "parent_id": row["parent_id"],
        "depends_on": read("depends_on_json", []),
        "stage_id": row["stage_id"],
        "experiment_id": row["experiment_id"],
    }
    return compact_json(marked(document | odd | extra))


def _is_of(row: dict[str, Any], raw: str) -> bool:
    """Return whether a row still says what was read out of this document."""
    first = _columns((row["id"], None, None, row["event_id"], raw), row["chain"])

    def read(columns: dict[str, Any], name: str) -> Any:
        if not name.endswith("_json"):
            return columns[name]
        found = json.loads(columns[name])
        if name == "extra_json":
            found.pop("timestamp", None)  # events that were read and saved do not have it any more
        return found

    try:
        return all(read(row, name) == read(first, name) for name in _COLUMNS)
    except (TypeError, ValueError, RecursionError):
        return False


def _set_counter(connection: Connection, table: str) -> None:
    """Let PostgreSQL count on from the highest id; SQLite looks for itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"  # noqa: S608  # our own names
                f" (SELECT coalesce(max(id), 0) + 1 FROM {table}), false)"
            )
        )
