"""Ids of imported events: the same at every reading, so that importing twice does not double them."""

from __future__ import annotations

import hashlib

__all__ = ["event_id"]


def event_id(*parts: str | int) -> str:
    """Return 16 hex digits that these parts always give."""
    text = "\0".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()
