"""History from elsewhere, as plain data: MLflow, TensorBoard, W&B-style JSONL, Crucible's own files, the predecessor.

Each reader yields runs, and a run yields its points and events in batches; nothing here knows a store. What cannot be
read is reported in `.problems` and the rest is read; what is understood and not taken over is counted in `.skipped`.
"""

from crucible.telemetry.importers.crucible import read_crucible
from crucible.telemetry.importers.detection import detect, read
from crucible.telemetry.importers.imported import ImportedPoint, ImportedRun, ImportedRuns, Source
from crucible.telemetry.importers.mlflow import read_mlflow
from crucible.telemetry.importers.predecessor import read_predecessor
from crucible.telemetry.importers.problem import Problem, Problems
from crucible.telemetry.importers.tensorboard import read_tensorboard
from crucible.telemetry.importers.wandb import read_wandb

__all__ = [
    "ImportedPoint",
    "ImportedRun",
    "ImportedRuns",
    "Problem",
    "Problems",
    "Source",
    "detect",
    "read",
    "read_crucible",
    "read_mlflow",
    "read_predecessor",
    "read_tensorboard",
    "read_wandb",
]
