"""What is written down of a run: plain structs that a store, a report or a person can read.

The runner knows a store only as a `RunRecorder`: each call returns when its record is durable, or raises `StoreError`.
"""

from __future__ import annotations

import traceback
from typing import Any, Literal, Protocol

import msgspec

__all__ = [
    "PASSED_OVER",
    "ContextDelta",
    "Failure",
    "Resume",
    "RunInfo",
    "RunRecorder",
    "RunStatus",
    "StageRecord",
    "StageStatus",
    "failure_of",
]

RunStatus = Literal["running", "completed", "failed", "cancelled", "interrupted"]
StageStatus = Literal["running", "ok", "failed", "skipped", "cancelled"]


PASSED_OVER = {"skip": "on_error: skip", "continue": "on_error: continue"}
"""The reason in the record of a stage that failed without ending the run, by what `on_error` says."""


class RunInfo(msgspec.Struct, frozen=True):
    """A run as it starts.

    Args:
        run_id: Unique id.
        experiment_id: The experiment's id.
        experiment: The whole document (`ir.to_dict`).
        source: The file that it was read from, None for one built in Python.
        workspace: Folder of the run's files.
        provenance: Versions, seed, command and whatever else reproduces the run.
    """

    run_id: str
    experiment_id: str
    experiment: dict[str, Any]
    source: str | None = None
    workspace: str = ""
    provenance: dict[str, Any] = {}


class Failure(msgspec.Struct, frozen=True):
    """Why something failed, in words that survive the process.

    Args:
        type: Name of the exception's class.
        message: Its message.
        traceback: Its traceback, for debugging.
    """

    type: str
    message: str
    traceback: str = ""


_MESSAGE_CHARACTERS = 20_000
_TRACEBACK_CHARACTERS = 100_000


def failure_of(error: BaseException) -> Failure:
    """Return why something failed, from what was raised; of a very long text its beginning and its end."""
    try:
        message = str(error)
    except Exception as broken:  # noqa: BLE001  # a broken error must not hide that there was one
        message = f"its message cannot be read: {type(broken).__name__}"
    trace = "".join(traceback.format_exception(error))
    return Failure(type(error).__name__, _short(message, _MESSAGE_CHARACTERS), _short(trace, _TRACEBACK_CHARACTERS))


def _short(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} […{len(text) - 2 * half} characters left out…] {text[-half:]}"


class StageRecord(msgspec.Struct, frozen=True):
    """One attempt at one stage.

    Args:
        index: Place in the pipeline, from 0.
        name: Stage name.
        status: What became of it.
        reason: Why it was skipped, cancelled, tried again or passed over; of a fallback, in whose place it ran.
        attempt: From 1; a resumed run counts on.
        started_at: ISO-8601 UTC.
        duration_ns: Nanoseconds, 0 while it runs.
        error: Why it failed.
        metrics: What it added or changed among the metrics.
    """

    index: int
    name: str
    status: StageStatus
    reason: str | None = None
    attempt: int = 1
    started_at: str = ""
    duration_ns: int = 0
    error: Failure | None = None
    metrics: dict[str, Any] = {}


class ContextDelta(msgspec.Struct, frozen=True):
    """What one stage added to the persistent part of the context, as JSON values.

    Args:
        metrics: New or changed metrics.
        outputs: Appended outputs.
        artifacts: New or changed artifact references, as dicts.
        assigns: New or changed assigns.
    """

    metrics: dict[str, Any] = {}
    outputs: list[dict[str, Any]] = []
    artifacts: dict[str, dict[str, Any]] = {}
    assigns: dict[str, Any] = {}


class Resume(msgspec.Struct, frozen=True):
    """Where an earlier attempt of the same run stood.

    Args:
        deltas: What each completed stage added to the context, by index.
        completed: Records of the completed stages, by index.
        attempts: How often each stage was started, by index.
    """

    deltas: dict[int, ContextDelta]
    completed: dict[int, StageRecord]
    attempts: dict[int, int]


class RunRecorder(Protocol):
    """Keeps what the runner tells it. Every call is durable when it returns, or raises `StoreError`.

    Calls come from different threads, but one at a time.
    """

    def run_started(self, run: RunInfo) -> None:
        """Keep a run that starts, or starts again."""
        ...

    def stage_started(self, run_id: str, record: StageRecord) -> None:
        """Keep a stage that starts."""
        ...

    def stage_finished(self, run_id: str, record: StageRecord, delta: ContextDelta) -> None:
        """Keep a stage that ended or was skipped, with what it changed."""
        ...

    def run_finished(self, run_id: str, status: RunStatus, failure: Failure | None) -> None:
        """Keep how the run ended."""
        ...
