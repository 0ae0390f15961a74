"""The sections of a snapshot of live metrics as families for Prometheus.

A section that is not known here still comes out: every number in it is a gauge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from crucible.telemetry.bridges.attributes import number, words
from crucible.telemetry.bridges.exposition import Families, Kind

__all__ = ["Labels", "Sections", "quantiles"]

Labels = Mapping[str, object]

_LEFT_OUT = ("events", "first_timestamp_ns", "as_of_ns")  # the sum of others, and times that say nothing of now
_PART = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FRACTION = re.compile(r"p(\d{1,2}|100)(?:[._]?(\d+))?")
_TARGET = re.compile(r"sla_(9+)")
_DEEPEST = 8
_FIGURES = {
    "mean": "mean",
    "min": "smallest",
    "max": "largest",
    "std_dev": "standard deviation of a sample",
    "ewma": "mean that forgets the past",
    "sum": "sum",
}
_OUTCOMES = "Requests of which the outcome is known."


class Sections:
    """Puts snapshots into families.

    Args:
        families: Where to.
        prefix: Beginning of every name.
    """

    def __init__(self, families: Families, prefix: str) -> None:
        self._families = families
        self._prefix = prefix
        self._known = {
            "latency": self.latency,
            "cost": self._cost,
            "reliability": self._reliability,
            "tokens": self._tokens,
            "event_counts": self._event_counts,
            "custom": self._custom,
            "windows": self._windows,
        }

    def add(self, snapshot: Mapping[str, Any], labels: Labels) -> None:
        """Add all sections of a snapshot."""
        for name, value in snapshot.items():
            section = self._known.get(name)
            if section is not None and isinstance(value, Mapping):
                section(cast("Mapping[str, Any]", value), labels)
            elif name == "malformed" and (count := number(value)) is not None:
                self.put("malformed_events", "counter", count, labels, "Events of which something was malformed.")
            elif name == "last_timestamp_ns" and (at := number(value)) is not None:
                about = "When the latest event happened, since 1970 UTC."
                self.put("last_event_timestamp", "gauge", at / 1e9, labels, about, unit="seconds")
            elif name == "training" and isinstance(value, list | tuple):
                for each in cast("Sequence[Any]", value):
                    self._training(each, labels)
            elif name not in _LEFT_OUT:
                self._anything(words(name), value, labels)

    def latency(self, told: Mapping[str, Any], labels: Labels) -> None:
        """Add durations, given in milliseconds, as a summary in seconds."""
        name, about = "request_latency", "Time that requests took."
        for key, entry in quantiles(told):
            self.put(name, "summary", entry / 1e3, labels, about, unit="seconds", own={"quantile": key})
        count, total, mean = number(told.get("count")), number(told.get("sum")), number(told.get("mean"))
        if count is not None:
            if total is None:
                total = 0.0 if not count or mean is None else mean * count
            self.put(name, "summary", total / 1e3, labels, about, unit="seconds", suffix="_sum")
            self.put(name, "summary", count, labels, about, unit="seconds", suffix="_count")
        figures = {key: entry for key, entry in told.items() if key in ("min", "max", "std_dev", "ewma")}
        self._figures(name, figures, labels, what="Time that requests took", unit="seconds", scale=1e3)
        self._rest(name, told, labels, {"count"})

    def _cost(self, told: Mapping[str, Any], labels: Labels) -> None:
        total, count = number(told.get("total")), number(told.get("count"))
        if total is not None:
            self.put("request_cost", "counter", total, labels, "What requests cost, US dollars.", unit="usd")
        if count is not None:
            self.put("priced_requests", "counter", count, labels, "Requests of which the cost is known.")
        figures = {**told, "mean": told.get("mean_per_request")}
        figures.pop("sum", None)
        self._figures("request_cost", figures, labels, what="What a request cost, US dollars", unit="usd")
        known = {"total", "count", "mean_per_request", "cost_per_1k_requests", "cost_per_1m_requests"}
        self._rest("request_cost", told, labels, known)

    def _reliability(self, told: Mapping[str, Any], labels: Labels) -> None:
        for key, outcome in (("successful", "success"), ("failed", "failure")):
            if (count := number(told.get(key))) is not None:
                self.put("requests", "counter", count, labels, _OUTCOMES, own={"outcome": outcome})
        if (rate := number(told.get("success_rate"))) is not None:
            about = "Requests that went well, of those of which the outcome is known, from 0 to 1."
            self.put("request_success", "gauge", rate, labels, about, unit="ratio")
        known = {"total_requests", "successful", "failed", "success_rate"}
        for key, entry in told.items():
            target = _TARGET.fullmatch(words(key))
            if target is not None:
                known.add(key)
                if isinstance(entry, bool):
                    about = "Whether so large a share of the requests went well, 1 or 0."
                    self.put("sla_met", "gauge", float(entry), labels, about, own={"target": f"0.{target[1]}"})
        self._rest("request", told, labels, known)

    def _tokens(self, told: Mapping[str, Any], labels: Labels) -> None:
        known = {"total", "mean_total"}
        for key, entry in told.items():
            kind = words(key).removeprefix("total_").removeprefix("mean_")
            if (amount := number(entry)) is None or key in known:
                continue
            if key == "count":
                self.put("token_requests", "counter", amount, labels, "Requests of which the tokens are known.")
            elif key == f"mean_{kind}":
                self.put("request_tokens_mean", "gauge", amount, labels, "Tokens by request.", own={"type": kind})
            else:
                self.put("tokens", "counter", amount, labels, "Tokens of requests.", own={"type": kind})
            known.add(key)
        self._rest("tokens", told, labels, known)

    def _event_counts(self, told: Mapping[str, Any], labels: Labels) -> None:
        for name, entry in told.items():
            if (count := number(entry)) is not None:
                self.put("events", "counter", count, labels, "Events that happened.", own={"event": words(name)})

    def _training(self, told: Any, labels: Labels) -> None:
        """Add how a model's training goes; its label stands in `model`."""
        if isinstance(told, Mapping):
            figures = dict(cast("Mapping[str, Any]", told))
            model = figures.pop("model", None)
            self._anything("training", figures, labels, {} if model is None else {"model": words(model)})

    def _custom(self, told: Mapping[str, Any], labels: Labels) -> None:
        """Add the numbers that the user named; their names stand in `metric`."""
        for name, summary in told.items():
            if isinstance(summary, Mapping):
                figures, own = cast("Mapping[str, Any]", summary), {"metric": words(name)}
                self._figures("custom", figures, labels, what="What `metric` names", own=own)
                self._rest("custom", figures, labels, set(), own)

    def _windows(self, told: Mapping[str, Any], labels: Labels) -> None:
        """Add the last minutes; the window stands in `window`, such as `300s`."""
        for quantity, spans in told.items():
            stem, _, unit = words(quantity).rpartition("_")
            name, unit, scale = {
                "ms": (stem, "seconds", 1e3),
                "usd": (stem, "usd", 1.0),
            }.get(unit, (words(quantity), "", 1.0))
            if not isinstance(spans, Mapping):
                continue
            for span, summary in cast("Mapping[str, Any]", spans).items():
                if isinstance(summary, Mapping):
                    figures, own = dict(cast("Mapping[str, Any]", summary)), {"window": words(span)}
                    what = f"{name.capitalize()} of the last `window`"
                    if name != "events":  # a stream of ones
                        self._figures(f"window_{name}", figures, labels, what=what, unit=unit, scale=scale, own=own)
                    for key in ("count", "rate_per_s"):
                        self._anything(f"window_{name}_{key}", figures.get(key), labels, own)

    def _figures(
        self, name: str, told: Mapping[str, Any], labels: Labels, *, what: str, scale: float = 1.0, **more: Any
    ) -> None:
        """Add mean, extremes, deviation and quantiles as gauges."""
        for key, entry in told.items():
            if key in _FIGURES and (amount := number(entry)) is not None:
                self.put(f"{name}_{key}", "gauge", amount / scale, labels, f"{what}: {_FIGURES[key]}.", **more)
        own: Mapping[str, str] = more.pop("own", None) or {}
        for fraction, amount in quantiles(told):
            mine = {**own, "quantile": fraction}
            self.put(f"{name}_quantile", "gauge", amount / scale, labels, f"{what}: quantiles.", own=mine, **more)

    def _rest(
        self, name: str, told: Mapping[str, Any], labels: Labels, known: set[str], own: Labels | None = None
    ) -> None:
        told_already = {*known, *_FIGURES, "percentiles", "quantiles"}
        rest = {key: entry for key, entry in told.items() if key not in told_already and _fraction(key) is None}
        self._anything(name, rest, labels, own)

    def _anything(self, path: str, value: Any, labels: Labels, own: Labels | None = None, depth: int = 0) -> None:
        """Make gauges of the numbers in anything; parts of a path that are no names become the label `key`."""
        own = own or {}
        amount = float(value) if isinstance(value, bool) else number(value)
        if amount is not None:
            self.put(path, "gauge", amount, labels, f"{path.replace('_', ' ').capitalize()}.", own=own)
        elif isinstance(value, Mapping) and depth < _DEEPEST:
            for inner, entry in cast("Mapping[Any, Any]", value).items():
                part = words(inner)
                if _PART.fullmatch(part):
                    self._anything(f"{path}_{part}", entry, labels, own, depth + 1)
                else:
                    key = f"{own['key']}/{part}" if "key" in own else part
                    self._anything(path, entry, labels, {**own, "key": key}, depth + 1)

    def put(self, name: str, kind: Kind, value: float, labels: Labels, description: str, **more: Any) -> None:
        """Add a sample; see `Families.add`."""
        name = f"{name}econd" if name.endswith("_per_s") else name
        self._families.add(f"{self._prefix}_{name}", kind, value, labels, description=description, **more)


def quantiles(told: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return what `p50`, `p99_9`, or a mapping `percentiles` says, by the fraction as a word, in rising order."""
    found: dict[float, float] = {}
    for key, entry in told.items():
        amount, fraction = number(entry), _fraction(key)
        if amount is not None and fraction is not None:
            found[fraction] = amount
        elif key in ("percentiles", "quantiles") and isinstance(entry, Mapping):
            for inner, inner_entry in cast("Mapping[Any, Any]", entry).items():
                amount = number(inner_entry)
                fraction = number(inner) if _fraction(inner) is None else _fraction(inner)
                if amount is not None and fraction is not None and 0 <= fraction <= 1:
                    found[fraction] = amount
    return [(repr(fraction), found[fraction]) for fraction in sorted(found)]


def _fraction(key: Any) -> float | None:
    """Return 0.5 for `p50`, 0.999 for `p999`, `p99.9` and `p99_9`; None for anything else."""
    match = _FRACTION.fullmatch(key) if isinstance(key, str) else None
    if match is None:
        return None
    percent = float(f"{match[1]}.{match[2] or 0}")
    return round(percent / 100, 12) if percent <= 100 else None
