"""Colours by event type, as Mermaid classes."""

from __future__ import annotations

import re

from crucible.trace.diagrams.options import MermaidOptions
from crucible.trace.vocabulary import event_type, look_of

__all__ = ["Classes"]

# With an underscore, so that no word of Mermaid's (`default`, `end`, `style`) is taken for a class.
_SAFE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+\Z")


class Classes:
    """The classes that one diagram uses; none where colours are not wanted.

    Args:
        options: Says whether they are.
    """

    def __init__(self, options: MermaidOptions) -> None:
        self._is_used = options.color_by_type
        self._names: dict[str, str] = {}
        self._lines: dict[str, str] = {}

    def of_type(self, word: str) -> str:
        """Return what gives a node the colours of a type, such as `:::decision_made`; empty where not wanted."""
        if not self._is_used:
            return ""
        known = event_type(word)
        word = known.name if known else word
        name = self._names.get(word)
        if name is None:
            name = (
                word
                if known and _SAFE.match(word)
                else f"other_{sum(each.startswith('other_') for each in self._lines)}"
            )
            self._names[word] = name
            look = look_of(word)
            self._lines[name] = f"fill:{look.fill},stroke:{look.color},stroke-width:2px,color:#1a1a1a"
        return f":::{name}"

    def dashed(self) -> str:
        """Return what draws a node dashed, as what is not there or was not chosen; empty where not wanted."""
        if not self._is_used:
            return ""
        self._lines["not_taken"] = "fill:#ffffff,stroke:#78909c,stroke-dasharray:4 3,color:#455a64"
        return ":::not_taken"

    def lines(self) -> list[str]:
        """Return the definitions of all classes in use."""
        return [f"  classDef {name} {look}" for name, look in self._lines.items()]
