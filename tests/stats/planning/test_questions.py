"""One vocabulary for planning: a design and what is known go in, the one missing number comes out."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from crucible import stats
from crucible.errors import StatsError, TooFewSamples
from crucible.stats import Planned, planning

DESIGNS: list[tuple[str, dict[str, Any], int, float]] = [
    ("one_sample", {}, 40, 0.4),
    ("paired", {}, 40, 0.4),
    ("independent", {"ratio": 2.0}, 40, 0.5),
    ("welch", {"baseline_sd": 1.0, "treatment_sd": 2.0}, 60, 0.8),
    ("anova", {"groups": 4}, 30, 0.3),
    ("proportion", {"baseline": 0.5}, 80, 0.15),
    ("proportions", {"baseline": 0.3}, 22, 0.4),
    ("proportions", {"baseline": 0.4, "test": "z"}, 50, 0.3),
    ("proportions", {"baseline": 0.4, "test": "z", "by": "normal"}, 50, 0.3),
    ("mcnemar", {"discordant": 0.3}, 120, 0.15),
    ("mcnemar", {"baseline_only": 0.1}, 120, 0.15),
    ("repeats", {"between_variance": 0.1, "within_variance": 0.2, "repeats": 4}, 80, 0.15),
]
NAMED = pytest.mark.parametrize(
    ("design", "fields", "n", "effect"), DESIGNS, ids=[f"{name}-{'-'.join(more)}" for name, more, _, _ in DESIGNS]
)


@NAMED
def test_each_missing_number_is_found_from_the_others(
    design: str, fields: dict[str, Any], n: int, effect: float
) -> None:
    """Power of n; then n of that power, the effect of n, and alpha: each leads back to where it came from."""
    at = stats.power(design, n=n, effect=effect, **fields)
    assert 0.3 < at.power < 0.99
    sized = stats.sample_size(design, effect=effect, power=at.power - 1e-9, **fields)
    assert sized.power >= at.power - 1e-9
    assert sized.n == n or planning.DESIGNS[design](**fields).is_stepped
    found = stats.detectable_effect(design, n=n, power=at.power, **fields)
    assert found.effect == pytest.approx(effect, rel=1e-8)
    needed = stats.needed_alpha(design, n=n, effect=effect, power=at.power - 1e-9, **fields)
    assert needed.alpha <= 0.05 * (1 + 1e-6)
    assert needed.power >= at.power - 1e-9


@NAMED
def test_more_items_more_effect_and_more_alpha_have_more_power(
    design: str, fields: dict[str, Any], n: int, effect: float
) -> None:
    """Power rises in n, effect and alpha; asking for more power never needs fewer items (as it once did)."""
    at = stats.power(design, n=n, effect=effect, **fields).power
    assert stats.power(design, n=2 * n, effect=effect, **fields).power > at
    assert stats.power(design, n=n, effect=1.2 * effect, **fields).power > at
    assert stats.power(design, n=n, effect=effect, alpha=0.2, **fields).power > at
    sizes = [stats.sample_size(design, effect=effect, power=share, **fields).n for share in (0.6, 0.8, 0.9, 0.95)]
    assert sizes == sorted(set(sizes))


@NAMED
def test_an_answer_survives_json_and_says_itself(design: str, fields: dict[str, Any], n: int, effect: float) -> None:
    """Plain JSON data and back; one sentence with the numbers, the method, the assumptions, the versions."""
    answer = stats.power(design, n=n, effect=effect, **fields)
    data = json.loads(json.dumps(answer.to_dict()))
    assert Planned.from_dict(data) == answer
    assert data["wording"] == answer.wording
    assert answer.wording.count(". ") == 0
    assert answer.wording.endswith(".")
    assert ("approximat" in answer.method) == (design == "welch" or fields.get("by") == "normal")
    assert ("exact" in answer.method) != ("approximat" in answer.method) or design == "proportion"
    assert answer.assumptions
    assert answer.versions["scipy"]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            lambda: stats.sample_size("paired", effect=0.2, power=0.8),
            "199 pairs are needed to find an effect of +0.200 standard deviations of the differences (Cohen's dz) with "
            "80 % power (two-sided, alpha = 0.05); they have 80.17 %.",
        ),
        (
            lambda: stats.power("independent", n=(90, 60), effect=0.6, alternative="greater"),
            "With 90 baseline and 60 treatment scores, the power to find an effect of +0.600 standard deviations "
            "(Cohen's d) is 97.37 % (one-sided, greater, alpha = 0.05).",
        ),
        (
            lambda: stats.detectable_effect("mcnemar", n=500, discordant=0.1),
            "With 500 pairs, the smallest effect found with 80 % power is +0.0407 in the share of successes "
            "(two-sided, alpha = 0.05).",
        ),
        (
            lambda: stats.needed_alpha("paired", n=50, effect=0.3),
            "With 50 pairs, to find an effect of +0.300 standard deviations of the differences (Cohen's dz) with 80 % "
            "power takes an alpha of 0.2064 (two-sided).",
        ),
        (
            lambda: stats.sample_size("anova", groups=3, measure="eta_squared", effect=0.06),
            "3 groups of 52 scores are needed to find an effect of +0.0600 (eta squared) with 80 % power (F-test, "
            "alpha = 0.05); they have 80.56 %.",
        ),
        (
            lambda: stats.sample_size("non_inferiority", margin=0.5, sd=2.0),
            "101 pairs are needed to show non-inferiority by a margin of 0.5, given no true difference, with 80 % "
            "power (one-sided, alpha = 0.05); they have 80.25 %.",
        ),
        (
            lambda: stats.detectable_margin("equivalence", n=100, effect=0.1),
            "With 100 pairs, the smallest margin with 80 % power to show equivalence, given a true difference of "
            "+0.100 standard deviations, is 0.3512 (each of two one-sided tests, alpha = 0.05).",
        ),
    ],
)
def test_wording(asked: Any, text: str) -> None:
    """Each question is answered in one sentence that repeats what was given."""
    assert asked().wording == text


def test_a_design_can_be_an_object() -> None:
    """The object of a class and its name with fields are the same question; an alias is a name."""
    by_name = stats.sample_size("two-sample", effect=3.0, sd=10.0)
    assert by_name == stats.sample_size(planning.Independent(sd=10.0), effect=3.0)
    assert planning.DESIGN_ALIASES["tost"] == "equivalence"


def test_unequal_sizes() -> None:
    """Two sizes as a pair, or a ratio; the treatment's size is rounded up."""
    assert stats.power("independent", n=(30, 60), effect=0.5).power == pytest.approx(
        stats.power("independent", n=30, ratio=2.0, effect=0.5).power
    )
    answer = stats.sample_size("independent", effect=0.5, ratio=1.5)
    assert answer.counts["treatment"] == math.ceil(1.5 * answer.counts["baseline"])
    assert answer.total == sum(answer.counts.values())


def test_a_falling_effect_mirrors_a_rising_one() -> None:
    """`less` finds falls; a two-sided test finds both the same."""
    rise = stats.power("mcnemar", n=80, discordant=0.3, effect=0.15)
    fall = stats.power("mcnemar", n=80, discordant=0.3, effect=-0.15)
    assert rise.power == pytest.approx(fall.power, rel=1e-12)
    less = stats.detectable_effect("paired", n=30, alternative="less")
    assert less.effect == pytest.approx(-stats.detectable_effect("paired", n=30, alternative="greater").effect)
    assert stats.power("paired", n=30, effect=-0.5, alternative="less").power > 0.8
    assert stats.power("paired", n=30, effect=-0.5, alternative="greater").power < 0.001


def test_an_effect_of_zero_has_the_size_of_the_test_as_its_power() -> None:
    """At no effect a t-test finds one as often as alpha says; an exact test of counts less often."""
    assert stats.power("paired", n=17, effect=0.0).power == pytest.approx(0.05, abs=1e-12)
    assert stats.power("anova", groups=5, n=9, effect=0.0).power == pytest.approx(0.05, abs=1e-12)
    assert 0.0 < stats.power("proportions", baseline=0.5, n=20, effect=0.0).power < 0.05


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (lambda: stats.sample_size("paired", effect=0.0), "no number of items finds it.*equivalence"),
        (lambda: stats.needed_alpha("paired", n=20, effect=0.0), "no number of items finds it"),
        (lambda: stats.sample_size("paierd", effect=0.2), 'unknown design "paierd"; did you mean "paired"'),
        (lambda: stats.sample_size("paired", effect=0.2, sdd=1.0), 'no field "sdd"; did you mean "sd"'),
        (lambda: stats.sample_size("welch", effect=0.2, baseline_sd=1.0), "needs treatment_sd"),
        (lambda: stats.sample_size("paired", effect=0.2, sd="wide"), "paired"),
        (lambda: stats.sample_size("paired", effect=0.2, sd=0.0), "sd must be a finite number above 0"),
        (lambda: stats.sample_size("paired"), "name the effect that matters"),
        (lambda: stats.sample_size("paired", effect=math.nan), "finite number, got nan"),
        (lambda: stats.sample_size("paired", effect=0.2, power=80.0), "power must lie between 0 and 1"),
        (lambda: stats.sample_size("paired", effect=0.2, alpha=0.0), "alpha must lie between 0 and 1"),
        (lambda: stats.sample_size("paired", effect=0.2, alternative="up"), 'alternative "up" is unknown'),
        (
            lambda: stats.sample_size("paired", effect=-0.2, alternative="greater"),
            'never found by a test for "greater"',
        ),
        (lambda: stats.sample_size("paired", effect=0.2, alternative="less"), 'never found by a test for "less"'),
        (lambda: stats.sample_size("anova", groups=3, effect=0.2, alternative="greater"), "it knows: two_sided"),
        (lambda: stats.sample_size("anova", groups=1, effect=0.2), "groups must be at least 2"),
        (lambda: stats.sample_size("anova", groups=3, effect=1.0, measure="eta_squared"), "from 0 to below 1"),
        (lambda: stats.sample_size("anova", groups=3, effect=1.0, measure="d"), "measure"),
        (lambda: stats.sample_size("paired", effect=1e-6), "needs more than 1,000,000,000"),
        (lambda: stats.sample_size("proportions", baseline=0.9, effect=0.2), "leads outside 0 to 1"),
        (lambda: stats.sample_size("proportions", baseline=0.0, effect=0.2), "baseline must be a share"),
        (lambda: stats.sample_size("proportions", baseline=0.5, effect=0.2, by="normal"), "no normal approximation"),
        (lambda: stats.sample_size("proportions", baseline=0.5, effect=0.2, test="g"), "test"),
        (lambda: stats.sample_size("mcnemar", effect=0.2), "either discordant"),
        (lambda: stats.sample_size("mcnemar", effect=0.2, discordant=0.1), "cannot be with discordant = 0.1"),
        (lambda: stats.sample_size("mcnemar", effect=-0.2, baseline_only=0.1), "cannot be with baseline_only = 0.1"),
        (lambda: stats.sample_size("mcnemar", effect=0.1, discordant=1.5), "discordant must be a share"),
        (lambda: stats.sample_size("mcnemar", effect=0.1, baseline_only=1.0), "baseline_only must be a share"),
        (lambda: stats.sample_size("equivalence", margin=0.0), "margin must be a finite number above 0"),
        (lambda: stats.sample_size("equivalence", margin=0.1, effect=0.1), "not within ±0.1"),
        (lambda: stats.sample_size("equivalence", margin=0.1, alpha=0.5), "below 1/2"),
        (lambda: stats.sample_size("equivalence", margin=0.1, pairing="both"), "pairing"),
        (lambda: stats.sample_size("equivalence", margin=0.1, discordant=0.2, pairing="independent"), "about pairs"),
        (lambda: stats.sample_size("equivalence", margin=1.0, discordant=0.2), "below 1"),
        (lambda: stats.sample_size("non_inferiority", margin=0.1, effect=-0.1), "worse by the margin"),
        (lambda: stats.sample_size("non_inferiority", margin=0.1, effect=-0.3, discordant=0.2), "cannot be"),
        (lambda: stats.detectable_effect("equivalence", margin=0.1, n=20), "detectable_margin"),
        (lambda: stats.detectable_margin("paired", n=20), "no field|no margin"),
        (lambda: stats.detectable_margin(planning.Paired(), n=20), "has no margin"),
        (
            lambda: stats.detectable_effect("mcnemar", n=20, discordant=0.1),
            r"it has 1.13 %, and n = 78 would be needed",
        ),
        (lambda: stats.detectable_effect("paired", n=20, power=0.01), "ask for a power above alpha"),
        (lambda: stats.needed_alpha("paired", n=3, effect=0.1), "not found with 80 % power at any alpha"),
        (lambda: stats.needed_alpha("paired", n=1000, effect=3.0), "found at any alpha"),
        (lambda: stats.power("paired", n=20.5, effect=0.2), "whole number"),  # type: ignore[arg-type]
        (lambda: stats.power("paired", n=True, effect=0.2), "whole number"),
        (lambda: stats.power("paired", n=10**10, effect=0.2), "answers for n up to"),
        (lambda: stats.power("paired", n=(20, 30), effect=0.2), "has one size"),
        (lambda: stats.power("proportions", n=10**5, baseline=0.1, effect=0.01), "too many tables to enumerate"),
        (lambda: stats.power(planning.Paired(), n=20, effect=0.2, sd=2.0), "to the design itself"),
        (lambda: stats.sample_size("repeats", between_variance=-1.0, within_variance=1.0, effect=0.1), "0 or more"),
        (lambda: stats.sample_size("repeats", between_variance=0.0, within_variance=0.0, effect=0.1), "would not vary"),
        (
            lambda: stats.sample_size("repeats", between_variance=1.0, within_variance=1.0, repeats=1.5, effect=0.1),
            "whole number of at least 1",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused(asked: Any, message: str) -> None:
    """An error says what came, what was expected and what to do; no infinite search, no made-up size."""
    with pytest.raises(StatsError, match=message):
        asked()


@pytest.mark.parametrize("design", ["paired", "independent"])
def test_too_few_items(design: str) -> None:
    """A t-test of one item has no power, and asking for it is an error with the least n."""
    with pytest.raises(TooFewSamples, match="n of at least 2, got 1"):
        stats.power(design, n=1, effect=0.5)


def test_huge_and_tiny_scales() -> None:
    """Power depends on effect over deviation only, at any scale."""
    plain = stats.power("paired", n=50, effect=0.4).power
    for scale in (1e-9, 1e12):
        assert stats.power("paired", n=50, effect=0.4 * scale, sd=scale).power == pytest.approx(plain, rel=1e-12)
    assert stats.sample_size("paired", effect=1e-4).n == pytest.approx((1.959964 + 0.841621) ** 2 * 1e8, rel=1e-5)


def test_nothing_turns_a_measured_effect_into_power() -> None:
    """No public name of planning takes a result and returns power; the docstrings say why."""
    public = {name for name in planning.__all__ if name.islower()}
    assert not {name for name in public if "observed" in name or "post" in name}
    assert "Hoenig & Heisey" in (stats.power.__doc__ or "")
    assert "Hoenig & Heisey" in (stats.detectable_difference.__doc__ or "")


def test_the_smallest_margin_of_shares_has_its_power() -> None:
    """Tango's test moves in steps with the margin, too: the answer has the power, a margin a bit smaller does not."""
    found = stats.detectable_margin("non_inferiority", n=400, discordant=0.1)
    assert found.power >= 0.8
    assert found.margin is not None
    assert stats.power("non_inferiority", n=400, discordant=0.1, margin=0.999 * found.margin).power < 0.8
    with pytest.raises(StatsError, match="no margin is shown with 99 % power: take more items"):
        stats.detectable_margin("equivalence", n=3, discordant=0.9, power=0.99)


@pytest.mark.parametrize("design", ["equivalence", "non_inferiority"])
def test_margins_of_independent_samples(design: str) -> None:
    """The smallest margin leads back to the size; independent samples need about twice the pairs of deviation 1."""
    found = stats.detectable_margin(design, n=(60, 90), pairing="independent", sd=2.0, effect=0.1)
    assert found.counts == {"baseline": 60, "treatment": 90}
    fields: dict[str, Any] = {"margin": found.margin, "pairing": "independent", "sd": 2.0, "ratio": 1.5}
    back = stats.sample_size(design, effect=0.1, power=0.8 - 1e-9, **fields)
    assert back.n == 60
    pairs = stats.sample_size(design, margin=0.3)
    apart = stats.sample_size(design, margin=0.3, pairing="independent")
    assert apart.n == pytest.approx(2 * pairs.n, rel=0.04)


def test_one_share_by_the_normal_approximation() -> None:
    """By hand: ((z.975 sqrt(.25) + z.8 sqrt(.24)) / .1)^2 = 193.9; the exact test has a bit less power there."""
    answer = stats.sample_size("proportion", baseline=0.5, effect=0.1, by="normal")
    by_hand = ((1.959964 * math.sqrt(0.25) + 0.841621 * math.sqrt(0.24)) / 0.1) ** 2
    assert answer.n == math.ceil(by_hand)
    assert "normal approximation" in answer.method
    assert stats.power("proportion", baseline=0.5, effect=0.1, n=answer.n).power == pytest.approx(0.764, abs=1e-3)


def test_a_large_alpha_has_a_negative_critical_value() -> None:
    """One-sided at alpha .7, the test rejects whatever is not far below; at no effect its power is alpha."""
    assert stats.power("paired", n=12, effect=0.0, alpha=0.7, alternative="greater").power == pytest.approx(0.7)
    assert stats.power("paired", n=12, effect=0.3, alpha=0.7, alternative="greater").power > 0.9
