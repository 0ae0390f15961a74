"""A chain as a Mermaid diagram: `to_mermaid`, its kinds, and fitting it to what Mermaid takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.trace.chain import Chain
from crucible.trace.diagrams.drawing import Drawing, Excerpt
from crucible.trace.diagrams.flowchart import draw_flowchart
from crucible.trace.diagrams.graph import draw_graph
from crucible.trace.diagrams.label import quoted, shortened
from crucible.trace.diagrams.options import MermaidOptions
from crucible.trace.diagrams.sequence import draw_sequence
from crucible.trace.diagrams.timeline import draw_timeline

__all__ = ["MERMAID_KINDS", "to_mermaid"]

_DRAW: Mapping[str, Callable[[Excerpt], Drawing]] = {
    "flowchart": draw_flowchart,
    "sequence": draw_sequence,
    "timeline": draw_timeline,
    "graph": draw_graph,
}
MERMAID_KINDS = tuple(_DRAW)
"""The kinds of diagram that `to_mermaid` draws."""

_TITLE_LENGTH = 100


def to_mermaid(chain: Chain, kind: str = "flowchart", options: MermaidOptions | None = None) -> str:
    """Return the chain as a Mermaid diagram, ending with a newline.

    Whatever an event says is drawn as text, be it quotes, mark-up or statements of Mermaid's own. The heading of a
    flowchart or graph is front matter, which Mermaid reads since version 10; in it `<`, `>` and `&` are full-width.

    Args:
        chain: What to draw; missing parents, cycles, repeated ids and unknown types are drawn, too.
        kind: `flowchart`: the events in order, with what was not chosen. `sequence`: messages between stages.
            `timeline`: by time. `graph`: parents and dependencies.
        options: None is `MermaidOptions()`.

    Raises:
        SpecError: The kind is unknown.
    """
    draw = _DRAW.get(kind)
    if draw is None:
        known = ", ".join(MERMAID_KINDS)
        raise SpecError(
            f"unknown kind of diagram {kind!r}, expected one of {known}{did_you_mean(kind, MERMAID_KINDS)}",
            path="kind",
            code="unknown_kind",
        )
    options = options or MermaidOptions()
    title = chain.name if options.title is None else options.title
    title = shortened(title, _TITLE_LENGTH) if title.strip() else ""
    is_quoted = kind in ("flowchart", "graph")
    heading = f"---\ntitle: {quoted(title)}\n---\n" if title and is_quoted else ""
    length = options.label_length(40 if kind == "timeline" else 60)
    places: dict[str, int] = {}
    for place, event in enumerate(chain):
        places.setdefault(event.id, place)
    events = chain.events[: options.max_events]
    while True:
        excerpt = Excerpt(events, places, len(chain) - len(events), options, length, title, is_quoted)
        drawing = draw(excerpt)
        text = heading + "\n".join(drawing.lines) + "\n"
        excess = max(_length(text) / options.max_text_length, drawing.edges / options.max_edges)
        if excess <= 1 or not events:
            return text
        events = events[: min(len(events) - 1, int(len(events) / excess))]


def _length(text: str) -> int:
    """Return the length as JavaScript counts it: UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
