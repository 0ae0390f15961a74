"""The page on learning from rewards: its snippets run and print what it shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


def test_snippets_print_what_the_page_shows(
    follow_guide: Callable[..., int], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, in one namespace, with a base model of 30 steps in place of crucible/tiny's 1,000."""
    monkeypatch.setattr("crucible.backends.local.resolve_base_model", lambda name, *, progress: base)
    assert follow_guide("reinforcement.md") == 3
