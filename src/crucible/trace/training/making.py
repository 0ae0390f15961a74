"""Making an event of a training: the checks of what came, and the metadata.

What a factory computes from its arguments wins over the caller's `metadata`, because the words of the event say it;
where the two differ, the caller's value is kept under `overridden`. Everything becomes JSON values, so that a chain of
these events can always be saved.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from crucible.errors import SpecError
from crucible.trace.event import Event, EventFields
from crucible.trace.plain import plain

__all__ = ["computed_over", "event_of", "given", "mapping", "number", "path", "present", "single", "text", "whole"]

_TEXTS = ("id", "code_section", "spec_reference", "parent_id", "stage_id", "experiment_id")


def event_of(type: str, decision: str, reasoning: str, computed: Mapping[str, Any], fields: EventFields) -> Event:  # noqa: A002  # the field's name
    """Make an event of checked parts.

    Args:
        type: Its type.
        decision: What happened.
        reasoning: Why.
        computed: What the factory says in metadata.
        fields: The caller's optional fields.

    Raises:
        TypeError: A field has the wrong type, or is unknown.
        SpecError: The confidence is NaN or infinite.
    """
    optional = cast("dict[str, Any]", {**fields})
    for name in _TEXTS:
        if optional.get(name) is not None:
            optional[name] = text(name, optional[name])
    for name in ("alternatives", "depends_on"):
        if name in optional:
            optional[name] = _texts(name, optional[name])
    if optional.get("confidence") is not None:
        optional["confidence"] = _confidence(optional["confidence"])
    optional["metadata"] = computed_over(computed, mapping("metadata", optional.pop("metadata", None) or {}))
    return Event.new(type, text("decision", decision), text("reasoning", reasoning), **optional)


def computed_over(computed: Mapping[str, Any], given: Mapping[Any, Any]) -> dict[str, Any]:
    """Return both as JSON values; computed ones win, and given ones that differ are kept under `overridden`."""
    theirs: dict[str, Any] = plain(given)
    ours: dict[str, Any] = plain(computed)
    lost = {key: theirs[key] for key in theirs.keys() & ours.keys() if theirs[key] != ours[key]}
    merged = {**theirs, **ours}
    if lost:
        earlier = [each["overridden"] for each in (theirs, ours) if isinstance(each.get("overridden"), dict)]
        lost.pop("overridden", None)
        merged["overridden"] = {name: value for each in (*earlier, lost) for name, value in each.items()}
    return merged


def present(**values: Any) -> dict[str, Any]:
    """Return the values that were given; None is left out."""
    return {name: value for name, value in values.items() if value is not None}


def given(check: Callable[[str, Any], Any], **values: Any) -> dict[str, Any]:
    """Return the values that were given, each checked; None is left out.

    Args:
        check: `whole`, `number`, `text`, `path` or `mapping`.
        **values: By name.
    """
    return {name: check(name, value) for name, value in values.items() if value is not None}


def whole(name: str, value: Any) -> int:
    """Return a whole number.

    Raises:
        TypeError: It is none; a bool is none.
    """
    if not isinstance(value, bool) and isinstance(value, numbers.Integral):
        return int(value)
    raise TypeError(f"{name} must be a whole number, such as 3, got {_shown(value)}")


def number(name: str, value: Any) -> int | float | str:
    """Return a measurement: a number of Python, NumPy or a tensor with one element; NaN and infinities as words.

    Raises:
        TypeError: It is none; a bool is none.
    """
    one = single(value)
    if not isinstance(one, bool) and isinstance(one, numbers.Real):
        return plain(one)
    raise TypeError(f"{name} must be one number, such as 0.25, got {_shown(value)}")


def single(value: Any) -> Any:
    """Return the one element of an array or a tensor; anything else as it is, one with several elements, too."""
    item = getattr(value, "item", None)
    if callable(item) and not isinstance(value, numbers.Number):
        with contextlib.suppress(TypeError, ValueError, RuntimeError):
            return item()
    return value


def text(name: str, value: Any) -> str:
    """Return text that JSON can carry.

    Raises:
        TypeError: It is no string.
    """
    if isinstance(value, str):
        return plain(str(value))
    raise TypeError(f"{name} must be text, got {_shown(value)}")


def path(name: str, value: Any) -> str:
    """Return a path as text.

    Raises:
        TypeError: It is neither text nor a path.
    """
    if isinstance(value, str | os.PathLike):
        value = os.fspath(cast("str | os.PathLike[str]", value))
    if isinstance(value, str):
        return plain(str(value))
    raise TypeError(f"{name} must be a path, such as 'checkpoints/step-80', got {_shown(value)}")


def mapping(name: str, value: Any) -> Mapping[Any, Any]:
    """Return a mapping.

    Raises:
        TypeError: It is none.
    """
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value)
    raise TypeError(f"{name} must be a mapping, such as {{'loss': 0.25}}, got {_shown(value)}")


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list of text, got {_shown(value)}")
    return tuple(text(f"each of {name}", word) for word in cast("Iterable[Any]", value))


def _confidence(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"confidence must be a number from 0 to 1, or None, got {_shown(value)}")
    if not math.isfinite(value):
        raise SpecError(f"confidence must be a number from 0 to 1, or None, got {value}", code="confidence")
    return float(value)


def _shown(value: Any) -> str:
    """Return what came, short, with its type."""
    try:
        words = repr(value)
    except Exception:  # noqa: BLE001  # a stranger's __repr__ must not hide what is wrong
        words = "?"
    return f"{words if len(words) <= 60 else words[:57] + '…'} ({type(value).__name__})"
