"""A real base model, built by the product's own builder from a recipe of a second, and a few real items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible.backends import LocalBackend, Session
from crucible.data import Item, make_tickets
from crucible.ir import LoraConfig
from crucible.train.tiny_base import TinyBaseRecipe, build

RECIPE = TinyBaseRecipe(
    steps=20,
    batch_size=4,
    warmup_steps=2,
    vocab_size=320,
    hidden_size=32,
    intermediate_size=64,
    layers=2,
    heads=2,
    window=160,
    tokenizer_texts=60,
)


@pytest.fixture(scope="session")
def recipe() -> TinyBaseRecipe:
    """A recipe of 20 steps."""
    return RECIPE


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small base model."""
    return build(recipe=RECIPE, cache=tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="session")
def items() -> list[Item]:
    """Eleven tickets with answers."""
    return make_tickets(11, seed=5)


@pytest.fixture
def configure(base: Path) -> Callable[..., LoraConfig]:
    """Return a LoraConfig for short trainings; arguments replace its values."""

    def make(**changes: Any) -> LoraConfig:
        values: dict[str, Any] = {
            "base_model": str(base),
            "rank": 4,
            "learning_rate": 5e-3,
            "batch_size": 4,
            "max_steps": 6,
            "checkpoint_interval": 2,
        }
        return LoraConfig(**{**values, **changes})

    return make


@pytest.fixture
def session(configure: Callable[..., LoraConfig]) -> Iterator[Session]:
    """An open session on the small base model."""
    opened = LocalBackend().start_session(configure())
    yield opened
    opened.close()
