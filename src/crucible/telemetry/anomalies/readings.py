"""From events and points to the numbers that are watched: which metric, which stream of it, where it stands.

An event may hold anything; whatever is no number is not a reading, and nothing in it can raise.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from crucible.store import StoredEvent
from crucible.telemetry.anomalies.anomaly import At

__all__ = ["Point", "Reader", "Reading", "number_of"]

_LABEL = re.compile(r"(?P<name>.*?)(?:\[model=(?P<model>.*)\])?", re.DOTALL)
_OWN = frozenset({"latency_ms", "cost_usd"})
_ATTRIBUTES = frozenset({"name", "condition", "stage"})


class Point(msgspec.Struct, frozen=True, gc=False):
    """A number of a series.

    Args:
        series: The series' name, such as `loss` or `crucible_train.batch.stop:loss[model=a]`.
        value: The number; NaN and infinities as they are.
        step: Its step.
        timestamp_ns: Wall clock, nanoseconds since 1970-01-01 UTC.
    """

    series: str
    value: float
    step: int | None = None
    timestamp_ns: int | None = None


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A number of a metric.

    Args:
        metric: The metric: a field, or the full name of a series.
        group: Which stream of a field it is of, such as `req_llm.request.stop model=a`; empty for a series.
        value: The number.
        at: Where it stands.
    """

    metric: str
    group: str
    value: float
    at: At


class _Wanted(msgspec.Struct, frozen=True):
    metric: str
    event: str | None  # None: a field of any event, or a logged series
    key: str
    model: str | None


class Reader:
    """Finds the readings of certain metrics.

    Args:
        metrics: Fields and series, as in `AnomalyConfig`.
        group_by: What tells streams of a field apart.
    """

    def __init__(self, metrics: Iterable[str], group_by: Iterable[str] = ("name", "model")) -> None:
        self._wanted = [_wanted(metric) for metric in dict.fromkeys(metrics)]
        self._group_by = tuple(group_by)
        self._series: dict[str, bool] = {}  # whether a series is wanted; asked for every point

    def read(self, item: StoredEvent | Point) -> Iterator[Reading]:
        """Yield the readings of an event or a point, in the order of the metrics."""
        if isinstance(item, Point):
            if self._wants(item.series) and (value := number_of(item.value)) is not None:
                yield Reading(item.series, "", value, At(item.step, item.timestamp_ns))
            return
        at: At | None = None
        for wanted in self._wanted:
            if wanted.event is not None and wanted.event != item.name:
                continue
            value = number_of(_value(item, wanted.key))
            if value is None:
                continue
            metric, group = wanted.metric, ""
            if wanted.event is not None:
                model = _word(item, "model")
                if wanted.model is not None and wanted.model != model:
                    continue
                metric = f"{wanted.event}:{wanted.key}" + (f"[model={model}]" if model is not None else "")
            else:
                group = self._group(item)
            at = at or At(_step(item), item.timestamp_ns, item.event_id or None)
            yield Reading(metric, group, value, at)

    def _wants(self, series: str) -> bool:
        known = self._series.get(series)
        if known is None:
            known = any(series == each.metric or series.startswith(f"{each.metric}[model=") for each in self._wanted)
            if len(self._series) < 10_000:  # names are few; whoever makes them up by the million is asked each time
                self._series[series] = known
        return known

    def _group(self, record: StoredEvent) -> str:
        parts: list[str] = []
        for key in self._group_by:
            word = _word(record, key)
            if word is not None:
                parts.append(word if key == "name" else f"{key}={word}")
        return " ".join(parts)


def _wanted(metric: str) -> _Wanted:
    event, colon, rest = metric.partition(":")
    if not colon:
        return _Wanted(metric, None, metric, None)
    match = _LABEL.fullmatch(rest)
    key, model = (match["name"], match["model"]) if match else (rest, None)
    return _Wanted(metric, event, key, model)


def _value(record: StoredEvent, key: str) -> Any:
    if key in _OWN:
        own = record.latency_ms if key == "latency_ms" else record.cost_usd
        if own is not None:
            return own
    for place in (record.measurements, record.fields, record.metadata):
        if key in place:
            return place[key]
    return None


def _word(record: StoredEvent, key: str) -> str | None:
    if key in _ATTRIBUTES:
        return getattr(record, key)
    value = record.metadata.get(key) if key in record.metadata else record.fields.get(key)
    if value is None or isinstance(value, str):
        return value
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # an object that cannot say what it is, is of no group
        return None


def _step(record: StoredEvent) -> int | None:
    for place in (record.measurements, record.fields):
        step = place.get("step")
        if not isinstance(step, bool) and isinstance(step, numbers.Integral):
            return int(step)
    return None


def number_of(value: Any) -> float | None:
    """Return a number as a float: Python's, NumPy's, or a tensor of one element; None for anything else.

    Truth values are no numbers, nor are integers beyond a float.
    """
    if value is None or type(value) is float:
        return value
    try:
        if not isinstance(value, numbers.Real) and getattr(value, "ndim", None) == 0:
            value = value.item()
        return None if isinstance(value, bool) or not isinstance(value, numbers.Real) else float(value)
    except Exception:  # noqa: BLE001  # a stranger's number, or an integer of a thousand digits
        return None
