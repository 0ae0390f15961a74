"""Versions to register, and files to keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crucible.store import Store
from crucible.store.models import NewModelVersion, StoredModelVersion, Transition


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What opens a store that does not exist yet; a database on the server takes half a second to make.

    Tests of what the two kinds of database do each in its own way ask for both with `on_both`.
    """
    monkeypatch.chdir(tmp_path)
    if request.param == "sqlite":
        return str(tmp_path / "store")
    return request.getfixturevalue("postgres").database()


@pytest.fixture
def make(store: Store) -> Callable[..., StoredModelVersion]:
    """Return a function that registers a version of `triage`; arguments replace its values."""

    def register(**values: Any) -> StoredModelVersion:
        return store.models.register(NewModelVersion(**{"model": "triage", "by": "ann", **values}))

    return register


@pytest.fixture
def move(store: Store) -> Callable[..., tuple[StoredModelVersion, Any]]:
    """Return a function that moves a version, decided on what is there now."""

    def moved(version: StoredModelVersion, to: str, **values: Any) -> tuple[StoredModelVersion, Any]:
        now = store.models.find(version.reference)
        production = tuple(each.version for each in store.models.production(now.model))
        seen: dict[str, Any] = {"seen_stage": now.stage, "seen_production": production, "by": "ann", "why": "tried"}
        change = {"model": now.model, "version": now.version, "to": to, **seen, **values}
        return store.models.move(Transition(**change))

    return moved


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files of the same content and one other, one of them in a folder of its own."""
    made = tmp_path / "made"
    (made / "deep").mkdir(parents=True)
    for name, content in {"a.bin": b"weights", "deep/b.bin": b"weights", "c.json": b"{}"}.items():
        (made / name).write_bytes(content)
    return made
