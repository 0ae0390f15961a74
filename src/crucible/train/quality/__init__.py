"""Quality targets: what a training is to reach, and whether it did.

A missed target does not fail a training, whose weights may still be wanted; it is in the result, in the events and in
the trace, so that nobody mistakes it for success. `crucible.data.quality` judges, evaluations as trainings;
`metrics` knows what a training reports.
"""

from crucible.data.quality import Assessment, QualityReport, assess, direction_of
from crucible.train.quality.metrics import check_metric_names, known_metrics

__all__ = ["Assessment", "QualityReport", "assess", "check_metric_names", "direction_of", "known_metrics"]
