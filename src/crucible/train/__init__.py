"""Training: from a configuration and items with answers to an adapter on disk and a sampler.

Importing this room imports no PyTorch; a trainer's session does. Where models live is the business of `backends`.
"""

from crucible.ir import LoraConfig
from crucible.train.records import Checkpoint, StepRecord, TrainResult, ValidationRecord
from crucible.train.schedule import learning_rate
from crucible.train.trainer import Trainer

__all__ = [
    "Checkpoint",
    "LoraConfig",
    "StepRecord",
    "TrainResult",
    "Trainer",
    "ValidationRecord",
    "learning_rate",
]
