"""A diff as plain text, for people at a terminal.

`+` is only in the second chain, `-` only in the first, `~` in both but changed, `>` in another order. Where the chains
part, `first:` and `second:` say what stands there in either. A place reads `[3]`, as in `chain[3]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from crucible.trace.comparison.content import words_of
from crucible.trace.comparison.findings import (
    ChangedEvent,
    ConfidenceDelta,
    Divergence,
    Findings,
    LinkEnd,
    MovedEvent,
    PlacedEvent,
    RelationChange,
    Side,
)
from crucible.trace.comparison.naming import side_names
from crucible.trace.comparison.wording import percent, signed, value_text
from crucible.trace.display import clean, wrap
from crucible.trace.event import Event

__all__ = ["link_text", "to_text"]

_COLUMNS = 100


def to_text(diff: Findings, *, limit: int | None = None) -> str:
    """Return a diff as lines of text, ending with a newline.

    Args:
        diff: What to show.
        limit: The most entries of a section; None shows all. `Diff.to_text` says what it cuts.
    """
    names = side_names(diff)
    lines = [
        *wrap(f"{names[0]} ({_count(diff.a)}) → {names[1]} ({_count(diff.b)})", _COLUMNS),
        f"Similarity {percent(diff.similarity)}, matched by {diff.matched_by}: {diff.summary}",
    ]
    lines += [line for note in diff.notes for line in _hanging("Note: ", note)]
    if diff.is_empty:
        return "\n".join([*lines, "", "No differences.", ""])
    if diff.first_divergence is not None:
        lines += ["", *_divergence(diff, diff.first_divergence)]
    chain = [("chain", name, old, new) for name, (old, new) in diff.chain_changes.items()]
    lines += _section("Chain", chain, lambda each: _field(*each[1:]), limit)
    lines += _section("Removed", diff.removed, lambda each: _placed("-", each), limit)
    lines += _section("Added", diff.added, lambda each: _placed("+", each), limit)
    lines += _section("Changed", diff.changed, _changed, limit)
    lines += _section("Moved", diff.moved, _moved, limit)
    lines += _section("Links", diff.relation_changes, _relation, limit)
    lines += _section("Confidence", diff.confidence_deltas, _confidence, limit)
    return "\n".join([*lines, ""])


def _count(side: Side) -> str:
    count = len(side.events)
    return f"{count:,} event{'' if count == 1 else 's'}"


def _section(
    title: str, entries: Sequence[Any], lines_of: Callable[[Any], Iterable[str]], limit: int | None
) -> list[str]:
    """Return a section; nothing of one that is empty, as the summary has its count."""
    if not entries:
        return []
    lines = ["", f"{title} ({len(entries):,})"]
    for each in entries[:limit]:
        lines += lines_of(each)
    left = len(entries) - len(entries[:limit])
    return [*lines, f"  … and {left:,} more"] if left else lines


def _divergence(diff: Findings, divergence: Divergence) -> list[str]:
    count = divergence.place
    same = "From the first event on" if not count else f"After {count:,} equal event{'' if count == 1 else 's'}"
    lines = [f"{same}, they part:"]
    for each in diff.changed:
        if each.a_place == each.b_place == count:
            return lines + _hanging(f"  ~ [{count}] ", f"{_title(each.b_event)}: {clean(', '.join(each.fields))}")
    # words, not marks: what stands here may well be in the other chain, too, elsewhere
    for word, event in (("first: ", divergence.a_event), ("second:", divergence.b_event)):
        lines += _hanging(f"  {word} [{count}] ", "(ends here)" if event is None else _title(event))
    return lines


def _title(event: Event) -> str:
    return f"{clean(words_of(event.type))}  {clean(words_of(event.decision)) or '(no decision)'}"


def _placed(mark: str, each: PlacedEvent) -> list[str]:
    event = each.event
    lines = _hanging(f"  {mark} [{each.place}] ", _title(event))
    if reasoning := clean(words_of(event.reasoning)):
        lines += _hanging("      why         ", reasoning)
    if event.alternatives:
        lines += _hanging("      instead of  ", clean(value_text(event.alternatives)))
    if event.confidence is not None:
        lines += _hanging("      confidence  ", clean(value_text(event.confidence)))
    return lines


def _places(each: ChangedEvent | MovedEvent | RelationChange | ConfidenceDelta) -> str:
    return f"[{each.a_place}]" if each.a_place == each.b_place else f"[{each.a_place} → {each.b_place}]"


def _changed(each: ChangedEvent) -> list[str]:
    remarks = [word for word, holds in (("reworded", each.reworded), ("moved", each.moved)) if holds]
    title = _title(each.b_event) + (f"  ({', '.join(remarks)})" if remarks else "")
    lines = _hanging(f"  ~ {_places(each)} ", title)
    for name, (old, new) in each.fields.items():
        if name not in ("parent_id", "depends_on"):  # ids that say nothing; the section on links has the events
            lines += _field(name, old, new)
    return lines


def _field(name: str, old: Any, new: Any) -> list[str]:
    before, after = clean(value_text(old)), clean(value_text(new))
    if before == after:  # they differ in white space or in kind
        before, after = clean(repr(old)), clean(repr(new))
    one_line = f"      {clean(name)}: {before} → {after}"
    if len(one_line) <= _COLUMNS:
        return [one_line]
    return [f"      {clean(name)}:", *_hanging("        - ", before), *_hanging("        + ", after)]


def _moved(each: MovedEvent) -> list[str]:
    return _hanging(f"  > {_places(each)} ", _title(each.b_event))


def _relation(each: RelationChange) -> list[str]:
    lines = _hanging(f"  ~ {_places(each)} ", _title(each.b_event))
    word = "inside" if each.relation == "parent_id" else "rests on"
    for mark, ends in (("-", each.removed), ("+", each.added)):
        for end in ends:
            lines += _hanging(f"      {mark} {word} ", link_text(end))
    return lines


def link_text(end: LinkEnd) -> str:
    """Return what a link points to, as one safe line."""
    if end.place is None:
        return f"{clean(words_of(end.id))}, which is not in this chain"
    return f"[{end.place}] {clean(words_of(end.decision)) or '(no decision)'}"


def _confidence(each: ConfidenceDelta) -> list[str]:
    old, new = ("unsaid" if value is None else clean(value_text(value)) for value in (each.old, each.new))
    return _hanging(f"  {signed(each.delta).rjust(7)}  {old} → {new}  {_places(each)} ", _title(each.b_event))


def _hanging(head: str, text: str) -> list[str]:
    first, *others = wrap(text, max(20, _COLUMNS - len(head)))
    return [head + first, *(" " * len(head) + line for line in others)]
