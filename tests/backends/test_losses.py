"""The loss registry and cross-entropy."""

from __future__ import annotations

import pytest
import torch

from crucible.backends.losses import LOSSES, cross_entropy, get_loss
from crucible.errors import BackendError


def test_cross_entropy_is_a_sum() -> None:
    """-sum(w * lp), checked by hand; a negative weight counts against."""
    loss = cross_entropy(torch.tensor([-1.0, -2.0, -4.0]), torch.tensor([1.0, 0.5, -1.0]))
    assert loss.item() == pytest.approx(1 + 1 - 4)


def test_every_registered_loss_is_found() -> None:
    """What the registry names it returns."""
    assert all(get_loss(name) is loss for name, loss in LOSSES.items())


def test_an_unknown_loss_is_named() -> None:
    """With did-you-mean and the known ones."""
    with pytest.raises(BackendError, match=r"unknown loss 'crossentropy'; did you mean \"cross_entropy\""):
        get_loss("crossentropy")
