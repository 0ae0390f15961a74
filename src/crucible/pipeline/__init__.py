"""Orchestration and nothing else: stages, the context between them, the registry, the runner.

Imports nothing above `events`; a store is known only as a `RunRecorder`, a model or a dataset not at all.
"""

from crucible.pipeline.cancel import Cancellation, cancellable, check_cancelled, run_sync
from crucible.pipeline.context import Context
from crucible.pipeline.records import (
    ContextDelta,
    Failure,
    Resume,
    RunInfo,
    RunRecorder,
    RunStatus,
    StageRecord,
    StageStatus,
)
from crucible.pipeline.registry import Registry
from crucible.pipeline.runner import Runner, RunResult, new_run_id
from crucible.pipeline.stage import NoOptions, Stage, StageBase, StageOptions, parse_options, stage
from crucible.pipeline.validation import pipeline_problems, stage_problems

__all__ = [
    "Cancellation",
    "Context",
    "ContextDelta",
    "Failure",
    "NoOptions",
    "Registry",
    "Resume",
    "RunInfo",
    "RunRecorder",
    "RunResult",
    "RunStatus",
    "Runner",
    "Stage",
    "StageBase",
    "StageOptions",
    "StageRecord",
    "StageStatus",
    "cancellable",
    "check_cancelled",
    "new_run_id",
    "parse_options",
    "pipeline_problems",
    "run_sync",
    "stage",
    "stage_problems",
]
