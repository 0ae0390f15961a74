"""The loop: accumulation is exact, steps are sent ahead where nobody looks, a failure fails the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from crucible import events
from crucible.backends import (
    ForwardBackwardOutput,
    LocalBackend,
    OptimizerParams,
    OptimStepOutput,
    Sampler,
    Session,
    SessionFuture,
)
from crucible.data import Item
from crucible.errors import BackendError, NonFiniteLoss, TrainError
from crucible.ir import LoraConfig
from crucible.text import Datum
from crucible.train import Callbacks, Trainer, TrainResult

Configure = Callable[..., LoraConfig]


def run(config: LoraConfig, items: list[Item], workspace: Path) -> TrainResult:
    """Train and close."""
    with Trainer.start(config, workspace=workspace) as trainer:
        return trainer.train(items)


def weights_of(workspace: Path, step: int) -> dict[str, Any]:
    """Return the adapter's weights of a checkpoint."""
    from safetensors.torch import load_file

    return load_file(workspace / "checkpoints" / f"step-{step:06d}" / "adapter_model.safetensors")


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop"])
def test_k_batches_of_b_are_one_batch_of_k_times_b(
    configure: Configure, items: list[Item], tmp_path: Path, optimizer: str
) -> None:
    """Without dropout every loss, norm and weight is the same but for rounding, over a partial last batch, too."""
    values = {"dropout": 0.0, "max_steps": 7, "schedule": "cosine", "optimizer": optimizer, "learning_rate": 1e-3}
    large = run(configure(**values, batch_size=6), items, tmp_path / "large")
    small = run(configure(**values, batch_size=2, accumulation_steps=3), items, tmp_path / "small")
    assert small.steps == large.steps == 7
    for one, other in zip(small.history, large.history, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["gradient_norm"] == pytest.approx(other["gradient_norm"], rel=1e-4)
        assert (one["tokens"], one["epoch"], one["learning_rate"]) == (
            other["tokens"],
            other["epoch"],
            other["learning_rate"],
        )
    first, second = weights_of(tmp_path / "small", 7), weights_of(tmp_path / "large", 7)
    for name, tensor in first.items():
        assert (tensor - second[name]).abs().max() < 1e-4, name


def test_the_intervals_of_validation_and_saving_are_apart(
    configure: Configure, shaped: Callable[..., Trainer], items: list[Item], tmp_path: Path
) -> None:
    """Each at its own steps and at the last; and a validation that is the best so far saves what it measured."""
    falling = [9, 8, 7, 6, 5, 6, 7, 8, 9, 9, 9, 9]
    config = configure(max_steps=10, eval_every=2, save_every=5, max_checkpoints=9, validation_fraction=0.3)
    with events.collect("crucible_train.*") as found, shaped(config, tmp_path, falling) as trainer:
        result = trainer.train(items)
    told = [(event.name.split(".")[1], event.measurements["step"]) for event in found if "step" in event.measurements]
    assert [step for kind, step in told if kind == "validation"] == [0, 2, 4, 6, 8, 10]
    assert [checkpoint.step for checkpoint in result.checkpoints] == [2, 4, 5, 10]
    assert [checkpoint.metrics.get("validation_loss") for checkpoint in result.checkpoints] == [7, 5, None, 9]
    assert (result.kept.step, result.initial_validation_loss) == (4, 9)
    assert [record.get("validation_loss") for record in result.history] == [
        None, 7, None, 5, None, 7, None, 9, None, 9,
    ]  # fmt: skip


def test_kept_is_the_last_needs_no_save_at_the_best(
    configure: Configure, shaped: Callable[..., Trainer], items: list[Item], tmp_path: Path
) -> None:
    """Where the last is handed out, saves are at their own interval alone."""
    config = configure(max_steps=6, eval_every=2, save_every=3, validation_fraction=0.3, keep="last")
    with shaped(config, tmp_path, [9, 8, 7, 6, 5, 6, 7]) as trainer:
        result = trainer.train(items)
    assert [checkpoint.step for checkpoint in result.checkpoints] == [3, 6]
    assert (result.kept.step, result.best_checkpoint) == (6, result.kept)


def test_validations_do_not_touch_the_training(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """With dropout on, a training that validates after each step has the losses of one that does at its end."""
    often = run(configure(validation_fraction=0.3, eval_every=1), items, tmp_path / "often")
    once = run(configure(validation_fraction=0.3, eval_every=100), items, tmp_path / "once")
    plain = [{name: record[name] for name in ("loss", "gradient_norm")} for record in often.history]
    assert plain == [{name: record[name] for name in ("loss", "gradient_norm")} for record in once.history]
    assert [record["step"] for record in often.validation] == [1, 2, 3, 4, 5, 6]
    assert often.validation[-1]["loss"] == once.validation[-1]["loss"]
    assert set(often.validation[0].get("metrics", {})) == {
        "validation_loss",
        "validation_perplexity",
        "loss",
        "gradient_norm",
    }


class Noted:
    """A real session that notes what is asked and answered; `spoil` may replace an answer."""

    def __init__(self, session: Session, spoil: Callable[[str, int, Any], Any] = lambda kind, number, answer: answer):
        self._session = session
        self._spoil = spoil
        self.log: list[str] = []
        self.counts = {"forward_backward": 0, "optim_step": 0}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def forward_backward(
        self, data: Sequence[Datum], loss: str = "cross_entropy"
    ) -> SessionFuture[ForwardBackwardOutput]:
        """Note the request, and its answer once somebody reads it."""
        return self._noted("forward_backward", self._session.forward_backward(data, loss))

    def optim_step(self, params: OptimizerParams) -> SessionFuture[OptimStepOutput]:
        """Note the request, and its answer once somebody reads it."""
        return self._noted("optim_step", self._session.optim_step(params))

    def _noted(self, kind: str, future: SessionFuture[Any]) -> SessionFuture[Any]:
        self.counts[kind] += 1
        number = self.counts[kind]
        self.log.append(f"asked {kind} {number}")
        noted = _Read(future, lambda answer: self._answered(kind, number, answer))
        return cast("SessionFuture[Any]", noted)

    def _answered(self, kind: str, number: int, answer: Any) -> Any:
        self.log.append(f"read {kind} {number}")
        return self._spoil(kind, number, answer)


class _Read:
    def __init__(self, future: SessionFuture[Any], seen: Callable[[Any], Any]) -> None:
        self._future, self._seen = future, seen

    def result(self, timeout: float | None = None) -> Any:
        """Return the answer."""
        return self._seen(self._future.result(timeout))


def note(config: LoraConfig, workspace: Path, **how: Any) -> tuple[Trainer, Noted]:
    """Return a trainer of a real adapter whose requests are noted."""
    noted = Noted(LocalBackend().start_session(config), **how)
    return Trainer(config, cast("Session", noted), workspace, "adapter"), noted


def test_a_step_is_sent_before_the_one_ahead_is_answered(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """All its requests at once, optimiser step included; at the end of an epoch nothing is sent ahead."""
    trainer, noted = note(configure(batch_size=2, accumulation_steps=2, max_steps=4, save_every=99), tmp_path)
    with trainer:
        trainer.train(items)
    assert noted.log[:9] == [
        "asked forward_backward 1",
        "asked forward_backward 2",
        "asked optim_step 1",
        "asked forward_backward 3",
        "asked forward_backward 4",
        "asked optim_step 2",
        "read forward_backward 1",
        "read forward_backward 2",
        "read optim_step 1",
    ]
    last = noted.log.index("asked optim_step 3")  # eleven items: the third step ends the epoch
    assert "read optim_step 3" in noted.log[: noted.log.index("asked forward_backward 7")]
    assert noted.log[last + 1] == "read forward_backward 3"


def test_where_a_callback_looks_nothing_is_sent_ahead(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """And the numbers are the same as where steps are sent ahead."""
    trainer, noted = note(configure(), tmp_path / "looked")
    with trainer:
        looked = trainer.train(items, callbacks=Callbacks(on_step_end=lambda record: None))
    for step in range(2, 7):
        assert noted.log.index(f"read optim_step {step - 1}") < noted.log.index(f"asked forward_backward {step}")
    assert looked.history == run(configure(), items, tmp_path / "ahead").history


def test_a_loss_that_is_no_number_names_its_step_and_items_though_the_next_was_sent(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Step 2 of 6 goes wrong while step 3 is under way: the error says 2, and its items."""

    def spoil(kind: str, number: int, answer: Any) -> Any:
        if (kind, number) == ("forward_backward", 2):
            return ForwardBackwardOutput(loss=float("nan"), logprobs=[], metrics={})
        return answer

    trainer, noted = note(configure(batch_size=2, checkpoint_interval=100), tmp_path / "cut", spoil=spoil)
    with trainer, pytest.raises(NonFiniteLoss) as caught:
        trainer.train(items)
    assert "asked forward_backward 3" in noted.log
    assert caught.value.step == 2
    assert "the loss became nan at step 2" in str(caught.value)
    assert "no checkpoint was saved before it" in str(caught.value)
    assert sum(item.id in str(caught.value) for item in items) == 2


def test_a_gradient_that_is_no_number_names_its_step_and_all_its_items(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Those of every batch of the step, and the last good checkpoint."""

    def spoil(kind: str, number: int, answer: Any) -> Any:
        if (kind, number) == ("optim_step", 2):
            raise NonFiniteLoss("the gradient norm is nan", step=2)
        return answer

    config = configure(batch_size=2, accumulation_steps=2, checkpoint_interval=1)
    trainer, _ = note(config, tmp_path, spoil=spoil)
    with (
        trainer,
        pytest.raises(NonFiniteLoss, match=r"the loss is \d.* but the gradient norm is nan at step 2") as caught,
    ):
        trainer.train(items)
    assert caught.value.step == 2
    assert sum(item.id in str(caught.value) for item in items) == 4
    assert str(tmp_path / "checkpoints" / "step-000001") in str(caught.value)


def test_a_gradient_that_is_no_number_does_not_change_the_weights(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Steps sent ahead of the answer are not carried out: the weights are those of the last good step."""
    config = configure(batch_size=2, max_steps=6, learning_rate=1e30, checkpoint_interval=100, grad_clip_norm=0.0)
    with Trainer.start(config, workspace=tmp_path) as trainer:
        with pytest.raises(NonFiniteLoss, match=r"at step 2, on the items .*; no checkpoint was saved") as caught:
            trainer.train(items)
        assert caught.value.step == 2
        with pytest.raises(BackendError, match="start a new session"):
            trainer.session.optim_step(cast("OptimizerParams", None)).result()


def test_a_failing_step_fails_the_training(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """Never logged and passed over: the error of the backend ends it, and the events say so."""

    def spoil(kind: str, number: int, answer: Any) -> Any:
        if (kind, number) == ("optim_step", 3):
            raise BackendError("the server is gone", backend="local")
        return answer

    trainer, _ = note(configure(), tmp_path, spoil=spoil)
    failing = pytest.raises(BackendError, match="the server is gone")
    with events.collect("crucible_train.training.exception") as found, trainer, failing:
        trainer.train(items)
    assert [event.metadata["error_type"] for event in found] == ["BackendError"]


def test_an_unknown_loss_fails_by_name(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """Before any step is taken."""
    with pytest.raises((BackendError, TrainError, ValueError), match="cross_entropi"):
        run(configure(loss="cross_entropi"), items, tmp_path)


def test_no_thread_is_left_behind(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """The one that prepares batches ends with the training, however that ends."""
    run(configure(max_steps=2), items, tmp_path / "whole")
    trainer, _ = note(configure(), tmp_path / "cut", spoil=lambda kind, number, answer: 1 / (3 - number))
    with trainer, pytest.raises((ZeroDivisionError, AttributeError)):
        trainer.train(items)
    assert not [thread.name for thread in threading.enumerate() if thread.name == "prefetch"]


def test_the_last_good_checkpoint_is_one_whose_weights_gave_a_number(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Step 4 gives none with the weights of step 3: unless those were validated, step 2 is the last that is good."""

    def spoil(kind: str, number: int, answer: Any) -> Any:
        if (kind, number) == ("forward_backward", 4):
            return ForwardBackwardOutput(loss=float("nan"), logprobs=[], metrics={})
        return answer

    for validated, good in ((0.0, "step-000002"), (0.3, "step-000003")):
        config = configure(checkpoint_interval=1, validation_fraction=validated)
        trainer, _ = note(config, tmp_path / good, spoil=spoil)
        with trainer, pytest.raises(NonFiniteLoss, match="the loss became nan at step 4") as caught:
            trainer.train(items)
        assert f"the last good checkpoint is {tmp_path / good / 'checkpoints' / good};" in str(caught.value)


def test_the_speed_of_a_validation_is_that_of_the_scoring(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """A slow measure of the caller's takes part in the duration, not in the tokens a second."""

    def slow(sampler: Sampler) -> float:
        time.sleep(1.0)
        return 1.0

    config = configure(max_steps=1, validation_fraction=0.3)
    with (
        events.collect("crucible_train.validation.stop") as found,
        Trainer.start(config, workspace=tmp_path) as trainer,
    ):
        trainer.train(items, measures={"slow": slow})
    untrained, trained = (event.measurements for event in found)
    assert trained["duration_ns"] > 1e9
    held_out = untrained["tokens_per_second"] * untrained["duration_ns"] / 1e9  # tokens
    assert trained["tokens_per_second"] * trained["duration_ns"] / 1e9 > 1.5 * held_out
