"""A registry, checkpoints whose form is real and whose tensors are not, and scores of items."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible.backends.checkpoint import write_checkpoint
from crucible.train import ModelRegistry


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelRegistry]:
    """The registry of a new store in a folder."""
    monkeypatch.chdir(tmp_path)
    with ModelRegistry.open("store") as opened:
        yield opened


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a checkpoint as a training does."""

    def make(name: str = "adapter", weights: bytes = b"weights", **about: Any) -> Path:
        facts: dict[str, Any] = {"model": "tuned", "base_model": "crucible/tiny", "base_digest": "b" * 64, "step": 80}
        facts |= {"data": {"items": 9, "sha256": "d" * 64, "synthetic": True}, "metrics": {"validation_loss": 0.5}}
        files = {
            "adapter_config.json": b"{}",
            "adapter_model.safetensors": weights,
            "optimizer.safetensors": b"moments",
            "state.json": b"{}",
            "training.json": json.dumps(facts | about).encode(),
        }
        return write_checkpoint(tmp_path / "saved" / name, files)

    return make


def scores(right: int, of: int = 100, *, first: int = 0) -> dict[str, dict[str, float]]:
    """Return scores by exact_match of which so many are right, the first ones from `first` on."""
    return {"exact_match": {f"item-{place}": float(first <= place < first + right) for place in range(of)}}
