"""All tables of Crucible, of every room. Columns only: what is done with them is in the repositories.

Texts named `*_json` hold JSON (see `codec`); times are ISO 8601 UTC with microseconds, so that they sort as text;
`*_ns` are integers of nanoseconds, wall clock since 1970 for `timestamp_ns`.

    experiments        one row a distinct document: sha256 of its canonical JSON, its id, the JSON
    runs               one row a run: document, status (running completed failed cancelled interrupted), owner and lease
    stage_records      one row a (run, stage_index, attempt): status, reason, start, duration, error
    context_deltas     what a completed stage added to the context: metrics, outputs, assigns
    artifacts          what a completed stage added in files: path below the run's workspace, sha256, size
    artifact_inputs    which artifacts an artifact was made from; a NULL sha256: the run had none of that name
    reports            rendered reports by (run, name, format), as text
    workspaces         the folders for files of runs that this store made; one without a run is left over
    telemetry_experiments  one row a recording that is not a run's: what was asked, how it stands, its counts
    telemetry_events   one row an event of a recording, in order of arrival; `run_id` is the recording: a run's id, or a
                       telemetry experiment's
    telemetry_series   one row a (recording, series name); points and segments refer to its `id`
    telemetry_points   one row a (series, step), newer than every segment of the series; a repeated step replaces the
                       value; a NULL value is NaN
    telemetry_segments many points of a series as columns of little-endian 8-byte numbers, and their summary; a later
                       segment's step replaces an earlier one's
    trace_chains       one row a causal chain, of a run or (run_id NULL) of none; `chain_id` is its own id
    trace_events       one row a trace event, in order of `id`; a known event_id is replaced; `timestamp_us` is in
                       microseconds since 1970 UTC
    model_versions     one row a version of a model: its stage, what was measured, what it was made from; `precedence`
                       is the version without build metadata, `source_key` what it was made of, once
    model_tags         words for people, one row a (version, tag)
    model_parents      one row a line of descent: the version, how it came of the other, the other
    model_files        one row a file of a tree: a version names the tree, its content lies by its sha256
    model_scores       scores of a version item by item, one row a metric
    model_changes      the audit of models, in order of `id`: it outlives the versions

Telemetry and traces have no foreign key to `runs`: a recording may begin before the run's row. What is left without a
run for an hour is removed by `gc`; a chain that never had a run is not.

What the full-text search of `trace_events` needs differs between the databases and is made by the migrations alone:
see `trace_index`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "artifact_inputs",
    "artifacts",
    "context_deltas",
    "experiments",
    "metadata",
    "model_changes",
    "model_files",
    "model_parents",
    "model_scores",
    "model_tags",
    "model_versions",
    "reports",
    "runs",
    "stage_records",
    "telemetry_events",
    "telemetry_experiments",
    "telemetry_points",
    "telemetry_segments",
    "telemetry_series",
    "trace_chains",
    "trace_events",
    "workspaces",
]

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

_BIG_ID = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up only an INTEGER PRIMARY KEY

experiments = Table(
    "experiments",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("experiment_id", Text, nullable=False, index=True),
    Column("document_json", Text, nullable=False),
    Column("first_seen_at", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("experiment_id", Text, nullable=False, index=True),
    Column("experiment_sha256", String(64), ForeignKey("experiments.sha256"), nullable=False),
    Column("source", Text),
    Column("workspace", Text, nullable=False),
    Column("provenance_json", Text, nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("started_at", Text, nullable=False, index=True),
    Column("finished_at", Text),
    Column("failure_json", Text),
    Column("attempt", Integer, nullable=False),
    Column("owner_pid", BigInteger, nullable=False),
    Column("owner_host", Text, nullable=False),
    Column("owner_started", Text, nullable=False),
    Column("lease_expires_at", Text),
)

stage_records = Table(
    "stage_records",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("stage_index", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text),
    Column("started_at", Text, nullable=False),
    Column("duration_ns", BigInteger),
    Column("error_json", Text),
)

context_deltas = Table(
    "context_deltas",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("stage_index", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    Column("metrics_json", Text, nullable=False),
    Column("outputs_json", Text, nullable=False),
    Column("assigns_json", Text, nullable=False),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("stage_index", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
)

artifact_inputs = Table(
    "artifact_inputs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("stage_index", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("input_name", Text, primary_key=True),
    Column("input_sha256", String(64)),
    ForeignKeyConstraint(
        ["run_id", "stage_index", "name"],
        ["artifacts.run_id", "artifacts.stage_index", "artifacts.name"],
        ondelete="CASCADE",
    ),
)

reports = Table(
    "reports",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("format", Text, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("saved_at", Text, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("made_at", Text, nullable=False),
)

telemetry_events = Table(
    "telemetry_events",
    metadata,
    Column("id", _BIG_ID, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("timestamp_ns", BigInteger, nullable=False),
    Column("stage", Text),
    Column("stage_index", Integer),
    Column("span_id", Text),
    Column("parent_span_id", Text),
    Column("measurements_json", Text, nullable=False),
    Column("metadata_json", Text, nullable=False),
    Column("event_id", BigInteger, nullable=False, server_default="0"),
    Column("correlation_id", Text),
    Column("condition", Text),
    Column("latency_ms", Double[float]()),
    Column("cost_usd", Double[float]()),
    Column("success", SmallInteger),
    Column("fields_json", Text),
    Index("ix_telemetry_events_run_id_name", "run_id", "name"),
    Index("ix_telemetry_events_run_id_timestamp_ns", "run_id", "timestamp_ns"),
)

telemetry_series = Table(
    "telemetry_series",
    metadata,
    Column("id", _BIG_ID, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("run_id", "name"),
)

telemetry_points = Table(
    "telemetry_points",
    metadata,
    Column("series_id", _BIG_ID, ForeignKey("telemetry_series.id", ondelete="CASCADE"), primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Double[float]()),
    Column("timestamp_ns", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

telemetry_segments = Table(
    "telemetry_segments",
    metadata,
    Column("id", _BIG_ID, primary_key=True),
    Column("series_id", _BIG_ID, ForeignKey("telemetry_series.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("batch", BigInteger, nullable=False),
    Column("written_ns", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("finite", BigInteger, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("stride", BigInteger),
    Column("mean", Double[float]()),
    Column("m2", Double[float]()),
    Column("min", Double[float]()),
    Column("min_step", BigInteger),
    Column("max", Double[float]()),
    Column("max_step", BigInteger),
    Column("last", Double[float]()),
    Column("steps", LargeBinary),
    Column("points", LargeBinary, nullable=False),
    Column("timestamps", LargeBinary, nullable=False),
)

telemetry_experiments = Table(
    "telemetry_experiments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hypothesis", Text),
    Column("condition", Text, nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("started_at", Text, nullable=False, index=True),
    Column("stopped_at", Text),
    Column("paused_at", Text),
    Column("pause_count", Integer, nullable=False),
    Column("paused_ns", BigInteger, nullable=False),
    Column("sample_size", BigInteger),
    Column("recorded", BigInteger, nullable=False),
    Column("dropped_json", Text, nullable=False),
    Column("problems_json", Text, nullable=False),
    Column("tags_json", Text, nullable=False),
    Column("metadata_json", Text, nullable=False),
    Column("settings_json", Text, nullable=False),
    Column("owner_pid", BigInteger, nullable=False),
    Column("owner_host", Text, nullable=False),
    Column("owner_started", Text, nullable=False),
)

trace_chains = Table(
    "trace_chains",
    metadata,
    Column("id", _BIG_ID, primary_key=True),
    Column("chain_id", Text, nullable=False),
    Column("run_id", Text, index=True),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("created_at", Text, nullable=False, index=True),
    Column("updated_at", Text, nullable=False),
    Column("event_count", Integer, nullable=False),
    Column("metadata_json", Text, nullable=False),
    Column("extra_json", Text),
    Column("integrity_json", Text),
    Column("archived_at", Text),
    UniqueConstraint("chain_id"),
)

trace_events = Table(
    "trace_events",
    metadata,
    Column("id", _BIG_ID, primary_key=True),
    Column("chain", _BIG_ID, ForeignKey("trace_chains.id", ondelete="CASCADE"), nullable=False),
    Column("event_id", Text, nullable=False),
    Column("timestamp_us", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("reasoning", Text, nullable=False),
    Column("alternatives_json", Text, nullable=False),
    Column("confidence", Double[float]()),
    Column("code_section", Text),
    Column("spec_reference", Text),
    Column("metadata_json", Text, nullable=False),
    Column("parent_id", Text),
    Column("depends_on_json", Text, nullable=False),
    Column("stage_id", Text),
    Column("experiment_id", Text),
    Column("extra_json", Text),
    Column("hash", Text),
    Column("signature", Text),
    UniqueConstraint("chain", "event_id"),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("id", _BIG_ID, primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("precedence", Text, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("description", Text),
    Column("run_id", Text, index=True),
    Column("source_key", Text),
    Column("artifact_uri", Text),
    Column("tree_sha256", String(64), index=True),
    Column("created_at", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("metrics_json", Text, nullable=False),
    Column("origin_json", Text, nullable=False),
    UniqueConstraint("model", "precedence"),
    UniqueConstraint("model", "source_key"),
)

model_tags = Table(
    "model_tags",
    metadata,
    Column("version_id", _BIG_ID, ForeignKey("model_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", Text, primary_key=True),
)

model_parents = Table(
    "model_parents",
    metadata,
    Column(
        "version_id",
        _BIG_ID,
        ForeignKey("model_versions.id", name="fk_model_parents_version", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("relation", String(32), primary_key=True),
    Column(
        "parent_id",
        _BIG_ID,
        ForeignKey("model_versions.id", name="fk_model_parents_parent"),
        primary_key=True,
        index=True,
    ),
)

model_files = Table(
    "model_files",
    metadata,
    Column("tree_sha256", String(64), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
)

model_scores = Table(
    "model_scores",
    metadata,
    Column("version_id", _BIG_ID, ForeignKey("model_versions.id", ondelete="CASCADE"), primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("asked_sha256", Text, nullable=False),
    Column("is_share", SmallInteger, nullable=False),
    Column("recorded_at", Text, nullable=False),
    Column("items_json", Text, nullable=False),
)

model_changes = Table(
    "model_changes",
    metadata,
    Column("id", _BIG_ID, primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("from_stage", String(16)),
    Column("to_stage", String(16)),
    Column("forced", SmallInteger, nullable=False),
    Column("evidence_json", Text, nullable=False),
    Index("ix_model_changes_model_version", "model", "version"),
)
