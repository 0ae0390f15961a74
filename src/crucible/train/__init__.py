"""Training: from a configuration and items with answers to an adapter on disk and a sampler.

Importing this room imports no PyTorch; a trainer's session does. Where models live is the business of `backends`.
"""

from crucible.ir import LoraConfig
from crucible.train.callbacks import Callbacks
from crucible.train.distillation import DistillConfig, Teacher, distill, open_teacher
from crucible.train.flat import train_flat
from crucible.train.keeping import (
    CheckpointCache,
    CheckpointStore,
    StoredCheckpoint,
    best_checkpoint,
    merge,
    open_checkpoints,
    prune_checkpoints,
)
from crucible.train.preference import PreferenceConfig, PreferenceTrainer
from crucible.train.quality import Assessment, QualityReport
from crucible.train.records import Checkpoint, EpochRecord, StepRecord, TrainResult, ValidationRecord
from crucible.train.registry import GateReport, Gates, ModelRegistry, NonInferiority, Promotion
from crucible.train.rl import RLConfig, train_rl
from crucible.train.schedule import learning_rate
from crucible.train.trainer import Trainer

__all__ = [
    "Assessment",
    "Callbacks",
    "Checkpoint",
    "CheckpointCache",
    "CheckpointStore",
    "DistillConfig",
    "EpochRecord",
    "GateReport",
    "Gates",
    "LoraConfig",
    "ModelRegistry",
    "NonInferiority",
    "PreferenceConfig",
    "PreferenceTrainer",
    "Promotion",
    "QualityReport",
    "RLConfig",
    "StepRecord",
    "StoredCheckpoint",
    "Teacher",
    "TrainResult",
    "Trainer",
    "ValidationRecord",
    "best_checkpoint",
    "distill",
    "learning_rate",
    "merge",
    "open_checkpoints",
    "open_teacher",
    "prune_checkpoints",
    "train_flat",
    "train_rl",
]
