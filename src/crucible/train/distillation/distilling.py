"""Distillation from Python: a trainer of the student, items, and whom to learn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from crucible.data import Item
from crucible.train.callbacks import Callbacks, Measure
from crucible.train.distillation.preparing import distillation
from crucible.train.distillation.settings import DistillConfig
from crucible.train.distillation.teacher import Teacher
from crucible.train.records import TrainResult
from crucible.train.trainer import Trainer

__all__ = ["distill"]


def distill(
    student: Trainer,
    dataset: Iterable[Item],
    teachers: Teacher | Sequence[Teacher],
    settings: DistillConfig | None = None,
    *,
    shelf: Path | str | None = None,
    resume: bool = False,
    callbacks: Callbacks | Sequence[Callbacks] = (),
    measures: Mapping[str, Measure] | None = None,
) -> TrainResult:
    """Train a student towards one or several teachers, and let its trainer hold the kept weights.

    The result's losses are nats a token: off-policy the loss of the settings, on-policy an estimate of
    KL(student || teacher) over what the student says.

    Args:
        student: A trainer that was not trained yet.
        dataset: Items with prompts; with answers too, unless only the student's or the teacher's are trained on.
        teachers: Whom to learn from; `open_teacher` opens one by its name.
        settings: How; None: off-policy, with the defaults.
        shelf: Off-policy: folder where what a teacher says is kept; None: `teaching` in the trainer's workspace.
        resume: Go on from the newest good checkpoint of the trainer's workspace, exactly as if it had never stopped.
        callbacks: Whom to tell of steps, epochs and checkpoints.
        measures: Measurements by name, taken at every validation.

    Raises:
        TrainError: The settings contradict each other, a teacher's vocabulary is another one or its weight is out of
            range, or the training cannot go on.
        DataError: The items cannot be trained on.
        BackendError: A teacher does not answer, or cannot say how likely tokens are.
        CheckpointError: `resume`, and the checkpoints are of another training.
        Cancelled: The run was asked to stop.
        StoreError: A file cannot be written.
    """
    session = student.session
    objective = distillation(
        dataset,
        [teachers] if isinstance(teachers, Teacher) else list(teachers),
        student.config,
        settings or DistillConfig(),
        tokenizer=session.tokenizer,
        window=session.window,
        shelf=student.workspace / "teaching" if shelf is None else Path(shelf),
    )
    return student.run(objective, resume=resume, callbacks=callbacks, measures=measures)
