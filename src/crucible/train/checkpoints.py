"""Checkpoints of one training: what is saved, what is kept, and where a resumed training goes on.

A checkpoint is the session's folder (`step-000080/`, PEFT layout, hashed) and beside it the trainer's record
(`step-000080.json`), written last: without its record a folder does not count. The best and the two newest are never
removed, so a corrupt newest one leaves another to go on from.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from crucible import events
from crucible.backends import Session, verify_checkpoint
from crucible.backends.checkpoint import MANIFEST
from crucible.errors import CheckpointError, StoreError
from crucible.ir import atomic_write, file_sha256
from crucible.train.records import Checkpoint, StepRecord, ValidationRecord

__all__ = ["CheckpointFolder", "TrainState", "joined", "lowest"]

_FORMAT: Final = "crucible-training/1"
_NEWEST_KEPT: Final = 2


class TrainState(msgspec.Struct):
    """Where a training stands; all that a resumed one needs beside the weights.

    Args:
        initial_loss: Loss of the sample before the first step.
        step: Optimiser steps taken.
        epoch: The epoch of the next batch, from 0.
        position: Batches of that epoch already trained on.
        tokens: Input tokens trained on.
        history: One record a step.
        validation: One record a validation.
    """

    initial_loss: float
    step: int = 0
    epoch: int = 0
    position: int = 0
    tokens: int = 0
    history: list[StepRecord] = []
    validation: list[ValidationRecord] = []


class _Record(msgspec.Struct, frozen=True):
    """The file beside a checkpoint's folder, without its own digest."""

    identity: dict[str, Any]
    manifest_sha256: str
    validation_loss: float | None
    state: TrainState


class CheckpointFolder:
    """The checkpoints of one training.

    Args:
        folder: Where they lie.
        identity: Configuration and data digest: what must be equal for a resumed training to be the same one.
        model: Name of the adapter, for events.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], *, model: str) -> None:
        self._folder = folder
        self._identity = identity
        self._model = model

    @property
    def is_empty(self) -> bool:
        """Whether there is no checkpoint, good or not."""
        return not self._steps()

    def save(self, session: Session, state: TrainState, *, validation_loss: float | None) -> Checkpoint:
        """Write a checkpoint, whole or not at all, and remove what need not be kept.

        Args:
            session: Whose weights to save.
            state: Where the training stands.
            validation_loss: Loss on the held-out items at this step; None if it was not measured.

        Raises:
            StoreError: The disk is full or read-only.
        """
        path = self.path(state.step)
        session.save_checkpoint(path).result()
        record = _Record(self._identity, file_sha256(path / MANIFEST), validation_loss, state)
        payload = msgspec.json.encode(record).decode()
        digest = hashlib.sha256(payload.encode()).hexdigest()
        text = f'{{"format": "{_FORMAT}", "sha256": "{digest}", "record": {payload}}}\n'
        atomic_write(self._record_path(state.step), text)
        events.emit("crucible_train.checkpoint.saved", {"step": state.step}, {"model": self._model, "path": str(path)})
        self._retain(state.validation)
        return self.checkpoint(state.step, validation_loss)

    def checkpoint(self, step: int, validation_loss: float | None) -> Checkpoint:
        """Return the checkpoint of a step."""
        metrics = {} if validation_loss is None else {"validation_loss": validation_loss}
        path = self.path(step)
        return Checkpoint(path.name, step, path, metrics)

    def newest_step(self) -> int | None:
        """Return the step of the newest checkpoint, or None."""
        return max(self._steps(), default=None)

    def path(self, step: int) -> Path:
        """Return the folder of the checkpoint of a step."""
        return self._folder / f"step-{step:06d}"

    def resume(self, session: Session) -> TrainState | None:
        """Load the newest checkpoint that is whole and return where the training stood; None if there is none.

        Raises:
            CheckpointError: The newest good one is of another training, or does not fit the session.
        """
        skipped: list[str] = []
        self._sweep()
        for step in reversed(self._steps()):
            try:
                record = self._read(step)
                verify_checkpoint(self.path(step))
            except (CheckpointError, StoreError) as error:
                skipped.append(f"step {step} ({error})")
                continue
            self._check_identity(record)
            session.load_checkpoint(self.path(step)).result()
            self._tell_resumed(f"went on from the checkpoint at step {step}", "it is the newest", skipped)
            self._drop_after(step)
            return record.state
        if skipped:
            self._tell_resumed("started again from step 0", "no checkpoint can be used", skipped)
            self._drop_after(0)
        return None

    def _record_path(self, step: int) -> Path:
        return self._folder / f"step-{step:06d}.json"

    def _steps(self) -> list[int]:
        """Return the steps that have a record, ascending."""
        found = (path.stem.removeprefix("step-") for path in self._folder.glob("step-*.json"))
        return sorted(int(step) for step in found if step.isdigit())

    def _read(self, step: int) -> _Record:
        path = self._record_path(step)
        try:
            text = path.read_text(encoding="utf-8")
            outer = cast("dict[str, Any]", json.loads(text))
            payload = text[text.index('"record": ') + len('"record": ') : text.rindex("}")]
            if outer["format"] != _FORMAT or hashlib.sha256(payload.encode()).hexdigest() != outer["sha256"]:
                raise CheckpointError(f"{path} is corrupt: its SHA-256 does not match")
            record = msgspec.json.decode(payload, type=_Record)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path} is corrupt: {error}") from error
        if file_sha256(self.path(step) / MANIFEST) != record.manifest_sha256:
            raise CheckpointError(f"{self.path(step) / MANIFEST} is not the one that {path.name} belongs to")
        return record

    def _check_identity(self, record: _Record) -> None:
        names = sorted(self._identity.keys() | record.identity.keys())
        differing = [
            f"{name} was {record.identity.get(name)!r} and is {self._identity.get(name)!r}"
            for name in names
            if record.identity.get(name) != self._identity.get(name)
        ]
        if differing:
            raise CheckpointError(
                f"the checkpoints in {self._folder} are of another training: {'; '.join(differing)}; "
                "restore the old value, or train into another workspace"
            )

    def _tell_resumed(self, what: str, why: str, skipped: list[str]) -> None:
        reason = f"{why}; skipped: {'; '.join(skipped)}" if skipped else f"{why} and whole"
        events.decision(what, reason, alternatives=skipped, metadata={"model": self._model})

    def _retain(self, validation: list[ValidationRecord]) -> None:
        steps = self._steps()
        best = lowest(validation) if validation else None
        kept = {*steps[-_NEWEST_KEPT:], best["step"] if best else steps[-1]}
        removed = [step for step in steps if step not in kept]
        for step in removed:
            self._remove(step)
        if removed:
            events.decision(
                f"removed the checkpoint{'s' if len(removed) > 1 else ''} at step {joined(removed)}",
                "newer ones are kept" + (f", and the best so far (step {best['step']})" if best else ""),
                alternatives=[f"step {step}" for step in sorted(kept)],
                metadata={"model": self._model},
            )

    def _drop_after(self, step: int) -> None:
        """Remove unusable checkpoints behind `step`: the training writes them anew."""
        for later in self._steps():
            if later > step:
                self._remove(later)

    def _sweep(self) -> None:
        """Remove folders without a record: a process was killed while it wrote them."""
        whole = {self.path(step) for step in self._steps()}
        for path in self._folder.glob("*step-*"):
            if path.is_dir() and path not in whole:
                shutil.rmtree(path, ignore_errors=True)

    def _remove(self, step: int) -> None:
        """Remove a checkpoint, its record first: a folder without one does not count."""
        try:
            self._record_path(step).unlink(missing_ok=True)
            shutil.rmtree(self.path(step), ignore_errors=True)
        except OSError as error:
            raise StoreError(f"{self._record_path(step)} cannot be removed ({error.strerror or error})") from error


def lowest(validation: Sequence[ValidationRecord]) -> ValidationRecord:
    """Return the record with the lowest loss, the earliest among equals; there is at least one."""
    return min(validation, key=lambda record: record["loss"])


def joined(steps: Sequence[int]) -> str:
    """Return steps in words: `60`, `60 and 100`, `60, 80 and 100`; there is at least one."""
    *first, last = map(str, steps)
    return f"{', '.join(first)} and {last}" if first else last
