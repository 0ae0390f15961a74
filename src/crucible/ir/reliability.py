"""How sure the experimenter wants to be."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from crucible.ir.model import Model, Seq

__all__ = ["ReliabilityConfig", "StatsConfig"]


class StatsConfig(Model):
    """Which tests, at which level, corrected how."""

    tests: Seq[str] = Field(default=("ttest", "bootstrap"), description="Tests, such as mcnemar.")
    alpha: float = Field(default=0.05, gt=0, lt=1, description="Type-I error rate that is accepted.")
    confidence_level: float | None = Field(default=None, gt=0, lt=1, description="Level of the intervals.")
    effect_size_type: str | None = Field(default=None, description="Effect size to report.")
    multiple_testing_correction: str | None = Field(default=None, description="bonferroni, holm, hochberg, bh, by.")
    bootstrap_iterations: int | None = Field(default=None, ge=1, description="Resamples of a bootstrap.")
    options: dict[str, Any] | None = Field(default=None, description="Options of the tests.")


class ReliabilityConfig(Model):
    """The reliability part of an experiment."""

    stats: StatsConfig | None = Field(default=None, description="Statistical tests.")
