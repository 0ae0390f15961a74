"""Problems for the small base model, and short trainings on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crucible import events
from crucible.data import Item
from crucible.ir import LoraConfig
from crucible.train.rl import RLConfig


@pytest.fixture(scope="session")
def problems() -> list[Item]:
    """Eight prompts."""
    return [Item(f"p{number}", f"Ticket: the lamp {number} is broken", "e") for number in range(8)]


@pytest.fixture
def config(configure: Callable[..., LoraConfig]) -> Callable[..., LoraConfig]:
    """Return a LoraConfig without dropout for a few iterations; arguments replace its values."""

    def make(**changes: Any) -> LoraConfig:
        values: dict[str, Any] = {"dropout": 0.0, "batch_size": 3, "max_steps": 4, "save_every": 1, "seed": 3}
        return configure(**{**values, **changes})

    return make


@pytest.fixture
def settings() -> Callable[..., RLConfig]:
    """Return an RLConfig of short answers; arguments replace its values."""

    def make(**changes: Any) -> RLConfig:
        return RLConfig(**{"group_size": 4, "max_tokens": 5, "temperature": 1.0, **changes})

    return make


@pytest.fixture
def heard() -> Iterator[Callable[[str], list[Any]]]:
    """Return a function from an event's name to the list of those heard from then on."""
    ids: list[str] = []

    def listen(name: str) -> list[Any]:
        found: list[Any] = []
        ids.append(f"heard-{len(ids)}")
        events.attach(ids[-1], name, found.append)
        return found

    yield listen
    for each in ids:
        events.detach(each)
