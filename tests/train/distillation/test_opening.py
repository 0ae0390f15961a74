"""Teachers by name: a base model, a saved adapter, and what cannot be one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.backends import LocalBackend
from crucible.data import Item
from crucible.errors import BackendError, CheckpointError, TrainError
from crucible.train import Teacher, Trainer, open_teacher


@pytest.fixture
def adapter(student: Callable[..., Trainer], items: list[Item]) -> Path:
    """A saved adapter of a real training, and what it says."""
    with student("tuned", max_steps=2) as trainer:
        trainer.train(items)
        return trainer.save("adapter").local_path


def test_a_base_model_is_known_by_its_files(base: Path, teacher: Teacher) -> None:
    """Two folders of the same files are the same teacher; another model is another one."""
    twin = open_teacher(str(base), weight=2.0)
    assert (twin.name, twin.weight, twin.synthetic) == (str(base), 2.0, False)
    assert len(twin.digest or "") == 64
    assert twin.digest != teacher.digest


def test_a_saved_adapter_teaches_with_its_own_weights(adapter: Path, base: Path, items: list[Item]) -> None:
    """Its base is the one that it says; its digest is of base and adapter; made-up data stay so."""
    found = open_teacher(str(adapter))
    assert found.synthetic is True
    assert found.digest not in (None, open_teacher(str(base)).digest)
    prompt = items[0].input
    wanted = LocalBackend().create_sampler(str(base), adapter=adapter).logprobs([prompt])
    assert found.sampler.logprobs([prompt]) == wanted
    assert wanted != LocalBackend().create_sampler(str(base)).logprobs([prompt])


def test_an_adapter_of_another_base_is_refused(adapter: Path, base: Path, tmp_path: Path) -> None:
    """Where the files of its base have changed, or it names none."""
    about = json.loads((adapter / "training.json").read_text())
    copy = shutil.copytree(adapter, tmp_path / "copy")
    (copy / "training.json").write_text(json.dumps({**about, "base_digest": "0" * 64}))
    with pytest.raises(CheckpointError, match="are not those that the teacher .* was trained on: base_digest was 0000"):
        open_teacher(str(copy))
    (copy / "training.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"training.json cannot be read"):
        open_teacher(str(copy))
    (copy / "training.json").unlink()
    config = json.loads((copy / "adapter_config.json").read_text())
    (copy / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": None}))
    with pytest.raises(TrainError, match="does not say which base model it is an adapter of"):
        open_teacher(str(copy))


def test_an_adapter_needs_the_local_backend(adapter: Path) -> None:
    """Another backend cannot open a folder of this machine."""

    class Elsewhere:
        name = "elsewhere"

    with pytest.raises(TrainError, match="which only the local backend can open"):
        open_teacher(str(adapter), Elsewhere())  # type: ignore[arg-type]


def test_a_teacher_that_is_not_there_is_the_backends_error(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(BackendError, match="there is no such folder"):
        open_teacher(str(tmp_path / "absent"))
