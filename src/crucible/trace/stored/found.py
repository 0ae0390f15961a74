"""What a store answers about chains: which there are, and which events in them were found, with the words marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from crucible.store.records import StoredChain
from crucible.store.trace_words import INDEXED_CHARACTERS, SearchTerm, fold
from crucible.trace.event import Event
from crucible.trace.stored.chain_row import text_of

__all__ = ["ChainFilter", "ChainInfo", "Found", "Hit", "Span", "hit_of"]

Span = tuple[int, int]
"""Where something begins and ends in a text, in characters from 0; the end is behind it."""

_BEFORE, _SNIPPET = 40, 160  # characters before the first mark, and in all


class ChainFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which chains; the default is all that are not archived.

    Args:
        name_contains: Part of the name, in whatever case.
        created_after: Made then or later; naive counts as UTC.
        created_before: Made then or earlier; naive counts as UTC.
        min_events: At least so many events.
        max_events: At most so many.
        run_id: Of this run, by its full id.
        experiment_id: With an event of this experiment.
        type: With an event of this type, by its name or an alias.
        archived: True for archived ones only, None for both.
    """

    name_contains: str = ""
    created_after: datetime | None = None
    created_before: datetime | None = None
    min_events: int | None = None
    max_events: int | None = None
    run_id: str | None = None
    experiment_id: str | None = None
    type: str | None = None
    archived: bool | None = False


class ChainInfo(msgspec.Struct, frozen=True):
    """A stored chain in a listing.

    Args:
        id: Its id.
        name: Its name.
        description: In more words.
        run_id: The run that it is of; None: of none.
        event_count: How many events it has.
        created_at: ISO 8601 UTC.
        updated_at: ISO 8601 UTC.
        archived_at: ISO 8601 UTC; None for one that is not archived.
    """

    id: str
    name: str
    description: str | None
    run_id: str | None
    event_count: int
    created_at: str
    updated_at: str
    archived_at: str | None

    @classmethod
    def of(cls, chain: StoredChain) -> ChainInfo:
        """Return what a listing says of a stored chain."""
        return cls(
            chain.chain_id,
            chain.name,
            chain.description,
            chain.run_id,
            chain.event_count,
            chain.created_at,
            chain.updated_at,
            chain.archived_at,
        )


class Found(msgspec.Struct, frozen=True):
    """An event that fulfils a condition.

    Args:
        chain_id: Its chain.
        event: The event.
    """

    chain_id: str
    event: Event


class Hit(msgspec.Struct, frozen=True):
    """An event that has the words that were searched for.

    Args:
        chain_id: Its chain.
        chain_name: The chain's name.
        run_id: The chain's run; None: of none.
        event: The event.
        score: Larger is better; comparable among the hits of one search.
        highlights: By text (`decision`, `reasoning`, `alternatives[0]`, `code_section`, `spec_reference`) where the
            words stand in it, in order.
        snippet: A piece of the text that has the first of them, on one line.
        snippet_highlights: Where the words stand in the snippet.
    """

    chain_id: str
    chain_name: str
    run_id: str | None
    event: Event
    score: float
    highlights: Mapping[str, tuple[Span, ...]]
    snippet: str
    snippet_highlights: tuple[Span, ...]


def hit_of(chain: StoredChain, event: Event, score: float, terms: Sequence[SearchTerm]) -> Hit:
    """Return an event as a hit.

    Args:
        chain: Its chain.
        event: The event.
        score: How good it is.
        terms: What was wanted.
    """
    texts = _texts(event)
    patterns = [term.pattern() for term in terms]
    marks: dict[str, tuple[Span, ...]] = {}
    for name, text in texts.items():
        folded = fold(text[:INDEXED_CHARACTERS])
        if spans := _joined([found.span() for pattern in patterns for found in pattern.finditer(folded)]):
            marks[name] = spans
    where = next(iter(marks), "decision")
    snippet, inside = _snippet(texts[where], marks.get(where, ()))
    return Hit(chain.chain_id, chain.name, chain.run_id, event, score, marks, snippet, inside)


def _texts(event: Event) -> dict[str, str]:
    texts: dict[str, Any] = {"decision": event.decision, "reasoning": event.reasoning}
    texts |= {f"alternatives[{place}]": text for place, text in enumerate(event.alternatives)}
    if event.code_section is not None:
        texts["code_section"] = event.code_section
    if event.spec_reference is not None:
        texts["spec_reference"] = event.spec_reference
    return {name: text if isinstance(text, str) else text_of(text) for name, text in texts.items()}


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    """Return spans in order, those that overlap as one."""
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin < joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return tuple(joined)


def _snippet(text: str, spans: Sequence[Span]) -> tuple[str, tuple[Span, ...]]:
    """Return a piece of a text around its first mark, cut at blanks where there are some, and its marks."""
    first = spans[0][0] if spans else 0
    begin = max(0, first - _BEFORE)
    if begin:
        blank = text.find(" ", begin, first)
        begin = begin if blank < 0 else blank + 1
    end = min(len(text), begin + _SNIPPET)
    if end < len(text):
        blank = text.rfind(" ", begin + _BEFORE, end)
        end = end if blank < 0 else blank
    lead = "…" if begin else ""
    piece = "".join(one if one.isprintable() else " " for one in text[begin:end])
    shift = len(lead) - begin
    inside = tuple((max(a, begin) + shift, min(b, end) + shift) for a, b in spans if a < end and b > begin)
    return lead + piece + ("…" if end < len(text) else ""), inside
