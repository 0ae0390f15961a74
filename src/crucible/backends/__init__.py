"""Where models live: sessions that train an adapter, samplers that answer, and the local backend.

Importing this room imports neither PyTorch nor transformers; the first session or sampler of the local backend does.
"""

from crucible.backends.base_models import resolve_base_model
from crucible.backends.checkpoint import verify_checkpoint
from crucible.backends.distributed import spread
from crucible.backends.future import SessionFuture
from crucible.backends.local import LocalBackend
from crucible.backends.protocols import Backend, Sampler, Session
from crucible.backends.records import (
    AdamParams,
    ForwardBackwardOutput,
    OptimizerParams,
    OptimStepOutput,
    RmspropParams,
    Sample,
    SamplingParams,
    SessionStatus,
    SgdParams,
)
from crucible.backends.registry import backend_names, get_backend
from crucible.backends.scripted import ScriptedSampler
from crucible.backends.threads import sleep_while_waiting, use_threads
from crucible.backends.tinker import TinkerBackend

__all__ = [
    "AdamParams",
    "Backend",
    "ForwardBackwardOutput",
    "LocalBackend",
    "OptimStepOutput",
    "OptimizerParams",
    "RmspropParams",
    "Sample",
    "Sampler",
    "SamplingParams",
    "ScriptedSampler",
    "Session",
    "SessionFuture",
    "SessionStatus",
    "SgdParams",
    "TinkerBackend",
    "backend_names",
    "get_backend",
    "resolve_base_model",
    "sleep_while_waiting",
    "spread",
    "use_threads",
    "verify_checkpoint",
]

sleep_while_waiting()
