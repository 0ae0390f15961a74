"""The hash of items: the same for the same ids, inputs, answers and metadata, wherever they came from."""

from __future__ import annotations

import hashlib

import msgspec

from crucible.data.items import Item
from crucible.errors import DataError

__all__ = ["ItemHash"]


class ItemHash:
    """A SHA-256 that items are added to, one at a time and in order.

    Args:
        name: Whose items they are, for the message.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._digest = hashlib.sha256()
        self._encoder = msgspec.json.Encoder(order="deterministic")

    def add(self, item: Item) -> None:
        """Add one item.

        Raises:
            DataError: Its metadata holds what JSON cannot.
        """
        try:
            self._digest.update(self._encoder.encode(item) + b"\n")
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f'{self._name}: the metadata of item "{item.id}" is no JSON: {error}') from error

    def hexdigest(self) -> str:
        """Return the hex digest of what was added."""
        return self._digest.hexdigest()
