"""Corrections for several comparisons."""

from __future__ import annotations

import pytest

from crucible import stats
from crucible.errors import StatsError


def test_none_changes_nothing() -> None:
    """The order and the values stay."""
    assert stats.correct([0.5, 0.01], "none") == [0.5, 0.01]


@pytest.mark.parametrize("method", ["bonferroni", "holm", "hochberg", "bh", "by"])
def test_one_comparison_needs_no_correction(method: str) -> None:
    """One p-value stays as it is, none stay none."""
    assert stats.correct([0.03], method) == [0.03]
    assert stats.correct([], method) == []


@pytest.mark.parametrize("method", ["bonferroni", "holm", "hochberg", "bh", "by"])
def test_order_is_kept_and_nothing_exceeds_one(method: str) -> None:
    """Adjusted values stand where theirs stood, are no smaller, and are probabilities."""
    p = [0.9, 0.001, 0.5, 0.04]
    adjusted = stats.correct(p, method)
    assert all(raw <= new <= 1.0 for raw, new in zip(p, adjusted, strict=True))
    assert adjusted.index(min(adjusted)) == 1


def test_aliases() -> None:
    """People write it in many ways."""
    p = [0.01, 0.02, 0.5]
    assert stats.correct(p, "benjamini_hochberg") == stats.correct(p, "fdr-bh") == stats.correct(p, "BH")
    assert stats.correct(p, "Simes-Hochberg") == stats.correct(p, "hochberg")


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_named(bad: float) -> None:
    """The place is in the message."""
    with pytest.raises(StatsError, match=r"p_values\[1\]"):
        stats.correct([0.5, bad])


def test_an_unknown_method_has_a_hint() -> None:
    """Did you mean."""
    with pytest.raises(StatsError, match='unknown correction "bonferoni"; did you mean "bonferroni"'):
        stats.correct([0.5], "bonferoni")
