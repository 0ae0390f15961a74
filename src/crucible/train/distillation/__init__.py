"""Distillation: a student learns from one or several teachers, on answers that are there or on its own.

`distill` is the training, `flat` the same to read first. A teacher says how likely tokens are (`teacher`, `targets`),
what the student loses is in `losses`, and `preparing` makes the objective that the loop of every training carries out.
Importing this room imports no PyTorch.
"""

from crucible.train.distillation.distilling import distill
from crucible.train.distillation.flat import distill_off_policy_flat, distill_on_policy_flat
from crucible.train.distillation.opening import open_teacher
from crucible.train.distillation.preparing import distillation
from crucible.train.distillation.settings import DistillConfig
from crucible.train.distillation.teacher import Teacher

__all__ = [
    "DistillConfig",
    "Teacher",
    "distill",
    "distill_off_policy_flat",
    "distill_on_policy_flat",
    "distillation",
    "open_teacher",
]
