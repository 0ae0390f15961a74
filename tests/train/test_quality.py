"""Quality targets: met or missed by how much, in the result, the events and the trace; never silently."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.backends import Sampler
from crucible.data import Item, make_tickets
from crucible.errors import TrainError
from crucible.ir import EarlyStoppingConfig, LoraConfig
from crucible.train import Assessment, Trainer
from crucible.train.quality import assess, direction_of

Configure = Callable[..., LoraConfig]
Shape = Callable[[LoraConfig, Path, Sequence[float]], Trainer]


def test_each_target_is_assessed_with_its_direction_and_difference() -> None:
    """Of losses and error rates the target is the largest value, of all else the least; just reached is reached."""
    report = assess(
        {"validation_loss": 0.5, "accuracy": 0.9, "invalid_rate": 0.0, "f1": 0.5},
        {"validation_loss": 0.75, "accuracy": 0.9, "invalid_rate": 0.25, "f1": 0.6},
    )
    assert report.assessments == (
        Assessment("validation_loss", 0.5, 0.75, passed=False, delta=0.25, direction="min"),
        Assessment("accuracy", 0.9, 0.9, passed=True, delta=0.0, direction="max"),
        Assessment("invalid_rate", 0.0, 0.25, passed=False, delta=0.25, direction="min"),
        Assessment("f1", 0.5, 0.6, passed=True, delta=pytest.approx(0.1), direction="max"),
    )
    assert report.summary == "2/4 quality targets met"
    assert not report.passed
    assert report.words() == "validation_loss is 0.75, wanted at most 0.5; invalid_rate is 0.25, wanted at most 0"


@pytest.mark.parametrize("actual", [{}, {"accuracy": math.nan}])
def test_what_was_not_measured_is_not_reached(actual: dict[str, float]) -> None:
    """Neither nothing nor NaN passes for a value."""
    report = assess({"accuracy": 0.0}, actual)
    assert (report.passed, report.assessments[0].delta) == (False, None)


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("loss", "min"),
        ("validation_perplexity", "min"),
        ("steps", "min"),
        ("citation_invalid_rate", "min"),
        ("loss_reduction", "max"),
        ("glossary", "max"),
        ("schema_compliance", "max"),
    ],
)
def test_the_direction_is_told_by_the_name(metric: str, direction: str) -> None:
    """By whole words at its end."""
    assert direction_of(metric) == direction


def matches(sampler: Sampler) -> float:
    """Return a share that can be computed from any sampler."""
    return sum(bool(sample.tokens) for sample in sampler.sample(["a", "b"])) / 2


def test_targets_are_in_result_events_and_trace(configure: Configure, shaped: Shape, tmp_path: Path) -> None:
    """Assessed at validations as far as they are measured there, and at the end with the weights that are kept."""
    targets = {"validation_loss": 2.0, "answered": 1.0, "loss_reduction": 2.0}
    config = configure(max_steps=6, validation_fraction=0.3, quality_targets=targets)
    trainer = shaped(config, tmp_path, [9, 9, 4, 4, 1.5, 1.5, 3])
    with events.collect("cruc*") as found, trainer:
        result = trainer.train(make_tickets(24, seed=0), measures={"answered": matches})
    assert result.kept.step == 4
    assert result.quality is not None
    assert {each.metric: each.passed for each in result.quality.assessments} == {
        "validation_loss": True,
        "answered": True,
        "loss_reduction": False,
    }
    assert result.quality.summary == "2/3 quality targets met"
    told = [event.metadata for event in found if event.name == "crucible_train.validation.stop"]
    assert [metadata.get("quality") for metadata in told] == [
        "0/1 quality targets met",
        "1/2 quality targets met",
        "2/2 quality targets met",
        "1/2 quality targets met",
    ]
    assert told[1]["missed"] == ["validation_loss"]
    stop = next(event for event in found if event.name == "crucible_train.training.stop")
    assert stop.metadata["quality"] == "2/3 quality targets met"
    decision = next(event.metadata for event in found if event.metadata.get("decision") == result.quality.summary)
    assert decision["missed"] == ["loss_reduction"]
    assert "wanted at least 2" in decision["reasoning"]


def test_without_targets_there_is_no_report(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """None is not a report of nothing missed."""
    with Trainer.start(configure(max_steps=1), workspace=tmp_path) as trainer:
        assert trainer.train(items).quality is None


@pytest.mark.parametrize(
    ("changes", "measures", "message"),
    [
        (
            {"quality_targets": {"final_los": 1.0}},
            {},
            'quality_targets names "final_los", which this training does not report; did you mean .*; it reports: '
            "initial_loss, final_loss, loss_reduction, steps",
        ),
        ({"quality_targets": {"validation_loss": 1.0}}, {}, "needs held-out items; set validation_fraction"),
        ({}, {"answered": matches}, "a measure needs held-out items"),
        ({"validation_fraction": 0.3}, {"loss": matches}, 'a measure may not be called "loss"'),
        (
            {"validation_fraction": 0.3, "loss": "mse", "quality_targets": {"validation_perplexity": 2.0}},
            {},
            "does not report",
        ),
    ],
)
def test_a_metric_that_nobody_measures_is_an_error_that_names_the_known(
    configure: Configure,
    items: list[Item],
    tmp_path: Path,
    changes: dict[str, Any],
    measures: dict[str, Any],
    message: str,
) -> None:
    """Before anything is trained."""
    with (
        events.collect("crucible_train.*") as found,
        Trainer.start(configure(**changes), workspace=tmp_path) as trainer,
        pytest.raises(TrainError, match=message),
    ):
        trainer.train(items, measures=measures)
    assert found == []


def test_a_measure_can_end_a_training_and_choose_its_best(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Early stopping watches it, the highest value is kept, and retention spares it."""
    values = iter([0.1, 0.9, 0.5, 0.4, 0.3])
    stopping = EarlyStoppingConfig(metric="answered", mode="max", patience=2)
    config = configure(max_steps=10, validation_fraction=0.3, early_stopping=stopping, max_checkpoints=2)
    with Trainer.start(config, workspace=tmp_path) as trainer:
        result = trainer.train(items, measures={"answered": lambda sampler: next(values)})
    assert (result.steps, result.kept.step) == (8, 4)
    assert [checkpoint.step for checkpoint in result.checkpoints] == [4, 8]
    assert result.kept.metrics["answered"] == 0.9


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda sampler: 1 / 0, r'the measure "odd" \(.*lambda.*\) failed at step 2: ZeroDivisionError'),
        (lambda sampler: math.nan, 'the measure "odd" must return a finite number, got nan at step 2'),
        (lambda sampler: True, "got True"),
    ],
)
def test_a_measure_that_fails_fails_the_training_and_leaves_a_checkpoint(
    configure: Configure, items: list[Item], tmp_path: Path, measure: Callable[[Any], float], message: str
) -> None:
    """Its error is the cause; what was trained is not lost."""
    config = configure(validation_fraction=0.3)
    with Trainer.start(config, workspace=tmp_path) as trainer, pytest.raises(TrainError, match=message):
        trainer.train(items, measures={"odd": measure})
    assert (tmp_path / "checkpoints" / "step-000002.json").is_file()
