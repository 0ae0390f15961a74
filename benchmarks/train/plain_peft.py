"""A loop by hand: transformers' model, PEFT's layers, torch's AdamW, batches padded to their longest."""

import sys
from pathlib import Path

import peft
import torch
import transformers

from benchmarks.train import ALPHA, RATE_LR, Case, Example, Stopwatch, batches, draw_first_weights, report, side


def adapted(case: Case, folder: Path) -> torch.nn.Module:
    """Return the model with PEFT's layers in it."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = peft.LoraConfig(
        r=case.rank, lora_alpha=ALPHA, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = peft.get_peft_model(model, config)
    draw_first_weights(model)
    return model


def padded(batch: list[Example]) -> dict[str, torch.Tensor]:
    """Return token ids, mask and labels, (B, T) each."""
    width = max(len(example.tokens) for example in batch)
    gaps = [width - len(example.tokens) for example in batch]
    rows = list(zip(batch, gaps, strict=True))
    found = {
        "input_ids": [example.tokens + [0] * gap for example, gap in rows],
        "attention_mask": [[1] * len(example.tokens) + [0] * gap for example, gap in rows],
        "labels": [[-100] * example.prompt + example.tokens[example.prompt :] + [-100] * gap for example, gap in rows],
    }
    if not any(gaps):
        del found["attention_mask"]
    return {name: torch.tensor(values) for name, values in found.items()}


def train(case: Case, folder: Path) -> None:
    """Train and report one case."""
    model = adapted(case, folder).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE_LR, weight_decay=0.0)
    watch = Stopwatch()
    watch.split()
    loss = float("nan")
    for batch in batches(case):
        output = model(**padded(batch), use_cache=False)
        output.loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss = output.loss.item()
        watch.split()
    version = f"peft {peft.__version__}, transformers {transformers.__version__}"
    report(case, watch.measured(loss), version=version)


if __name__ == "__main__":
    side("benchmarks.train.plain_peft", train, sys.argv[1:])
