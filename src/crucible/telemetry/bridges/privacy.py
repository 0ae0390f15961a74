"""What people wrote and who they are stays out of what is handed to OpenTelemetry, unless it is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from crucible.store import StoredEvent
from crucible.telemetry.bridges.attributes import number

__all__ = ["PRIVATE", "without_private"]

PRIVATE = frozenset(
    {"prompt", "prompts", "messages", "system", "system_prompt", "response", "responses", "answer", "answers"}
    | {"completion", "completions", "text", "texts", "input", "inputs", "output", "outputs", "content", "contents"}
    | {"arguments", "result", "user", "user_id", "session", "session_id"}
)  # keys of payloads that stay here unless asked for; a number among the measurements, such as how many prompts, goes

_DEEPEST = 16
_ATOMS = frozenset({str, bool, int, float, bytes, type(None)})
_LISTS = (list, tuple, set, frozenset, deque)


def without_private(record: StoredEvent) -> StoredEvent:
    """Return a record without what people wrote and who they are: the keys of `PRIVATE`, wherever they stand.

    They are looked for in mappings, in lists, and among the fields of objects, 16 levels deep; what lies deeper, or
    contains itself, becomes its type's name. An object of another kind goes along as its own text.
    """
    measurements = {
        key: _open(value, 1)
        for key, value in record.measurements.items()
        if not _is_private(key) or number(value) is not None
    }
    metadata, fields = _without(record.metadata, 0), _without(record.fields, 0)
    return msgspec.structs.replace(record, measurements=measurements, metadata=metadata, fields=fields)


def _without(part: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
    return {key: _open(value, depth + 1) for key, value in part.items() if not _is_private(key)}


def _open(value: Any, depth: int) -> Any:
    """Return a value without private keys in it; what cannot be looked into does not go along."""
    if value.__class__ in _ATOMS:
        return value
    try:
        return _opened(value, depth)
    except Exception:  # noqa: BLE001  # a stranger's mapping that fails
        return _type_name(value)


def _opened(value: Any, depth: int) -> Any:
    fields = _fields(value)
    if fields is None and not isinstance(value, _LISTS):
        return value
    if depth > _DEEPEST:
        return _type_name(cast("object", value))
    if fields is not None:
        return _without(fields, depth)
    inside = cast("Iterable[Any]", value)
    if all(each.__class__ in _ATOMS for each in inside):
        return inside
    return [_open(each, depth + 1) for each in inside]


def _fields(value: Any) -> Mapping[Any, Any] | None:
    """Return what has names in a mapping, a struct, a dataclass, a named tuple, or a model of Pydantic; else None."""
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value)
    kind = value.__class__
    if hasattr(kind, "__struct_fields__"):
        return msgspec.structs.asdict(value)
    if hasattr(kind, "__dataclass_fields__") or hasattr(kind, "__attrs_attrs__"):
        names = getattr(kind, "__dataclass_fields__", None) or [each.name for each in kind.__attrs_attrs__]
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    for name in ("_asdict", "model_dump"):
        if callable(getattr(kind, name, None)):
            return getattr(value, name)()
    return None


def _is_private(key: Any) -> bool:
    return isinstance(key, str) and key in PRIVATE


def _type_name(value: object) -> str:
    return f"<{type(value).__name__}>"
