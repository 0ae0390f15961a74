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


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of a recording: of a run, or of a telemetry experiment.

    Args:
        name: Dotted name.
        timestamp_ns: Wall clock, nanoseconds since 1970-01-01 UTC.
        stage: The stage in which it happened.
        stage_index: That stage's place, from 0.
        span_id: The span that it opens or closes.
        parent_span_id: The enclosing span.
        measurements: Numbers; NaN and infinities as they were.
        metadata: Words and structures.
        run_id: The recording: a run's id, or a telemetry experiment's.
        event_id: 16 hexadecimal digits, unique in the store.
        correlation_id: What all events of one request share.
        condition: The arm of the experiment, such as `control`.
        latency_ms: How long what it ends took, milliseconds.
        cost_usd: What it cost, US dollars.
        success: Whether it went well; None where nobody said.
        fields: What else enrichment found, by name.
    """

    name: str
    timestamp_ns: int
    stage: str | None = None
    stage_index: int | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    measurements: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    run_id: str = ""
    event_id: str = ""
    correlation_id: str | None = None
    condition: str | None = None
    latency_ms: float | None = None
    cost_usd: float | None = None
    success: bool | None = None
    fields: dict[str, Any] = {}


class StoredChain(msgspec.Struct, frozen=True):
    """A causal chain as it lies in the store, without its events.

    Args:
        id: Its number in this store; `trace_events.chain` refers to it.
        chain_id: Its own id.
        run_id: The run that it is of; None: of none.
        name: Its name.
        description: In more words.
        created_at: ISO 8601 UTC; of a run's chain, when its first events were saved.
        updated_at: ISO 8601 UTC, its last event's time or later.
        event_count: How many events it has.
        metadata_json: A JSON object.
        extra_json: A JSON object of keys that no version knows, and of texts that the database cannot hold.
        integrity_json: What sealed it, without what is kept with each event; None for an unsealed chain.
        archived_at: ISO 8601 UTC; None for one that is not archived.
    """

    id: int
    chain_id: str
    run_id: str | None
    name: str
    description: str | None
    created_at: str
    updated_at: str
    event_count: int
    metadata_json: str
    extra_json: str | None
    integrity_json: str | None
    archived_at: str | None


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
