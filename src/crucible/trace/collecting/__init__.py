"""A chain out of what is emitted on the bus: `Collector` for a run, `collect` for a block of code.

What the events are told as is in `narration`.
"""

from crucible.trace.collecting.collector import Collector
from crucible.trace.collecting.context import collect

__all__ = ["Collector", "collect"]
