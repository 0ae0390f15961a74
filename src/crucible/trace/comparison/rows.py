"""The rows of a side-by-side view: both chains from top to bottom, what is the same one on the same row.

What moved has a row at either place, each pointing to the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from crucible.trace.comparison.alignment import gaps
from crucible.trace.comparison.findings import ChangedEvent, Findings

__all__ = ["Row", "Run", "rows"]


class Row(msgspec.Struct, frozen=True):
    """One row that differs.

    Args:
        kind: What it shows. `moved_from` is the place in the first chain of what moved, `moved_to` that in the second.
        a_place: The place in the first chain; None where the left half is empty.
        b_place: The place in the second; None where the right half is empty.
        changed: What changed, in rows of kind `changed`.
        elsewhere: The place of the other half, where something moved.
    """

    kind: Literal["changed", "removed", "added", "moved_from", "moved_to"]
    a_place: int | None = None
    b_place: int | None = None
    changed: ChangedEvent | None = None
    elsewhere: int | None = None


class Run(msgspec.Struct, frozen=True):
    """A run of unchanged events.

    Args:
        a_place: Where it begins in the first chain.
        b_place: Where it begins in the second.
        length: How many events, at least 1.
    """

    a_place: int
    b_place: int
    length: int


def rows(diff: Findings) -> Iterator[Row | Run]:
    """Yield the rows of both chains in order, runs of unchanged events as one."""
    in_place = {each.a_place: each for each in diff.changed if not each.moved}
    astray = [each for each in diff.changed if each.moved]
    at_a = {each.a_place: Row("moved_from", each.a_place, elsewhere=each.b_place) for each in diff.moved}
    at_a |= {each.a_place: Row("changed", each.a_place, changed=each, elsewhere=each.b_place) for each in astray}
    at_b = {each.b_place: Row("moved_to", b_place=each.b_place, elsewhere=each.a_place) for each in diff.moved}
    at_b |= {each.b_place: Row("moved_to", b_place=each.b_place, elsewhere=each.a_place) for each in astray}
    pairs = sorted([*diff.unchanged, *((each.a_place, each.b_place) for each in in_place.values())])
    between = {(xs.stop, ys.stop): (xs, ys) for xs, ys in gaps(pairs, len(diff.a.events), len(diff.b.events))}
    run: Run | None = None
    end = (len(diff.a.events), len(diff.b.events))
    for pair in [*pairs, end]:
        xs, ys = between.get(pair, (range(0), range(0)))
        is_unchanged = pair != end and pair[0] not in in_place
        if run is not None and (xs or ys or not is_unchanged):
            yield run
            run = None
        for x in xs:
            yield at_a.get(x) or Row("removed", x)
        for y in ys:
            yield at_b.get(y) or Row("added", b_place=y)
        if is_unchanged:
            run = Run(*pair, 1) if run is None else Run(run.a_place, run.b_place, run.length + 1)
        elif pair != end:
            yield Row("changed", *pair, in_place[pair[0]])
