"""Bridges to other tools: OpenTelemetry's spans and metrics, and the text that Prometheus reads.

Optional, and one way: Crucible's own records are the truth, and what is handed on is named for the other tool on its
way out. OpenTelemetry needs the extra `otel`; Prometheus text needs nothing.
"""

from crucible.telemetry.bridges.otel import OpenTelemetryBridge
from crucible.telemetry.bridges.privacy import PRIVATE
from crucible.telemetry.bridges.prometheus import MEDIA_TYPES, Exposition, to_prometheus
from crucible.telemetry.bridges.replay import export_metrics, export_spans
from crucible.telemetry.bridges.semconv import CONVENTIONS, Convention, convention
from crucible.telemetry.bridges.writing import BridgeReport

__all__ = [
    "CONVENTIONS",
    "MEDIA_TYPES",
    "PRIVATE",
    "BridgeReport",
    "Convention",
    "Exposition",
    "OpenTelemetryBridge",
    "convention",
    "export_metrics",
    "export_spans",
    "to_prometheus",
]
