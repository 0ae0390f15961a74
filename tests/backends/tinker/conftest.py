"""A fake service on this machine that speaks SDK 0.38's bytes, with the tiny Llama of the room behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.backends.tinker.fake import FakeTinkerService

from crucible.backends import TinkerBackend
from crucible.backends.tinker import TinkerSession
from crucible.ir import LoraConfig

MODEL = "tests/tiny-llama"
KEY = "tml-fake"


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever TINKER_… the developer's shell sets does not count here."""
    for name in list(os.environ):
        if name.startswith("TINKER_"):
            monkeypatch.delenv(name)


@pytest.fixture
def service(tmp_path: Path, base_folder: Path) -> Iterator[FakeTinkerService]:
    """A fake service with one base model."""
    with FakeTinkerService(tmp_path / "service", {MODEL: base_folder}) as fake:
        yield fake


@pytest.fixture
def connect(service: FakeTinkerService, base_folder: Path) -> Iterator[Callable[..., TinkerBackend]]:
    """`connect(**options)`: a backend of the fake service."""
    with ExitStack() as stack:

        def make(**options: Any) -> TinkerBackend:
            chosen: dict[str, Any] = {"base_url": service.base_url, "tokenizer": str(base_folder), "timeout": 20.0}
            return stack.enter_context(TinkerBackend(KEY, **{**chosen, **options}))

        yield make


@pytest.fixture
def backend(connect: Callable[..., TinkerBackend]) -> TinkerBackend:
    """A backend of the fake service."""
    return connect()


@pytest.fixture
def config() -> LoraConfig:
    """What a service can do."""
    return LoraConfig(base_model=MODEL, rank=4, dropout=0.0, seed=7)


@pytest.fixture
def session(backend: TinkerBackend, config: LoraConfig) -> Iterator[TinkerSession]:
    """A session of the fake service."""
    with backend.start_session(config) as opened:
        yield opened
