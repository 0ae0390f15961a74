"""Series in a terminal: found by the part of their name that people know, as a table, or drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from crucible.cli.telemetry_plot import plot
from crucible.cli.telemetry_tables import Column, print_table
from crucible.cli.telemetry_words import shown, when, word
from crucible.errors import SpecError
from crucible.ir import did_you_mean
from crucible.store import Points, SeriesSummary

__all__ = ["broken", "draw_series", "is_meant", "matching", "points_data", "print_series"]

_WIDEST = 110
_LONG = 36  # characters of a name that stays in one line
_COLUMNS = (
    Column("series", folds=26),
    Column("n", is_number=True),
    Column("last", is_number=True),
    Column("min @ step", is_number=True),
    Column("max @ step", is_number=True),
    Column("mean", is_number=True, gives_way=1),
    Column("std", is_number=True, gives_way=2),
    Column("steps", is_number=True, gives_way=3),
    Column("nan, inf", is_number=True, gives_way=4),
)


def is_meant(series: str, asked: str) -> bool:
    """Return whether a person means a series: by its name, without its model, or by its measurement alone."""
    return any(
        part == asked or part.startswith(f"{asked}[model=") for part in (series, series.partition(":")[2]) if part
    )


def matching(asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the series that are meant, each once.

    Raises:
        SpecError: One of those asked for means none; near names are told.
    """
    found: dict[str, None] = {}
    for name in asked:
        meant = [series for series in known if is_meant(series, name)]
        if not meant:
            there = "; it has " + ", ".join(word(each, 60) for each in known[:3]) if known else "; it has no series"
            near = did_you_mean(name, [*known, *(each.partition(":")[2].partition("[")[0] for each in known)])
            raise SpecError(f'the recording has no series "{name}"{near or there}')
        found |= dict.fromkeys(meant)
    return list(found)


def print_series(console: Console, summaries: Iterable[SeriesSummary]) -> None:
    """Print a row a series."""
    rows = [
        (
            broken(word(each.name, 120)),
            shown(each.count),
            shown(each.last),
            _at(each.min, each.min_step),
            _at(each.max, each.max_step),
            shown(each.mean),
            shown(each.std),
            f"{each.first_step:,} … {each.last_step:,}",
            shown(each.non_finite),
        )
        for each in summaries
    ]
    if rows:
        print_table(console, "Series", _COLUMNS, rows)


def broken(name: str) -> str:
    """Return a long name in two lines, the event and its measurement."""
    event, colon, rest = name.partition(":")
    return f"{event}{colon}\n{rest}" if rest and len(name) > _LONG else name


def _at(value: float | None, step: int | None) -> str:
    return "–" if value is None or step is None else f"{shown(value)} @ {step:,}"


def draw_series(console: Console, summary: SeriesSummary, points: Points) -> None:
    """Print a picture of a series and what it comes to."""
    console.print(Text(f"\n{word(summary.name, 200)}", style="bold"))
    for line in plot(points.steps, points.values, min(console.width, _WIDEST)):
        console.print(Text(line), soft_wrap=True)
    counted = "1 point" if summary.count == 1 else f"{summary.count:,} points"
    parts = [
        counted,
        f"last {shown(summary.last)}",
        f"min {_at(summary.min, summary.min_step)}",
        f"max {_at(summary.max, summary.max_step)}",
        f"mean {shown(summary.mean)}",
        f"std {shown(summary.std)}",
        *([f"{summary.non_finite:,} NaN or infinite"] if summary.non_finite else []),
    ]
    console.print(Text(" · ".join(parts)))
    known = [at for at in points.timestamps_ns if at]
    if known:
        console.print(Text(f"from {when(min(known))} to {when(max(known))}", style="dim"))


def points_data(summary: SeriesSummary, points: Points) -> dict[str, Any]:
    """Return a series as data: what it comes to, and its points."""
    return {
        **msgspec.structs.asdict(summary),
        "steps": list(points.steps),
        "values": list(points.values),
        "timestamps_ns": list(points.timestamps_ns),
    }
