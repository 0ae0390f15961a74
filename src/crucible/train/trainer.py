"""The trainer: one adapter from its configuration to weights on disk and a sampler.

It owns a session and a folder. The loop itself is in `loop`, what goes into it in `examples`, what it leaves on disk in
`checkpoints`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from crucible import events
from crucible.backends import Backend, LocalBackend, Sampler, Session
from crucible.data import Item
from crucible.errors import TrainError
from crucible.ir import LoraConfig, atomic_write, to_dict
from crucible.pipeline import new_run_id
from crucible.train.checkpoints import CheckpointFolder, TrainState, joined, lowest
from crucible.train.examples import TrainingData, prepare
from crucible.train.loop import SupervisedLoop, mean_loss, steps_in_all
from crucible.train.records import Checkpoint, TrainResult

__all__ = ["Trainer"]

_SAMPLE = 32  # training items on which the loss before and after is measured
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Trainer:
    """Trains one adapter; made by `start`. A context manager that closes its session.

    Args:
        config: How to train.
        session: The adapter in training.
        workspace: Folder for checkpoints and saved adapters.
        name: Name of the adapter, for events and messages.
    """

    def __init__(self, config: LoraConfig, session: Session, workspace: Path, name: str) -> None:
        self.config = config
        self.session = session
        self.workspace = workspace
        self.name = name
        self._state: TrainState | None = None
        self._result: TrainResult | None = None
        self._data: TrainingData | None = None

    @classmethod
    def start(
        cls,
        config: LoraConfig,
        backend: Backend | None = None,
        *,
        workspace: Path | None = None,
        name: str = "adapter",
    ) -> Trainer:
        """Open a session on `config.base_model` with a fresh adapter.

        Args:
            config: How to train.
            backend: Where the model lives; None: this machine.
            workspace: Folder for the trainer's files; None: a new one under `.crucible/train`.
            name: Name of the adapter, for events and messages.

        Raises:
            BackendError: The base model cannot be found or loaded, or the device is absent.
            MissingExtra: The `train` extra is not installed.
        """
        session = (backend or LocalBackend()).start_session(config)
        return cls(config, session, workspace or Path(".crucible") / "train" / new_run_id(), name)

    def train(self, dataset: Iterable[Item], *, resume: bool = False) -> TrainResult:
        """Train on a dataset and hold the kept weights.

        Args:
            dataset: Items with answers.
            resume: Go on from the newest good checkpoint in the workspace, if there is one, exactly as if the training
                had never stopped. Data and configuration must be the same.

        Raises:
            DataError: The dataset is empty, an item has no answer, or none fits the model's window.
            NonFiniteLoss: The loss became NaN or infinite; names step, items and the last good checkpoint.
            CheckpointError: `resume`, and the checkpoints are of another training.
            TrainError: The workspace already holds a training and `resume` is off, or `max_length` exceeds the window.
            Cancelled: The run was asked to stop; a checkpoint is left behind.
            StoreError: A checkpoint cannot be written.
        """
        if self._result is not None:
            raise TrainError(f"{self.name} is trained; start another trainer to train again")
        data = prepare(dataset, self.session.tokenizer, self.config, self.session.window)
        self._data = data
        checkpoints = self._checkpoints(data)
        if not (resume or checkpoints.is_empty):
            raise TrainError(
                f"{self.workspace} holds the checkpoints of a training; go on with resume=True, "
                "or use another workspace"
            )
        total = steps_in_all(self.config, len(data.train))
        with events.span("crucible_train.training", self._about(data, total)) as span:
            state = checkpoints.resume(self.session) if resume else None
            span.annotate(resumed_from=state.step if state else 0)
            sample = data.train[:_SAMPLE]
            if state is None:
                state = TrainState(initial_loss=mean_loss(self.session, sample, self.config.batch_size))
            self._state = state
            SupervisedLoop(self.session, data, self.config, state, checkpoints, model=self.name).run()
            final_loss = mean_loss(self.session, sample, self.config.batch_size)
            kept = self._keep(checkpoints, state)
            span.measure(initial_loss=state.initial_loss, final_loss=final_loss, steps=state.step, tokens=state.tokens)
        self._result = TrainResult(
            initial_loss=state.initial_loss,
            final_loss=final_loss,
            steps=state.step,
            history=state.history,
            validation=state.validation,
            kept=kept,
            items=len(data.train),
            truncated=data.truncated,
            refused=data.refused,
            tokens=state.tokens,
            parameters_trained=self.session.trainable_parameters,
            synthetic=data.synthetic,
            base_digest=self.session.base_digest,
        )
        return self._result

    def save(self, name: str) -> Checkpoint:
        """Save the weights that the trainer holds, in the PEFT layout, under `saved/<name>` of the workspace.

        `training.json` beside them says what they were made from, and whether that data is synthetic.

        Args:
            name: Letters, digits, `.`, `_` and `-`; one that was used before is replaced.

        Raises:
            TrainError: The name cannot be a folder's name.
            StoreError: The disk is full or read-only.
        """
        if not _NAME.fullmatch(name):
            raise TrainError(f'"{name}" cannot name a saved adapter; use letters, digits, ".", "_" and "-"')
        path = self.session.save_checkpoint(self.workspace / "saved" / name).result()
        if self._result is not None:
            step, metrics = self._result.kept.step, self._result.kept.metrics
        else:
            step, metrics = (self._state.step if self._state else 0), dict[str, float]()
        atomic_write(path / "training.json", json.dumps(self._origin(step), indent=2) + "\n")
        events.emit("crucible_train.checkpoint.saved", {"step": step}, {"model": self.name, "path": str(path)})
        return Checkpoint(name, step, path, metrics)

    def create_sampler(self) -> Sampler:
        """Return a sampler with the weights as they are now; later training does not change it."""
        return self.session.create_sampler()

    def close(self) -> None:
        """Release the session; samplers go on answering."""
        self.session.close()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _checkpoints(self, data: TrainingData) -> CheckpointFolder:
        identity = {**to_dict(self.config), "data": data.digest, "base_digest": self.session.base_digest}
        return CheckpointFolder(self.workspace / "checkpoints", identity, model=self.name)

    def _origin(self, step: int) -> dict[str, Any]:
        """Return what a saved adapter was made from; without `data` if it was never trained."""
        data = self._data
        trained = {"items": len(data.train), "sha256": data.digest, "synthetic": data.synthetic} if data else None
        return {
            "model": self.name,
            "base_model": self.config.base_model,
            "base_digest": self.session.base_digest,
            "step": step,
            "data": trained,
        }

    def _about(self, data: TrainingData, total: int) -> dict[str, Any]:
        return {
            "model": self.name,
            "base_model": self.config.base_model,
            "rank": self.config.rank,
            "total_steps": total,
            "items": len(data.train),
            "validation_items": len(data.validation),
            "truncated": data.truncated,
            "refused": data.refused,
            "seed": self.config.seed,
            "parameters_trained": self.session.trainable_parameters,
        }

    def _keep(self, checkpoints: CheckpointFolder, state: TrainState) -> Checkpoint:
        """Decide which checkpoint's weights to hand out, say why, and take them."""
        step, loss = state.step, None
        if self.config.keep == "last":
            why = "it is the last one, as keep: last asks"
        elif not state.validation:
            why = "it is the last one; no items are held out that could tell which is best"
        else:
            best = lowest(state.validation)
            step, loss = best["step"], best["loss"]
            why = f"lowest validation loss ({loss:.4g})"
        for record in state.validation:
            loss = record["loss"] if record["step"] == step else loss
        others = [record["step"] for record in state.validation if record["step"] != step]
        events.decision(
            f"kept the checkpoint at step {step}" + (f" over {joined(others)}" if others else ""),
            why,
            alternatives=[f"step {other}" for other in others],
            metadata={"model": self.name, "step": step, "validation_loss": loss},
        )
        kept = checkpoints.checkpoint(step, loss)
        if step != state.step:
            self.session.load_checkpoint(kept.local_path).result()
        return kept
