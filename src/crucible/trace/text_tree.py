"""A chain as an indented tree of plain text, for people at a terminal: `to_text`.

One line an event (when, how long it took, type, decision), what led to it below. Every event is shown once, whatever
its links are: what hangs on a missing parent or on a cycle is shown, too, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from crucible.trace.chain import Chain
from crucible.trace.display import clean, duration, offset, width, wrap
from crucible.trace.event import Event
from crucible.trace.vocabulary import event_type

__all__ = ["to_text"]

_DEEPEST = 12  # levels that are indented; deeper ones stay in the last column
_LABEL = 12  # columns for `confidence` and its like
_NARROWEST = 60


def to_text(chain: Chain, *, columns: int = 100) -> str:
    r"""Return the chain as an indented tree, ending with a newline.

    Control characters, escape sequences and direction overrides inside the events are shown as `\x1b`, never sent.

    Args:
        chain: What to show.
        columns: Width of the longest line, at least 60.
    """
    columns = max(columns, _NARROWEST)
    lines = [*_heading(chain, columns), ""]
    if not len(chain):
        return "\n".join([*lines[:-1], "No events.", ""])
    layout = _Layout(chain, columns)
    for depth, event, note in _walk(chain):
        lines += layout.lines(depth, event, note)
    return "\n".join([*lines, ""])


def _heading(chain: Chain, columns: int) -> list[str]:
    numbers = chain.statistics()
    decisions = len(chain.decision_points())
    parts = [_count(numbers.total_events, "event"), _count(decisions, "decision")]
    if len(chain):
        first = min(event.timestamp for event in chain)
        parts.append(f"{duration(numbers.duration_s * 1e9)} from {first:%Y-%m-%d %H:%M:%S} UTC")
    lines = wrap(f"{clean(chain.name) or '(no name)'} · {', '.join(parts)}", columns)
    return [*lines, *(wrap(clean(chain.description), columns) if chain.description else [])]


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


class _Layout:
    """Where the columns of one chain stand."""

    def __init__(self, chain: Chain, columns: int) -> None:
        self.chain = chain
        self.columns = columns
        moments = [event.timestamp for event in chain]
        self.start, self.longest = min(moments), (max(moments) - min(moments)).total_seconds()
        self.time_columns = len(offset(self.longest, longest=self.longest))
        took = [len(_took(event)) for event in chain]
        self.took_columns = max(took)
        self.type_columns = min(22, max(width(clean(event.type)) for event in chain))

    def lines(self, depth: int, event: Event, note: str) -> list[str]:
        """Return an event's lines."""
        since = offset((event.timestamp - self.start).total_seconds(), longest=self.longest)
        cells = [since.rjust(self.time_columns)]
        if self.took_columns:
            cells.append(_took(event).rjust(self.took_columns))
        word = clean(event.type)
        cells.append(word + " " * max(0, self.type_columns - width(word)))
        left = "  ".join(cells) + "  "
        blank = " " * width(left) if width(left) <= self.columns // 2 else " " * (self.columns // 2)
        rails = "│ " * min(depth, _DEEPEST)
        room = max(20, self.columns - width(blank) - width(rails))
        body = _body(event, self.chain, note, room)
        if width(left) > width(blank):  # a type as long as a sentence gets its own line
            return [*wrap(left.rstrip(), self.columns), *(blank + rails + line for line in body)]
        return [left + rails + body[0], *(blank + rails + line for line in body[1:])]


def _took(event: Event) -> str:
    for key, nanoseconds in (("duration_ns", 1), ("duration_us", 1000)):
        value = event.metadata.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return duration(value * nanoseconds)
    return ""


def _body(event: Event, chain: Chain, note: str, room: int) -> list[str]:
    decision, reasoning = clean(event.decision) or "(no decision)", clean(event.reasoning)
    whole = f"{decision} · {reasoning}"
    known = event_type(event.type)
    is_plain = not event.alternatives and not (known and known.is_decision)
    if reasoning and is_plain and width(whole) <= room:
        decision, reasoning = whole, ""
    lines = _hanging("", decision, room, indent=0)
    for label, text in _details(event, reasoning, chain):
        lines += _hanging(label, text, room, indent=2)
    return [*lines, *_hanging("note", note, room, indent=2)] if note else lines


def _details(event: Event, reasoning: str, chain: Chain) -> Iterator[tuple[str, str]]:
    if reasoning:
        yield "why", reasoning
    if event.alternatives:
        yield "instead of", " | ".join(clean(word) for word in event.alternatives)
    if event.confidence is not None and (event.alternatives or event.confidence != 1.0):
        yield "confidence", f"{event.confidence:.2f}"
    for name in event.depends_on:
        rests_on = chain.get(name)
        yield "rests on", clean(rests_on.decision if rests_on else f"event {name}, which is not in this chain")
    if event.code_section:
        yield "code", clean(event.code_section)
    if event.spec_reference:
        yield "spec", clean(event.spec_reference)


def _hanging(label: str, text: str, room: int, *, indent: int) -> list[str]:
    head = f"{' ' * indent}{label.ljust(_LABEL)}" if label else " " * indent
    first, *others = wrap(text, room - len(head))
    return [head + first, *(" " * len(head) + line for line in others)]


def _walk(chain: Chain) -> Iterator[tuple[int, Event, str]]:
    """Yield every event once, parents before children, with its depth and a note on what is wrong with its link."""
    shown: set[int] = set()
    for root in chain:
        if root.parent_id is None or chain.get(root.parent_id) is None:
            note = "" if root.parent_id is None else f"its parent {clean(root.parent_id)} is not in this chain"
            yield from _below(chain, root, note, shown)
    for event in chain:  # what no root leads to hangs on a cycle
        if id(event) not in shown:
            yield from _below(chain, event, "its parents form a cycle", shown)


def _below(chain: Chain, root: Event, note: str, shown: set[int]) -> Iterator[tuple[int, Event, str]]:
    pending = [(0, root, note)]
    while pending:
        depth, event, remark = pending.pop()
        if id(event) in shown:
            continue
        shown.add(id(event))
        yield (max(0, depth - 1) if _closes(event, chain) else depth), event, remark
        if chain.get(event.id) is event:  # a repeated id has its children below its first bearer
            pending += [(depth + 1, child, "") for child in reversed(chain.children(event.id))]


def _closes(event: Event, chain: Chain) -> bool:
    """Whether the event ends what its parent began; the two then stand at the same depth."""
    stem, _, end = event.type.rpartition("_")
    parent = chain.get(event.parent_id) if event.parent_id else None
    return end in ("completed", "failed") and parent is not None and parent.type == f"{stem}_started"
