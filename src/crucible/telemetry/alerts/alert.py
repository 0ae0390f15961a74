"""An alert: a rule, and what made it fire."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from crucible.telemetry.alerts.rule import AlertRule
from crucible.telemetry.anomalies import At

__all__ = ["Alert", "alert_of"]

_PLACE = re.compile(r"\{(rule|metric|value|step)\}")


class Alert(msgspec.Struct, frozen=True):
    """One time that a rule fired.

    Args:
        rule: The rule's name.
        severity: The rule's: `info`, `warning` or `critical`.
        message: The rule's message, or what the condition saw.
        condition: The condition in words.
        metric: The metric that was watched: a field or the full name of a series; the event for an absent one.
        group: Which stream of a field, such as `req_llm.request.stop model=a`; empty for a series.
        value: What fulfilled the condition: the value, or the error rate; None for what is absent.
        timestamp_ns: When, wall clock in nanoseconds since 1970-01-01 UTC: of the value, or when it was due.
        step: The value's step.
        event_id: The value's event.
    """

    rule: str
    severity: str
    message: str
    condition: str
    metric: str
    group: str = ""
    value: float | None = None
    timestamp_ns: int | None = None
    step: int | None = None
    event_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; NaN and infinities stay floats, which `store.encode` keeps."""
        return msgspec.structs.asdict(self)


def alert_of(rule: AlertRule, metric: str, group: str, value: float | None, at: At) -> Alert:
    """Return the alert of a rule that fires.

    Args:
        rule: The rule.
        metric: What was watched.
        group: Which stream of it.
        value: What fulfilled the condition; None for what is absent.
        at: Where it stands.
    """
    condition = rule.condition.text()
    shown = "absent" if value is None else f"{value:g}"
    if rule.message is None:
        place = "" if at.step is None else f" at step {at.step}"
        stream = f" ({group})" if group else ""
        message = f"{metric}{stream} is {shown}{place}; the rule waits for: {condition}"
    else:
        words = {"rule": rule.name, "metric": metric, "value": shown, "step": "?" if at.step is None else str(at.step)}
        message = _PLACE.sub(lambda found: words[found[1]], rule.message)
    return Alert(
        rule.name, rule.severity, message, condition, metric, group, value, at.timestamp_ns, at.step, at.event_id
    )
