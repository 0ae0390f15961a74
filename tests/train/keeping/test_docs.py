"""The guide to checkpoints does what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT's own call
def test_the_page_does_what_it_says(
    follow_guide: Callable[..., int], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every block runs and prints what stands below it; a smaller base stands for the built-in one."""
    for module in ("crucible.backends.local", "crucible.train.keeping.merging"):
        monkeypatch.setattr(f"{module}.resolve_base_model", lambda name, progress=None: base)
    assert follow_guide("checkpoints.md") == 4
