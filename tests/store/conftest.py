"""Stores to test on: a SQLite folder, and a real PostgreSQL, started once a session or skipped with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crucible.store import Store, open_store


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What opens a store that does not exist yet, once for each kind of database."""
    monkeypatch.chdir(tmp_path)
    if request.param == "sqlite":
        return str(tmp_path / "store")
    return request.getfixturevalue("postgres").database()


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], Store]]:
    """A function that opens the store; each call is another connection to the same one."""
    stores: list[Store] = []

    def again() -> Store:
        stores.append(open_store(url))
        return stores[-1]

    yield again
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    """An open store."""
    return opened()
