"""Any objective: several steps of one set of samples, windows of the present weights, state of its own, resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.backends import ForwardBackwardOutput, SamplingParams, Session, SessionFuture
from crucible.data import Item
from crucible.errors import BackendError, CheckpointError, NonFiniteLoss, TrainError
from crucible.ir import LoraConfig
from crucible.text import Datum, ModelInput
from crucible.train import Callbacks, Trainer, TrainResult
from crucible.train.objective import Material, Objective, Validated
from crucible.train.training_record import TrainState
from crucible.train.windows import Batch, Window

Configure = Callable[..., LoraConfig]
StoppingAt = Callable[[int], AbstractContextManager[None]]


class SelfTaught(Objective):
    """Trains on what the present weights sample, two steps a set of samples; its metric is how long answers are."""

    kind = "self_taught"
    looks_at_weights = True
    best_by = ("length", "max")
    reports = ("length",)

    def __init__(self, items: Sequence[Item], config: LoraConfig, *, held_out: int = 2, iterations: int = 4) -> None:
        self._items = items
        self._seed = config.seed
        self.material = Material(items=len(items), digest="d", held_out=held_out)
        self.total_steps = 2 * iterations
        self.spoil: dict[int, Any] = {}
        self.closed = 0

    def windows(self, session: Session, state: TrainState) -> Iterator[Window]:
        """Sample, then yield one window an answer."""
        try:
            for iteration in range(state.extra.get("iterations", 0), self.total_steps):
                if iteration in self.spoil:
                    raise self.spoil[iteration]
                params = SamplingParams(max_tokens=6, temperature=1.0, seed=100 * self._seed + iteration)
                answers = session.create_sampler().sample([item.input for item in self._items[:2]], params)
                for number, answer in enumerate(answers):
                    tokens = (*session.tokenizer.encode(self._items[number].input)[-8:], *answer.tokens)
                    datum = Datum(ModelInput(tokens[:-1]), tokens[1:], (1.0 / len(tokens),) * (len(tokens) - 1))
                    is_last = number == len(answers) - 1
                    yield Window(
                        epoch=iteration,
                        position=0,
                        ends_epoch=is_last,
                        batches=(Batch([datum], (self._items[number].id,), beside=float(number)),),
                        tokens=len(datum),
                        ends_iteration=is_last,
                        metrics={"self/sampled": float(len(answer.tokens))},
                        extra={"iterations": iteration + 1} if is_last else None,
                    )
        finally:
            self.closed += 1

    def send(self, session: Session, batch: Batch) -> SessionFuture[ForwardBackwardOutput]:
        """Train on it as on an answer."""
        return session.forward_backward(batch.data)

    def measured(self, window: Window, outputs: Sequence[ForwardBackwardOutput]) -> Mapping[str, float]:
        """Return what lies beside the batch."""
        return {"self/place": window.batches[0].beside, "self/answers": float(len(outputs))}

    def validate(self, session: Session) -> Validated:
        """Return the length of the answers; there is no loss."""
        answers = session.create_sampler().sample([self._items[0].input], SamplingParams(max_tokens=8))
        return Validated(None, {"length": float(len(answers[0].tokens))})


def run(config: LoraConfig, items: list[Item], workspace: Path, *, resume: bool = False, **how: Any) -> TrainResult:
    """Train for it, and close."""
    with Trainer.start(config, workspace=workspace) as trainer:
        return trainer.run(SelfTaught(items, config), resume=resume, **how)


def test_checkpoints_and_validations_are_at_the_ends_of_iterations(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Those in which their interval falls due; metrics of the window, and of the answers, are in every step."""
    config = configure(save_every=3, eval_every=5, keep="last", max_checkpoints=9, dropout=0.1)
    seen: list[Any] = []
    callbacks = Callbacks(on_epoch_end=seen.append)
    with events.collect("crucible_train.batch.stop") as found:
        result = run(config, items, tmp_path, callbacks=callbacks)
    assert [checkpoint.step for checkpoint in result.checkpoints] == [4, 6, 8]
    assert [record["step"] for record in result.validation] == [6, 8]
    assert [set(record) for record in result.validation] == [{"step", "metrics"}] * 2
    assert set(result.validation[0].get("metrics", {})) == {"length", "loss", "gradient_norm"}
    assert result.initial_validation is not None
    assert set(result.initial_validation) == {"length"}
    assert [record.get("metrics", {})["self/place"] for record in result.history] == [0.0, 1.0] * 4
    assert [dict(event.metadata["metrics"]) for event in found] == [record.get("metrics") for record in result.history]
    assert [record["epoch"] for record in seen] == [0, 1, 2, 3]
    assert result.initial_loss != result.initial_loss  # NaN: it has no loss to compare
    assert not (result.final_loss < result.initial_loss)


def test_stopped_anywhere_it_goes_on_as_if_it_never_had(
    configure: Configure, items: list[Item], tmp_path: Path, stopping_at: StoppingAt
) -> None:
    """In the middle of an iteration and at its end: same samples, same steps, same weights."""
    config = configure(save_every=2, eval_every=4, dropout=0.1)
    expected = run(config, items, tmp_path / "whole")
    for step in (1, 3):
        with stopping_at(step):
            run(config, items, tmp_path / "cut", resume=True)
    resumed = run(config, items, tmp_path / "cut", resume=True)
    assert (resumed.history, resumed.validation) == (expected.history, expected.validation)
    assert resumed.initial_validation == expected.initial_validation
    weights = "checkpoints/step-000008/adapter_model.safetensors"
    assert (tmp_path / "cut" / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()


def test_the_best_is_chosen_by_what_the_objective_names(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Early stopping may name it, too; a metric that nothing measures is refused before a step is taken."""
    result = run(configure(save_every=2, eval_every=2), items, tmp_path / "best")
    lengths = {record["step"]: record.get("metrics", {})["length"] for record in result.validation}
    assert result.best_checkpoint is not None
    assert lengths[result.best_checkpoint.step] == max(lengths.values())
    assert result.kept == result.best_checkpoint
    stopping = configure(eval_every=2, early_stopping={"metric": "length", "mode": "max", "patience": 1})
    stopped = run(stopping, items, tmp_path / "stopped")
    assert stopped.stopped_early == (stopped.steps < 8)
    wrong = configure(early_stopping={"metric": "lenght", "mode": "max", "patience": 1})
    with pytest.raises(TrainError, match='"lenght", which this training does not report.*did you mean.*length'):
        run(wrong, items, tmp_path / "wrong")
    with pytest.raises(TrainError, match='quality_targets names "rewrd"'):
        run(configure(quality_targets={"rewrd": 1.0}), items, tmp_path / "wrong")
    with pytest.raises(TrainError, match='may not be called "length"'):
        run(configure(), items, tmp_path / "wrong", measures={"length": lambda sampler: 1.0})


def test_a_training_does_not_go_on_as_one_of_another_kind(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """The checkpoints of an objective are its own."""
    run(configure(save_every=2), items, tmp_path)
    with (
        Trainer.start(configure(save_every=2), workspace=tmp_path) as trainer,
        pytest.raises(CheckpointError, match="objective was 'self_taught' and is None"),
    ):
        trainer.train(items, resume=True)


def test_errors_of_a_window_name_the_step_and_end_what_makes_them(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """The error stays the one it is; the generator is closed, whatever ended the training."""
    config = configure()
    objective = SelfTaught(items, config)
    objective.spoil[1] = BackendError("the sampler is gone", backend="local", is_retryable=True)
    with (
        Trainer.start(config, workspace=tmp_path / "a") as trainer,
        pytest.raises(BackendError, match="^step 3: the sampler is gone$") as caught,
    ):
        trainer.run(objective)
    assert (getattr(caught.value, "step", None), caught.value.is_retryable) == (3, True)
    assert objective.closed == 1
    whole = SelfTaught(items, config)
    with Trainer.start(config, workspace=tmp_path / "b") as trainer:
        trainer.run(whole)
    assert whole.closed == 1


def test_an_objective_that_runs_dry_or_measures_no_number_fails(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """Never an endless loop, never NaN in a record."""
    config = configure()
    dry = SelfTaught(items, config, iterations=2)
    dry.total_steps = 6
    made = dry.windows

    def few(session: Session, state: TrainState) -> Iterator[Window]:
        return (window for window in made(session, state) if window.epoch < 2)

    dry.windows = few  # type: ignore[method-assign]
    with (
        Trainer.start(config, workspace=tmp_path / "dry") as trainer,
        pytest.raises(TrainError, match="self_taught: there is nothing left to train on after step 4 of 6"),
    ):
        trainer.run(dry)
    odd = SelfTaught(items, config)
    odd.measured = lambda window, outputs: {"self/odd": float("nan")}  # type: ignore[method-assign]
    with (
        Trainer.start(config, workspace=tmp_path / "odd") as trainer,
        pytest.raises(NonFiniteLoss, match="self/odd became nan at step 1") as caught,
    ):
        trainer.run(odd)
    assert caught.value.step == 1


def test_a_request_that_fails_inside_a_step_says_which(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """Of a supervised training, too: a token outside of the vocabulary in the third step."""
    from crucible.errors import DataError

    config = configure()
    objective = SelfTaught(items, config)
    send = objective.send

    def spoiled(session: Session, batch: Batch) -> SessionFuture[ForwardBackwardOutput]:
        spoiled.count += 1  # type: ignore[attr-defined]
        if spoiled.count == 3:  # type: ignore[attr-defined]
            return session.forward_backward([Datum(ModelInput((10**6,)), (1,), (1.0,))])
        return send(session, batch)

    spoiled.count = 0  # type: ignore[attr-defined]
    objective.send = spoiled  # type: ignore[method-assign]
    with (
        Trainer.start(config, workspace=tmp_path) as trainer,
        pytest.raises(DataError, match="^step 3: .*vocabulary"),
    ):
        trainer.run(objective)


def test_a_training_begins_with_an_adapter(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """At its weights, under any other configuration; it is another training, which a resumed one must begin alike."""
    first = configure(max_steps=2, save_every=2)
    with Trainer.start(first, workspace=tmp_path / "first") as trainer:
        trained = trainer.train(items)
    lower = configure(max_steps=2, save_every=2, learning_rate=1e-6)
    with Trainer.start(lower, workspace=tmp_path / "second", adapter=trained.kept.local_path) as trainer:
        again = trainer.train(items)
    assert again.initial_loss == trained.final_loss
    with (
        Trainer.start(lower, workspace=tmp_path / "second") as trainer,
        pytest.raises(CheckpointError, match="adapter was"),
    ):
        trainer.train(items, resume=True)
    with pytest.raises(CheckpointError):
        Trainer.start(lower, workspace=tmp_path / "third", adapter=tmp_path / "nowhere")
