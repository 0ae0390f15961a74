"""Each optimiser of the configuration is asked for with every setting that it has."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.backends import AdamParams, OptimizerParams, RmspropParams, SgdParams
from crucible.ir import LoraConfig
from crucible.train.optimizer import step_params

SETTINGS: dict[str, Any] = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": 0.1, "grad_clip_norm": 2.0}


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ("adamw", AdamParams(learning_rate=0.5, **SETTINGS, decoupled=True)),
        ("adam", AdamParams(learning_rate=0.5, **SETTINGS, decoupled=False)),
        ("sgd", SgdParams(learning_rate=0.5, momentum=0.7, weight_decay=0.1, grad_clip_norm=2.0)),
        ("rmsprop", RmspropParams(learning_rate=0.5, momentum=0.7, eps=1e-6, weight_decay=0.1, grad_clip_norm=2.0)),
    ],
)
def test_the_settings_of_a_step(optimizer: str, expected: OptimizerParams) -> None:
    """The rate is that of the step, not the peak."""
    momentum = {"momentum": 0.7} if optimizer in ("sgd", "rmsprop") else {}
    unused = {"sgd": {"beta1", "beta2", "eps"}, "rmsprop": {"beta1", "beta2"}}.get(optimizer, set())
    own = {name: value for name, value in SETTINGS.items() if name not in unused}
    config = LoraConfig(base_model="x", optimizer=optimizer, **own, **momentum)  # type: ignore[arg-type]
    assert step_params(config, 0.5) == expected
