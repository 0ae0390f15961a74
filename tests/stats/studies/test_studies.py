"""A/B tests, ablations and sweeps: what they conclude from conditions, in numbers and in words."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from scipy import stats as scipy_stats

from crucible import stats
from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Failed, Interval, Skipped
from crucible.stats import rendering
from crucible.stats.bench.scores import FailurePolicy
from crucible.stats.conditions.design import Design
from crucible.stats.conditions.observations import Condition, Observation, Scored, condition_of_scores
from crucible.stats.studies import Decision, Guardrail, Trial, ab_test, ablation, sweep
from crucible.stats.studies.condition_mean import condition_mean
from crucible.stats.studies.guardrail import non_inferiority_p

N = 80
Make = Callable[..., Condition]


@pytest.fixture
def numbers() -> Make:
    """Return what makes a condition of numbers on the same items, shifted, with noise of its own."""
    random = np.random.default_rng(20_261)
    hard = random.random(N)

    def make(label: str, shift: float = 0.0, *, metric: str = "f1", noise: float = 0.1, prefix: str = "q") -> Condition:
        values = hard + shift + random.normal(scale=noise, size=N)
        scores = {f"{prefix}{i}": float(value) for i, value in enumerate(values)}
        return condition_of_scores(label, scores, metric=metric, is_share=False)

    return make


def test_an_improvement_with_guardrails_that_hold(numbers: Make) -> None:
    """Better in the primary metric, cost not worse by the margin: the decision, and all p-values corrected together."""
    found = ab_test(
        [numbers("old"), numbers("old", metric="cost")],
        [numbers("new", 0.2), numbers("new", 0.01, metric="cost")],
        primary="f1",
        guardrails=[Guardrail("cost", 0.1, higher_is_better=False)],
    )
    assert found.decision is Decision.IMPROVED
    (guard,) = found.guardrails
    assert guard.holds
    assert [found.primary.p_adjusted, guard.p_adjusted] == pytest.approx(stats.correct([found.primary.p, guard.p]))
    assert found.primary.comparisons == 2
    assert found.wording.startswith("new is better in f1 and all guardrails hold. A difference was found")
    assert "Guardrail cost: new is not worse than old by more than the margin of 0.100" in found.wording


def test_a_guardrail_that_is_not_shown_to_hold(numbers: Make) -> None:
    """No difference found is not enough: with a margin that the uncertainty reaches, the guardrail stays open."""
    found = ab_test(
        [numbers("old"), numbers("old", metric="safety", noise=0.5)],
        [numbers("new", 0.2), numbers("new", metric="safety", noise=0.5)],
        primary="f1",
        guardrails=[Guardrail("safety", 0.01)],
    )
    assert found.decision is Decision.IMPROVED_GUARDRAIL_OPEN
    assert found.guardrails[0].result.verdict == "no_difference_found"
    assert "better in f1; not shown to hold: safety." in found.wording
    assert "new is not shown to be not worse than old by more than the margin" in found.wording


def test_worse_and_no_difference(numbers: Make) -> None:
    """The direction counts, and nothing found is worded as nothing found."""
    assert ab_test(numbers("old"), numbers("new", -0.2)).decision is Decision.WORSE
    assert ab_test(numbers("old"), numbers("new", -0.2), higher_is_better=False).decision is Decision.IMPROVED
    none = ab_test(numbers("old"), numbers("new", noise=0.5))
    assert none.decision is Decision.NO_DIFFERENCE_FOUND
    assert none.wording.startswith("No difference was found in f1, which is no proof that there is none.")
    assert none.primary.p_adjusted is None


def test_metrics_are_looked_up(numbers: Make) -> None:
    """What is missing, double, or not named is an error that says what there is."""
    two = [numbers("a"), numbers("a", metric="cost")]
    with pytest.raises(StatsError, match="name the primary metric, which decides: both sides have f1, cost"):
        ab_test(two, two)
    with pytest.raises(StatsError, match='the baseline has no metric "f2"'):
        ab_test(two, two, primary="f2")
    with pytest.raises(StatsError, match="names one twice"):
        ab_test(two, two, primary="f1", guardrails=[Guardrail("f1", 0.1)])
    with pytest.raises(StatsError, match="two conditions of one metric"):
        ab_test([two[0], two[0]], two, primary="f1")
    with pytest.raises(StatsError, match='the margin of "x" must be a number above 0, got 0.0'):
        Guardrail("x", 0.0)


def test_failures_are_counted_in_every_study(numbers: Make) -> None:
    """A failed item is left out and told; under `abort` it ends the study, under `zero` it counts."""
    broken = numbers("new", 0.2)
    first = broken.observations[0]
    broken = msgspec.structs.replace(
        broken, observations=(msgspec.structs.replace(first, outcome=Failed("timeout")), *broken.observations[1:])
    )
    found = ab_test(numbers("old"), broken)
    assert found.primary.counts["treatment_failed"] == 1
    assert found.primary.n == N - 1
    assert "1 of 160 measurements failed" in found.wording
    assert ab_test(numbers("old"), broken, design=Design(failures=FailurePolicy.ZERO)).primary.n == N
    with pytest.raises(StatsError, match="abort"):
        ab_test(numbers("old"), broken, design=Design(failures=FailurePolicy.ABORT))
    assert sweep({"a": numbers(""), "b": broken}).trials[0].counts.failed == 1


# The p-value against a margin, by each kind of test


def test_margin_of_paired_numbers_is_the_shifted_t_test() -> None:
    """Against `scipy.stats.ttest_1samp(differences, -margin, alternative="greater")`, and mirrored for a cost."""
    random = np.random.default_rng(7)
    x = random.normal(size=30)
    y = x + random.normal(-0.05, 0.3, size=30)
    result = stats.compare_paired(x, y)
    expected = scipy_stats.ttest_1samp(y - x, -0.2, alternative="greater").pvalue
    assert non_inferiority_p(result, Guardrail("m", 0.2)) == pytest.approx(expected, rel=1e-9)
    mirrored = scipy_stats.ttest_1samp(y - x, 0.2, alternative="less").pvalue
    assert non_inferiority_p(result, Guardrail("m", 0.2, higher_is_better=False)) == pytest.approx(mirrored, rel=1e-9)


def test_margin_of_independent_numbers_is_the_shifted_welch_test() -> None:
    """Against `scipy.stats.ttest_ind(treatment + margin, baseline, equal_var=False, alternative="greater")`."""
    random = np.random.default_rng(8)
    x, y = random.normal(size=30), random.normal(0.1, 2.0, size=45)
    expected = scipy_stats.ttest_ind(y + 0.5, x, equal_var=False, alternative="greater").pvalue
    assert non_inferiority_p(stats.compare(x, y), Guardrail("m", 0.5)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("only_base", "only_treated", "pairs"), [(5, 3, 40), (2, 4, 25), (12, 12, 100), (6, 2, 50)])
def test_margin_of_paired_shares_agrees_with_tangos_interval(only_base: int, only_treated: int, pairs: int) -> None:
    """The p-value is alpha exactly where the margin is the limit of Tango's interval at level 1 - 2 alpha."""
    result = stats.mcnemar(only_base, only_treated, pairs)
    for alpha in (0.05, 0.01):
        interval = stats.tango_difference(only_base, only_treated, pairs, level=1 - 2 * alpha)
        assert interval.low < 0.0 < interval.high
        assert non_inferiority_p(result, Guardrail("m", -interval.low)) == pytest.approx(alpha, rel=1e-6)
        as_cost = Guardrail("m", interval.high, higher_is_better=False)
        assert non_inferiority_p(result, as_cost) == pytest.approx(alpha, rel=1e-6)
    assert non_inferiority_p(result, Guardrail("m", 1.0)) == 0.0


def test_margin_of_independent_shares_agrees_with_newcombes_interval() -> None:
    """The p-value is alpha exactly where the margin is the limit of Newcombe's interval; sides and signs mirror."""
    x, y = [1] * 40 + [0] * 10, [1] * 42 + [0] * 8
    result = stats.compare(x, y)
    assert result.name == "fisher"
    low = stats.newcombe_difference(40, 50, 42, 50, level=0.9).low
    assert non_inferiority_p(result, Guardrail("m", -low)) == pytest.approx(0.05, rel=1e-6)
    as_cost = Guardrail("m", -low, higher_is_better=False)
    assert non_inferiority_p(stats.compare(y, x), as_cost) == pytest.approx(0.05, rel=1e-6)
    assert non_inferiority_p(result, Guardrail("m", 1.0)) == 0.0


def test_margin_where_no_item_differs() -> None:
    """The chance that none of n items falls where enough do for the mean to lose the margin: (1 - m / range) ** n."""
    scores = [0.0, 0.25, 1.0, 0.5, 0.75, 0.5]
    result = stats.compare_paired(scores, scores)
    assert result.name == "sign"
    assert non_inferiority_p(result, Guardrail("m", 0.4)) == pytest.approx(0.6**6, rel=1e-9)
    assert non_inferiority_p(result, Guardrail("m", 2.0)) == 0.0


def test_a_forced_test_has_no_margin() -> None:
    """A rank test shows no mean, so it cannot guard one."""
    result = stats.compare_paired([1.0, 2, 3, 4, 5, 6], [2.0, 2.5, 3.25, 4.7, 6, 7.5], test="wilcoxon")
    with pytest.raises(StatsError, match="wilcoxon has no test against a margin"):
        non_inferiority_p(result, Guardrail("m", 0.1))


# Ablation


def test_ablation_sorts_by_contribution_and_corrects(numbers: Make) -> None:
    """Full minus without: the most useful part first, each with its interval, corrected, and none called useless."""
    full = numbers("full", 0.3)
    found = ablation(full, {"prompt": numbers("x", 0.2), "retrieval": numbers("y"), "cache": numbers("z", 0.3)})
    assert found.parts[:2] == ("retrieval", "prompt")
    assert [one.difference for one in found.contributions] == sorted(
        (one.difference for one in found.contributions), reverse=True
    )
    assert found.contributions[0].difference == pytest.approx(0.3, abs=0.05)
    assert (found.contributions[0].baseline, found.contributions[0].treatment) == ("without retrieval", "full")
    assert {one.correction for one in found.contributions} == {"holm"}
    assert found.found == ("retrieval", "prompt")
    assert "no difference found, which is no proof that they do nothing: cache" in found.wording
    assert "each part was taken away by itself" in found.wording


def test_a_part_that_harms_is_named(numbers: Make) -> None:
    """Where the system is better without it, and where lower is better."""
    full = numbers("full")
    assert ablation(full, {"noise": numbers("x", 0.2)}).harmful == ("noise",)
    as_cost = ablation(full, {"noise": numbers("x", 0.2), "b": numbers("y", -0.2)}, higher_is_better=False)
    assert (as_cost.found, as_cost.harmful) == (("noise",), ("b",))
    assert as_cost.parts == ("noise", "b")
    assert "better without: b" in as_cost.wording


def test_ablation_refuses(numbers: Make) -> None:
    """No parts, other items, and differences that never vary are errors that name the part."""
    full = numbers("full")
    with pytest.raises(StatsError, match="at least one part"):
        ablation(full, {})
    with pytest.raises(StatsError, match="full without cache: no item is in both"):
        ablation(full, {"cache": numbers("x", prefix="other")})
    shifted = condition_of_scores("s", {one.item: one.outcome.value + 1.0 for one in full.observations})  # type: ignore[union-attr]
    with pytest.raises(DegenerateSample, match="full without cache"):
        ablation(full, {"cache": shifted})


# Sweep


def test_sweep_finds_the_best_and_its_ties(numbers: Make) -> None:
    """The best by mean first; what the corrected tests do not tell apart from it is tied, and that is no equality."""
    shifts = {1e-4: 0.0, 3e-4: 0.3, 1e-3: 0.29}
    trials = [Trial({"lr": lr, "rank": 8}, numbers("", shift)) for lr, shift in shifts.items()]
    found = sweep(trials)
    assert found.best == found.trials[0].label
    assert found.parameters in ({"lr": 3e-4, "rank": 8}, {"lr": 1e-3, "rank": 8})
    assert set(found.tied) == {"lr=0.0003, rank=8", "lr=0.001, rank=8"}
    assert [one.treatment for one in found.comparisons] == [one.label for one in found.trials[1:]]
    assert {one.baseline for one in found.comparisons} == {found.best}
    assert "Statistically tied with it, which is no proof of equality" in found.wording
    assert "optimistically biased" in found.wording
    assert "winner's curse" in found.wording
    assert "only items that it was not chosen by say by how much" in found.wording


def test_sweep_corrects_for_all_pairs(numbers: Make) -> None:
    """Since the best was chosen by the scores, its k - 1 comparisons count as part of k (k - 1) / 2."""
    found = sweep({name: numbers("", shift) for name, shift in (("a", 0.0), ("b", 0.05), ("c", 0.02), ("d", 0.03))})
    expected = stats.correct([*(one.p for one in found.comparisons), 1.0, 1.0, 1.0])[:3]
    assert [one.p_adjusted for one in found.comparisons] == pytest.approx(expected)
    assert {one.comparisons for one in found.comparisons} == {6}
    assert any("corrected for all 6 pairs of 4 trials" in line for line in found.comparisons[0].assumptions)


def test_held_out_items_give_another_estimate(numbers: Make) -> None:
    """The best is looked up among the held-out measurements, its mean there and the optimism are told."""
    trials = {"a": numbers("", 0.0), "b": numbers("", 0.3)}
    held = {name: numbers("", 0.1, prefix="h") for name in trials}
    found = sweep(trials, held_out=held)
    assert found.held_out is not None
    mean = np.mean(list(held["b"].item_means().values()))
    assert found.held_out.estimate.mean == pytest.approx(mean)
    assert found.held_out.optimism == pytest.approx(found.trials[0].mean - mean)
    assert f"On items that it was not chosen by: mean {mean:.3f}" in found.wording
    assert sweep(trials, held_out=held["b"]).held_out == found.held_out


def test_held_out_items_must_be_other_items(numbers: Make) -> None:
    """The same items, another metric, or measurements of another trial are refused."""
    trials = {"a": numbers("", 0.0), "b": numbers("", 0.3)}
    with pytest.raises(StatsError, match="80 held-out items were in the sweep"):
        sweep(trials, held_out=numbers("b"))
    with pytest.raises(StatsError, match='the best is "b", and the held-out measurements have none of it'):
        sweep(trials, held_out={"a": numbers("", prefix="h")})
    with pytest.raises(StatsError, match="measured by cost, and the trials by f1"):
        sweep(trials, held_out=numbers("", prefix="h", metric="cost"))


def test_sweep_refuses(numbers: Make) -> None:
    """No trials, two of one name, two metrics and a trial without scores are named."""
    with pytest.raises(StatsError, match="at least one trial"):
        sweep([])
    with pytest.raises(StatsError, match='two trials are called "lr=1"'):
        sweep([Trial({"lr": 1}, numbers("")), Trial({"lr": 1}, numbers(""))])
    with pytest.raises(StatsError, match="different metrics: cost, f1"):
        sweep({"a": numbers(""), "b": numbers("", metric="cost")})
    nothing = condition_of_scores("x", {"a": Failed("e"), "b": Skipped("s")}, metric="f1")
    with pytest.raises(TooFewSamples, match="x: none of 2 items has a score"):
        sweep({"x": nothing})


def test_one_trial_is_a_sweep_too(numbers: Make) -> None:
    """Nothing to compare, no curse, no correction; lower can be the better."""
    found = sweep({"only": numbers("")})
    assert found.comparisons == ()
    assert "curse" not in found.wording
    assert sweep({"a": numbers("", 0.2), "b": numbers("")}, higher_is_better=False).best == "b"


# The mean of one condition


def test_intervals_of_a_mean_fit_how_it_was_measured() -> None:
    """Wilson's for shares, cluster-robust t for clusters, Student's t else, none where the scores do not vary."""
    shares = condition_of_scores("s", {"a": 1, "b": 0, "c": 1})
    assert condition_mean(shares, Design()).interval == stats.wilson(2, 3)
    means = condition_of_scores("m", {"a": [1, 0], "b": [1, 1], "c": [0, 0]})
    assert condition_mean(means, Design(level=0.9)).interval == stats.mean_interval([0.5, 1.0, 0.0], 0.9)
    clustered = Condition(
        "c",
        "f1",
        tuple(
            Observation(f"q{i}", Scored(x), cluster=f"c{i // 2}") for i, x in enumerate([0.1, 0.3, 0.5, 0.9, 0.2, 0.3])
        ),
    )
    found = condition_mean(clustered, Design()).interval
    expected = stats.mean_interval([0.2, 0.7, 0.25])  # clusters of one size: the t interval of their means
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert isinstance(found, Interval)
    assert condition_mean(condition_of_scores("k", {"a": 0.5, "b": 0.5}), Design()).interval is None


def test_every_study_is_plain_data_and_can_be_told(numbers: Make) -> None:
    """Markdown, HTML, LaTeX and JSON of each study hold its sentences and its tables."""
    studies = [
        ab_test(
            [numbers("old"), numbers("old", metric="cost")],
            [numbers("new", 0.2), numbers("new", metric="cost")],
            primary="f1",
            guardrails=[Guardrail("cost", 0.1)],
        ),
        ablation(numbers("full", 0.3), {"a": numbers(""), "b": numbers("")}),
        sweep({"a": numbers(""), "b": numbers("", 0.2)}, held_out=numbers("", prefix="h")),
    ]
    captions = [("Primary", "Guardrails"), ("Contributions",), ("Trials", "Comparisons", "Held out")]
    for study, expected in zip(studies, captions, strict=True):
        assert json.loads(rendering.to_json(study)) == json.loads(json.dumps(study.to_dict()))
        text = rendering.to_markdown(study)
        for caption in expected:
            assert f"**{caption}**" in text
        assert rendering.to_html(study).count("<table") >= len(expected) + 1
        assert rendering.to_latex(study).count(r"\begin{table}") >= len(expected) + 1


def test_no_direction_is_claimed_that_means_and_ranks_do_not_share() -> None:
    """20 of 21 pairs rise and one falls by as much as all of them gain: different, and neither better nor worse."""
    old = condition_of_scores("old", dict.fromkeys(range(21), 0.0))
    new = condition_of_scores("new", {i: 1.0 if i else -20.5 for i in range(21)})
    for higher_is_better in (True, False):
        found = ab_test(old, new, design=Design(test="wilcoxon"), higher_is_better=higher_is_better)
        assert found.decision is Decision.DIRECTION_NOT_FOUND
        assert found.wording.startswith("new differs in score, and whether it is better was not found.")
        assert "which of the two scores higher was not found" in found.primary.wording
        parts = ablation(new, {"part": old}, design=Design(test="wilcoxon"), higher_is_better=higher_is_better)
        assert (parts.found, parts.harmful) == ((), ())
        assert "no difference found" not in parts.wording
    told = sweep({"old": old, "new": new}, design=Design(test="wilcoxon")).wording
    assert "Every other was found to differ from it." in told
    plain = ab_test(old, condition_of_scores("new", {i: 1.0 + i % 2 for i in range(21)}))
    assert (plain.primary.direction, plain.decision) == (1, Decision.IMPROVED)
