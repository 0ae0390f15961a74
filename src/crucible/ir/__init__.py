"""What an experiment is: frozen typed data, validation, JSON and YAML. Runs nothing and opens no network.

The types are strict: unknown keys and wrong types are errors, reported all at once with their paths.
"""

from crucible.ir.artifact import ArtifactRef
from crucible.ir.builder import ExperimentBuilder
from crucible.ir.canonical import canonical_json, content_hash
from crucible.ir.completion import Capabilities, Choice, Completion, Thinking, Usage
from crucible.ir.constructors import new_deployment_config, new_experiment, new_model_ref, new_training_config
from crucible.ir.deployment import (
    CanaryConfig,
    DeploymentConfig,
    DeploymentStatus,
    EndpointConfig,
    HealthCheckConfig,
    ResourceSpec,
    ScalingConfig,
)
from crucible.ir.difference import Difference, diff
from crucible.ir.experiment import SCHEMA_VERSION, Experiment, OutputSpec, RetryPolicy, StageDef
from crucible.ir.feedback import FeedbackConfig, FeedbackEvent
from crucible.ir.files import atomic_write, file_sha256, sync_folder
from crucible.ir.issue import Issue, Severity
from crucible.ir.json_text import parse_json
from crucible.ir.lora import LoraConfig
from crucible.ir.migration import Migrations
from crucible.ir.model import Document, Model, OpenModel, Seq, did_you_mean, format_path, read_plain, spec_errors_of
from crucible.ir.monitoring import CircuitBreakerConfig, DriftConfig, MonitoringConfig, RetrainingTrigger
from crucible.ir.outcome import Failed, Interval, Outcome, Scored, Skipped, outcome_from_dict, outcome_to_dict
from crucible.ir.override import apply_overrides
from crucible.ir.prompt import ContentPart, Message, Options, Prompt, ToolCall, ToolChoice
from crucible.ir.read import from_dict, from_json, from_yaml, load, read_mapping
from crucible.ir.refs import BackendRef, DatasetRef, ModelRef, ModelVersion
from crucible.ir.reliability import (
    EnsembleConfig,
    FairnessConfig,
    GuardrailConfig,
    HedgingConfig,
    ReliabilityConfig,
    StatsConfig,
)
from crucible.ir.rules import rule
from crucible.ir.telemetry_event import TelemetryEvent
from crucible.ir.training import (
    CheckpointRef,
    EarlyStoppingConfig,
    LossConfig,
    OptimizerConfig,
    SchedulerConfig,
    TrainingConfig,
    TrainingRun,
)
from crucible.ir.validation import errors, is_valid, validate
from crucible.ir.words import Words
from crucible.ir.write import json_schema, to_dict, to_json, to_yaml

__all__ = [
    "SCHEMA_VERSION",
    "ArtifactRef",
    "BackendRef",
    "CanaryConfig",
    "Capabilities",
    "CheckpointRef",
    "Choice",
    "CircuitBreakerConfig",
    "Completion",
    "ContentPart",
    "DatasetRef",
    "DeploymentConfig",
    "DeploymentStatus",
    "Difference",
    "Document",
    "DriftConfig",
    "EarlyStoppingConfig",
    "EndpointConfig",
    "EnsembleConfig",
    "Experiment",
    "ExperimentBuilder",
    "Failed",
    "FairnessConfig",
    "FeedbackConfig",
    "FeedbackEvent",
    "GuardrailConfig",
    "HealthCheckConfig",
    "HedgingConfig",
    "Interval",
    "Issue",
    "LoraConfig",
    "LossConfig",
    "Message",
    "Migrations",
    "Model",
    "ModelRef",
    "ModelVersion",
    "MonitoringConfig",
    "OpenModel",
    "OptimizerConfig",
    "Options",
    "Outcome",
    "OutputSpec",
    "Prompt",
    "ReliabilityConfig",
    "ResourceSpec",
    "RetrainingTrigger",
    "RetryPolicy",
    "ScalingConfig",
    "SchedulerConfig",
    "Scored",
    "Seq",
    "Severity",
    "Skipped",
    "StageDef",
    "StatsConfig",
    "TelemetryEvent",
    "Thinking",
    "ToolCall",
    "ToolChoice",
    "TrainingConfig",
    "TrainingRun",
    "Usage",
    "Words",
    "apply_overrides",
    "atomic_write",
    "canonical_json",
    "content_hash",
    "did_you_mean",
    "diff",
    "errors",
    "file_sha256",
    "format_path",
    "from_dict",
    "from_json",
    "from_yaml",
    "is_valid",
    "json_schema",
    "load",
    "new_deployment_config",
    "new_experiment",
    "new_model_ref",
    "new_training_config",
    "outcome_from_dict",
    "outcome_to_dict",
    "parse_json",
    "read_mapping",
    "read_plain",
    "rule",
    "spec_errors_of",
    "sync_folder",
    "to_dict",
    "to_json",
    "to_yaml",
    "validate",
]
