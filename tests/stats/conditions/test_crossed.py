"""Items x prompts: both are samples, the standard error is that of both, and the result says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Failed, Scored
from crucible.stats import clustered_difference, detectable_difference
from crucible.stats.conditions.crossed import crossed_paired
from crucible.stats.conditions.design import compare_conditions
from crucible.stats.conditions.observations import Condition, Observation
from crucible.stats.significance.tdist import critical_t

FIXED = "the prompts are all there are of interest: no claim is made for others"
Table = np.ndarray[Any, Any]


def _tables(items: int = 20, prompts: int = 5, *, luck: float = 0.5, seed: int = 1) -> tuple[Table, Table]:
    """Scores by (item, prompt) of two models; what a prompt does to one of them it does on all items."""
    random = np.random.default_rng(seed)
    old = random.normal(size=(items, prompts))
    new = old + 0.2 + luck * random.normal(size=prompts) + random.normal(size=(items, 1))
    new = new + 0.5 * random.normal(size=old.shape)
    return old, new


def _condition(label: str, table: Table, *, prompts: str = "p", cluster: Any = None, **more: Any) -> Condition:
    found = (
        Observation(f"q{i}", Scored(float(v)), prompt=f"{prompts}{j}", cluster=cluster(i) if cluster else "")
        for (i, j), v in np.ndenumerate(table)
    )
    return Condition(label, "score", tuple(found), **more)


def _compared(old: Table, new: Table, **options: Any) -> Any:
    return compare_conditions(_condition("old", old), _condition("new", new), **options)


def test_the_standard_error_is_that_of_items_and_prompts() -> None:
    """As `clustered_difference` has it, and statsmodels' OLS with two groupings, to 1e-9; the df are the prompts' 4."""
    old, new = _tables()
    found = _compared(old, new)
    item, prompt = (axis.ravel() for axis in np.indices(old.shape))
    known = clustered_difference(old.ravel(), new.ravel(), item, crossed=prompt)
    assert "in its place" not in found.method
    assert (found.name, found.df, found.n) == ("crossed_ttest", 4.0, 20)
    assert (found.difference, found.p) == (pytest.approx(known.mean, rel=1e-12), pytest.approx(known.p, rel=1e-9))
    assert found.interval.low == pytest.approx(known.interval.low, rel=1e-9)
    fit = sm.OLS((new - old).ravel(), np.ones(old.size)).fit(
        cov_type="cluster", cov_kwds={"groups": np.column_stack([item, prompt])}
    )
    assert found.interval.high - found.difference == pytest.approx(critical_t(4.0, 0.95) * float(fit.bse[0]), rel=1e-9)


def test_it_says_that_prompts_are_a_sample() -> None:
    """In the method, in the sentence, in the counts; and no longer that they are all there are."""
    found = _compared(*_tables())
    assert "two-way cluster-robust (CR1) standard error of items and prompts and 4 degrees of freedom" in found.method
    assert "made of the means of item-prompt pairs (100 measurements of 20 items of old" in found.method
    assert "on the same 20 items under the same 5 prompts" in found.wording
    assert "t-test with two-way clustered standard errors" in found.wording
    assert (found.counts["pairs"], found.counts["prompts"], found.counts["cells"]) == (20, 5, 100)
    assert FIXED not in found.assumptions
    assert any(told.startswith("5 prompts are few: the interval is wide") for told in found.assumptions)
    assert not any("prompts are few" in told for told in _compared(*_tables(prompts=10)).assumptions)


def test_a_test_of_item_means_speaks_of_these_prompts_alone() -> None:
    """Named by the caller, or with the prompts given as repeats; the interval is shorter, for a smaller claim."""
    old, new = _tables()
    crossed, means = _compared(old, new), _compared(old, new, test="paired_ttest")
    assert means.name == "paired_ttest"
    assert FIXED in means.assumptions
    assert means.difference == pytest.approx(crossed.difference, rel=1e-12)
    assert means.interval.high - means.interval.low < crossed.interval.high - crossed.interval.low
    assert _compared(old, new, test="wilcoxon").name == "wilcoxon"
    assert _compared(old, new, test="t-test").name == "crossed_ttest"
    with pytest.raises(StatsError, match='"crossed_ttest" is not available for paired scores'):
        compare_conditions(_condition("a", old[:, :1]), _condition("b", new[:, :1]), test="crossed_ttest")


@pytest.mark.parametrize("kind", ["one prompt an item", "other prompts on either side", "one item a prompt"])
def test_prompts_that_do_not_cross_the_items_are_no_sample(kind: str) -> None:
    """Then items are averaged over the prompts, and the result says that it is about these prompts."""
    old, new = _tables()
    if kind == "one prompt an item":
        sides = [
            Condition(name, "x", tuple(Observation(f"q{i}", Scored(float(v)), prompt=f"p{i % 2}")
                                       for i, v in enumerate(side[:, 0])))
            for name, side in (("old", old), ("new", new))
        ]  # fmt: skip
    elif kind == "one item a prompt":
        sides = [
            Condition(name, "x", tuple(Observation(f"q{i}", Scored(float(v)), prompt=f"p{i}.{j}")
                                       for (i, j), v in np.ndenumerate(side)))
            for name, side in (("old", old), ("new", new))
        ]  # fmt: skip
    else:
        sides = [_condition("old", old), _condition("new", new, prompts="r")]
    found = compare_conditions(*sides)
    assert found.name == "paired_ttest"
    assert FIXED in found.assumptions


def test_clusters_of_items_take_the_place_of_the_items() -> None:
    """Passages x prompts: the result counts passages, and each item still counts once."""
    old, new = _tables(prompts=12)
    sides = [_condition(name, side, cluster=lambda i: f"c{i // 5}") for name, side in (("old", old), ("new", new))]
    found = compare_conditions(*sides)
    assert (found.name, found.df, found.counts["clusters"]) == ("crossed_ttest", 3.0, 4)
    assert "20 items in 4 clusters under 12 prompts" in found.method
    item, prompt = (axis.ravel() for axis in np.indices(old.shape))
    known = clustered_difference(old.ravel(), new.ravel(), item // 5, crossed=prompt)
    assert found.p == pytest.approx(known.p, rel=1e-9)


def test_each_item_counts_once_whatever_failed() -> None:
    """A pair that failed on one side is left out on both, and counted; the item keeps its weight."""
    old, new = _tables()
    base, treated = _condition("old", old), _condition("new", new)
    first = Observation("q0", Failed("timeout"), prompt="p0")
    broken = Condition("new", "score", (first, *treated.observations[1:]))
    found = compare_conditions(base, broken)
    rows = (new - old).mean(axis=1)
    rows[0] = (new - old)[0, 1:].mean()
    assert found.difference == pytest.approx(rows.mean(), rel=1e-12)
    assert found.counts["cells"] == 99
    assert "1 of 200 measurements failed and were left out" in found.failures
    assert "1 of 100 item-prompt pairs were left out for want of a score on both sides" in found.failures
    assert compare_conditions(base, broken, failures="zero").counts["cells"] == 100


def test_prompts_of_one_side_are_refused_or_dropped_and_counted() -> None:
    """As items are."""
    old, new = _tables()
    sides = _condition("old", old), _condition("new", new[:, :4])
    with pytest.raises(StatsError, match=r'not asked under the same prompts: 1 only in old \("p4"\); evaluate both'):
        compare_conditions(*sides)
    found = compare_conditions(*sides, unmatched="drop")
    assert found.counts["prompts"] == 4
    assert found.failures == 'prompts that one side has not were dropped (1 only in old ("p4"))'
    assert found.p == pytest.approx(_compared(old[:, :4], new[:, :4]).p, rel=1e-12)


def test_repeats_under_prompts_are_one_pair() -> None:
    """Three answers to an item under a prompt count once, with their mean."""
    old, new = _tables()
    random = np.random.default_rng(4)
    noise = random.normal(size=(2, 3, *old.shape))
    noise -= noise.mean(axis=1, keepdims=True)
    sides = [
        Condition(name, "score", tuple(Observation(f"q{i}", Scored(float(side[i, j] + extra[k, i, j])), str(k), f"p{j}")
                                       for k, i, j in np.ndindex(extra.shape)))
        for name, side, extra in (("old", old, noise[0]), ("new", new, noise[1]))
    ]  # fmt: skip
    assert compare_conditions(*sides).p == pytest.approx(_compared(old, new).p, rel=1e-9)


def test_what_does_not_differ_has_an_honest_answer() -> None:
    """All right on both sides: McNemar's test of the items, as without prompts, which says that prompts are fixed."""
    found = _compared(np.ones((20, 3)), np.ones((20, 3)))
    assert (found.name, found.p) == ("mcnemar", 1.0)
    assert FIXED in found.assumptions
    chess = (np.indices((4, 4)).sum(axis=0) % 2).astype(float)
    with pytest.raises(DegenerateSample, match="the differences of 4 items under 4 prompts do not vary"):
        _compared(1.0 - chess, chess)


def test_too_few_of_either_are_told_with_counts() -> None:
    """One prompt, or one cluster, has no spread."""
    cells = {("q0", "p0"): 1.0, ("q1", "p0"): 2.0}
    with pytest.raises(TooFewSamples, match="2 items and 1 prompts have scores on both sides"):
        crossed_paired(cells, {cell: value + 1.0 for cell, value in cells.items()})


def test_planning_knows_its_degrees_of_freedom() -> None:
    """What a repetition with as many prompts could find is more than its items alone would say."""
    old, new = _tables()
    crossed = detectable_difference(_compared(old, new))
    assert crossed.effect > detectable_difference(_compared(old, new, test="paired_ttest")).effect


def test_ignoring_prompts_finds_what_is_not_there() -> None:
    """The reason for all this: under the null, a t-test of item means finds a difference in far more than 5 %."""
    random = np.random.default_rng(8)
    found = {"paired_ttest": 0, "auto": 0}
    for _ in range(100):
        old = random.normal(size=(30, 10))
        new = old + 0.5 * random.normal(size=10) + random.normal(size=old.shape)
        for test in found:
            found[test] += _compared(old, new, test=test).p < 0.05
    assert found["paired_ttest"] > 20
    assert found["auto"] <= 6 + 3 * (100 * 0.05 * 0.95) ** 0.5
