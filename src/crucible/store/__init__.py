"""Where things are kept: SQLite in a folder, or PostgreSQL; all tables, the one migration chain, the repositories.

Nothing here decides what a run, a metric or a trace means; rooms above go through the repositories. Whatever fails is a
`StoreError` that names the file and what to do.
"""

from crucible.store.codec import decode, encode, storable
from crucible.store.happened import ABSENT, EventRow, Happened, PointRow, TraceRow, event_row
from crucible.store.heartbeat import Heartbeat
from crucible.store.lineage import ArtifactInput, StoredArtifact
from crucible.store.opening import Store, open_store, shown_location
from crucible.store.owner import Owner
from crucible.store.query import MetricFilter, RunQuery, metric_at
from crucible.store.records import RunComparison, StoredChain, StoredEvent, StoredReport, StoredRun
from crucible.store.removal import Collected, CollectedRun
from crucible.store.reports import ReportRepository
from crucible.store.runs import RunRepository
from crucible.store.segment import Points
from crucible.store.telemetry import TelemetryRepository
from crucible.store.telemetry_aggregate import Aggregate
from crucible.store.telemetry_experiments import ExperimentInfo, ExperimentRepository, ExperimentStatus
from crucible.store.telemetry_query import EventFigures, EventQuery
from crucible.store.telemetry_series import SeriesSummary
from crucible.store.timeline import TimelineEntry
from crucible.store.traces import TraceRepository
from crucible.store.workspaces import require_run_id

__all__ = [
    "ABSENT",
    "Aggregate",
    "ArtifactInput",
    "Collected",
    "CollectedRun",
    "EventFigures",
    "EventQuery",
    "EventRow",
    "ExperimentInfo",
    "ExperimentRepository",
    "ExperimentStatus",
    "Happened",
    "Heartbeat",
    "MetricFilter",
    "Owner",
    "PointRow",
    "Points",
    "ReportRepository",
    "RunComparison",
    "RunQuery",
    "RunRepository",
    "SeriesSummary",
    "Store",
    "StoredArtifact",
    "StoredChain",
    "StoredEvent",
    "StoredReport",
    "StoredRun",
    "TelemetryRepository",
    "TimelineEntry",
    "TraceRepository",
    "TraceRow",
    "decode",
    "encode",
    "event_row",
    "metric_at",
    "open_store",
    "require_run_id",
    "shown_location",
    "storable",
]
