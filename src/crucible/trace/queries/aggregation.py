"""Grouping a chain's events by the value of a field: `aggregate_by`, and what is often asked of a group."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar, overload

import msgspec

from crucible.errors import SpecError
from crucible.trace.chain import Chain
from crucible.trace.event import Event
from crucible.trace.plain import plain
from crucible.trace.queries.fields import Kind, read_field

__all__ = ["aggregate_by", "count", "mean_confidence"]

_Answer = TypeVar("_Answer")


@overload
def aggregate_by(chain: Chain, field: str, *, include_missing: bool = False) -> dict[Any, list[Event]]: ...
@overload
def aggregate_by(
    chain: Chain, field: str, fn: Callable[[list[Event]], _Answer], *, include_missing: bool = False
) -> dict[Any, _Answer]: ...
def aggregate_by(
    chain: Chain, field: str, fn: Callable[[list[Event]], Any] | None = None, *, include_missing: bool = False
) -> dict[Any, Any]:
    """Group the events by the value of a field and return what `fn` says of each group.

    Texts, numbers, booleans and times are keys as they are; lists and objects by their JSON text with sorted keys,
    such as `'["a","b"]'`. Where two different values would have the same key in a dict (1 and True; a list and the text
    that looks like it), the later one's key is its JSON text after its kind, such as `'bool true'`.

    Args:
        chain: Whose events.
        field: A field of the event, `category`, or a metadata path such as `metadata.epoch`.
        fn: Takes the events of a group in chain order, at least one; None returns them.
        include_missing: Whether the events without a value make a group under None.

    Returns:
        The groups in order of first appearance.

    Raises:
        SpecError: There is no such field, or it is not one value.
    """
    known = read_field(field)
    if known.kind is Kind.CONTENT:
        raise SpecError("content is the decision and the reasoning; group by `decision` or `reasoning`", code="field")
    get = known.getter()
    is_own_container = known.kind in (Kind.WORDS, Kind.OBJECT)
    groups: dict[tuple[str, Any], list[Event]] = {}
    for event in chain:
        value = get(event)
        if value is None or (is_own_container and not value):
            if not include_missing:
                continue
            value = None
        groups.setdefault(_identity(value), []).append(event)
    answers: dict[Any, Any] = {}
    for (kind, value), events in groups.items():
        answers[_key(kind, value, answers)] = events if fn is None else fn(events)
    return answers


def _identity(value: Any) -> tuple[str, Any]:
    """Return what tells two values apart, with everything hashable."""
    kind = value.__class__
    if kind is str or kind is bool or kind is datetime or value is None:
        return kind.__name__, value
    if kind is int or (kind is float and math.isfinite(value)):
        return "number", value
    return ("list" if isinstance(value, list | tuple) else kind.__name__), _json(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(plain(value), order="sorted").decode()


def _key(kind: str, value: Any, taken: dict[Any, Any]) -> Any:
    if value not in taken:
        return value
    key = f"{kind} {value if isinstance(value, str) else _json(value)}"
    while key in taken:
        key = f"{kind} {key}"
    return key


def count(events: Sequence[Event]) -> int:
    """Return how many events there are; for `aggregate_by`."""
    return len(events)


def mean_confidence(events: Sequence[Event]) -> float | None:
    """Return the mean over the events that state a confidence; None if none does. For `aggregate_by`."""
    stated = [event.confidence for event in events if event.confidence is not None]
    return math.fsum(stated) / len(stated) if stated else None
