"""Keeping checkpoints: in a folder or a bucket, listed, the best found, old ones pruned, merged to full weights."""

from crucible.train.keeping.cache import CheckpointCache
from crucible.train.keeping.choice import Mode, best, surplus
from crucible.train.keeping.merging import merge
from crucible.train.keeping.store import CheckpointStore, best_checkpoint, open_checkpoints, prune_checkpoints
from crucible.train.keeping.stored import StoredCheckpoint

__all__ = [
    "CheckpointCache",
    "CheckpointStore",
    "Mode",
    "StoredCheckpoint",
    "best",
    "best_checkpoint",
    "merge",
    "open_checkpoints",
    "prune_checkpoints",
    "surplus",
]
