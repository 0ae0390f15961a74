r"""One text and one digest an event, whichever way it was stored.

The canonical form is UTF-8 JSON of `Event.to_dict` (unknown keys included): keys sorted by code point, no spaces,
numbers as Python's `repr` writes them, `NaN` and `Infinity` as words, all times in UTC with six decimals. Databases
cannot hold NUL or half a surrogate pair and keep them as `\x00` and `\ud800`; the canonical form writes them alike, so
that a chain read back from a database is the same. It is the one pair of differing texts that has one form.
"""

from __future__ import annotations

import hashlib
import json
import re

from crucible.errors import SpecError
from crucible.trace.event import Event

__all__ = ["canonical", "digest"]

# Python's own encoder, not a faster one: `repr` of a float has been the same for every version since 3.1, and a ledger
# outlives the libraries of the day
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_HALF_PAIR = re.compile("[\ud800-\udfff]")


def canonical(event: Event) -> bytes:
    """Return the text of an event that is hashed.

    Raises:
        SpecError: The event holds something that JSON has no word for, such as an object or a key that is no text.
    """
    data = event.to_dict()
    if data["confidence"].__class__ is int:  # files bring it back as a float
        data["confidence"] = float(data["confidence"])
    try:
        text = _encode(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(
            f"event {event.id!r} has no canonical form ({error}); seal JSON values only", code="not_json"
        ) from None
    if "\\u0000" in text:
        text = text.replace("\\u0000", "\\\\x00")
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _HALF_PAIR.sub(lambda half: f"\\\\u{ord(half[0]):04x}", text).encode()


def digest(event: Event) -> bytes:
    """Return the SHA-256 of an event's canonical form, 32 bytes.

    Raises:
        SpecError: As `canonical`.
    """
    return hashlib.sha256(canonical(event)).digest()
