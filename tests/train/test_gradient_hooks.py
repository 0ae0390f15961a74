"""Hooks in a training: by name and by function, in the history, failing it by name, and changing nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crucible.backends.hooks import Gradients
from crucible.data import Item
from crucible.errors import BackendError, TrainError
from crucible.ir import LoraConfig
from crucible.train import Trainer

Configure = Callable[..., LoraConfig]


def losses(history: Any) -> list[tuple[float, float]]:
    """Return what says that two trainings were the same."""
    return [(record["loss"], record["gradient_norm"]) for record in history]


def test_what_hooks_find_is_in_the_history_and_changes_nothing(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """The same losses to the bit; those of the configuration come first."""
    with Trainer.start(configure(), workspace=tmp_path / "plain") as trainer:
        plain = trainer.train(items)
    with Trainer.start(configure(gradient_hooks=["norm"]), workspace=tmp_path / "hooked") as trainer:
        hooked = trainer.train(items, gradient_hooks=["flow", ("mine", lambda gradients: {"step": gradients.step})])
    assert losses(hooked.history) == losses(plain.history)
    assert "metrics" not in plain.history[0]
    for record in hooked.history:
        metrics = record.get("metrics", {})
        assert metrics["gradient/norm/total"] == pytest.approx(record["gradient_norm"], rel=1e-5)
        assert metrics["gradient/mine/step"] == record["step"]
        assert list(metrics)[-2:] == ["gradient/flow/first_to_last", "gradient/mine/step"]


def test_a_hook_that_fails_ends_the_training_which_goes_on_from_its_last_checkpoint(
    configure: Configure, items: list[Item], tmp_path: Path
) -> None:
    """The error names hook and step; without the hook, the losses are those of a training that never stopped."""

    def boom(gradients: Gradients) -> None:
        if gradients.step == 5:
            raise ValueError("too steep")

    with (
        Trainer.start(configure(), workspace=tmp_path / "stopped") as trainer,
        pytest.raises(TrainError, match='the gradient hook "boom" failed at step 5.*ValueError: too steep') as caught,
    ):
        trainer.train(items, gradient_hooks=[("boom", boom)])
    assert caught.value.step == 5
    with Trainer.start(configure(gradient_hooks=["health"]), workspace=tmp_path / "stopped") as trainer:
        resumed = trainer.train(items, resume=True)
    with Trainer.start(configure(), workspace=tmp_path / "plain") as trainer:
        plain = trainer.train(items)
    assert losses(resumed.history) == losses(plain.history)
    assert ["metrics" in record for record in resumed.history] == [False] * 4 + [True] * 2


def test_a_session_that_shows_no_gradients_is_refused(configure: Configure, items: list[Item], tmp_path: Path) -> None:
    """Before anything is trained."""

    class Remote:
        """A session of a service: everything but gradients."""

        def __init__(self, session: Any) -> None:
            self._session = session

        def __getattr__(self, name: str) -> Any:
            if name == "add_gradient_hook":
                raise AttributeError(name)
            return getattr(self._session, name)

    with Trainer.start(configure(), workspace=tmp_path) as trainer:
        trainer.session = Remote(trainer.session)  # type: ignore[assignment]
        with pytest.raises(BackendError, match="gradients are not visible on this backend"):
            trainer.train(items, gradient_hooks=["norm"])
    assert not (tmp_path / "checkpoints").exists()
