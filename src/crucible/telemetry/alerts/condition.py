"""What an alert rule waits for: one condition, as a document says it."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from crucible.ir import Model
from crucible.ir.words import aliased
from crucible.telemetry.anomalies import METHOD_ALIASES, AnomalyConfig, Method, MethodOptions, MethodWord

__all__ = ["KINDS", "Condition", "Over"]

KINDS = (
    "above",
    "below",
    "increases_by_frac",
    "decreases_by_frac",
    "absent_for_s",
    "non_finite",
    "error_rate_above",
    "anomaly",
)
"""The kinds of conditions; a condition has exactly one."""

_CHANGES = ("increases_by_frac", "decreases_by_frac")


class Over(Model):
    """How far a condition looks back; a bare number means steps."""

    steps: int | None = Field(default=None, ge=1, description="Steps; places in the stream, where values have none.")
    last_n: int | None = Field(default=None, ge=1, description="Outcomes.")

    @model_validator(mode="before")
    @classmethod
    def _steps(cls, data: Any) -> Any:
        return {"steps": data} if isinstance(data, int) and not isinstance(data, bool) else data


class Condition(Model):
    """What to wait for. NaN neither fulfils nor ends a comparison; only `non_finite` sees it."""

    above: float | None = Field(default=None, description="The value is greater than this.")
    below: float | None = Field(default=None, description="The value is less than this.")
    increases_by_frac: float | None = Field(
        default=None, gt=0, description="The value has grown by more than this share of what it was `over` steps ago."
    )
    decreases_by_frac: float | None = Field(
        default=None, gt=0, description="The value has shrunk by more than this share of what it was `over` steps ago."
    )
    absent_for_s: float | None = Field(
        default=None, gt=0, description="No value for longer than so many seconds, by the time of the events."
    )
    non_finite: bool | None = Field(default=None, description="true: the value is NaN or infinite.")
    error_rate_above: float | None = Field(
        default=None, ge=0, lt=1, description="Share of failures among the `over.last_n` last outcomes, once there are."
    )
    anomaly: Annotated[MethodWord | None, *aliased(**METHOD_ALIASES)] = Field(
        default=None, description="A method of anomaly detection flags the value; as live, by what came before it."
    )
    options: MethodOptions = Field(default=MethodOptions(), description="anomaly: options of the method, by method.")
    over: Over | None = Field(default=None, description="How far to look back: 100 (steps), or {last_n: 200}.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"condition must have exactly one of: {', '.join(KINDS)}; got {found}")
        kind = given[0]
        if self.non_finite is False:
            raise ValueError("non_finite can only be true; leave the rule out instead")
        if kind in _CHANGES and (self.over is None or self.over.steps is None):
            raise ValueError(f"{kind} needs the steps to look back, such as over: 100")
        if kind == "error_rate_above" and (self.over is None or self.over.last_n is None):
            raise ValueError("error_rate_above needs the outcomes to look back on, such as over: {last_n: 200}")
        if kind not in (*_CHANGES, "error_rate_above") and self.over is not None:
            raise ValueError(f"over means nothing to {kind}; leave it out")
        if kind == "anomaly":
            self.method()
        return self

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    def method(self) -> Method:
        """Return the method of an `anomaly` condition.

        Raises:
            ValueError: The method needs an option that is not given.
        """
        if self.anomaly == "seasonal_naive" and self.options.seasonal_naive is None:
            raise ValueError("seasonal_naive needs a period; give it as options.seasonal_naive.period, such as 24")
        methods = () if self.anomaly is None else (self.anomaly,)
        return AnomalyConfig(methods=methods, options=self.options).chosen()[0]

    def text(self) -> str:
        """Return the condition in words, such as `above 10`."""
        kind = self.kind
        match kind:
            case "non_finite":
                return "not a finite number"
            case "absent_for_s":
                return f"absent for {self.absent_for_s:g} s"
            case "anomaly":
                return f"out of the ordinary ({self.anomaly})"
            case "error_rate_above":
                last_n = self.over.last_n if self.over else None
                return f"error rate of the last {last_n} above {self.error_rate_above:g}"
            case "increases_by_frac" | "decreases_by_frac":
                verb = "up" if kind == "increases_by_frac" else "down"
                steps = self.over.steps if self.over else None
                return f"{verb} by more than {getattr(self, kind):g} of what it was {steps} steps ago"
            case _:
                return f"{kind} {getattr(self, kind):g}"
