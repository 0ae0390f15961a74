"""What is out of the ordinary: detectors for sequences and streams, a monitor for live ones, reports of finished ones.

Plain data in, `Anomaly` out. Pure Python: it runs where the recorder runs. Defaults are the robust methods `modified_z`
and `iqr`, which outliers cannot hide from behind one another; nothing is ever flagged in a constant.
"""

from crucible.telemetry.anomalies.anomaly import NON_FINITE, Anomaly, At, Direction, Severity
from crucible.telemetry.anomalies.config import AnomalyConfig, MethodName, MethodOptions, MethodThresholds, MethodWord
from crucible.telemetry.anomalies.cusum import Cusum
from crucible.telemetry.anomalies.ewma import Ewma
from crucible.telemetry.anomalies.iqr import Iqr
from crucible.telemetry.anomalies.method import Detector, Finding, Method, Scorer
from crucible.telemetry.anomalies.methods import METHOD_ALIASES, METHODS, canonical_method, detect, method
from crucible.telemetry.anomalies.modified_z import ModifiedZ
from crucible.telemetry.anomalies.monitor import DETECTED, AnomalyMonitor
from crucible.telemetry.anomalies.readings import Point
from crucible.telemetry.anomalies.report import AnomalyPeriod, AnomalyReport
from crucible.telemetry.anomalies.sample_more import SampleMore
from crucible.telemetry.anomalies.search import find_anomalies
from crucible.telemetry.anomalies.seasonal_naive import SeasonalNaive
from crucible.telemetry.anomalies.z_score import ZScore

__all__ = [
    "DETECTED",
    "METHODS",
    "METHOD_ALIASES",
    "NON_FINITE",
    "Anomaly",
    "AnomalyConfig",
    "AnomalyMonitor",
    "AnomalyPeriod",
    "AnomalyReport",
    "At",
    "Cusum",
    "Detector",
    "Direction",
    "Ewma",
    "Finding",
    "Iqr",
    "Method",
    "MethodName",
    "MethodOptions",
    "MethodThresholds",
    "MethodWord",
    "ModifiedZ",
    "Point",
    "SampleMore",
    "Scorer",
    "SeasonalNaive",
    "Severity",
    "ZScore",
    "canonical_method",
    "detect",
    "find_anomalies",
    "method",
]
