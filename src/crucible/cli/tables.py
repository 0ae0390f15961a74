"""Tables for people, and where a run left its things; what it found is in `findings`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crucible.pipeline import RunResult

__all__ = ["hint", "number", "print_places", "relative", "table"]


_FREE = frozenset({"", "contrast", "experiment", "meaning", "path", "type", "what happened", "what it does"})
"""Columns of words, which may fold; ids, numbers and intervals stay in one piece."""


def number(value: Any, digits: int = 3) -> str:
    """Return a number for a table cell; words stay words and None is a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return str(value)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a plain table; cells are text, never markup."""
    heading = f"\n{title}" if title else None
    made = Table(title=heading, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column not in _FREE)
    for row in rows:
        made.add_row(*(Text(str(cell)) for cell in row))
    return made


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
    provenance = result.context.get_assign("provenance", {})  # a stage may have put something else there
    kept: Any = cast("Mapping[str, Any]", provenance).get("store") if isinstance(provenance, Mapping) else None
    shown = hint("runs show", result.run_id, store)
    places.append(("store", f"{relative(kept)}  ({shown})" if isinstance(kept, str) else shown))
    console.print()
    width = max(len(kind) for kind, _ in places)
    for kind, where in places:
        console.print(Text(f"{kind:<{width}}  {where}"), soft_wrap=True)


def hint(command: str, run_id: str, store: str | None, flags: Sequence[str] = ()) -> str:
    """Return a command that can be typed as it stands, the store included if one was named.

    Args:
        command: Such as `runs show`.
        run_id: The run.
        store: As `--store` named it; None if it did not.
        flags: What else the command needs, such as `--allow-import mine`.
    """
    named = ["--store", store] if store else []
    return shlex.join(["crucible", *command.split(), run_id, *flags, *named])


def relative(path: str | Path) -> str:
    """Return a path relative to the working directory where it lies below it."""
    text = str(path)
    if "://" in text:
        return text
    try:
        return str(Path(text).resolve().relative_to(Path.cwd()))
    except ValueError:
        return os.path.normpath(text)
