"""Where things are kept: SQLite in a folder, or PostgreSQL; all tables, the one migration chain, the repositories.

Nothing here decides what a run, a metric or a trace means; rooms above go through the repositories. Whatever fails is a
`StoreError` that names the file and what to do.
"""

from crucible.store.codec import decode, encode, storable
from crucible.store.difference import Difference, differences
from crucible.store.opening import Store, open_store
from crucible.store.owner import Owner
from crucible.store.records import RunComparison, StoredChain, StoredEvent, StoredRun
from crucible.store.runs import RunRepository
from crucible.store.telemetry import EventRow, PointRow, TelemetryRepository
from crucible.store.traces import TraceRepository

__all__ = [
    "Difference",
    "EventRow",
    "Owner",
    "PointRow",
    "RunComparison",
    "RunRepository",
    "Store",
    "StoredChain",
    "StoredEvent",
    "StoredRun",
    "TelemetryRepository",
    "TraceRepository",
    "decode",
    "differences",
    "encode",
    "open_store",
    "storable",
]
