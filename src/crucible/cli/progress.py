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
    "crucible_framework.stage.start",
    "crucible_framework.stage.retry",
    "crucible_framework.stage.stop",
    "crucible_framework.stage.exception",
    "crucible_framework.run.cancelling",
    "crucible_train.training.start",
    "crucible_train.batch.stop",
    "crucible_train.base_build.*",
    "crucible_data.dataset.loaded",
    "crucible_data.evaluation.*",
)
_WIDE = 90
_BUILDING = "building the base, once"


class _Stage:
    """A stage that is under way; several are where a pipeline has branches."""

    def __init__(self, name: str, task: TaskID) -> None:
        self.name = name
        self.task = task
        self.subject = ""
        self.notes: list[str] = []


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
        self._stages: dict[int | None, _Stage] = {}
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
            index = event.scope.stage_index
            if what == "run.cancelling":
                self._console.print("[yellow]stopping after the step under way …[/]", highlight=False)
            elif what == "stage.start":
                name = str(event.metadata["stage"])
                self._stages[index] = _Stage(
                    name, self._progress.add_task(escape(name), total=None, detail="getting ready")
                )
            elif (stage := self._stages.get(index)) is not None:
                self._on_stage(what, event, stage)

    def _on_stage(self, what: str, event: events.Event, stage: _Stage) -> None:
        if what in ("stage.stop", "stage.exception"):
            self._close(stage, event.measurements["duration_ns"] / 1e9, succeeded=what == "stage.stop")
            del self._stages[event.scope.stage_index]
        elif what == "stage.retry":
            wait = event.measurements["wait_s"]
            words = f"{event.metadata['error_type']}: {event.metadata['error']}"
            self._console.print(
                f"[yellow]↻[/] {escape(stage.name)} [dim]again in {wait:.1f} s: {escape(words)}[/]", highlight=False
            )
        else:
            self._on_work(what, event.measurements, event.metadata, stage)

    def _close(self, stage: _Stage, seconds: float, *, succeeded: bool) -> None:
        mark = "[green]✓[/]" if succeeded else "[red]✗[/]"
        subject = f" {escape(stage.subject)}" if stage.subject else ""
        notes = f" [dim]{escape(', '.join(stage.notes))}[/]" if stage.notes else ""
        self._console.print(f"{mark} {escape(stage.name)}{subject}{notes} [dim]{seconds:.1f} s[/]", highlight=False)
        self._progress.remove_task(stage.task)

    def _on_work(self, what: str, measurements: Any, metadata: Any, stage: _Stage) -> None:
        if what == "dataset.loaded":
            synthetic = " (synthetic)" if metadata.get("synthetic") else ""
            stage.notes.append(f"{measurements['items']} {metadata['split']}{synthetic}")
        elif what in ("training.start", "evaluation.start"):
            stage.subject = str(metadata.get("model", ""))
            stage.notes.extend(_too_long(metadata))
            self._show(stage, stage.subject, 0, metadata.get("total_steps", metadata.get("total_items")))
        elif what == "base_build.start":
            self._show(stage, _BUILDING, 0, metadata.get("total_steps"))
        elif what == "base_build.progress":
            self._show(stage, _BUILDING, measurements["step"], metadata.get("total_steps"), _loss(measurements))
        elif what == "base_build.stop":
            stage.notes.append(f"base model built in {measurements['duration_ns'] / 1e9:.0f} s")
        elif what == "batch.stop":
            self._show(stage, stage.subject, measurements["step"], metadata.get("total_steps"), _loss(measurements))
        elif what == "evaluation.progress":
            self._show(stage, stage.subject, measurements["items"], metadata.get("total_items"))

    def _show(self, stage: _Stage, label: str, done: float, total: Any, detail: str = "") -> None:
        text = escape(f"{stage.name} · {label}" if label else stage.name)
        step = f"{done:.0f}/{total}" if total else f"{done:.0f}"
        self._progress.update(stage.task, description=text, completed=done, total=total, detail=f"{step} {detail}")


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
