"""Metrics of a stream, kept while it flows, in bounded memory: live figures of a recording, and what they are made of.

`LiveMetrics` takes a recording's records and shows a `LiveSnapshot` to any thread. Beneath lie `Welford` (moments),
`QuantileSketch` (quantiles with a bound on their error), `Ewma` and `TimeEwma` (averages that forget) and
`SlidingWindow` (the last minute, five minutes and hour). Pure Python; what is not finite is counted apart.
"""

from crucible.telemetry.streaming.distribution import Distribution, DistributionSummary
from crucible.telemetry.streaming.ewma import Ewma, TimeEwma
from crucible.telemetry.streaming.live import LiveMetrics
from crucible.telemetry.streaming.metrics_config import MetricsConfig
from crucible.telemetry.streaming.sketch import QuantileSketch
from crucible.telemetry.streaming.sliding import STANDARD_SPANS_S, SlidingWindow, WindowSummary
from crucible.telemetry.streaming.snapshot import LiveSnapshot, Reliability, Windows
from crucible.telemetry.streaming.tokens import TokenSummary
from crucible.telemetry.streaming.training import LossSummary, TrainingSummary
from crucible.telemetry.streaming.welford import Welford

__all__ = [
    "STANDARD_SPANS_S",
    "Distribution",
    "DistributionSummary",
    "Ewma",
    "LiveMetrics",
    "LiveSnapshot",
    "LossSummary",
    "MetricsConfig",
    "QuantileSketch",
    "Reliability",
    "SlidingWindow",
    "TimeEwma",
    "TokenSummary",
    "TrainingSummary",
    "Welford",
    "WindowSummary",
    "Windows",
]
