"""Devices: those that are here, those that are not, those that nobody knows."""

from __future__ import annotations

import pytest
import torch

from crucible.backends import LocalBackend
from crucible.backends.device import check_device
from crucible.errors import BackendError


@pytest.mark.parametrize("name", ["tpu", "cpu:1", "cuda:x", "gpu", "mps:0", ""])
def test_an_unknown_device_is_refused_by_name(name: str) -> None:
    """The message lists the devices of the local backend."""
    with pytest.raises(BackendError, match=f"device '{name}' is not one of the local backend's: cpu, cuda, mps"):
        LocalBackend(device=name)


def test_an_absent_device_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cuda and mps are refused where PyTorch finds none, and a card number beyond the last one too."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(BackendError, match="device 'cuda:0': PyTorch finds no CUDA device"):
        check_device("cuda:0")
    with pytest.raises(BackendError, match="device 'mps': PyTorch finds no MPS device"):
        check_device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert check_device("cuda") == "cuda"
    with pytest.raises(BackendError, match="'cuda:1': this machine has 1 CUDA device"):
        check_device("cuda:1")


def test_the_cpu_is_always_there() -> None:
    """No question asked."""
    assert check_device("cpu") == "cpu"
