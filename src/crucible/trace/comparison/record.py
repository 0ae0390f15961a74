"""A diff as JSON values."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from crucible.trace.comparison.content import Differences
from crucible.trace.comparison.findings import Findings, LinkEnd, Side
from crucible.trace.event import Event
from crucible.trace.plain import plain

__all__ = ["to_dict"]


def to_dict(diff: Findings) -> dict[str, Any]:
    """Return a diff as JSON values; what JSON cannot carry comes as the nearest that it can.

    Events that only one chain has are there whole; of the others, the ids, types and decisions of both sides.
    """
    divergence = diff.first_divergence
    return {
        "a": _side(diff.a),
        "b": _side(diff.b),
        "matched_by": diff.matched_by,
        "is_empty": diff.is_empty,
        "similarity": diff.similarity,
        "summary": diff.summary,
        "first_divergence": divergence
        and {
            "place": divergence.place,
            "a": divergence.a_event and _name(divergence.a_event),
            "b": divergence.b_event and _name(divergence.b_event),
        },
        "added": [{"place": each.place, "event": plain(each.event.to_dict())} for each in diff.added],
        "removed": [{"place": each.place, "event": plain(each.event.to_dict())} for each in diff.removed],
        "changed": [
            {
                **_pair(each),
                "fields": _fields(each.fields),
                "reworded": each.reworded,
                "moved": each.moved,
                "similarity": each.similarity,
                "confidence_delta": each.confidence_delta,
            }
            for each in diff.changed
        ],
        "moved": [_pair(each) for each in diff.moved],
        "unchanged": [list(each) for each in diff.unchanged],
        "relation_changes": [
            {
                **_pair(each),
                "relation": each.relation,
                "removed": [_end(end) for end in each.removed],
                "added": [_end(end) for end in each.added],
            }
            for each in diff.relation_changes
        ],
        "confidence_deltas": [
            {**_pair(each), "old": plain(each.old), "new": plain(each.new), "delta": each.delta}
            for each in diff.confidence_deltas
        ],
        "chain_changes": _fields(diff.chain_changes),
        "notes": list(diff.notes),
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "id": plain(side.id),
        "name": plain(side.name),
        "events": len(side.events),
        "created_at": plain(side.created_at),
        "run_id": plain(side.run_id),
    }


def _name(event: Event) -> dict[str, Any]:
    return {"id": plain(event.id), "type": plain(event.type), "decision": plain(event.decision)}


def _pair(each: Any) -> dict[str, Any]:
    return {
        "a_place": each.a_place,
        "b_place": each.b_place,
        "a": _name(each.a_event),
        "b": _name(each.b_event),
    }


def _fields(fields: Differences) -> dict[str, Any]:
    """Return old and new by path; the side on which a path is missing is left out."""
    return {
        name: {side: plain(value) for side, value in (("old", old), ("new", new)) if value is not UNSET}
        for name, (old, new) in fields.items()
    }


def _end(end: LinkEnd) -> dict[str, Any]:
    return {"id": plain(end.id), "place": end.place, "decision": plain(end.decision)}
