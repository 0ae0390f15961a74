"""The fields of an event as they may be spelled, in tags and attributes alike, and the patterns that find their tags.

Case, hyphens and underscores do not matter (`spec-reference`, `specReference`); anything else does: `data-type` is not
`type`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

__all__ = [
    "CLOSING",
    "COMMENT_END",
    "EVENT_CLOSE",
    "EVENT_EDGE",
    "EVENT_OPEN",
    "FIELD_TAG",
    "OPENING",
    "field_of",
    "near",
]

_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "type": ("type", "event_type"),
    "id": ("id", "event_id"),
    "timestamp": ("timestamp",),
    "decision": ("decision",),
    "alternatives": ("alternatives", "alternatives_considered"),
    "alternative": ("alternative",),
    "reasoning": ("reasoning", "rationale", "reason"),
    "confidence": ("confidence",),
    "code_section": ("code_section",),
    "spec_reference": ("spec_reference", "spec_ref"),
    "parent_id": ("parent_id", "parent", "parent_event"),
    "depends_on": ("depends_on", "dependencies", "dependency"),
    "stage_id": ("stage_id", "stage"),
    "experiment_id": ("experiment_id", "experiment"),
    "metadata": ("metadata",),
}
_FIELDS = {word.replace("_", ""): name for name, words in _SPELLINGS.items() for word in words}
_END = r"(?![A-Za-z0-9_.:-])"


def field_of(written: str) -> str | None:
    """Return the field that a tag or attribute names; None if it names none."""
    return _FIELDS.get(written.lower().replace("_", "").replace("-", ""))


def near(written: str) -> str | None:
    """Return the field that a misspelled word may mean; None if it is like none."""
    if len(written) > 40:
        return None
    known = [word for words in _SPELLINGS.values() for word in words]
    close = difflib.get_close_matches(written.lower().replace("-", "_"), known, n=1, cutoff=0.75)
    return field_of(close[0]) if close else None


def _any_of(words: tuple[str, ...]) -> str:
    return "|".join(word.replace("_", "[_-]?") for word in words)


def _tag(slash: str, names: str) -> re.Pattern[str]:
    return re.compile(rf"<{slash}(?:{names}){_END}", re.IGNORECASE | re.ASCII)


OPENING = {name: _tag("", _any_of(words)) for name, words in _SPELLINGS.items()} | {"code": _tag("", "code")}
CLOSING = {name: _tag(r"/\s*", _any_of(words)) for name, words in _SPELLINGS.items()} | {"code": _tag(r"/\s*", "code")}
EVENT_OPEN = _tag("", "event")
EVENT_CLOSE = _tag(r"/\s*", "event")
EVENT_EDGE = _tag(r"(?:/\s*)?", "event")
FIELD_TAG = _tag(r"(?:/\s*)?", "|".join(["event", *(_any_of(words) for words in _SPELLINGS.values())]))
"""A tag of an event or of a field: where one begins, an open quotation mark has ended."""
COMMENT_END = re.compile("-->")
