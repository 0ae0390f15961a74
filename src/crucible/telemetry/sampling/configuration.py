"""Samplers out of plain data, as a document or the store has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crucible.errors import SpecError, SpecErrors
from crucible.ir import did_you_mean
from crucible.telemetry.sampling.adaptive import AdaptiveSampler
from crucible.telemetry.sampling.importance import ImportanceSampler
from crucible.telemetry.sampling.reservoir import ReservoirSampler
from crucible.telemetry.sampling.settings import (
    AdaptiveSettings,
    ImportanceSettings,
    ReservoirSettings,
    SamplerSettings,
    StratifiedSettings,
    UniformSettings,
)
from crucible.telemetry.sampling.stratified import StratifiedSampler
from crucible.telemetry.sampling.uniform import UniformSampler
from crucible.telemetry.sampling.verdict import Sampler

__all__ = ["sampler_from"]

_KINDS: dict[str, tuple[type[SamplerSettings], Callable[..., Sampler]]] = {
    "uniform": (UniformSettings, UniformSampler),
    "reservoir": (ReservoirSettings, ReservoirSampler),
    "stratified": (StratifiedSettings, StratifiedSampler),
    "adaptive": (AdaptiveSettings, AdaptiveSampler),
    "importance": (ImportanceSettings, ImportanceSampler),
}


def sampler_from(config: Mapping[str, Any]) -> Sampler:
    """Return a new sampler, which has seen nothing yet.

    Args:
        config: `type`, one of `uniform`, `reservoir`, `stratified`, `adaptive`, `importance`, and its settings:
            `{"type": "uniform", "rate": 0.1, "seed": 3}`.

    Raises:
        SpecErrors: Every problem, each with its path.
    """
    plain: Any = config
    if not isinstance(plain, Mapping):
        raise _problem("", "type", f"expected a mapping with a type, got {type(plain).__name__}")
    kind = config.get("type")
    known = ", ".join(_KINDS)
    if kind is None:
        raise _problem("type", "missing", f"is missing; expected one of {known}")
    if not isinstance(kind, str) or kind not in _KINDS:
        hint = did_you_mean(kind, _KINDS) if isinstance(kind, str) else ""
        raise _problem("type", "choice", f"must be one of {known}, got {str(kind)[:40]!r}{hint}")
    settings, build = _KINDS[kind]
    read = settings.read({key: value for key, value in config.items() if key != "type"}, source=f"sampler {kind}")
    return build(**read.model_dump())


def _problem(path: str, code: str, message: str) -> SpecErrors:
    return SpecErrors("sampler", [SpecError(message, path=path, code=code)])
