"""Results as Markdown, HTML, JSON, LaTeX and CSV: what was compared, whether it is real, how big it is, how sure.

Shows numbers that others computed and tests nothing itself. `build_results` gathers plain data, `render` draws it, and
the stage `report` hands it to files, standard output, object stores or a database.
"""

from crucible.report.collection import build_results
from crucible.report.rendering import FORMATS, render

__all__ = ["FORMATS", "build_results", "render"]
