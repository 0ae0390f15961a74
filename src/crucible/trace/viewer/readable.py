"""Events as the page can show them: `readable` makes text of what should be text, whatever an event holds.

Making an event checks nothing, so that any of its fields may hold anything. What is odd is worded, never left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import Any, cast

import msgspec

from crucible.trace.event import Event
from crucible.trace.plain import plain

__all__ = ["is_stated", "readable", "words"]

_TEXTS = ("id", "type", "decision", "reasoning")
_TEXTS_OR_NONE = ("code_section", "spec_reference", "parent_id", "stage_id", "experiment_id")
_LISTS = ("alternatives", "depends_on")


def words(value: Any) -> str:
    """Return text as it is, nothing for None, and anything else in words."""
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    return str.__str__(value) if isinstance(value, str) else str(plain(value))


def readable(event: Event) -> Event:
    """Return an event whose fields have the types that `Event` says; only the confidence stays what it is."""
    changes: dict[str, Any] = {}
    for name in _TEXTS:
        value = getattr(event, name)
        if value.__class__ is not str:
            changes[name] = words(value)
    for name in _TEXTS_OR_NONE:
        value = getattr(event, name)
        if value is not None and value.__class__ is not str:
            changes[name] = words(value)
    for name in _LISTS:
        value = getattr(event, name)
        if value.__class__ is not tuple or any(word.__class__ is not str for word in value):
            changes[name] = tuple(map(words, _listed(value)))
    metadata: Any = event.metadata
    if metadata.__class__ is not dict:
        changes["metadata"] = _mapping(metadata)
    return msgspec.structs.replace(event, **changes) if changes else event


def is_stated(confidence: Any) -> bool:
    """Whether a confidence is a finite number."""
    kept = plain(confidence)
    return isinstance(kept, int | float) and not isinstance(kept, bool) and math.isfinite(kept)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(cast("Any", value)) if isinstance(value, list | tuple | Set) else [value]


def _mapping(value: Any) -> dict[Any, Any]:
    if value is None:
        return {}
    return dict(cast("Mapping[Any, Any]", value)) if isinstance(value, Mapping) else {"metadata": value}
