"""The trainer: what must work as written, events once each, and every way a training can end."""

from __future__ import annotations

import json
import math
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from crucible import events
from crucible.data import Item, load, make_tickets
from crucible.errors import DataError, NonFiniteLoss, StoreError, TrainError
from crucible.ir import LoraConfig
from crucible.telemetry.enrichment import Enricher
from crucible.train import Callbacks, Checkpoint, StepRecord, Trainer, TrainResult

Configure = Callable[..., LoraConfig]
StoppingAt = Callable[[int], AbstractContextManager[None]]
Shape = Callable[[LoraConfig, Path, Sequence[float]], Trainer]


def run(config: LoraConfig, items: list[Item], workspace: Path, *, resume: bool = False) -> TrainResult:
    """Train and close."""
    with Trainer.start(config, workspace=workspace) as trainer:
        return trainer.train(items, resume=resume)


def test_the_example_of_the_design_works_on_real_claims(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real SciFact claims, ten steps: the loss falls, the adapter is saved, the sampler answers."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("CRUCIBLE_DATA") or beside) / "scifact"
    if not folder.is_dir():
        pytest.skip(f"the real SciFact files are not at {folder}; set CRUCIBLE_DATA to the folder above them")
    monkeypatch.chdir(tmp_path)
    config = LoraConfig(base_model=str(base), rank=16, max_steps=10)
    trainer = Trainer.start(config)
    dataset = load("scifact", split="train", path=str(folder))
    result = trainer.train(dataset)
    assert result.final_loss < result.initial_loss
    saved = trainer.save("test-run")
    assert saved.local_path.exists()
    outputs = trainer.create_sampler().sample(["Test prompt"])
    assert isinstance(outputs[0].text, str)
    trainer.close()


def test_training_lowers_the_loss_and_says_what_it_did(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """The result has one record a step, the counts, and the losses on a fixed sample before and after."""
    result = run(configure(max_steps=8), items, tmp_path)
    assert result.final_loss < result.initial_loss
    assert [record["step"] for record in result.history] == list(range(1, 9))
    assert result.steps == 8
    assert result.items == 11
    assert result.tokens == sum(record["tokens"] for record in result.history)
    assert result.parameters_trained > 0
    assert (result.truncated, result.refused, result.validation) == (0, 0, [])


def test_the_last_partial_batch_is_trained_on(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """11 items in batches of 4 are 3 steps an epoch, and every item is seen once."""
    result = run(configure(epochs=1), items, tmp_path)
    assert result.steps == 3
    with Trainer.start(configure(), workspace=tmp_path / "count") as trainer:
        tokenizer = trainer.session.tokenizer
        expected = sum(len(tokenizer.encode(item.input)) + len(tokenizer.encode(item.expected or "")) for item in items)
    assert result.tokens == expected


def test_a_step_loss_is_the_mean_per_trained_token(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """The first step's loss without dropout over all items is the initial loss, which is a mean per token."""
    result = run(configure(batch_size=11, max_steps=1, dropout=0.0), items, tmp_path)
    assert result.history[0]["loss"] == pytest.approx(result.initial_loss, rel=1e-5)
    assert 0 < result.initial_loss < 3 * math.log(320)


@pytest.mark.parametrize(("epochs", "max_steps", "steps"), [(None, 7, 7), (2, 100, 6), (3, 2, 2)])
def test_epochs_and_max_steps_both_limit(
    configure: Configure, items: list[Item], tmp_path: Path, epochs: int | None, max_steps: int, steps: int
) -> None:
    """Without epochs the data is cycled until max_steps; with both, the first limit ends the training."""
    assert run(configure(epochs=epochs, max_steps=max_steps), items, tmp_path).steps == steps


def test_same_seed_same_numbers_other_seed_others(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """Nothing but configuration and data decides."""
    first, second, other = (
        run(configure(seed=seed), items, tmp_path / name) for seed, name in ((3, "a"), (3, "b"), (4, "c"))
    )
    assert first.history == second.history
    assert first.final_loss == second.final_loss
    assert first.history != other.history


def test_each_event_is_emitted_once(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """One training, an epoch per pass, a batch per step, a validation before and per interval, a checkpoint, too."""
    with events.collect("crucible_train.*") as found:
        run(configure(max_steps=6, validation_fraction=0.2, max_checkpoints=9), items, tmp_path)
    assert Counter(event.name.removeprefix("crucible_train.") for event in found) == {
        "training.start": 1,
        "training.stop": 1,
        "epoch.start": 2,
        "epoch.stop": 2,
        "batch.stop": 6,
        "validation.stop": 4,
        "checkpoint.saved": 3,
    }
    stop = next(event for event in found if event.name == "crucible_train.training.stop")
    assert stop.measurements.keys() >= {"initial_loss", "final_loss", "steps", "duration_ns"}
    assert stop.metadata["total_steps"] == 6
    for event in found:
        if event.name.endswith(("batch.stop", "epoch.stop", "validation.stop", "training.stop")):
            assert event.measurements["tokens_per_second"] > 0
            assert event.measurements["memory_bytes"] > 10 * 2**20
            assert event.measurements["duration_ns"] > 0
    epoch = next(event for event in found if event.name == "crucible_train.epoch.stop")
    batches = [event.measurements for event in found if event.name == "crucible_train.batch.stop"]
    assert epoch.measurements["steps"] == 3
    for name in ("loss", "gradient_norm"):
        assert epoch.measurements[name] == pytest.approx(sum(batch[name] for batch in batches[:3]) / 3)
    for batch in batches:
        seconds = batch["duration_ns"] / 1e9
        assert batch["tokens_per_second"] == pytest.approx(batch["tokens"] / seconds)


def test_the_speed_that_is_told_is_the_one_that_is_kept(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """A recorder takes the tokens a second of steps, epochs and trainings as they are told, and none of its own."""
    with events.collect("crucible_train.*") as found:
        run(configure(max_steps=3, validation_fraction=0.2), items, tmp_path)
    enrich = Enricher()
    for event in found:
        if "tokens_per_second" in event.measurements:
            assert enrich(event).fields["tokens_per_s"] == event.measurements["tokens_per_second"]
    told = [event for event in found if event.name == "crucible_train.validation.stop"]
    assert [enrich(event).fields["val_loss"] for event in told] == [event.measurements["loss"] for event in told]


WORSENING = [1.0 + abs(steps - 4) for steps in range(20)]
"""A validation loss that is lowest at step 4."""


def train_worsening(trainer: Trainer) -> tuple[TrainResult, Checkpoint]:
    """Train on tickets; return the result and what `save` wrote."""
    with trainer:
        return trainer.train(make_tickets(24, seed=0)), trainer.save("kept")


def test_the_best_checkpoint_is_kept_and_why_is_told(configure: Configure, shaped: Shape, tmp_path: Path) -> None:
    """Where the best is not the last, its weights are saved and sampled, and the trace says over which others."""
    with events.collect("crucible_trace.decision.made") as found:
        result, saved = train_worsening(shaped(configure(max_steps=8, validation_fraction=0.3), tmp_path, WORSENING))
    path = tmp_path / "checkpoints" / "step-000004"
    assert [record["loss"] for record in result.validation] == [3.0, 1.0, 3.0, 5.0]
    assert (result.kept.name, result.kept.step, result.kept.local_path) == ("step-000004", 4, path)
    assert result.kept.metrics["validation_loss"] == 1.0
    assert result.best_checkpoint == result.kept
    weights = "adapter_model.safetensors"
    assert (saved.local_path / weights).read_bytes() == (path / weights).read_bytes()
    assert (saved.step, saved.metrics) == (4, result.kept.metrics)
    decision = next(event.metadata for event in found if event.metadata["decision"].startswith("kept"))
    assert decision["decision"] == "kept the checkpoint at step 4 over 2, 6 and 8"
    assert decision["reasoning"] == "lowest validation loss (1)"
    assert decision["alternatives"] == ["step 2", "step 6", "step 8"]


def test_retention_keeps_the_best_and_the_newest_two(configure: Configure, shaped: Shape, tmp_path: Path) -> None:
    """Everything else is removed, and the trace says so; `max_checkpoints` is 3."""
    with events.collect("crucible_trace.decision.made") as found:
        result, _ = train_worsening(shaped(configure(max_steps=12, validation_fraction=0.3), tmp_path, WORSENING))
    assert [checkpoint.step for checkpoint in result.checkpoints] == [4, 10, 12]
    left = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    kept = ("step-000004", "step-000010", "step-000012")
    assert left == sorted([*kept, *(f"{name}.json" for name in kept)])
    removed = [event.metadata for event in found if event.metadata["decision"].startswith("removed")]
    assert [metadata["decision"] for metadata in removed] == [
        "removed the checkpoint at step 2",
        "removed the checkpoint at step 6",
        "removed the checkpoint at step 8",
    ]
    assert removed[-1]["reasoning"] == "newer ones are kept, and the best so far (step 4)"


def test_keep_last_and_nothing_held_out_hand_out_the_last(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Where nothing says which is best, or keep: last asks for it, the last checkpoint is kept and the reason told."""
    for name, changes, reason in (
        ("asked", {"keep": "last", "validation_fraction": 0.2}, "as keep: last asks"),
        ("unknown", {}, "no items are held out"),
    ):
        with events.collect("crucible_trace.decision.made") as found:
            result = run(configure(**changes), items, tmp_path / name)
        assert result.kept.step == 6
        decision = next(event.metadata for event in found if event.metadata["decision"].startswith("kept"))
        assert reason in decision["reasoning"]
    assert result.kept.metrics == {}


def test_a_loss_that_is_no_number_stops_with_step_items_and_last_checkpoint(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """A rate that overflows the weights ends the training at once, with all that is needed to look into it.

    The newest checkpoint holds the overflown weights, so it is not called good.
    """
    config = configure(learning_rate=1e30, checkpoint_interval=1, batch_size=2)
    with events.collect("crucible_train.training.exception") as found, pytest.raises(NonFiniteLoss) as caught:
        run(config, items, tmp_path)
    error = caught.value
    assert error.step == 2
    assert "step 2" in str(error)
    assert sum(item.id in str(error) for item in items) == 2
    held = tmp_path / "checkpoints" / "step-000001"
    assert f"no good checkpoint was saved before it: {held} holds the weights that gave it" in str(error)
    assert found[0].metadata["error_type"] == "NonFiniteLoss"


def test_a_validation_loss_that_is_no_number_stops_too(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """Weights that can only be NaN are not saved as a checkpoint."""
    config = configure(learning_rate=1e30, max_steps=1, validation_fraction=0.2)
    with pytest.raises(NonFiniteLoss, match="validation loss became .* step 1; no checkpoint was saved"):
        run(config, items, tmp_path)


def test_a_loss_that_is_no_number_after_the_last_step_stops_too(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """No later step finds out, and weights that can only be NaN are no result."""
    with pytest.raises(NonFiniteLoss, match="final loss became nan at step 1; no good checkpoint was saved") as caught:
        run(configure(learning_rate=1e30, max_steps=1), items, tmp_path)
    assert caught.value.step == 1


def test_a_loss_that_is_no_number_before_the_first_step_stops_too(
    configure: Configure, shaped: Shape, items: list[Item], tmp_path: Path
) -> None:
    """On the sample, and on the held-out items."""
    with shaped(configure(), tmp_path, [math.nan]) as trainer, pytest.raises(NonFiniteLoss, match="before the first"):
        trainer.train(items)


def test_a_trainer_that_was_interrupted_does_not_train_on_as_if_afresh(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Its weights are no longer the first ones, so without a checkpoint to go on from it refuses, resume or not."""

    def interrupt(record: StepRecord) -> None:
        if record["step"] == 3:
            raise KeyboardInterrupt

    with Trainer.start(configure(checkpoint_interval=100), workspace=tmp_path) as trainer:
        with pytest.raises(KeyboardInterrupt):
            trainer.train(items, callbacks=Callbacks(on_step_end=interrupt))
        for resume in (False, True):
            with pytest.raises(TrainError, match="left no checkpoint to go on from; start another trainer"):
                trainer.train(items, resume=resume)


def test_a_cancelled_training_leaves_a_checkpoint_and_goes_on_exactly(
    configure: Configure, items: list[Item], tmp_path: Path, stopping_at: StoppingAt
) -> None:
    """Stopped between checkpoints, it ends the step under way and writes one; resumed, it ends as if never stopped."""
    config = configure(max_steps=9, checkpoint_interval=5, validation_fraction=0.2)
    with stopping_at(1):
        run(config, items, tmp_path / "stopped")
    assert (tmp_path / "stopped" / "checkpoints" / "step-000002.json").is_file()
    resumed = run(config, items, tmp_path / "stopped", resume=True)
    whole = run(config, items, tmp_path / "whole")
    assert resumed.history == whole.history
    assert resumed.validation == whole.validation
    assert (resumed.initial_loss, resumed.final_loss) == (whole.initial_loss, whole.final_loss)
    assert resumed.kept.step == whole.kept.step


def test_cancelled_during_a_validation_it_is_made_up_for(
    configure: Configure, items: list[Item], tmp_path: Path, stopping_at: StoppingAt
) -> None:
    """A validation that was interrupted happens first when the training goes on."""
    config = configure(max_steps=8, checkpoint_interval=4, validation_fraction=0.3, batch_size=1)
    with stopping_at(4):
        run(config, items, tmp_path / "stopped")
    resumed = run(config, items, tmp_path / "stopped", resume=True)
    assert [record["step"] for record in resumed.validation] == [4, 8]
    assert resumed.validation == run(config, items, tmp_path / "whole").validation


def test_a_second_training_needs_another_trainer(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """A trained trainer, and a workspace that holds a training, are not silently trained over."""
    with Trainer.start(configure(), workspace=tmp_path) as trainer:
        trainer.train(items)
        with pytest.raises(TrainError, match="start another trainer"):
            trainer.train(items)
    with pytest.raises(TrainError, match="resume=True"):
        run(configure(), items, tmp_path)


def test_data_that_cannot_be_trained_on_is_an_error(configure: Configure, tmp_path: Path) -> None:
    """An empty dataset and an item without an answer end the training before it starts."""
    with pytest.raises(DataError, match="empty"):
        run(configure(), [], tmp_path)
    with pytest.raises(DataError, match='"x" has no answer'):
        run(configure(), [Item(id="x", input="q")], tmp_path)


def test_an_adapter_can_be_saved_before_training_and_names_are_checked(configure: Configure, tmp_path: Path) -> None:
    """A name must be the name of one folder."""
    with Trainer.start(configure(), workspace=tmp_path) as trainer:
        fresh = trainer.save("fresh")
        assert fresh.step == 0
        assert json.loads((fresh.local_path / "training.json").read_text())["data"] is None
        for bad in ("a/b", "..", "", ".hidden"):
            with pytest.raises(TrainError, match="cannot name a saved adapter"):
                trainer.save(bad)


def test_a_sampler_keeps_the_weights_it_was_made_from(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """Training on changes nothing for a sampler made before it, also after the trainer is closed."""
    with Trainer.start(configure(learning_rate=0.05), workspace=tmp_path) as trainer:
        before = trainer.create_sampler()
        first = before.logprobs([items[0].input])
        trainer.train(items)
        after = trainer.create_sampler()
    assert before.logprobs([items[0].input]) == first
    assert after.logprobs([items[0].input]) != first


def test_a_workspace_that_cannot_be_written_is_an_error(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """A checkpoint that cannot be kept ends the training by name."""
    (tmp_path / "checkpoints").write_text("a file where a folder must be")
    with pytest.raises(StoreError, match="checkpoints"):
        run(configure(), items, tmp_path)


def test_two_trainings_at_once_do_not_disturb_each_other(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Sessions share the frozen base and nothing else: beside another, a training gives the same numbers."""
    alone = run(configure(), items, tmp_path / "alone")
    results: dict[int, TrainResult] = {}

    def work(number: int) -> None:
        results[number] = run(configure(), items, tmp_path / f"beside-{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0].history == results[1].history == alone.history
