"""Training through a session is training with transformers and PEFT, step by step."""

from __future__ import annotations

from typing import Any

import peft
import pytest
import torch

from crucible.backends.local_base import LoadedBase
from crucible.backends.local_session import LocalSession
from crucible.backends.records import AdamParams
from crucible.ir import LoraConfig
from crucible.text import Datum

STEPS, RATE, CLIP = 12, 5e-3, 1.0


def batches(data: list[Datum]) -> list[list[Datum]]:
    """Ragged batches of three, in a fixed order."""
    return [[data[(3 * step + row) % len(data)] for row in range(3)] for step in range(STEPS)]


def plain_curve(base: LoadedBase, first: dict[str, torch.Tensor], data: list[Datum]) -> list[float]:
    """Losses of a loop by hand: padded batches, mean over the trained tokens, torch's AdamW and clipping."""
    settings = peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    model: Any = peft.get_peft_model(base.sharing_copy(), settings)
    trained = {
        name.replace(".default.", "."): parameter for name, parameter in model.named_parameters() if ".lora_" in name
    }
    assert trained.keys() == first.keys()
    for name, parameter in trained.items():
        parameter.data.copy_(first[name])
    optimizer = torch.optim.AdamW(trained.values(), lr=RATE, weight_decay=0.0)
    losses = []
    for batch in batches(data):
        width = max(map(len, batch))
        gaps = [width - len(datum) for datum in batch]
        pairs = list(zip(batch, gaps, strict=True))
        ids = torch.tensor([[*datum.model_input.tokens] + [0] * gap for datum, gap in pairs])
        mask = torch.tensor([[1] * len(datum) + [0] * gap for datum, gap in pairs])
        targets = torch.tensor([[*datum.target_tokens] + [0] * gap for datum, gap in pairs])
        weights = torch.tensor([[*datum.weights] + [0.0] * gap for datum, gap in pairs])
        logprobs = model(input_ids=ids, attention_mask=mask, use_cache=False).logits.log_softmax(-1)
        loss = -(logprobs.gather(2, targets[..., None])[..., 0] * weights).sum() / weights.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")  # PEFT's question to transformers
def test_the_loss_curve_is_that_of_a_plain_loop(base: LoadedBase, data: list[Datum], tmp_path: Any) -> None:
    """On the same batches from the same first weights, to 1e-4 at every step."""
    config = LoraConfig(base_model="x", rank=4, alpha=8, dropout=0.0, seed=7)
    with LocalSession(config, base) as session:
        session.save_checkpoint(tmp_path / "first").result()
        ours = []
        for batch in batches(data):
            trained = sum(map(sum, (datum.weights for datum in batch)))
            mean = [
                Datum(datum.model_input, datum.target_tokens, tuple(weight / trained for weight in datum.weights))
                for datum in batch
            ]
            ours.append(session.forward_backward(mean).result().loss)
            session.optim_step(AdamParams(learning_rate=RATE, grad_clip_norm=CLIP)).result()
    import safetensors.torch

    first = safetensors.torch.load_file(tmp_path / "first" / "adapter_model.safetensors")
    expected = plain_curve(base, first, data)
    assert ours == pytest.approx(expected, abs=1e-4)
    assert ours[-1] < ours[0] - 0.1
