"""From records to OpenTelemetry's metrics: how often, how long, and the last value of everything else.

A request to a model goes into the histograms of the convention. Everything else is named after our events: the counter
`crucible_train.batch.stop`, the histogram `crucible_train.batch.duration` in seconds, the gauge
`crucible_train.batch.stop.loss`. Their attributes are few-valued (model, stage, condition, backend), never a run's id,
since the SDK keeps a sum for every combination. It takes no NaN and no infinity: they are counted, and stand on spans.

Imported only where the extra `otel` is known to be installed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from opentelemetry.metrics import Meter

from crucible.events import registry
from crucible.store import StoredEvent
from crucible.telemetry.bridges.attributes import AttributeValue, number, words
from crucible.telemetry.bridges.naming import conventional, stem_of
from crucible.telemetry.bridges.semconv import Convention, MetricName, SpanRule

__all__ = ["MetricWriter"]

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_LABELS = ("model", "condition", "backend", "split")
_LONGEST_NAME = 255
_DURATIONS = tuple(1e-3 * 2**power for power in range(25))  # s; 1 ms to 4.7 h
_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9_.\-/]")


class MetricWriter:
    """Writes records into the instruments of a meter; not for several threads at once.

    Args:
        meter: Where instruments are made.
        table: The convention's names.
        most_instruments: Instruments there may be: names of events may be made up as a program runs, and the SDK
            forgets none. What would need another is counted in `skipped`.
    """

    def __init__(self, meter: Meter, table: Convention, *, most_instruments: int = 1_000) -> None:
        self._meter = meter
        self._table = table
        self._most = most_instruments
        self._made: dict[str, tuple[str, Any]] = {}  # by name in lower case, as the SDK compares them
        self.measured = 0
        self.skipped = 0

    def add(self, record: StoredEvent) -> None:
        """Count one record, and keep its measurements."""
        labels = self._labels(record)
        self._put("counter", record.name, "{event}", 1.0, labels)
        rule, told = conventional(record, self._table)
        consumed = set[str]() if rule is None else self._request(record, rule, told)
        info = registry.event_info(record.name)
        units: Mapping[str, str] = {} if info is None else info.measurements
        for key, value in record.measurements.items():
            if key in consumed or (amount := number(value)) is None:
                continue
            name = words(key)
            unit = units.get(key, "")
            stem, _, ending = name.rpartition("_")
            scale = _SECONDS.get(unit) or (_SECONDS.get(ending) if stem and not unit else None)
            if scale is None:
                shown = unit if unit in ("", "1") else f"{{{unit}}}"
                self._put("gauge", f"{record.name}.{name}", shown, amount, labels)
            else:
                short = stem if stem and ending in _SECONDS else name
                self._put("histogram", f"{stem_of(record.name)}.{short}", "s", amount * scale, labels)

    def _labels(self, record: StoredEvent) -> dict[str, AttributeValue]:
        labels: dict[str, AttributeValue] = {} if record.stage is None else {"stage": words(record.stage)}
        if record.condition is not None:
            labels["condition"] = words(record.condition)
        for key in _LABELS:
            value = record.metadata.get(key)
            if value is not None:
                labels[key] = words(value)
        if record.name.endswith(".exception"):
            labels[self._table.error_type] = self._error(record)
        return labels

    def _error(self, record: StoredEvent) -> str:
        kind = record.metadata.get("error_type")
        return self._table.other_error if kind is None else words(kind)

    def _request(self, record: StoredEvent, rule: SpanRule, told: dict[str, AttributeValue]) -> set[str]:
        """Put a request into the convention's histograms, and return the measurements that are told by them."""
        table = self._table
        if not rule.is_client or not record.name.endswith((".stop", ".exception")):
            return set()
        labels = {name: told[name] for name in table.metric_attributes if name in told}
        if record.name.endswith(".exception"):
            labels[table.error_type] = self._error(record)
        consumed = set[str]()
        took = number(record.measurements.get("duration_ns"))
        if took is not None:
            consumed.add("duration_ns")
            self._put("histogram", table.operation_duration, "s", took * 1e-9, labels)
        for kind, attribute in table.token_types.items():
            tokens = told.get(attribute)
            if isinstance(tokens, int):
                self._put("histogram", table.token_usage, "", tokens, {**labels, table.token_type: kind})
                consumed |= {source for term in rule.terms if term.name == attribute for source in term.sources}
        return consumed

    # --- instruments ---

    def _put(
        self, kind: str, what: str | MetricName, unit: str, amount: float, labels: dict[str, AttributeValue]
    ) -> None:
        instrument = self._instrument(kind, what, unit)
        if instrument is None or not math.isfinite(amount) or (kind == "histogram" and amount < 0):
            self.skipped += 1
            return
        if kind == "counter":
            instrument.add(1, labels)
            return
        self.measured += 1
        if kind == "gauge":
            instrument.set(amount, labels)
        else:
            instrument.record(amount, labels)

    def _instrument(self, kind: str, what: str | MetricName, unit: str) -> Any:
        key = _legal(what if isinstance(what, str) else what.name).lower()
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= self._most:
                return None
            made = self._made[key] = (kind, self._make(kind, what, unit))
        return made[1] if made[0] == kind else None

    def _make(self, kind: str, what: str | MetricName, unit: str) -> Any:
        if isinstance(what, MetricName):
            return self._meter.create_histogram(
                what.name, what.unit, what.description, explicit_bucket_boundaries_advisory=what.boundaries
            )
        name = _legal(what)
        info = registry.event_info(what)
        if kind == "counter":
            return self._meter.create_counter(name, unit, f"How often: {info.description}" if info else "")
        if kind == "gauge":
            return self._meter.create_gauge(name, unit)
        return self._meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=_DURATIONS)


def _legal(name: str) -> str:
    """Return the nearest name that an instrument may have: it begins with a letter and has 255 characters at most."""
    legal = _NOT_OF_A_NAME.sub("_", name)
    return (legal if legal[:1].isalpha() else f"x{legal}")[:_LONGEST_NAME]
