"""The fields that a query may name, what kind of value each holds, and which operators that kind has.

Every list of names that a query meets is here; the parser, the predicates, `aggregate_by` and the SQL read it.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.trace.event import Event
from crucible.trace.queries.paths import Keys, format_keys, lookup, read_keys
from crucible.trace.queries.values import SCALARS, nearest
from crucible.trace.vocabulary import look_of

__all__ = ["BOUNDS", "CONTENT", "OPERATORS", "Field", "Getter", "Kind", "read_field"]

Getter: TypeAlias = Callable[[Event], Any]


class Kind(enum.Enum):
    """What a field holds."""

    TEXT = "text"
    TYPE = "an event type"
    CATEGORY = "a category of event types"
    NUMBER = "a number"
    MOMENT = "a time"
    WORDS = "a list of text"
    OBJECT = "an object"
    VALUE = "a JSON value"
    CONTENT = "the decision and the reasoning"


CONTENT = "content"
BOUNDS = {"since": "gte", "until": "lte"}  # spellings of a test of `timestamp`

_KINDS: Mapping[str, Kind] = {
    "id": Kind.TEXT,
    "timestamp": Kind.MOMENT,
    "type": Kind.TYPE,
    "decision": Kind.TEXT,
    "reasoning": Kind.TEXT,
    "alternatives": Kind.WORDS,
    "confidence": Kind.NUMBER,
    "code_section": Kind.TEXT,
    "spec_reference": Kind.TEXT,
    "metadata": Kind.OBJECT,
    "parent_id": Kind.TEXT,
    "depends_on": Kind.WORDS,
    "stage_id": Kind.TEXT,
    "experiment_id": Kind.TEXT,
    CONTENT: Kind.CONTENT,
    "category": Kind.CATEGORY,
}

_EQUALITY = ("eq", "ne", "in", "exists")
_ORDER = ("gte", "gt", "lte", "lt")
_PARTS = ("contains", "starts_with", "matches")

OPERATORS: Mapping[Kind, tuple[str, ...]] = {
    Kind.TEXT: (*_EQUALITY, *_ORDER, *_PARTS),
    Kind.TYPE: (*_EQUALITY, *_PARTS),
    Kind.CATEGORY: (*_EQUALITY, *_PARTS),
    Kind.NUMBER: (*_EQUALITY, *_ORDER),
    Kind.MOMENT: (*_EQUALITY, *_ORDER),
    Kind.WORDS: (*_EQUALITY, *_PARTS),
    Kind.OBJECT: ("eq", "ne", "exists"),
    Kind.VALUE: (*_EQUALITY, *_ORDER, *_PARTS),
    Kind.CONTENT: _PARTS,
}


class Field(msgspec.Struct, frozen=True):
    """A field of an event, or something inside its metadata.

    Args:
        name: Its one spelling.
        kind: What it holds.
        keys: Where in the metadata; empty for a field.
    """

    name: str
    kind: Kind
    keys: Keys = ()

    def getter(self) -> Getter:
        """Return a function that takes the field's value out of an event, as JSON has it; None where there is none.

        Raises:
            ValueError: The field is `content`, which is two values.
        """
        if self.kind is Kind.CONTENT:
            raise ValueError("content is the decision and the reasoning, not one value")
        if self.kind is Kind.CATEGORY:
            return _category_of()
        if not self.keys:
            return _plain_getter(self.name, self.kind)
        keys = self.keys
        if len(keys) == 1 and isinstance(keys[0], str):
            return _key_getter(keys[0])
        return lambda event: nearest(lookup(event.metadata, keys))


def _plain_getter(name: str, kind: Kind) -> Getter:
    get = operator.attrgetter(name)
    if kind is Kind.MOMENT:
        return get
    usual = {Kind.NUMBER: float, Kind.WORDS: tuple}.get(kind, str)

    def field(event: Event) -> Any:
        value = get(event)
        return value if value is None or (value.__class__ is usual and usual is not tuple) else nearest(value)

    return field


def _key_getter(key: str) -> Getter:
    def field(event: Event) -> Any:
        value = event.metadata.get(key)
        if value is None:
            for other in event.metadata:
                if other.__class__ is not str:  # it may read like the key
                    return nearest(lookup(event.metadata, (key,)))
            return None
        return value if value.__class__ in SCALARS else nearest(value)

    return field


def _category_of() -> Getter:
    known: dict[str, str] = {}  # the few types of a chain

    def category(event: Event) -> str:
        word: Any = event.type
        if not isinstance(word, str):
            return "other"
        name = known.get(word)
        if name is None:
            name = known[word] = look_of(word).category
        return name

    return category


def read_field(name: str) -> Field:
    """Return the field of a name or metadata path.

    Args:
        name: Such as `confidence`, `content`, `category`, `metadata.loss` or `metadata["a.b"][0]`.

    Raises:
        SpecError: There is no such field, or the path cannot be read.
    """
    kind = _KINDS.get(name)
    if kind is not None:
        return Field(name, kind)
    if name.startswith(("metadata.", "metadata[")):
        keys = read_keys(name)
        return Field(format_keys(keys), Kind.VALUE, keys)
    known = [*_KINDS, *BOUNDS, "and", "or", "not", "metadata.KEY"]
    hint = did_you_mean(name[:80], known)
    raise SpecError(
        f"unknown field {name[:80]!r}{hint or '; known are ' + ', '.join(known)}",
        code="unknown_key",
    )
