"""What to watch, how, and what to do about it: the configuration of anomaly detection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, model_validator

from crucible.ir import Model, Seq
from crucible.ir.words import Name, aliased
from crucible.telemetry.anomalies.cusum import Cusum
from crucible.telemetry.anomalies.ewma import Ewma
from crucible.telemetry.anomalies.iqr import Iqr
from crucible.telemetry.anomalies.method import Method
from crucible.telemetry.anomalies.methods import METHOD_ALIASES
from crucible.telemetry.anomalies.modified_z import ModifiedZ
from crucible.telemetry.anomalies.seasonal_naive import SeasonalNaive
from crucible.telemetry.anomalies.z_score import ZScore

__all__ = ["AnomalyConfig", "MethodName", "MethodOptions", "MethodThresholds", "MethodWord"]

MethodWord = Literal["z_score", "modified_z", "iqr", "ewma", "cusum", "seasonal_naive"]
"""A method's canonical name."""

MethodName = Annotated[MethodWord, *aliased(**METHOD_ALIASES)]
"""A method; aliases such as `mad` are read as the name that they stand for."""

Threshold = Annotated[float, Field(gt=0)]


class _ByMethod(Model):
    """Takes aliases of methods for its keys."""

    @model_validator(mode="before")
    @classmethod
    def _canonical(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = cast("Mapping[Any, Any]", data)
        return {METHOD_ALIASES.get(key, key): value for key, value in given.items()}


class MethodThresholds(_ByMethod):
    """Thresholds by method, each in its own unit."""

    z_score: Threshold | None = Field(default=None, description="Standard deviations.")
    modified_z: Threshold | None = Field(default=None, description="Modified z.")
    iqr: Threshold | None = Field(default=None, description="Interquartile ranges outside of the quartiles.")
    ewma: Threshold | None = Field(default=None, description="k: weighted standard deviations.")
    cusum: Threshold | None = Field(default=None, description="h: sum of standard deviations.")
    seasonal_naive: Threshold | None = Field(default=None, description="Modified z of the residual.")


class MethodOptions(_ByMethod):
    """Options of the methods, by method; those that are not given are the method's own."""

    z_score: ZScore = Field(default=ZScore(), description="Options of z_score.")
    modified_z: ModifiedZ = Field(default=ModifiedZ(), description="Options of modified_z.")
    iqr: Iqr = Field(default=Iqr(), description="Options of iqr.")
    ewma: Ewma = Field(default=Ewma(), description="Options of ewma.")
    cusum: Cusum = Field(default=Cusum(), description="Options of cusum.")
    seasonal_naive: SeasonalNaive | None = Field(
        default=None, description="Options of seasonal_naive; its period has no default."
    )


class AnomalyConfig(Model):
    """What to watch, how, and what to do about it.

    A metric is a field of events (`latency_ms`, `cost_usd`, any number among measurements, fields or metadata), the
    name of a logged series (`loss`), or a measurement of one event (`crucible_train.batch.stop:loss`); the last two
    with or without `[model=…]`, each model being a stream of its own either way.
    """

    enabled: bool = Field(default=True, description="false: nothing is looked at.")
    methods: Seq[MethodName] = Field(
        default=("modified_z", "iqr"),
        min_length=1,
        description="z_score, modified_z, iqr, ewma, cusum, seasonal_naive; a value may be flagged by several.",
    )
    metrics: Seq[Name] = Field(default=("latency_ms", "cost_usd"), min_length=1, description="What to watch.")
    threshold: Threshold | MethodThresholds | None = Field(
        default=None, description="For all methods, each in its own unit, or by method; null: each method's own."
    )
    options: MethodOptions = Field(default=MethodOptions(), description="Options of the methods, by method.")
    action: Literal["flag", "alert", "sample_more"] = Field(
        default="flag",
        description="flag: keep; alert: also tell handlers and the bus; sample_more: also ask the sampler for more.",
    )
    group_by: Seq[Name] = Field(
        default=("name", "model"),
        description="What tells streams of a field apart: name, condition, stage, or any field or metadata.",
    )
    baseline: Literal["whole", "trailing"] = Field(
        default="whole",
        description="Of finished recordings: judge a value by the whole series, or only by what came before, as live.",
    )
    hold_s: float = Field(default=60.0, gt=0, description="sample_more: seconds for which more is wanted.")
    period_gap_s: float = Field(
        default=60.0, ge=0, description="Anomalies no more than so many seconds apart are one period."
    )
    period_gap_steps: int = Field(
        default=10, ge=0, description="The same in steps, or places, where an anomaly has no time."
    )

    @model_validator(mode="after")
    def _has_period(self) -> Self:
        if "seasonal_naive" in self.methods and self.options.seasonal_naive is None:
            raise ValueError("seasonal_naive needs a period; give it as options.seasonal_naive.period, such as 24")
        return self

    def chosen(self) -> tuple[Method, ...]:
        """Return the methods with their options and thresholds, each once, in the order given."""
        return tuple(self._one(name) for name in dict.fromkeys(self.methods))

    def _one(self, name: str) -> Method:
        options: Method = getattr(self.options, name)
        threshold = self.threshold
        if isinstance(threshold, MethodThresholds):
            threshold = getattr(threshold, name)
        if threshold is None:
            return options
        return type(options).read({**options.model_dump(), "threshold": threshold})
