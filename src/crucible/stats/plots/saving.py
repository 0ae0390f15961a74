"""Figures as files: whole or absent, and the same bytes for the same picture."""

# matplotlib leaves the keywords of its methods without types:
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from crucible.errors import StatsError
from crucible.ir import atomic_write
from crucible.stats.plots.canvas import steady

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save"]

# What would differ from run to run, such as the time, or from version to version is left out.
_METADATA = {
    ".svg": {"Date": None, "Creator": None},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def save(figure: Figure, path: Path | str) -> Path:
    """Write a figure as SVG, PNG or PDF, by the end of its name.

    Args:
        figure: What one of the functions of this room returned, or any other.
        path: Where; missing folders are made, a file that is there is replaced in one step.

    Returns:
        The path.

    Raises:
        StatsError: The name ends otherwise.
        StoreError: The file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _METADATA:
        raise StatsError(f'a figure is saved as .svg, .png or .pdf, got "{path.name}"')
    content = io.BytesIO()
    with steady("save"):
        figure.savefig(content, format=kind[1:], metadata=_METADATA[kind], facecolor="white")
    return atomic_write(path, content.getvalue())
