"""Which of the events that are left over are the same one in other words.

Only events between the same two neighbours, or nearly, are compared. An event goes to the most similar one, of its own
type if there is any; a place apart costs a little, so that rows of similar events stay in order. The work is bounded:
past `DiffOptions.max_comparisons`, an event is compared only with those at about the same place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from crucible.trace.comparison.alignment import Pair
from crucible.trace.comparison.content import Lens
from crucible.trace.comparison.options import DiffOptions
from crucible.trace.event import Event

__all__ = ["Rewordings", "text_similarity"]

_DECISION_FRAC, _REASONING_FRAC = 0.7, 0.3
_LETTERS = 256  # of each text, while looking for a partner; a bound on the work, not on the texts
_LETTERS_SCORED = 2000  # of each text, once a pair is found
_OTHER_TYPE = 0.85  # what a similarity is worth across types
_PLACE_COST, _MOST_COST = 0.01, 0.2
_BEST, _NEAR = 16, 2  # candidates kept for an event: the most similar ones, and those within two places
_NARROWEST = 8
_ROUNDS = 3

Text = tuple[str, str]


def text_similarity(a: Text, b: Text) -> float:
    """Return how alike two decisions with their reasons are, from 0 to 1; 0.7 for the decision, 0.3 for the reason.

    Where neither says one of the two, the other counts alone; two that say nothing are alike. Only the first 2,000
    characters of each are looked at.
    """
    from rapidfuzz import fuzz

    (a_decision, a_reason), (b_decision, b_reason) = a, b
    decision = fuzz.ratio(a_decision[:_LETTERS_SCORED], b_decision[:_LETTERS_SCORED]) / 100
    if not (a_reason or b_reason):
        return decision
    reason = fuzz.ratio(a_reason[:_LETTERS_SCORED], b_reason[:_LETTERS_SCORED]) / 100
    if not (a_decision or b_decision):
        return reason
    return _DECISION_FRAC * decision + _REASONING_FRAC * reason


class Rewordings:
    """The search for rewordings in two chains.

    Args:
        a: The events of the first chain.
        b: The events of the second.
        lens: What of them is compared.
        options: The least similarity, and the bound on the work.
    """

    def __init__(self, a: Sequence[Event], b: Sequence[Event], lens: Lens, options: DiffOptions) -> None:
        self._a, self._b = a, b
        self._lens = lens
        self._least = options.min_similarity
        self._budget = options.max_comparisons
        self.narrowest: tuple[int, int] | None = None  # candidates looked at, of how many, where the bound was met

    def find(self, places: Sequence[tuple[list[int], list[int]]]) -> list[Pair]:
        """Pair the events left over in each gap.

        Args:
            places: For each gap, the places in either chain that have no partner.
        """
        found: list[Pair] = []
        groups = [group for gap in places for group in self._by_type(*gap)]
        found += self._pair_all(groups, worth=1.0)
        taken_a, taken_b = {x for x, _ in found}, {y for _, y in found}
        rest = [([x for x in xs if x not in taken_a], [y for y in ys if y not in taken_b]) for xs, ys in places]
        return found + self._pair_all([(xs, ys) for xs, ys in rest if xs and ys], worth=_OTHER_TYPE)

    def _by_type(self, xs: list[int], ys: list[int]) -> list[tuple[list[int], list[int]]]:
        groups: defaultdict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for x in xs:
            groups[self._a[x].type][0].append(x)
        for y in ys:
            groups[self._b[y].type][1].append(y)
        return [group for group in groups.values() if group[0] and group[1]]

    def _pair_all(self, groups: Sequence[tuple[list[int], list[int]]], *, worth: float) -> list[Pair]:
        needed = sum(len(xs) * len(ys) for xs, ys in groups)
        share = min(1.0, self._budget / needed) if needed else 1.0
        found: list[Pair] = []
        for xs, ys in groups:
            band = len(ys) if share == 1 else min(len(ys), max(_NARROWEST, int(len(ys) * share)))
            if band < len(ys) and (self.narrowest is None or len(ys) > self.narrowest[1]):
                self.narrowest = (band, len(ys))
            found += _Group(self._texts(self._a, xs), self._texts(self._b, ys), self._least / worth).pairs(xs, ys, band)
        return found

    def _texts(self, events: Sequence[Event], places: list[int]) -> list[Text]:
        text = self._lens.text
        return [
            (text(events[place], "decision")[:_LETTERS], text(events[place], "reasoning")[:_LETTERS])
            for place in places
        ]


class _Group:
    """Two lists of texts of which some may be rewordings of each other."""

    def __init__(self, a: list[Text], b: list[Text], least: float) -> None:
        self._a, self._b = a, b
        self._least = least

    def pairs(self, xs: list[int], ys: list[int], band: int) -> list[Pair]:
        """Return the pairs, as places in the chains.

        Args:
            xs: The place of each text of the first list.
            ys: The place of each of the second.
            band: How many candidates to look at for a text.
        """
        if self._least > 1:
            return []
        left_x, left_y = list(range(len(xs))), list(range(len(ys)))
        found: list[Pair] = []
        for _ in range(_ROUNDS):
            fresh = self._round(left_x, left_y, band)
            if not fresh:
                break
            found += fresh
            taken_x, taken_y = {x for x, _ in fresh}, {y for _, y in fresh}
            left_x = [x for x in left_x if x not in taken_x]
            left_y = [y for y in left_y if y not in taken_y]
            if not left_x or not left_y:
                break
        found += [(x, y) for x, y in zip(left_x, left_y, strict=False) if self._score(x, y) >= self._least]
        return [(xs[x], ys[y]) for x, y in found]

    def _score(self, x: int, y: int) -> float:
        return text_similarity(self._a[x], self._b[y])

    def _round(self, xs: list[int], ys: list[int], band: int) -> list[Pair]:
        """Return pairs, best first, each text at most once."""
        candidates: list[tuple[float, int, int]] = []
        decisions = [self._b[y][0] for y in ys]
        width = min(band, len(ys))
        for index, x in enumerate(xs):
            centre = index * len(ys) // len(xs)
            low = max(0, min(centre - width // 2, len(ys) - width))
            for other in self._nearest(x, decisions, centre, range(low, low + width)):
                score = self._score(x, ys[other])
                if score >= self._least:
                    cost = min(_MOST_COST, _PLACE_COST * abs(other - centre))
                    candidates.append((cost - score, x, ys[other]))
        candidates.sort()
        taken_x: set[int] = set()
        taken_y: set[int] = set()
        found: list[Pair] = []
        for _, x, y in candidates:
            if x not in taken_x and y not in taken_y:
                taken_x.add(x)
                taken_y.add(y)
                found.append((x, y))
        return found

    def _nearest(self, x: int, decisions: list[str], centre: int, among: range) -> set[int]:
        """Return which texts are worth a closer look: the nearest by place, and the most similar decisions."""
        near = set(range(max(among.start, centre - _NEAR), min(among.stop, centre + _NEAR + 1)))
        if len(among) <= len(near):
            return near
        from rapidfuzz import fuzz, process

        choices = decisions[among.start : among.stop]
        # what the decision must reach, were the reasons equal
        cutoff = max(0.0, 100 * (self._least - _REASONING_FRAC) / _DECISION_FRAC)
        best = process.extract(self._a[x][0], choices, scorer=fuzz.ratio, score_cutoff=cutoff, limit=_BEST)
        return near.union(among.start + index for _, _, index in best)
