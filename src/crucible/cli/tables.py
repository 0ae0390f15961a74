"""Tables for people: what a run found, the list of runs, one run, a difference, the stages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crucible.pipeline import RunResult

__all__ = ["interval", "number", "p_value", "print_findings", "print_places", "relative", "table"]


def number(value: Any, digits: int = 3) -> str:
    """Return a number for a table cell; words stay words and None is a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return str(value)


def p_value(value: float | None) -> str:
    """Return a p-value that never reads as zero."""
    if value is None:
        return "–"
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a plain table; cells are text, never markup."""
    heading = f"\n{title}" if title else None
    made = Table(title=heading, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(str(cell)) for cell in row))
    return made


def interval(data: Mapping[str, Any] | None, digits: int = 2) -> str:
    """Return an interval such as `[0.61, 0.73]`."""
    return f"[{data['low']:.{digits}f}, {data['high']:.{digits}f}]" if data else "–"


def print_findings(console: Console, metrics: Mapping[str, Any]) -> None:
    """Print accuracies and comparisons of a run, if it made any."""
    rows: list[Sequence[Any]] = []
    for label, scorers in metrics.items():
        if label.startswith("evaluate."):
            rows.extend(_scores(label.removeprefix("evaluate."), scorers))
    if rows and metrics.get("data", {}).get("synthetic"):
        console.print(
            Text("\nSYNTHETIC DATA: made by a generator; the scores say nothing about real data", style="yellow")
        )
    if rows:
        columns = ("model", "score", "mean", "interval", "tried", "scored", "failed", "skip")
        console.print(table("What was measured", columns, rows))
    bench = metrics.get("bench")
    if bench:
        _print_contrasts(console, bench)


def _scores(label: str, scorers: Mapping[str, Mapping[str, Any]]) -> Iterable[Sequence[Any]]:
    for scorer, summary in scorers.items():
        if "mean" in summary:
            counts = (summary[key] for key in ("attempted", "scored", "failed", "skipped"))
            yield label, scorer, number(summary["mean"]), interval(summary["interval"]), *counts


def _print_contrasts(console: Console, bench: Mapping[str, Any]) -> None:
    rows = [
        (
            entry["contrast"],
            entry["n"],
            number(entry["difference"]),
            interval(entry["interval"], 3),
            _effect(entry["effect"]),
            p_value(entry["p"]),
            p_value(entry["p_adjusted"]),
        )
        for entry in bench["contrasts"]
    ]
    corrected = "p adjusted" if bench["correction"] == "none" else f"p {bench['correction']}"
    columns = ("contrast", "pairs", "change", "interval", "effect", "p", corrected)
    console.print(table(f"Is it real? {bench['metric']}, treatment minus baseline", columns, rows))
    console.print()
    for entry in bench["contrasts"]:
        mark, style = ("●", "green") if entry["verdict"] == "difference" else ("○", "yellow")
        console.print(Text(f"{mark} ", style=style) + Text(entry["wording"]))


def _effect(data: Mapping[str, Any] | None) -> str:
    if not data:
        return "–"
    letter = str(data["name"]).removeprefix("cohens_").removeprefix("hedges_")
    return f"{letter} {number(data['value'], 2)}"


def print_places(console: Console, result: RunResult, store: str) -> None:
    """Print where report, trace and store lie, relative to the working directory."""
    workspace = result.context.workspace
    lines = [
        (name.partition(".")[2] or name, workspace / reference.path)
        for name, reference in result.context.artifacts.items()
        if name.startswith("report.")
    ]
    console.print()
    for kind, path in lines:
        console.print(Text(f"report ({kind})  {relative(path)}"), soft_wrap=True)
    trace = workspace / "trace.json"
    if trace.exists():
        console.print(Text(f"trace          {relative(trace)}  (crucible trace show {result.run_id})"), soft_wrap=True)
    console.print(Text(f"store          {relative(store)}  (crucible runs show {result.run_id})"), soft_wrap=True)


def relative(path: str | Path) -> str:
    """Return a path relative to the working directory where it lies below it."""
    text = str(path)
    if "://" in text:
        return text
    try:
        return str(Path(text).resolve().relative_to(Path.cwd()))
    except ValueError:
        return os.path.normpath(text)
