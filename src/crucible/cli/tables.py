"""Tables for people: what a run found, the list of runs, one run, a difference, the stages."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crucible.pipeline import RunResult
from crucible.stats import show_p

__all__ = ["hint", "interval", "number", "p_value", "print_findings", "print_places", "relative", "table"]


_FREE = frozenset({"", "contrast", "experiment", "meaning", "path", "type", "what happened", "what it does"})
"""Columns of words, which may fold; ids, numbers and intervals stay in one piece."""


def number(value: Any, digits: int = 3) -> str:
    """Return a number for a table cell; words stay words and None is a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return str(value)


def p_value(value: float | None, alpha: float) -> str:
    """Return a p-value that never reads as zero, nor as on the other side of `alpha`."""
    return "–" if value is None else show_p(value, alpha).removeprefix("p").removeprefix(" = ").strip()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a plain table; cells are text, never markup."""
    heading = f"\n{title}" if title else None
    made = Table(title=heading, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column not in _FREE)
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
    if metrics.get("data", {}).get("synthetic"):
        console.print(
            Text("\nSYNTHETIC DATA: made by a generator; the scores say nothing about real data", style="yellow")
        )
    if rows:
        columns = ("model", "score", "mean", _interval_heading(metrics), "tried", "scored", "failed", "skip")
        console.print(table("What was measured", columns, rows))
    bench = metrics.get("bench")
    if bench:
        _print_contrasts(console, bench)


def _interval_heading(metrics: Mapping[str, Any]) -> str:
    """Return the level of the score intervals, such as `95 % interval`."""
    for label, scorers in metrics.items():
        if label.startswith("evaluate."):
            for summary in scorers.values():
                if summary.get("interval"):
                    return _level(summary["interval"])
    return "interval"


def _level(data: Mapping[str, Any] | None) -> str:
    return f"{data['level'] * 100:g} % interval" if data else "interval"


def _scores(label: str, scorers: Mapping[str, Mapping[str, Any]]) -> Iterable[Sequence[Any]]:
    for scorer, summary in scorers.items():
        if "mean" in summary:
            counts = (summary[key] for key in ("attempted", "scored", "failed", "skipped"))
            yield label, scorer, number(summary["mean"]), interval(summary["interval"]), *counts


def _print_contrasts(console: Console, bench: Mapping[str, Any]) -> None:
    contrasts = bench["contrasts"]
    if rows := [_contrast(entry, bench["alpha"]) for entry in contrasts if entry["verdict"] is not None]:
        corrected = "p adjusted" if bench["correction"] == "none" else f"p {bench['correction']}"
        level = next((entry["interval"] for entry in contrasts if entry["interval"]), None)
        columns = ("contrast", "n", "change", _level(level), "effect", "p", corrected)
        console.print(table(f"Is it real? {', '.join(bench['metrics'])}: treatment minus baseline", columns, rows))
    console.print()
    for reason in dict.fromkeys((bench.get("no_data"), bench.get("not_tested"))):
        if reason:
            console.print(Text("○ ", style="yellow") + Text(str(reason)))
    for omnibus in bench.get("omnibus") or ():
        console.print(Text("· ", style="dim") + Text(str(omnibus["wording"])))
    for entry in contrasts:
        mark, style = ("●", "green") if entry["verdict"] == "difference" else ("○", "yellow")
        console.print(Text(f"{mark} ", style=style) + Text(entry["wording"]))


def _contrast(entry: Mapping[str, Any], alpha: float) -> Sequence[Any]:
    return (
        entry["contrast"],
        entry["n"],
        number(entry["difference"]),
        interval(entry["interval"], 3),
        _effect(entry["effect"]),
        p_value(entry["p"], alpha),
        p_value(entry["p_adjusted"], alpha),
    )


def _effect(data: Mapping[str, Any] | None) -> str:
    if not data:
        return "–"
    letter = str(data["name"]).removeprefix("cohens_").removeprefix("hedges_")
    return f"{letter} {number(data['value'], 2)}"


def print_places(console: Console, result: RunResult, store: str | None) -> None:
    """Print where report, trace and store lie, relative to the working directory, and how to read them."""
    workspace = result.context.workspace
    places: list[tuple[str, str]] = []
    for name, reference in result.context.artifacts.items():
        if name.startswith("report."):
            places.append((f"report ({name.removeprefix('report.')})", relative(workspace / reference.path)))
    sent = ((output.get("url") or output.get("store"), output.get("format", "")) for output in result.context.outputs)
    places.extend((f"report ({format_})", str(where)) for where, format_ in sent if where)
    trace = workspace / "trace.json"
    if trace.exists():
        places.append(("trace", f"{relative(trace)}  ({hint('trace show', result.run_id, store)})"))
    kept = str(result.context.get_assign("provenance", {}).get("store", ""))
    places.append(("store", f"{relative(kept)}  ({hint('runs show', result.run_id, store)})"))
    console.print()
    width = max(len(kind) for kind, _ in places)
    for kind, where in places:
        console.print(Text(f"{kind:<{width}}  {where}"), soft_wrap=True)


def hint(command: str, run_id: str, store: str | None) -> str:
    """Return a command that can be typed as it stands, the store included if one was named."""
    named = ["--store", store] if store else []
    return shlex.join(["crucible", *command.split(), run_id, *named])


def relative(path: str | Path) -> str:
    """Return a path relative to the working directory where it lies below it."""
    text = str(path)
    if "://" in text:
        return text
    try:
        return str(Path(text).resolve().relative_to(Path.cwd()))
    except ValueError:
        return os.path.normpath(text)
