"""A real base model, built by the product's own builder from a recipe of a second, and a few real items."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from crucible import events, pipeline
from crucible.backends import (
    ForwardBackwardOutput,
    LocalBackend,
    OptimizerParams,
    OptimStepOutput,
    Session,
    SessionFuture,
)
from crucible.data import Item, make_tickets
from crucible.errors import Cancelled
from crucible.ir import LoraConfig
from crucible.text import Datum
from crucible.train import Trainer
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


class Shaped:
    """A real session whose validation loss is made up: that of the count of steps taken, of a list."""

    def __init__(self, session: Session, losses: Sequence[float]) -> None:
        self._session = session
        self._losses = losses
        self._steps = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def optim_step(self, params: OptimizerParams) -> SessionFuture[OptimStepOutput]:
        """Count the steps."""
        self._steps += 1
        return self._session.optim_step(params)

    def forward(self, data: Sequence[Datum], loss: str = "cross_entropy") -> SessionFuture[ForwardBackwardOutput]:
        """Answer with a loss that depends on the count of steps alone."""
        made_up: Future[ForwardBackwardOutput] = Future()
        tokens = sum(sum(datum.weights) for datum in data)
        value = self._losses[min(self._steps, len(self._losses) - 1)]
        made_up.set_result(ForwardBackwardOutput(loss=tokens * value, logprobs=[], metrics={}))
        return SessionFuture(made_up, request="forward", backend="local")


@pytest.fixture
def shaped() -> Callable[[LoraConfig, Path, Sequence[float]], Trainer]:
    """Return a trainer of a real adapter whose validation loss after n steps is the n-th of a list, or its last."""

    def make(config: LoraConfig, workspace: Path, losses: Sequence[float]) -> Trainer:
        session = cast("Session", Shaped(LocalBackend().start_session(config), losses))
        return Trainer(config, session, workspace, "adapter")

    return make


@contextmanager
def stopped_at(step: int) -> Generator[None]:
    """Ask whatever trains in the block to stop once it has told of a step, and expect that it does."""

    def stop(event: events.Event) -> None:
        if event.measurements["step"] == step:
            cancellation.request()

    with pipeline.cancellable() as cancellation:
        events.attach("stop-at", "crucible_train.batch.stop", stop)
        try:
            with pytest.raises(Cancelled):
                yield
        finally:
            events.detach("stop-at")


@pytest.fixture
def stopping_at() -> Callable[[int], AbstractContextManager[None]]:
    """Return a context that stops the training inside of it after a step."""
    return stopped_at
