"""The files of one training's checkpoints: which steps there are, what is recorded of each, and taking turns.

Nothing here decides what is kept; that is the business of `checkpoints`.
"""

from __future__ import annotations

import re
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from crucible.backends.checkpoint import MANIFEST
from crucible.errors import CheckpointError, StoreError
from crucible.ir import atomic_write, file_sha256
from crucible.train.folder_lock import beside, locked
from crucible.train.training_record import TrainingRecord, decode_record, encode_record

__all__ = ["CheckpointFiles"]

_OURS: Final = re.compile(r"step-[0-9]{6,}|\.step-[0-9]{6,}\.[0-9a-f]+\.tmp(\.old)?")  # a checkpoint, or a torn one


class CheckpointFiles:
    """The folder of one training's checkpoints.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._metrics: dict[int, dict[str, float]] = {}

    def steps(self) -> list[int]:
        """Return the steps that have a record, ascending."""
        found = (path.stem.removeprefix("step-") for path in self.folder.glob("step-*.json"))
        return sorted(int(step) for step in found if step.isdecimal() and step.isascii())

    def path(self, step: int) -> Path:
        """Return the folder of the checkpoint of a step."""
        return self.folder / f"step-{step:06d}"

    def write(self, step: int, record: TrainingRecord) -> bytes:
        """Write the record of a step, by which its checkpoint counts, and return the file's content.

        Raises:
            StoreError: The disk is full or read-only.
        """
        content = encode_record(record)
        self.restore(step, content)
        self._metrics[step] = record.measured
        return content

    def restore(self, step: int, content: bytes) -> None:
        """Write the record of a step as it was written elsewhere.

        Raises:
            StoreError: The disk is full or read-only.
        """
        self._metrics.pop(step, None)
        atomic_write(self._record(step), content)

    def read(self, step: int) -> TrainingRecord:
        """Return the record of a step.

        Raises:
            CheckpointError: It is damaged, or not of the checkpoint that lies beside it.
            StoreError: The checkpoint's manifest cannot be read.
        """
        path = self._record(step)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{path} is corrupt: {error}") from error
        record = decode_record(content, str(path))
        if file_sha256(self.path(step) / MANIFEST) != record.manifest_sha256:
            raise CheckpointError(f"{self.path(step) / MANIFEST} is not the one that {path.name} belongs to")
        return record

    def measured(self, step: int) -> dict[str, float]:
        """Return what is recorded to be measured at a step; nothing where its record is damaged."""
        if step not in self._metrics:
            try:
                self._metrics[step] = self.read(step).measured
            except (CheckpointError, StoreError):
                return {}
        return dict(self._metrics[step])

    def uncount(self, step: int) -> None:
        """Remove the record of a step: its folder does not count any more.

        Raises:
            StoreError: It cannot be removed.
        """
        self._metrics.pop(step, None)
        try:
            self._record(step).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self._record(step)} cannot be removed ({error.strerror or error})") from error

    def remove(self, step: int) -> None:
        """Remove a checkpoint, its record first.

        Raises:
            StoreError: It cannot be removed.
        """
        self.uncount(step)
        shutil.rmtree(self.path(step), ignore_errors=True)

    def remove_after(self, step: int) -> None:
        """Remove the unusable checkpoints behind `step`: the training writes them anew."""
        for later in self.steps():
            if later > step:
                self.remove(later)

    def sweep(self) -> None:
        """Remove checkpoints without a record: a process was killed while it wrote them. Other folders stay."""
        whole = {self.path(step) for step in self.steps()}
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if _OURS.fullmatch(path.name) and path.is_dir() and path not in whole:
                shutil.rmtree(path, ignore_errors=True)

    def locked(self) -> AbstractContextManager[None]:
        """Return a block that keeps others out of the folder, whoever opened it; the system ends it if this one dies.

        It raises `StoreError` where the folder cannot be written, and `Cancelled` if the run was asked to stop while
        another held it.
        """
        what, advice = f"the checkpoints in {self.folder}", "free space or choose a writable folder"
        return locked(beside(self.folder), what, advice, extra="train", feature="keeping checkpoints")

    def _record(self, step: int) -> Path:
        return self.folder / f"step-{step:06d}.json"
