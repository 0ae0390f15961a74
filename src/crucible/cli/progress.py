"""A run as it happens: one line a stage, with step, loss and time left, fed by the bus alone."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from crucible import events

__all__ = ["RunProgress"]

_NAMES = (
    "crucible_framework.stage.*",
    "crucible_train.training.start",
    "crucible_train.batch.stop",
    "crucible_train.base_build.*",
    "crucible_data.dataset.loaded",
    "crucible_data.evaluation.*",
)


class RunProgress:
    """Shows a run on a terminal; elsewhere it prints one line a finished stage.

    Args:
        console: Where to print.
        run_id: The run to follow.
    """

    def __init__(self, console: Console, run_id: str) -> None:
        self._console = console
        self._run_id = run_id
        self._lock = threading.Lock()
        self._task: TaskID | None = None
        self._label = ""
        self._notes: list[str] = []
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        events.attach(self._handler_id, _NAMES, self._on_event, run_id=self._run_id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        events.detach(self._handler_id)
        self._progress.stop()

    @property
    def _handler_id(self) -> str:
        return f"cli-progress-{self._run_id}"

    def _on_event(self, event: events.Event) -> None:
        with self._lock:
            room, _, what = event.name.partition(".")
            if room == "crucible_framework":
                self._on_stage(what, event)
            elif what == "dataset.loaded":
                synthetic = " (synthetic)" if event.metadata.get("synthetic") else ""
                self._notes.append(f"{event.measurements['items']} {event.metadata['split']}{synthetic}")
            elif what in ("training.start", "evaluation.start"):
                self._label = str(event.metadata.get("model", ""))
                self._show(0, event.metadata.get("total_steps") or event.metadata.get("total_items"), "")
            elif what == "base_build.start":
                self._label = f"building {event.metadata.get('base_model', 'the base model')}, once"
            elif what in ("batch.stop", "base_build.progress"):
                loss = event.measurements.get("loss", float("nan"))
                self._show(event.measurements["step"], event.metadata.get("total_steps"), f"loss {loss:.3f}")
            elif what == "evaluation.progress":
                self._show(event.measurements["items"], event.metadata.get("total_items"), "")
            elif what in ("base_build.stop", "evaluation.stop"):
                self._note_end(what, event.measurements)

    def _note_end(self, what: str, measurements: Any) -> None:
        seconds = measurements["duration_ns"] / 1e9
        if what == "base_build.stop":
            self._notes.append(f"base model built in {seconds:.0f} s")
        self._label = ""

    def _on_stage(self, what: str, event: events.Event) -> None:
        name = str(event.metadata["stage"])
        if what == "stage.start":
            self._label, self._notes = "", []
            self._task = self._progress.add_task(escape(name), total=None, detail="")
            return
        mark = "[green]✓[/]" if what == "stage.stop" else "[red]✗[/]"
        notes = f" [dim]{escape(', '.join(self._notes))}[/]" if self._notes else ""
        subject = f" {escape(self._subject)}" if self._subject else ""
        seconds = event.measurements["duration_ns"] / 1e9
        self._console.print(f"{mark} {escape(name)}{subject}{notes} [dim]{seconds:.1f} s[/]", highlight=False)
        self._subject = ""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    _subject = ""

    def _show(self, done: float, total: Any, detail: str) -> None:
        if self._task is None:
            return
        name = self._progress.tasks[-1].description.split(" · ", 1)[0] if self._progress.tasks else ""
        if self._label:
            self._subject = self._label if not self._label.startswith("building") else self._subject
        text = f"{name} · {escape(self._label)}" if self._label else name
        step = f"{done:.0f}/{total} {detail}" if total else f"{done:.0f} {detail}"
        self._progress.update(self._task, description=text, completed=done, total=total, detail=step)
