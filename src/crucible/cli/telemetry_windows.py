"""Stretches of a recording in a terminal: a row each, and one row for several in which nothing happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from crucible.cli.telemetry_tables import Column, print_table
from crucible.cli.telemetry_words import percent, shown, took, when

if TYPE_CHECKING:
    from crucible.telemetry import Window

__all__ = ["print_windows", "window_data"]

_MOST = 2_000  # rows; of more, the first ones
_BAR = 16
_SECOND_NS = 1_000_000_000
_FEW = 2  # empty stretches one after the other that each have their row
_COLUMNS = (
    Column("from"),
    Column("events", is_number=True),
    Column("", folds=_BAR),
    Column("a second", is_number=True, gives_way=2),
    Column("mean ms", is_number=True),
    Column("p50", is_number=True),
    Column("p95", is_number=True),
    Column("p99", is_number=True, gives_way=1),
    Column("went well", is_number=True),
    Column("cost", is_number=True, gives_way=4),
)


def print_windows(console: Console, windows: Sequence[Window]) -> None:
    """Print the stretches of a recording; gaps are rows too."""
    if not windows:
        console.print(Text("\nno events, so no windows"))
        return
    most = max(window.count for window in windows)
    is_short = windows[0].end_ns - windows[0].start_ns < _SECOND_NS
    rows = list(_rows(windows, most, "%m-%d %H:%M:%S.%f" if is_short else "%m-%d %H:%M:%S"))
    length = took(windows[0].end_ns - windows[0].start_ns)
    print_table(console, f"Windows of {length}, from each moment until before the next", _COLUMNS, rows[:_MOST])
    if len(rows) > _MOST:
        console.print(Text(f"and {len(rows) - _MOST:,} more rows; take longer windows, or --json", style="dim"))


def _rows(windows: Sequence[Window], most: int, form: str) -> Iterator[tuple[str, ...]]:
    for is_empty, group in groupby(windows, key=lambda window: not window.count):
        found = list(group)
        if is_empty and len(found) > _FEW:
            nothing = f"({len(found):,} empty)"
            yield (_from(found[0], form), "0", nothing, *[""] * 7)
            continue
        yield from (_row(window, most, form) for window in found)


def _row(window: Window, most: int, form: str) -> tuple[str, ...]:
    rate = window.success_rate
    return (
        _from(window, form),
        shown(window.count),
        "█" * max(1, round(_BAR * window.count / most)) if window.count else "(empty)",
        shown(window.rate_per_s),
        shown(window.mean_latency_ms),
        *(shown(window.latency_ms.get(fraction)) for fraction in (0.5, 0.95, 0.99)),
        "–" if rate is None else percent(rate),
        "–" if window.cost_usd is None else f"${shown(window.cost_usd)}",
    )


def _from(window: Window, form: str) -> str:
    moment = when(window.start_ns, form)
    return moment[:-3] if form.endswith("%f") else moment


def window_data(window: Window) -> dict[str, Any]:
    """Return a stretch as data."""
    return {
        "start_ns": window.start_ns,
        "end_ns": window.end_ns,
        "count": window.count,
        "rate_per_s": window.rate_per_s,
        "latencies": window.latencies,
        "mean_latency_ms": window.mean_latency_ms,
        "latency_ms": {f"p{100 * fraction:g}": value for fraction, value in window.latency_ms.items()},
        "cost_usd": window.cost_usd,
        "successes": window.successes,
        "failures": window.failures,
        "success_rate": window.success_rate,
    }
