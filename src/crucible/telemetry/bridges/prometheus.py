"""Live metrics and aggregates as the text that Prometheus reads.

There is no server here: write the text to a file for the node exporter's textfile collector, or answer a request with
it. Several snapshots go on one page when their labels differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crucible.errors import ContractError
from crucible.store import Aggregate
from crucible.telemetry.bridges.attributes import number, words
from crucible.telemetry.bridges.exposition import MEDIA_TYPES, Families, TextFormat
from crucible.telemetry.bridges.snapshot import Sections, quantiles

__all__ = ["MEDIA_TYPES", "Exposition", "to_prometheus"]


def to_prometheus(
    snapshot: Mapping[str, Any],
    labels: Mapping[str, object] | None = None,
    *,
    format: TextFormat = "prometheus",  # noqa: A002  # the word that everybody uses
) -> str:
    """Return a snapshot of live metrics as text for Prometheus.

    Args:
        snapshot: What `LiveSnapshot.to_dict()` gives: latency (milliseconds), cost, reliability, tokens, event_counts;
            whatever else holds numbers becomes gauges.
        labels: Labels of every sample, such as the experiment's name.
        format: `prometheus` is text format 0.0.4, `openmetrics` is OpenMetrics 1.0.0.
    """
    page = Exposition()
    page.add(snapshot, labels)
    return page.text(format)


class Exposition:
    """A page of several snapshots or aggregates.

    Args:
        prefix: Beginning of every name.
    """

    def __init__(self, prefix: str = "crucible") -> None:
        self._families = Families()
        self._sections = Sections(self._families, prefix)

    def add(self, snapshot: Mapping[str, Any], labels: Mapping[str, object] | None = None) -> None:
        """Add a snapshot of live metrics.

        Args:
            snapshot: As `to_prometheus` takes it.
            labels: What tells it from the other snapshots of the page.
        """
        self._sections.add(snapshot, labels or {})

    def add_aggregates(
        self,
        aggregates: Iterable[Aggregate],
        labels: Mapping[str, object] | None = None,
        *,
        value: str = "latency_ms",
        by: Sequence[str] = ("name",),
    ) -> None:
        """Add what `store.telemetry.aggregate` gives.

        Args:
            aggregates: Without `bucket_ns`: a page has one value at a time.
            labels: What tells them from others of the page.
            value: What was aggregated.
            by: What was grouped by; the label of `field:model` is `model`.

        Raises:
            ContractError: They are of stretches of time.
        """
        for each in aggregates:
            if each.bucket_start_ns is not None:
                raise ContractError(
                    "aggregates by stretches of time cannot stand on one page of Prometheus, which has no past; "
                    "ask for them without bucket_ns"
                )
            names = (name.rpartition(":")[2] for name in by)
            mine = {name: entry for name, entry in zip(names, each.group, strict=True) if entry is not None}
            self._aggregate(each, dict(labels or {}) | mine, value)

    def text(self, format: TextFormat = "prometheus") -> str:  # noqa: A002  # the word that everybody uses
        """Return the page, ending in a newline.

        Args:
            format: `prometheus` is text format 0.0.4, `openmetrics` is OpenMetrics 1.0.0; see `MEDIA_TYPES`.
        """
        return self._families.text(format)

    def _aggregate(self, each: Aggregate, labels: Mapping[str, object], value: str) -> None:
        put = self._sections.put
        put("events", "counter", float(each.count), labels, "Events that happened.")
        about = "Requests of which the outcome is known."
        for count, outcome in ((each.successes, "success"), (each.failures, "failure")):
            put("requests", "counter", float(count), labels, about, own={"outcome": outcome})
        if each.cost_usd is not None:
            about = "What requests cost, US dollars."
            put("request_cost", "counter", each.cost_usd, labels, about, unit="usd")
        told: dict[str, Any] = {"min": each.min, "max": each.max, "percentiles": each.percentiles}
        if value == "latency_ms":
            self._sections.latency({**told, "count": each.n, "sum": each.sum or 0.0}, labels)
            return
        name = words(value).rpartition(":")[2]
        for key in ("mean", "std", "min", "max"):
            entry = number(getattr(each, key))
            if entry is not None:
                put(f"{name}_{key}", "gauge", entry, labels, f"{name}: {key}.")
        for key, entry in quantiles(told):
            put(f"{name}_quantile", "gauge", entry, labels, f"{name}: quantiles.", own={"quantile": key})
