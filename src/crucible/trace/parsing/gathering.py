"""Values by their keys where a key may be given several times: then all values are kept, in a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["Gathering", "gathered"]


class Gathering:
    """Keys and all values that they are given, in order."""

    def __init__(self) -> None:
        self._values: dict[str, list[Any]] = {}

    def add(self, key: str, value: Any) -> None:
        """Add a value; those that the key has are kept."""
        self._values.setdefault(key, []).append(value)

    def add_all(self, entries: Iterable[tuple[str, Any]]) -> None:
        """Add several."""
        for key, value in entries:
            self.add(key, value)

    def entries(self) -> Iterator[tuple[str, Any]]:
        """Yield every key with each of its values."""
        return ((key, value) for key, values in self._values.items() for value in values)

    def result(self) -> dict[str, Any]:
        """Return each key with its value, or with a list of its values if it was given more than one."""
        return {key: values[0] if len(values) == 1 else values for key, values in self._values.items()}


def gathered(entries: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return pairs as a dict in which a key that is given several times has a list of its values."""
    gathering = Gathering()
    gathering.add_all(entries)
    return gathering.result()
