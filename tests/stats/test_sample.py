"""Scores are read strictly: the place of what is wrong is named, and nothing is dropped or filled."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crucible import stats
from crucible.errors import StatsError, TooFewSamples
from crucible.stats.sample import independent_columns, paired_columns


@pytest.mark.parametrize(
    "column",
    [
        [0, 1, 1],
        (0.0, 1.0, 1.0),
        [False, True, True],
        np.array([0, 1, 1], dtype=np.int8),
        np.array([0, 1, 1], dtype=np.float32),
        pd.Series([0, 1, 1], index=[9, 8, 7]),
        pd.Series([0, 1, 1], dtype="Int64"),
        [Decimal(0), Fraction(1), np.float64(1)],
        iter([0, 1, 1]),
    ],
)
def test_any_column_of_numbers_will_do(column: Any) -> None:
    """Lists, tuples, booleans, arrays, series, decimals and iterators read as the same three scores."""
    x, y = paired_columns(column, [1.0, 1.0, 0.0])
    assert x.tolist() == [0.0, 1.0, 1.0]
    assert y.dtype == np.float64


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([0.0, float("nan"), 1.0], r"baseline\[1\] is nan \(1 such\): drop the item, or give it a score"),
        ([0.0, 1.0, float("-inf")], r"baseline\[2\] is -inf"),
        ([0.0, 1.0, 1e200], r"baseline\[2\] is 1e\+200, too large to square"),
        ([0.0, None, 1.0], r"baseline\[1\] is None, expected a number"),
        ([0.0, "1", 1.0], r"baseline\[1\] is .*'1'.*, expected a number"),
        ([0.0, object(), 1.0], r"baseline\[1\] is <object"),
        ([0.0, 10**400, 1.0], r"baseline\[1\]"),
        (["a", "b", "c"], r"baseline\[0\]"),
        ([1j, 0, 0], r"baseline\[0\]"),
        ("011", "baseline is text"),
        ([[0.0], [1.0], [1.0]], "one column of numbers, got 2 dimensions"),
        ([[0.0], [1.0, 2.0], [1.0]], "one column of numbers"),
        (np.ma.array([0.0, 1.0, 1.0], mask=[0, 1, 0]), "masked"),
        (pd.Series([0, None, 1], dtype="Int64"), r"baseline\[1\]"),
    ],
)
def test_what_is_no_number_is_named(column: Any, message: str) -> None:
    """A bad score is an error that says where it stands."""
    with pytest.raises(StatsError, match=message):
        paired_columns(column, [1.0, 1.0, 0.0])


def test_a_bad_score_by_id_is_named_by_id() -> None:
    """With mappings the id is the place."""
    with pytest.raises(StatsError, match=r"treatment\['q2'\] is nan"):
        stats.compare({"q1": 1, "q2": 0}, {"q1": 1, "q2": float("nan")})


def test_unequal_lengths_are_refused() -> None:
    """Pairs cannot be guessed."""
    with pytest.raises(StatsError, match="baseline has 3, treatment has 2"):
        paired_columns([1, 0, 1], [1, 0])


@pytest.mark.parametrize(("x", "y"), [([], []), ([1], [0])])
def test_fewer_than_two_pairs_are_too_few(x: list[int], y: list[int]) -> None:
    """One pair has no spread and no pair has nothing."""
    with pytest.raises(TooFewSamples, match="at least 2 pairs"):
        paired_columns(x, y)


def test_fewer_than_two_scores_a_side_are_too_few() -> None:
    """The side is named."""
    with pytest.raises(TooFewSamples, match="treatment has 1"):
        independent_columns([1, 2, 3], [4])


def test_ids_on_one_side_only_are_named_a_few_of_them() -> None:
    """Three of them, and how many more."""
    baseline = {f"q{i}": 1.0 for i in range(10)}
    treatment = {f"q{i}": 1.0 for i in range(5)}
    with pytest.raises(StatsError, match="5 ids are only in baseline: 'q5', 'q6', 'q7' and 2 more"):
        stats.compare_paired(baseline, treatment)
    with pytest.raises(StatsError, match="5 ids are only in treatment"):
        stats.compare(treatment, baseline)


def test_a_mapping_and_a_list_do_not_mix() -> None:
    """One side by id and the other by position is a mistake."""
    with pytest.raises(StatsError, match="one side is a mapping by id"):
        stats.compare({"a": 1, "b": 2}, [1, 2])


def test_mappings_pair_by_id_whatever_their_order() -> None:
    """The order of a dictionary does not matter."""
    x = {"a": 0.1, "b": 0.5, "c": 0.9}
    y = {"c": 1.0, "a": 0.3, "b": 0.4}
    assert stats.compare(x, y) == stats.compare_paired([0.1, 0.5, 0.9], [0.3, 0.4, 1.0])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({1.0, 2.0, 3.0}, "baseline is a set, which has no order and holds each score once"),
        (3.0, "baseline is 3.0, expected a column of numbers"),
        (None, "baseline is None, expected a column of numbers"),
    ],
)
def test_what_is_no_column_is_refused(column: Any, message: str) -> None:
    """A set would be paired in an order that nobody chose, and one number is no column."""
    with pytest.raises(StatsError, match=message):
        paired_columns(column, [1.0, 2.0, 3.0])
