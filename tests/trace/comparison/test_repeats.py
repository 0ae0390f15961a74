"""Events with the same type and decision: which is which."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.trace import Chain, Event
from crucible.trace.comparison import DiffOptions, diff
from crucible.trace.comparison.alignment import common
from crucible.trace.comparison.content import Lens
from crucible.trace.comparison.repeats import Repeats


def _epochs(numbers: Iterable[int], more: float) -> Chain:
    chain = Chain("c")
    for number in numbers:
        told = {"epoch": number, "loss": 1 / number + more}
        chain.add(Event.new("epoch_completed", "Epoch completed", "r", metadata=told, confidence=number / 10))
    return chain


def test_repeated_words_are_told_apart_by_all_else() -> None:
    """Epochs that only their metadata tells apart are paired by it, and no confidence changes."""
    found = diff(_epochs(range(1, 7), 0), _epochs(range(3, 7), 0.01))
    assert [(each.a_place, each.b_place) for each in found.changed] == [(2, 0), (3, 1), (4, 2), (5, 3)]
    assert [each.place for each in found.removed] == [0, 1]
    assert not found.confidence_deltas
    back = diff(_epochs(range(3, 7), 0.01), _epochs(range(1, 7), 0))
    assert [(each.b_place, each.a_place) for each in back.changed] == [(2, 0), (3, 1), (4, 2), (5, 3)]
    assert back.similarity == found.similarity


def test_repeated_words_with_near_numbers() -> None:
    """Numbers that are close belong together."""
    chains = [Chain("c"), Chain("c")]
    for chain, confidences in zip(chains, ([0.11, 0.21, 0.31, 0.41], [0.1, 0.3, 0.4]), strict=True):
        for confidence in confidences:
            chain.add(Event.new("decision_made", "retry", "failed", confidence=confidence))
    found = diff(*chains)
    assert [each.place for each in found.removed] == [1]
    assert [each.delta for each in found.confidence_deltas] == [-0.01] * 3


def test_too_many_repeated_words_are_paired_in_order_and_said_so() -> None:
    """The choice has a bound, and a note says where it was met."""
    found = diff(_epochs(range(1, 7), 0), _epochs(range(3, 7), 0.01), DiffOptions(max_comparisons=10))
    assert len(found.changed) == 4
    assert "paired in their order" in found.notes[0]


@given(st.lists(st.integers(0, 2), max_size=6), st.lists(st.integers(0, 2), max_size=6), st.randoms())
@settings(deadline=None)
def test_the_choice_is_the_best(a: list[int], b: list[int], source: Random) -> None:
    """As many pairs as a longest common subsequence, in order, and of those the most alike: all others are tried."""
    chains = [[Event.new("t", f"{n}", "r", confidence=source.random()) for n in numbers] for numbers in (a, b)]
    repeats = Repeats(chains[0], chains[1], Lens(DiffOptions()), 10**6)
    longest, _ = common(a, b)
    found = repeats.chosen(longest, (range(len(a)), range(len(b))), (a, b))
    assert len(found) == len(longest)
    assert all(a[x] == b[y] for x, y in found)
    assert all(x < next_x and y < next_y for (x, y), (next_x, next_y) in itertools.pairwise(found))
    counts = Counter(a), Counter(b)
    if len({*a, *b}) != 1 or counts[0] == counts[1]:
        return

    def worth(pairs: Iterable[tuple[int, int]]) -> float:
        return sum(repeats._likeness(chains[0][x], chains[1][y]) for x, y in pairs)

    size = len(found)
    others = itertools.product(itertools.combinations(range(len(a)), size), itertools.combinations(range(len(b)), size))
    assert worth(found) == pytest.approx(max(worth(zip(xs, ys, strict=True)) for xs, ys in others))
