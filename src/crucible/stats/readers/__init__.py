"""Results of other tools as conditions to compare: Inspect AI, lm-evaluation-harness, plain tables, Crucible's own.

A format is told by content. What a file cannot say is asked for in one sentence; nothing in a file is executed, and a
zip file is never unpacked to disk. Needs no numerical package.
"""

from crucible.stats.readers.asked import FORMATS, Asked
from crucible.stats.readers.detection import detect_format
from crucible.stats.readers.measured import ReadFile
from crucible.stats.readers.reading import check_used, labelled, read_file

__all__ = ["FORMATS", "Asked", "ReadFile", "check_used", "detect_format", "labelled", "read_file"]
