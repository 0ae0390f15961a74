"""The engine of an evaluation: asking in bounded concurrency, recording each measurement, going on after a crash.

What is asked and how it is scored is decided above, in `crucible.data.evaluation`; nothing here knows of stages.
"""

from crucible.data.evaluating.items import RecordedItems, read_record
from crucible.data.evaluating.limits import Limits
from crucible.data.evaluating.options import EvalOptions
from crucible.data.evaluating.result import EvalResult, EvalStatus, ItemResult

__all__ = ["EvalOptions", "EvalResult", "EvalStatus", "ItemResult", "Limits", "RecordedItems", "read_record"]
