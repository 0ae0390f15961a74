"""The trainer: one adapter from its configuration to weights on disk and a sampler.

It owns a session and a folder. The loop itself is in `loop`, what it optimises in an `Objective` (of `train`, in
`supervised`, with what goes into it in `examples`), what it leaves on disk in `checkpoints`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from crucible import events
from crucible.backends import Backend, LocalBackend, Sampler, Session
from crucible.backends.checkpoint import MANIFEST, add_files
from crucible.backends.hooks import GradientHook, attach
from crucible.data import Item
from crucible.errors import TrainError
from crucible.ir import LoraConfig, file_sha256
from crucible.pipeline import new_run_id
from crucible.train.callbacks import Callbacks, Listeners, Measure
from crucible.train.checkpoint_files import CheckpointFiles
from crucible.train.checkpoints import CheckpointFolder, TrainState
from crucible.train.early_stopping import watched
from crucible.train.examples import prepare
from crucible.train.identity import identity_of, origin_of, told_of
from crucible.train.keeping.choice import Mode
from crucible.train.keeping.store import CheckpointStore, open_checkpoints
from crucible.train.keeping.stored import TRAINING
from crucible.train.loop import TrainingLoop
from crucible.train.non_finite import check_present
from crucible.train.objective import Material, Objective
from crucible.train.outcome import choose, judge, result_of
from crucible.train.quality import check_metric_names
from crucible.train.records import Checkpoint, TrainResult
from crucible.train.reported import check_reported
from crucible.train.supervised import Supervised
from crucible.train.telling import costs

__all__ = ["Trainer"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Trainer:
    """Trains one adapter; made by `start`. A context manager that closes its session.

    Args:
        config: How to train.
        session: The adapter in training.
        workspace: Folder for checkpoints and saved adapters.
        name: Name of the adapter, for events and messages.
        mirror: Where each checkpoint is copied to as well; None: nowhere.
    """

    def __init__(
        self,
        config: LoraConfig,
        session: Session,
        workspace: Path | str,
        name: str,
        *,
        mirror: CheckpointStore | None = None,
    ) -> None:
        self.config = config
        self.session = session
        self.workspace = Path(workspace)
        self.name = name
        self._mirror = mirror
        self._state: TrainState | None = None
        self._result: TrainResult | None = None
        self._material: Material | None = None
        self._begun_with: str | None = None  # digest of the adapter

    @classmethod
    def start(
        cls,
        config: LoraConfig,
        backend: Backend | None = None,
        *,
        workspace: Path | str | None = None,
        name: str = "adapter",
        mirror: CheckpointStore | str | None = None,
        adapter: Path | str | None = None,
    ) -> Self:
        """Open a session on `config.base_model` with a fresh adapter, or with one that was trained before.

        Args:
            config: How to train.
            backend: Where the model lives; None: this machine.
            workspace: Folder for the trainer's files; None: a new one under `.crucible/train`.
            name: Name of the adapter, for events and messages.
            mirror: Where each checkpoint is copied to as well, a folder or URL such as `s3://bucket/runs/7`: a training
                whose workspace is empty goes on from there.
            adapter: Folder of a saved adapter or a checkpoint to begin with: its weights, and its optimiser's state.
                This is another training than the one it is of, so that everything may be configured anew but its shape.

        Raises:
            BackendError: The base model cannot be found or loaded, or the device is absent.
            CheckpointError: The adapter is damaged, or of another model or rank.
            MissingExtra: The `train` extra is not installed, or what the mirror's URL needs.
        """
        kept = open_checkpoints(mirror) if isinstance(mirror, str) else mirror
        session = (backend or LocalBackend()).start_session(config)
        trainer = cls(config, session, workspace or Path(".crucible") / "train" / new_run_id(), name, mirror=kept)
        if adapter is not None:
            trainer._begin_with(Path(adapter))
        return trainer

    def _begin_with(self, adapter: Path) -> None:
        try:
            self.session.load_checkpoint(adapter).result()
            self._begun_with = file_sha256(adapter / MANIFEST)
        except BaseException:
            self.close()
            raise

    def train(
        self,
        dataset: Iterable[Item],
        *,
        resume: bool = False,
        callbacks: Callbacks | Sequence[Callbacks] = (),
        measures: Mapping[str, Measure] | None = None,
        gradient_hooks: Iterable[str | tuple[str, GradientHook]] = (),
    ) -> TrainResult:
        """Train on a dataset and hold the kept weights.

        Args:
            dataset: Items with answers, or conversations.
            resume: Go on from the newest good checkpoint in the workspace, if there is one, exactly as if the training
                had never stopped. Data and configuration must be the same.
            callbacks: Whom to tell of steps, epochs and checkpoints, in this order.
            measures: By name, functions of a sampler of the current weights that return a number, each called at every
                validation; early stopping and quality targets may name them.
            gradient_hooks: What looks at the gradient before each optimiser step, behind what the configuration names:
                names, or (name, function); see `crucible.backends.hooks`.

        Raises:
            DataError: The dataset is empty, an item has no answer, or none fits the model's window.
            NonFiniteLoss: The loss became NaN or infinite; names step, items and the last good checkpoint.
            CheckpointError: `resume`, and the checkpoints are of another training.
            TrainError: The workspace already holds a training and `resume` is off, `max_length` exceeds the window,
                early stopping or a quality target names what is not measured, a callback raised, or this trainer
                was interrupted before and left no checkpoint to go on from.
            Cancelled: The run was asked to stop; a checkpoint is left behind.
            StoreError: A checkpoint cannot be written.
        """
        self._check_untrained()
        check_metric_names(self.config, measures or ())
        attach(self.session, gradient_hooks)
        data = prepare(dataset, self.session.tokenizer, self.config, self.session.window)
        return self._carry_out(Supervised(data, self.config), resume, Listeners(callbacks, measures))

    def run(
        self,
        objective: Objective,
        *,
        resume: bool = False,
        callbacks: Callbacks | Sequence[Callbacks] = (),
        measures: Mapping[str, Measure] | None = None,
        gradient_hooks: Iterable[str | tuple[str, GradientHook]] = (),
    ) -> TrainResult:
        """Train for any objective and hold the kept weights; `train` does so for answers.

        Args:
            objective: What to train for.
            resume: As `train` has it.
            callbacks: As `train` has them.
            measures: As `train` has them.
            gradient_hooks: As `train` has them.

        Raises:
            As `train` does, and what the objective raises.
        """
        self._check_untrained()
        check_reported(self.config, objective, measures or ())
        attach(self.session, gradient_hooks)
        return self._carry_out(objective, resume, Listeners(callbacks, measures))

    def _check_untrained(self) -> None:
        if self._result is not None:
            raise TrainError(f"{self.name} is trained; start another trainer to train again")

    def _carry_out(self, objective: Objective, resume: bool, listeners: Listeners) -> TrainResult:
        config, session = self.config, self.session
        material = self._material = objective.material
        by = watched(config, objective.best_by)
        checkpoints = self._checkpoints(objective, by)
        if not (resume or checkpoints.is_empty):
            raise TrainError(
                f"{self.workspace} holds the checkpoints of a training; go on with resume=True, "
                "or use another workspace"
            )
        about = told_of(config, objective, session, model=self.name)
        with events.span("crucible_train.training", about) as span:
            state = checkpoints.resume(session) if resume else None
            if state is None and self._state is not None:
                raise TrainError(
                    f"{self.name} was in training already and left no checkpoint to go on from; start another trainer"
                )
            span.annotate(resumed_from=state.step if state else 0)
            if state is None:
                state = TrainState(initial_loss=objective.sample_loss(session))
            self._state = state
            loop = TrainingLoop(session, objective, config, state, checkpoints, model=self.name, listeners=listeners)
            loop.run()
            final_loss = objective.sample_loss(session)
            if final_loss is not None:
                check_present("the final loss", final_loss, state.step, checkpoints)
            kept, best = choose(checkpoints, state, config, by, model=self.name)
            if kept.step != state.step:
                checkpoints.load(session, kept.step)
            quality = judge(state, kept.step, final_loss, config, model=self.name)
            span.annotate(stopped_early=loop.stopped is not None, quality=quality.summary if quality else None)
            losses = {"initial_loss": state.initial_loss, "final_loss": final_loss}
            span.measure(
                **{name: loss for name, loss in losses.items() if loss is not None},
                steps=state.step,
                tokens=state.tokens,
                **costs(loop.pace, session.device),
            )
        self._result = result_of(
            state,
            material,
            session,
            checkpoints,
            (kept, best),
            final_loss=final_loss,
            stopped=loop.stopped,
            quality=quality,
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
        if self._result is not None:
            step, metrics = self._result.kept.step, self._result.kept.metrics
        else:
            step, metrics = (self._state.step if self._state else 0), dict[str, float]()
        about = {**self._origin(), "step": step, "metrics": metrics}
        saved = self.workspace / "saved"
        with CheckpointFiles(saved).locked():  # nobody prunes or copies what has no `training.json` yet
            path = self.session.save_checkpoint(saved / name).result()
            add_files(path, {TRAINING: json.dumps(about, indent=2).encode() + b"\n"})
        events.emit("crucible_train.checkpoint.saved", {"step": step}, {"model": self.name, "path": str(path)})
        return Checkpoint(name, step, path, metrics)

    def create_sampler(self) -> Sampler:
        """Return a sampler with the weights as they are now; later training does not change it."""
        return self.session.create_sampler()

    def close(self) -> None:
        """Release the session; samplers go on answering."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _checkpoints(self, objective: Objective, by: tuple[str, Mode]) -> CheckpointFolder:
        metric, mode = by
        return CheckpointFolder(
            self.workspace / "checkpoints",
            identity_of(self.config, objective, self.session, self._begun_with),
            model=self.name,
            keep=self.config.max_checkpoints,
            metric=metric,
            mode=mode,
            origin=self._origin(),
            mirror=self._mirror,
        )

    def _origin(self) -> dict[str, Any]:
        return origin_of(self.config, self.session, self._material, model=self.name)
