"""Why it happened: events, chains of them, and everything that makes, keeps, asks, compares and shows chains.

An event is a decision or an occurrence with its reasoning, alternatives and confidence; a chain keeps events in order
with their links. Chains come from a run's events (`Collector`, `collect`), from code (`traced_stage`, `training`) or
from what a model wrote (`parse`); they are kept in a file, in a live file or in the run store (`TraceStore`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from crucible.trace import training
from crucible.trace.chain import Chain
from crucible.trace.collecting import Collector, collect
from crucible.trace.comparison import (
    RUN_NOISE,
    ChangedEvent,
    ConfidenceDelta,
    Diff,
    DiffOptions,
    Divergence,
    LinkEnd,
    MovedEvent,
    PlacedEvent,
    RelationChange,
    Side,
    diff,
)
from crucible.trace.diagrams import MERMAID_KINDS, MermaidOptions, to_mermaid
from crucible.trace.event import Event, EventFields
from crucible.trace.exports import (
    CSV_COLUMNS,
    export_otel,
    otel_spans,
    save_training_table,
    to_csv,
    to_json,
    training_table,
)
from crucible.trace.folder import ChainFolder, FolderEntry, FolderListing, FolderMoves, FolderProblem
from crucible.trace.integrity import (
    Closing,
    Entry,
    Fault,
    Finding,
    Ledger,
    PublicKey,
    Signer,
    Verification,
    verify,
)
from crucible.trace.live import LiveChain, LiveProblem, LiveRead, LiveReader, read_live
from crucible.trace.markdown import to_markdown
from crucible.trace.merging import merge
from crucible.trace.parsing import (
    CodeBlock,
    Parsed,
    ParseIssue,
    build_causal_prompt,
    code_blocks,
    extract_code,
    extract_metadata,
    parse,
    parse_to_chain,
    split_events_and_code,
    to_tags,
    validate_events,
)
from crucible.trace.queries import (
    Check,
    Condition,
    FilterFields,
    Filters,
    Gate,
    aggregate_by,
    count,
    mean_confidence,
    query,
    search,
    search_regex,
)
from crucible.trace.relationships import Problem
from crucible.trace.statistics import Statistics
from crucible.trace.text_tree import to_text
from crucible.trace.tracing import Block, Traced, enclosing, traced_stage, traced_training
from crucible.trace.viewer import ViewerOptions, open_in_browser, save_html, to_html
from crucible.trace.vocabulary import (
    EventType,
    canonical_type,
    event_type,
    event_types,
    look_of,
    register_event_type,
    title_of,
)

if TYPE_CHECKING:
    from crucible.trace.stored import ChainFilter, ChainInfo, Found, Hit, TraceStore

__all__ = [
    "CSV_COLUMNS",
    "MERMAID_KINDS",
    "RUN_NOISE",
    "Block",
    "Chain",
    "ChainFilter",
    "ChainFolder",
    "ChainInfo",
    "ChangedEvent",
    "Check",
    "Closing",
    "CodeBlock",
    "Collector",
    "Condition",
    "ConfidenceDelta",
    "Diff",
    "DiffOptions",
    "Divergence",
    "Entry",
    "Event",
    "EventFields",
    "EventType",
    "Fault",
    "FilterFields",
    "Filters",
    "Finding",
    "FolderEntry",
    "FolderListing",
    "FolderMoves",
    "FolderProblem",
    "Found",
    "Gate",
    "Hit",
    "Ledger",
    "LinkEnd",
    "LiveChain",
    "LiveProblem",
    "LiveRead",
    "LiveReader",
    "MermaidOptions",
    "MovedEvent",
    "ParseIssue",
    "Parsed",
    "PlacedEvent",
    "Problem",
    "PublicKey",
    "RelationChange",
    "Side",
    "Signer",
    "Statistics",
    "TraceStore",
    "Traced",
    "Verification",
    "ViewerOptions",
    "aggregate_by",
    "build_causal_prompt",
    "canonical_type",
    "code_blocks",
    "collect",
    "count",
    "diff",
    "enclosing",
    "event_type",
    "event_types",
    "export_otel",
    "extract_code",
    "extract_metadata",
    "look_of",
    "mean_confidence",
    "merge",
    "open_in_browser",
    "otel_spans",
    "parse",
    "parse_to_chain",
    "query",
    "read_live",
    "register_event_type",
    "save_html",
    "save_training_table",
    "search",
    "search_regex",
    "split_events_and_code",
    "title_of",
    "to_csv",
    "to_html",
    "to_json",
    "to_markdown",
    "to_mermaid",
    "to_tags",
    "to_text",
    "traced_stage",
    "traced_training",
    "training",
    "training_table",
    "validate_events",
    "verify",
]

_STORED = frozenset({"ChainFilter", "ChainInfo", "Found", "Hit", "TraceStore"})  # these need the database libraries


def __getattr__(name: str) -> Any:
    if name in _STORED:
        return getattr(importlib.import_module("crucible.trace.stored"), name)
    raise AttributeError(f"module 'crucible.trace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
