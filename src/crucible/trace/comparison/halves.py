"""The rows of the page: a left and a right half each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crucible.trace.comparison.content import words_of
from crucible.trace.comparison.findings import ChangedEvent, RelationChange
from crucible.trace.comparison.markup import marked, text
from crucible.trace.comparison.plain_text import link_text
from crucible.trace.comparison.rows import Row
from crucible.trace.comparison.wording import signed, value_text
from crucible.trace.event import Event

__all__ = ["changed_row", "placed_row", "same_row"]

_DECISION_LETTERS, _REASON_LETTERS, _VALUE_LETTERS, _SAME_LETTERS = 2000, 2000, 600, 120
_MOST_FIELDS = 40
_ELSEWHERE = ("decision", "reasoning", "parent_id", "depends_on")  # shown above, or as what the links point to
_OFF = '<div class="half off"></div>'


def same_row(a_place: int, b_place: int, event: Event) -> str:
    """Return the row of an unchanged event, in one line."""
    words = text(words_of(event.decision), limit=_SAME_LETTERS)
    title = f"{text(words_of(event.type), limit=60)} · {words}"
    return (
        f'<div class="row same"><div class="half a">[{a_place}] {title}</div>'
        f'<div class="half b">[{b_place}] {title}</div></div>\n'
    )


def placed_row(anchor: str, row: Row, event: Event) -> str:
    """Return the row of an event that stands on one side only, or that moved."""
    words = {
        "removed": '<span class="tag rem">− removed</span>',
        "added": '<span class="tag add">+ added</span>',
        "moved_from": f'<a class="tag mov" href="#b{row.elsewhere}">moved to [{row.elsewhere}]</a>',
        "moved_to": f'<a class="tag mov" href="#a{row.elsewhere}">moved from [{row.elsewhere}]</a>',
    }[row.kind]
    place = row.a_place if row.a_place is not None else row.b_place
    side = "a" if row.a_place is not None else "b"
    details = "" if row.kind.startswith("moved") else _details(event)
    half = f'<div class="half {side} on">{_head(place, event, words)}{_words(event)}{details}</div>'
    halves = half + _OFF if side == "a" else _OFF + half
    kind = "moved" if row.kind.startswith("moved") else row.kind
    return f'<div class="row {kind}" id="{anchor}">{halves}</div>\n'


def _head(place: int | None, event: Event, tag: str) -> str:
    return f'<div class="head">[{place}] {text(words_of(event.type), limit=100)} {tag}</div>'


def _words(event: Event) -> str:
    decision = text(words_of(event.decision), limit=_DECISION_LETTERS) or "(no decision)"
    reason = text(words_of(event.reasoning), limit=_REASON_LETTERS)
    return f"<p>{decision}</p>" + (f'<p class="why">{reason}</p>' if reason else "")


def _details(event: Event) -> str:
    entries: list[tuple[str, Any]] = []
    if event.alternatives:
        entries.append(("instead of", event.alternatives))
    if event.confidence is not None:
        entries.append(("confidence", event.confidence))
    lines = "".join(
        f"<dt>{name}</dt><dd>{text(value_text(value), limit=_VALUE_LETTERS)}</dd>" for name, value in entries
    )
    return f"<dl>{lines}</dl>" if lines else ""


def changed_row(anchor: str, changed: ChangedEvent, links: Sequence[RelationChange]) -> str:
    """Return the row of a changed event: both halves, with the words marked that differ.

    Args:
        anchor: The row's id on the page.
        changed: The event.
        links: How it is linked differently.
    """
    a, b = changed.a_event, changed.b_event
    decisions = marked(words_of(a.decision), words_of(b.decision), limit=_DECISION_LETTERS)
    reasons = marked(words_of(a.reasoning), words_of(b.reasoning), limit=_REASON_LETTERS)
    word = "reworded" if changed.reworded else "changed"
    left_tag = f'<span class="tag chg">~ {word}</span>'
    right_tag = left_tag
    if changed.moved:
        left_tag += f' <a class="tag mov" href="#b{changed.b_place}">moved to [{changed.b_place}]</a>'
        right_tag += f' <span class="tag mov">moved from [{changed.a_place}]</span>'
    fields = {name: pair for name, pair in changed.fields.items() if name not in _ELSEWHERE}
    left_fields, right_fields = _fields(fields, changed.confidence_delta, links)
    left = _half("a", _head(changed.a_place, a, left_tag), decisions[0], reasons[0], left_fields)
    right = _half("b", _head(changed.b_place, b, right_tag), decisions[1], reasons[1], right_fields)
    return f'<div class="row changed" id="{anchor}">{left}{right}</div>\n'


def _half(side: str, head: str, decision: str, reason: str, fields: str) -> str:
    why = f'<p class="why">{reason}</p>' if reason else ""
    return f'<div class="half {side}">{head}<p>{decision or "(no decision)"}</p>{why}{fields}</div>'


def _fields(
    fields: dict[str, tuple[Any, Any]], delta: float | None, links: Sequence[RelationChange]
) -> tuple[str, str]:
    left: list[str] = []
    right: list[str] = []
    for name, (old, new) in list(fields.items())[:_MOST_FIELDS]:
        before, after = value_text(old), value_text(new)
        if before == after:  # they differ in kind, such as true and "true"
            before, after = repr(old), repr(new)
        marks = marked(before, after, limit=_VALUE_LETTERS)
        label = f"<dt>{text(name, limit=100)}</dt>"
        change = f" ({signed(delta)})" if name == "confidence" and delta is not None else ""
        left.append(f"{label}<dd>{marks[0]}</dd>")
        right.append(f"{label}<dd>{marks[1]}{change}</dd>")
    for link in links:
        name = "inside" if link.relation == "parent_id" else "rests on"
        for lines, tag, ends in ((left, "del", link.removed), (right, "ins", link.added)):
            words = text("\n".join(link_text(end) for end in ends), limit=_VALUE_LETTERS)
            lines.append(f"<dt>{name}</dt><dd>{f'<{tag}>{words}</{tag}>' if words else '—'}</dd>")
    if len(fields) > _MOST_FIELDS:
        more = f"<dt>…</dt><dd>{len(fields) - _MOST_FIELDS:,} more fields differ</dd>"
        left.append(more)
        right.append(more)
    return (f"<dl>{''.join(left)}</dl>", f"<dl>{''.join(right)}</dl>") if left else ("", "")
