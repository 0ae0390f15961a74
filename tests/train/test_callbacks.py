"""Callbacks: told once each and in order, between two steps; one that raises fails the training and loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.data import Item
from crucible.errors import Cancelled, TrainError
from crucible.ir import LoraConfig
from crucible.train import Callbacks, Checkpoint, EpochRecord, StepRecord, Trainer, TrainResult

Configure = Callable[..., LoraConfig]


def run(config: LoraConfig, items: list[Item], workspace: Path, **options: Any) -> TrainResult:
    """Train and close."""
    with Trainer.start(config, workspace=workspace) as trainer:
        return trainer.train(items, **options)


def test_each_is_told_what_happened_when_it_happened(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """Eleven items in batches of 4: three steps an epoch, a checkpoint every second step, and one at the last."""
    told: list[str] = []

    def step(record: StepRecord) -> None:
        told.append(f"step {record['step']}")

    def epoch(record: EpochRecord) -> None:
        told.append(f"epoch {record['epoch']} of {record['steps']} steps")

    def checkpoint(saved: Checkpoint) -> None:
        assert (saved.local_path / "adapter_model.safetensors").is_file()
        told.append(saved.name)

    callbacks = Callbacks(on_step_end=step, on_epoch_end=epoch, on_checkpoint=checkpoint)
    result = run(configure(max_steps=5), items, tmp_path, callbacks=callbacks)
    assert told == [
        "step 1",
        "step 2",
        "step-000002",
        "step 3",
        "epoch 0 of 3 steps",
        "step 4",
        "step-000004",
        "step 5",
        "step-000005",
        "epoch 1 of 2 steps",
    ]
    assert result.history == run(configure(max_steps=5), items, tmp_path / "alone").history


def test_several_are_told_in_the_order_of_registration(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """And none can change what the other, or the history, sees."""
    told: list[tuple[str, float]] = []

    def spoil(record: StepRecord) -> None:
        told.append(("first", record["loss"]))
        record["loss"] = 99.0

    second = Callbacks(on_step_end=lambda record: told.append(("second", record["loss"])))
    result = run(configure(max_steps=2), items, tmp_path, callbacks=[Callbacks(on_step_end=spoil), second])
    losses = [record["loss"] for record in result.history]
    assert told == [("first", losses[0]), ("second", losses[0]), ("first", losses[1]), ("second", losses[1])]


def test_at_a_step_the_weights_are_those_of_that_step(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """With a callback that hears steps none is sent ahead, so a sampler made in it is the one of a run that ended."""
    config = configure(max_steps=3, learning_rate=0.05, keep="last")
    seen: list[Any] = []
    with Trainer.start(config, workspace=tmp_path / "told") as trainer:
        look = Callbacks(on_step_end=lambda record: seen.append(trainer.create_sampler().logprobs(["hello"])))
        trainer.train(items, callbacks=look)
    for steps in (1, 2):
        with Trainer.start(config.model_copy(update={"max_steps": steps}), workspace=tmp_path / f"{steps}") as trainer:
            trainer.train(items)
            assert trainer.create_sampler().logprobs(["hello"]) == seen[steps - 1]


def test_a_coroutine_is_run_to_its_end(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """Before the training goes on; also where the training runs inside of an event loop."""
    told: list[int] = []

    async def step(record: StepRecord) -> None:
        await asyncio.sleep(0)
        told.append(record["step"])

    async def main() -> None:
        run(configure(max_steps=2), items, tmp_path, callbacks=Callbacks(on_step_end=step))

    asyncio.run(main())
    assert told == [1, 2]


@pytest.mark.parametrize(
    ("which", "step", "left"),
    [("on_step_end", 1, "step-000001"), ("on_epoch_end", 3, "step-000003"), ("on_checkpoint", 2, "step-000002")],
)
def test_one_that_raises_fails_the_training_and_leaves_a_checkpoint(
    configure: Configure, items: list[Item], tmp_path: Path, which: str, step: int, left: str
) -> None:
    """The error says which and at what step, has the cause, and the training can go on from there, exactly."""

    def burst(_: object) -> None:
        raise KeyError("lost it")

    config = configure(max_steps=5)
    with events.collect("crucible_train.training.exception") as found, pytest.raises(TrainError) as caught:
        run(config, items, tmp_path / "cut", callbacks=Callbacks(**{which: burst}))
    assert str(caught.value).startswith(f"the callback {which} (test_one_that_raises")
    assert str(caught.value).endswith(f"failed at step {step}: KeyError: 'lost it'")
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.step == step
    assert len(found) == 1
    assert (tmp_path / "cut" / "checkpoints" / f"{left}.json").is_file()
    assert run(config, items, tmp_path / "cut", resume=True).history == run(config, items, tmp_path / "whole").history


def test_one_that_cancels_cancels(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """`Cancelled` is no failure of the callback."""

    def enough(record: StepRecord) -> None:
        if record["step"] == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        run(configure(), items, tmp_path, callbacks=Callbacks(on_step_end=enough))
    assert (tmp_path / "checkpoints" / "step-000003.json").is_file()
