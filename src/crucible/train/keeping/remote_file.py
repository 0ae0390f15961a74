"""A file of a remote place as its file system describes it, and the place's address as messages show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from crucible.errors import StoreError

__all__ = ["RemoteFile", "changed_at", "shown_url"]


class RemoteFile(msgspec.Struct, frozen=True):
    """A file as its place lists it.

    Args:
        path: Below the place, such as `step-000080/manifest.json`.
        size_bytes: Its size.
        changed_at: When it was last written, in seconds since 1970; None where the place does not say.
    """

    path: str
    size_bytes: int
    changed_at: float | None


def shown_url(url: str) -> str:
    """Return a URL for messages, without user name and password.

    Raises:
        StoreError: It is none.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise StoreError(f"{url[:80]!r} is no address of checkpoints: {error}") from error
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def changed_at(info: Mapping[str, Any]) -> float | None:
    """Return when a file was last written, in seconds since 1970, as fsspec's file systems say it; None if not."""
    for key in ("LastModified", "mtime", "last_modified", "created"):
        found = info.get(key)
        if isinstance(found, datetime):
            return found.timestamp()
        if isinstance(found, (int, float)):
            return float(found)
    return None
