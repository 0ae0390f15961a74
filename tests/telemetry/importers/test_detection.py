"""Whose history a path holds is told from its content."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crucible.errors import SpecError, StoreError
from crucible.telemetry.importers import detect, read


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("mlruns", "mlflow"),
        ("tensorboard", "tensorboard"),
        ("tensorboard/one/events.out.tfevents.1700000000.host", "tensorboard"),
        ("wandb", "wandb"),
        ("wandb/run-20231114_221320-abc123/wandb-history.jsonl", "wandb"),
        ("predecessor/archive.jsonl", "predecessor"),
        ("predecessor/export.jsonl", "predecessor"),
        ("predecessor/pretty.jsonl", "predecessor"),
    ],
)
def test_each_source_is_told(data: Path, path: str, source: str) -> None:
    """What is detected is what the reader then reads."""
    assert detect(data / path) == source
    assert {run.source for run in read(data / path)} == {source}


def test_names_are_not_needed(data: Path, tmp_path: Path) -> None:
    """An event file of another name, and lines of a metrics store, are told by what is in them."""
    shutil.copy(data / "tensorboard" / "one" / "events.out.tfevents.1700000000.host", tmp_path / "log")
    assert detect(tmp_path / "log") == "tensorboard"
    (tmp_path / "metrics").write_text('nonsense\n{"run_id": "a", "metric": "m", "value": 1}\n')
    assert detect(tmp_path / "metrics") == "wandb"
    runs = tmp_path / "runs" / "metrics"
    runs.mkdir(parents=True)
    shutil.copy(tmp_path / "log", runs / "x.tfevents.1")
    assert detect(tmp_path / "runs") == "tensorboard", "a folder called metrics makes no MLflow store"


def test_what_is_nobodys_is_an_error(tmp_path: Path) -> None:
    """The message lists what is known; a path that is missing is another matter."""
    (tmp_path / "x.txt").write_text("hello\n")
    (tmp_path / "y.jsonl").write_text('{"a": 1}\n')
    for path in (tmp_path, tmp_path / "x.txt", tmp_path / "y.jsonl"):
        with pytest.raises(SpecError, match="no history that is known; expected an MLflow file store"):
            detect(path)
    with pytest.raises(StoreError, match="cannot be read"):
        detect(tmp_path / "missing")
