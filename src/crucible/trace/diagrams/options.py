"""How to draw a chain: `MermaidOptions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from crucible.errors import SpecError

__all__ = ["MermaidOptions"]

_RANGES: Mapping[str, tuple[int, int | None]] = {
    "max_label_length": (8, 500),
    "max_events": (1, 100_000),
    "max_text_length": (1_000, None),
    "max_edges": (1, None),
}


class MermaidOptions(msgspec.Struct, frozen=True):
    """How to draw a chain with Mermaid.

    Mermaid draws nothing but an error where a diagram is longer than its `maxTextSize` or has more than its `maxEdges`
    arrows, and takes neither setting from a diagram. So that a picture always appears, the last events are left out
    until it fits, and a node or note says how many.

    Args:
        include_confidence: Write a stated confidence behind the decision, such as `(0.85)`; in `sequence` into a note.
        color_by_type: Colour nodes by event type; where False, the diagram defines no classes.
        max_label_length: Characters of a decision, an alternative or a name, from 8 to 500; None is 60, and 40 in
            `timeline`.
        show_alternatives: Draw what was not chosen: dashed nodes in `flowchart`, notes in `sequence`. The other two
            kinds show none.
        title: Heading; None is the chain's name, an empty one is left out.
        max_events: Events to draw, at least 1; the first ones of the chain.
        max_text_length: Characters of the diagram, at least 1,000. Mermaid's own limit by default: to raise it, raise
            `maxTextSize` in `mermaid.initialize`, too.
        max_edges: Arrows of the diagram, at least 1. Mermaid's own limit by default; its setting is `maxEdges`.

    Raises:
        SpecError: A number is out of its range.
    """

    include_confidence: bool = True
    color_by_type: bool = True
    max_label_length: int | None = None
    show_alternatives: bool = True
    title: str | None = None
    max_events: int = 400
    max_text_length: int = 50_000
    max_edges: int = 500

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value: Any = getattr(self, name)
            if value is None and name == "max_label_length":
                continue
            if type(value) is not int or not least <= value <= (value if most is None else most):
                wanted = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"
                raise SpecError(f"{name} must be {wanted}, got {value!r}", path=name, code="range")

    def label_length(self, usual: int = 60) -> int:
        """Return the characters of a label; `usual` where none are set."""
        return usual if self.max_label_length is None else self.max_label_length
