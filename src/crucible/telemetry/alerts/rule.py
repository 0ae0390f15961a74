"""One alert rule as a document: what to watch, what to wait for, how loud to be."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from crucible.ir import Model
from crucible.ir.words import Name
from crucible.telemetry.alerts.condition import Condition

__all__ = ["AlertRule"]


class AlertRule(Model):
    """One rule.

    It fires when its condition has held `for` times in a row. It fires again only after the condition has not held
    once in between, and not before the cooldown is over; each stream of the metric (each event name or series, each
    model) is judged on its own. Conditions of absence and of the error rate look at all streams together.
    """

    name: Name = Field(description="Name of the rule, unique among the rules.")
    metric: Name | None = Field(
        default=None,
        description="What to watch: a field, a logged series, or event:measurement; not needed for an error rate.",
    )
    event: Name | None = Field(default=None, description="Only events of this name, or of `prefix.*`.")
    where: dict[str, str | int | float | bool] = Field(
        default={}, description="Only events whose field, metadata or measurement of this name is equal to this."
    )
    condition: Condition = Field(description="What to wait for.")
    consecutive: int = Field(default=1, ge=1, alias="for", description="How many times in a row it must hold.")
    severity: Literal["info", "warning", "critical"] = Field(default="warning", description="How bad it is.")
    message: str | None = Field(
        default=None, description="What to say; {rule}, {metric}, {value}, {step} stand for what they are."
    )
    cooldown_s: float = Field(default=0.0, ge=0, description="Seconds after an alert in which the rule stays silent.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        kind = self.condition.kind
        if self.metric is None and kind not in ("error_rate_above", "absent_for_s"):
            raise ValueError(f"metric is required for {kind}, such as latency_ms")
        if kind == "absent_for_s" and self.metric is None and self.event is None:
            raise ValueError("absent_for_s needs a metric or an event that can be absent")
        if kind == "absent_for_s" and self.consecutive > 1:
            raise ValueError("for means nothing to absent_for_s; give more seconds instead")
        return self
