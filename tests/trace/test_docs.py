"""The page on traces is true: its examples run and print what it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crucible.trace import vocabulary


def test_examples(monkeypatch: pytest.MonkeyPatch, follow_guide: Callable[..., int]) -> None:
    """Each Python block runs after the ones before it, and prints what the text block below it shows."""
    monkeypatch.setattr(vocabulary, "_types", vocabulary._types)
    monkeypatch.setattr(vocabulary, "_canonical", vocabulary._canonical)
    assert follow_guide("trace.md") == 7
