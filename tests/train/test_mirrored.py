"""A training that is copied elsewhere goes on where its own machine is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.data import Item
from crucible.errors import TrainError
from crucible.ir import LoraConfig
from crucible.train import Callbacks, Trainer, open_checkpoints


def test_a_training_goes_on_from_its_mirror(
    configure: Callable[..., LoraConfig], items: list[Item], tmp_path: Path
) -> None:
    """The workspace is gone after step 4 of 6; a new one ends with the losses of a training nobody interrupted."""
    config, mirror = configure(), str(tmp_path / "mirror")

    def stop(step: object) -> None:
        if len(seen) == 4:
            raise KeyError("the machine is lost")
        seen.append(step)

    seen: list[object] = []
    with (
        Trainer.start(config, workspace=tmp_path / "lost", mirror=mirror) as trainer,
        pytest.raises(TrainError, match="the machine is lost"),
    ):
        trainer.train(items, callbacks=Callbacks(on_step_end=stop))
    shutil.rmtree(tmp_path / "lost")
    assert max(found.step or 0 for found in open_checkpoints(mirror).list_checkpoints()) >= 4
    with Trainer.start(config, workspace=tmp_path / "new", mirror=mirror) as trainer:
        resumed = trainer.train(items, resume=True)
    with Trainer.start(config, workspace=tmp_path / "whole") as trainer:
        whole = trainer.train(items)
    assert resumed.history == whole.history
    assert resumed.final_loss == whole.final_loss
