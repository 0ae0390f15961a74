"""Events of training, made in one call each."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from crucible.errors import SpecError
from crucible.trace import Chain, Event, event_type, event_types, training
from crucible.trace.training import from_training_metrics

Make = Callable[..., Event]

# type, arguments, decision, reasoning, metadata: the first 13 in the words and keys of the predecessor
FACTORIES: list[tuple[str, tuple[Any, ...], dict[str, Any], str, str, dict[str, Any]]] = [
    (
        "training_started",
        ("d", "r"),
        {"model_name": "m", "dataset": "s", "config": {"lr": 1}},
        "d",
        "r",
        {"model_name": "m", "dataset": "s", "config": {"lr": 1}},
    ),
    (
        "training_completed",
        ("d", "r"),
        {"final_loss": 0.1, "final_accuracy": 0.9, "total_epochs": 3},
        "d",
        "r",
        {"final_loss": 0.1, "final_accuracy": 0.9, "total_epochs": 3},
    ),
    (
        "epoch_completed",
        (3, {"loss": 0.5}),
        {},
        "Epoch 3 completed",
        "Training epoch finished",
        {"loss": 0.5, "epoch": 3},
    ),
    (
        "batch_processed",
        (7, {"loss": 0.5}),
        {"epoch": 2},
        "Batch 7 processed",
        "Training batch finished",
        {"loss": 0.5, "batch": 7, "epoch": 2},
    ),
    (
        "loss_computed",
        (0.25,),
        {"loss_type": "ce"},
        "Loss: 0.25",
        "Loss value computed",
        {"loss_value": 0.25, "loss_type": "ce"},
    ),
    (
        "checkpoint_saved",
        ("p",),
        {"metrics": {"loss": 1}, "epoch": 2},
        "Checkpoint saved to p",
        "Model checkpoint saved",
        {"path": "p", "metrics": {"loss": 1}, "epoch": 2},
    ),
    (
        "checkpoint_loaded",
        (Path("p"),),
        {"resume_epoch": 4},
        "Checkpoint loaded from p",
        "Model checkpoint loaded",
        {"path": "p", "resume_epoch": 4},
    ),
    (
        "early_stopped",
        ("no better",),
        {"best_epoch": 2, "patience": 3},
        "Training stopped early",
        "no better",
        {"best_epoch": 2, "patience": 3},
    ),
    (
        "deployment_started",
        ("m",),
        {"environment": "e", "version": "v"},
        "Deployment started for m",
        "Model deployment initiated",
        {"model_path": "m", "environment": "e", "version": "v"},
    ),
    (
        "model_loaded",
        ("m",),
        {"load_time_ms": 5},
        "Model loaded from m",
        "Model loaded for inference",
        {"model_path": "m", "load_time_ms": 5},
    ),
    (
        "inference_completed",
        ({"label": 1},),
        {"latency_ms": 2.5, "batch_size": 8},
        "Inference completed",
        "Model inference finished",
        {"result": {"label": 1}, "latency_ms": 2.5, "batch_size": 8},
    ),
    (
        "reward_received",
        (1.5,),
        {"step": 3, "episode": 4},
        "Reward: 1.5",
        "Reward signal received",
        {"reward": 1.5, "step": 3, "episode": 4},
    ),
    (
        "policy_updated",
        ("why",),
        {"learning_rate": 0.1, "gradient_norm": 2.0},
        "Policy updated",
        "why",
        {"learning_rate": 0.1, "gradient_norm": 2.0},
    ),
    (
        "training_failed",
        ("d", "r"),
        {"error_type": "E", "error": "x", "epoch": 1, "step": 2},
        "d",
        "r",
        {"error_type": "E", "error": "x", "epoch": 1, "step": 2},
    ),
    (
        "epoch_started",
        (1,),
        {"total_epochs": 3},
        "Epoch 1 started",
        "Training epoch begun",
        {"epoch": 1, "total_epochs": 3},
    ),
    (
        "hyperparameter_tuned",
        ("lr", 0.1, "faster"),
        {"previous": 0.01},
        "lr set to 0.1",
        "faster",
        {"name": "lr", "value": 0.1, "previous": 0.01},
    ),
    (
        "metric_recorded",
        ("accuracy", 0.5),
        {"unit": "1", "epoch": 1, "step": 2},
        "accuracy: 0.5",
        "Metric recorded",
        {"name": "accuracy", "value": 0.5, "unit": "1", "epoch": 1, "step": 2},
    ),
    (
        "gradient_computed",
        (2.0,),
        {"clipped_to": 1.0, "epoch": 1, "step": 2},
        "Gradient norm: 2.0",
        "Gradients computed",
        {"gradient_norm": 2.0, "clipped_to": 1.0, "epoch": 1, "step": 2},
    ),
    (
        "validation_run",
        ({"loss": 0.5},),
        {"dataset": "held out", "epoch": 1, "step": 2},
        "Validated on held out",
        "Model measured on held-out data",
        {"loss": 0.5, "dataset": "held out", "epoch": 1, "step": 2},
    ),
    (
        "model_saved",
        ("p",),
        {"model_name": "m", "version": "1", "metrics": {"a": 1}},
        "Model saved to p",
        "Finished model saved",
        {"path": "p", "model_name": "m", "version": "1", "metrics": {"a": 1}},
    ),
    (
        "deployment_completed",
        ("m",),
        {"environment": "e", "version": "v", "endpoint": "u"},
        "Deployment completed for m",
        "Model deployment finished",
        {"model_path": "m", "environment": "e", "version": "v", "endpoint": "u"},
    ),
    (
        "deployment_failed",
        ("m", "r"),
        {"environment": "e", "version": "v", "error_type": "E", "error": "x"},
        "Deployment failed for m",
        "r",
        {"model_path": "m", "environment": "e", "version": "v", "error_type": "E", "error": "x"},
    ),
    (
        "deployment_rolled_back",
        ("m", "r"),
        {"environment": "e", "from_version": "2", "to_version": "1"},
        "Deployment rolled back for m",
        "r",
        {"model_path": "m", "environment": "e", "from_version": "2", "to_version": "1"},
    ),
    (
        "serving_started",
        ("m",),
        {"endpoint": "u", "version": "v"},
        "Serving started for m",
        "Model answers requests",
        {"model_path": "m", "endpoint": "u", "version": "v"},
    ),
    (
        "canary_promoted",
        ("m", "r"),
        {"version": "v", "traffic_frac": 0.1, "metrics": {"a": 1}},
        "Canary promoted: m",
        "r",
        {"model_path": "m", "version": "v", "traffic_frac": 0.1, "metrics": {"a": 1}},
    ),
    (
        "ab_test_result",
        ("keep b", "better"),
        {"winner": "b", "metrics": {"a": 1}, "p_value": 0.01},
        "keep b",
        "better",
        {"winner": "b", "metrics": {"a": 1}, "p_value": 0.01},
    ),
    (
        "experience_sampled",
        (64,),
        {"strategy": "uniform", "buffer_size": 1000, "step": 3},
        "Experience sampled: 64",
        "Past experience drawn for learning",
        {"count": 64, "strategy": "uniform", "buffer_size": 1000, "step": 3},
    ),
    (
        "feedback_received",
        ("bad", "wrong"),
        {"source": "user", "rating": 1, "item": "i"},
        "bad",
        "wrong",
        {"source": "user", "rating": 1, "item": "i"},
    ),
    (
        "drift_detected",
        ("length", "KS"),
        {"score": 0.4, "threshold": 0.2},
        "Drift detected in length",
        "KS",
        {"metric": "length", "score": 0.4, "threshold": 0.2},
    ),
    (
        "retraining_triggered",
        ("drift",),
        {"model_name": "m", "metrics": {"a": 1}},
        "Retraining triggered",
        "drift",
        {"model_name": "m", "metrics": {"a": 1}},
    ),
    ("stage_started", ("s",), {}, "Stage s started", "Beginning stage execution", {"stage_id": "s"}),
    (
        "stage_completed",
        ("s",),
        {"duration_ns": 1_500_000},
        "Stage s completed",
        "Stage completed successfully in 1.50ms",
        {"stage_id": "s", "duration_ns": 1_500_000},
    ),
    (
        "stage_failed",
        ("s", "r"),
        {"duration_ns": 5, "error_type": "E", "error": "x"},
        "Stage s failed",
        "r",
        {"stage_id": "s", "duration_ns": 5, "error_type": "E", "error": "x"},
    ),
    (
        "gradients_aggregated",
        (8,),
        {"gradient_norm": 1.0, "step": 2, "rank": 0},
        "Gradients of 8 workers aggregated",
        "Workers' gradients summed",
        {"workers": 8, "gradient_norm": 1.0, "step": 2, "rank": 0},
    ),
    (
        "barrier_reached",
        ("sync",),
        {"rank": 1, "step": 2},
        "Barrier sync reached",
        "Waiting for the other workers",
        {"barrier": "sync", "rank": 1, "step": 2},
    ),
]

OPTIONS: dict[str, Any] = {
    "id": "own",
    "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
    "alternatives": ["x"],
    "confidence": 1,
    "code_section": "c",
    "spec_reference": "S 1",
    "parent_id": "p",
    "depends_on": ["q"],
    "experiment_id": "e",
    "metadata": {"mine": 1},
}


def test_every_type_has_a_factory() -> None:
    """Each type of the categories of training has a factory of its name, and each factory is in this test."""
    categories = ("training", "metrics", "checkpoint", "deployment", "feedback", "distributed")
    types = {entry.name for category in categories for entry in event_types(category)}
    types |= {"stage_started", "stage_completed", "stage_failed"}
    assert types <= {*training.__all__}
    assert {name for name, *_ in FACTORIES} == {*training.__all__} - {"from_training_metrics"}


@pytest.mark.parametrize("case", FACTORIES, ids=lambda case: case[0])
def test_factories(case: Any) -> None:
    """A factory's words, keys and options; what was not given is left out, and nothing is made up."""
    name, args, options, decision, reasoning, metadata = case
    make: Make = getattr(training, name)
    event = make(*args, **options)
    assert (event.type, event.decision, event.reasoning, event.metadata) == (name, decision, reasoning, metadata)
    assert event.confidence is None
    assert event.validate() == []
    bare = make(*args)
    assert set(bare.metadata) == set(metadata) - set(options)
    assert None not in bare.metadata.values()
    full = make(*args, **options, **OPTIONS, **({} if name.startswith("stage") else {"stage_id": "s"}))
    expected = {**OPTIONS, "metadata": {**metadata, "mine": 1}, "alternatives": ("x",), "depends_on": ("q",)}
    assert {key: getattr(full, key) for key in OPTIONS} == expected
    assert full.stage_id == "s"
    assert Event.from_dict(full.to_dict()) == full
    with pytest.raises(TypeError):
        make(*args, **options, no_such_field=1)


@pytest.mark.parametrize("case", FACTORIES, ids=lambda case: case[0])
def test_arguments_of_wrong_types(case: Any) -> None:
    """Every argument that has a type is checked, with a sentence that names it."""
    name, args, options, *_ = case
    make: Make = getattr(training, name)
    parameters = list(inspect.signature(make).parameters)
    for place, argument in enumerate(args):
        if (name, place) == ("hyperparameter_tuned", 1):  # a hyperparameter has any type
            continue
        wrong: Any = True if isinstance(argument, int | float) else 5
        with pytest.raises(TypeError, match=f"{parameters[place]} must be .*, got {wrong}"):
            make(*args[:place], wrong, *args[place + 1 :], **options)
    for option, value in options.items():
        if (name, option) == ("hyperparameter_tuned", "previous"):
            continue
        wrong = True if isinstance(value, int | float) else 5
        with pytest.raises(TypeError, match=f"{option} must be .*, got {wrong}"):
            make(*args, **{**options, option: wrong})
    for option in ("metadata", "alternatives", "depends_on", "confidence", "code_section", "parent_id"):
        odd: Any = "text" if option in ("alternatives", "confidence", "depends_on", "metadata") else 5
        with pytest.raises(TypeError, match=option):
            make(*args, **{option: odd})


def test_conflicts_are_kept() -> None:
    """What the factory computes stands, because its words say it; a value that differs is kept beside it."""
    event = training.epoch_completed(3, {"loss": 1, "epoch": 7}, metadata={"epoch": 4, "loss": 1, "note": "x"})
    assert event.metadata == {"loss": 1, "epoch": 3, "note": "x", "overridden": {"epoch": 4}}
    event = training.epoch_completed(3, {"epoch": 7})
    assert event.metadata == {"epoch": 3, "overridden": {"epoch": 7}}
    event = training.batch_processed(1, {"batch": 2}, metadata={"overridden": {"a": 1}})
    assert event.metadata == {"batch": 1, "overridden": {"a": 1, "batch": 2}}
    with pytest.raises(TypeError, match="given twice"):
        training.stage_started("s", stage_id="t")


def test_a_chain_of_anything_can_be_saved(tmp_path: Path) -> None:
    """NaN, infinities, foreign numbers, lone surrogates and objects become JSON values, so a chain always saves."""
    chain = Chain("c")
    chain.add(training.loss_computed(float("nan")))
    chain.add(training.loss_computed(np.float32(0.5), step=np.int64(3)))  # pyright: ignore[reportArgumentType]  # NumPy's numbers are numbers
    chain.add(training.epoch_completed(2**80, {"loss": float("inf"), "x": object(), 5: {1}}))  # pyright: ignore[reportArgumentType]
    chain.add(
        training.checkpoint_saved("\ud800", code_section="\udfff", alternatives=["\ud800"], metadata={"\ud800": 1})
    )
    chain.add(training.training_started("\ud800", "\ud800"))
    assert [chain[0].decision, chain[1].decision] == ["Loss: nan", "Loss: 0.5"]
    assert chain[1].metadata == {"loss_value": 0.5, "step": 3}
    assert len(Chain.load(chain.save(tmp_path / "c.json"))) == 5


def test_numbers_of_tensors() -> None:
    """A tensor with one element counts as its number; one with more does not."""
    assert training.loss_computed(np.array(0.5)).metadata == {"loss_value": 0.5}  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="loss must be one number"):
        training.loss_computed(np.array([0.5, 1.0]))  # pyright: ignore[reportArgumentType]
    with pytest.raises(SpecError, match="confidence"):
        training.loss_computed(0.5, confidence=float("nan"))


def test_a_training_from_its_metrics() -> None:
    """Rows become epochs between a start and an end, linked, with the caller's fields where they belong."""
    rows = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 0.5, "accuracy": 0.9}]
    fields: Any = {**OPTIONS, "stage_id": "s"}
    del fields["id"]
    started, first, second, completed = from_training_metrics(rows, model="m", dataset="d", config={"lr": 1}, **fields)
    assert (started.decision, started.metadata) == (
        "Training of m started",
        {"model_name": "m", "dataset": "d", "config": {"lr": 1}, "mine": 1},
    )
    assert (started.parent_id, started.depends_on, started.confidence) == ("p", ("q",), 1.0)
    assert (first.type, first.decision, first.metadata) == (
        "epoch_completed",
        "Epoch 1 completed",
        {"epoch": 1, "loss": 2.0, "mine": 1},
    )
    assert {event.parent_id for event in (first, second, completed)} == {started.id}
    assert completed.depends_on == (second.id,)
    assert completed.metadata == {"final_loss": 0.5, "final_accuracy": 0.9, "total_epochs": 2, "mine": 1}
    assert (first.confidence, first.alternatives, first.depends_on) == (None, (), ())
    assert {event.stage_id for event in (started, first, second, completed)} == {"s"}
    assert {event.timestamp for event in (started, first, completed)} == {OPTIONS["timestamp"]}
    chain = Chain("c")
    chain.extend(from_training_metrics(rows))
    assert chain.validate_relationships() == []
    assert from_training_metrics([]) == []


class Key(enum.Enum):
    """Keys that are no text."""

    EPOCH = "epoch"


@dataclasses.dataclass
class Row:
    """A row as a dataclass."""

    epoch: int
    loss: float


class Record(msgspec.Struct):
    """A row as a struct."""

    epoch: int
    loss: float


@pytest.mark.parametrize(
    "row",
    [
        {"epoch": "3", "loss": 1.0},
        {"epoch": 3.0, "loss": 1.0},
        {Key.EPOCH: 3, "loss": 1.0},
        Row(3, 1.0),
        Record(3, 1.0),
    ],
)
def test_rows_of_any_kind(row: Any) -> None:
    """Text or any keys, numbers that a file made text or floats, dataclasses and structs."""
    epoch = from_training_metrics(iter([row]))[1]
    assert (epoch.decision, epoch.metadata) == ("Epoch 3 completed", {"epoch": 3, "loss": 1.0})


def test_rows_without_numbers() -> None:
    """Rows that all have no number are counted from 1; no epoch 0 is made up, and some without is an error."""
    events = from_training_metrics([{"loss": 1.0}, {"loss": float("nan"), "epoch": None}])
    assert [event.decision for event in events[1:3]] == ["Epoch 1 completed", "Epoch 2 completed"]
    assert events[2].metadata == {"loss": "nan", "epoch": 2}
    assert events[3].metadata["final_loss"] == "nan"
    with pytest.raises(SpecError, match="row 1 has no epoch") as caught:
        from_training_metrics([{"epoch": 1}, {"loss": 1.0}])
    assert caught.value.path == "[1].epoch"


def test_the_history_of_a_training() -> None:
    """The repository's own history, a record a step, becomes one event a step with its epoch."""
    history = [
        {
            "step": step,
            "epoch": 1 + step // 3,
            "loss": 1 / step,
            "learning_rate": 0.1,
            "gradient_norm": 1.0,
            "tokens": 5,
        }
        for step in range(1, 6)
    ]
    events = from_training_metrics(history)
    assert [event.type for event in events] == ["training_started", *["batch_processed"] * 5, "training_completed"]
    assert events[5].metadata == {**history[4], "batch": 5}
    assert events[6].metadata == {"final_loss": 0.2}
    assert [event.type for event in from_training_metrics([{"step": 10}, {"step": 20}])[1:3]] == ["batch_processed"] * 2
    fractions = from_training_metrics(
        [{"step": 10, "epoch": 0.5, "loss": 1.0}, {"step": 20, "epoch": 1.0, "loss": 0.5}]
    )
    assert fractions[1].metadata == {"step": 10, "epoch": 0.5, "loss": 1.0, "batch": 10}
    assert from_training_metrics(history[:1], per="step")[1].type == "batch_processed"
    both = from_training_metrics([{"step": 10, "epoch": 1}, {"step": 20, "epoch": 2}])
    assert [event.type for event in both[1:3]] == ["epoch_completed"] * 2


def test_epochs_that_come_more_than_once() -> None:
    """Rows of one epoch are one epoch; the rows of several ranks, whose epochs come again, are steps."""
    halves = from_training_metrics([{"epoch": 1, "train_loss": 1.0}, {"epoch": 1, "val_loss": 2.0}])
    assert [event.type for event in halves[1:3]] == ["epoch_completed"] * 2
    assert halves[3].metadata == {"total_epochs": 1}
    assert halves[3].reasoning == "1 epoch was recorded"
    ranks = from_training_metrics(
        [{"epoch": number, "step": number, "rank": rank, "loss": 0.5} for rank in (0, 1) for number in (1, 2)]
    )
    assert [event.type for event in ranks[1:5]] == ["batch_processed"] * 4
    assert [event.metadata["epoch"] for event in ranks[1:5]] == [1, 2, 1, 2]
    assert ranks[5].metadata == {"final_loss": 0.5}
    resumed = from_training_metrics([{"epoch": 11, "loss": 1.0}, {"epoch": 12, "loss": 0.5}])
    assert resumed[3].metadata["total_epochs"] == 2


def test_rows_of_arrays() -> None:
    """Numbers in arrays of one element are the epoch, the step and the final loss."""
    rows = [{"epoch": np.array(1), "step": np.int64(5), "loss": np.array(0.5), "accuracy": np.float32(0.25)}]
    epoch, completed = from_training_metrics(rows)[1:]
    assert epoch.metadata["epoch"] == 1
    assert completed.metadata == {"final_loss": 0.5, "final_accuracy": 0.25, "total_epochs": 1}
    assert from_training_metrics([{"epoch": 1, "loss": Decimal("0.5")}])[-1].metadata["final_loss"] == 0.5


@pytest.mark.parametrize("epoch", [1.5, "one", True, float("nan"), [1], "9" * 5000])
def test_numbers_that_are_none(epoch: Any) -> None:
    """An epoch that is no whole number is refused, with the place of its row."""
    with pytest.raises(SpecError, match="whole number") as caught:
        from_training_metrics([{"epoch": 1}, {"epoch": epoch}])
    assert caught.value.path == "[1].epoch"


def test_rows_that_are_none() -> None:
    """What is no list of mappings is refused in words."""
    odd: Any
    for odd in ("text", {"epoch": 1}, 5):
        with pytest.raises(TypeError, match="rows must be a list of mappings"):
            from_training_metrics(odd)
    with pytest.raises(TypeError, match="row 0 is a str"):
        from_training_metrics(["epoch"])
    with pytest.raises(TypeError, match="share an id"):
        from_training_metrics([{"epoch": 1}], id="x")
    odd = "batch"
    with pytest.raises(SpecError, match="expected 'epoch', 'step'"):
        from_training_metrics([{"epoch": 1}], per=odd)


def test_types_are_registered() -> None:
    """Every factory makes a registered type."""
    assert all(event_type(name) is not None for name, *_ in FACTORIES)
