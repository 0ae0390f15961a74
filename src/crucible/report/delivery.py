"""A rendered report on its way to a sink: its text, its name, and what a file of it is called."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crucible.report.rendering import EXTENSIONS, MEDIA_TYPES, Format

__all__ = ["DEFAULT_NAME", "Delivery", "numbered", "stem"]

DEFAULT_NAME = "report"
"""Name of the output of an experiment that names none."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One report in one format.

    Args:
        name: The output's name.
        format: Its format.
        text: The report.
    """

    name: str
    format: Format
    text: str

    @property
    def content(self) -> bytes:
        """The report in UTF-8."""
        return self.text.encode()

    @property
    def stem(self) -> str:
        """What stands for the output's name in the name of a file."""
        return stem(self.name)

    @property
    def extension(self) -> str:
        """Ending of a file of this format, without the dot."""
        return EXTENSIONS[self.format]

    @property
    def media_type(self) -> str:
        """Media type of this format."""
        return MEDIA_TYPES[self.format]

    def record(self, sink: str, **where: Any) -> dict[str, Any]:
        """Return the entry among the run's outputs: what was handed out, and where it lies."""
        return {"name": self.name, "format": self.format, "sink": sink, **where}

    def digest(self) -> dict[str, Any]:
        """Return SHA-256 and size, for the entry of a report that is no file of the run."""
        return {"sha256": hashlib.sha256(self.content).hexdigest(), "size_bytes": len(self.content)}


def stem(name: str) -> str:
    """Return the part of a file name that stands for `name`: letters, digits, `.`, `_` and `-`, 80 at most."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-_").lower()[:80]


def numbered(name: str) -> Iterator[str]:
    """Yield `name`, `name-2`, `name-3` and so on."""
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
