"""Which events are kept when there are too many: samplers, each deterministic for a seed.

A sampler sees every record once, in order, on the recorder's writer thread, and belongs to one recording. Where a kept
event stands for others, `fields["sampling_weight"]` says for how many (1 / probability), so that weighted sums and
means stay unbiased; without it, an event stands for itself. The start and the end of a span share one draw, made of
the seed and the span's id: an event that opens a span is kept only where the one that closes it is kept too (the
reservoir, whose choice is among single events, excepted).
"""

from crucible.telemetry.sampling.adaptive import AdaptiveSampler
from crucible.telemetry.sampling.configuration import sampler_from
from crucible.telemetry.sampling.importance import ImportanceSampler
from crucible.telemetry.sampling.reservoir import ReservoirSampler
from crucible.telemetry.sampling.settings import (
    AdaptiveSettings,
    ImportanceSettings,
    ReservoirSettings,
    StratifiedSettings,
    UniformSettings,
)
from crucible.telemetry.sampling.stratified import StratifiedSampler
from crucible.telemetry.sampling.uniform import UniformSampler
from crucible.telemetry.sampling.verdict import Sampler, Verdict

__all__ = [
    "AdaptiveSampler",
    "AdaptiveSettings",
    "ImportanceSampler",
    "ImportanceSettings",
    "ReservoirSampler",
    "ReservoirSettings",
    "Sampler",
    "StratifiedSampler",
    "StratifiedSettings",
    "UniformSampler",
    "UniformSettings",
    "Verdict",
    "sampler_from",
]
