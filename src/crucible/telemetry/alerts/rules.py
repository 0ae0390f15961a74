"""Alert rules: read from a document, watched live, replayed over what is finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from crucible import ir
from crucible.ir import Model, Seq
from crucible.store import StoredEvent
from crucible.telemetry.alerts.alert import Alert
from crucible.telemetry.alerts.rule import AlertRule
from crucible.telemetry.alerts.stream import AlertStream
from crucible.telemetry.anomalies import Point

__all__ = ["AlertRules"]


class AlertRules(Model):
    """Rules that are watched together."""

    rules: Seq[AlertRule] = Field(min_length=1, description="The rules; when several fire at once, in this order.")

    @model_validator(mode="after")
    def _has_unique_names(self) -> Self:
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rules must have unique names; given twice: {', '.join(twice)}")
        return self

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "") -> AlertRules:
        """Build rules from plain data: `{"rules": [...]}`.

        Args:
            data: Mappings, lists, strings, numbers, booleans and None.
            source: What is being read, for the message.

        Raises:
            SpecErrors: Every problem, each with its path, such as `rules[2].condition.above`.
        """
        return ir.from_dict(data, cls, source=source)

    @classmethod
    def from_yaml(cls, text: str) -> AlertRules:
        """Build rules from YAML text.

        Raises:
            SpecErrors: The text is not YAML, or every problem, each with its path.
        """
        return ir.from_yaml(text, cls)

    @classmethod
    def from_json(cls, text: str | bytes) -> AlertRules:
        """Build rules from JSON text.

        Raises:
            SpecErrors: The text is not JSON, or every problem, each with its path.
        """
        return ir.from_json(text, cls)

    @classmethod
    def load(cls, path: str | Path) -> AlertRules:
        """Read rules from a `.yaml`, `.yml` or `.json` file.

        Raises:
            SpecErrors: The file is missing or unreadable, or every problem, each with its path.
        """
        return cls.from_dict(ir.read_mapping(path), source=str(path))

    def stream(self, *, handlers: Iterable[Callable[[Alert], None]] = ()) -> AlertStream:
        """Return what watches a stream by these rules.

        Args:
            handlers: Called with each alert; one that raises is counted and stays.
        """
        return AlertStream(self.rules, handlers=handlers)

    def replay(self, items: Iterable[StoredEvent | Point], *, until_ns: int | None = None) -> list[Alert]:
        """Return the alerts of a finished recording: exactly those that a stream of the same items would have given.

        Args:
            items: Events and points, in the order in which they came.
            until_ns: End of the recording, for what was absent then; None: the last item's time.
        """
        stream = self.stream()
        alerts = [alert for item in items for alert in stream.update(item)]
        return alerts if until_ns is None else [*alerts, *stream.tick(until_ns)]
