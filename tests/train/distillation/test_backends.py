"""The same distillation on this machine and on a remote service, with a teacher on either."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible.backends import TinkerBackend
from crucible.data import Item
from crucible.ir import LoraConfig
from crucible.train import DistillConfig, Teacher, Trainer, TrainResult, distill, open_teacher

pytestmark = pytest.mark.slow  # what a service's custom losses and samplers say is tested with the backends

STUDENT, TEACHER = "tests/student", "tests/teacher"
SETTINGS: dict[str, dict[str, Any]] = {
    "forward_kl": {"top_k": 5, "alpha": 0.7},
    "reverse_kl": {"top_k": 5, "divergence": "reverse_kl", "temperature": 2.0},
    "on_policy": {"mode": "on_policy", "max_tokens": 6, "group_size": 2},
}


@pytest.fixture
def remote(
    base: Path, teacher_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TinkerBackend]:
    """A backend of a fake service that has the student's base and the teacher."""
    from tests.backends.tinker.fake import FakeTinkerService

    for name in [name for name in os.environ if name.startswith("TINKER_")]:
        monkeypatch.delenv(name)
    models = {STUDENT: base, TEACHER: teacher_folder}
    with (
        FakeTinkerService(tmp_path / "service", models) as service,
        TinkerBackend("tml-fake", base_url=service.base_url, tokenizer=str(base), timeout=20.0) as backend,
    ):
        yield backend


@pytest.mark.parametrize("name", SETTINGS)
def test_a_remote_student_learns_the_same(
    name: str, remote: TinkerBackend, base: Path, teacher: Teacher, items: list[Item], tmp_path: Path
) -> None:
    """The losses of its first steps are those of this machine; a teacher here may teach a student there."""

    def run(base_model: str, where: str, backend: TinkerBackend | None) -> TrainResult:
        config = LoraConfig(
            base_model=base_model,
            rank=4,
            dropout=0.0,
            learning_rate=5e-3,
            batch_size=4,
            max_steps=2,
            target_modules=None,
        )
        with Trainer.start(config, backend, workspace=tmp_path / where) as trainer:
            return distill(trainer, items[:8], teacher, DistillConfig(**SETTINGS[name]))

    here, there = run(str(base), "here", None), run(STUDENT, "there", remote)
    if name == "on_policy":  # each side draws for itself
        assert there.initial_loss == pytest.approx(here.initial_loss, rel=0.5)
        assert there.history[0]["metrics"]["distill/reverse_kl"] > 0
    else:
        assert there.initial_loss == pytest.approx(here.initial_loss, rel=1e-3)
        assert there.history[0]["loss"] == pytest.approx(here.history[0]["loss"], rel=1e-3)
        assert there.history[0]["metrics"] == pytest.approx(here.history[0]["metrics"], rel=1e-3)


def test_a_remote_teacher_says_the_same(
    remote: TinkerBackend, teacher: Teacher, base: Path, items: list[Item], tmp_path: Path
) -> None:
    """Its likeliest tokens teach a student of this machine as the local one's do; without a digest nothing is kept."""
    afar = open_teacher(TEACHER, remote)
    assert afar.digest is None
    config = LoraConfig(base_model=str(base), rank=4, dropout=0.0, batch_size=4, max_steps=1)
    losses: list[float] = []
    for where, of in (("near", teacher), ("afar", afar)):
        with Trainer.start(config, workspace=tmp_path / where) as trainer:
            losses.append(distill(trainer, items[:4], of, DistillConfig(top_k=5)).initial_loss)
        assert (tmp_path / where / "teaching").exists() is (where == "near")
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
