"""Splits, strata and folds: exact, seeded, and nobody is lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import Dataset, Item, Provenance
from crucible.data.allocation import folds, largest_remainder, stratified
from crucible.errors import DataError

KINDS = st.lists(st.integers(0, 4), min_size=2, max_size=60)


def dataset(kinds: list[int], groups: list[int] | None = None) -> Dataset:
    """Return one item a kind."""
    items = tuple(
        Item(f"i{n}", f"q{n}", "x", {"kind": kind, "of": {"group": groups[n] if groups else 0}})
        for n, kind in enumerate(kinds)
    )
    return Dataset("kinds", "train", items, Provenance(source="made here"))


def ids(data: Dataset) -> list[str]:
    """Return the ids in order."""
    return [item.id for item in data]


@pytest.mark.parametrize(
    ("sizes", "n", "shares"),
    [
        ([10, 10, 10], 10, [4, 3, 3]),
        ([1] * 6, 0, [0] * 6),
        ([5] * 6, 9, [2, 2, 2, 1, 1, 1]),
        ([70, 20, 10], 10, [7, 2, 1]),
        ([6, 3, 1], 5, [3, 2, 0]),
        ([10**18, 1], 10**18, [10**18 - 1, 1]),
        ([], 0, []),
        ([0, 4], 3, [0, 3]),
    ],
)
def test_shares_are_by_largest_remainder(sizes: list[int], n: int, shares: list[int]) -> None:
    """The predecessor gave 3 x 3 of ten and nothing to one of six; whole arithmetic is exact at any size."""
    assert largest_remainder(sizes, n) == shares


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.data())
def test_a_share_is_its_quota_rounded_one_way_or_the_other(sizes: list[int], data: st.DataObject) -> None:
    """The sum is exact, nobody gets more than he has, and each is within one of his quota."""
    total = sum(sizes)
    n = data.draw(st.integers(0, total))
    shares = largest_remainder(sizes, n)
    assert sum(shares) == n
    for size, share in zip(sizes, shares, strict=True):
        assert 0 <= share <= size
        assert abs(share * total - n * size) < total or total == 0


def test_more_than_there_is_cannot_be_shared() -> None:
    """Nor less than nothing."""
    for n in (-1, 4):
        with pytest.raises(DataError, match=f"cannot take {n} of 3 items"):
            largest_remainder([1, 2], n)


@given(KINDS, st.integers(0, 3), st.data())
def test_a_stratified_sample_has_exactly_its_shares(kinds: list[int], seed: int, data: st.DataObject) -> None:
    """In order, without repeats, the same again under the same seed."""
    n = data.draw(st.integers(0, len(kinds)))
    chosen = stratified(kinds, n, seed, purpose="test")
    assert chosen == sorted(set(chosen)) == stratified(kinds, n, seed, purpose="test")
    sizes = Counter(kinds)
    shares = dict(zip(sizes, largest_remainder(list(sizes.values()), n), strict=True))
    assert Counter(kinds[place] for place in chosen) == Counter(shares)


def test_a_sample_of_a_dataset_can_be_stratified() -> None:
    """By a field of the metadata, by the answer, or by a function; noted."""
    data = dataset([0] * 10 + [1] * 10 + [2] * 10)
    sample = data.sample(10, 0, by="kind")
    assert Counter(item.metadata["kind"] for item in sample) == {0: 4, 1: 3, 2: 3}
    assert sample.provenance.notes == ("sample of 10 of 30 items, seed 0, stratified by kind",)
    assert ids(sample) != ids(data.sample(10, 1, by="kind"))
    assert len(data.sample(10, 0, by="expected")) == 10
    by_place = data.sample(10, 0, by=lambda item: int(item.id[1:]) < 15)
    assert Counter(int(item.id[1:]) < 15 for item in by_place) == {True: 5, False: 5}


def test_strata_that_cannot_be_are_refused() -> None:
    """A field that is missing, and one whose value is a list."""
    data = dataset([0, 1])
    with pytest.raises(DataError, match='the item "i0" has no "knd" to be sorted by; it has: expected, kind, of'):
        data.sample(1, 0, by="knd")
    with pytest.raises(DataError, match="cannot be sorted by a dict"):
        data.sample(1, 0, by="of")


@given(KINDS, st.integers(0, 3), st.booleans(), st.data())
def test_a_split_puts_every_item_on_exactly_one_side(
    kinds: list[int], seed: int, by_kind: bool, data: st.DataObject
) -> None:
    """Of the size asked for, both in the old order."""
    size = data.draw(st.integers(1, len(kinds) - 1))
    whole = dataset(kinds)
    train, test = whole.train_test_split(size, seed, by="kind" if by_kind else None)
    assert len(test) == size
    order = {identity: place for place, identity in enumerate(ids(whole))}
    for part in (train, test):
        assert ids(part) == sorted(ids(part), key=order.__getitem__)
    assert sorted(ids(train) + ids(test)) == sorted(ids(whole))
    if by_kind:
        sizes = Counter(kinds)
        shares = dict(zip(sizes, largest_remainder(list(sizes.values()), size), strict=True))
        assert Counter(item.metadata["kind"] for item in test) == Counter(shares)


def test_a_split_is_named_and_noted() -> None:
    """A share or a number; the same seed gives the same sides."""
    data = dataset([0, 1] * 10)
    train, test = data.train_test_split(0.25, 7, by="kind")
    assert (len(train), len(test), train.split, test.split) == (15, 5, "train", "test")
    assert test.provenance.notes == ("5 of 20 items of train held out, seed 7, stratified by kind",)
    assert ids(test) == ids(data.train_test_split(0.25, 7, by="kind")[1])
    for size in (0, 20, -1):
        with pytest.raises(DataError, match=f"{size} of 20 items cannot be held out"):
            data.train_test_split(size, 0)
    with pytest.raises(DataError, match="between 0 and 1, got 1.5"):
        data.train_test_split(1.5, 0)


@given(KINDS, st.integers(0, 3), st.booleans(), st.data())
def test_every_item_is_in_the_test_of_exactly_one_fold(
    kinds: list[int], seed: int, by_kind: bool, data: st.DataObject
) -> None:
    """The predecessor left n mod k items out. Sizes differ by at most 1, and so do the counts of each stratum."""
    k = data.draw(st.integers(2, len(kinds)))
    whole = dataset(kinds)
    found = whole.k_fold(k, seed, by="kind" if by_kind else None)
    assert len(found) == k
    tested = [identity for fold in found for identity in ids(fold.test)]
    assert sorted(tested) == sorted(ids(whole))
    for fold in found:
        assert sorted(ids(fold.train) + ids(fold.test)) == sorted(ids(whole))
    sizes = [len(fold.test) for fold in found]
    assert max(sizes) - min(sizes) <= 1
    if by_kind:
        for kind in set(kinds):
            counts = [sum(item.metadata["kind"] == kind for item in fold.test) for fold in found]
            assert max(counts) - min(counts) <= 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=2, max_size=60), st.integers(0, 3), st.data())
def test_a_group_is_never_divided(pairs: list[tuple[int, int]], seed: int, data: st.DataObject) -> None:
    """Every item is tested once, no fold is empty, and no group is in training and test."""
    kinds, groups = [kind for kind, _ in pairs], [group for _, group in pairs]
    count = len(set(groups))
    if count < 2:
        with pytest.raises(DataError, match="folds of 1 groups cannot be"):
            folds(len(pairs), 2, seed, groups=groups)
        return
    k = data.draw(st.integers(2, count))
    whole = dataset(kinds, groups)
    for by in (None, "kind"):
        found = whole.k_fold(k, seed, by=by, groups="of.group")
        assert sorted(identity for fold in found for identity in ids(fold.test)) == sorted(ids(whole))
        for fold in found:
            assert len(fold.test)
            sides = [{item.metadata["of"]["group"] for item in part} for part in (fold.train, fold.test)]
            assert not sides[0] & sides[1]


def test_grouped_folds_are_even_where_they_can_be() -> None:
    """Twenty groups of five, half of each kind: five folds of four groups, ten items of each kind."""
    groups = [n // 5 for n in range(100)]
    kinds = [group % 2 for group in groups]
    for held in folds(100, 5, 0, strata=kinds, groups=groups):
        assert Counter(kinds[place] for place in held) == {0: 10, 1: 10}


@pytest.mark.parametrize("k", [0, 1, 4])
def test_a_number_of_folds_that_cannot_be_is_refused(k: int) -> None:
    """Two at least, one item each at most."""
    with pytest.raises(DataError, match=f"{k} folds of 3 items cannot be"):
        dataset([0, 0, 0]).k_fold(k, 0)


def test_folds_are_noted_and_follow_the_seed() -> None:
    """Which fold it is, of how many, and how it was made."""
    data = dataset([0, 1, 0, 1, 0])
    first, second = data.k_fold(2, 0, by="kind")
    assert first.test.provenance.notes == ("test of fold 1 of 2, seed 0, stratified by kind",)
    assert second.train.provenance.notes == ("training items of fold 2 of 2, seed 0, stratified by kind",)
    assert [ids(fold.test) for fold in data.k_fold(2, 0)] != [ids(fold.test) for fold in data.k_fold(2, 1)]
