"""Orchestration and nothing else: stages, the context between them, the registry, the runner.

Imports nothing above `events`; a store is known only as a `RunRecorder`, a model or a dataset not at all.
"""

from crucible.pipeline.cancel import Cancellation, cancellable, check_cancelled, run_sync
from crucible.pipeline.context import Context
from crucible.pipeline.middleware import Again, Logging, Middleware, Retry, StageCall, Timing, Verdict
from crucible.pipeline.persistent import FrozenList, FrozenMap
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
from crucible.pipeline.registry import Registry, current_registry
from crucible.pipeline.runner import Runner, RunResult, new_run_id
from crucible.pipeline.schema import type_words
from crucible.pipeline.stage import NoOptions, OptionsMode, Stage, StageBase, StageOptions, parse_options, stage
from crucible.pipeline.validation import announced, pipeline_problems, stage_problems

__all__ = [
    "Again",
    "Cancellation",
    "Context",
    "ContextDelta",
    "Failure",
    "FrozenList",
    "FrozenMap",
    "Logging",
    "Middleware",
    "NoOptions",
    "OptionsMode",
    "Registry",
    "Resume",
    "Retry",
    "RunInfo",
    "RunRecorder",
    "RunResult",
    "RunStatus",
    "Runner",
    "Stage",
    "StageBase",
    "StageCall",
    "StageOptions",
    "StageRecord",
    "StageStatus",
    "Timing",
    "Verdict",
    "announced",
    "cancellable",
    "check_cancelled",
    "current_registry",
    "new_run_id",
    "parse_options",
    "pipeline_problems",
    "run_sync",
    "stage",
    "stage_problems",
    "type_words",
]
