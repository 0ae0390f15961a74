"""Results for people and programs: Markdown, LaTeX, HTML and JSON of everything that the statistics return.

Every format draws the same sentences, tables and notes, and every text in them is escaped. Takes a `TestResult`, a
`GroupComparison`, any other result with `to_dict` and `wording`, what its `to_dict` returned, or a list of these:
several comparisons come in one table, corrected for each other unless they already were.
"""

from crucible.stats.rendering.arrange import Told
from crucible.stats.rendering.formats import to_html, to_json, to_latex, to_markdown
from crucible.stats.rendering.notebook import shown_in_notebooks
from crucible.stats.rendering.telling import Tellable

__all__ = ["Tellable", "Told", "shown_in_notebooks", "to_html", "to_json", "to_latex", "to_markdown"]
