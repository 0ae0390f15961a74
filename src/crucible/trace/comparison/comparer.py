"""Comparing two chains: `diff`.

The work is done on the two chains in an order of their own, whichever came first, and turned round at the end: so
`diff(a, b)` and `diff(b, a)` cannot disagree about a tie.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

from crucible.trace.chain import Chain
from crucible.trace.comparison.content import Differences, Lens, words_of
from crucible.trace.comparison.difference import Diff
from crucible.trace.comparison.findings import (
    ChangedEvent,
    ConfidenceDelta,
    Divergence,
    MovedEvent,
    PlacedEvent,
    RelationChange,
    Side,
)
from crucible.trace.comparison.matching import Matching, Numbers, match, out_of_order
from crucible.trace.comparison.options import DiffOptions
from crucible.trace.comparison.relations import Relations, difference_of
from crucible.trace.comparison.rewording import text_similarity
from crucible.trace.event import Event, format_timestamp

__all__ = ["diff"]

_TEXT_FRAC = 0.6
_MOST_CHANGED = 0.999
_MOVED_FRAC = 0.95
_CHAIN_FRAC = 0.05

Keys = list[tuple[Hashable, ...]]


def diff(a: Chain, b: Chain, options: DiffOptions | None = None) -> Diff:
    """Return how chain `b` differs from chain `a`.

    Events are paired (`DiffOptions.match_by`), and all their fields compared but the id, which is a name: links are
    compared through the pairs. The metadata is compared by path.

    The similarity is the sum of the pairs' similarities, twice, over the number of events in both chains; two chains
    without events count 1. If the chains themselves differ, in the share d of their name, description and entries
    of metadata, it is multiplied by 1 - 0.05 d. A pair counts 1 if nothing differs, and 0.95 if it moved. A changed
    pair counts 0.6 t + 0.4 f, at most 0.999, and 0.95 of that if it moved too: t is how alike its texts are (0.7
    decision, 0.3 reasoning, by edits), f the share of all other fields, paths and links, of those that one of the two
    fills in, that agree. So it is 1 exactly if nothing differs, 0 if no event has a counterpart, and the same both
    ways.

    Args:
        a: The first chain, such as the last run's.
        b: The second, such as this run's.
        options: How to match, and what to ignore; None is the default.
    """
    options = options or DiffOptions()
    lens = Lens(options)
    a_events, b_events = a.events, b.events
    a_keys, b_keys = [lens.key(event) for event in a_events], [lens.key(event) for event in b_events]
    is_turned = _comes_later(a_events, b_events, a_keys, b_keys)
    first, second = (b, a) if is_turned else (a, b)
    if is_turned:
        a_events, b_events, a_keys, b_keys = b_events, a_events, b_keys, a_keys
    chains = _numbered(a_events, b_events, a_keys, b_keys)
    a_keys.clear()
    b_keys.clear()
    found = _Comparison(first, second, chains, lens, options).result(match(chains, lens, options))
    return found.mirrored() if is_turned else found


def _numbered(a: Sequence[Event], b: Sequence[Event], a_keys: Keys, b_keys: Keys) -> Numbers:
    numbers: dict[Hashable, int] = {}
    a_numbers = [numbers.setdefault(key, len(numbers)) for key in a_keys]
    return Numbers(a, b, a_numbers, [numbers.setdefault(key, len(numbers)) for key in b_keys])


def _comes_later(a: Sequence[Event], b: Sequence[Event], a_keys: Keys, b_keys: Keys) -> bool:
    """Tell which of two chains comes later in an order that depends on nothing but what is compared."""
    if len(a) != len(b):
        return len(a) > len(b)
    for place, (one, other) in enumerate(zip(a, b, strict=True)):
        if _names(one) == _names(other) and a_keys[place] == b_keys[place]:
            continue
        text_a, text_b = _order_text(one, a_keys[place]), _order_text(other, b_keys[place])
        if text_a != text_b:
            return text_a > text_b
    return False


def _names(event: Event) -> tuple[Any, ...]:
    return (event.id, event.parent_id, event.depends_on)


def _order_text(event: Event, key: tuple[Any, ...]) -> str:
    return repr((_names(event), key[:-1], sorted(repr(entry) for entry in key[-1])))


class _Comparison:
    """The comparison of two chains whose events are paired."""

    def __init__(self, a: Chain, b: Chain, chains: Numbers, lens: Lens, options: DiffOptions) -> None:
        self._a, self._b = a, b
        self._chains = chains
        self._lens = lens
        self._options = options

    def result(self, matching: Matching) -> Diff:
        """Return what differs."""
        a, b = self._chains.a, self._chains.b
        partners = dict(matching.pairs)
        relations = Relations(a, b, partners, self._options)
        astray = out_of_order(matching.pairs)
        changed: list[ChangedEvent] = []
        moved: list[MovedEvent] = []
        unchanged: list[tuple[int, int]] = []
        relation_changes: list[RelationChange] = []
        score = 0.0
        for x, y in matching.pairs:
            links = relations.changes(x, y)
            is_equal = self._chains.a_numbers[x] == self._chains.b_numbers[y]
            if not is_equal or links:
                relation_changes += links
                changed.append(self._changed(x, y, links, relations.stated(x, y), is_moved=x in astray))
                score += changed[-1].similarity
            elif x in astray:
                moved.append(MovedEvent(x, y, a[x], b[y]))
                score += _MOVED_FRAC
            else:
                unchanged.append((x, y))
                score += 1.0
        matched_b = set(partners.values())
        chain_changes, chain_frac = self._chain_changes()
        share = 2 * score / (len(a) + len(b)) if a or b else 1.0
        return Diff(
            a=_side(self._a, a),
            b=_side(self._b, b),
            matched_by=matching.matched_by,
            similarity=share * (1 - _CHAIN_FRAC * chain_frac),
            added=tuple(PlacedEvent(y, event) for y, event in enumerate(b) if y not in matched_b),
            removed=tuple(PlacedEvent(x, event) for x, event in enumerate(a) if x not in partners),
            changed=tuple(changed),
            moved=tuple(moved),
            unchanged=tuple(unchanged),
            relation_changes=tuple(relation_changes),
            confidence_deltas=tuple(_delta(each) for each in changed if "confidence" in each.fields),
            chain_changes=chain_changes,
            first_divergence=_divergence(a, b, unchanged),
            notes=tuple(matching.notes),
        )

    def _changed(
        self, x: int, y: int, links: Sequence[RelationChange], stated_links: int, *, is_moved: bool
    ) -> ChangedEvent:
        a, b = self._chains.a[x], self._chains.b[y]
        lens = self._lens
        fields = lens.differences(a, b)
        for change in links:
            fields |= difference_of(change)
        words = text_similarity(
            (lens.text(a, "decision"), lens.text(a, "reasoning")), (lens.text(b, "decision"), lens.text(b, "reasoning"))
        )
        stated = lens.stated(a, b) + stated_links
        differing = len(fields.keys() - {"decision", "reasoning"})
        agreeing = 1 - differing / stated if stated else words
        similarity = min(_MOST_CHANGED, _TEXT_FRAC * words + (1 - _TEXT_FRAC) * agreeing)
        return ChangedEvent(
            x,
            y,
            a,
            b,
            fields,
            reworded="decision" in fields,
            moved=is_moved,
            similarity=similarity * _MOVED_FRAC if is_moved else similarity,
            confidence_delta=_less(*fields["confidence"]) if "confidence" in fields else None,
        )

    def _chain_changes(self) -> tuple[Differences, float]:
        """Return what the chains themselves say differently, and which share of what they say that is."""
        a, b = self._entries(self._a), self._entries(self._b)
        changes = self._lens.entry_differences(a, b)
        return changes, len(changes) / len({**a, **b}) if changes else 0.0

    def _entries(self, chain: Chain) -> dict[str, Any]:
        named: dict[str, Any] = {
            "chain.name": chain.name,
            "chain.description": chain.description,
            "chain.created_at": format_timestamp(chain.created_at),
            "chain.updated_at": format_timestamp(chain.updated_at),
        }
        extra = dict(chain.extra)
        return {
            **{name: value for name, value in named.items() if not self._options.ignores(name)},
            **self._lens.entries("chain.metadata", chain.metadata),
            **self._lens.entries("chain.extra", extra),
        }


def _side(chain: Chain, events: Sequence[Event]) -> Side:
    run_id = chain.metadata.get("run_id")
    return Side(chain.id, chain.name, tuple(events), chain.created_at, None if run_id is None else words_of(run_id))


def _delta(changed: ChangedEvent) -> ConfidenceDelta:
    old, new = changed.fields["confidence"]
    places_and_events = (changed.a_place, changed.b_place, changed.a_event, changed.b_event)
    return ConfidenceDelta(*places_and_events, old, new, changed.confidence_delta)


def _less(old: Any, new: Any) -> float | None:
    """Return new less old, rounded to six decimals; None where that is no finite number."""
    for value in (old, new):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
    try:
        delta = round(float(new) - float(old), 6) + 0.0  # no -0.0
    except OverflowError:
        return None
    return delta if math.isfinite(delta) else None


def _divergence(a: Sequence[Event], b: Sequence[Event], unchanged: Sequence[tuple[int, int]]) -> Divergence | None:
    same = 0
    for x, y in unchanged:
        if x != same or y != same:
            break
        same += 1
    if same == len(a) == len(b):
        return None
    return Divergence(same, a[same] if same < len(a) else None, b[same] if same < len(b) else None)
