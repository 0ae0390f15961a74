"""TRL's `SFTTrainer` with PEFT, tokens and labels given, batches in their order; gradient checkpointing off."""

import sys
from pathlib import Path

import trl
from datasets import Dataset

from benchmarks.train import Case, batches, report, side
from benchmarks.train.plain_peft import adapted
from benchmarks.train.trainer import Clock, settings


def train(case: Case, folder: Path) -> None:
    """Train and report one case."""
    clock = Clock()
    examples = [example for batch in batches(case) for example in batch]
    rows = [
        {
            "input_ids": example.tokens,
            "labels": [-100] * example.prompt + example.tokens[example.prompt :],
        }
        for example in examples
    ]
    config = trl.SFTConfig(
        **settings(case, folder), max_length=1024, dataset_kwargs={"skip_prepare_dataset": True}, packing=False
    )
    from transformers import AutoTokenizer

    trainer = trl.SFTTrainer(
        model=adapted(case, folder),
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(folder),
        callbacks=[clock],
    )
    trainer.train()
    report(case, clock.measured(), version=trl.__version__, note="no gradient checkpointing")


if __name__ == "__main__":
    side("benchmarks.train.trl", train, sys.argv[1:])
