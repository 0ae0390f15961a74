"""What happened: the events of a run or of an experiment and their series, recorded while it goes on, and asked.

A run is recorded by itself: whoever emits need not know. `Experiment` is a recording of its own, in three lines of any
loop; `Recorded` reads either. Nothing here says whether a difference is real (`stats`) or why it came about (`trace`).
"""

from crucible.store import Aggregate, EventQuery, ExperimentInfo, Points, SeriesSummary
from crucible.store import StoredEvent as Record
from crucible.telemetry.alerts import Alert, AlertRule, AlertRules
from crucible.telemetry.anomalies import Anomaly, AnomalyConfig, AnomalyReport
from crucible.telemetry.comparison import Comparison, MetricComparison, compare
from crucible.telemetry.experiment import Experiment
from crucible.telemetry.exports import Anonymizer, Exported
from crucible.telemetry.prices import PriceTable
from crucible.telemetry.recorded import Recorded
from crucible.telemetry.recorder import Recorder
from crucible.telemetry.recorder_options import RecorderOptions
from crucible.telemetry.retention import Retained, Retention, retain
from crucible.telemetry.series import series_name
from crucible.telemetry.streaming import LiveSnapshot, MetricsConfig
from crucible.telemetry.summary import MetricsSummary
from crucible.telemetry.taking_in import Imported, import_runs, restore
from crucible.telemetry.windows import Window

__all__ = [
    "Aggregate",
    "Alert",
    "AlertRule",
    "AlertRules",
    "Anomaly",
    "AnomalyConfig",
    "AnomalyReport",
    "Anonymizer",
    "Comparison",
    "EventQuery",
    "Experiment",
    "ExperimentInfo",
    "Exported",
    "Imported",
    "LiveSnapshot",
    "MetricComparison",
    "MetricsConfig",
    "MetricsSummary",
    "Points",
    "PriceTable",
    "Record",
    "Recorded",
    "Recorder",
    "RecorderOptions",
    "Retained",
    "Retention",
    "SeriesSummary",
    "Window",
    "compare",
    "import_runs",
    "restore",
    "retain",
    "series_name",
]
