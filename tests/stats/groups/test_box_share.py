"""Intervals of what groups explain, where variances differ or items are the same: against others and by coverage."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import special
from scipy import stats as scipy_stats
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.oneway import anova_oneway

from crucible import stats
from crucible.ir import Interval
from crucible.stats.groups.box_share import share_between_groups, share_within_items
from crucible.stats.groups.omnibus import omnibus_test

FloatArray = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator], list[FloatArray]]


def _groups(
    seed: int, sizes: tuple[int, ...], means: tuple[float, ...], spreads: tuple[float, ...]
) -> list[FloatArray]:
    random = np.random.default_rng(seed)
    return [random.normal(m, s, n) for n, m, s in zip(sizes, means, spreads, strict=True)]


class TestBetweenGroups:
    """Eta squared without equal variances; of ranks, epsilon squared."""

    def test_equal_variances_give_the_classical_interval(self) -> None:
        """Groups of one shape and size: Steiger's interval of eta squared, to the last digits."""
        one = np.array([1.0, 2.5, 3.0, 4.5, 7.0, 8.0])
        columns = [one, one + 1.0, one + 3.5]
        interval, classical = share_between_groups(columns, 0.95), stats.eta_squared(columns).interval
        assert interval is not None
        assert classical is not None
        assert (interval.low, interval.high) == pytest.approx((classical.low, classical.high), rel=1e-9)
        assert (interval.level, interval.method) == (0.95, "non-central F (Box)")

    def test_it_inverts_the_test_of_brown_and_forsythe(self) -> None:
        """At the limits scipy's non-central F has the tails, with F and Mehrotra's df of statsmodels."""
        columns = _groups(1, (7, 12, 25), (0.0, 2.0, 5.0), (1.0, 2.0, 3.0))
        found = anova_oneway(columns, use_var="bf")
        n = np.array([len(column) for column in columns])
        variances = np.array([column.var(ddof=1) for column in columns])
        expected, within = float(((1 - n / n.sum()) * variances).sum()), float((n * variances).sum())
        interval = share_between_groups(columns, 0.9)
        assert interval is not None
        tails = [
            float(
                scipy_stats.ncf.cdf(found.statistic, *found.df, limit / (1 - limit) * found.df[0] * within / expected)
            )
            for limit in (interval.low, interval.high)
        ]
        assert tails == pytest.approx([0.95, 0.05], abs=1e-6)

    @pytest.mark.parametrize(("factor", "shift"), [(1e-120, 0.0), (1e120, 0.0), (1.0, 1e9), (-3.0, 5.0)])
    def test_units_do_not_matter(self, factor: float, shift: float) -> None:
        """Nor an offset; a share has no unit."""
        groups = {str(i): column for i, column in enumerate(_groups(2, (9, 9, 9), (0, 1, 2), (1, 2, 1)))}
        moved = {label: column * factor + shift for label, column in groups.items()}
        for test in ("welch_anova", "brown_forsythe", "kruskal"):
            one, other = (omnibus_test(given, test).effect.interval for given in (groups, moved))
            assert one is not None
            assert other is not None
            assert (other.low, other.high) == pytest.approx((one.low, one.high), rel=1e-5)

    def test_where_there_is_none(self) -> None:
        """Groups that do not vary, and groups that differ less than by chance; the test says so in its method."""
        flat = [np.zeros(4), np.ones(4)]
        assert share_between_groups(flat, 0.95) is None
        alike = [np.arange(9.0), np.arange(9.0)[::-1], np.arange(9.0) + 1e-3]
        assert share_between_groups(alike, 0.95) is None
        found = omnibus_test({str(i): column for i, column in enumerate(alike)}, "brown_forsythe")
        assert found.effect.interval is None
        assert "eta squared without interval, which cannot be had here" in found.method

    def test_groups_that_hardly_vary(self) -> None:
        """Variances whose squares are no double any more: no interval or one below 1, never a division by 0."""
        tiny = [np.array([0.0, 1e-100, 2e-100]), np.array([1.0, 1.0, 1.0])]
        assert share_between_groups(tiny, 0.95) is None

    def test_kruskal_is_of_ranks(self) -> None:
        """The effect is eta squared of the ranks, which is H / (n - 1), and is called so; ties included."""
        columns = [np.round(column) for column in _groups(3, (10, 14, 9), (0, 1, 3), (1, 1, 2))]
        found = omnibus_test({str(i): column for i, column in enumerate(columns)}, "kruskal")
        ranks = scipy_stats.rankdata(np.concatenate(columns))
        ranked = np.split(ranks, [10, 24])
        assert found.effect.name == "rank_epsilon_squared"
        assert found.effect.value == pytest.approx(stats.eta_squared(ranked).value, rel=1e-12)
        assert found.effect.interval == share_between_groups(ranked, 0.95)
        assert "rank epsilon squared, H / (n - 1)" in found.method


class TestWithinItems:
    """Kendall's W, of ranks and of right and wrong."""

    def test_it_inverts_repeated_measures(self) -> None:
        """F of statsmodels' AnovaRM on the ranks, with Greenhouse and Geisser's epsilon from the covariances."""
        scores = np.random.default_rng(4).normal(size=(15, 4)) + np.array([0.0, 0.3, 0.6, 1.2])
        table = scipy_stats.rankdata(scores, axis=1)
        long = pd.DataFrame(table).melt(ignore_index=False, var_name="group", value_name="rank").reset_index()
        f = float(AnovaRM(long, "rank", "index", within=["group"]).fit().anova_table["F Value"].iloc[0])
        centring = np.eye(4) - 0.25
        eigenvalues = np.linalg.eigvalsh(centring @ np.cov(table.T) @ centring)[1:]
        df = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
        interval = share_within_items(table, 0.95)
        assert interval is not None
        assert interval.method == "non-central F (Box)"
        noncentralities = [15 * df * limit / (1 - limit) for limit in (interval.low, interval.high)]
        tails = [float(scipy_stats.ncf.cdf(f, df, df * 14, nc)) for nc in noncentralities]
        assert tails == pytest.approx([0.975, 0.025], abs=1e-6)

    def test_friedman_and_cochran_agree_on_right_and_wrong(self) -> None:
        """They are one test there, with one W and one interval, which holds W."""
        random = np.random.default_rng(5)
        groups = {str(p): (random.random(40) < p).astype(float) for p in (0.4, 0.6, 0.9)}
        found, ranks = (omnibus_test(groups, test, paired=True).effect for test in ("cochran_q", "friedman"))
        assert found.interval is not None
        assert ranks.interval is not None
        assert found.value == pytest.approx(ranks.value)
        assert (found.interval.low, found.interval.high) == pytest.approx((ranks.interval.low, ranks.interval.high))
        assert 0.0 <= found.interval.low < found.value < found.interval.high < 1.0

    def test_strong_agreement_asks_the_delta_method_too(self) -> None:
        """The interval holds that of Box alone, and says that it is the wider."""
        table = scipy_stats.rankdata(np.random.default_rng(6).normal(size=(50, 3)) + np.array([0, 2, 4]), axis=1)
        interval = share_within_items(table, 0.95)
        assert interval is not None
        assert "delta method" in interval.method
        assert 0.0 < interval.low < 0.85 < interval.high < 1.0

    def test_where_there_is_none(self) -> None:
        """Items that all rank alike show no spread to measure by; groups that hardly differ have limits of 0."""
        assert share_within_items(np.tile([1.0, 2.0, 3.0], (9, 1)), 0.95) is None
        rotated = np.array([[1.0, 2, 3], [2, 3, 1], [3, 1, 2]] * 4)
        assert share_within_items(rotated, 0.95) is None


def _normal(means: tuple[float, ...], spreads: tuple[float, ...], sizes: tuple[int, ...]) -> Draw:
    def draw(random: np.random.Generator) -> list[FloatArray]:
        return [random.normal(m, s, n) for n, m, s in zip(sizes, means, spreads, strict=True)]

    return draw


def _ranked(draw: Draw) -> Draw:
    def ranks(random: np.random.Generator) -> list[FloatArray]:
        columns = draw(random)
        ends = np.cumsum([len(column) for column in columns])[:-1]
        return np.split(scipy_stats.rankdata(np.concatenate(columns)), ends)

    return ranks


def _rows(means: tuple[float, ...], n: int) -> Draw:
    def draw(random: np.random.Generator) -> list[FloatArray]:
        return list(scipy_stats.rankdata(random.normal(size=(n, len(means))) + np.array(means), axis=1))

    return draw


def _right(shares: tuple[float, ...], n: int, spread: float) -> Draw:
    def draw(random: np.random.Generator) -> list[FloatArray]:
        chances = special.expit(special.logit(np.array(shares)) + random.normal(0.0, spread, (n, 1)))
        return list((random.random(chances.shape) < chances).astype(float))

    return draw


def _eta(columns: list[FloatArray]) -> float:
    return stats.eta_squared(columns).value


def _w(rows: list[FloatArray]) -> float:
    table = np.array(rows)
    around = table - table.mean(axis=1, keepdims=True)
    return len(table) * float((around.mean(axis=0) ** 2).sum()) / float((around**2).sum())


def _between(columns: list[FloatArray], level: float) -> Interval | None:
    return share_between_groups(columns, level)


def _within(rows: list[FloatArray], level: float) -> Interval | None:
    return share_within_items(np.array(rows), level)


def _coverage(draw: Draw, share: float, of: Callable[[list[FloatArray], float], Interval | None], times: int) -> float:
    random, held, made = np.random.default_rng(0), 0, 0
    for _ in range(times):
        interval = of(draw(random), 0.95)
        if interval is not None:
            made += 1
            held += interval.low <= share <= interval.high
    assert made > 0.9 * times
    return held / made


def test_coverage_of_one_point() -> None:
    """Unequal variances and sizes, 400 data sets: 93 to 99 % of the 95 % intervals hold the share."""
    sizes, means, spreads = (10, 20, 30), (0.0, 0.5, 1.0), (1.0, 2.0, 3.0)
    n, mu, variance = np.array(sizes), np.array(means), np.array(spreads) ** 2
    between = float((n * (mu - (n * mu).sum() / n.sum()) ** 2).sum())
    share = between / (between + float((n * variance).sum()))
    assert 0.93 <= _coverage(_normal(means, spreads, sizes), share, _between, 400) <= 0.99


GROUPED = {
    "nothing": ((10, 10, 10), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "spreads": ((10, 10, 10), (0.0, 0.5, 1.0), (1.0, 2.0, 3.0)),
    "sizes": ((10, 20, 40), (0.0, 0.5, 1.0), (3.0, 2.0, 1.0)),
    "one apart": ((50, 20, 20), (0.0, 0.0, 2.0), (1.0, 1.0, 3.0)),
    "four": ((8, 8, 8, 8), (0.0, 1.0, 2.0, 3.0), (1.0, 1.0, 1.0, 1.0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPED)
def test_coverage_between_groups(name: str) -> None:
    """1,500 data sets each: at least 92 % of scores and 90 % of ranks, whose truth is of 2,000 times the scores."""
    sizes, means, spreads = GROUPED[name]
    n, mu = np.array(sizes), np.array(means)
    between = float((n * (mu - (n * mu).sum() / n.sum()) ** 2).sum())
    share = between / (between + float((n * np.array(spreads) ** 2).sum()))
    assert _coverage(_normal(means, spreads, sizes), share, _between, 1_500) >= 0.92
    many = _ranked(_normal(means, spreads, tuple(2_000 * size for size in sizes)))
    of_ranks = _eta(many(np.random.default_rng(1))) if share else 0.0
    assert _coverage(_ranked(_normal(means, spreads, sizes)), of_ranks, _between, 1_500) >= 0.90


WITHIN: dict[str, tuple[Callable[[int], Draw], int]] = {
    "nothing": (lambda n: _rows((0.0, 0.0, 0.0), n), 10),
    "weak": (lambda n: _rows((0.0, 0.5, 1.0), n), 20),
    "medium": (lambda n: _rows((0.0, 1.0, 2.0), n), 50),
    "medium, few": (lambda n: _rows((0.0, 1.0, 2.0), n), 20),
    "strong": (lambda n: _rows((0.0, 1.5, 3.0), n), 20),
    "very strong": (lambda n: _rows((0.0, 2.0, 4.0), n), 50),
    "one apart": (lambda n: _rows((0.0, 0.0, 3.0), n), 30),
    "six": (lambda n: _rows((0.0, 0.5, 1.0, 1.5, 2.0, 3.0), n), 20),
    "shares": (lambda n: _right((0.4, 0.5, 0.7), n, 2.0), 100),
    "rare": (lambda n: _right((0.9, 0.92, 0.97), n, 1.0), 50),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHIN)
def test_coverage_within_items(name: str) -> None:
    """1,500 data sets each: at least 91 %; the truth is that of 300,000 items."""
    of, n = WITHIN[name]
    share = 0.0 if name == "nothing" else _w(of(300_000)(np.random.default_rng(1)))
    assert _coverage(of(n), share, _within, 1_500) >= 0.91
