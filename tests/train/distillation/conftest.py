"""A second real base with the first one's vocabulary and other weights, to learn from, and students of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crucible.backends import LocalBackend, Sample, Sampler
from crucible.data import Item
from crucible.ir import LoraConfig
from crucible.train import DistillConfig, Teacher, Trainer, TrainResult, distill, open_teacher
from crucible.train.tiny_base import TinyBaseRecipe, build

Distil = Callable[..., TrainResult]


class Silent:
    """A sampler of whom only its tokenizer may be asked."""

    model = "silent"

    def __init__(self, sampler: Sampler) -> None:
        self.tokenizer = sampler.tokenizer

    def sample(self, prompts: Sequence[str], params: Any = None) -> list[Sample]:
        """Nobody asks."""
        raise AssertionError("the teacher was asked for answers")

    def top_logprobs(self, prompts: Sequence[Any], k: int) -> Any:
        """Nobody asks."""
        raise AssertionError("the teacher was asked for its likeliest tokens")


@pytest.fixture(scope="session")
def teacher_folder(recipe: TinyBaseRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the teacher: the student's recipe with more width and more steps."""
    larger = dataclasses.replace(recipe, steps=60, hidden_size=48)
    return build(recipe=larger, cache=tmp_path_factory.mktemp("teachers"))


@pytest.fixture(scope="session")
def teacher(teacher_folder: Path) -> Teacher:
    """The teacher."""
    return open_teacher(str(teacher_folder))


@pytest.fixture(scope="session")
def short_items(items: list[Item]) -> list[Item]:
    """The tickets, each answered by a word."""
    words = ("fine", "soon", "never")
    return [msgspec.structs.replace(item, expected=words[place % 3]) for place, item in enumerate(items)]


@pytest.fixture(scope="session")
def taught(teacher_folder: Path, short_items: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    """A teacher that was trained to answer by a word and then to stop: an adapter in a folder."""
    config = LoraConfig(
        base_model=str(teacher_folder), rank=8, learning_rate=0.01, batch_size=11, max_steps=30, dropout=0.0
    )
    with Trainer.start(config, workspace=tmp_path_factory.mktemp("taught")) as trainer:
        trainer.train(short_items)
        return open_teacher(str(trainer.save("adapter").local_path))


@pytest.fixture(scope="session")
def twin(base: Path) -> Teacher:
    """A teacher with the untrained student's own weights."""
    return open_teacher(str(base))


@pytest.fixture
def silent() -> Callable[[Teacher], Teacher]:
    """Return the teacher with a sampler that fails when it is asked anything."""

    def make(teacher: Teacher) -> Teacher:
        hushed: Any = Silent(teacher.sampler)
        return Teacher(teacher.name, hushed, teacher.weight, teacher.digest)

    return make


@pytest.fixture
def student(configure: Callable[..., LoraConfig], tmp_path: Path) -> Callable[..., Trainer]:
    """Return a trainer of a fresh student in a workspace; arguments replace values of its configuration."""

    def make(workspace: str = "student", **changes: Any) -> Trainer:
        config = configure(**{"batch_size": 4, "max_steps": 4, "checkpoint_interval": 2, **changes})
        return Trainer.start(config, LocalBackend(), workspace=tmp_path / workspace, name="student")

    return make


@pytest.fixture
def distil(student: Callable[..., Trainer], items: Any) -> Distil:
    """Distil a fresh student on eleven tickets: `distil(teachers, settings, **values of the configuration)`."""

    def run(
        teachers: Any, settings: dict[str, Any] | None = None, *, workspace: str = "student", **changes: Any
    ) -> Any:
        with student(workspace, **changes) as trainer:
            return distill(trainer, items, teachers, DistillConfig(**(settings or {})), resume=True)

    return run
