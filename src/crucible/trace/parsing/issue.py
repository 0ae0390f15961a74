"""What the parser remarks on: the `ParseIssue`, its kinds, and the list that collects them.

Every issue has a place in the text, and each kind one severity: an error has cost something or makes the event
incomplete, a warning says what was made of an unusual spelling.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Literal

import msgspec

__all__ = ["KINDS", "Kind", "ParseIssue", "Reports", "Severity", "shown"]

Severity = Literal["warning", "error"]
Kind = Literal[
    "truncated",
    "unclosed_tag",
    "stray_tag",
    "missing_type",
    "unknown_type",
    "missing_decision",
    "missing_reasoning",
    "bad_confidence",
    "bad_timestamp",
    "bad_metadata",
    "duplicate_id",
    "dangling_reference",
    "repeated_field",
    "unknown_field",
    "loose_text",
    "hidden_event",
]

KINDS: Mapping[Kind, tuple[Severity, str]] = {
    "truncated": ("error", "The text ends before the tag does; what was there is kept."),
    "unclosed_tag": ("error", "A tag is not closed before the next one begins."),
    "stray_tag": ("error", "A closing tag closes nothing."),
    "missing_type": ("error", "An event names no type; it is kept as `untyped`."),
    "unknown_type": ("warning", "The registry does not know the type; it is kept as written."),
    "missing_decision": ("error", "An event says no decision."),
    "missing_reasoning": ("error", "An event gives no reason."),
    "bad_confidence": ("warning", "A confidence was stated that is no number from 0 to 1; it is None."),
    "bad_timestamp": ("warning", "A time was stated that is not ISO-8601; the event has the time of parsing."),
    "bad_metadata": ("warning", "Metadata is neither a JSON object nor tags; it is kept as text."),
    "duplicate_id": ("error", "Two events have the same id."),
    "dangling_reference": ("error", "A parent or dependency is none of the text's events; it is kept."),
    "repeated_field": ("warning", "A field is given twice with different contents; the first, tags before attributes."),
    "unknown_field": ("warning", "An attribute or tag is no field of an event; it is kept in the metadata."),
    "loose_text": ("warning", "Text stands in an event outside every tag."),
    "hidden_event": (
        "warning",
        "An event tag in code, CDATA or a comment, or one misspelled, is not taken for an event.",
    ),
}
"""Every kind of issue: its severity and its meaning."""


class ParseIssue(msgspec.Struct, frozen=True):
    """One remark on a text, with its place.

    Args:
        kind: One of `KINDS`.
        message: What stands there and what was made of it, in one sentence.
        line: Counted from 1.
        column: In characters, counted from 1.
        offset: In characters from the beginning of the text, counted from 0.
        event_index: The event's place in `Parsed.events`; None where it concerns no event.
        severity: `error` or `warning`, as `KINDS` has it.
    """

    kind: Kind
    message: str
    line: int
    column: int
    offset: int
    event_index: int | None
    severity: Severity


class Reports:
    """The issues of one text, in any order until they are asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[tuple[int, Kind, str, object]] = []

    def add(self, kind: Kind, offset: int, message: str, owner: object = None) -> None:
        """Add an issue.

        Args:
            kind: One of `KINDS`.
            offset: Where, in characters from 0.
            message: One sentence without a full stop.
            owner: The part of the outline that becomes the event concerned.
        """
        self._found.append((offset, kind, message, owner))

    def issues(self, places: Mapping[int, int]) -> list[ParseIssue]:
        """Return the issues by their place in the text.

        Args:
            places: The event's place by the `id()` of its owner.
        """
        starts = [0, *(place + 1 for place, letter in enumerate(self._text) if letter == "\n")] if self._found else []
        found: list[ParseIssue] = []
        for offset, kind, message, owner in sorted(self._found, key=lambda entry: entry[0]):
            line = bisect_right(starts, offset)
            column = offset - starts[line - 1] + 1
            found.append(ParseIssue(kind, message, line, column, offset, places.get(id(owner)), KINDS[kind][0]))
        return found


def shown(text: str, limit: int = 60) -> str:
    """Return text quoted for a message, on one line, shortened to about `limit` characters."""
    return repr(text if len(text) <= limit else f"{text[: limit - 1]}…")
