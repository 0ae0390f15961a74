"""The page on several processes: its program runs in one process as it does under torchrun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


def test_the_program_prints_what_the_page_shows(
    follow_guide: Callable[..., int], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a base model of 30 steps in place of crucible/tiny's 1,000."""
    monkeypatch.setattr("crucible.backends.local.resolve_base_model", lambda name, *, progress: base)
    assert follow_guide("several-processes.md") == 1
