"""Whose history a path holds, told from its content: `detect`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from crucible.errors import SpecError
from crucible.telemetry.archive import archived_experiments
from crucible.telemetry.importers.crucible import read_crucible
from crucible.telemetry.importers.imported import ImportedRuns, Source
from crucible.telemetry.importers.metric_entry import is_metric_line
from crucible.telemetry.importers.mlflow import holds_runs, read_mlflow
from crucible.telemetry.importers.own_line import begins_archive, is_own_line
from crucible.telemetry.importers.predecessor import read_predecessor
from crucible.telemetry.importers.problem import Problems, shown
from crucible.telemetry.importers.reading import files_below, read_objects, rooted
from crucible.telemetry.importers.tensorboard import EVENT_FILES, read_tensorboard
from crucible.telemetry.importers.tfrecord import RecordFile
from crucible.telemetry.importers.wandb import read_wandb

__all__ = ["detect", "read"]

_FILES = 10_000  # of a folder that are looked at
_LINES = 20


def detect(path: str | Path) -> Source:
    """Say whose history a file or folder holds.

    Raises:
        StoreError: The path is missing or cannot be read.
        SpecError: It is nobody's that is known.
    """
    root = rooted(path)
    found = _in_folder(root) if root.is_dir() else _of_file(root)
    if found is None and root.is_dir() and archived_experiments(root):
        message = f"{shown(str(root))} is an archive of Crucible's; bring it back with `crucible telemetry restore`"
        raise SpecError(message, code="path")
    if found is None:
        raise SpecError(
            f"{shown(str(root))} holds no history that is known; expected an MLflow file store (`mlruns`), TensorBoard "
            f"event files (*{EVENT_FILES}*), W&B-style JSONL, or a JSONL file of Crucible or of the predecessor",
            code="path",
        )
    return found


def read(path: str | Path) -> ImportedRuns:
    """Find the runs of a file or folder, whosever they are.

    Raises:
        StoreError: The path is missing or cannot be read.
        SpecError: It is nobody's that is known.
    """
    readers = {
        "mlflow": read_mlflow,
        "tensorboard": read_tensorboard,
        "wandb": read_wandb,
        "predecessor": read_predecessor,
        "crucible": read_crucible,
    }
    return readers[detect(path)](path)


def _in_folder(root: Path) -> Source | None:
    if holds_runs(root):
        return "mlflow"
    has_lines = False
    for path, _ in itertools.islice(files_below(root, Problems()), _FILES):
        if EVENT_FILES in path.name:
            return "tensorboard"
        has_lines = has_lines or (path.suffix == ".jsonl" and _of_lines(path) == "wandb")
    return "wandb" if has_lines else None


def _of_file(path: Path) -> Source | None:
    if EVENT_FILES in path.name or RecordFile(path, Problems()).first() is not None:
        return "tensorboard"
    return _of_lines(path)


def _of_lines(path: Path) -> Source | None:
    is_archive = False
    for entry in itertools.islice(read_objects(path, Problems()), _LINES):
        found = _of_line(entry.value)
        if found is not None:
            return found
        is_archive = is_archive or begins_archive(entry.value)  # whose, is seen from what follows
    return "predecessor" if is_archive else None


def _of_line(line: dict[str, Any]) -> Source | None:
    if is_own_line(line):
        return "crucible"
    if "event_name" in line or (line.get("type") == "event" and "data" in line):
        return "predecessor"
    has_axis = "_step" in line or "_timestamp" in line
    return "wandb" if has_axis or is_metric_line(line) else None
