"""The open registry of event types: name, category, meaning, aliases, short code, colours.

A type that is not here still loads and is kept as written; only `Event.validate` remarks on it. Whatever needs the
list of types (validation, parser, prompt, viewer, diagrams) reads it here; what it starts with is in `standard_types`.
"""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Iterable

import msgspec

from crucible.errors import SpecError
from crucible.trace.standard_types import COLORS, STANDARD, UNKNOWN_COLORS

__all__ = [
    "EventType",
    "canonical_type",
    "event_type",
    "event_types",
    "look_of",
    "register_event_type",
    "title_of",
    "unknown_type_message",
]


class EventType(msgspec.Struct, frozen=True):
    """What the registry knows of a type of event.

    Args:
        name: Lower case with underscores, such as `hypothesis_formed`.
        category: Group, such as `reasoning` or `training`.
        meaning: When to use it, in one sentence.
        is_decision: Whether an event of this type is a decision point even when it lists no alternatives.
        aliases: Other spellings of the name.
        code: Two to six capitals or digits that no other type has, for narrow places, such as `HYP`.
        color: `#rrggbb`, for lines and text; dark enough to be read on `fill` and on white.
        fill: `#rrggbb`, for surfaces; light.
    """

    name: str
    category: str
    meaning: str
    is_decision: bool = False
    aliases: tuple[str, ...] = ()
    code: str = ""
    color: str = ""
    fill: str = ""


_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_CODE = re.compile(r"[A-Z][A-Z0-9]{1,5}\Z")
_COLOR = re.compile(r"#[0-9a-f]{6}\Z")
_lock = threading.Lock()
_types: dict[str, EventType] = {}  # replaced whole on change, so that readers need no lock
_canonical: dict[str, str] = {}  # alias -> name


def register_event_type(
    name: str,
    *,
    category: str,
    meaning: str,
    is_decision: bool = False,
    aliases: Iterable[str] = (),
    code: str | None = None,
    color: str | None = None,
    fill: str | None = None,
) -> EventType:
    """Add a type; registering the same again changes nothing.

    Args:
        name: Lower case letters, digits and underscores, starting with a letter.
        category: Group; a new word makes a new group.
        meaning: When to use it, in one sentence.
        is_decision: Whether events of this type count as decision points.
        aliases: Other spellings, which `Event.new` turns into `name`.
        code: Two to six capitals or digits; None makes one from the name.
        color: `#rrggbb` in lower case, for lines and text; None is the category's.
        fill: `#rrggbb` in lower case, for surfaces; None is the category's.

    Raises:
        SpecError: A name, code or colour is malformed, or already stands for something else; or `aliases` is one
            word instead of a list.
    """
    if isinstance(aliases, str):
        raise SpecError(f"aliases must be a list of words, such as [{aliases!r}], got {aliases!r}", code="type")
    own_color, own_fill = COLORS.get(category, UNKNOWN_COLORS)
    global _types, _canonical  # noqa: PLW0603  # copy on write: readers need no lock
    with _lock:
        entry = EventType(
            name,
            category,
            meaning,
            is_decision,
            tuple(aliases),
            code or _code(name),
            color or own_color,
            fill or own_fill,
        )
        if (known := _types.get(name)) is not None and _same(known, entry, is_coded=code is not None):
            return known
        _refuse_malformed(entry)
        for word in (name, *entry.aliases):
            if word in _types or word in _canonical:
                raise SpecError(f"event type {word!r} is already registered; choose another name", code="duplicate")
        if taken := [each.name for each in _types.values() if each.code == entry.code]:
            raise SpecError(f"the code {entry.code!r} already stands for {taken[0]}; give another", code="duplicate")
        _types = {**_types, name: entry}
        _canonical = {**_canonical, **dict.fromkeys(entry.aliases, name)}
    return entry


def _same(known: EventType, entry: EventType, *, is_coded: bool) -> bool:
    """Whether the same type is registered again; a code that was made up does not count."""
    return known == (entry if is_coded else msgspec.structs.replace(entry, code=known.code))


def _code(name: str) -> str:
    """Make a code that no type has, from the initials of the words, or from the first letters, then with a number."""
    words = [word for word in name.upper().split("_") if word]
    initials = "".join(word[0] for word in words)[:4]
    letters = "".join(words)[:3].ljust(2, "X")
    taken = {each.code for each in _types.values()}
    candidates = [letters, initials.ljust(2, "X"), *(f"{letters[:3]}{number}" for number in range(2, 1000))]
    return next(code for code in candidates if code not in taken)


def _refuse_malformed(entry: EventType) -> None:
    for word in (entry.name, *entry.aliases):
        if not _NAME.match(word):
            raise SpecError(f"event type {word!r} must be lower case letters, digits and underscores", code="name")
    if not _CODE.match(entry.code):
        raise SpecError(f"the code {entry.code!r} must be two to six capitals or digits, such as 'HYP'", code="code")
    for color in (entry.color, entry.fill):
        if not _COLOR.match(color):
            raise SpecError(f"the colour {color!r} must be #rrggbb in lower case, such as '#2e7d32'", code="color")


def event_type(name: str) -> EventType | None:
    """Return what is known of a type, by name or alias; None for an unknown one."""
    return _types.get(_canonical.get(name, name))


def event_types(category: str | None = None) -> tuple[EventType, ...]:
    """Return the registered types in order of registration, of one category or all."""
    return tuple(entry for entry in _types.values() if category is None or entry.category == category)


def canonical_type(name: str) -> str:
    """Return the name that an alias stands for; any other word comes back unchanged."""
    return _canonical.get(name, name)


def look_of(name: str) -> EventType:
    """Return how to show a type, an unknown one, too: that has the category `other`, the code `EVT` and is grey."""
    known = event_type(name)
    color, fill = UNKNOWN_COLORS
    return known or EventType(name, "other", "A type that is not registered.", code="EVT", color=color, fill=fill)


def title_of(name: str) -> str:
    """Return a type as a heading: `hypothesis_formed` becomes `Hypothesis formed`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def unknown_type_message(name: str) -> str:
    """Say that a type is unknown, which one may have been meant, and what to do."""
    close = difflib.get_close_matches(name, [*_types, *_canonical], n=1)
    hint = f'; did you mean "{canonical_type(close[0])}"?' if close else ""
    return f"unknown event type {name!r}{hint or '; register it with register_event_type'}"


for _entry in STANDARD:
    register_event_type(
        _entry.name,
        category=_entry.category,
        meaning=_entry.meaning,
        is_decision=_entry.is_decision,
        aliases=_entry.aliases,
        code=_entry.code,
        color=_entry.color,
        fill=_entry.fill,
    )
