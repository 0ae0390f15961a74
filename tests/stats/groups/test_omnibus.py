"""Tests of all groups at once: values of scipy and statsmodels, the rule that chooses, effects and their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.oneway import anova_oneway

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.stats.groups.omnibus import omnibus_test
from crucible.stats.groups.variance_share import (
    SumsOfSquares,
    epsilon_squared,
    eta_squared,
    omega_squared,
    sums_of_squares,
)
from crucible.stats.result import Effect

# R's PlantGrowth: dried weight of plants under a control and two treatments (Dobson 1983, table 7.1).
PLANTS = {
    "ctrl": np.array([4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14]),
    "trt1": np.array([4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69]),
    "trt2": np.array([6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26]),
}
# R: friedman.test on RoundingTimes of Hollander & Wolfe (1973), p. 140ff: chi squared = 11.143, df = 2, p = 0.003805.
ROUNDING = np.array(
    [
        [5.40, 5.50, 5.55], [5.85, 5.70, 5.75], [5.20, 5.60, 5.50], [5.55, 5.50, 5.40], [5.90, 5.85, 5.70],
        [5.45, 5.55, 5.60], [5.40, 5.40, 5.35], [5.45, 5.50, 5.35], [5.25, 5.15, 5.00], [5.85, 5.80, 5.70],
        [5.25, 5.20, 5.10], [5.65, 5.55, 5.45], [5.60, 5.35, 5.45], [5.05, 5.00, 4.95], [5.50, 5.50, 5.40],
        [5.45, 5.55, 5.50], [5.55, 5.55, 5.35], [5.45, 5.50, 5.55], [5.50, 5.45, 5.25], [5.65, 5.60, 5.40],
        [5.70, 5.65, 5.55], [6.30, 6.30, 6.25],
    ]
)  # fmt: skip


class TestValues:
    """Numbers are scipy's and statsmodels', and those of R where R's documentation prints them."""

    def test_anova(self) -> None:
        """R: summary(aov(weight ~ group, PlantGrowth)): F(2, 27) = 4.846, p = 0.0159."""
        found = omnibus_test(PLANTS, "anova")
        expected = scipy_stats.f_oneway(*PLANTS.values())
        assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-12)
        assert (round(found.statistic, 3), round(found.p, 4), found.df, found.df_within) == (4.846, 0.0159, 2, 27)
        assert (found.n, found.groups, found.name) == (30, ("ctrl", "trt1", "trt2"), "anova")

    def test_welch(self) -> None:
        """R: oneway.test(weight ~ group, PlantGrowth): F = 5.181, denom df = 17.128, p = 0.01739."""
        found = omnibus_test(PLANTS, "welch_anova")
        expected = anova_oneway(list(PLANTS.values()), use_var="unequal", welch_correction=True)
        assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-12)
        assert found.df_within is not None
        assert (round(found.statistic, 3), round(found.df_within, 3), round(found.p, 5)) == (5.181, 17.128, 0.01739)
        assert "statsmodels" in found.versions

    def test_brown_forsythe(self) -> None:
        """`anova_oneway(use_var="bf")` of statsmodels, and Welch's t with two groups; chosen where groups are small."""
        small = {label: column[:6] for label, column in PLANTS.items()}
        found = omnibus_test(small)
        expected = anova_oneway(list(small.values()), use_var="bf")
        assert found.name == "brown_forsythe"
        assert "the smallest group has 6 scores, and Welch's analysis of variance of 3 groups needs 7" in found.method
        assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-12)
        assert omnibus_test({label: column[:7] for label, column in PLANTS.items()}).name == "welch_anova"
        assert (found.df, found.df_within) == pytest.approx(expected.df, rel=1e-12)
        uneven = {label: column[: 3 + i] for i, (label, column) in enumerate(PLANTS.items())}
        careful = omnibus_test(uneven)
        assert careful.statistic == pytest.approx(anova_oneway(list(uneven.values()), use_var="bf").statistic)
        assert careful.df_within == 2.0
        assert "those of the smallest group, which has few scores" in careful.method
        pair = {label: PLANTS[label] for label in ("ctrl", "trt1")}
        t = scipy_stats.ttest_ind(*pair.values(), equal_var=False)
        two = omnibus_test(pair, "brown_forsythe")
        assert (two.statistic, two.p) == pytest.approx((t.statistic**2, t.pvalue), rel=1e-9)

    def test_kruskal(self) -> None:
        """R: kruskal.test(weight ~ group, PlantGrowth): chi squared = 7.9882, df = 2, p = 0.01842."""
        found = omnibus_test(PLANTS, "kruskal")
        assert (round(found.statistic, 4), round(found.p, 5), found.df_within) == (7.9882, 0.01842, None)
        assert found.effect.name == "rank_epsilon_squared"
        assert found.effect.value == pytest.approx(7.9882 / 29, abs=1e-5)

    def test_friedman(self) -> None:
        """R: example(friedman.test), with Kendall's W = chi squared / (n (k - 1))."""
        found = omnibus_test({str(i): ROUNDING[:, i] for i in range(3)}, paired=True)
        assert (found.name, round(found.statistic, 3), round(found.p, 6)) == ("friedman", 11.143, 0.003805)
        assert found.effect.value == pytest.approx(found.statistic / 44)
        assert found.n == 22

    def test_two_groups_are_the_t_tests(self) -> None:
        """With two groups, F is Student's and Welch's t squared."""
        pair = {label: PLANTS[label] for label in ("ctrl", "trt1")}
        for test, equal in (("anova", True), ("welch_anova", False)):
            t = scipy_stats.ttest_ind(*pair.values(), equal_var=equal)
            found = omnibus_test(pair, test)
            assert (found.statistic, found.p) == pytest.approx((t.statistic**2, t.pvalue), rel=1e-9)

    def test_kruskal_of_right_and_wrong_is_the_chi_squared_test(self) -> None:
        """As `method` says: times (n - 1) / n."""
        groups = {
            "a": np.repeat([0.0, 1.0], [5, 15]),
            "b": np.repeat([0.0, 1.0], [9, 11]),
            "c": np.repeat([0, 1.0], 10),
        }
        chi2 = scipy_stats.chi2_contingency([[5, 9, 10], [15, 11, 10]], correction=False).statistic
        assert omnibus_test(groups).statistic == pytest.approx(chi2 * 59 / 60, rel=1e-12)


class TestRule:
    """What `auto` chooses, and what is refused."""

    def test_auto(self) -> None:
        """Welch's for scores, Kruskal's for right and wrong or a group without spread, Friedman's for pairs."""
        assert omnibus_test(PLANTS).name == "welch_anova"
        flat = {**PLANTS, "flat": np.full(5, 4.0)}
        assert (omnibus_test(flat).name, "does not vary" in omnibus_test(flat).method) == ("kruskal", True)
        assert omnibus_test({"a": np.array([0.0, 1, 1]), "b": np.array([0.0, 0, 1])}).name == "kruskal"
        assert omnibus_test(PLANTS, paired=True).name == "friedman"

    @pytest.mark.parametrize(
        ("groups", "test", "paired", "error", "message"),
        [
            ({"a": [1, 2], "b": [3]}, "auto", False, TooFewSamples, '"b" has 1'),
            (
                {"a": [1, 2], "b": [3, 4]},
                "friedman",
                False,
                StatsError,
                "not for groups of different items: use kruskal",
            ),
            ({"a": [1, 2], "b": [3, 4]}, "anova", True, StatsError, "not for groups of the same items: use friedman"),
            (
                {"a": [1, 2], "b": [3, 4]},
                "friedman",
                True,
                StatsError,
                "not applicable: 2 groups; Friedman's test needs 3",
            ),
            ({"a": [1, 1], "b": [3, 3]}, "anova", False, DegenerateSample, "no group varies"),
            ({"a": [1, 1], "b": [3, 4]}, "welch_anova", False, DegenerateSample, "a group does not vary"),
            ({"a": [1, 1], "b": [3, 3]}, "brown_forsythe", False, DegenerateSample, "no group varies"),
            ({"a": [1, 2], "b": [3, 4]}, "cochran_q", False, StatsError, "not for groups of different items"),
            ({"a": [1, 0], "b": [0, 1]}, "cochran_q", True, StatsError, "2 groups; Cochran's Q needs 3"),
            ({"a": [1, 2], "b": [1, 2], "c": [1, 1]}, "cochran_q", True, StatsError, "all 0 or 1; use friedman"),
            ({"a": [1, 0], "b": [1, 0], "c": [1, 0]}, "cochran_q", True, DegenerateSample, "all groups agree"),
            ({"a": [2, 2], "b": [2, 2]}, "kruskal", False, DegenerateSample, "all 4 scores are 2"),
            ({"a": [0, 0], "b": [0, 0]}, "auto", False, DegenerateSample, "all 4 scores are 0"),
            ({"a": [1, 2], "b": [1, 2], "c": [1, 2]}, "friedman", True, DegenerateSample, "all groups agree"),
        ],
    )
    def test_refusals(  # one row of the table
        self, groups: dict[str, list[float]], test: str, paired: bool, error: type[Exception], message: str
    ) -> None:
        """What a test cannot do is an error that says why, never a number."""
        arrays = {label: np.array(values, dtype=float) for label, values in groups.items()}
        with pytest.raises(error, match=message):
            omnibus_test(arrays, test, paired=paired)

    def test_wording(self) -> None:
        """It claims a difference somewhere, or no proof of equality; never which groups, never that they are equal."""
        found = omnibus_test(PLANTS)
        assert found.wording == (
            "A difference was found between 3 groups in score: Welch's analysis of variance, F(2, 17.13) = 5.181, "
            "p = 0.0174; which groups differ is for the comparisons of pairs to say."
        )
        assert found.to_dict()["verdict"] == "difference"
        none = omnibus_test(PLANTS, "kruskal", alpha=0.01)
        assert none.wording == (
            "No difference found between 3 groups in score: Kruskal-Wallis test, H(2) = 7.988, p = 0.0184; this is no "
            "proof that the groups are equal."
        )
        assert none.to_dict()["verdict"] == "no_difference_found"


class TestEffects:
    """Eta squared and omega squared."""

    def test_values(self) -> None:
        """By hand from the sums of squares of R's aov: 3.766 between and 10.492 within, 2 and 27 df."""
        assert omnibus_test(PLANTS, "anova").effect.value == pytest.approx(3.76634 / (3.76634 + 10.49209), abs=1e-6)
        mean_square = 10.49209 / 27
        omega = (3.76634 - 2 * mean_square) / (3.76634 + 10.49209 + mean_square)
        assert omnibus_test(PLANTS, "anova", effect="omega_squared").effect.value == pytest.approx(omega, abs=1e-6)

    @pytest.mark.parametrize("level", [0.9, 0.95])
    def test_the_interval_inverts_the_noncentral_f(self, level: float) -> None:
        """Steiger (2004): at the limits, scipy's non-central F has the tails of the level."""
        found = omnibus_test(PLANTS, "anova", level=level)
        interval = found.effect.interval
        assert interval is not None
        assert interval.low < found.effect.value < interval.high
        noncentralities = [30 * share / (1 - share) for share in (interval.low, interval.high)]
        tails = [float(scipy_stats.ncf.cdf(found.statistic, 2, 27, nc)) for nc in noncentralities]
        assert tails == pytest.approx([(1 + level) / 2, (1 - level) / 2], abs=1e-6)

    def test_groups_that_differ_less_than_by_chance_have_no_interval(self) -> None:
        """Both limits would be 0, a width that no sample earns; the estimates of the share are 0 and not below."""
        squares = SumsOfSquares(between=0.001, within=50.0, groups=3, n=30)
        assert eta_squared(squares, level=0.95).interval is None
        assert omega_squared(squares).value == epsilon_squared(squares).value == 0.0

    def test_an_interval_that_cannot_be_had_is_left_out(self) -> None:
        """No spread within groups, or an F beyond what the distribution function can do."""
        assert eta_squared(SumsOfSquares(4.0, 0.0, 2, 8), level=0.95).interval is None
        assert eta_squared(SumsOfSquares(1e12, 1.0, 2, 8), level=0.95).interval is None

    def test_an_effect_that_was_asked_for_is_given_and_said(self) -> None:
        """Beside any test of independent groups; not beside Friedman's, and `method` says so."""
        eta = omnibus_test(PLANTS, "kruskal", effect="eta_squared")
        assert (eta.effect.name, eta.effect.interval) == ("eta_squared", None)
        assert "in place of that effect eta squared, which was asked for, without interval" in eta.method
        assert "in place" not in omnibus_test(PLANTS, "anova", effect="eta_squared").method
        kelley = omnibus_test(PLANTS, "kruskal", effect="epsilon_squared").effect  # not that of the ranks
        assert kelley == epsilon_squared(sums_of_squares([np.array(group) for group in PLANTS.values()]))
        friedman = omnibus_test(PLANTS, paired=True, effect="omega_squared")
        assert friedman.effect.name == "kendalls_w"
        assert "omega squared was asked for and is not given" in friedman.method

    @pytest.mark.parametrize("effect", [omega_squared, epsilon_squared])
    def test_an_effect_of_variances_has_its_interval_where_these_are_equal(self, effect: Callable[..., Effect]) -> None:
        """Beside the classical analysis of variance, as the function of that name gives it; beside Welch's Box's."""
        name, columns = effect.__name__, [np.array(group) for group in PLANTS.values()]
        found = omnibus_test(PLANTS, "anova", effect=name, level=0.9)
        assert found.effect == effect(sums_of_squares(columns), level=0.9)
        assert found.effect.interval is not None
        assert f"{name.replace('_', ' ')}, which was asked for, with non-central F interval" in found.method
        welch = omnibus_test(PLANTS, "welch_anova", effect=name)
        assert welch.effect.value == found.effect.value
        assert welch.effect.interval == omnibus_test(PLANTS, "welch_anova").effect.interval
        assert f"{name.replace('_', ' ')}, which was asked for, with non-central F (Box) interval" in welch.method

    @given(
        st.lists(st.lists(st.floats(-100, 100), min_size=2, max_size=6), min_size=2, max_size=4).filter(
            lambda groups: max(map(max, groups)) - min(map(min, groups)) > 1e-3
        )
    )
    def test_shares_are_shares(self, groups: list[list[float]]) -> None:
        """All lie in [0, 1], omega squared not above eta squared, and in their interval; the sums of squares add up."""
        columns = [np.array(group) for group in groups]
        squares = sums_of_squares(columns)
        total = float(((np.concatenate(columns) - np.concatenate(columns).mean()) ** 2).sum())
        assert math.isclose(squares.between + squares.within, total, rel_tol=1e-9)
        eta, omega = eta_squared(squares).value, omega_squared(squares).value
        assert 0.0 <= eta <= 1.0
        assert 0.0 <= omega <= eta + 1e-12
        for effect in (omega_squared(squares, level=0.95), epsilon_squared(squares, level=0.95)):
            if effect.interval is not None:
                assert effect.interval.low - 1e-9 <= effect.value <= effect.interval.high + 1e-9

    def test_one_score_a_group_has_no_variance_within(self) -> None:
        """Refused, not divided by zero."""
        with pytest.raises(TooFewSamples, match="2 scores in 2 groups"):
            sums_of_squares([np.array([1.0]), np.array([2.0])])
