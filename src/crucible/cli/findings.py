"""What a run found, for people: scores and comparisons, as far as its metrics have the shape that is known here.

A stage of somebody else may put anything under these names: what has another shape is not printed, and breaks nothing.
`crucible runs show --json` has all metrics as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar, cast

import msgspec
from rich.console import Console
from rich.text import Text

from crucible.cli.tables import number, table
from crucible.stats import show_p

__all__ = ["print_findings"]

_PREFIX = "evaluate."
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
T = TypeVar("T")


class _Interval(msgspec.Struct):
    low: float
    high: float
    level: _Share

    def show(self, digits: int) -> str:
        return f"[{self.low:.{digits}f}, {self.high:.{digits}f}]"


class _Score(msgspec.Struct):
    mean: float | None
    attempted: int
    scored: int
    failed: int
    skipped: int
    interval: _Interval | None = None


class _Effect(msgspec.Struct):
    name: str
    value: float | None

    def show(self) -> str:
        letter = self.name.removeprefix("cohens_").removeprefix("hedges_")
        return f"{letter} {number(self.value, 2)}"


class _Contrast(msgspec.Struct):
    contrast: str
    wording: str
    verdict: str | None = None
    n: int | None = None
    difference: float | None = None
    interval: _Interval | None = None
    effect: _Effect | None = None
    p: _Share | None = None
    p_adjusted: _Share | None = None


class _Omnibus(msgspec.Struct):
    wording: str


class _Bench(msgspec.Struct):
    alpha: _Share
    correction: str
    metrics: list[str]
    contrasts: list[Any]
    no_data: str | None = None
    not_tested: str | None = None
    omnibus: list[Any] | None = None


class _Data(msgspec.Struct):
    synthetic: bool = False


def print_findings(console: Console, metrics: Mapping[str, Any]) -> None:
    """Print accuracies and comparisons of a run, if it made any.

    Args:
        console: Where to.
        metrics: What the stages measured; what has not the known shape is passed over.
    """
    scores = list(_scores(metrics))
    data = _shaped(metrics.get("data"), _Data)
    if data is not None and data.synthetic:
        console.print(
            Text("\nSYNTHETIC DATA: made by a generator; the scores say nothing about real data", style="yellow")
        )
    if scores:
        level = _level(score.interval for _, _, score in scores)
        columns = ("model", "score", "mean", level, "tried", "scored", "failed", "skip")
        console.print(table("What was measured", columns, [_score_row(*each) for each in scores]))
    bench = _shaped(metrics.get("bench"), _Bench)
    if bench is not None:
        _print_contrasts(console, bench)


def _shaped(value: Any, kind: type[T]) -> T | None:
    """Return a value as what it is known to be; None if it is something else."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _all_shaped(values: Iterable[Any], kind: type[T]) -> list[T]:
    return [found for value in values if (found := _shaped(value, kind)) is not None]


def _scores(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, _Score]]:
    for label, scorers in metrics.items():
        if label.startswith(_PREFIX) and isinstance(scorers, Mapping):
            for scorer, summary in cast("Mapping[Any, Any]", scorers).items():
                if (found := _shaped(summary, _Score)) is not None:
                    yield label.removeprefix(_PREFIX), str(scorer), found


def _score_row(label: str, scorer: str, score: _Score) -> Sequence[Any]:
    interval = score.interval.show(2) if score.interval else "–"
    return label, scorer, number(score.mean), interval, score.attempted, score.scored, score.failed, score.skipped


def _level(intervals: Iterable[_Interval | None]) -> str:
    """Return the level of intervals, such as `95 % interval`."""
    found = next((interval for interval in intervals if interval is not None), None)
    return f"{found.level * 100:g} % interval" if found else "interval"


def _print_contrasts(console: Console, bench: _Bench) -> None:
    contrasts = _all_shaped(bench.contrasts, _Contrast)
    if rows := [_contrast(entry, bench.alpha) for entry in contrasts if entry.verdict is not None]:
        corrected = "p adjusted" if bench.correction == "none" else f"p {bench.correction}"
        columns = ("contrast", "n", "change", _level(each.interval for each in contrasts), "effect", "p", corrected)
        console.print(table(f"Is it real? {', '.join(bench.metrics)}: treatment minus baseline", columns, rows))
    console.print()
    for reason in dict.fromkeys((bench.no_data, bench.not_tested)):
        if reason:
            console.print(Text("○ ", style="yellow") + Text(reason))
    for omnibus in _all_shaped(bench.omnibus or (), _Omnibus):
        console.print(Text("· ", style="dim") + Text(omnibus.wording))
    for entry in contrasts:
        mark, style = ("●", "green") if entry.verdict == "difference" else ("○", "yellow")
        console.print(Text(f"{mark} ", style=style) + Text(entry.wording))


def _contrast(entry: _Contrast, alpha: float) -> Sequence[Any]:
    return (
        entry.contrast,
        number(entry.n),
        number(entry.difference),
        entry.interval.show(3) if entry.interval else "–",
        entry.effect.show() if entry.effect else "–",
        _p_value(entry.p, alpha),
        _p_value(entry.p_adjusted, alpha),
    )


def _p_value(value: float | None, alpha: float) -> str:
    """Return a p-value that never reads as zero, nor as on the other side of `alpha`."""
    return "–" if value is None else show_p(value, alpha).removeprefix("p").removeprefix(" = ").strip()
