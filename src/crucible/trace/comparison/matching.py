"""Which event of one chain is which of the other: by id, by position or by content.

By content, what both chains say in the same order comes first (a longest common subsequence of whole events, then of
type and decision in the gaps, where repeated ones are told apart by what else they say), then what they say in another
order, then what is left in a gap, or in gaps near each other, in other words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import msgspec

from crucible.trace.comparison.alignment import Pair, common, gaps, increasing, nth_with_nth
from crucible.trace.comparison.content import Lens, frozen
from crucible.trace.comparison.options import DiffOptions
from crucible.trace.comparison.repeats import Repeats
from crucible.trace.comparison.rewording import Rewordings, text_similarity
from crucible.trace.event import Event

__all__ = ["Matching", "Numbers", "match", "out_of_order"]

_CHANGED_WORTH = 0.7  # of a pair with the same words but other fields, where a whole equal one counts 1
_ASTRAY_WORTH = 0.4  # of a pair that is out of order, where the same in order counts 1
_NEIGHBOURS = 3  # pairs between two gaps that are still near each other
_TOO_LONG = (
    "The chains are too long for an exact alignment; the n-th equal event of each was the landmark, so some may be "
    "shown as moved that a longer look would have found in place."
)
_TOO_MANY = (
    "Too many events share type and decision to choose among all by what else they say; some of them were paired in "
    "their order (max_comparisons is {:,})."
)


class Numbers(msgspec.Struct, frozen=True):
    """Two chains with a number for each event's content: the same where the content is.

    Args:
        a: The events of the first chain.
        b: The events of the second.
        a_numbers: The number of each event's content.
        b_numbers: The same for the second chain.
    """

    a: Sequence[Event]
    b: Sequence[Event]
    a_numbers: list[int]
    b_numbers: list[int]


class Matching(msgspec.Struct, frozen=True):
    """Pairs of places, each place in at most one, in the order of the first chain.

    Args:
        pairs: The pairs.
        matched_by: How they were found.
        notes: What the reader must know of it.
    """

    pairs: list[Pair]
    matched_by: str
    notes: list[str]


def match(chains: Numbers, lens: Lens, options: DiffOptions) -> Matching:
    """Pair the events of two chains as the options say."""
    if options.match_by == "position":
        shortest = min(len(chains.a), len(chains.b))
        return Matching([(place, place) for place in range(shortest)], "position", [])
    if options.match_by == "id" or (options.match_by == "auto" and _share_ids(chains)):
        return _by_id(chains)
    return _by_content(chains, lens, options)


def _share_ids(chains: Numbers) -> bool:
    """Whether more than half of the shorter chain's events have their id and type in the other."""
    ids_a = Counter((frozen(event.id), event.type) for event in chains.a)
    ids_b = Counter((frozen(event.id), event.type) for event in chains.b)
    return 2 * (ids_a & ids_b).total() > min(len(chains.a), len(chains.b))


def _by_id(chains: Numbers) -> Matching:
    ids_a, ids_b = _numbered([frozen(event.id) for event in chains.a], [frozen(event.id) for event in chains.b])
    repeated = len(ids_a) + len(ids_b) - len(set(ids_a)) - len(set(ids_b))
    notes = ["Some ids are repeated; the n-th bearer of an id was matched with the n-th in the other chain."]
    return Matching(nth_with_nth(ids_a, ids_b), "id", notes if repeated else [])


def _numbered(a: list[Hashable], b: list[Hashable]) -> tuple[list[int], list[int]]:
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(key, len(numbers)) for key in a], [numbers.setdefault(key, len(numbers)) for key in b]


def _by_content(chains: Numbers, lens: Lens, options: DiffOptions) -> Matching:
    search = _Search(chains, lens, options)
    whole, is_exact = common(chains.a_numbers, chains.b_numbers)
    backbones = [search.filled(whole)]
    if 2 * len(whole) < min(len(chains.a), len(chains.b)):
        # Little is equal, so what is may be so by chance (two losses with the same digits), and hold all else askew.
        backbones += [search.by_subject(), search.by_type()] if whole else [search.by_type()]
    distinct = [each for place, each in enumerate(backbones) if each not in backbones[:place]]
    completed = [search.completed(each) for each in distinct]
    best = max(completed, key=lambda each: (search.worth(each[0]), each[1] is None)) if completed[1:] else completed[0]
    pairs, bound = best
    notes = [] if is_exact and search.is_exact else [_TOO_LONG]
    if distinct[completed.index(best)] in search.by_order:
        notes.append(_TOO_MANY.format(options.max_comparisons))
    if bound is not None:
        looked, among = bound
        notes.append(
            f"Too much was reworded to compare all with all: an event was compared with those at about the same place "
            f"only, with {looked:,} of {among:,} in the largest gap (max_comparisons is {options.max_comparisons:,})."
        )
    return Matching(pairs, "content", notes)


class _Search:
    """The search for what two chains have in common by content."""

    def __init__(self, chains: Numbers, lens: Lens, options: DiffOptions) -> None:
        self._chains = chains
        self._lens = lens
        self._least = options.min_similarity
        a, b = chains.a, chains.b
        self._subjects = _numbered([lens.subject(event) for event in a], [lens.subject(event) for event in b])
        self._options = options
        self.is_exact = True
        self.by_order: list[list[Pair]] = []  # alignments of which repeated words were too many to choose among

    def filled(self, whole: list[Pair]) -> list[Pair]:
        """Return the pairs with those between them that have the same type and decision."""
        a, b = self._subjects
        pairs = list(whole)
        repeats = Repeats(self._chains.a, self._chains.b, self._lens, self._options.max_comparisons)
        for xs, ys in gaps(whole, len(a), len(b)):
            if xs and ys:
                inner = self._common(a[xs.start : xs.stop], b[ys.start : ys.stop])
                found = [(xs.start + x, ys.start + y) for x, y in inner]
                pairs += repeats.chosen(found, (xs, ys), self._subjects)
        pairs.sort()
        if repeats.is_spent:
            self.by_order.append(pairs)
        return pairs

    def by_subject(self) -> list[Pair]:
        """Return the pairs of the same type and decision in the same order."""
        return self.filled([])

    def by_type(self) -> list[Pair]:
        """Return the pairs of the same type in the same order, of those that are alike enough in words."""
        a, b = self._chains.a, self._chains.b
        types = _numbered([event.type for event in a], [event.type for event in b])
        return [pair for pair in self._common(*types) if self._alike(*pair) >= self._least]

    def _common(self, a: list[int], b: list[int]) -> list[Pair]:
        pairs, is_exact = common(a, b)
        self.is_exact = self.is_exact and is_exact
        return pairs

    def _alike(self, x: int, y: int) -> float:
        a, b, text = self._chains.a[x], self._chains.b[y], self._lens.text
        return text_similarity((text(a, "decision"), text(a, "reasoning")), (text(b, "decision"), text(b, "reasoning")))

    def completed(self, in_order: list[Pair]) -> tuple[list[Pair], tuple[int, int] | None]:
        """Return the pairs with those that stand elsewhere, and those that are reworded in the gaps.

        Beside them, where the bound on the work was met: how many candidates were looked at, of how many.
        """
        known = in_order + _elsewhere(self._chains.a_numbers, self._chains.b_numbers, in_order, is_unique=False)
        known += _elsewhere(*self._subjects, known, is_unique=True)
        taken_a, taken_b = {x for x, _ in known}, {y for _, y in known}
        regions = list(gaps(in_order, len(self._chains.a), len(self._chains.b)))
        rewordings = Rewordings(self._chains.a, self._chains.b, self._lens, self._options)
        for each in (regions, _neighbourhoods(regions)):
            left = [([x for x in xs if x not in taken_a], [y for y in ys if y not in taken_b]) for xs, ys in each]
            found = rewordings.find([(xs, ys) for xs, ys in left if xs and ys])
            taken_a |= {x for x, _ in found}
            taken_b |= {y for _, y in found}
            known += found
        return sorted(known), rewordings.narrowest

    def worth(self, pairs: list[Pair]) -> float:
        """Return how well pairs explain the two chains: the more they are alike and in order, the better."""
        astray = out_of_order(pairs)
        total = 0.0
        for x, y in pairs:
            is_equal = self._chains.a_numbers[x] == self._chains.b_numbers[y]
            worth = 1.0 if is_equal else _CHANGED_WORTH * self._alike(x, y)
            total += _ASTRAY_WORTH * worth if x in astray else worth
        return total


def _neighbourhoods(regions: list[tuple[range, range]]) -> list[tuple[range, range]]:
    """Join gaps that few pairs part: an event may have been reworded and have changed places with its neighbour."""
    joined: list[tuple[range, range]] = []
    for xs, ys in regions:
        if joined and xs.start - joined[-1][0].stop <= _NEIGHBOURS:
            last_xs, last_ys = joined.pop()
            xs, ys = range(last_xs.start, xs.stop), range(last_ys.start, ys.stop)  # noqa: PLW2901  # the joined gap
        joined.append((xs, ys))
    return joined


def _elsewhere(a: list[int], b: list[int], known: list[Pair], *, is_unique: bool) -> list[Pair]:
    """Return the pairs of equal numbers among the places without a partner.

    Args:
        a: A number for each place of the first chain.
        b: The same for the second.
        known: The pairs that are found.
        is_unique: Whether only numbers count that are left once in either chain.
    """
    taken_a, taken_b = {x for x, _ in known}, {y for _, y in known}
    left_a = [x for x in range(len(a)) if x not in taken_a]
    left_b = [y for y in range(len(b)) if y not in taken_b]
    numbers_a, numbers_b = [a[x] for x in left_a], [b[y] for y in left_b]
    pairs = [(left_a[x], left_b[y]) for x, y in nth_with_nth(numbers_a, numbers_b)]
    if not is_unique:
        return pairs
    counts_a, counts_b = Counter(numbers_a), Counter(numbers_b)
    return [(x, y) for x, y in pairs if counts_a[a[x]] == counts_b[b[y]] == 1]


def out_of_order(pairs: Sequence[Pair]) -> set[int]:
    """Return the fewest places of the first chain whose pairs, left out, leave the same order in both."""
    kept = set(increasing([y for _, y in pairs]))
    return {x for index, (x, _) in enumerate(pairs) if index not in kept}
