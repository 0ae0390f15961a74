"""The switches of an experiment's metrics."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.errors import SpecError
from crucible.telemetry.streaming import MetricsConfig


def test_everything_is_on() -> None:
    """Unless somebody says otherwise."""
    assert MetricsConfig.of(None) == MetricsConfig.of({}) == MetricsConfig(True, True, True, True, ())


def test_switches_and_names() -> None:
    """A name that is told twice is kept once; what is a configuration already comes back."""
    config = MetricsConfig.of({"latency": False, "custom": ["reward", "depth", "reward"]})
    assert config == MetricsConfig(latency=False, custom=("reward", "depth"))
    assert MetricsConfig.of(config) is config


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"latencies": True}, "metrics_config.latencies"),
        ({"latency": 1}, "metrics_config.latency"),
        ({"custom": "reward"}, "metrics_config.custom"),
        ({"custom": [1]}, "metrics_config.custom"),
        ({"custom": None}, "metrics_config.custom"),
    ],
)
def test_mistakes_are_told_with_their_place(config: dict[str, Any], path: str) -> None:
    """A mistyped switch is an error, not a metric that is silently kept."""
    with pytest.raises(SpecError) as caught:
        MetricsConfig.of(config)
    assert caught.value.path == path
