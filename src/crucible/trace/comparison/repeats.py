"""Which of several events with the same type and decision is which: the pairs that are most alike in all else.

A longest common subsequence says how many pairs there are, not which: of six events "Epoch completed" and four, any
four of the six will do for it. Where a subject repeats an unequal number of times, the pairs are chosen anew: as many,
in order, and as alike as can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from crucible.trace.comparison.alignment import Pair, gaps
from crucible.trace.comparison.content import Lens, frozen
from crucible.trace.event import Event

__all__ = ["Repeats"]

_Subjects = tuple[list[int], list[int]]
_Said = dict[str, tuple[Hashable, float | None]]  # by field or path: a key for equality, and the number if it is one

_PAIR = 1.0  # more than any likeness adds up to, so that no pair is given up for others' likeness
_LEFT_A, _LEFT_B, _BOTH = 1, 2, 3


class Repeats:
    """The choice among events that share a subject.

    Args:
        a: The events of the first chain.
        b: The events of the second.
        lens: What of them is compared.
        budget: How many pairs of events to look at in all.
    """

    def __init__(self, a: Sequence[Event], b: Sequence[Event], lens: Lens, budget: int) -> None:
        self._a, self._b = a, b
        self._lens = lens
        self._budget = budget
        self._said: dict[int, _Said] = {}  # by the identity of an event
        self.is_spent = False  # whether the budget was too small for some choice

    def chosen(self, pairs: list[Pair], gap: tuple[range, range], subjects: _Subjects) -> list[Pair]:
        """Return as many pairs of the same subjects in order, the most alike where there is a choice.

        Args:
            pairs: The pairs of a longest common subsequence of the gap's subjects.
            gap: The places in either chain.
            subjects: A number for the subject of each event of either chain.
        """
        a, b = subjects
        counts_a, counts_b = Counter(a[x] for x in gap[0]), Counter(b[y] for y in gap[1])
        if not any(counts_b[each] and counts_b[each] != count for each, count in counts_a.items()):
            return pairs
        # what is there once in either chain, and in order, stays; between those the choice is small
        fixed = [(x, y) for x, y in pairs if counts_a[a[x]] == counts_b[b[y]] == 1]
        found = list(fixed)
        left = 0
        (first_x, first_y) = gap[0].start, gap[1].start
        shifted = [(x - first_x, y - first_y) for x, y in fixed]
        for xs, ys in gaps(shifted, len(gap[0]), len(gap[1])):
            xs, ys = range(xs.start + first_x, xs.stop + first_x), range(ys.start + first_y, ys.stop + first_y)  # noqa: PLW2901  # places in the chains
            inside: list[Pair] = []
            while left < len(pairs) and pairs[left][0] < xs.stop and pairs[left][1] < ys.stop:
                if pairs[left][0] >= xs.start and pairs[left][1] >= ys.start:
                    inside.append(pairs[left])
                left += 1
            found += self._segment(inside, xs, ys, subjects)
        return sorted(found)

    def _segment(self, pairs: list[Pair], xs: range, ys: range, subjects: _Subjects) -> list[Pair]:
        if not pairs:
            return pairs
        a, b = subjects
        counts_a, counts_b = Counter(a[x] for x in xs), Counter(b[y] for y in ys)
        if not any(counts_b[each] and counts_b[each] != count for each, count in counts_a.items()):
            return pairs
        spare_a, spare_b = len(xs) - len(pairs), len(ys) - len(pairs)
        cells = (len(xs) + 1) * (min(len(ys), spare_a + spare_b) + 1)
        if cells > self._budget:
            self.is_spent = True
            return pairs
        self._budget -= cells
        return self._best(xs, ys, subjects, spare_a, spare_b)

    def _best(self, xs: range, ys: range, subjects: _Subjects, spare_a: int, spare_b: int) -> list[Pair]:
        """Return the longest alignment that is most alike; one that long leaves so many places without partner.

        So a place of the first chain is at most `spare_a` ahead of its partner and at most `spare_b` behind it, and
        nothing else is looked at.
        """
        a, b = subjects
        worst = float("-inf")
        before: dict[int, float] = {}
        steps: list[tuple[int, bytearray]] = []
        for i in range(len(xs) + 1):
            low, high = max(0, i - spare_a), min(len(ys), i + spare_b)
            row: dict[int, float] = {}
            taken = bytearray(max(0, high - low + 1))
            for j in range(low, high + 1):
                best, step = (0.0, 0) if not i and not j else (worst, 0)
                if (up := before.get(j, worst)) > best:
                    best, step = up, _LEFT_A
                if (side := row.get(j - 1, worst)) > best:
                    best, step = side, _LEFT_B
                if i and j and a[xs[i - 1]] == b[ys[j - 1]]:
                    likeness = self._likeness(self._a[xs[i - 1]], self._b[ys[j - 1]])
                    both = before.get(j - 1, worst) + _PAIR * (len(xs) + 1) + likeness
                    if both >= best:
                        best, step = both, _BOTH
                row[j] = best
                taken[j - low] = step
            before = row
            steps.append((low, taken))
        return _traced(steps, xs, ys)

    def _likeness(self, a: Event, b: Event) -> float:
        """Return from 0 to 1 how alike two events of one subject are: the share of what they say that agrees."""
        said_a, said_b = self._fields(a), self._fields(b)
        total = 0.0
        shared = 0
        for name, (key, number) in said_a.items():
            other = said_b.get(name)
            if other is None:
                continue
            shared += 1
            if key == other[0]:
                total += 1.0
            elif number is not None and other[1] is not None:
                # by their ratio, and never quite 1: an equal number says more than a near one
                total += 0.9 * (1.0 - abs(number - other[1]) / (abs(number) + abs(other[1])))
        names = len(said_a) + len(said_b) - shared
        return total / names if names else 1.0

    def _fields(self, event: Event) -> _Said:
        said = self._said.get(id(event))
        if said is None:
            lens = self._lens
            values = {name: getattr(event, name) for name in lens.fields if name not in lens.subject_fields}
            values = {name: value for name, value in values.items() if value not in (None, (), "")}
            values |= lens.entries_of(event)
            said = self._said[id(event)] = {name: (frozen(value), _number(value)) for name, value in values.items()}
        return said


def _number(value: Any) -> float | None:
    """Return a number as a float that differences of which are finite; None for anything else."""
    if value.__class__ is not int and value.__class__ is not float:
        return None
    return float(value) if abs(value) < 1e150 else None  # NaN, too, is not less


def _traced(steps: list[tuple[int, bytearray]], xs: range, ys: range) -> list[Pair]:
    pairs: list[Pair] = []
    i, j = len(xs), len(ys)
    while i or j:
        low, taken = steps[i]
        step = taken[j - low]
        if step == _BOTH:
            i, j = i - 1, j - 1
            pairs.append((xs[i], ys[j]))
        elif step == _LEFT_A:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]
