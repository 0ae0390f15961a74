"""The most memory that was taken, where this machine can tell."""

from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crucible.train import memory
from crucible.train.memory import peak_memory_bytes


def test_on_the_cpu_it_is_the_peak_of_this_process() -> None:
    """It only grows, by what is taken, and stays when that is given back."""
    code = (
        "from crucible.train.memory import peak_memory_bytes as peak\n"
        "before = peak('cpu'); taken = bytearray(200_000_000); del taken\n"
        "assert 150e6 < peak('cpu') - before < 400e6"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_elsewhere_it_is_unknown() -> None:
    """A model on a server has its memory there; no figure is made up."""
    assert peak_memory_bytes("remote") is None
    assert peak_memory_bytes("tpu") is None


def test_without_proc_it_asks_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a Mac; and where there is neither, it is unknown."""
    known = peak_memory_bytes("cpu")
    assert known is not None
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    asked = peak_memory_bytes("cpu")
    assert asked is not None
    assert asked > known / 4
    real = builtins.__import__

    def without_resource(name: str, *rest: Any, **named: Any) -> Any:
        if name == "resource":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_resource)
    assert peak_memory_bytes("cpu") is None
