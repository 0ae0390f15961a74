"""What live metrics look like to those who read them: frozen, whole, and of one moment of the stream."""

from __future__ import annotations

from typing import Any

import msgspec

from crucible.telemetry.streaming.distribution import DistributionSummary
from crucible.telemetry.streaming.sliding import WindowSummary
from crucible.telemetry.streaming.tokens import TokenSummary
from crucible.telemetry.streaming.training import TrainingSummary

__all__ = ["LiveSnapshot", "Reliability", "Windows", "costs"]


class Reliability(msgspec.Struct, frozen=True):
    """How often it went well, of the events that said whether they did.

    Args:
        total_requests: Events whose `success` is true or false.
        successful: Those that went well.
        failed: Those that did not.
    """

    total_requests: int
    successful: int
    failed: int

    @property
    def success_rate(self) -> float | None:
        """Share that went well, 0 to 1; None of nothing."""
        return self.successful / self.total_requests if self.total_requests else None

    def meets(self, target: float) -> bool | None:
        """Return whether the success rate is at least a target such as 0.999; None of nothing."""
        rate = self.success_rate
        return None if rate is None else rate >= target

    def to_dict(self) -> dict[str, Any]:
        """Return counts, rate, and whether 99 %, 99.9 % and 99.99 % are met; without the last three of nothing."""
        told: dict[str, Any] = {**msgspec.structs.asdict(self), "success_rate": self.success_rate}
        if self.total_requests:
            told |= {"sla_99": self.meets(0.99), "sla_999": self.meets(0.999), "sla_9999": self.meets(0.9999)}
        return told


class Windows(msgspec.Struct, frozen=True):
    """The last minute, five minutes and hour, each field in that order.

    Args:
        events: Events, as a stream of ones.
        latency_ms: Latencies; empty where latency is switched off.
        cost_usd: Costs; empty where cost is switched off.
        tokens: Tokens of events that told any; empty where tokens are switched off.
    """

    events: tuple[WindowSummary, ...]
    latency_ms: tuple[WindowSummary, ...]
    cost_usd: tuple[WindowSummary, ...]
    tokens: tuple[WindowSummary, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the windows by quantity and span, such as `["latency_ms"]["300s"]`."""
        return {
            name: {f"{window.span_s}s": window.to_dict() for window in getattr(self, name)}
            for name in self.__struct_fields__
            if getattr(self, name)
        }


class LiveSnapshot(msgspec.Struct, frozen=True):
    """Live metrics after a certain number of records, all figures of the same moment.

    Args:
        events: Records counted; the sum of `counts_by_name`.
        malformed: Records that say of themselves that something of them was malformed, or that could not be read.
        first_timestamp_ns: Time of the earliest record, nanoseconds since 1970 UTC; None of nothing.
        last_timestamp_ns: Time of the latest record.
        as_of_ns: The time at which the windows end; None if neither a record nor a caller told one.
        counts_by_name: Names of events and how many there were, in order of first arrival.
        latency_ms: Latencies, milliseconds; None where switched off.
        latency_ewma_ms: Their mean with a half-life of a minute, ages in whole seconds; None of nothing and where
            switched off.
        cost_usd: Costs, US dollars; None where switched off.
        reliability: None where switched off.
        tokens: None where switched off.
        training: How each model's training goes; empty where none did.
        custom: The numbers that `metrics_config.custom` names.
        windows: What the last minute, five minutes and hour before `as_of_ns` held.
    """

    events: int
    malformed: int
    first_timestamp_ns: int | None
    last_timestamp_ns: int | None
    as_of_ns: int | None
    counts_by_name: tuple[tuple[str, int], ...]
    latency_ms: DistributionSummary | None
    latency_ewma_ms: float | None
    cost_usd: DistributionSummary | None
    reliability: Reliability | None
    tokens: TokenSummary | None
    training: tuple[TrainingSummary, ...]
    custom: tuple[tuple[str, DistributionSummary], ...]
    windows: Windows

    @property
    def event_counts(self) -> dict[str, int]:
        """How many events of each name there were; a dictionary of the caller's own."""
        return dict(self.counts_by_name)

    @property
    def events_per_s(self) -> float | None:
        """Events by the seconds between the first and the last; None of fewer than two times."""
        if self.first_timestamp_ns is None or self.last_timestamp_ns is None:
            return None
        seconds = (self.last_timestamp_ns - self.first_timestamp_ns) / 1e9
        return self.events / seconds if seconds else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name, of Python's plain types; what is switched off is left out."""
        told: dict[str, Any] = {
            "events": self.events,
            "malformed": self.malformed,
            "first_timestamp_ns": self.first_timestamp_ns,
            "last_timestamp_ns": self.last_timestamp_ns,
            "as_of_ns": self.as_of_ns,
            "events_per_s": self.events_per_s,
            "event_counts": self.event_counts,
        }
        if self.latency_ms is not None:
            told["latency"] = {**self.latency_ms.to_dict(), "ewma": self.latency_ewma_ms}
            if not self.latency_ms.count:
                del told["latency"]["ewma"]
        if self.cost_usd is not None:
            told["cost"] = costs(self.cost_usd)
        if self.reliability is not None:
            told["reliability"] = self.reliability.to_dict()
        if self.tokens is not None:
            told["tokens"] = self.tokens.to_dict()
        told["training"] = [training.to_dict() for training in self.training]
        told["custom"] = {name: summary.to_dict() for name, summary in self.custom}
        told["windows"] = self.windows.to_dict()
        return told


def costs(summary: DistributionSummary) -> dict[str, Any]:
    """Return costs in US dollars by the names under which they are reported; of nothing, `count` 0 and `total` 0."""
    if not summary.count or summary.mean is None:
        return {**summary.to_dict(), "total": 0.0}
    told = summary.to_dict()
    return {
        "count": told.pop("count"),
        "total": told.pop("sum"),
        "mean_per_request": told.pop("mean"),
        "cost_per_1k_requests": summary.mean * 1e3,
        "cost_per_1m_requests": summary.mean * 1e6,
        **told,
    }
