"""What a training tells names its loss, so that nobody takes the exponential of a squared error for a perplexity."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible import events
from crucible.data import Item
from crucible.ir import LoraConfig
from crucible.telemetry.enrichment import Enricher
from crucible.train import Trainer

LOSSES = ("batch.stop", "epoch.stop", "validation.stop")


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_a_perplexity_is_that_of_a_cross_entropy(
    configure: Callable[..., LoraConfig], items: list[Item], tmp_path: Path, loss: str
) -> None:
    """A real training of two steps: each event that has a loss says which, and telemetry makes of it what it is."""
    config = configure(loss=loss, max_steps=2, epochs=1, validation_fraction=0.3)
    with events.collect("crucible_train.*") as told, Trainer.start(config, workspace=tmp_path) as trainer:
        trainer.train(items)
    enrich = Enricher()
    seen: set[str] = set()
    for event in told:
        name = event.name.removeprefix("crucible_train.")
        if name in LOSSES:
            seen.add(name)
            assert event.metadata["loss_function"] == loss
            expected = {math.exp(event.measurements["loss"])} if loss == "cross_entropy" else set[float]()
            fields = enrich(event).fields
            assert {value for key, value in fields.items() if key == "perplexity"} == expected
    assert seen == {*LOSSES}
    assert {event.metadata["loss_function"] for event in told if event.name == "crucible_train.training.stop"} == {loss}
