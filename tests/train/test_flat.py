"""The flat loop, the full one and a plain transformers+PEFT loop take the same steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crucible import events
from crucible.data import Item, batches
from crucible.errors import NonFiniteLoss
from crucible.ir import LoraConfig
from crucible.train import Trainer, flat, learning_rate, loop, train_flat
from crucible.train.examples import Example, prepare

Configure = Callable[..., LoraConfig]


def full_losses(config: LoraConfig, items: list[Item], workspace: Path) -> list[float]:
    """Return the losses of the full loop."""
    with Trainer.start(config, workspace=workspace) as trainer:
        return [record["loss"] for record in trainer.train(items).history]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"accumulation_steps": 2, "batch_size": 2, "schedule": "linear", "warmup_steps": 2},
        {"optimizer": "sgd", "momentum": 0.9, "epochs": 2, "max_steps": 100, "validation_fraction": 0.3},
    ],
)
def test_flat_and_full_have_the_same_losses_to_the_bit(
    configure: Configure, items: list[Item], tmp_path: Path, changes: dict[str, Any]
) -> None:
    """With dropout on: checkpoints, validations and steps sent ahead change no number."""
    config = configure(**changes)
    losses, sampler = train_flat(config, items)
    assert losses == full_losses(config, items, tmp_path)
    assert sampler.sample([items[0].input])[0].tokens


def test_each_names_the_other() -> None:
    """Who reads one finds the other."""
    assert "loop.TrainingLoop" in str(flat.__doc__)
    assert "flat.train_flat" in str(loop.__doc__)


def test_the_flat_loop_stops_at_a_loss_that_is_no_number(configure: Configure, items: list[Item]) -> None:
    """And says at which step; its session is closed, as it tells."""
    with events.collect("crucible_backends.session.stop") as ended, pytest.raises(NonFiniteLoss) as caught:
        train_flat(configure(learning_rate=1e30), items)
    assert caught.value.step == 2
    assert len(ended) == 1


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT's own call
@pytest.mark.parametrize(("schedule", "accumulation"), [("cosine", 1), ("constant", 2)])
def test_the_losses_are_those_of_a_plain_loop_of_transformers_and_peft(
    base: Path, configure: Configure, items: list[Item], tmp_path: Path, schedule: str, accumulation: int
) -> None:
    """Same batches, same first weights, AdamW, clipping, no dropout: 12 steps agree to 1e-4."""
    config = configure(
        dropout=0.0, max_steps=12, weight_decay=0.01, schedule=schedule, accumulation_steps=accumulation, keep="last"
    )
    with Trainer.start(config, workspace=tmp_path) as trainer:
        fresh = trainer.save("fresh").local_path
        data = prepare(items, trainer.session.tokenizer, config, trainer.session.window)
        result = trainer.train(items)
    theirs = plain_losses(base, fresh, config, list(data.train))
    assert [record["loss"] for record in result.history] == pytest.approx(theirs, abs=1e-4)
    assert theirs[-1] < theirs[0]


def plain_losses(base: Path, adapter: Path, config: LoraConfig, examples: list[Example]) -> list[float]:
    """Return the losses of a loop that knows nothing of Crucible but the tokens and the order of the batches."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter, is_trainable=True)
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, betas=(config.beta1, config.beta2), weight_decay=config.weight_decay)
    losses: list[float] = []
    for epoch in range(config.max_steps):
        order = list(batches(examples, config.batch_size, config.seed, epoch))
        for start in range(0, len(order), config.accumulation_steps):
            chosen = [example for batch in order[start : start + config.accumulation_steps] for example in batch]
            optimizer.param_groups[0]["lr"] = learning_rate(config, len(losses) + 1, config.max_steps)
            loss = _mean_loss(model, chosen)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, config.grad_clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
            if len(losses) == config.max_steps:
                return losses
    return losses


def _mean_loss(model: Any, chosen: list[Example]) -> Any:
    """Return the mean cross-entropy of the answers' tokens, padded on the right, labels -100 elsewhere."""
    import torch

    longest = max(len(example.datum) for example in chosen)
    ids = torch.zeros(len(chosen), longest, dtype=torch.long)  # (B, T)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, example in enumerate(chosen):
        count = len(example.datum)
        ids[row, :count] = torch.tensor(example.datum.model_input.tokens)
        mask[row, :count] = 1
        for place, weight in enumerate(example.datum.weights):
            if weight:
                labels[row, place] = example.datum.target_tokens[place]
    logits = model(input_ids=ids, attention_mask=mask).logits  # (B, T, V)
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
