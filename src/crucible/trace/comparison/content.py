"""What events say, in a form that can be compared: keys that are equal where the content is, and differences by name.

JSON decides what is equal: 1 is 1.0 but not true, NaN is itself, the order of an object's keys means nothing, a tuple
is a list. Links are not content (`relations`), and ids are names, not content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

from msgspec import UNSET

from crucible.trace.comparison.options import NESTED_FIELDS, DiffOptions
from crucible.trace.event import Event
from crucible.trace.plain import plain

__all__ = ["Differences", "Lens", "frozen", "words_of"]

Differences = dict[str, tuple[Any, Any]]
"""Old and new value by field or path, `msgspec.UNSET` where the path is missing."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_FIELDS = (
    "type",
    "decision",
    "reasoning",
    "alternatives",
    "confidence",
    "code_section",
    "spec_reference",
    "stage_id",
    "experiment_id",
    "timestamp",
)
# Tuples, so that no string of a chain is one of them, and their repr is the same in every process.
_LIST, _OBJECT, _END, _CYCLE, _NAN = ("list",), ("object",), ("end",), ("cycle",), ("nan",)


def frozen(value: Any) -> Hashable:
    """Return a hashable that equals another's exactly where JSON would call the two values the same."""
    kind = value.__class__
    if kind is str or value is None:
        return value
    if kind is int or kind is float:
        return value if value == value else _NAN  # noqa: PLR0124  # the test for NaN
    if kind is bool:
        return ("bool", value)
    if kind is datetime:
        return value
    return _tokens(value) if isinstance(value, dict | list | tuple) else ("other", kind.__name__, frozen(plain(value)))


def _tokens(value: Any) -> tuple[Hashable, ...]:
    """Return a container as a flat run of tokens; no depth is too deep, and one that holds itself says so."""
    found: list[Hashable] = []
    around: list[int] = []  # the containers that are open
    pending: list[tuple[bool, Any]] = [(True, value)]
    while pending:
        is_value, item = pending.pop()
        if not is_value:
            found.append(item)
            if item is _END:
                around.pop()
        elif not isinstance(item, dict | list | tuple):
            found.append(frozen(item))
        elif id(cast("Any", item)) in around:
            found.append(_CYCLE)
        else:
            around.append(id(cast("Any", item)))
            pending.append((False, _END))
            if isinstance(item, dict):
                found.append(_OBJECT)
                entries = sorted(
                    ((_segment(key), inner) for key, inner in cast("dict[Any, Any]", item).items()), key=_name
                )
                for name, inner in reversed(entries):
                    pending += [(True, inner), (False, name)]
            else:
                found.append(_LIST)
                pending += [(True, inner) for inner in reversed(cast("list[Any]", item))]
    return tuple(found)


def _name(entry: tuple[str, Any]) -> str:
    return entry[0]


def _segment(key: Any) -> str:
    """Return a key as a step of a path: `.lr`, or `["a.b"]` where a dot would mislead."""
    if key.__class__ is str:
        return f".{key}" if _PLAIN_KEY.match(key) else f"[{json.dumps(key)}]"
    return f"[{plain(key)!r}]"


def words_of(value: Any) -> str:
    """Return text as it is, nothing as the empty string, anything else in words."""
    if value.__class__ is str:
        return value
    return "" if value is None else str(plain(value))


class Lens:
    """How events look under the options: what is ignored is not seen.

    Args:
        options: What to ignore.
    """

    def __init__(self, options: DiffOptions) -> None:
        self._ignores = options.ignores
        self.fields = tuple(name for name in _FIELDS if not options.ignores(name))
        self._read = attrgetter(*self.fields, "id", "id")  # never fewer than two, so that it always gives a tuple
        self.subject_fields = tuple(name for name in ("type", "decision") if name in self.fields)
        self._closed = {path for path in NESTED_FIELDS if options.ignores(path)}
        self._steps: dict[tuple[str, Any], str | None] = {}  # (path, key) -> the path below; None where it is ignored

    def key(self, event: Event) -> tuple[Hashable, ...]:
        """Return all that an event says, but its links and its id; equal where two events say the same."""
        values = [frozen(value) for value in self._read(event)[:-2]]
        entries = self.entries_of(event)
        return (*values, frozenset([(name, frozen(value)) for name, value in entries.items()]) if entries else ())

    def subject(self, event: Event) -> Hashable:
        """Return what an event is about: its type and its decision."""
        return tuple([frozen(getattr(event, name)) for name in self.subject_fields])

    def text(self, event: Event, name: str) -> str:
        """Return a text field, empty where it is ignored."""
        return words_of(getattr(event, name)) if name in self.fields else ""

    def entries_of(self, event: Event) -> dict[str, Any]:
        """Return the leaves of an event's metadata, and the keys that no version knows, by path."""
        extra: dict[str, Any] | None = getattr(event, "extra", None)
        found = self.entries("metadata", event.metadata) if event.metadata else {}
        return {**found, **self.entries("extra", extra)} if extra else found

    def entries(self, path: str, mapping: dict[str, Any]) -> dict[str, Any]:
        """Return the leaves of an object by path; lists and empty objects are leaves, ignored paths are left out."""
        found: dict[str, Any] = {}
        if path in self._closed:
            return found
        pending: list[tuple[str, Iterator[tuple[Any, Any]], int]] = [(path, iter(mapping.items()), id(mapping))]
        around = {id(mapping)}
        while pending:
            where, items, identity = pending[-1]
            for key, value in items:
                name = self._step(where, key)
                if name is None:
                    continue
                if value.__class__ is dict and value and id(value) not in around:
                    around.add(id(value))
                    pending.append((name, iter(value.items()), id(value)))
                    break
                found[name] = value
            else:
                pending.pop()
                around.discard(identity)
        return found

    def _step(self, path: str, key: Any) -> str | None:
        try:
            return self._steps[path, key]
        except KeyError:
            name = path + _segment(key)
            found = None if self._ignores(name) else name
            if key.__class__ is str:  # 1 and True are one key to a dict, but not one path
                self._steps[path, key] = found
            return found

    def differences(self, a: Event, b: Event) -> Differences:
        """Return what two events say differently, links aside, in the order of the fields."""
        found: Differences = {}
        for name in self.fields:
            old, new = getattr(a, name), getattr(b, name)
            if frozen(old) != frozen(new):
                found[name] = (old, new)
        return found | self.entry_differences(self.entries_of(a), self.entries_of(b))

    def entry_differences(self, a: dict[str, Any], b: dict[str, Any]) -> Differences:
        """Return where two sets of leaves differ."""
        found: Differences = {}
        for name in {**a, **b}:
            old, new = a.get(name, UNSET), b.get(name, UNSET)
            if old is UNSET or new is UNSET or frozen(old) != frozen(new):
                found[name] = (old, new)
        return found

    def stated(self, a: Event, b: Event) -> int:
        """Return how many fields and paths, decision, reasoning and links aside, one of two events fills in."""
        fields = [name for name in self.fields if name not in ("decision", "reasoning")]
        count = sum(getattr(a, name) not in (None, ()) or getattr(b, name) not in (None, ()) for name in fields)
        return count + len({**self.entries_of(a), **self.entries_of(b)})
