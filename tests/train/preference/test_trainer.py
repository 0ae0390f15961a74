"""The trainer of preferences: every loss learns, numbers are those of the loss, interrupted equals uninterrupted."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.backends import LocalBackend
from crucible.data import Item
from crucible.errors import BackendError, CheckpointError, NonFiniteLoss, SpecErrors, TrainError
from crucible.ir import LoraConfig, to_dict
from crucible.train import Trainer, TrainResult
from crucible.train.preference import PreferenceConfig, PreferenceTrainer, train_preference_flat

Configure = Callable[..., LoraConfig]
StoppingAt = Callable[[int], AbstractContextManager[None]]


def run(
    config: LoraConfig, items: list[Item], workspace: Path, *, resume: bool = False, **settings: Any
) -> TrainResult:
    """Train on preferences, and close."""
    preference = PreferenceConfig(**settings)
    with PreferenceTrainer.start(config, workspace=workspace, preference=preference) as trainer:
        return trainer.train(items, resume=resume)


@pytest.mark.parametrize("loss_type", ["dpo", "ipo", "cdpo", "orpo"])
def test_the_chosen_answer_gets_ahead(configure: Configure, polite: list[Item], tmp_path: Path, loss_type: str) -> None:
    """On the pairs that are trained on: a smaller loss, a larger margin, every pair in the right order at the end."""
    config = configure(max_steps=12, batch_size=8, dropout=0.0, checkpoint_interval=100)
    result = run(config, polite, tmp_path, loss_type=loss_type)
    first, last = result.history[0].get("metrics", {}), result.history[-1].get("metrics", {})
    assert set(first) == {"dpo/accuracy", "dpo/margin", "dpo/chosen_reward", "dpo/rejected_reward"}
    assert result.final_loss < result.initial_loss
    assert last["dpo/margin"] > first["dpo/margin"]
    assert last["dpo/accuracy"] == 1.0
    assert last["dpo/margin"] == pytest.approx(last["dpo/chosen_reward"] - last["dpo/rejected_reward"])


def test_before_the_first_step_policy_and_reference_agree(
    configure: Configure, comparisons: list[Item], tmp_path: Path
) -> None:
    """The loss is log 2, no margin is there, and equal rewards are half right."""
    config = configure(max_steps=1, validation_fraction=0.3, dropout=0.0)
    result = run(config, comparisons, tmp_path)
    assert result.initial_loss == pytest.approx(math.log(2), abs=1e-12)
    assert result.history[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert result.initial_validation == pytest.approx({
        "validation_loss": math.log(2),
        "validation_accuracy": 0.5,
        "validation_margin": 0.0,
        "validation_chosen_reward": 0.0,
        "validation_rejected_reward": 0.0,
    })  # fmt: skip


def test_the_loss_of_a_step_is_the_formula_of_what_two_models_say(
    configure: Configure, comparisons: list[Item], tmp_path: Path
) -> None:
    """Computed anew, in Python: the tuned model's sampler, the base model's, and log sigmoid."""
    config = configure(max_steps=4, batch_size=20, dropout=0.0, learning_rate=1e-2, keep="last")
    with PreferenceTrainer.start(config, workspace=tmp_path, preference=PreferenceConfig(beta=0.3)) as trainer:
        result = trainer.train(comparisons)
        tuned, base = trainer.create_sampler(), LocalBackend().create_sampler(config.base_model)

    def summed(sampler: Any, item: Item, answer: str) -> float:
        tokenizer = trainer.session.tokenizer
        start = [] if tokenizer.bos_id is None else [tokenizer.bos_id]
        prompt = [*start, *tokenizer.encode(item.input)]
        tokens = [*prompt, *tokenizer.encode(answer), tokenizer.eos_id]
        from crucible.text import ModelInput

        (logprobs,) = sampler.logprobs([ModelInput(tuple(tokens))])
        return sum(logprobs[len(prompt) :])

    losses: list[float] = []
    for item in comparisons:
        ahead = {
            name: summed(tuned, item, item.metadata[name]) - summed(base, item, item.metadata[name])
            for name in ("chosen", "rejected")
        }
        losses.append(math.log1p(math.exp(-0.3 * (ahead["chosen"] - ahead["rejected"]))))
    assert result.final_loss == pytest.approx(sum(losses) / len(losses), rel=1e-4)


@pytest.mark.parametrize("loss_type", ["dpo", "kto"])
def test_stopped_anywhere_it_goes_on_as_if_it_never_had(
    configure: Configure, comparisons: list[Item], tmp_path: Path, stopping_at: StoppingAt, loss_type: str
) -> None:
    """Dropout on, accumulated, validated: every number and the weights are the same to the bit."""
    config = configure(
        max_steps=6, batch_size=2, accumulation_steps=2, dropout=0.1, validation_fraction=0.2, checkpoint_interval=2
    )
    expected = run(config, comparisons, tmp_path / "whole", loss_type=loss_type)
    for step in (1, 3):
        with stopping_at(step):
            run(config, comparisons, tmp_path / "cut", resume=True, loss_type=loss_type)
    resumed = run(config, comparisons, tmp_path / "cut", resume=True, loss_type=loss_type)
    for name in ("history", "validation", "initial_loss", "final_loss", "initial_validation", "tokens"):
        assert getattr(resumed, name) == getattr(expected, name), name
    weights = "checkpoints/step-000006/adapter_model.safetensors"
    assert (tmp_path / "cut" / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()


def test_the_reference_is_asked_once_and_its_file_is_its_own(
    configure: Configure, comparisons: list[Item], tmp_path: Path, stopping_at: StoppingAt
) -> None:
    """A resumed training reads it; a damaged or foreign file is computed again, with the same numbers."""
    config = configure(dropout=0.0)
    path = tmp_path / "references.json"
    with events.collect() as found, stopping_at(2):
        run(config, comparisons, tmp_path, resume=True)
    kept = path.read_text()
    assert sum("log-probabilities" in str(event.metadata.get("decision", "")) for event in found) <= 1
    path.write_text(kept.replace('"key": "', '"key": "0'))
    with stopping_at(4):
        run(config, comparisons, tmp_path, resume=True)
    assert json.loads(path.read_text()) == json.loads(kept)
    path.write_text("{")
    result = run(config, comparisons, tmp_path, resume=True)
    assert json.loads(path.read_text()) == json.loads(kept)
    assert result.steps == 6


def test_a_trainer_that_was_interrupted_does_not_take_its_own_weights_for_the_reference(
    configure: Configure, comparisons: list[Item], tmp_path: Path, stopping_at: StoppingAt
) -> None:
    """Where what the reference said is lost, another trainer asks again; the numbers are those of no interruption."""
    config = configure(dropout=0.0)
    whole = run(config, comparisons, tmp_path / "whole")
    with PreferenceTrainer.start(config, workspace=tmp_path / "cut") as trainer:
        with stopping_at(3):
            trainer.train(comparisons)
        path = tmp_path / "cut" / "references.json"
        path.write_text("{")
        with pytest.raises(TrainError, match="start another trainer in this workspace"):
            trainer.train(comparisons, resume=True)
        assert path.read_text() == "{"
    assert run(config, comparisons, tmp_path / "cut", resume=True).history == whole.history
    assert path.read_text() == (tmp_path / "whole" / "references.json").read_text()


@pytest.mark.parametrize(
    ("settings", "metadata", "metric"),
    [
        ({"loss_type": "kto"}, {"desirable": True}, "validation_undesirable_reward"),
        ({"ties": "split"}, {"chosen": " a", "rejected": " b", "label": "Tie"}, "validation_accuracy"),
    ],
)
def test_what_the_held_out_items_cannot_tell_is_not_waited_for(
    configure: Configure, tmp_path: Path, settings: dict[str, Any], metadata: dict[str, Any], metric: str
) -> None:
    """No early stopping by the reward of answers that nobody holds out, and no accuracy of ties alone."""
    items = [Item(f"i{number}", f"ticket {number} ->", " sorry", metadata) for number in range(8)]
    stopping = {"metric": metric, "mode": "max", "patience": 1}
    with pytest.raises(TrainError, match=f'names "{metric}", which this training does not report'):
        run(configure(validation_fraction=0.3, early_stopping=stopping), items, tmp_path, **settings)


def test_a_reference_may_be_an_adapter_or_another_base(
    configure: Configure, comparisons: list[Item], items: list[Item], tmp_path: Path
) -> None:
    """An adapter's rank is its own; the loss begins where both differ, and one that is not there is named."""
    with Trainer.start(configure(rank=2, learning_rate=2e-2), workspace=tmp_path / "sft") as trainer:
        trainer.train(items)
        adapter = trainer.save("adapter").local_path
    config = configure(max_steps=1, dropout=0.0)
    result = run(config, comparisons, tmp_path / "a", reference_model=str(adapter))
    assert abs(result.initial_loss - math.log(2)) > 1e-6
    base = run(config, comparisons, tmp_path / "b", reference_model=config.base_model)
    assert base.initial_loss == pytest.approx(math.log(2), abs=1e-12)
    with pytest.raises(BackendError, match="nowhere"):
        run(config, comparisons, tmp_path / "c", reference_model=str(tmp_path / "nowhere"))
    manifest = (adapter / "manifest.json").read_bytes()
    (adapter / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match="without manifest.json"):
        run(config, comparisons, tmp_path / "e", reference_model=str(adapter))
    (adapter / "manifest.json").write_bytes(manifest)
    (adapter / "adapter_model.safetensors").write_bytes(b"spoiled")
    with pytest.raises(CheckpointError, match="adapter_model.safetensors"):
        run(config, comparisons, tmp_path / "d", reference_model=str(adapter))
    with pytest.raises(CheckpointError, match="reference was"):
        run(config, comparisons, tmp_path / "b", resume=True)


def test_training_goes_on_from_a_tuned_adapter_which_is_the_reference_then(
    configure: Configure, comparisons: list[Item], items: list[Item], tmp_path: Path
) -> None:
    """First answers, then preferences: the usual order."""
    with Trainer.start(configure(learning_rate=2e-2), workspace=tmp_path / "sft") as trainer:
        trainer.train(items)
        adapter = trainer.save("adapter").local_path
    with PreferenceTrainer.start(
        configure(max_steps=2, dropout=0.0), workspace=tmp_path / "dpo", adapter=adapter
    ) as trainer:
        result = trainer.train(comparisons)
    assert result.initial_loss == pytest.approx(math.log(2), abs=1e-12)


def test_a_tie_that_is_split_pulls_nowhere(configure: Configure, comparisons: list[Item], tmp_path: Path) -> None:
    """Where policy and reference agree, its gradient is 0: a step on ties alone leaves the weights as they are."""
    ties = [Item(item.id, item.input, None, {**item.metadata, "label": "Tie"}) for item in comparisons]
    config = configure(max_steps=1, dropout=0.0, optimizer="sgd", learning_rate=1.0)
    result = run(config, ties, tmp_path, ties="split")
    assert result.history[0]["gradient_norm"] == pytest.approx(0.0, abs=1e-6)
    assert result.history[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert "metrics" not in result.history[0]


def test_kto_lifts_what_is_desirable_over_what_is_not(configure: Configure, polite: list[Item], tmp_path: Path) -> None:
    """From single answers, with the divergence reported and at least 0."""
    config = configure(max_steps=12, batch_size=16, dropout=0.0, checkpoint_interval=100)
    judged = [
        Item(f"{item.id}-{name}", item.input, item.metadata[name], {"desirable": name == "chosen"})
        for item in polite
        for name in ("chosen", "rejected")
    ]
    result = run(config, judged, tmp_path, loss_type="kto")
    last = result.history[-1].get("metrics", {})
    assert set(last) == {"kto/divergence", "kto/desirable_reward", "kto/undesirable_reward"}
    assert result.final_loss < result.initial_loss == pytest.approx(0.5)
    assert last["kto/desirable_reward"] > last["kto/undesirable_reward"]
    assert all(record.get("metrics", {})["kto/divergence"] >= 0 for record in result.history)


def test_the_flat_loop_takes_the_same_steps(configure: Configure, comparisons: list[Item], tmp_path: Path) -> None:
    """Loss by loss, to the bit, dropout on, over the end of an epoch; and its sampler has the same weights."""
    config = configure(max_steps=5, schedule="linear", keep="last")
    losses, sampler = train_preference_flat(config, comparisons, beta=0.2)
    with PreferenceTrainer.start(config, workspace=tmp_path, preference=PreferenceConfig(beta=0.2)) as trainer:
        result = trainer.train(comparisons)
        full = trainer.create_sampler()
    assert losses == [record["loss"] for record in result.history]
    assert sampler.logprobs(["a ticket"]) == full.logprobs(["a ticket"])


def test_a_loss_that_is_no_number_ends_the_training_with_its_items(
    configure: Configure, comparisons: list[Item], tmp_path: Path
) -> None:
    """Weights that explode: the step, the pairs, and what to do."""
    config = configure(batch_size=2, learning_rate=1e30, grad_clip_norm=0.0, checkpoint_interval=100)
    with pytest.raises(NonFiniteLoss, match=r"at step 2, on the items .*; no checkpoint was saved.*learning_rate"):
        run(config, comparisons, tmp_path)


def test_settings_that_do_not_belong_together_are_refused() -> None:
    """By name, with the losses that have them."""
    for settings, message in (
        ({"label_smoothing": 0.2}, "label_smoothing.*is a setting of cdpo, and loss_type is dpo"),
        ({"loss_type": "dpo", "desirable_weight": 2.0}, "is a setting of kto"),
        ({"loss_type": "orpo", "reference_model": "x"}, "reference_model.*dpo, ipo, cdpo, kto"),
        ({"beta": 0.0}, "beta"),
        ({"beta": math.nan}, "beta"),
        ({"loss_type": "ppo"}, "loss_type"),
        ({"ties": "keep"}, "ties"),
    ):
        with pytest.raises((SpecErrors, ValueError)) as caught:
            PreferenceConfig.read(settings)
        assert re.search(message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize("changes", [{"loss": "mse"}, {"train_on": "all_tokens"}])
def test_what_only_supervised_training_does_is_refused(
    configure: Configure, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Instead of being passed over."""
    with pytest.raises(TrainError, match=f"{next(iter(changes))} is of supervised training"):
        PreferenceTrainer.start(configure(**changes), workspace=tmp_path)


CHILD = """
import json, sys
from pathlib import Path
from crucible import events
from crucible.data import Item
from crucible.ir import LoraConfig
from crucible.train.preference import PreferenceTrainer

def say(event):
    print(event.measurements["step"], flush=True)

events.attach("say", "crucible_train.batch.stop", say)
items = [Item(*each) for each in json.loads(sys.argv[2])]
with PreferenceTrainer.start(LoraConfig.read(json.loads(sys.argv[1])), workspace=Path(sys.argv[3])) as trainer:
    trainer.train(items, resume=True)
print("done", flush=True)
"""


@pytest.mark.slow  # processes that import PyTorch, killed again and again
def test_killed_at_random_moments_it_ends_as_if_it_never_had_been(
    configure: Configure, comparisons: list[Item], tmp_path: Path
) -> None:
    """`kill -9` while the reference is asked, and twice some milliseconds after a step."""
    config = configure(max_steps=20, checkpoint_interval=2, dropout=0.1, validation_fraction=0.2)
    expected = run(config, comparisons, tmp_path / "whole")
    items = json.dumps([(item.id, item.input, None, dict(item.metadata)) for item in comparisons])
    command = [sys.executable, "-c", CHILD, json.dumps(to_dict(config)), items, str(tmp_path / "cut")]
    for step, wait_s in ((0, 0.0), (3, 0.02), (5, 0.04)):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
            assert process.stdout is not None
            while step == 0 and not (tmp_path / "cut").exists() and process.poll() is None:
                time.sleep(0.005)
            for count, line in enumerate(process.stdout if step else (), 1):
                if count == step or line == "done\n":
                    break
            time.sleep(wait_s)
            process.send_signal(signal.SIGKILL)
            process.wait()
    resumed = run(config, comparisons, tmp_path / "cut", resume=True)
    for name in ("history", "validation", "initial_loss", "final_loss", "initial_validation"):
        assert getattr(resumed, name) == getattr(expected, name), name
    weights = "checkpoints/step-000020/adapter_model.safetensors"
    assert (tmp_path / "cut" / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()
