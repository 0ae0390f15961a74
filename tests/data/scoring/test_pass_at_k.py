from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.data import DataError
from crucible.data.scoring import pass_at_k


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_the_estimate_is_the_exact_share_of_choices(counts: tuple[int, int, int]) -> None:
    """1 - C(n-c, k) / C(n, k), in whole numbers."""
    n, c, k = counts
    exact = 1 - Fraction(comb(n - c, k), comb(n, k))
    assert pass_at_k(n, c, k) == pytest.approx(float(exact), rel=1e-9, abs=1e-12)


def test_it_is_not_the_biased_estimate() -> None:
    """Half of 4 pass: one of two drawn without putting back passes in 5 of 6 cases, not in 3 of 4."""
    assert pass_at_k(4, 2, 2) == pytest.approx(5 / 6)


def test_it_is_unbiased() -> None:
    """Its mean over how many of 6 pass is 1 - (1-p)^k, for any p."""
    p, n, k = 0.3, 6, 3
    mean = sum(comb(n, c) * p**c * (1 - p) ** (n - c) * pass_at_k(n, c, k) for c in range(n + 1))
    assert mean == pytest.approx(1 - (1 - p) ** k, rel=1e-12)


def test_many_programs_overflow_nothing() -> None:
    """C(100000, 50000) is no double."""
    assert pass_at_k(100_000, 1, 50_000) == pytest.approx(0.5)
    assert pass_at_k(100_000, 0, 50_000) == 0.0


@pytest.mark.parametrize(
    ("n", "c", "k", "message"),
    [
        (1, 2, 1, "passed, got 2|passed <= samples"),
        (2, -1, 1, "passed"),
        (2, 1, 3, "pass@3 needs"),
        (2, 1, 0, "pass@0"),
    ],
)
def test_counts_out_of_range_are_refused(n: int, c: int, k: int, message: str) -> None:
    """pass@k says nothing of fewer than k programs."""
    with pytest.raises(DataError, match=message):
        pass_at_k(n, c, k)
