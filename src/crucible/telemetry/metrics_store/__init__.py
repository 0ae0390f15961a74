"""Metrics by run, name and step, kept as lines of JSON that scripts of others can read.

For a run's own telemetry the recorder and the store are better in every way; this is for one file that anybody opens.
"""

from crucible.telemetry.importers.metric_entry import MetricEntry
from crucible.telemetry.metrics_store.jsonl import JsonlMetricsStore
from crucible.telemetry.metrics_store.protocol import MetricsStore

__all__ = ["JsonlMetricsStore", "MetricEntry", "MetricsStore"]
