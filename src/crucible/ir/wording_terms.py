"""How a type is named in a message: `must be a string or list`, `must be between 0 and 1`, `must be one of: a, b`."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

from crucible.ir.wording_schema import Place

__all__ = ["bounds_words", "item_word", "type_words", "union_words"]

_WORDS = {
    "int": "integer",
    "float": "number",
    "decimal": "number",
    "str": "string",
    "bool": "boolean",
    "dict": "map",
    "model-fields": "map",
    "typed-dict": "map",
    "dataclass-args": "map",
    "list": "list",
    "tuple": "list",
    "set": "list",
    "frozenset": "list",
    "datetime": "date and time with offset (e.g., 2026-01-31T12:00:00+00:00)",
    "date": "date (e.g., 2026-01-31)",
    "none": "null",
}
_LISTS = ("list", "tuple", "set", "frozenset")
_LARGEST_SPAN = 100_000
"""Bounds farther apart are not both named: `epochs must be positive` says more than `between 1 and 1000000`."""


def type_words(place: Place) -> str:
    """Return what a value of the type is, such as `must be a list of strings`; empty if that is not known."""
    word = _WORDS.get(place.kind, "")
    if not word:
        return ""
    if place.kind == "int" and place.get("ge") == 0 and _is_open_above(place):
        return "must be a non-negative integer"
    if place.kind in _LISTS and (items := _WORDS.get(place.child(0).kind, "")) in ("string", "integer", "number"):
        return f"must be a list of {items}s"
    return f"must be {_with_article(word)}"


def bounds_words(place: Place, value: float) -> str:
    """Return what a number must be that lies outside its bounds.

    Args:
        place: A place with a bound.
        value: The number.
    """
    low, high = _bound(place, "ge", "gt"), _bound(place, "le", "lt")
    number = "integer" if place.kind == "int" else "number"
    is_low = low is not None and (value < low or (value == low and place.get("gt") == low))
    if low is not None and high is not None and high - low <= _LARGEST_SPAN:
        is_edge = value in (low, high)
        return f"must be between {low:g} and {high:g}" + (f", {_excluded(place)}" if is_edge else "")
    if is_low and (place.get("gt") == 0 or (place.kind == "int" and place.get("ge") == 1)):
        return "must be positive"
    if is_low and place.get("ge") == 0:
        return f"must be a non-negative {number}"
    if is_low:
        return f"must be {'more than' if place.get('gt') == low else 'at least'} {low}"
    return f"must be {'less than' if place.get('lt') == high else 'at most'} {high}"


def union_words(place: Place) -> tuple[str, list[str]]:
    """Return what a value of one of several types or words is, and the words among them.

    Args:
        place: A union, or a place that takes certain words only.
    """
    choices = place.choices()
    branches = list(choices.values()) if isinstance(choices, dict) else choices or [place]
    words = [str(word) for branch in branches for word in _expected(branch)]
    kinds = [_shape(branch) if words else _WORDS.get(branch.kind, "") for branch in branches if not _expected(branch)]
    kinds = list(dict.fromkeys(kind for kind in kinds if kind))
    if not words:
        return f"must be {_with_article(' or '.join(kinds) or 'value of another type')}", []
    return "must be one of: " + ", ".join([*words, *(f"or {kind}" for kind in kinds)]), words


def item_word(place: Place) -> str:
    """Return what the items of a list are called, such as `stage` for `StageDef`."""
    cls = place.child(0).cls
    if cls is None:
        return "item"
    name: str = cls.__name__
    for ending in ("Def", "Ref", "Spec", "Config"):
        name = name.removesuffix(ending)
    return name.lower()


def _expected(place: Place) -> Sequence[Any]:
    if place.kind == "literal":
        return place.get("expected")
    members: Sequence[enum.Enum] = place.get("members") or () if place.kind == "enum" else ()
    return [member.value for member in members]


def _shape(place: Place) -> str:
    """Return the form of a branch beside words, such as `{name: string}`."""
    fields = {key: _WORDS.get(inner.kind, "any") for key, inner in place.required().items()}
    if fields:
        return "{" + ", ".join(f"{key}: {kind}" for key, kind in fields.items()) + "}"
    return _with_article(_WORDS[place.kind]) if place.kind in _WORDS else ""


def _with_article(words: str) -> str:
    if words == "null":
        return words
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _bound(place: Place, closed: str, opened: str) -> Any:
    return place.get(opened) if place.get(closed) is None else place.get(closed)


def _is_open_above(place: Place) -> bool:
    high = _bound(place, "le", "lt")
    return high is None or high > _LARGEST_SPAN


def _excluded(place: Place) -> str:
    low, high = place.get("gt"), place.get("lt")
    if low is not None and high is not None:
        return "both excluded"
    return f"{low if low is not None else high:g} excluded"
