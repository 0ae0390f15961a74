"""Carrying traces between one document an event (version 0002) and columns (version 0003), in both directions.

Part of migration 0003, so not edited once released. A document that nobody of ours wrote loses nothing: what has no
column, or is not what its column holds, is kept in `extra_json` under its key. One that is damaged costs nothing but
itself: it becomes an event of a type of its own, with its text in `extra_json`, and that very text when it goes back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, text

__all__ = ["as_columns", "as_documents"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = 24 * 60 * 60 * 1_000_000
_FIRST_US, _LAST_US = ((end.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND for end in (datetime.min, datetime.max))
_DAMAGED, _RAW = "damaged_document", "document_json"  # the type of such an event, and where its text is kept
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
        moment = (_EPOCH + latest_us * _MICROSECOND).isoformat(timespec="microseconds")
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
    try:
        found = json.loads(row[4])
        if isinstance(found, dict):
            return _sound(row, chain, cast("dict[str, Any]", found))
    except (ValueError, OverflowError, RecursionError):  # no JSON, a number of thousands of digits, nested too deep
        pass
    raw = row[4] if isinstance(row[4], str) else bytes(row[4]).decode("utf-8", "backslashreplace")
    return _sound(row, chain, {"type": _DAMAGED, _RAW: raw})


def _sound(row: Any, chain: int, document: dict[str, Any]) -> dict[str, Any]:
    odd = {key: value for key, value in document.items() if key not in _KNOWN}
    columns: dict[str, Any] = {"id": row[0], "chain": chain, "event_id": row[3]}
    for name in (*_WORDS, *_MAYBE):
        value = document.get(name)
        columns[name] = "" if name in _WORDS else None
        if value is not None:
            columns[name] = _storable(value if isinstance(value, str) else json.dumps(value))
            if columns[name] != value:
                odd[name] = value
    for name in _LISTS:
        value: Any = document.get(name)
        value = [] if value is None else value
        words = cast("list[Any]", value if isinstance(value, list) else [None])
        fits = all(isinstance(word, str) and _storable(word) == word for word in words)
        columns[f"{name}_json"] = _json(value if fits else [])
        if not fits:
            odd[name] = value
    metadata: Any = document.get("metadata")
    metadata = {} if metadata is None else metadata
    fits = isinstance(metadata, dict) and _is_finite(cast("dict[str, Any]", metadata))
    columns["metadata_json"] = _json(metadata if fits else {})
    if not fits:
        odd["metadata"] = metadata
    confidence: Any = document.get("confidence")
    columns["confidence"] = _double(confidence)
    if columns["confidence"] != confidence:
        odd["confidence"] = confidence
    since = _microseconds(document.get("timestamp"))
    columns["timestamp_us"] = 0 if since is None else min(max(since, _FIRST_US), _LAST_US)
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
            _json([[found]])  # as deep as it will lie in the document
        except (TypeError, ValueError, RecursionError):
            odd[name] = row[name] if isinstance(row[name], str) else repr(row[name])
            return empty
        if isinstance(found, type(empty)):
            return found
        odd[name] = row[name]
        return empty

    extra: dict[str, Any] = {} if row["extra_json"] is None else read("extra_json", {})
    if row["type"] == _DAMAGED and extra.keys() == {_RAW} and isinstance(extra[_RAW], str):
        return extra[_RAW]
    document: dict[str, Any] = {
        "id": row["event_id"],
        "timestamp": _timestamp(row["timestamp_us"]),
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
    return _json(document | odd | extra)


def _json(value: Any) -> str:
    return json.dumps(_encodable(value), ensure_ascii=False, separators=(",", ":"))


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_encodable(key): _encodable(inner) for key, inner in cast("dict[str, Any]", value).items()}
        case list():
            return [_encodable(inner) for inner in cast("list[Any]", value)]
        case _:
            return value


def _storable(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _is_finite(value: dict[str, Any]) -> bool:
    """Return whether JSON can carry the value: a reader may have made an infinity of a number that is too large."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _double(value: Any) -> float | None:
    """Return the number that a column can hold; None for any other value."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _microseconds(value: Any) -> int | None:
    """Return the time since 1970, which may lie up to a day outside of the years that UTC has."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        return None
    aware = moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment
    return (aware - _EPOCH) // _MICROSECOND


def _timestamp(since: int) -> str:
    """Return a time in UTC; one outside of its years in the farthest zone, or as the last that there is."""
    shift = _DAY_US - 60_000_000 if since < _FIRST_US else 60_000_000 - _DAY_US if since > _LAST_US else 0
    local = min(max(since + shift, _FIRST_US), _LAST_US)
    zone = "Z" if not shift else "+23:59" if shift > 0 else "-23:59"
    return (_EPOCH.replace(tzinfo=None) + local * _MICROSECOND).isoformat(timespec="microseconds") + zone


def _set_counter(connection: Connection, table: str) -> None:
    """Let PostgreSQL count on from the highest id; SQLite looks for itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"  # noqa: S608  # our own names
                f" (SELECT coalesce(max(id), 0) + 1 FROM {table}), false)"
            )
        )
