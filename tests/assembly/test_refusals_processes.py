"""What several processes cannot share is refused by name, before anything is started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import crucible
from crucible import assembly
from crucible.cli.processes import run_in_processes
from crucible.errors import BackendError
from crucible.ir import Experiment

DOCUMENT = """
id: shared
backend: {id: BACKEND}
dataset: {name: tickets}
training_config:
  id: t
  model_ref: {id: crucible/tiny}
  dataset_ref: {name: tickets}
  device: DEVICE
pipeline:
  - {name: data_load}
  - {name: supervised_train, options: {model: tuned, max_steps: 2}}
"""


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchrun would say it to process 0 of 2."""
    ranks = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
    for name, value in {**ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}.items():
        monkeypatch.setenv(name, value)


def problems(folder: Path, *, backend: str = "local", device: str = "cpu", more: str = "") -> list[str]:
    """What of the document several processes cannot share, as text; whether this machine has a device is not asked."""
    path = folder / "e.yaml"
    path.write_text(DOCUMENT.replace("BACKEND", backend).replace("DEVICE", device) + more)
    return [str(each) for each in assembly.check(path).problems if each.code == "processes"]


@pytest.mark.usefixtures("two_processes")
def test_a_remote_backend_and_a_single_device_are_refused(tmp_path: Path) -> None:
    """Each by its path, with what to do; the local backend on CPU or CUDA is fine."""
    assert problems(tmp_path) == []
    assert problems(tmp_path, device="cuda") == []
    (found,) = problems(tmp_path, backend="tinker")
    assert found.startswith("backend.id: tinker computes elsewhere, so 2 processes here have nothing to share")
    (found,) = problems(tmp_path, device="mps")
    assert found.startswith("training_config.device: several processes cannot share one MPS device")
    stage = "  - {name: evaluate, options: {model: tuned, scorers: [exact_match], device: mps}}\n"
    (found,) = problems(tmp_path, more=stage)
    assert found.startswith("pipeline[2].options.device: several processes")


def test_one_process_refuses_none_of_it(tmp_path: Path) -> None:
    """What only several cannot do."""
    assert problems(tmp_path, device="mps") == []
    assert problems(tmp_path, backend="tinker") == []


@pytest.mark.usefixtures("two_processes")
def test_a_run_in_each_process_is_refused() -> None:
    """`crucible.run` under torchrun without `spread` would make two runs of one document."""
    document = {
        "id": "e",
        "backend": {"id": "local"},
        "dataset": {"name": "tickets"},
        "pipeline": [{"name": "data_load"}],
    }
    experiment = Experiment.read(document)
    with pytest.raises(BackendError, match=r"process 0 of 2.*crucible\.backends\.spread"):
        crucible.run(experiment)
    with pytest.raises(BackendError, match="going on with the run"):
        crucible.resume("20260101-000000-abcdef")


@pytest.mark.usefixtures("two_processes")
def test_only_process_0_carries_out_commands_that_share_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`crucible version` in each process says its word once."""
    monkeypatch.setattr(sys, "argv", ["crucible", "version"])
    with pytest.raises(SystemExit) as ended:
        run_in_processes()
    assert ended.value.code == 0
    assert "crucible" in capsys.readouterr().out
    monkeypatch.setenv("RANK", "1")
    run_in_processes()
    assert capsys.readouterr() == ("", "")


def test_a_rank_that_another_program_left_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command never says nothing because of a RANK=1 that no launcher of Crucible has set."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(sys, "argv", ["crucible", "version"])
    with pytest.raises(SystemExit) as ended:
        run_in_processes()
    assert ended.value.code == 1
    assert "MASTER_ADDR and MASTER_PORT not" in capsys.readouterr().err


def test_a_broken_environment_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback for a RANK that is no number."""
    monkeypatch.setenv("RANK", "x")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(sys, "argv", ["crucible", "version"])
    with pytest.raises(SystemExit) as ended:
        run_in_processes()
    assert ended.value.code == 1
    assert "RANK='x' must be a whole number" in capsys.readouterr().err
