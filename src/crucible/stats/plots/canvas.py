"""The sheet that everything is drawn on: fonts, colours, and a border against the settings of the user.

matplotlib reads its settings when something is drawn. `steady` puts ours in their place for the time of one drawing, in
one thread at a time, and puts the user's back.
"""

# matplotlib leaves the keywords of its methods without types:
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

from crucible.errors import require
from crucible.stats.rendering.markup import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BASELINE",
    "FALL",
    "INK",
    "QUIET",
    "RISE",
    "TREATMENT",
    "drawable",
    "new_figure",
    "shortened",
    "steady",
    "titled",
]

# Okabe & Ito's palette, which all kinds of colour vision tell apart; in grey print they differ in lightness too.
TREATMENT = RISE = "#0072B2"
BASELINE = FALL = "#D55E00"
INK = "#1f1f1f"
QUIET = "#767676"

_FONT = "DejaVu Sans"  # comes with matplotlib, so that a picture looks alike on every machine
_SETTINGS: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "figure.dpi": 100,
    "font.family": _FONT,
    "font.size": 10,
    "grid.color": "#e3e3e3",
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 150,
    "svg.fonttype": "path",
    "svg.hashsalt": "crucible",
    "text.color": INK,
    "text.parse_math": False,  # a label such as `$x` is a label
    "xtick.color": INK,
    "ytick.color": INK,
}
_NOT_OF_LOOKS = (
    "animation.", "backend", "date.epoch", "docstring.", "figure.max_open", "figure.raise", "interactive", "keymap.",
    "savefig.directory", "timezone", "tk.", "toolbar", "webagg.",
)  # fmt: skip
_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def steady(feature: str) -> Generator[None]:
    """Draw with settings that are the same everywhere.

    Args:
        feature: What is drawn, for the message where matplotlib is not installed.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    require("matplotlib.figure", extra="plots", feature=f"crucible.stats.plots.{feature}")
    import matplotlib as mpl

    with _one_at_a_time, mpl.rc_context(cast("Any", {**_defaults(), **_SETTINGS})):
        yield


@functools.cache
def _defaults() -> dict[str, Any]:
    """Return matplotlib's own settings of how things look; how windows are shown is left alone."""
    import matplotlib as mpl

    return {name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith(_NOT_OF_LOOKS)}


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure with a canvas of its own, unknown to pyplot; sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def titled(axes: Axes, title: str, below: str = "") -> None:
    """Put a title over a plot, and smaller words under it."""
    axes.set_title(f"{drawable(title)}\n" if below else drawable(title), fontsize=12, fontweight="bold", pad=8)
    if below:
        axes.annotate(
            below, (0, 1), (0, 10), xycoords="axes fraction", textcoords="offset points", fontsize=9.5, color=INK
        )


def shortened(text: str, longest: int) -> str:
    """Return a text without its middle where it is too long, since names of models differ at their ends."""
    if len(text) <= longest:
        return text
    kept = longest - 1
    return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"


def drawable(text: str, longest: int = 90) -> str:
    """Return a text on one line in which what the font has no sign for stands as its code, so that nothing vanishes."""
    known = _known()
    line = visible(text).replace("\n", " ⏎ ").replace("\t", " ")
    return shortened("".join(one if ord(one) in known else f"[U+{ord(one):04X}]" for one in line), longest)


@functools.cache
def _known() -> frozenset[int]:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(font_manager.findfont(_FONT)).get_charmap())
