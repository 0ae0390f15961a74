"""How often a study claims something where there is nothing: simulated, with all its corrections in place."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
import pytest

from crucible.stats.conditions.observations import Condition, condition_of_scores
from crucible.stats.studies import Decision, Guardrail, ab_test, ablation, sweep

Random = np.random.Generator
N = 30


def numbers(random: Random, hard: np.ndarray, shift: float = 0.0, metric: str = "f1") -> Condition:
    """Scores of one condition, which differ from another's by chance and `shift` alone."""
    values = hard + shift + random.normal(scale=0.3, size=len(hard))
    return condition_of_scores("x", dict(enumerate(values.tolist())), metric=metric, is_share=False)


def shares(random: Random, hard: np.ndarray) -> Condition:
    """Right or wrong, by the difficulty of the item alone."""
    return condition_of_scores("x", dict(enumerate((random.random(len(hard)) < hard).astype(float).tolist())))


def repeated(random: Random, hard: np.ndarray) -> Condition:
    """Three repeats an item, right or wrong: items x repeats."""
    right = (random.random((len(hard), 3)) < hard[:, None]).astype(float)
    return condition_of_scores("x", dict(enumerate(right.tolist())))


def ab_null(random: Random) -> bool:
    """Neither metric differs, the guardrail loses its margin exactly: whether anything is claimed."""
    hard = random.random(N)
    found = ab_test(
        [numbers(random, hard), numbers(random, hard, metric="safety")],
        [numbers(random, hard), numbers(random, hard, -0.2, metric="safety")],
        primary="f1",
        guardrails=[Guardrail("safety", 0.2)],
    )
    return found.decision is not Decision.NO_DIFFERENCE_FOUND or found.guardrails[0].holds


def guardrail_at_margin(random: Random) -> bool:
    """A large true improvement, which Holm's procedure gives its whole rate on to the guardrail at its margin."""
    hard = random.random(N)
    found = ab_test(
        [numbers(random, hard), numbers(random, hard, metric="safety")],
        [numbers(random, hard, 2.0), numbers(random, hard, -0.2, metric="safety")],
        primary="f1",
        guardrails=[Guardrail("safety", 0.2)],
    )
    return found.guardrails[0].holds


def ablation_null(random: Random) -> bool:
    """None of four parts does anything: whether one is claimed to."""
    hard = random.random(N)
    found = ablation(numbers(random, hard), {str(i): numbers(random, hard) for i in range(4)})
    return bool(found.found or found.harmful)


def sweep_null(random: Random) -> bool:
    """Five settings do not differ: whether the best is claimed to be better than any."""
    hard = random.random(N)
    return len(sweep({str(i): numbers(random, hard) for i in range(5)}).tied) < 5


def sweep_null_shares(random: Random) -> bool:
    """Three settings, right or wrong, by McNemar's exact test."""
    hard = random.random(60)
    return len(sweep({str(i): shares(random, hard) for i in range(3)}).tied) < 3


def sweep_null_repeats(random: Random) -> bool:
    """The same of items x repeats."""
    hard = random.random(N)
    return len(sweep({str(i): repeated(random, hard) for i in range(4)}).tied) < 4


STUDIES: dict[str, Callable[[Random], bool]] = {
    "ab": ab_null,
    "guardrail": guardrail_at_margin,
    "ablation": ablation_null,
    "sweep": sweep_null,
    "sweep_shares": sweep_null_shares,
    "sweep_repeats": sweep_null_repeats,
}
EXHAUSTIVE = ("ab", "guardrail")
"""Whose corrections spend the whole rate; the others' bounds are conservative where comparisons share a side."""


def rate(study: Callable[[Random], bool], runs: int) -> float:
    """Share of simulated studies that claim something."""
    random = np.random.default_rng(20_260_711)
    return sum(study(random) for _ in range(runs)) / runs


@pytest.mark.parametrize("name", STUDIES)
def test_false_claims_fast(name: str) -> None:
    """At most .05 and three standard errors of the runs."""
    runs = 100 if name.startswith("sweep") else 200
    assert rate(STUDIES[name], runs) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", STUDIES)
def test_false_claims(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Over 10,000 studies at most .06 claim something; those that spend their whole rate at least .04."""
    found = rate(STUDIES[name], 10_000)
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {found:.4f}")
    assert found <= 0.06
    if name in EXHAUSTIVE:
        assert found >= 0.04


def naive_sweep(random: Random) -> bool:
    """What the correction for k - 1 alone would claim, since the best was chosen by its score."""
    from crucible import stats

    hard = random.random(N)
    found = sweep({str(i): numbers(random, hard) for i in range(5)})
    return min(stats.correct([one.p for one in found.comparisons])) < 0.05


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_correcting_for_the_comparisons_that_were_looked_at_is_not_enough() -> None:
    """Holm over the k - 1 comparisons with the best that was chosen errs more often than alpha: why all pairs count."""
    assert rate(naive_sweep, 4000) > 0.08
