"""A chain as one HTML file to explore: filters, timeline, graph and loss curves, with nothing fetched from anywhere.

`page` puts the file together from `page.html`, `viewer.css`, the parts of `scripts` and what `encoding` makes of the
chain. The page builds what it shows with `textContent` alone, under a policy that lets nothing but these parts run.
"""

from crucible.trace.viewer.delivery import open_in_browser, save_html
from crucible.trace.viewer.options import ViewerOptions
from crucible.trace.viewer.page import to_html

__all__ = ["ViewerOptions", "open_in_browser", "save_html", "to_html"]
