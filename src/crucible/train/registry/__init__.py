"""The model registry: versions, stages, gated promotion, lineage, and files kept by content.

What is kept and how is the business of `store.models`; here is what registers from a training, judges and decides.
"""

from crucible.train.registry.details import Details
from crucible.train.registry.direction import direction_for, known_direction
from crucible.train.registry.gates import GateOutcome, GateReport, GateResult, Gates, NonInferiority
from crucible.train.registry.promoting import Promotion
from crucible.train.registry.registry import ModelRegistry
from crucible.train.registry.scores import read_scores

__all__ = [
    "Details",
    "GateOutcome",
    "GateReport",
    "GateResult",
    "Gates",
    "ModelRegistry",
    "NonInferiority",
    "Promotion",
    "direction_for",
    "known_direction",
    "read_scores",
]
