"""Interrupted equals uninterrupted, to the bit: whatever the optimiser, the accumulation, the schedule, the moment."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from crucible.data import Item, make_tickets
from crucible.ir import LoraConfig, to_dict
from crucible.train import Trainer, TrainResult

Configure = Callable[..., LoraConfig]
StoppingAt = Callable[[int], AbstractContextManager[None]]

CHILD = """
import json, sys
from pathlib import Path
from crucible import events
from crucible.data import make_tickets
from crucible.ir import LoraConfig
from crucible.train import Trainer

def say(event):
    print(event.measurements["step"], flush=True)

events.attach("say", "crucible_train.batch.stop", say)
config = LoraConfig.read(json.loads(sys.argv[1]))
with Trainer.start(config, workspace=Path(sys.argv[2])) as trainer:
    trainer.train(make_tickets(11, seed=5), resume=True)
print("done", flush=True)
"""

MODES: dict[str, dict[str, Any]] = {
    "adamw, warm-up and linear": {"schedule": "linear", "warmup_steps": 3, "weight_decay": 0.01},
    "adam, accumulated": {"optimizer": "adam", "accumulation_steps": 3, "batch_size": 2, "weight_decay": 0.01},
    "sgd with momentum, cosine": {"optimizer": "sgd", "momentum": 0.9, "schedule": "cosine"},
    "rmsprop with momentum, accumulated": {
        "optimizer": "rmsprop",
        "momentum": 0.5,
        "accumulation_steps": 2,
        "batch_size": 3,
        "learning_rate": 1e-3,
    },
    "validated apart, stopping early": {
        "eval_every": 2,
        "save_every": 3,
        "validation_fraction": 0.3,
        "early_stopping": {"patience": 3, "min_delta": 0.5},
        "quality_targets": {"validation_loss": 1.0},
    },
}


def run(config: LoraConfig, items: list[Item], workspace: Path, *, resume: bool = False) -> TrainResult:
    """Train, save the adapter, and close."""
    with Trainer.start(config, workspace=workspace) as trainer:
        result = trainer.train(items, resume=resume)
        trainer.save("adapter")
        return result


def assert_same(cut: Path, whole: Path, resumed: TrainResult, expected: TrainResult) -> None:
    """Compare everything that a training gives but the paths."""
    for name in ("history", "validation", "tokens", "steps", "initial_loss", "final_loss", "initial_validation_loss"):
        assert getattr(resumed, name) == getattr(expected, name), name
    for name in ("stopped_early", "stop_reason", "quality"):
        assert getattr(resumed, name) == getattr(expected, name), name
    assert resumed.kept.step == expected.kept.step
    for place in (f"checkpoints/step-{expected.steps:06d}", "saved/adapter"):
        for file in ("adapter_model.safetensors", "optimizer.safetensors"):
            assert (cut / place / file).read_bytes() == (whole / place / file).read_bytes(), f"{place}/{file}"


@pytest.mark.parametrize("mode", MODES)
def test_stopped_anywhere_it_goes_on_as_if_it_never_had(
    configure: Configure, items: list[Item], tmp_path: Path, stopping_at: StoppingAt, mode: str
) -> None:
    """Dropout on; asked to stop after two different steps, one after the other, inside of an epoch and at its end."""
    config = configure(**{"max_steps": 10, "checkpoint_interval": 4, "dropout": 0.1, **MODES[mode]})
    expected = run(config, items, tmp_path / "whole")
    for step in (1, 5):
        with stopping_at(step):
            run(config, items, tmp_path / "cut", resume=True)
    assert_same(tmp_path / "cut", tmp_path / "whole", run(config, items, tmp_path / "cut", resume=True), expected)


@pytest.mark.slow  # processes that import PyTorch, killed again and again
@pytest.mark.parametrize("mode", MODES)
def test_killed_at_random_moments_it_ends_as_if_it_never_had_been(
    configure: Configure, tmp_path: Path, mode: str
) -> None:
    """`kill -9` some milliseconds after a random step, three times over, also while a checkpoint is written."""
    items = make_tickets(11, seed=5)
    config = configure(**{"max_steps": 30, "checkpoint_interval": 2, "dropout": 0.1, **MODES[mode]})
    expected = run(config, items, tmp_path / "whole")
    drawn = random.Random(mode)
    for _ in range(3):
        kill_after(config, tmp_path / "cut", step=drawn.randrange(1, 8), wait_s=drawn.uniform(0, 0.05))
    assert_same(tmp_path / "cut", tmp_path / "whole", run(config, items, tmp_path / "cut", resume=True), expected)


def kill_after(config: LoraConfig, workspace: Path, *, step: int, wait_s: float) -> None:
    """Train in a process of its own, and kill it that long after it has told of so many steps."""
    command = [sys.executable, "-c", CHILD, json.dumps(to_dict(config)), str(workspace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        for count, line in enumerate(process.stdout, 1):
            if count == step or line == "done\n":
                break
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
