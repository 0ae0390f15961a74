"""Preference training over every backend: the same losses, computed here from log-probabilities from there."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from crucible.data import Item
from crucible.train.preference import PreferenceConfig, PreferenceTrainer, train_preference_flat

PAIRS = [
    Item(f"p{number}", f"ticket {number} is late ->", None, {"chosen": " sorry", "rejected": " wait a bit"})
    for number in range(4)
]


@pytest.mark.parametrize("loss_type", ["dpo", "orpo", "kto"])
def test_the_preferred_answer_gets_ahead(under_test: Any, tmp_path: Path, loss_type: str) -> None:
    """A smaller loss, and a reward that is larger for what is preferred, by a loss that the service does not know."""
    config = under_test.config(max_steps=5, batch_size=8, learning_rate=0.02, checkpoint_interval=100)
    preference = PreferenceConfig(loss_type=loss_type)
    with PreferenceTrainer.start(config, under_test.backend, workspace=tmp_path, preference=preference) as trainer:
        result = trainer.train(PAIRS)
    last = result.history[-1].get("metrics", {})
    assert result.final_loss < result.initial_loss
    if loss_type == "kto":
        assert last["kto/desirable_reward"] > last["kto/undesirable_reward"]
        return
    assert last["dpo/margin"] > 0
    assert last["dpo/accuracy"] == 1.0
    if loss_type == "dpo":
        assert result.initial_loss == pytest.approx(math.log(2), abs=1e-5)


def test_the_flat_loop_gives_the_same_losses(under_test: Any, tmp_path: Path) -> None:
    """Step by step."""
    config = under_test.config(max_steps=3, batch_size=2, learning_rate=0.02, checkpoint_interval=100)
    flat, _ = train_preference_flat(config, PAIRS, under_test.backend)
    with PreferenceTrainer.start(config, under_test.backend, workspace=tmp_path) as trainer:
        result = trainer.train(PAIRS)
    assert flat == pytest.approx([record["loss"] for record in result.history], rel=under_test.tolerance)
