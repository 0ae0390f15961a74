"""The configuration: what it takes, what it refuses, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.errors import SpecErrors
from crucible.telemetry.anomalies import AnomalyConfig, Iqr, ModifiedZ, SeasonalNaive, ZScore


def test_the_defaults_are_the_robust_methods_on_latency_and_cost() -> None:
    """Outliers do not mask one another from modified z and IQR."""
    config = AnomalyConfig()
    assert (config.enabled, config.methods, config.metrics) == (True, ("modified_z", "iqr"), ("latency_ms", "cost_usd"))
    assert config.chosen() == (ModifiedZ(), Iqr())
    assert config.action == "flag"


def test_aliases_are_read_everywhere_and_written_as_names() -> None:
    """In methods, in thresholds and in options; what is written reads back the same."""
    config = AnomalyConfig.read(
        {
            "methods": ["mad", "zscore", "seasonal", "modified_z"],
            "threshold": {"mad": 4, "zscore": 2.5},
            "options": {"seasonal": {"period": 7}, "zscore": {"window": 50}},
        }
    )
    assert config.chosen() == (ModifiedZ(threshold=4), ZScore(threshold=2.5, window=50), SeasonalNaive(period=7))
    assert AnomalyConfig.read(config.model_dump()) == config


def test_one_threshold_is_for_all_methods() -> None:
    """Each takes it in its own unit."""
    config = AnomalyConfig(threshold=3.0)
    assert [each.threshold for each in config.chosen()] == [3.0, 3.0]


@pytest.mark.parametrize(
    ("data", "path", "said"),
    [
        ({"methods": ["modifed_z"]}, "methods[0]", 'did you mean "modified_z"'),
        ({"methods": []}, "methods", "at least one"),
        ({"metrics": []}, "metrics", "at least one"),
        ({"threshold": {"mad": 0}}, "threshold.modified_z", "must be positive"),
        ({"threshold": {"cusm": 1}}, "threshold.cusm", 'did you mean "cusum"'),
        ({"options": {"mad": {"windw": 3}}}, "options.modified_z.windw", 'did you mean "window"'),
        ({"options": {"cusum": {"clip": 0.1}}}, "options.cusum", "clip must be above allowance"),
        ({"options": 3}, "options", "must be a map"),
        ({"methods": ["seasonal"]}, "", "options.seasonal_naive.period"),
        ({"action": "alrt"}, "action", 'did you mean "alert"'),
        ({"enable": False}, "enable", 'did you mean "enabled"'),
    ],
)
def test_a_problem_is_told_with_its_path(data: dict[str, Any], path: str, said: str) -> None:
    """And with a guess at what was meant, where there is one."""
    with pytest.raises(SpecErrors) as caught:
        AnomalyConfig.read(data)
    (error,) = caught.value.errors
    assert error.path == path
    assert said in str(error)
