"""Documents of older versions: plain data is brought up step by step before anything is checked.

A field that is renamed, moved or means something else takes a new `SCHEMA_VERSION` and a step from the version before;
a new field with a default takes neither. A changed default takes a step that writes the old one down.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crucible.errors import SpecError, SpecErrors

__all__ = ["EXPERIMENT_STEPS", "SCHEMA_VERSION", "Migrations", "Step"]

Step = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes the plain data of one version and returns that of the next; the data is its own, and nobody has checked it."""

SCHEMA_VERSION = 1
"""Version of the experiment document that is written; older ones are migrated when they are read."""

_FIRST = 1


@dataclass(frozen=True)
class Migrations:
    """The way of a document from any older version to the current one.

    Args:
        current: Version that is read and written now.
        steps: Step from each older version to the next, by the older one.
    """

    current: int = SCHEMA_VERSION
    steps: Mapping[int, Step] = field(default_factory=dict[int, Step])

    def version_of(self, data: Mapping[str, Any]) -> Any:
        """Return what a document says its version is; without a word it is the first, as the predecessor's are."""
        found = data.get("schema_version")
        return _FIRST if found is None else found

    def is_current(self, data: Mapping[str, Any]) -> bool:
        """Tell whether a document needs no step."""
        version = self.version_of(data)
        return version == self.current and version is not True  # which Python holds equal to 1

    def apply(self, data: Mapping[str, Any], *, source: str) -> Mapping[str, Any]:
        """Return the data as the current version says it; the data itself if there is nothing to do.

        Args:
            data: A document of any version, as plain data; it is not changed.
            source: What is being read, for the message.

        Raises:
            SpecErrors: The version is newer than the current one or there never was one, or a step fails.
        """
        version = self.version_of(data)
        if isinstance(version, bool):
            raise _problem(source, "must be an integer, got a boolean")
        if version == self.current or not isinstance(version, int):
            return data  # what is no version at all is told with the document's other problems
        if version > self.current:
            message = (
                f"is {version}, and this Crucible reads versions up to {self.current}; "
                "install the version that wrote the document, or a later one: pip install --upgrade crucible-ml"
            )
            raise _problem(source, message)
        if version < _FIRST:
            known = str(_FIRST) if self.current == _FIRST else f"between {_FIRST} and {self.current}"
            raise _problem(source, f"must be {known}, got {version}")
        moved = copy.deepcopy(dict(data))
        for before in range(version, self.current):
            try:
                moved = self.steps[before](moved)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                message = f"cannot be brought from {before} to {before + 1} ({type(error).__name__}: {error})"
                raise _problem(source, message) from error
            moved["schema_version"] = before + 1
        return moved


def _problem(source: str, message: str) -> SpecErrors:
    return SpecErrors(source, [SpecError(message, path="schema_version", code="version")])


EXPERIMENT_STEPS: dict[int, Step] = {}
"""Steps of the experiment document, by the version that they start from. There is one version so far."""
