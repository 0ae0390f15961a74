"""An effect asked for by name beside a comparison is the one that is called alone, or refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from crucible import stats
from crucible.errors import DegenerateSample, StatsError
from crucible.ir import Scored
from crucible.stats.bench.scores import FailurePolicy
from crucible.stats.comparing.sides import SideScores, pair_scores
from crucible.stats.effects.named import EFFECTS_OF_TESTS, INDEPENDENT_EFFECTS, PAIRED_EFFECTS, effect_named
from crucible.stats.names import EFFECT_ALIASES, TEST_TITLES

X = [2.1, 3.4, 1.9, 2.8, 3.0, 2.2, 2.7]
Y = [3.3, 3.9, 2.4, 4.1, 3.6, 2.9, 2.6]
A = [0, 1, 0, 1, 0, 0, 1, 1]
B = [1, 1, 0, 1, 1, 1, 0, 1]


def _sides(x: list[Any], y: list[Any]) -> SideScores:
    """Two columns by item id."""
    base, treated = ({str(i): Scored(float(value)) for i, value in enumerate(column)} for column in (x, y))
    return pair_scores(base, treated, FailurePolicy.EXCLUDE, ("a", "b"))


@pytest.mark.parametrize(
    ("name", "test", "expected"),
    [
        ("glass_delta", "welch", stats.glass_delta(X, Y)),
        ("glass_delta", "student", stats.glass_delta(X, Y)),
        ("hedges_g", "student", stats.hedges_g(X, Y)),
        ("hedges_g", "permutation_independent", stats.hedges_g(X, Y, pooled=False)),
        ("cohens_d", "welch", stats.cohens_d(X, Y, pooled=False)),
        ("rank_biserial", "mannwhitney", stats.rank_biserial(X, Y)),
        ("hodges_lehmann", "mannwhitney", stats.hodges_lehmann(X, Y)),
        ("hodges_lehmann", "wilcoxon", stats.hodges_lehmann(X, Y, paired=True)),
        ("rank_biserial", "paired_ttest", stats.rank_biserial(X, Y, paired=True)),
        ("cohens_dz", "permutation", stats.cohens_dz(X, Y)),
    ],
)
def test_of_scores(name: str, test: str, expected: stats.Effect) -> None:
    """Value and interval, paired where the test is."""
    assert effect_named(name, test, _sides(X, Y), level=0.95) == expected


@pytest.mark.parametrize(
    ("name", "test", "expected"),
    [
        ("odds_ratio", "fisher", stats.odds_ratio(4, 8, 6, 8)),
        ("risk_ratio", "fisher", stats.risk_ratio(4, 8, 6, 8)),
        ("odds_ratio", "mcnemar", stats.matched_odds_ratio(1, 3)),
    ],
)
def test_of_right_or_wrong(name: str, test: str, expected: stats.Effect) -> None:
    """Ratios of independent trials beside Fisher's test, of pairs beside McNemar's."""
    assert effect_named(name, test, _sides(A, B), level=0.95) == expected


def test_what_does_not_go_or_does_not_exist_is_refused() -> None:
    """With the effects that go with the test, or with what the scores lack."""
    with pytest.raises(StatsError, match="does not go with Fisher's exact test, which goes with cohens_h, odds_ratio"):
        effect_named("cohens_d", "fisher", _sides(A, B), level=0.95)
    with pytest.raises(StatsError, match="it does not go with Cochran's Q test$"):
        effect_named("cohens_d", "cochran_q", _sides(X, Y), level=0.95)
    with pytest.raises(DegenerateSample, match="do not vary"):
        effect_named("cohens_dz", "permutation", _sides(X, X), level=0.95)
    with pytest.raises(DegenerateSample, match="use Cohen's g"):
        effect_named("odds_ratio", "mcnemar", _sides([0, 0, 1], [1, 0, 1]), level=0.95)


def test_every_name_can_be_asked_for() -> None:
    """Tests and effects of the table are known words, and what can be asked for goes with some test."""
    assert set(EFFECTS_OF_TESTS) <= set(TEST_TITLES)
    fitting = {name for effects in EFFECTS_OF_TESTS.values() for name in effects}
    assert {*PAIRED_EFFECTS, *INDEPENDENT_EFFECTS} <= fitting
    assert {*PAIRED_EFFECTS, *INDEPENDENT_EFFECTS} <= set(EFFECT_ALIASES.values())
