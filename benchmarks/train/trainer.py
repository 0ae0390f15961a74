"""`transformers.Trainer` over PEFT's model, batches in their order and padded to their longest."""

import sys
from pathlib import Path
from typing import Any

import transformers

from benchmarks.train import MODELS, RATE_LR, Case, Measured, Stopwatch, batches, report, side
from benchmarks.train.plain_peft import adapted, padded


class Clock(transformers.TrainerCallback):
    """Times the steps, from one's end to the next one's: loading a batch is part of a step."""

    def __init__(self) -> None:
        self.watch = Stopwatch()
        self.losses: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self.watch.split()

    def on_log(self, _args: Any, _state: Any, _control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Keep the loss."""
        if logs and "loss" in logs:
            self.losses.append(logs["loss"])

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Note the time before the first step."""
        self.watch.split()

    def measured(self) -> Measured:
        """Return the durations of all steps but the first two, and the last loss."""
        return self.watch.measured(self.losses[-1])


def settings(case: Case, folder: Path) -> dict[str, Any]:
    """Return the training arguments that `Trainer` and TRL share."""
    return {
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": case.rows,
        "max_steps": MODELS[case.model].steps,
        "learning_rate": RATE_LR,
        "lr_scheduler_type": "constant",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "train_sampling_strategy": "sequential",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        "disable_tqdm": True,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
    }


def train(case: Case, folder: Path) -> None:
    """Train and report one case."""
    clock = Clock()
    examples = [example for batch in batches(case) for example in batch]
    trainer = transformers.Trainer(
        model=adapted(case, folder),
        args=transformers.TrainingArguments(**settings(case, folder), remove_unused_columns=False),
        train_dataset=examples,  # type: ignore[arg-type]
        data_collator=padded,
        callbacks=[clock],
    )
    trainer.train()
    report(case, clock.measured(), version=transformers.__version__)


if __name__ == "__main__":
    side("benchmarks.train.trainer", train, sys.argv[1:])
