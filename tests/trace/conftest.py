"""What every test of traces can count on."""

from __future__ import annotations

import pytest

from crucible.trace import vocabulary


@pytest.fixture(autouse=True)
def own_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the types that a test registers: the registry is one for the whole process."""
    monkeypatch.setattr(vocabulary, "_types", vocabulary._types)
    monkeypatch.setattr(vocabulary, "_canonical", vocabulary._canonical)
