"""Checkpoints of one training: what is saved, what is kept, and where a resumed training goes on.

A checkpoint is the session's folder (`step-000080/`, PEFT layout, hashed) and beside it the trainer's record
(`step-000080.json`), written last: without its record a folder does not count. The best and the newest are never
removed, so a corrupt newest one leaves another to go on from. Two processes that save into one folder take turns.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from crucible import events
from crucible.backends import Session, verify_checkpoint
from crucible.backends.checkpoint import MANIFEST, add_files
from crucible.errors import CheckpointError, StoreError
from crucible.ir import file_sha256
from crucible.train.checkpoint_files import CheckpointFiles
from crucible.train.keeping.choice import Mode, best, surplus
from crucible.train.keeping.store import CheckpointStore
from crucible.train.keeping.stored import TRAINING, StoredCheckpoint
from crucible.train.records import Checkpoint
from crucible.train.training_record import TrainingRecord, TrainState, decode_record

__all__ = ["CheckpointFolder", "TrainState", "joined"]

_KEPT: Final = 3


class CheckpointFolder:
    """The checkpoints of one training.

    Args:
        folder: Where they lie.
        identity: Configuration and data digest: what must be equal for a resumed training to be the same one.
        model: Name of the adapter, for events.
        keep: How many are kept at most, at least 2: the newest, with the best always among them.
        metric: What tells which is best.
        mode: Whether its lowest (`min`) or highest (`max`) value is.
        origin: What goes into each checkpoint's `training.json`, such as the data and whether it is synthetic; None:
            what the identity says.
        mirror: Where each checkpoint is copied to, such as a bucket; a training goes on from there where the folder
            is empty.
    """

    def __init__(
        self,
        folder: Path,
        identity: dict[str, Any],
        *,
        model: str,
        keep: int = _KEPT,
        metric: str = "validation_loss",
        mode: Mode = "min",
        origin: Mapping[str, Any] | None = None,
        mirror: CheckpointStore | None = None,
    ) -> None:
        surplus([], keep, metric=metric, mode=mode)  # refuses a keep that is too small
        self._files = CheckpointFiles(folder)
        self._identity = identity
        self._model = model
        self._keep = keep
        self._metric = metric
        self._mode: Mode = mode
        self._origin = _origin_of(identity, model) if origin is None else dict(origin)
        self._mirror = mirror

    @property
    def is_empty(self) -> bool:
        """Whether there is no checkpoint, good or not."""
        return not self._files.steps()

    def save(
        self,
        session: Session,
        state: TrainState,
        *,
        validation_loss: float | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> Checkpoint:
        """Write a checkpoint, whole or not at all, copy it to the mirror, and remove what need not be kept.

        Args:
            session: Whose weights to save.
            state: Where the training stands.
            validation_loss: Loss on the held-out items at this step; None if it was not measured.
            metrics: What else was measured at this step; only finite numbers are recorded.

        Raises:
            StoreError: The disk is full or read-only, or the mirror cannot be reached.
        """
        path = self.path(state.step)
        given = {**({} if validation_loss is None else {"validation_loss": validation_loss}), **(metrics or {})}
        measured = {name: float(value) for name, value in given.items() if math.isfinite(value)}
        about = {**self._origin, "step": state.step, "metrics": measured}
        with self._files.locked():
            self._files.uncount(state.step)
            session.save_checkpoint(path).result()
            add_files(path, {TRAINING: json.dumps(about, indent=2).encode() + b"\n"})
            digest = file_sha256(path / MANIFEST)
            record = TrainingRecord(self._identity, digest, measured.get("validation_loss"), state, measured)
            content = self._files.write(state.step, record)
        events.emit("crucible_train.checkpoint.saved", {"step": state.step}, {"model": self._model, "path": str(path)})
        if self._mirror is not None:
            self._mirror.put(path, record=content)
        self._retain()
        return self.checkpoint(state.step)

    def checkpoint(self, step: int) -> Checkpoint:
        """Return the checkpoint of a step, with what is recorded of it."""
        path = self.path(step)
        return Checkpoint(path.name, step, path, self._files.measured(step))

    def checkpoints(self) -> list[Checkpoint]:
        """Return every checkpoint that has a record, by step."""
        return [self.checkpoint(step) for step in self._files.steps()]

    def best(self, metric: str | None = None, mode: Mode | None = None) -> Checkpoint:
        """Return the checkpoint with the best value of a metric.

        Args:
            metric: Any recorded one; None: the folder's own.
            mode: `min` or `max`; None: the folder's own.

        Raises:
            CheckpointError: There are no checkpoints, or none has the metric; those that there are, are named.
        """
        return best(self.checkpoints(), metric or self._metric, mode or self._mode)

    def load(self, session: Session, step: int) -> Checkpoint:
        """Take the weights of a checkpoint into a session.

        Raises:
            CheckpointError: It is missing or damaged, or does not fit the session.
        """
        session.load_checkpoint(self.path(step)).result()
        about = {"model": self._model, "path": str(self.path(step))}
        events.emit("crucible_train.checkpoint.loaded", {"step": step}, about)
        return self.checkpoint(step)

    def newest_step(self) -> int | None:
        """Return the step of the newest checkpoint, or None."""
        return max(self._files.steps(), default=None)

    def path(self, step: int) -> Path:
        """Return the folder of the checkpoint of a step."""
        return self._files.path(step)

    def resume(self, session: Session) -> TrainState | None:
        """Load the newest checkpoint that is whole and return where the training stood; None if there is none.

        Raises:
            CheckpointError: The newest good one is of another training, or does not fit the session.
            StoreError: The folder is empty and the mirror cannot be reached.
        """
        skipped: list[str] = []
        with self._files.locked():
            self._files.sweep()
            if self._mirror is not None and self.is_empty:
                skipped = self._restore(self._mirror)
            for step in reversed(self._files.steps()):
                try:
                    record = self._files.read(step)
                    verify_checkpoint(self.path(step))
                except (CheckpointError, StoreError) as error:
                    skipped.append(f"step {step} ({error})")
                    continue
                self._check_identity(record)
                self.load(session, step)
                self._tell_resumed(f"went on from the checkpoint at step {step}", "it is the newest", skipped)
                self._files.remove_after(step)
                return record.state
            if skipped:
                self._tell_resumed("started again from step 0", "no checkpoint can be used", skipped)
                self._files.remove_after(0)
        return None

    def _restore(self, mirror: CheckpointStore) -> list[str]:
        """Copy the newest whole checkpoint of the mirror, and the best, into the folder; return what was skipped."""
        skipped: list[str] = []
        there = mirror.list_checkpoints()
        for at, found in reversed(list(enumerate(there))):
            if not self._fetch(mirror, found, skipped):
                continue
            measured = [each for each in there[: at + 1] if not each.problem and self._metric in each.metrics]
            chosen = best(measured, self._metric, self._mode) if measured else found
            if chosen is not found:
                self._fetch(mirror, chosen, skipped)
            break
        return skipped

    def _fetch(self, mirror: CheckpointStore, found: StoredCheckpoint, skipped: list[str]) -> bool:
        """Copy a checkpoint of the mirror into the folder, if it is whole and a training can go on from it."""
        try:
            record = None if found.problem else mirror.record(found.name)
            if record is None or found.step is None:
                raise CheckpointError(found.problem or "it has no record of a training")
            where = f"{found.name}.json in {mirror.location}"
            if decode_record(record, where).manifest_sha256 != found.sha256:
                raise CheckpointError(f"{where} is of another checkpoint")
            mirror.fetch(found.name, self.path(found.step))
        except CheckpointError as error:
            skipped.append(f"{found.name} ({error})")
            return False
        self._files.restore(found.step, record)
        return True

    def _check_identity(self, record: TrainingRecord) -> None:
        names = sorted(self._identity.keys() | record.identity.keys())
        differing = [
            f"{name} was {record.identity.get(name)!r} and is {self._identity.get(name)!r}"
            for name in names
            if record.identity.get(name) != self._identity.get(name)
        ]
        if differing:
            raise CheckpointError(
                f"the checkpoints in {self._files.folder} are of another training: {'; '.join(differing)}; "
                "restore the old value, or train into another workspace"
            )

    def _tell_resumed(self, what: str, why: str, skipped: list[str]) -> None:
        reason = f"{why}; skipped: {'; '.join(skipped)}" if skipped else f"{why} and whole"
        events.decision(what, reason, alternatives=skipped, metadata={"model": self._model})

    def _retain(self) -> None:
        """Remove what need not be kept, here and in the mirror, and say why."""
        with self._files.locked():
            there = self.checkpoints()
            removed, chosen = surplus(there, self._keep, metric=self._metric, mode=self._mode)
            for checkpoint in removed:
                self._files.remove(checkpoint.step)
        for checkpoint in removed:
            if self._mirror is not None:
                self._mirror.remove(checkpoint.name)
            about = {"model": self._model, "path": str(checkpoint.local_path)}
            events.emit("crucible_train.checkpoint.pruned", {"step": checkpoint.step}, about)
        if removed:
            steps = [checkpoint.step for checkpoint in removed]
            events.decision(
                f"removed the checkpoint{'s' if len(steps) > 1 else ''} at step {joined(steps)}",
                "newer ones are kept" + (f", and the best so far (step {chosen.step})" if chosen else ""),
                alternatives=[f"step {each.step}" for each in there if each.step not in steps],
                metadata={"model": self._model},
            )


def _origin_of(identity: Mapping[str, Any], model: str) -> dict[str, Any]:
    known = {name: identity[name] for name in ("base_model", "base_digest") if name in identity}
    data = {"data": {"sha256": identity["data"]}} if "data" in identity else {}
    return {"model": model, **known, **data}


def joined(steps: Sequence[int]) -> str:
    """Return steps in words: `60`, `60 and 100`, `60, 80 and 100`; there is at least one."""
    *first, last = map(str, steps)
    return f"{', '.join(first)} and {last}" if first else last
