"""What the repositories hand out: plain frozen structs, with no connection behind them."""

from __future__ import annotations

from typing import Any

import msgspec

from crucible.ir import Difference
from crucible.pipeline.records import Failure, RunStatus
from crucible.store.owner import Owner

__all__ = ["RunComparison", "StoredChain", "StoredEvent", "StoredReport", "StoredRun"]


class StoredRun(msgspec.Struct, frozen=True):
    """A run as it stands in the store.

    Args:
        run_id: Its id.
        experiment_id: The experiment's id.
        status: How it stands; `interrupted` if it was running and its process is gone.
        started_at: ISO 8601 UTC, when it was first started.
        finished_at: When it ended; None while it runs, or if its process died.
        source: The file that the document was read from, None for one built in Python.
        workspace: Folder of its files.
        attempt: 1, and one more for every resume.
        failure: Why it failed.
        owner: The process that ran it last.
        lease_expires_at: ISO 8601 UTC; a living owner renews it before. None for runs of Crucible's first version.
        provenance: Versions, seed, command, as they were at the first start.
        experiment: The whole document.
    """

    run_id: str
    experiment_id: str
    status: RunStatus
    started_at: str
    finished_at: str | None
    source: str | None
    workspace: str
    attempt: int
    failure: Failure | None
    owner: Owner
    lease_expires_at: str | None
    provenance: dict[str, Any]
    experiment: dict[str, Any]


class RunComparison(msgspec.Struct, frozen=True):
    """How two runs differ, by path.

    Args:
        a: Id of the first run.
        b: Id of the second run.
        experiment: Differences of the documents.
        metrics: Differences of what was measured.
        stages: Differences of the last attempt at each stage: name, status, reason, attempt.
        durations: How long each stage took in both, in nanoseconds; of two runs it is never the same.
    """

    a: str
    b: str
    experiment: list[Difference]
    metrics: list[Difference]
    stages: list[Difference]
    durations: list[Difference]


class StoredEvent(msgspec.Struct, frozen=True):
    """An event of a run.

    Args:
        name: Dotted name.
        timestamp_ns: Wall clock, nanoseconds since 1970-01-01 UTC.
        stage: The stage in which it happened.
        stage_index: That stage's place, from 0.
        span_id: The span that it opens or closes.
        parent_span_id: The enclosing span.
        measurements: Numbers; NaN and infinities as they were.
        metadata: Words and structures.
    """

    name: str
    timestamp_ns: int
    stage: str | None
    stage_index: int | None
    span_id: str | None
    parent_span_id: str | None
    measurements: dict[str, Any]
    metadata: dict[str, Any]


class StoredChain(msgspec.Struct, frozen=True):
    """A causal chain of a run.

    Args:
        chain_id: Its id.
        name: Its name.
        created_at: ISO 8601 UTC, when its first events were saved.
        events: Its events as dicts, in the order in which they were saved.
    """

    chain_id: str
    name: str
    created_at: str
    events: list[dict[str, Any]]


class StoredReport(msgspec.Struct, frozen=True):
    """A report that is kept as text; `reports.load` has the text.

    Args:
        name: Its name.
        format: Such as `markdown`.
        media_type: Such as `text/markdown`.
        characters: Length of its text.
        saved_at: ISO 8601 UTC.
    """

    name: str
    format: str
    media_type: str
    characters: int
    saved_at: str
