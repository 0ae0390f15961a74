"""Alert rules: declared in a document, watched live, replayed over finished runs with the same result.

A rule names a metric, one condition and how loud to be; `AlertRules.stream` watches, `AlertRules.replay` looks back.
Nothing here sends anything anywhere: handlers do.
"""

from crucible.telemetry.alerts.alert import Alert
from crucible.telemetry.alerts.condition import Condition, Over
from crucible.telemetry.alerts.rule import AlertRule
from crucible.telemetry.alerts.rules import AlertRules
from crucible.telemetry.alerts.stream import AlertStream

__all__ = ["Alert", "AlertRule", "AlertRules", "AlertStream", "Condition", "Over"]
