"""The same rates and gaps as fairlearn, which is installed for tests alone: a reference, nothing computes with it."""

from __future__ import annotations

import random
from typing import Any

import fairlearn.metrics
import pytest

from crucible.data.fairness import assess

metrics: Any = fairlearn.metrics

RATES = {
    "selection_rate": "selection_rate",
    "true_positive_rate": "true_positive_rate",
    "false_positive_rate": "false_positive_rate",
}
GAPS = {
    "demographic_parity": "demographic_parity_difference",
    "equalized_odds": "equalized_odds_difference",
    "equal_opportunity": "equal_opportunity_difference",
}


@pytest.mark.parametrize("fields", [1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_rates_and_gaps_are_those_of_fairlearn(fields: int, seed: int) -> None:
    """MetricFrame and its differences (fairlearn 0.15.0), for one field of four groups and two of them at once."""
    from sklearn.metrics import accuracy_score, precision_score

    rng = random.Random(seed)
    groups = [tuple(rng.choice("abcd" if i == 0 else "xy") for i in range(fields)) for _ in range(1_200)]
    labels = [int(rng.random() < 0.4) for _ in groups]
    shares = [0.3 + 0.1 * "abcd".index(group[0]) + 0.2 * y for group, y in zip(groups, labels, strict=True)]
    predictions = [int(rng.random() < share) for share in shares]
    found = assess(groups, predictions=predictions, labels=labels)
    names = [" & ".join(group) for group in groups]
    own = {name: getattr(metrics, theirs) for name, theirs in RATES.items()}
    functions = {**own, "accuracy": accuracy_score, "positive_predictive_value": precision_score}
    frame = metrics.MetricFrame(metrics=functions, y_true=labels, y_pred=predictions, sensitive_features=names)
    for name in functions:
        assert found.rates_of(name) == pytest.approx(frame.by_group[name].to_dict(), rel=1e-12), name
    for name, theirs in GAPS.items():
        expected = getattr(metrics, theirs)(labels, predictions, sensitive_features=names)
        assert found.largest(name) == pytest.approx(expected, rel=1e-12), name
