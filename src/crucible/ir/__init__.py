"""What an experiment is: frozen typed data, validation, JSON and YAML. Runs nothing and opens no network.

The types are strict: unknown keys and wrong types are errors, reported all at once with their paths.
"""

from crucible.ir.artifact import ArtifactRef
from crucible.ir.experiment import Experiment, OutputSpec, StageDef
from crucible.ir.files import atomic_write, file_sha256, sync_folder
from crucible.ir.lora import LoraConfig
from crucible.ir.model import Model, Seq, did_you_mean, format_path, read_plain, spec_errors_of
from crucible.ir.outcome import Failed, Interval, Outcome, Scored, Skipped, outcome_from_dict, outcome_to_dict
from crucible.ir.override import apply_overrides
from crucible.ir.read import (
    content_hash,
    from_dict,
    from_json,
    json_schema,
    load,
    parse_json,
    read_mapping,
    to_dict,
    to_json,
    to_yaml,
)
from crucible.ir.refs import BackendRef, DatasetRef, ModelRef
from crucible.ir.reliability import ReliabilityConfig, StatsConfig
from crucible.ir.training import TrainingConfig

__all__ = [
    "ArtifactRef",
    "BackendRef",
    "DatasetRef",
    "Experiment",
    "Failed",
    "Interval",
    "LoraConfig",
    "Model",
    "ModelRef",
    "Outcome",
    "OutputSpec",
    "ReliabilityConfig",
    "Scored",
    "Seq",
    "Skipped",
    "StageDef",
    "StatsConfig",
    "TrainingConfig",
    "apply_overrides",
    "atomic_write",
    "content_hash",
    "did_you_mean",
    "file_sha256",
    "format_path",
    "from_dict",
    "from_json",
    "json_schema",
    "load",
    "outcome_from_dict",
    "outcome_to_dict",
    "parse_json",
    "read_mapping",
    "read_plain",
    "spec_errors_of",
    "sync_folder",
    "to_dict",
    "to_json",
    "to_yaml",
]
