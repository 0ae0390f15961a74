"""Assumption checks: shown, never gating, and no warning of a library escapes."""

from __future__ import annotations

import numpy as np
import pytest

from crucible import stats
from crucible.errors import StatsError
from crucible.stats import Check


def _by_name(checks: tuple[Check, ...]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_what_departs_has_a_small_p() -> None:
    """Exponential scores are not normal, and three times the spread is not the same; no word says that one holds."""
    random = np.random.default_rng(1)
    skewed, wide = random.exponential(size=200), random.normal(scale=3.0, size=200)
    found = stats.assumption_checks({"skewed": skewed, "wide": wide})
    assert [check.name for check in found] == ["shapiro_wilk", "anderson_darling"] * 2 + ["levene"]
    assert found[0].p is not None
    assert found[0].p < 1e-6
    assert found[4].p is not None
    assert found[4].p < 1e-6
    assert found[2].wording.startswith("Shapiro-Wilk on wide (200 scores): W = 0.99")
    assert "Levene (Brown-Forsythe) on skewed, wide: F = " in found[4].wording
    assert not any(word in check.wording for check in found for word in ("is normal", "holds", "equal variances found"))


def test_right_and_wrong_have_none() -> None:
    """No check of these says anything of zeros and ones."""
    assert stats.assumption_checks({"a": [0, 1, 1], "b": [1, 1, 0]}) == ()


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_too_few_scores_are_said(n: int) -> None:
    """No number is made up; the other column has its own."""
    found = stats.assumption_checks({"few": [2.0 + i for i in range(n)], "more": range(9)})
    shapiro, anderson, *of_more, levene = found
    for check in (anderson, *((shapiro,) if n < 3 else ()), *((levene,) if n < 2 else ())):
        assert (check.statistic, check.p) == (None, None)
        assert "not computed" in check.wording
    assert all(check.p is not None for check in of_more)


def test_beyond_5000_shapiro_is_not_computed() -> None:
    """Scipy would warn that its p-value may not be accurate; the others are."""
    found = _by_name(stats.assumption_checks({"many": np.random.default_rng(0).normal(size=5001)}))
    assert found["shapiro_wilk"].p is None
    assert "its p-value is known for 3 to 5000" in found["shapiro_wilk"].wording
    assert found["anderson_darling"].p is not None


def test_constant_scores_are_said() -> None:
    """No spread, no shape; and no division by zero."""
    for check in stats.assumption_checks({"a": [2.0] * 9, "b": [2.0] * 9}):
        assert check.p is None
        assert "not vary" in check.wording


@pytest.mark.parametrize("scale", [1e-120, 1e-8, 1.0, 1e120])
def test_scales(scale: float) -> None:
    """The same checks whatever the unit."""
    random = np.random.default_rng(3)
    a, b = random.normal(size=30), random.normal(size=30)
    plain, scaled = stats.assumption_checks({"a": a, "b": b}), stats.assumption_checks({"a": a * scale, "b": b * scale})
    for first, second in zip(plain, scaled, strict=True):
        assert (second.statistic, second.p) == pytest.approx((first.statistic, first.p), rel=1e-6)


def test_scores_that_are_no_numbers_are_refused() -> None:
    """With the column's name and the place."""
    with pytest.raises(StatsError, match=r"a\[1\] is nan"):
        stats.assumption_checks({"a": [1.0, float("nan")]})


def test_groups_show_them_too() -> None:
    """On the test of all groups and on the pairs, where a plan asks for it."""
    random = np.random.default_rng(3)
    groups = {label: random.normal(size=12).tolist() for label in "abc"}
    found = stats.compare_groups(groups, stats.Plan(checks=True))
    assert len(found.omnibus[0].checks) == 7
    assert all(len(one.result.checks) == 5 for one in found.contrasts)
    assert stats.compare_groups(groups).omnibus[0].checks == ()
