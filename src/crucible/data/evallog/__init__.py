"""Evaluations as logs of Inspect AI, which its own tools read: `.eval` (a zip file) or `.json`.

What Crucible does not know stands nowhere in a log: no times, no token counts and no transcript are made up. A
measurement that failed is a sample error or a missing score, never a zero.
"""

from crucible.data.evallog.header import LOG_VERSION, LogFacts
from crucible.data.evallog.writing import write_eval_log

__all__ = ["LOG_VERSION", "LogFacts", "write_eval_log"]
