"""The stage `distillation`: a student learns from one or several teachers on the items of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from crucible.backends import Backend, get_backend
from crucible.data import Dataset
from crucible.data.base_sampler import find_base
from crucible.ir import Experiment
from crucible.pipeline import Context, StageBase
from crucible.train.distillation.distilling import distill
from crucible.train.distillation.opening import OF_THE_RUN, open_teacher, teacher_of_run
from crucible.train.distillation.options import (
    DistillationOptions,
    DistillNaming,
    distillation_problems,
    resolve_distillation,
)
from crucible.train.distillation.teacher import Teacher, shares
from crucible.train.trained import check_unused, come_back, facts_of, leave
from crucible.train.trainer import Trainer

__all__ = ["DistillationStage"]


class DistillationStage(StageBase):
    """Train a LoRA adapter of a student towards one or several teachers.

    Off-policy it learns the teachers' probabilities at each token of answers that are there, on-policy from what they
    think of its own answers. Provides the resources `sampler.<model>` and `sampler.base`. Writes checkpoints, the
    adapter (artifact `adapter.<model>`), the loss of every step (artifact `history.<model>`) and what the teachers said
    below `train/<model>`, and configuration, teachers, losses, counts and how it ended to the metric `train.<model>`. A
    run that was interrupted goes on from the newest good checkpoint.
    """

    name: ClassVar[str] = "distillation"
    Options: ClassVar[type[BaseModel]] = DistillationOptions
    reads: ClassVar[frozenset[str] | None] = frozenset({"training_config"})

    def check(self, experiment: Experiment, options: DistillNaming) -> list[tuple[str, str]]:
        """Return what of the document's distillation cannot be carried out, as (path, message)."""
        return distillation_problems(experiment, options)

    def announces(self, experiment: Experiment, options: DistillNaming) -> Mapping[str, Any]:
        """Say that it leaves nothing that a later stage names."""
        del experiment, options
        return {}

    def run(self, context: Context, options: DistillNaming) -> Context:
        """Distil one student.

        Raises:
            ContractError: No stage provides the dataset or trained the teacher, or the model's name was used before.
            DataError: The dataset cannot be trained on.
            BackendError: A model cannot be loaded, or a teacher cannot say how likely tokens are.
            CheckpointError: A teacher's adapter is damaged.
            TrainError: A teacher has another vocabulary, training cannot go on; or a quality target is missed, under
                `on_missed_target: fail`.
            StoreError: A file cannot be written.
        """
        model = options.model
        check_unused(context, model)
        dataset: Dataset = context.resource(options.dataset)
        config, settings = resolve_distillation(context.experiment, options, len(dataset))
        backend = get_backend(context.experiment.backend)
        teachers = [
            _teacher(context, backend, each.model, each.weight, device=config.device) for each in options.asked_teachers
        ]
        folder = context.workspace / "train" / model
        shelf = folder / "teaching" if options.targets_cache is None else Path(options.targets_cache).expanduser()
        with Trainer.start(config, backend, workspace=folder, name=model) as trainer:
            result = distill(trainer, dataset, teachers, settings, shelf=shelf, resume=True)
            facts = {
                **facts_of(config, dataset, result, role=options.dataset),
                "distillation": settings.model_dump(mode="json"),
                "rest": settings.kept_rest if settings.mode == "off_policy" else None,
                "teachers": [
                    {"name": teacher.name, "weight": share, "digest": teacher.digest, "synthetic": teacher.synthetic}
                    for teacher, share in zip(teachers, shares(teachers), strict=True)
                ],
            }
            return leave(context, trainer, result, facts, backend=backend, on_missed_target=options.on_missed_target)

    def rebuild(self, context: Context, options: DistillNaming) -> Context:
        """Load the adapter that an interrupted run has trained; no teacher is needed for it.

        Raises:
            CheckpointError: Its files are damaged, or those of the base model are not the ones it was trained on.
            BackendError: The base model cannot be loaded.
        """
        return come_back(context, options.model)


def _teacher(context: Context, backend: Backend, name: str, weight: float, *, device: str) -> Teacher:
    if not name.startswith(OF_THE_RUN):
        return open_teacher(name, backend, device=device, weight=weight)
    model = name.removeprefix(OF_THE_RUN)
    if model == "base":
        _, _, base = find_base(context, None)
        return open_teacher(base, backend, device=device, weight=weight)
    return teacher_of_run(context, model, weight=weight)
