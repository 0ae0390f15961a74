"""A run as it happens: one line a stage, with step, loss and time left, fed by the bus alone."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from crucible import events

__all__ = ["RunProgress"]

_NAMES = (
    "crucible_framework.stage.*",
    "crucible_framework.run.cancelling",
    "crucible_train.training.start",
    "crucible_train.batch.stop",
    "crucible_train.base_build.*",
    "crucible_data.dataset.loaded",
    "crucible_data.evaluation.*",
)
_WIDE = 90
_BUILDING = "building the base, once"


class RunProgress:
    """Shows a run on a terminal; elsewhere it prints one line a finished stage.

    Args:
        console: Where to print.
        run_id: The run to follow.
    """

    def __init__(self, console: Console, run_id: str) -> None:
        self._console = console
        self._handler_id = f"cli-progress-{run_id}"
        self._run_id = run_id
        self._lock = threading.Lock()
        self._task: TaskID | None = None
        self._stage = ""
        self._subject = ""
        self._notes: list[str] = []
        self._progress = Progress(*_columns(console), console=console, transient=True, disable=not console.is_terminal)

    def __enter__(self) -> Self:
        self._progress.start()
        events.attach(self._handler_id, _NAMES, self._on_event, run_id=self._run_id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        events.detach(self._handler_id)
        self._progress.stop()

    def _on_event(self, event: events.Event) -> None:
        with self._lock:
            _, _, what = event.name.partition(".")
            if what.startswith("stage."):
                self._on_stage(what, event)
            else:
                self._on_work(what, event.measurements, event.metadata)

    def _on_stage(self, what: str, event: events.Event) -> None:
        if what == "stage.start":
            self._stage, self._subject, self._notes = str(event.metadata["stage"]), "", []
            self._task = self._progress.add_task(escape(self._stage), total=None, detail="getting ready")
            return
        mark = "[green]✓[/]" if what == "stage.stop" else "[red]✗[/]"
        subject = f" {escape(self._subject)}" if self._subject else ""
        notes = f" [dim]{escape(', '.join(self._notes))}[/]" if self._notes else ""
        seconds = event.measurements["duration_ns"] / 1e9
        self._console.print(f"{mark} {escape(self._stage)}{subject}{notes} [dim]{seconds:.1f} s[/]", highlight=False)
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def _on_work(self, what: str, measurements: Any, metadata: Any) -> None:
        if what == "run.cancelling":
            self._console.print("[yellow]stopping after the step under way …[/]", highlight=False)
        elif what == "dataset.loaded":
            synthetic = " (synthetic)" if metadata.get("synthetic") else ""
            self._notes.append(f"{measurements['items']} {metadata['split']}{synthetic}")
        elif what in ("training.start", "evaluation.start"):
            self._subject = str(metadata.get("model", ""))
            self._notes.extend(_too_long(metadata))
            self._show(self._subject, 0, metadata.get("total_steps", metadata.get("total_items")), "")
        elif what == "base_build.start":
            self._show(_BUILDING, 0, metadata.get("total_steps"), "")
        elif what == "base_build.progress":
            self._show(_BUILDING, measurements["step"], metadata.get("total_steps"), _loss(measurements))
        elif what == "base_build.stop":
            self._notes.append(f"base model built in {measurements['duration_ns'] / 1e9:.0f} s")
        elif what == "batch.stop":
            self._show(self._subject, measurements["step"], metadata.get("total_steps"), _loss(measurements))
        elif what == "evaluation.progress":
            self._show(self._subject, measurements["items"], metadata.get("total_items"), "")

    def _show(self, label: str, done: float, total: Any, detail: str) -> None:
        if self._task is None:
            return
        text = escape(f"{self._stage} · {label}" if label else self._stage)
        step = f"{done:.0f}/{total}" if total else f"{done:.0f}"
        self._progress.update(self._task, description=text, completed=done, total=total, detail=f"{step} {detail}")


def _too_long(metadata: Any) -> list[str]:
    """Return what became of items that are longer than the model's window."""
    cut, left_out = metadata.get("truncated") or 0, metadata.get("refused") or 0
    notes = [f"{cut} prompts truncated to fit"] if cut else []
    return notes + ([f"{left_out} items left out, too long"] if left_out else [])


def _loss(measurements: Any) -> str:
    return f"loss {measurements['loss']:.3f}"


def _columns(console: Console) -> list[ProgressColumn]:
    """Return the columns; on a narrow terminal the words give way, never step, loss and time left."""
    bar: list[ProgressColumn] = [BarColumn(bar_width=20)] if console.width >= _WIDE else []
    words = Column(no_wrap=True, overflow="ellipsis", ratio=1 if not bar else None)
    return [
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=words),
        *bar,
        TextColumn("{task.fields[detail]}", table_column=Column(no_wrap=True)),
        TextColumn("ETA", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    ]
