"""The graph: how the events really hang together, by parent and by dependency, grouped by stage."""

from __future__ import annotations

from collections.abc import Iterator

from crucible.trace.diagrams.classes import Classes
from crucible.trace.diagrams.drawing import Drawing, Excerpt
from crucible.trace.diagrams.flowchart import node
from crucible.trace.diagrams.label import shortened

__all__ = ["draw_graph"]

_SHOWN_LINKS = 24  # dependencies of one event; Mermaid takes 500 arrows in all


def draw_graph(excerpt: Excerpt) -> Drawing:
    """Draw parents (solid) and dependencies (dotted, `basis for`); arrows lead from cause to effect.

    Nodes are named by their place, so ids never collide. A link to an event that is not in the chain leads from a
    dashed node that names it, one to an event that is left out from the node that counts those.
    """
    classes = Classes(excerpt.options)
    stages: dict[str | None, list[str]] = {None: []}
    for place, event in enumerate(excerpt.events):
        line = f"{node(f'N{place}', event, excerpt)}{classes.of_type(event.type)}"
        stages.setdefault(event.stage_id, []).append(line)
    lines = ["graph TD", *(f"  {line}" for line in stages.pop(None))]
    for number, (stage, members) in enumerate(stages.items()):
        title = excerpt.label(stage or "")
        lines += [f'  subgraph S{number}["{title}"]', *(f"    {line}" for line in members), "  end"]
    links = _Links(excerpt)
    lines += [f'  {name}["{words}"]{classes.dashed()}' for name, words in links.strangers()]
    if not excerpt.events and not excerpt.left_out:
        lines.append('  None["No events"]')
    return Drawing([*lines, *links.edges, *classes.lines()], len(links.edges))


class _Links:
    """The arrows of an excerpt, and the nodes at which those begin that come from no event in it."""

    def __init__(self, excerpt: Excerpt) -> None:
        self._excerpt = excerpt
        self._missing: dict[str, str] = {}
        self._many: dict[str, int] = {}
        edges: dict[str, None] = {}
        for place, event in enumerate(excerpt.events):
            if event.parent_id is not None:
                edges[f"  {self._source(event.parent_id)} --> N{place}"] = None
            rests_on = list(dict.fromkeys(event.depends_on))
            sources = [self._source(event_id) for event_id in rests_on[:_SHOWN_LINKS]]
            if len(rests_on) > _SHOWN_LINKS:
                self._many[f"D{place}"] = len(rests_on) - _SHOWN_LINKS
                sources.append(f"D{place}")
            edges |= {f'  {source} -. "basis for" .-> N{place}': None for source in sources}
        self.edges = list(edges)

    def _source(self, event_id: str) -> str:
        place = self._excerpt.places.get(event_id)
        if place is None:
            return self._missing.setdefault(event_id, f"M{len(self._missing)}")
        return f"N{place}" if place < len(self._excerpt.events) else "More"

    def strangers(self) -> Iterator[tuple[str, str]]:
        """Yield the names of those nodes, and their encoded words."""
        for event_id, name in self._missing.items():
            yield name, self._excerpt.encoded(f"missing: {shortened(event_id, self._excerpt.length)}")
        for name, count in self._many.items():
            yield name, f"{count} more event{'s' if count != 1 else ''}"
        if more := self._excerpt.more():
            yield "More", more
