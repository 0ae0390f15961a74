"""A store to record into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open SQLite store."""
    with open_store(tmp_path / "store") as opened:
        yield opened
