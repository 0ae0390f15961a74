"""The models of a store: their versions, stages, lineage, files by content, and the audit of what was done to them."""

from crucible.store.models.graph import Edge, LineageStep
from crucible.store.models.moving import ALLOWED, check_move
from crucible.store.models.names import (
    RELATIONS,
    STAGES,
    ModelStage,
    Relation,
    check_metrics,
    check_model,
    check_paths,
    check_relation,
    check_sha256,
    check_stage,
    check_tags,
    split_reference,
)
from crucible.store.models.objects import ModelObjects
from crucible.store.models.records import (
    ChangeKind,
    ModelChange,
    ModelFile,
    ModelParent,
    ModelScores,
    NewModelVersion,
    StoredModelVersion,
    Transition,
    tree_sha256,
)
from crucible.store.models.semver import BUMPS, Bump, Version, check_label, next_version
from crucible.store.models.taking_in import ModelRepository, TakenVersion
from crucible.store.models.writing import check_scores

__all__ = [
    "ALLOWED",
    "BUMPS",
    "RELATIONS",
    "STAGES",
    "Bump",
    "ChangeKind",
    "Edge",
    "LineageStep",
    "ModelChange",
    "ModelFile",
    "ModelObjects",
    "ModelParent",
    "ModelRepository",
    "ModelScores",
    "ModelStage",
    "NewModelVersion",
    "Relation",
    "StoredModelVersion",
    "TakenVersion",
    "Transition",
    "Version",
    "check_label",
    "check_metrics",
    "check_model",
    "check_move",
    "check_paths",
    "check_relation",
    "check_scores",
    "check_sha256",
    "check_stage",
    "check_tags",
    "next_version",
    "split_reference",
    "tree_sha256",
]
